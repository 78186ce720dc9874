"""Filters before the network: what they make of the picture on the screen, and bring back."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Float

from core.adversarial import NORMS, Attack, Outcome, defences
from core.adversarial.defences import FILTERS, Filtered
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import address, blocks, charts, pinned, screen, words
from ui.blocks import Block, Maps
from ui.panels.adversarial.screen import outcome
from ui.panels.adversarial.settings import said
from ui.panels.adversarial.trial import trial
from ui.panels.adversarial.wording import per_cent, short, strength
from ui.pinned import Pin
from ui.running import Rules, choose

__all__ = ["filters"]

LARGE = 128  # pixels of a side, from which a picture is shown at half its size
KNOWN = [f"filter_{name}" for name in (*FILTERS, "method", "epsilon", "images", "seed")]
Chosen = tuple[tuple[str, float], ...]
Behind = Mapping[tuple[str, float], Filtered]  # the picture on the screen behind some filters
Draw = Callable[[About, str, Attack, Outcome, Behind], list[Block]]


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
    rules = Rules()
    chosen = _choose(about, rules)
    quick = tuple(each for each in chosen if each[0] != "autoencoder")

    def drawn(draw: Draw, some: Chosen) -> list[Block]:
        try:
            seen = pinned.see(engine, source, about, pin)
            attack, found = outcome(engine, source, seen, config, looks)
            behind = {each: _filtered(engine, source, found, *each) for each in some}
            return draw(about, seen.look, attack, found, behind)
        except (EngineError, ValueError) as error:
            return [blocks.progress(0, words.sentence(str(error)), warn=True)]

    screen.screen("filter_pictures", lambda: None, lambda _: drawn(_pictures, quick), {})
    late = st.container()  # an autoencoder learns first: what else there is need not wait for it
    if about.data:
        rules |= trial(engine, visitor, source, chosen)
    address.refuse("filter", asked, rules, KNOWN)
    with late:
        if not about.data:
            st.caption("An autoencoder would need training images: this network's are not here.")
        screen.screen("filter_late", lambda: None, lambda _: drawn(_late, chosen), {})


def _choose(about: About, rules: Rules) -> Chosen:
    """Draw a strength for each filter that the network can have."""
    named = [name for name in FILTERS if name != "autoencoder" or about.data]
    places = st.columns(len(named), vertical_alignment="bottom")
    chosen: list[tuple[str, float]] = []
    for place, name in zip(places, named, strict=True):
        known = FILTERS[name]
        value: float = choose(
            place,
            known.title,
            known.strengths,
            f"filter_{name}",
            rules,
            usual=known.strengths.index(known.usual),
            said=partial(strength, name),
            about=f"{known.unit[:1].upper()}{known.unit[1:]}. {known.paper}.",
        )
        chosen.append((name, value))
    return tuple(chosen)


def _pictures(
    about: About, look: str, config: Attack, found: Outcome, behind: Behind
) -> list[Block]:
    """Draw the picture on the screen with no filter and behind each."""
    first = Filtered(
        clean=found.clean, changed=found.changed, before=found.before, after=found.after
    )
    return [
        _attacked(found, config, about),
        _pair("No filter", first, found, about, look),
        *(_pair(short(*each), filtered, found, about, look) for each, filtered in behind.items()),
    ]


def _late(about: About, look: str, _: Attack, found: Outcome, behind: Behind) -> list[Block]:
    """Draw the autoencoder's pictures, where it can be had, and list what each brings back."""
    true = about.classes[found.label]
    rows = [
        (
            int(filtered.after.argmax()) == found.label if found.fooled else None,
            short(*each),
            (f"attacked: {_read(filtered.after, about)}; " if found.fooled else "")
            + f"clean: {_read(filtered.before, about)}",
        )
        for each, filtered in behind.items()
    ]
    title = f"Which bring {true} back, from an attack that knew none of them?"
    listed = charts.checks(title, rows, span=8 if about.data else 12)
    last = [*behind][-1]
    if last[0] != "autoencoder":
        return [listed]
    return [_pair(short(*last), behind[last], found, about, look), listed]


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
    if title == "No filter" and found.fooled:
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
    return f"{about.classes[int(probabilities.argmax())]}, {per_cent(probabilities.max())}"


def _small(pixels: Float[np.ndarray, "c h w"]) -> Float[np.ndarray, "c y x"]:
    """Halve a large picture, which is shown in few pixels anyway."""
    channels, height, width = pixels.shape
    if min(height, width) < LARGE or height % 2 or width % 2:
        return pixels
    halves: np.ndarray = pixels.reshape(channels, height // 2, 2, width // 2, 2).mean((2, 4))
    return halves
