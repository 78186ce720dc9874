"""A visitor's runs on a page: the buttons, how one stands, and which of them are kept."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

import streamlit as st

from core.shared.engine import Engine, EngineError, View
from ui import blocks, words
from ui.blocks import Block

__all__ = [
    "STANDING",
    "choose",
    "curves",
    "made",
    "readable",
    "seen",
    "standing",
    "take_away",
    "tell",
    "transport",
    "trying",
]

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")

OBEYED = 1.0  # seconds that a page waits for a command's effect
STANDING = ("paused", "stopped", "failed", "interrupted")  # what can go on
NEARLY = 0.8  # of the quota, from which on a visitor is warned


def trying(do: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R | None:
    """Do it; when it cannot be done, show the one sentence that says why and give None."""
    try:
        return do(*arguments, **named)
    except KeyError:
        st.toast("This run is gone: it was deleted in another window.", icon=":material/info:")
    except (EngineError, ValueError) as error:
        st.toast(words.plain(str(error)), icon=":material/error:", duration="long")
    return None


def seen(engine: Engine, run: str) -> View | None:
    """See a run, or None when there is none: it may have been deleted in another window."""
    with suppress(KeyError):
        return engine.view(run)
    return None


def tell(engine: Engine, run: str, target: str, *values: Any) -> None:
    """Ask something of a run, but do not wait for one that itself waits to begin."""
    engine.make_way()  # what was asked for is drawn next
    waiting = engine.view(run).status == "waiting"
    (engine.post if waiting else engine.ask)(run, target, *values)


def transport(
    section: str,
    engine: Engine,
    run: View | None,
    start: Callable[[], None],
    off: bool = False,
) -> None:
    """Draw start, stop, pause, resume and step, each in its place, grey where it does nothing.

    A button that took another's place would for a moment stand beside it, and all below would jump.
    """
    status = run.status if run else ""
    live = bool(run and run.live)
    st.button(
        "Start",
        type="primary",
        key=f"{section}_start",
        on_click=start,
        disabled=off or live,
        width=76,
    )
    for word, command, works, width in (
        ("Stop", engine.stop, live, 72),
        ("Pause", engine.pause, status in ("running", "waiting"), 80),
        ("Resume", engine.resume, status in STANDING, 92),
        ("One step", engine.step, status == "paused", 100),
    ):
        st.button(
            word,
            key=f"{section}_{command.__name__}",
            on_click=trying,
            args=(_seen, engine, command, run),
            disabled=not works,
            width=width,
        )


def choose(
    section: str,
    engine: Engine,
    visitor: str,
    runs: Mapping[str, View],
    told: Callable[[str], str],
    chosen: View | None,
    others: Sequence[str] = (),
    other: str = "",
) -> None:
    """Let the visitor choose one of their runs, keep it or delete it; the newest comes first.

    Args:
        section: the prefix of the keys; {section}_run of the session is the chosen run's name.
        engine: whose runs they are.
        visitor: whose runs they are.
        runs: by name.
        told: says in words what sets a run apart.
        chosen: the run that is looked at now.
        others: what may be chosen besides, and is no run of theirs.
        other: of these, what is looked at when it is no run.
    """
    now = chosen.run if chosen else other
    # With each new run it is another box: what the browser still tells of the one before, not
    # knowing yet of the run, is no choice.
    key = st.session_state[f"{section}_box"] = f"{section}_box_{next(iter(runs), '')}"
    if now and st.session_state.get(key) != now:  # set, it overrules a choice on its way
        st.session_state[key] = now
    with st.container(key=f"{section}_run", width=246):
        st.selectbox(
            "Run",
            [*runs, *others],
            format_func=told,
            key=key,
            on_change=_choose,
            args=(section, key),
            placeholder="no run yet",
            disabled=not runs and not others,
            label_visibility="collapsed",
        )
    usage = engine.usage(visitor)
    full = usage.taken > NEARLY * usage.quota
    word = "Nearly full" if full else "Keep"
    with st.popover(word, disabled=chosen is None):
        taken, quota = words.size(usage.taken), words.size(usage.quota)
        st.markdown(f"Your runs take **{taken}** of {quota} on the server.")
        going = usage.next_to_go
        if going:
            name = told(going.run) if going.run in runs else "one of another panel"
            st.markdown(f"When they are full, the oldest that is not kept goes first: {name}.")
        if chosen:
            st.toggle(
                "Keep the chosen run",
                chosen.pinned,
                key=f"{section}_pinned_{chosen.run}_{chosen.pinned}",
                on_change=trying,
                args=(engine.pin, chosen.run, not chosen.pinned),
            )
            st.button(
                "Delete the chosen run…",
                icon=":material/delete:",
                key=f"{section}_delete",
                on_click=_delete,
                args=(engine, chosen.run, told(chosen.run)),
            )


def _delete(engine: Engine, run: str, name: str) -> None:
    """Ask whether a run is to go for good."""

    @st.dialog("Delete this run for good?")
    def asking() -> None:
        st.markdown(f"Run {words.plain(name)}: its weights and its curves cannot be had again.")
        with st.container(horizontal=True):
            if st.button("Delete it", type="primary", key="delete_yes"):
                trying(engine.delete, run)
                st.rerun()
            if st.button("Keep it", key="delete_no"):
                st.rerun()

    asking()


def _choose(section: str, key: str) -> None:
    """Look at the run that was chosen, in the box that is on the page."""
    if key == st.session_state[f"{section}_box"]:
        st.session_state[f"{section}_run"] = st.session_state[key]


def made(old: Any, name: str, value: Any) -> tuple[Any, str]:
    """Make a config with one thing changed; None and a sentence when there is no such one."""
    if getattr(old, name) == value:
        return None, f"It has this {name.replace('_', ' ')} already."
    try:
        return replace(old, **{name: value}), ""
    except ValueError as error:
        return None, str(error)


def curves(engine: Engine, run: str, target: str) -> Any:
    """Give the curves of a run: of its newest state, or of its newest snapshot by the target.

    None when it has none yet, or was deleted in another window.
    """
    view = seen(engine, run)
    if view is None or view.state:
        return view and view.state.curves
    with suppress(EngineError):
        return engine.recall(run, target, view.version)
    return None


def readable(
    runs: Sequence[View], function: str, make: Callable[..., C]
) -> tuple[dict[str, View], dict[str, C]]:
    """Choose the runs of a function whose configs can be read, by name, with their configs."""
    views, configs = {}, {}
    for view in runs:
        if view.function == function:
            with suppress(TypeError, ValueError):  # of an older version
                configs[view.run] = make(**view.config)
                views[view.run] = view
    return views, configs


def take_away(
    section: str, engine: Engine, view: View, export: str, film: str = "", *arguments: Any
) -> None:
    """Draw buttons that download a run and its film, if it has one; made when they are pressed."""

    def make(target: str, *given: Any) -> bytes:
        try:
            newest = engine.view(view.run).version
            content: bytes = engine.recall(view.run, target, *given, newest)
        except EngineError as error:
            raise RuntimeError(str(error)) from error
        return content

    st.download_button(
        "The run as a zip",
        lambda: make(export),
        f"run-{view.run}.zip",
        "application/zip",
        key=f"{section}_export",
        icon=":material/download:",
        on_click="ignore",
    )
    if not film:
        return
    st.download_button(
        "Film of its maps",
        lambda: make(film, *arguments),
        f"run-{view.run}.gif",
        "image/gif",
        key=f"{section}_film",
        icon=":material/movie:",
        on_click="ignore",
    )


def _seen(engine: Engine, command: Callable[[str], None], run: View) -> None:
    """Give a command and wait until the run has obeyed, so that the page shows what came of it."""
    before = engine.view(run.run)
    command(run.run)
    engine.obeyed(before, OBEYED)


STANDS = {
    "": "This is the network before its first step, with random weights from the seed.",
    "waiting": "Waiting for the engine.",
    "running": "Running.",
    "paused": "Paused: one step at a time, or resume.",
    "finished": "Finished.",
    "stopped": "Stopped; resume goes on from here.",
    "interrupted": "The server stopped during this run; resume goes on from its last snapshot.",
}


def standing(view: View | None, ending: str = "", *, resumes: bool = True) -> Block:
    """Say how a run stands: progress, place in the line, how it ended, or why it failed."""
    status = view.status if view else ""
    if view and status == "waiting" and view.place:
        text = f"Waiting for memory on the device: place {view.place} in the line."
    else:
        text = view.failure if view and status == "failed" else STANDS[status]
    if not resumes and status in ("stopped", "interrupted"):
        text = "Stopped before its end; another one begins anew."
    if status == "finished" and ending:
        text = f"{text} {ending}"
    if view and view.note:
        text = f"{text} {view.note}"
    return blocks.progress(view.progress if view else 0, text, warn=status == "failed")
