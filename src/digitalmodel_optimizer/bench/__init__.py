"""Benchmarks: what the plugins are worth, against what, and how the figures were taken."""
