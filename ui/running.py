"""What the panels' studies have in common: a choice, the newest of a network, its start and end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.shared.engine import Engine, View
from core.shared.models import Source
from ui import address, live, screen, words
from ui.blocks import Block

__all__ = ["BOUND", "Rules", "choose", "choose_seed", "choose_some", "newest", "study"]

# What stands in the address, and stays when one goes to another page and comes back.
BOUND: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}
HIGHEST_SEED = 1_000
Rules = dict[str, tuple[Any, str]]  # as `address.refuse` takes them


def choose(
    place: DeltaGenerator,
    label: str,
    values: Sequence[Any],
    key: str,
    rules: Rules,
    *,
    usual: int = 0,
    said: Callable[[Any], str] = str,
    about: str | None = None,
) -> Any:
    """Draw a choice that stands in the address.

    Args:
        place: where.
        label: of the choice.
        values: to choose from.
        key: of the widget.
        rules: to which the choice's own is added.
        usual: the place of the value that is chosen at first.
        said: names a value; so it is shown, and so it stands in the address.
        about: a word on it that is shown when it is asked for.
    """
    chosen = place.selectbox(label, values, usual, format_func=said, key=key, help=about, **BOUND)
    rules[key] = said(chosen), words.choices([said(each) for each in values])
    return chosen


def choose_some(
    place: DeltaGenerator,
    label: str,
    values: Mapping[str, str],
    key: str,
    asked: Mapping[str, str],
    rules: Rules,
    *,
    usual: Sequence[str],
    most: int,
    among: str = "",
) -> list[str]:
    """Draw a choice of some values, which stands in the address with commas between them.

    Args:
        place: where.
        label: of the choice.
        values: to choose from, and what each is called.
        key: in the address.
        asked: what the address asked for when the page was opened.
        rules: to which the choice's own is added.
        usual: the values that are chosen at first.
        most: how many may be chosen.
        among: tells one set of values from another; each has a choice of its own.
    """
    wished = [each for each in asked.get(key, "").split(",") if each in values][:most]
    name = f"{key}_{among}"
    first = st.session_state.setdefault(f"{name}_first", wished or [*usual])
    chosen: list[str] = place.multiselect(
        label,
        list(values),
        [each for each in first if each in values],
        format_func=lambda each: values.get(each, each),
        max_selections=most,
        key=name,
        persist_state="session",
    )
    told = ",".join(chosen)
    address.note(key, "" if chosen == [*usual] else told)
    rules[key] = told, f"at most {most} of {words.choices([*values])}, with commas between them"
    return chosen


def choose_seed(place: DeltaGenerator, key: str, rules: Rules) -> int:
    """Draw the choice of a seed, as `choose` does."""
    seed = int(place.number_input("Seed", 0, HIGHEST_SEED, key=key, **BOUND))
    rules[key] = seed, f"a whole number from 0 to {HIGHEST_SEED:,}"
    return seed


def study(
    engine: Engine,
    visitor: str,
    source: Source,
    function: str,
    begin: tuple[str, str, str],
    wish: Callable[[], Any],
    draw: Callable[[Any, Mapping[str, Any]], list[Block]],
    told: Mapping[str, Callable[[Any], object]] | None = None,
    *,
    ready: bool = True,
) -> View | None:
    """Draw the buttons of a study and, where there is one of the network, the newest one's screen.

    Args:
        engine: does it.
        visitor: whose it is.
        source: the network.
        function: what is done.
        begin: with what the keys begin, and the first button's label and icon.
        wish: gives the config of a new one.
        draw: makes the blocks of a state and its config.
        told: what to do with the value of each control, by its name.
        ready: whether one can be begun.

    Returns: the newest one, if there is one.
    """
    name, label, icon = begin
    view = newest(engine, visitor, source, function)
    moving = view is not None and view.live

    def start() -> None:
        config = live.trying(wish)
        if config is not None:
            live.trying(engine.submit, function, config, visitor=visitor)

    with st.container(horizontal=True):
        st.button(
            label,
            key=f"{name}_start",
            on_click=start,
            icon=f":material/{icon}:",
            disabled=moving or not ready,
        )
        st.button(
            "Stop",
            key=f"{name}_stop",
            on_click=live.trying,
            args=(engine.stop, view.run if view else ""),
            disabled=not moving,
        )
    if view is None:
        return None
    run = view.run

    def drawn(now: View | None) -> list[Block]:
        if now is None:
            return []
        blocks, state = [live.standing(now, resumes=False)], now.state
        if not now.live and getattr(state, "working", None):
            state = replace(state, working="not all is measured")
        return blocks if state is None else blocks + draw(state, now.config)

    screen.screen(f"{name}_screen", lambda: live.seen(engine, run), drawn, told or {})
    return view


def newest(engine: Engine, visitor: str, source: Source, function: str) -> View | None:
    """Find the visitor's newest run of a function for a network, or for several with it."""
    wanted = asdict(source)
    for view in engine.runs_of(visitor):
        named = (view.config.get("source"), view.config.get("teacher"))
        among = (*named, *view.config.get("sources", ()))
        if view.function == function and wanted in among:
            return view
    return None
