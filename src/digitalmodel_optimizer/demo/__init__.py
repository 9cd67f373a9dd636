"""A batch to try the plugins on, made by the stand-in for OrcaFlex, and its comparison."""
