"""How a bench tells what it found: a table for people, one line of JSON for programs."""

import json
import platform
import statistics
import sys
from collections.abc import Sequence
from importlib.metadata import version

__all__ = ["claim", "finish", "spread"]


def spread(name: str, values: Sequence[float], unit: str = "") -> float:
    """Print a row: median, smallest, largest, how many; gives the median."""
    middle = statistics.median(values)
    low, high = min(values), max(values)
    print(f"{name:<58} {middle:>10.4g} {low:>10.4g} {high:>10.4g} {len(values):>4}  {unit}")
    return middle


def heading(title: str, device: str) -> None:
    """Print what is measured, on what, with which versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "streamlit"))
    print(
        f"{title}\n{device}, {platform.platform()}, Python {platform.python_version()}, {versions}"
    )
    print(f"{'':<58} {'median':>10} {'min':>10} {'max':>10} {'n':>4}")


def claim(text: str, value: float, goal: float, *, at_most: bool = False) -> dict[str, object]:
    """State a claim with its figure, its goal and whether it holds."""
    holds = value <= goal if at_most else value >= goal
    sign = "at most" if at_most else "at least"
    print(f"{'holds ' if holds else 'FAILS '} {text}: {value:.4g}, goal {sign} {goal:g}")
    return {"claim": text, "value": value, "goal": goal, "holds": holds}


def finish(bench: str, device: str, claims: list[dict[str, object]]) -> None:
    """Print the one line of JSON that ends every bench."""
    print(json.dumps({"bench": bench, "device": device, "claims": claims}))
    sys.stdout.flush()
