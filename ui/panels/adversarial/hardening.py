"""Adversarial training: two runs with the same seed and order, one of them against an adversary."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from core import train_cnn
from core.shared import datasets, layers, recipes
from core.shared.engine import Engine, View
from core.shared.models import About
from core.shared.recipes import Recipe
from core.train_cnn import State
from ui import address, blocks, charts, live, screen
from ui.blocks import Block, Maps
from ui.panels.adversarial.running import Rules, choose, choose_seed
from ui.panels.adversarial.settings import said

__all__ = ["hardening"]

ADVERSARIES = {"fgsm": "FGSM", "fast": "fast FGSM", "pgd": "PGD, 7 steps"}
NETWORKS = {
    "LeNet-5": "lenet5",
    "MLP, 300 and 100 units": layers.PRESETS["mlp"],
    "VGG, small": layers.PRESETS["vgg"],
}
COUNTS = (1_000, 2_000, 5_000, 10_000)  # training images; data that have fewer give all
EPOCHS = (1, 2, 3, 5, 10)
RATE = 0.05  # half the usual: what an adversary moves is harder to learn
KERNELS, FEW, NARROW, WIDE = 16, 6, 3, 4  # shown; so many have three in a row, more have four
NAMES = ("plain", "hardened")


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
    pair = _newest_pair(views, configs, about.data)
    looks: dict[str, int] = st.session_state.setdefault("harden_looks", {"digit": 0})
    _buttons(engine, visitor, pair, recipe, looks["digit"])
    if not pair:
        return
    runs = tuple(view.run for view in pair)

    def digit(index: Any) -> None:
        looks["digit"] = int(index)
        for run in runs:
            live.tell(engine, run, train_cnn.SHOW, int(index))

    screen.screen(
        "harden_screen",
        lambda: _both([live.seen(engine, run) for run in runs]),
        lambda _: _draw([_awake(engine, run, looks) for run in runs], configs[runs[1]]),
        {"digit": digit},
    )
    with st.container(horizontal=True):
        for name, run in zip(NAMES, runs, strict=True):
            st.page_link(
                "seeing/adversarial.py",
                label=f"Attack the {name} one",
                icon=":material/target:",
                query_params={"pin_look": f"run-{run}"},
            )


def _awake(engine: Engine, run: str, looks: dict[str, int]) -> View | None:
    """See a run; one that ended long ago is taken from its last snapshot."""
    view = live.seen(engine, run)
    if view and view.state is None and not view.live and view.status != "failed":
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
    address.refuse("harden", asked, rules)
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


def _newest_pair(
    views: dict[str, View], configs: dict[str, Recipe], data: str
) -> tuple[View, View] | None:
    """Find the newest run against an adversary, and the one that is its twin without."""
    for hard, config in configs.items():
        if config.adversary and config.data == data:
            twin = replace(config, adversary="")
            plain = next((run for run, other in configs.items() if other == twin), None)
            if plain:
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
        _curves(known, recipe),
        blocks.figures(_figures(known), span=5),
        charts.checks("What it was worth", _worth(known, recipe), span=5),
        blocks.maps(_board(known), span=12),
        blocks.drag("digit", "Validation image", 0, about.validation - 1, known[0].index, span=12),
    ]


def _curves(states: list[State], recipe: Recipe) -> Block:
    """Draw the accuracy of both, on clean validation images and under PGD."""
    told = [np.isfinite(state.curves.robust_accuracy) for state in states]
    epochs = [state.curves.epoch[each] for state, each in zip(states, told, strict=True)]
    longest = max(epochs, key=len)
    rows = []
    for name, state, each in zip(NAMES, states, told, strict=True):
        for kind, values in (
            ("clean", state.curves.validation_accuracy),
            ("under PGD", state.curves.robust_accuracy),
        ):
            row = np.full(len(longest), np.nan)
            row[: int(each.sum())] = values[each]
            rows.append((f"{name}, {kind}", row))
    return charts.lines(
        f"Accuracy on validation images, PGD within {said('linf', recipe.epsilon)}",
        "epoch",
        longest,
        rows,
        share=True,
        under="500 of them clean, 200 of these under ten steps of PGD that climbs the margin.",
        span=7,
    )


def _shares(state: State) -> tuple[float, float]:
    """Give the newest clean accuracy, and the newest under PGD."""
    robust = state.curves.robust_accuracy
    known = robust[np.isfinite(robust)]
    return float(state.curves.validation_accuracy[-1]), float(known[-1]) if len(known) else math.nan


def _figures(states: list[State]) -> list[tuple[str, str, float]]:
    rows = []
    for name, state in zip(NAMES, states, strict=True):
        for kind, share in zip(("clean", "under PGD"), _shares(state), strict=True):
            told = "–" if math.isnan(share) else f"{100 * share:.1f} %"
            rows.append((f"{name}, {kind}", told, 1.0))
    return rows


def _worth(states: list[State], recipe: Recipe) -> list[tuple[bool | None, str, str]]:
    """Say what the hardening has gained, and what it has cost."""
    (clean, robust), (hard_clean, hard_robust) = map(_shares, states)
    ended = all(state.step == state.steps for state in states)
    gained, paid = 100 * (hard_robust - robust), 100 * (hard_clean - clean)
    told = f"under PGD {gained:+.1f} points, clean {paid:+.1f}"
    size = said("linf", recipe.epsilon)
    return [
        (gained > 0 if ended else None, f"It withstands {size} better", told if ended else "–"),
    ]


def _board(states: list[State]) -> list[Maps]:
    """Put the kernels of both on one scale, and the gradient of each on its own."""
    seen, true = states[0].watched.seen, states[0].classes[states[0].label]
    colour = len(seen) > 1
    read = [state.classes[int(state.watched.probabilities.argmax())] for state in states]
    panels = [
        Maps(
            name=f"validation image {states[0].index:,}",
            values=seen,
            high=1,
            columns=1,
            share=1.4,
            look="colour" if colour else "ink",
            range=f"true {true}; read {read[0]} and {read[1]}",
            alt=f"An image of the class {true}",
        )
    ]
    largest = max(float(abs(state.kernels).max()) for state in states) or 1.0
    for name, state in zip(NAMES, states, strict=True):
        kernels = state.kernels[:KERNELS]
        panels.append(
            Maps(
                name=f"{state.kernels_of} kernels, {name}",
                values=kernels.reshape(-1, *kernels.shape[2:]),
                high=largest,
                low=-largest,
                look="colour" if kernels.shape[1] > 1 and colour else "signed",
                columns=NARROW if len(kernels) <= FEW else WIDE,
                share=1.6,
                range=f"both on ±{largest:.2f}",
                alt=f"Kernels of the first layer, {name}",
            )
        )
    for name, state in zip(NAMES, states, strict=True):
        slope = np.zeros_like(seen) if state.slope is None else state.slope
        slope = slope if len(slope) == 1 else slope.mean(0, keepdims=True)
        high = float(abs(slope).max())
        panels.append(
            Maps(
                name=f"∂L/∂x, {name}",
                values=np.ascontiguousarray(slope),
                high=high or 1.0,
                columns=1,
                share=1.6,
                range=f"±{high:.2g}, a scale of its own",
                alt=f"The gradient of the loss by the pixels, {name}",
            )
        )
    return panels
