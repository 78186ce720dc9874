"""Stand-in."""

__all__ = ["bits"]


def bits(train: str, validation: str, order: int) -> float:
    """Stand in."""
    return 4.0 / order
