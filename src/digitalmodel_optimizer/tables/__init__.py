"""The host's tables: made lazily, carried from file to file, merged, saved."""
