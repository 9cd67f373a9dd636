"""The user's YAML: reading it as the host does, where a value stands, the settings in it."""
