"""The settings of an attack: widgets in, a config out; each stands in the address."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from core.adversarial import LOSSES, METHODS, NORMS, Attack
from core.shared import models
from core.shared.models import About
from ui import address, words
from ui.running import BOUND

__all__ = ["budgets", "epsilon_of", "said", "settings", "written"]

ANY = -1  # target: any other class
CHOICES: dict[str, tuple[str, tuple[Any, ...], str]] = {  # of an Attack: label, values, help
    "steps": ("Steps", (1, 2, 5, 10, 20, 40, 100, 200), "Of JSMA the pixels that it may change."),
    "step_size": (
        "Step size",
        (0.0, 1 / 255, 2 / 255, 4 / 255, 8 / 255, 0.05, 0.1, 0.2, 0.5, 1.0),
        "In pixel units, black to white is 1. Automatic: 2.5 ε / steps; one step is ε.",
    ),
    "restarts": ("Restarts", (1, 2, 5, 10), "Beginnings at random places, while it is not fooled."),
    "draws": ("Gradients a step", (1, 4, 16), "Their mean, for a network that answers at random."),
    "decay": ("Momentum μ", (0.0, 0.5, 0.9, 1.0), "Of the gradients before."),
    "overshoot": ("Overshoot η", (0.0, 0.02, 0.1, 0.5), "Beyond the boundary."),
    "searches": ("Searches for c", (1, 3, 6, 9), "Of the constant that weighs loss and distance."),
    "rate": ("Rate of Adam", (0.01, 0.05, 0.1, 0.2), "In the space of tanh."),
    "confidence": ("Confidence κ", (0.0, 1.0, 5.0, 20.0), "By how many logits to exceed."),
    "queries": ("Queries", (100, 200, 500, 1_000, 2_000, 5_000), "Answers that it may ask for."),
    "population": ("Population", (10, 20, 50, 100, 200), "Candidates or directions at a time."),
    "deviation": ("Deviation σ", (0.001, 0.01, 0.05, 0.1), "Of the directions tried."),
}
USUAL: dict[str, dict[str, Any]] = {  # of a method, where they are not those of an Attack
    "bim": {"steps": 10},
    "deepfool": {"steps": 40},
    "cw": {"steps": 100},
    "jsma": {"steps": 100},
    "onepixel": {"queries": 2_000},
    "square": {"queries": 1_000},
    "nes": {"queries": 2_000, "step_size": 0.0},
}
SPARING = {"steps": 10, "queries": 200, "searches": 3}  # where pictures are large
SCALES = {"linf": 255, "l2": 10, "l0": 1}  # places of the slider a pixel unit, or a pixel
MOST = {"linf": 127, "l2": 100, "l0": 100}  # places of the slider
START = {"linf": 26, "l2": 20}
PHOTOGRAPHS = {"linf": 4, "l2": 30}  # likewise, where pictures are large
# What stands in the address, also where the chosen method does not heed it.
KNOWN = [
    f"attack_{name}"
    for name in ("epsilon", "loss", "method", "norm", "seed", "tab", "target", *CHOICES)
]
FEW_PIXELS, MANY_PIXELS = {"onepixel": 1}, 60


def settings(asked: Mapping[str, str], about: About, looks: dict[str, Any]) -> Attack:
    """Draw the settings.

    Args:
        asked: what the address asked for when the page was opened.
        about: the network.
        looks: at what the session looks; its place of the slider of ε is taken, by norm.
    """
    titled = {
        name: known.title for name, known in METHODS.items() if about.data or not known.learns
    }
    method = _choose("Attack", titled, "method", usual="pgd")
    known = METHODS[method]
    large = about.shape == models.IMAGENET_SHAPE
    was, looks["chosen"] = looks.get("chosen"), (method, large)
    if was and was[1] != large:  # other pictures want other budgets
        looks["places"] = {}
    if was and was != (method, large):  # each has its usual settings
        for name in CHOICES:
            key = f"attack_{name}"
            if name in known.heeds and key in st.session_state:  # set, so that the box shows it too
                st.session_state[key] = _usual(method, name, large)
            else:
                st.session_state.pop(key, None)
            address.note(key, "")
    st.caption(f"{known.box.capitalize()}. {known.knows} {known.paper}.")
    norm = known.norms[0]
    if len(known.norms) > 1:
        norm = _choose("Norm of ε", {each: NORMS[each] for each in known.norms}, "norm")
    classes = {ANY: "any other class", **dict(enumerate(about.classes))}
    if st.session_state.get("attack_target", ANY) not in classes:  # of another network
        del st.session_state["attack_target"]
    target = st.selectbox(
        "It shall be read as",
        list(classes),
        format_func=classes.__getitem__,
        key="attack_target",
        **BOUND,
    )
    given: dict[str, Any] = {}
    automatic = None
    if "loss" in known.heeds:
        given["loss"] = _choose("Loss", LOSSES, "loss")
    for name in known.heeds:
        if name in CHOICES:
            given[name] = _value(method, name, large)
        if name == "step_size":
            automatic = st.empty()  # for what it comes to, when all of it is known
    seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="attack_seed", **BOUND)
    wished = address.number(asked.get("attack_epsilon", ""), MOST[norm])
    if wished is not None:
        looks["places"][norm] = wished
    elif norm == "l0" and was != (method, large):  # each has a number of its own
        looks["places"][norm] = FEW_PIXELS.get(method, MANY_PIXELS)
    place = looks["places"].setdefault(
        norm, (PHOTOGRAPHS if large else START).get(norm, MANY_PIXELS)
    )
    titles = [each.title for each in METHODS.values()]
    rules: dict[str, tuple[Any, str]] = {  # a widget stands in the address by what it shows
        "attack_method": (known.title, words.choices(titles)),
        "attack_norm": (NORMS[norm], words.choices([NORMS[each] for each in known.norms])),
        "attack_target": (classes[target], f"{classes[ANY]} or the name of a class"),
        "attack_seed": (seed, "a whole number from 0 to 2,147,483,647"),
        "attack_epsilon": (place, f"a whole number from 0 to {MOST[norm]}"),
    }
    if "loss" in given:
        rules["attack_loss"] = LOSSES[given["loss"]], words.choices([*LOSSES.values()])
    for name in CHOICES.keys() & given.keys():
        values = [written(name, each) for each in CHOICES[name][1]]
        rules[f"attack_{name}"] = written(name, given[name]), words.choices(values)
    address.refuse("attack", asked, rules, KNOWN)
    config = Attack(
        method=method,
        norm=norm,
        epsilon=epsilon_of(norm, place),
        target=None if target == ANY else target,
        seed=seed,
        early=False,
        **given,
    )
    if automatic is not None and not config.step_size:
        automatic.caption(f"Automatic is {said(norm, config.length)} now.")
    return config


def budgets(norm: str) -> Sequence[str]:
    """Name each place of the slider of ε."""
    return [said(norm, epsilon_of(norm, place)) for place in range(MOST[norm] + 1)]


def epsilon_of(norm: str, place: int) -> float:
    """Tell the budget of a place of the slider."""
    return min(max(place, 0), MOST[norm]) / SCALES[norm]


def said(norm: str, size: float) -> str:
    """Say a distance as it is usual in its norm."""
    match norm:
        case "linf":
            return f"{f'{255 * size:.2f}'.removesuffix('.00')}/255"
        case "l0":
            return words.count(round(size), "pixel")
    return f"{size:.3g}"


def _choose(label: str, values: Mapping[str, str], name: str, usual: str = "") -> str:
    key = f"attack_{name}"
    if st.session_state.get(key) not in (None, *values):
        del st.session_state[key]
    chosen: str = st.selectbox(
        label,
        list(values),
        [*values].index(usual) if usual else 0,
        format_func=lambda each: values.get(each, each),
        key=key,
        **BOUND,
    )
    return chosen


def _usual(method: str, name: str, large: bool) -> Any:
    usual = USUAL.get(method, {}).get(name, getattr(Attack(), name))
    if large and name in SPARING:  # a second or two, not a minute
        return min(usual, SPARING[name])
    return usual


def written(name: str, value: float) -> str:
    """Write a value of a setting, as it is shown and stands in the address."""
    return f"{value:.4g}" if value or name != "step_size" else "automatic"


def _value(method: str, name: str, large: bool) -> Any:
    label, values, told = CHOICES[name]
    return st.selectbox(
        label,
        values,
        values.index(_usual(method, name, large)),
        format_func=partial(written, name),
        key=f"attack_{name}",
        help=told,
        **BOUND,
    )
