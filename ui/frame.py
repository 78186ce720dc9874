"""The frame around every page: the panels found in the folders, and the sidebar."""

import ast
import importlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Panel", "panels", "warm"]

PAGES = Path(__file__).parents[1] / "pages"
SECTIONS = ("training", "seeing", "sequences", "compressing")  # the course's order; others follow


@dataclass(frozen=True, slots=True)
class Panel:
    """One page of the app: its docstring's first line is "Title: the question it answers?"."""

    path: Path
    section: str
    title: str
    question: str


@cache
def panels() -> tuple[Panel, ...]:
    """Find the panels, pages/<section>/NAME.py, in the order of the course.

    Raises: ValueError when a panel's docstring names no title and question.
    """
    found = []
    for path in sorted(PAGES.glob("*/*.py")):
        words = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        title, colon, question = words.partition("\n")[0].partition(": ")
        if not colon or not question.endswith("?"):
            raise ValueError(f"{path.name} must begin with 'Title: question?', got {words!r}")
        found.append(Panel(path, path.parent.name, title, question))
    return tuple(sorted(found, key=lambda panel: (_place(panel.section), panel.path)))


def warm() -> None:
    """Import what the pages import: no visitor waits for it, and the collector can skip it."""
    for path in [*PAGES.glob("*.py"), *(panel.path for panel in panels())]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    importlib.import_module(alias.name)
            elif isinstance(node, ast.ImportFrom) and node.module:
                module = importlib.import_module(node.module)
                for alias in node.names:
                    if not hasattr(module, alias.name):
                        importlib.import_module(f"{node.module}.{alias.name}")


def _place(section: str) -> int:
    return SECTIONS.index(section) if section in SECTIONS else len(SECTIONS)
