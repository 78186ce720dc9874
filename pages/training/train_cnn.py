"""Train a CNN: What happens inside a network while it learns?"""

import streamlit as st

from core import train_cnn
from core.shared.recipes import Recipe
from ui import address, live, screen, server, visitors, words
from ui.panels.train_cnn import comparing
from ui.panels.train_cnn.desk import Desk, looks_of
from ui.panels.train_cnn.settings import settings
from ui.panels.train_cnn.tabs import tabs

engine, visitor = server.engine(), visitors.visitor()
views, recipes = live.readable(engine.runs_of(visitor), train_cnn.TRAIN, train_cnn.known)
asked = address.asked("train")
if asked.get("train_run") in views:
    st.session_state.train_run = asked["train_run"]
compared = comparing.take_asked(asked)
first = st.session_state.get("train_run") or next(iter(views), "")
looks = st.session_state.setdefault("train_looks", looks_of(asked, first))
if looks["began"]:
    st.session_state.train_run, looks["began"] = looks["began"], ""
desk = Desk(engine, views, recipes, looks)


def start(made: Recipe | None = None, step: int | None = None) -> None:
    """Start a run by the settings, or like the chosen one with a change, and look at it."""
    origin = (chosen.run, step) if chosen and step is not None else None
    wanted = made or recipe
    run = live.trying(engine.submit, train_cnn.TRAIN, wanted, visitor=visitor, origin=origin)
    if run:
        # Only what is no session's state: whoever touches that may be cut off by the next rerun.
        others = [chosen.run] if made and chosen else []
        looks.update(others=others, began=run, step=None)
        live.trying(engine.post, run, train_cnn.SHOW, desk.digit(wanted))


def steer(name: str, key: str) -> None:
    """Let the run that is under way go on with the value that was just chosen."""
    view = views.get(st.session_state.get("train_run") or next(iter(views), ""))
    if view and view.live:
        live.trying(live.tell, engine, view.run, train_cnn.CHANGE, name, st.session_state[key])


st.title("Train a CNN", anchor=False)
st.write("What happens inside a network while it learns? Watch one learn, step by step.")
buttons = st.container(horizontal=True, gap="xsmall")
picture, side = st.columns([3.9, 1], gap="medium")
with side:
    cell, step = looks["cell"], looks["step"]
    recipe, about, trouble = settings(
        asked,
        steer,
        {
            "train_digit": (looks["digit"], "a whole number from 0 to 9,999"),
            "train_step": ("the newest" if step is None else step, "a step that the run has kept"),
            "train_cell": ("-".join(map(str, cell)) if cell else "none", "two classes, as 4-9"),
            **compared,
        },
    )
    with st.container(key="train_plan"):
        st.caption(
            f"A new run: {recipe.plan(train_cnn.training_images(recipe))}"
            + ("" if trouble else f", {train_cnn.snapshots_kept(recipe)} of them kept")
            + ". Moved while a run is live, η, batch size, μ and λ change in that run too."
        )
    if trouble:
        st.warning(words.plain(trouble))

with buttons:
    chosen = views.get(st.session_state.get("train_run") or "", next(iter(views.values()), None))
    live.transport("train", engine, chosen, start, bool(trouble))
    live.choose("train", engine, visitor, views, desk.told, chosen)
    with st.popover("Compare", disabled=chosen is None):
        others = comparing.compare(desk, chosen, recipe, start)
shown = chosen.run if chosen else ""
if shown != looks["run"]:  # what was looked at in another run is not looked at here
    looks |= {"run": shown, "step": None, "cell": None}
if shown and "train_digit" in asked:
    live.trying(live.tell, engine, shown, train_cnn.SHOW, desk.digit(recipes[shown]))
if shown and looks["cell"] and "train_cell" in asked:
    live.trying(live.tell, engine, shown, train_cnn.SORT, looks["cell"])


def test() -> None:
    """Read the test images, because the visitor asked for it."""
    live.trying(engine.ask, shown, train_cnn.TEST)


with picture:
    screen.screen(
        "train_screen",
        lambda: live.seen(engine, shown),
        lambda view: desk.board(view, recipe, others),
        desk.steer(shown, recipe),
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"Read the {about.test:,} test images",
            icon=":material/lock_open:",
            disabled=not shown,
            on_click=test,
            key="train_test",
        )
        seen = live.seen(engine, shown)
        state = seen.state if seen else None
        if state and looks["step"] not in (None, *state.kept):
            step, looks["step"] = looks["step"], None
            st.toast(f"Step {step:,} is none that this run has kept: this is its newest.")
        st.page_link(
            "seeing/feature_maps.py",
            label="Look inside",
            icon=":material/search:",
            query_params={"pin_look": f"run-{shown}"},
            disabled=not shown,
        )
        if seen:
            live.take_away("train", engine, seen, train_cnn.EXPORT, train_cnn.FILM, looks["digit"])
        st.markdown(words.tested(state.tested if state else None))
    st.caption(
        "The test images are read only when you ask. Whoever picks rates, epochs or seeds by them "
        "has begun to learn them; choose by validation, and test once, at the end."
    )
address.note("train_digit", str(looks["digit"] or ""))
address.note("train_step", "" if looks["step"] is None else str(looks["step"]))
address.note("train_cell", "-".join(map(str, looks["cell"] or ())))
address.note("train_run", shown if shown != next(iter(views), "") else "")
run = (f"Run {desk.told(shown)}", recipes[shown], state) if chosen else None
tabs(recipe, about, run)
