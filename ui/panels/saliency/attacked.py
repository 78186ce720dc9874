"""Before and after an attack: what speaks for the old class, and what for the new one."""

from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Float

from core import adversarial, saliency
from core.adversarial import Attack, Outcome
from core.saliency import Attribution, Query
from core.shared import models
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import address, blocks, explained, pinned, screen, words
from ui.blocks import Block
from ui.explained import Pane
from ui.panels.saliency.showing import Looks, Map, controls, ends, shown, steer, summed
from ui.pinned import Pin, Pinned

__all__ = ["attacked"]

MOST, USUAL, PHOTOGRAPHS = 64, 38, 4  # places of the slider, in 255ths
STEPS, STEPS_OF_PHOTOGRAPHS = 40, 10
Pixels = Float[np.ndarray, "c h w"]


def attacked(
    engine: Engine, source: Source, about: About, pin: Pin, query: Query, looks: Looks
) -> None:
    """Draw the maps of a picture and of its attacked twin, for both classes."""
    st.markdown(
        "An attack changes the picture until the network reads something else. What speaks for the "
        "new class in the attacked picture, and is it where the change is? A picture that was "
        "pinned in *Adversarial attacks* is compared with what it was before; any other is "
        "attacked here, by PGD."
    )
    large = about.shape == models.IMAGENET_SHAPE

    asked = address.asked("attacked")
    wished = address.number(asked.get("attacked_epsilon", ""), MOST)
    usual = PHOTOGRAPHS if large else USUAL
    places = looks.setdefault("epsilon", {})  # other pictures want other budgets
    place = places.setdefault(large, usual if wished is None else wished)
    rule = f"a whole number of 255ths from 0 to {MOST}"
    address.refuse("attacked", asked, {"attacked_epsilon": (place, rule)}, ())

    def dragged(value: Any) -> None:
        places[large] = min(max(0, int(value)), MOST)

    screen.screen(
        "saliency_attacked",
        lambda: None,
        lambda _: _draw(engine, source, about, pin, query, looks, large),
        {**steer(looks), "epsilon": dragged},
    )
    address.note("attacked_epsilon", str(places[large]) if places[large] != usual else "")


def _draw(
    engine: Engine,
    source: Source,
    about: About,
    pin: Pin,
    query: Query,
    looks: Looks,
    large: bool,
) -> list[Block]:
    control: list[Block] = []
    try:
        seen = pinned.see(engine, source, about, pin)
        before = pinned.before(pin)
        if before is not None and before.shape == seen.pixels.shape:
            clean, changed = before, seen.pixels
        else:
            place = looks["epsilon"][large]
            names = [f"{each}/255" for each in range(MOST + 1)]
            control = [blocks.drag("epsilon", "Budget ε, L∞", 0, MOST, place, names)]
            clean, changed = _attack(engine, source, seen, place / 255, large)
        drawn = _both(engine, source, about, query, clean, changed, seen.look, looks)
    except (EngineError, ValueError) as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True), *control]
    verdict, *rest = drawn
    return [verdict, *control, controls(looks), *rest]


def _attack(
    engine: Engine, source: Source, seen: Pinned, epsilon: float, large: bool
) -> tuple[Pixels, Pixels]:
    config = Attack(epsilon=epsilon, early=False, steps=STEPS_OF_PHOTOGRAPHS if large else STEPS)
    found: Outcome = engine.call(adversarial.ATTACK, source, seen.pixels, None, config, None)
    return found.clean, found.changed


def _both(
    engine: Engine,
    source: Source,
    about: About,
    query: Query,
    clean: Pixels,
    changed: Pixels,
    look: str,
    looks: Looks,
) -> list[Block]:
    plain = replace(query, target=None, against=None)
    first, second = (_explain(engine, source, each, plain) for each in (clean, changed))
    old, new = (int(each.query.target or 0) for each in (first, second))
    names = about.classes
    sure = [words.share(each.probability) for each in (first, second)]
    if old == new:
        told = f"Both are read as {names[old]} ({sure[0]} and {sure[1]}): give the attack more."
        return [
            blocks.progress(0, told, warn=True),
            *_rows((clean, changed), ([first], [second]), about, look, looks),
        ]
    told = f"Before, it reads {names[old]} ({sure[0]}); after, {names[new]} ({sure[1]})."
    of_new, of_old = replace(plain, target=new), replace(plain, target=old)
    rather = replace(of_new, against=old)

    def ask(picture: Pixels, asked: Query) -> Attribution:
        return _explain(engine, source, picture, asked)

    before = [first, ask(clean, of_new), ask(clean, rather)]
    after = [ask(changed, of_old), second, ask(changed, rather)]
    return [
        blocks.progress(1, told),
        *_rows((clean, changed), (before, after), about, look, looks),
        _change(clean, changed, look),
    ]


def _change(clean: Pixels, changed: Pixels, look: str) -> Block:
    """Draw what the attack changed, to be compared with the maps over it."""
    values = (changed - clean).mean(0)
    high = explained.reach(values)
    pane = Pane(
        name="What was changed",
        words=f"up to {255 * high:.0f}/255" + (", mean of the colours" if len(clean) > 1 else ""),
        values=values,
        high=high,
        unit="of brightness",
    )
    return explained.panes(changed, [pane], look=look, columns=4)


def _rows(
    pictures: tuple[Pixels, Pixels],
    found: tuple[list[Attribution], list[Attribution]],
    about: About,
    look: str,
    looks: Looks,
) -> list[Block]:
    """Draw the maps before and after; one scale for all is that of both rows."""
    maps = [_map(each, about) for row in found for each in row]
    panes = iter(shown(maps, looks))
    rows = []
    for title, picture, row in zip(("Before", "After"), pictures, found, strict=True):
        read = int(row[0].probabilities.argmax())
        told = f"read as {about.classes[read]}, {words.share(float(row[0].probabilities[read]))}"
        beside = [Pane(name=title, words=told), *(next(panes) for _ in row)]
        rows.append(explained.panes(picture, beside, look=look, columns=4))
    return rows


def _map(found: Attribution, about: About) -> Map:
    query, names = found.query, about.classes
    values = summed(found.values, query.about)
    name = f"why {names[query.target or 0]}"
    if query.against is not None:
        name += f" rather than {names[query.against]}"
    return Map(name, ends(values, query.about), values, query.about.unit, found.negligible)


def _explain(engine: Engine, source: Source, picture: Pixels, query: Query) -> Attribution:
    found: Attribution = engine.call(saliency.EXPLAIN, source, picture, query)
    return found
