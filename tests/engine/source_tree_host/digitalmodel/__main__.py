"""``python -m digitalmodel x.yml``."""

from digitalmodel.engine import engine

engine()
