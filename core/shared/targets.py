"""What the owner of a device is told to do: a function by its name, its config from JSON values."""

import importlib
import inspect
import typing
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any, TypeVar

__all__ = ["config_of", "reads", "resolve", "sentence"]

F = TypeVar("F", bound=Callable[..., Any])

MEMORY_WORDS = ("out of memory", "can't allocate", "not enough memory")


def resolve(target: str) -> Callable[..., Any]:
    """Find a function by its name "module:function".

    Raises: ValueError when there is none of that name.
    """
    module, _, name = target.partition(":")
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"target must name a module:function, got {target!r}") from error
    return function


def reads(function: F) -> F:
    """Mark what is asked of a run and only reads it: while the run moves nobody need be told.

    Else whoever draws a moving run, and asks it something for that, would have it send a new state,
    of which the drawing is of no use any more.
    """
    function.reads = True  # type: ignore[attr-defined]
    return function


def sentence(error: BaseException) -> str:
    """Say in one sentence what went wrong and, where we know it, what to try."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or any(word in text.lower() for word in MEMORY_WORDS):
        return "The device ran out of memory: try a smaller batch or a smaller network."
    if isinstance(error, (ValueError, FloatingPointError)) and text:
        return text
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


def config_of(function: Callable[..., Any], values: dict[str, Any]) -> Any:
    """Build a function's config from JSON values, by the type of its first argument."""
    first = next(iter(inspect.signature(function).parameters))
    return _built(typing.get_type_hints(inspect.unwrap(function))[first], values)


def _built(kind: type, values: dict[str, Any]) -> Any:
    """Build a dataclass, and those that are its fields, or in a tuple of them.

    JSON has lists alone: where a tuple is declared, one is made.
    """
    kinds = typing.get_type_hints(kind)
    return kind(**{name: _value(kinds.get(name), value) for name, value in values.items()})


def _value(kind: Any, value: Any) -> Any:
    if is_dataclass(kind):
        return _built(typing.cast(type, kind), value)
    parts = typing.get_args(kind) if typing.get_origin(kind) is tuple else ()
    if parts and isinstance(value, list):
        return tuple(_value(parts[0], each) for each in value)
    return value
