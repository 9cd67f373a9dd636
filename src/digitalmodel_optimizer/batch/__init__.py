"""A batch: which file starts when and where, staging, merging."""
