"""Texts that people wrote: they come with Python, or lie in assets."""

import os
from pathlib import Path

__all__ = ["MODULES", "help_topics", "python_source", "tang_poems"]

ASSETS = Path(__file__).parents[2] / "assets" / "text"
MODULES = (  # of Python's own, plain code with comments and docstrings; each there since long
    "ast",
    "bisect",
    "calendar",
    "collections/__init__",
    "configparser",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "difflib",
    "enum",
    "fractions",
    "functools",
    "gettext",
    "heapq",
    "json/decoder",
    "json/encoder",
    "random",
    "shutil",
    "statistics",
    "string",
    "tempfile",
    "textwrap",
    "threading",
    "tokenize",
    "traceback",
    "types",
    "weakref",
)


def python_source() -> str:
    """Give the source of some modules of Python's own library, one after the other."""
    library = Path(os.__file__).parent
    places = [library / f"{module}.py" for module in MODULES]
    return "\n".join(place.read_text(encoding="utf-8") for place in places if place.is_file())


def help_topics(*, once: bool) -> str:
    """Give what Python's own help says of its language, by topic.

    Args:
        once: leave out each paragraph that comes again: topics quote each other at length.
    """
    from pydoc_data.topics import topics  # 0.7 MB that few ask for

    whole = "\n\n".join(topics[name].strip("\n") for name in sorted(topics))
    return "\n\n".join(dict.fromkeys(whole.split("\n\n"))) + "\n" if once else whole


def tang_poems() -> str:
    """Give three hundred poems of the Tang."""
    return (ASSETS / "tang300.txt").read_text(encoding="utf-8")
