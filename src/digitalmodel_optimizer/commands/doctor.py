"""placeholder"""
def command() -> None:
    """Placeholder."""
