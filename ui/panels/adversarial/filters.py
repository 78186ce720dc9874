"""Filters before the network: what they bring back, and what is left once the attack knows them."""

from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Float

from core.adversarial import METHODS, NORMS, Attack, Outcome, defences
from core.adversarial.defences import FILTERS, Filtered, FilterTrial, Withstood
from core.adversarial.studies import COUNTS
from core.shared.engine import Engine, EngineError, View
from core.shared.models import About, Source
from ui import address, blocks, charts, live, pinned, screen, words
from ui.blocks import Block, Maps
from ui.panels.adversarial.running import newest, start_and_stop
from ui.panels.adversarial.screen import outcome
from ui.panels.adversarial.settings import said
from ui.pinned import Pin

__all__ = ["filters", "short", "verdict"]

BOUND: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}
STRENGTHS = {  # of a filter, as it is chosen and stands in the address
    "gaussian": "σ {:g}",
    "median": "{0:g}×{0:g}",
    "jpeg": "quality {:g}",
    "depth": "{:g} bits",
    "resize": "{:.0%}",
    "autoencoder": "σ {:g}",
}
SHORT = {  # before its strength
    "gaussian": "Gaussian",
    "median": "Median",
    "jpeg": "JPEG,",
    "depth": "Depth",
    "resize": "Shrunk",
    "autoencoder": "Autoencoder",
}
BUDGETS = (8 / 255, 16 / 255, 26 / 255, 38 / 255)
LARGE = 128  # pixels of a side, from which a picture is shown at half its size
GAIN = 0.1  # a share of the images that is no accident among 64
STANDS = 0.5  # of the clean accuracy with no filter, from which on one may speak of a defence

Chosen = tuple[tuple[str, float], ...]


def filters(
    engine: Engine,
    visitor: str,
    source: Source,
    about: About,
    pin: Pin,
    config: Attack,
    looks: dict[str, Any],
) -> None:
    """Draw what filters make of the picture on the screen, and the newest trial of them."""
    st.markdown(
        "What may be done to a picture before the network reads it. The attack on the screen knew "
        "nothing of that, so what a filter brings back here proves nothing yet: who knows the "
        "filter attacks through it. Measure that below."
    )
    asked = address.asked("filter")
    chosen = _choose(about)
    given = {
        f"filter_{name}": (
            strength(name, value),
            words.choices([strength(name, each) for each in FILTERS[name].strengths]),
        )
        for name, value in chosen
    }
    quick = tuple(each for each in chosen if each[0] != "autoencoder")
    everything = engine, source, about, pin, config, looks

    screen.screen("filter_pictures", lambda: None, lambda _: _pictures(*everything, quick), {})
    late = st.container()  # an autoencoder learns first: what else there is need not wait for it
    if about.data:
        given |= _trial(engine, visitor, source, chosen)
    address.refuse("filter", asked, given)
    with late:
        if not about.data:
            st.caption("An autoencoder would need training images: this network's are not here.")
        with st.spinner("An autoencoder learns from training images first…", show_time=True):
            screen.screen("filter_late", lambda: None, lambda _: _late(*everything, chosen), {})


def strength(name: str, value: float) -> str:
    """Say how strong a filter is."""
    return STRENGTHS[name].format(value).replace("1 bits", "1 bit").replace("%", " %")


def short(name: str, value: float) -> str:
    """Name a filter and its strength."""
    return f"{SHORT[name]} {strength(name, value)}"


def verdict(state: Withstood) -> str:
    """Say which filters stand when the attack knows them, and which only seemed to."""
    names = [short(*each) for each in state.filters]
    (clean, _, bare), (_, unaware, aware) = state.accuracy[0], state.accuracy[1:].T
    told = f"With no filter the attack leaves {_share(bare)}."
    stand = [k for k in np.argsort(-aware) if aware[k] >= max(bare + GAIN, STANDS * clean)]
    if stand:
        left = words.listed([f"{names[k]} ({_share(aware[k])})" for k in stand])
        told += (
            f" Known to it, {left} still {'stands' if len(stand) == 1 else 'stand'}, as far as "
            "these attacks go: a stronger one can only take more."
        )
    else:
        best = int(aware.argmax())
        told += f" Known to it, none stands: the best, {names[best]}, leaves {_share(aware[best])}."
    seemed = [k for k in range(len(names)) if unaware[k] - max(aware[k], bare) >= GAIN]
    if seemed:
        lost = words.listed([f"{names[k]} ({_share(unaware[k])})" for k in seemed])
        told += f" Only while it did not know them was more left behind {lost}."
    return told


def _choose(about: About) -> Chosen:
    """Draw a strength for each filter that the network can have."""
    named = [name for name in FILTERS if name != "autoencoder" or about.data]
    places = st.columns(len(named), vertical_alignment="bottom")
    chosen: list[tuple[str, float]] = []
    for place, name in zip(places, named, strict=True):
        known = FILTERS[name]
        value: float = place.selectbox(
            known.title,
            known.strengths,
            known.strengths.index(known.usual),
            format_func=partial(strength, name),
            key=f"filter_{name}",
            help=f"{known.unit[:1].upper()}{known.unit[1:]}. {known.paper}.",
            **BOUND,
        )
        chosen.append((name, value))
    return tuple(chosen)


def _pictures(
    engine: Engine,
    source: Source,
    about: About,
    pin: Pin,
    config: Attack,
    looks: dict[str, Any],
    chosen: Chosen,
) -> list[Block]:
    """Draw the picture on the screen with no filter and behind each."""
    try:
        seen = pinned.see(engine, source, about, pin)
        config, found = outcome(engine, source, seen, config, looks)
        first = Filtered(
            clean=found.clean, changed=found.changed, before=found.before, after=found.after
        )
        drawn = [
            _attacked(found, config, about),
            _pair("No filter", first, found, about, seen.look),
        ]
        for name, value in chosen:
            filtered = _filtered(engine, source, found, name, value)
            drawn.append(_pair(short(name, value), filtered, found, about, seen.look))
    except (EngineError, ValueError) as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True)]
    return drawn


def _late(
    engine: Engine,
    source: Source,
    about: About,
    pin: Pin,
    config: Attack,
    looks: dict[str, Any],
    chosen: Chosen,
) -> list[Block]:
    """Draw the autoencoder's pictures, where it can be had, and list what each brings back."""
    try:
        seen = pinned.see(engine, source, about, pin)
        config, found = outcome(engine, source, seen, config, looks)
        behind = {each: _filtered(engine, source, found, *each) for each in chosen}
    except (EngineError, ValueError) as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True)]
    true = about.classes[found.label]
    rows = [
        (
            int(filtered.after.argmax()) == found.label if found.fooled else None,
            short(*each),
            f"attacked: {_read(filtered.after, about)}; clean: {_read(filtered.before, about)}",
        )
        for each, filtered in behind.items()
    ]
    title = f"Which bring {true} back, from an attack that knew none of them?"
    listed = charts.checks(title, rows, span=8 if about.data else 12)
    last = chosen[-1]
    if last[0] != "autoencoder":
        return [listed]
    return [_pair(short(*last), behind[last], found, about, seen.look), listed]


def _filtered(engine: Engine, source: Source, found: Outcome, name: str, value: float) -> Filtered:
    filtered: Filtered = engine.call(
        defences.FILTERED, source, found.clean, found.changed, name, value
    )
    return filtered


def _attacked(found: Outcome, config: Attack, about: About) -> Block:
    true, method = about.classes[found.label], config.about.title
    size = f"{said(config.norm, config.epsilon)} in {NORMS[config.norm]}"
    if not found.fooled:
        text = f"{method} does not fool the network within {size}: there is nothing to bring back."
    else:
        text = (
            f"{method} makes it read {true} as {_read(found.after, about)}, within {size} and "
            "knowing no filter. Of each pair the clean picture is on the left."
        )
    return blocks.progress(float(found.fooled), text, warn=not found.fooled)


def _pair(title: str, filtered: Filtered, found: Outcome, about: About, look: str) -> Block:
    """Draw a picture behind a filter, clean and attacked."""
    right = int(filtered.after.argmax()) == found.label
    told = ("✓ right again" if right else "✗ still wrong") if found.fooled else "not attacked"
    if title == "No filter":
        told = "attacked"
    both = (
        (title, filtered.clean, _read(filtered.before, about), "clean"),
        (told, filtered.changed, _read(filtered.after, about), "attacked"),
    )
    return blocks.maps(
        [
            Maps(
                name=name,
                values=_small(pixels),
                high=1,
                columns=1,
                share=2.3,
                look=look,
                range=read,
                alt=f"{title}, {which}: {read}",
            )
            for name, pixels, read, which in both
        ],
        span=4,
        framed=True,
    )


def _read(probabilities: Float[np.ndarray, " k"], about: About) -> str:
    return f"{about.classes[int(probabilities.argmax())]}, {_share(probabilities.max())}"


def _share(share: float) -> str:
    return f"{100 * share:.1f} %"


def _small(pixels: Float[np.ndarray, "c h w"]) -> Float[np.ndarray, "c y x"]:
    """Halve a large picture, which is shown in few pixels anyway."""
    channels, height, width = pixels.shape
    if min(height, width) < LARGE or height % 2 or width % 2:
        return pixels
    halves: np.ndarray = pixels.reshape(channels, height // 2, 2, width // 2, 2).mean((2, 4))
    return halves


def _trial(
    engine: Engine, visitor: str, source: Source, chosen: Chosen
) -> dict[str, tuple[Any, str]]:
    """Draw the settings of a trial and the newest one; give the rules for the address."""
    st.markdown("**The same filters before many test images, and an attack that knows them**")
    places = st.columns([1, 1, 1, 1])
    titles = {name: METHODS[name].title for name in defences.KNOWING}
    method = places[0].selectbox(
        "Attack", [*titles], format_func=titles.__getitem__, key="filter_method", **BOUND
    )
    budgets = {said("linf", each): each for each in BUDGETS}
    epsilon = places[1].selectbox("ε in L∞", [*budgets], 2, key="filter_epsilon", **BOUND)
    images = places[2].selectbox("Test images", COUNTS, key="filter_images", **BOUND)
    seed = places[3].number_input("Seed", 0, 1_000, key="filter_seed", **BOUND)
    view = newest(engine, visitor, source, defences.FILTER)

    def begin() -> None:
        trial = live.trying(
            FilterTrial,
            source=source,
            filters=chosen,
            method=method,
            epsilon=budgets[epsilon],
            images=images,
            seed=seed,
        )
        if trial is not None:
            live.trying(engine.submit, defences.FILTER, trial, visitor=visitor)

    start_and_stop(engine, view, "filter", "Try them", "filter_alt", begin)
    st.caption(
        "Of each filter the accuracy that it leaves to clean images, to images that were attacked "
        "before anybody thought of it, and to images that were attacked through it: by its own "
        "gradient, by BPDA, which goes back as if the filter did nothing, and by Square, which "
        "asks for no gradient. The worst counts, image by image."
    )
    if view is not None:
        run = view.run
        screen.screen("filter_screen", lambda: live.seen(engine, run), _draw, {})
    return {
        "filter_method": (titles[method], words.choices([*titles.values()])),
        "filter_epsilon": (epsilon, words.choices([*budgets])),
        "filter_images": (images, words.choices(COUNTS)),
        "filter_seed": (seed, "a whole number from 0 to 1,000"),
    }


def _draw(view: View | None) -> list[Block]:
    if view is None:
        return []
    state: Withstood | None = view.state
    if state is None:
        return [live.standing(view)]
    method = METHODS[str(view.config["method"])].title
    size = said("linf", float(view.config["epsilon"]))
    rows = [("No filter", "the dashed line: what the attack leaves", state.accuracy[0])]
    for (name, value), shares in zip(state.filters, state.accuracy[1:], strict=True):
        rows.append((short(name, value), f"known by {FILTERS[name].known_by}", shares))
    ended = not state.working and np.isfinite(state.accuracy).all()
    return [
        live.standing(view),
        charts.bars(
            f"Accuracy behind each filter, {method}, {size} in L∞, {state.images:,} test images",
            defences.COLUMNS,
            rows,
            mark=float(state.accuracy[0, 2]),
            under=verdict(state) if ended else words.sentence(state.working or "not all measured"),
        ),
    ]
