"""Start the code that a panel shows, as it stands."""

from typing import Any

__all__ = ["started"]


def started(text: str) -> dict[str, Any]:
    """Run a text, and tell what it leaves; none sees another's names."""
    assert max(map(len, text.splitlines())) <= 100 + 80 * ("/tmp" in text), text
    assert "\n\n\n\n" not in text
    left: dict[str, Any] = {}
    exec(compile(text, "code", "exec"), left)  # the product itself
    return left
