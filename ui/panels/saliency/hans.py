"""The Clever-Hans laboratory: let a network learn a mark, then see which methods find it out."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import train_cnn
from core.saliency import Query
from core.saliency.laboratory import COUNTS, HANS, Examination, Examined
from core.saliency.methods import CONTROL, METHODS
from core.shared import datasets, layers, runs
from core.shared.engine import Engine, View
from core.shared.models import About, Source
from core.shared.recipes import Recipe
from ui import address, live, screen, words
from ui.blocks import Block
from ui.panels.saliency.examined import KINDS, draw
from ui.panels.saliency.settings import offered
from ui.panels.saliency.showing import Looks, steer
from ui.running import Rules, choose, choose_seed, choose_some, study

__all__ = ["laboratory"]

NETWORKS = {  # with their epochs
    "LeNet-5": ("lenet5", 3),
    "VGG, small, with ReLU": (layers.PRESETS["vgg"], 2),
}
IMAGES = 10_000  # to learn from; data that have fewer give all
SHARES = (1.0, 0.5, 0.25, 0.0)  # of the class's training images that get the mark
USUAL = 3  # the class
WORDS = """
Clever Hans, a horse, could do sums, as long as it saw the face of who asked. A network can be as
clever: here some or all training images of one class get **a small solid square in the lower right
corner**, and no image to test with has it. Does it learn the class, or the square? And as for once
we know what it looks at: **which methods say so?**

1. Train it with the mark on all images of a class, *pin* what has learned, then *Examine it*. What
   is left of the class without the mark? What becomes of the others with it?
2. Which methods put their relevance into the square, and which look elsewhere? An edge detector,
   which knows no network, finds something of it, too: it is no proof to be bright there. What
   works with boxes, cells or superpixels points no finer than these, and so may point beside it.
3. Train it with the mark on half of them, and on none. The less it needs the square, the less a
   true map has to be there.
"""


def laboratory(engine: Engine, visitor: str, source: Source, about: About, looks: Looks) -> None:
    """Draw the training of a network with a mark, and the examination of the pinned one.

    Args:
        engine: does both.
        visitor: whose they are.
        source: the network that is pinned.
        about: the same.
        looks: how maps are shown.
    """
    st.markdown(WORDS)
    if not about.data:
        st.info("It learns from training images: choose a network whose data are here.")
        return
    asked, rules = address.asked("hans"), Rules()
    marked, recipe = _recipe(about, rules)
    _training(engine, visitor, source, recipe)
    st.markdown("**Examine the network that is pinned**")
    _examination(engine, visitor, source, about, looks, marked, asked, rules)
    address.refuse("hans", asked, rules, ())


def _recipe(about: About, rules: Rules) -> tuple[int, Recipe]:
    """Draw the settings of a training; the class, and the recipe with a mark on it or none."""
    known = datasets.about(about.data)
    places = st.columns([1, 1.2, 1.2, 1])
    marked = _class(places[0], about, rules)
    share = choose(
        places[1],
        "Training images of it with the mark",
        SHARES,
        "hans_share",
        rules,
        said=lambda each: f"{100 * each:g} %" if each else "none: a control",
    )
    network = choose(places[2], "Network", [*NETWORKS], "hans_network", rules)
    seed = choose_seed(places[3], "hans_seed", rules)
    table, epochs = NETWORKS[network]
    return marked, Recipe(
        data=about.data,
        images=IMAGES if known.training > IMAGES else 0,
        network=table,
        epochs=epochs,
        seed=seed,
        marked=marked if share else None,
        mark_share=share or 1.0,
    )


def _class(place: DeltaGenerator, about: About, rules: Rules) -> int:
    """Draw the choice of a class."""
    classes = range(len(about.classes))
    if st.session_state.get("hans_class") not in classes:  # of data with more classes
        st.session_state.pop("hans_class", None)
    chosen: int = choose(
        place,
        "Class",
        classes,
        "hans_class",
        rules,
        usual=min(USUAL, len(classes) - 1),
        said=about.classes.__getitem__,
    )
    return chosen


def _training(engine: Engine, visitor: str, source: Source, recipe: Recipe) -> None:
    """Draw the button that trains, and how the newest network that it trained stands."""
    views, recipes = live.readable(engine.runs_of(visitor), train_cnn.TRAIN, train_cnn.known)
    run = st.session_state.get("hans_run", "")
    if run not in views or recipes[run].data != recipe.data:
        run = _newest(recipes, recipe.data)
    view = views.get(run)
    moving = view is not None and view.live

    def train() -> None:
        begun = live.trying(engine.submit, train_cnn.TRAIN, recipe, visitor=visitor)
        if begun:
            st.session_state.hans_run = begun

    def pin() -> None:
        """Let it be the network of all panels, as it stands now."""
        st.session_state.setdefault("pin_steps", {}).pop(run, None)
        st.session_state.pin_network = f"run-{run}"

    with st.container(horizontal=True):
        st.button(
            "Train it with the mark" if recipe.marked is not None else "Train it without a mark",
            key="hans_train",
            on_click=train,
            icon=":material/play_arrow:",
            disabled=moving,
        )
        st.button(
            "Stop training",
            key="hans_stop_training",
            on_click=live.trying,
            args=(engine.stop, run),
            disabled=not moving,
        )
        pinned = view is not None and not moving and _is_pinned(engine, run, source)
        st.button(
            "It is pinned" if pinned else "Pin it",
            key="hans_pin",
            on_click=pin,
            icon=":material/keep:",
            disabled=view is None or moving or pinned,
            type="secondary" if pinned or moving else "primary",
        )
    if view is None:
        return
    told = f"Run {view.number} of yours, {_learned(recipes[run])}."
    st.caption(f"{words.plain(told)} Its curves are on the page *Train a CNN*.")
    screen.screen("hans_training", lambda: live.seen(engine, run), _standing, {})


def _newest(recipes: Mapping[str, Recipe], data: str) -> str:
    """Find the newest run on some data that has learned with a mark."""
    known = (run for run, each in recipes.items() if each.marked is not None and each.data == data)
    return next(known, "")


def _is_pinned(engine: Engine, run: str, source: Source) -> bool:
    """Tell whether the pinned network is a run as it stood at the end."""
    folder = runs.folder_of(engine.folder, engine.manifest(run))
    return source.folder == str(folder) and source.step in runs.steps(folder)[-1:]


def _standing(view: View | None) -> list[Block]:
    if view is None:
        return []
    state = view.state
    told = f"It reads {state.validation.accuracy:.1%} of validation images right." if state else ""
    return [live.standing(view, told)]


def _learned(recipe: Recipe) -> str:
    """Say with what mark a network has learned."""
    if recipe.marked is None:
        return "has learned without a mark"
    name = datasets.about(recipe.data).classes[recipe.marked]
    share = "all" if recipe.mark_share == 1 else f"{100 * recipe.mark_share:g} %"
    return f"has learned with the mark on {share} of the images of {name}"


def _marked(source: Source) -> Recipe | None:
    """Give the recipe of a pinned run that can be read."""
    if source.kind != "run":
        return None
    try:
        return train_cnn.known(**json.loads(source.config))
    except (TypeError, ValueError):  # of an older version
        return None


def _examination(
    engine: Engine,
    visitor: str,
    source: Source,
    about: About,
    looks: Looks,
    wished: int,
    asked: Mapping[str, str],
    rules: Rules,
) -> None:
    """Draw the settings of an examination, and the newest one of the pinned network."""
    recipe = _marked(source)
    marked = recipe.marked if recipe and recipe.marked is not None else wished
    told = _learned(recipe) if recipe else "has learned without a mark, as far as we know"
    st.caption(
        f"{words.plain(about.title)}: it {words.plain(told)}. Asked is what makes a picture "
        f"{words.a(words.plain(about.classes[marked]))}."
    )
    places = st.columns([3.4, 1, 1])
    named = {
        name: known.title
        for name, known in METHODS.items()
        if known.family == CONTROL or name in offered(source)
    }
    chosen = choose_some(
        places[0],
        "Methods",
        named,
        "hans_methods",
        asked,
        rules,
        usual=[*named],
        most=len(named),
    )
    images = choose(places[1], "Pictures", COUNTS, "hans_images", rules, usual=1)
    seed = choose_seed(places[2], "hans_draw", rules)

    def wish() -> Examination:
        return Examination(
            source=source,
            marked=marked,
            queries=tuple(Query(method=name) for name in chosen),
            images=images,
            seed=seed,
        )

    def drawn(state: Examined, config: Mapping[str, Any]) -> list[Block]:
        return draw(state, int(config["marked"]), about, looks)

    begun = study(
        engine,
        visitor,
        source,
        HANS,
        ("hans", "Examine it", "search"),
        wish,
        drawn,
        _steers(looks),
        ready=bool(chosen),
    )
    if not begun:
        st.caption("What hides parts of pictures takes longest: leave it out to be quick.")


def _steers(looks: Looks) -> dict[str, Callable[[Any], object]]:
    """Say what to do with what each control tells."""

    def kind(chosen: Any) -> None:
        if chosen in KINDS:
            looks["hans_kind"] = chosen

    return {**steer(looks), "hans_kind": kind}
