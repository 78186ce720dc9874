"""Adversarial training: two runs with the same seed and order, one of them against an adversary."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import streamlit as st

from core import train_cnn
from core.shared import datasets, layers, recipes
from core.shared.engine import Engine, EngineError, View
from core.shared.models import About
from core.shared.recipes import Recipe
from core.train_cnn import State
from ui import address, blocks, live, pinned, screen
from ui.blocks import Block
from ui.panels.adversarial.settings import said
from ui.panels.adversarial.twins import NAMES, draw
from ui.running import Rules, choose, choose_seed

__all__ = ["hardening", "newest_pair"]

ADVERSARIES = {"fgsm": "FGSM", "fast": "fast FGSM", "pgd": "PGD, 7 steps"}
NETWORKS = {
    "LeNet-5": "lenet5",
    "MLP, 300 and 100 units": layers.PRESETS["mlp"],
    "VGG, small": layers.PRESETS["vgg"],
}
COUNTS = (1_000, 2_000, 5_000, 10_000)  # training images; data that have fewer give all
EPOCHS = (1, 2, 3, 5, 10)
RATE = 0.05  # half the usual: what an adversary moves is harder to learn


def hardening(engine: Engine, visitor: str, about: About) -> None:
    """Draw the settings and the newest pair of runs on the pinned network's data."""
    if not about.data:
        st.info("It learns from training images: choose a network whose data are here.")
        return
    st.markdown(
        "Two networks learn with the same seed, from the same images in the same order. One sees "
        "them as they are, the other after an adversary has moved each batch up its own loss, "
        "within ε. Both are runs of yours: pin either in the sidebar and attack it, look inside it."
    )
    recipe = _recipe(about)
    views, configs = live.readable(engine.runs_of(visitor), train_cnn.TRAIN, train_cnn.known)
    looks: dict[str, int] = st.session_state.setdefault("harden_looks", {"digit": 0})
    looks["digit"] = min(looks["digit"], datasets.about(about.data).validation - 1)

    def changed(run: str) -> bool:
        view = _awake(engine, run, looks)
        return bool(view and view.state and view.state.changes)

    pair = newest_pair(views, configs, about.data, changed)
    _buttons(engine, visitor, pair, recipe, looks["digit"])
    if not pair:
        return
    runs = tuple(view.run for view in pair)

    def digit(index: Any) -> None:
        looks["digit"] = int(index)
        for run in runs:
            live.tell(engine, run, train_cnn.SHOW, int(index))

    def attack(run: str) -> None:
        pinned.pin_run(run)
        screen.summon("attack_screen")

    screen.screen(
        "harden_screen",
        lambda: _both([live.seen(engine, run) for run in runs]),
        lambda _: _draw([_awake(engine, run, looks) for run in runs], configs[runs[1]]),
        {"digit": digit},
    )
    with st.container(horizontal=True):
        for name, run in zip(NAMES, runs, strict=True):
            st.button(
                f"Attack the {name} one",
                key=f"harden_attack_{name}",
                on_click=attack,
                args=(run,),
                icon=":material/target:",
                help="It is pinned in the sidebar, and attacked above.",
            )


def _awake(engine: Engine, run: str, looks: dict[str, int]) -> View | None:
    """See a run; one that ended long ago is taken from its last snapshot."""
    view = live.seen(engine, run)
    if view and view.state is None and not view.live and view.status != "failed":
        with suppress(EngineError, KeyError, ValueError):  # it may just have been deleted
            engine.ask(run, train_cnn.SHOW, looks["digit"])
        view = live.seen(engine, run)
    return view


def _recipe(about: About) -> Recipe:
    """Draw the settings; the recipe of the one that is hardened."""
    asked, rules = address.asked("harden"), Rules()
    places = st.columns([1.3, 1.1, 1, 1, 1, 1])
    network = choose(places[0], "Network", [*NETWORKS], "harden_network", rules)
    adversary = choose(
        places[1],
        "Adversary",
        [*ADVERSARIES],
        "harden_by",
        rules,
        usual=1,
        said=ADVERSARIES.__getitem__,
    )
    epsilon = choose(
        places[2],
        "ε in L∞",
        recipes.EPSILONS[1:],
        "harden_epsilon",
        rules,
        usual=2,
        said=lambda size: said("linf", size),
    )
    images = choose(
        places[3], "Training images", COUNTS, "harden_images", rules, usual=2, said="{:,}".format
    )
    epochs = choose(places[4], "Epochs", EPOCHS, "harden_epochs", rules, usual=2)
    seed = choose_seed(places[5], "harden_seed", rules)
    address.refuse("harden", asked, rules, ())
    return Recipe(
        data=about.data,
        images=images if images < datasets.about(about.data).training else 0,
        network=NETWORKS[network],
        learning_rate=RATE,
        epochs=epochs,
        seed=seed,
        adversary=adversary,
        epsilon=epsilon,
    )


def newest_pair(
    views: Mapping[str, View],
    configs: Mapping[str, Recipe],
    data: str,
    changed: Callable[[str], bool],
) -> tuple[View, View] | None:
    """Find the newest run against an adversary, and the one that is its twin without.

    Args:
        views: of the visitor's runs, the newest first.
        configs: of these, as they began.
        data: that they learn from.
        changed: whether a run was steered while it learned: it is nobody's twin any more.
    """
    own = {run: config for run, config in configs.items() if not views[run].origin}
    for hard, config in own.items():
        if not config.adversary or config.data != data:
            continue
        twin = replace(config, adversary="")
        alike = [run for run, other in own.items() if other == twin]
        plain = next((run for run in alike if not changed(run)), None)
        if plain and not changed(hard):
            return views[plain], views[hard]
    return None


def _buttons(
    engine: Engine, visitor: str, pair: tuple[View, View] | None, recipe: Recipe, digit: int
) -> None:
    """Draw the buttons, each of which is for both runs."""

    def begin() -> None:
        for each in (replace(recipe, adversary=""), recipe):
            run = live.trying(engine.submit, train_cnn.TRAIN, each, visitor=visitor)
            if run is None:
                return
            live.trying(engine.post, run, train_cnn.SHOW, digit)

    def all_of(command: str) -> None:
        for view in pair or ():
            if command != "resume" or view.status in live.STANDING:
                live.trying(getattr(engine, command), view.run)

    statuses = [view.status for view in pair or ()]
    moving = any(view.live for view in pair or ())
    going = {"running", "waiting"} & {*statuses}
    with st.container(horizontal=True):
        st.button(
            "Train both",
            key="harden_start",
            on_click=begin,
            icon=":material/play_arrow:",
            disabled=moving,
        )
        for word, command, works in (
            ("Pause", "pause", bool(going)),
            ("Resume", "resume", not going and any(each in live.STANDING for each in statuses)),
            ("Stop", "stop", moving),
        ):
            st.button(
                word, key=f"harden_{command}", on_click=all_of, args=(command,), disabled=not works
            )


def _both(views: list[View | None]) -> View | None:
    """Follow two runs as if they were one."""
    known = [view for view in views if view is not None]
    if len(known) < len(NAMES):
        return None
    still = next((view for view in known if view.live), known[0])
    return replace(
        still,
        run="-".join(view.run for view in known),
        version=sum(view.version for view in known),
        progress=sum(view.progress for view in known) / len(known),
        failure=next((view.failure for view in known if view.failure), ""),
        pace=None,
        state=None,
    )


def _draw(views: list[View | None], recipe: Recipe) -> list[Block]:
    both = _both(views)
    if both is None:
        return [blocks.progress(0, "One of the two runs is gone: it was deleted.", warn=True)]
    states: list[State | None] = [view.state if view else None for view in views]
    known = [state for state in states if state is not None]
    if len(known) < len(NAMES):
        return [live.standing(both)]
    about = datasets.about(recipe.data)
    return [
        live.standing(both),
        *draw(known, recipe),
        blocks.drag("digit", "Validation image", 0, about.validation - 1, known[0].index, span=12),
    ]
