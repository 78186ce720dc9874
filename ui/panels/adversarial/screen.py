"""The screen of the attack panel: the three pictures, the verdict, the receipt and the film."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from core import adversarial
from core.adversarial import NORMS, Attack, Outcome
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import blocks, charts, inside, pinned, words
from ui.blocks import Block, Maps
from ui.panels.adversarial.settings import MOST, budgets, epsilon_of, said
from ui.pinned import Pin, Pinned

__all__ = ["draw", "outcome", "steer"]

Looks = dict[str, Any]  # at what a session looks: places of ε by norm, the film's row
CLASSES = 5  # that stand under before and after
FAINT = 1e-9


def outcome(
    engine: Engine, source: Source, seen: Pinned, config: Attack, looks: Looks
) -> tuple[Attack, Outcome]:
    """Attack the pinned picture within the budget that the slider tells.

    A picture that is read wrong already is led away from what the network reads.

    Raises: EngineError when it cannot be attacked.
    """
    config = replace(config, epsilon=epsilon_of(config.norm, looks["places"][config.norm]))
    photograph = seen.photograph if reaches_through(config) else None
    found: Outcome = engine.call(
        adversarial.ATTACK, source, seen.pixels, seen.label, config, photograph
    )
    if found.already and config.target is None:
        found = engine.call(adversarial.ATTACK, source, seen.pixels, None, config, photograph)
    return config, found


def reaches_through(config: Attack) -> bool:
    """Tell whether an attack can change a photograph at its own resolution.

    Single pixels of a large photograph do nothing, and the answers to so many are too dear.
    """
    return config.norm != "l0" and config.method not in ("square", "nes", "transfer")


def steer(looks: Looks, norm: str) -> dict[str, Callable[[Any], object]]:
    """Say what to do with what each control of the screen tells."""

    def epsilon(place: Any) -> None:
        looks["places"][norm] = min(max(0, int(place)), MOST[norm])
        looks["frame"] = None

    def frame(place: Any) -> None:
        looks["frame"] = int(place)

    return {"epsilon": epsilon, "frame": frame}


def draw(
    engine: Engine, source: Source, about: About, pin: Pin, config: Attack, looks: Looks
) -> list[Block]:
    """Draw an attack on the pinned picture; what cannot be had is said in a sentence."""
    seen = None
    try:
        seen = pinned.see(engine, source, about, pin)
        config, found = outcome(engine, source, seen, config, looks)
    except (EngineError, ValueError) as error:
        refused = blocks.progress(0, words.sentence(str(error)), warn=True)
        if seen is None:
            return [refused, _budget(config, looks)]
        return [
            refused,
            *_steering(config, looks, seen),
            blocks.maps([_picture(seen.pixels, "clean", "not attacked", seen)], span=7),
        ]
    drawn = [_verdict(found, config, about, seen), *_steering(config, looks, seen)]
    drawn += [_pictures(found, config, seen), _answers(found, about, seen)]
    drawn += [_receipt(found, config, about, seen), _numbers(found)]
    drawn += _film(found, config, about, seen, looks)
    if seen.pad is not None:
        drawn.append(blocks.pad("ink", "Draw with mouse, pen or finger", blank=seen.pad, span=12))
    return drawn


def _steering(config: Attack, looks: Looks, seen: Pinned) -> list[Block]:
    """Draw what is dragged: the budget and, of a data set's images, which one."""
    if not seen.count:
        return [_budget(config, looks)]
    index = blocks.drag("index", "Test image", 0, seen.count - 1, seen.index, span=6)
    return [_budget(config, looks, 6), index]


def _budget(config: Attack, looks: Looks, span: int = 12) -> Block:
    place = looks["places"][config.norm]
    label = f"Budget ε, {NORMS[config.norm]}"
    most = MOST[config.norm]
    return blocks.drag("epsilon", label, 0, most, place, budgets(config.norm), span=span)


def _verdict(found: Outcome, config: Attack, about: About, seen: Pinned) -> Block:
    before, after = (about.classes[int(each.argmax())] for each in (found.before, found.after))
    true, method = about.classes[found.label], config.about.title
    wanted = "anything else" if config.target is None else about.classes[config.target]
    size, budget = (
        said(config.norm, each) for each in (getattr(found, config.norm), config.epsilon)
    )
    if found.already:
        text = f"There is nothing to attack: this {true} is read as {before} already."
    elif found.fooled:
        text = (
            f"{method} fools it: {before} ({_share(found.before)}) is read as {after} "
            f"({_share(found.after)}), at {size} in {NORMS[config.norm]}."
        )
    elif found.found:
        text = f"{method} finds a change that fools it, but rounding to 8 bits undoes that."
    else:
        text = (
            f"{method} does not fool it within {budget}: {true} is not read as {wanted}. The film "
            "has the attempt."
        )
    if seen.label is not None and seen.label != found.label:
        text = f"It was read wrong before, for it is {about.classes[seen.label]}. {text}"
    return blocks.progress(float(found.fooled), text, warn=not found.fooled)


def _share(probabilities: Float[np.ndarray, " k"]) -> str:
    return f"{100 * probabilities.max():.1f} %"


def _pictures(found: Outcome, config: Attack, seen: Pinned) -> Block:
    change = found.changed - found.clean
    reach = float(abs(change).max())
    factor = 1 / reach if reach > FAINT else 1.0
    size = "×".join(map(str, found.changed.shape[1:]))
    both = [
        _picture(found.clean, "clean", f"as it is seen, {size}", seen),
        _picture(found.changed, "changed", "after 8 bits" if found.fooled else "as before", seen),
        Maps(
            name="difference",
            values=change if len(change) == 1 else _signed(change),
            high=reach or 1.0,
            columns=1,
            share=2.2,
            range=f"×{factor:.3g}" + (", mean" if len(change) > 1 else ""),
            alt=f"What was changed, {factor:.3g} times as strong, up to {255 * reach:.1f}/255",
        ),
    ]
    return blocks.maps(both, span=7)


def _signed(change: Float[np.ndarray, "c h w"]) -> Float[np.ndarray, "1 h w"]:
    mean: np.ndarray = change.mean(0, keepdims=True)
    return mean


def _picture(
    pixels: Float[np.ndarray, "c h w"], name: str, told: str, seen: Pinned, share: float = 2.2
) -> Maps:
    return Maps(
        name=name,
        values=pixels,
        high=1,
        columns=1,
        share=share,
        look=seen.look,
        range=told,
        alt=f"{name}: {told}",
    )


def _answers(found: Outcome, about: About, seen: Pinned) -> Block:
    order = np.maximum(found.before, found.after).argsort()[::-1][:CLASSES]
    rows = [(about.classes[k], float(found.before[k]), float(found.after[k])) for k in order]
    label = seen.label
    told = "Nobody told what it shows." if label is None else f"True: {about.classes[label]}."
    return inside.pairs(
        rows,
        title="Probabilities",
        hint=told,
        names=("clean", "changed"),
        span=5,
    )


def _receipt(found: Outcome, config: Attack, about: About, seen: Pinned) -> Block:
    norm = config.norm
    size, limit = getattr(found, norm), config.epsilon
    right = int(found.before.argmax()) == seen.label if seen.label is not None else None
    read = about.classes[int(found.before.argmax())]
    pixels = found.film.pictures.shape[1:]
    whole = "×".join(map(str, (pixels[0], *found.size)))
    inside_box = found.low >= 0 and found.high <= 1
    within = _within(size, limit)
    noise = f"its own change shuffled: {found.noise} of {found.noises} times it is read wrong too"
    rows: list[tuple[bool | None, str, str]] = [
        (
            right,
            "It was right before",
            f"the clean picture is read as {read}"
            + ("" if seen.label is not None else "; nobody told what it shows"),
        ),
        (found.fooled, "It is fooled", _fooled(found, config, about)),
        (
            within if found.fooled else None,
            "Within ε",
            f"{said(norm, size)} of {said(norm, limit)} in {NORMS[norm]}"
            if found.fooled
            else "nothing was changed",
        ),
        (
            inside_box,
            "All pixels are from 0 to 1",
            f"{whole} values, {255 * found.low:.0f}/255 to {255 * found.high:.0f}/255",
        ),
        (
            found.fooled if found.found else None,
            "It survives an 8-bit PNG",
            "saved, opened and read again"
            if found.fooled
            else "rounding undoes it"
            if found.found
            else "nothing was changed"
            if found.already
            else "nothing within ε was found",
        ),
        (
            None if np.isnan(found.alive) else found.alive == 1,
            "The gradient was alive",
            "it asks for none"
            if np.isnan(found.alive)
            else f"{100 * found.alive:.0f} % of those that it follows are not zero",
        ),
        (
            found.noise == 0 if found.noises else None,
            "Its direction matters",
            noise if found.noises else "not tried",
        ),
    ]
    return charts.checks("Receipt", rows, span=8)


def _within(size: float, limit: float) -> bool:
    return size <= limit * (1 + 1e-5) + 1e-6


def _fooled(found: Outcome, config: Attack, about: About) -> str:
    after = about.classes[int(found.after.argmax())]
    wanted = "" if config.target is None else f"; {about.classes[config.target]} was wanted"
    return f"the result is read as {after}{wanted}"


def _numbers(found: Outcome) -> Block:
    rows = [
        ("L∞", said("linf", found.linf), 1.0),
        ("L2", said("l2", found.l2), 1.0),
        ("L0", said("l0", found.l0), 1.2),
        ("steps to it", f"{found.steps:,}", 1.0),
        ("pictures read", f"{found.queries:,}", 1.2),
        ("gradients", f"{found.gradients:,}", 1.0),
        ("seconds", f"{found.seconds:.2f}", 1.0),
    ]
    return blocks.figures(rows, span=4, columns=2)


def _film(found: Outcome, config: Attack, about: About, seen: Pinned, looks: Looks) -> list[Block]:
    film = found.film
    if len(film.step) < 2:  # noqa: PLR2004 – the clean picture alone is no film
        return []
    shown = looks["frame"]
    best = [*film.shown].index(film.best)
    place = best if shown is None or not 0 <= shown < len(film.shown) else shown
    row = int(film.shown[place])
    titles = [film.title(each) for each in range(len(film.step))]
    names = [titles[k] + (", the best" if k == film.best else "") for k in film.shown]
    picture = film.pictures[place] / 255
    clean = film.pictures[0] / 255
    change = picture - clean
    reach = float(abs(film.pictures / 255 - clean).max()) or 1.0
    told = f"margin {film.margin[row]:.2f} logits".replace("-", "−")
    if not _within(getattr(film, config.norm)[row], config.epsilon):
        told += ", farther than ε"
    elif film.undone[row]:
        told += ", undone by rounding"
    target = "the target" if config.target is not None else "the likeliest other class"
    return [
        blocks.drag("frame", "Film", 0, len(film.shown) - 1, place, names),
        blocks.maps(
            [
                _picture(picture, titles[row], told, seen),
                Maps(
                    name="its difference",
                    values=change if len(change) == 1 else _signed(change),
                    high=reach,
                    columns=1,
                    share=2.2,
                    range=f"×{1 / reach:.3g}, as all of the film",
                    alt=f"What was changed by then: {titles[row]}",
                ),
            ],
            span=6,
        ),
        charts.lines(
            "Margin in logits",
            "step",
            film.step.astype(float),
            [("margin", film.margin)],
            now=row,
            titles=titles,
            best=film.best,
            under="Below 0 the network is fooled; the ring is the best so far."
            + (" The clean picture is before the start, at −1." if film.step[0] < 0 else ""),
            span=6,
        ),
        charts.lines(
            "Probabilities",
            "step",
            film.step.astype(float),
            [(about.classes[found.label], film.p_true), (target, film.p_other)],
            share=True,
            now=row,
            titles=titles,
            span=4,
        ),
        charts.lines(
            f"Distance, {NORMS[config.norm]}",
            "step",
            film.step.astype(float),
            [(NORMS[config.norm], getattr(film, config.norm).astype(float))],
            now=row,
            titles=titles,
            span=4,
        ),
        charts.lines(
            "Length of the gradient, L2",
            "step",
            film.step.astype(float),
            [("gradient", film.gradient)],
            now=row,
            titles=titles,
            under="" if np.isfinite(film.gradient).any() else "It asks for no gradient.",
            span=4,
        ),
    ]
