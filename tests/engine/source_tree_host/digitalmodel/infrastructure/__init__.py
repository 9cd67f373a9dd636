"""A part of the miniature host."""
