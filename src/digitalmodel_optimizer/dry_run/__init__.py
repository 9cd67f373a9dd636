"""A batch before it runs: which files, what is decided, what would be written, what would fail."""
