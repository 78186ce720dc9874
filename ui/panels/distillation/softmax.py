"""The screen of the panel: a softmax at a temperature, in numbers, and how uncertain it is."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from core.distillation.softening import curve, log_probabilities, soften
from ui import inside, temperature
from ui.blocks import Block, figures
from ui.inside import Choice
from ui.numbers import known, plain, share
from ui.panels.distillation.looking import FORMS, FROM, HIGHEST, SCALES, SLIDERS

__all__ = ["draw"]

CURVE = tuple(np.geomspace(0.05, 100, 61).tolist())  # temperatures
PRESETS = (
    ("a 3 like an 8", SLIDERS),
    ("sure", (0.0,) * 3 + (12.0,) + (0.0,) * 6),
    ("two alike", (0.0,) * 3 + (5.0,) + (0.0,) * 4 + (5.0, 0.0)),
    ("nothing", (0.0,) * 10),
)
SUMMED = ("log-sum-exp", "naive log-sum-exp")


def draw(
    labels: Sequence[str],
    logits: Float[np.ndarray, " k"],
    shown: list[Block],
    looks: dict[str, Any],
) -> list[Block]:
    """Draw a softmax at the temperature that is looked at.

    Args:
        labels: of the classes.
        logits: of these.
        shown: what they come from, where they are a network's.
        looks: at what one looks.
    """
    warm = looks["T"]
    found, naive = soften(logits, warm), looks["form"] == "naive"
    bent = curve(logits, CURVE)
    rows = (("of", "Logits of", FROM), ("form", "exp", FORMS), ("scale", "p on a scale", SCALES))
    choices = inside.choices(
        [
            Choice(name=name, label=label, values=[*named.items()], chosen=looks[name])
            for name, label, named in rows
        ]
    )
    sliders = []
    if looks["of"] == "sliders":
        sliders = [
            temperature.logits(
                "own",
                labels,
                logits,
                title="Your own logits",
                lowest=-HIGHEST / 2,
                highest=HIGHEST / 2,
                presets=PRESETS,
                span=12,
            )
        ]
    by = found.naive
    return [
        choices,
        temperature.dial("T", "Temperature T", warm, note=_note(warm)),
        temperature.softmax(
            labels,
            logits,
            by.scaled.astype(np.float64) if naive else found.scaled,
            by.powers.astype(np.float64) if naive else found.powers,
            by.probabilities.astype(np.float64) if naive else found.probabilities,
            temperature=warm,
            total=by.total if naive else found.total,
            subtracted=None if naive else found.largest,
            log_probabilities=None if naive else log_probabilities(logits, warm),
            title="Softmax: from logits to probabilities",
            note="In float32, as a network computes it; entropy and perplexity below are by the "
            "other form."
            if naive
            else "",
            chosen=looks["class"],
            log=looks["scale"] == "log",
        ),
        figures(
            [
                ("entropy H in nats", plain(found.entropy), 1.0),
                ("in bits", plain(found.bits), 0.8),
                ("perplexity", plain(found.perplexity), 0.8),
                ("largest p", share(float(found.probabilities.max())), 0.9),
                (SUMMED[naive], plain(_log(by.total) if naive else found.log_sum_exp), 1.1),
                ("Var(z) / T³", plain(found.slope), 0.9),
                ("dH/dT, numerical", known(found.numerical), 1.1),
            ]
        ),
        temperature.entropy(
            bent.temperatures,
            bent.entropy,
            temperature=warm,
            now=found.entropy,
            slope=found.slope,
            classes=len(labels),
            title="Entropy against temperature",
            hint="dH/dT = Var(z) / T³ is never below 0: entropy does not fall when it gets warmer.",
            name="T",
            span=12 if sliders else 6,
        ),
        *sliders,
        *_halved(shown),
    ]


def _log(total: float) -> float:
    """Give ln Σ as the naive form has it: infinite where the sum has overflowed or is 0."""
    return -math.inf if total == 0 else math.log(total)


def _note(warm: float) -> str:
    if warm == 0:
        return "argmax: the largest logit alone"
    if np.isinf(warm):
        return "all classes alike"
    return "the plain softmax" if warm == 1 else "softer" if warm > 1 else "sharper"


def _halved(shown: list[Block]) -> list[Block]:
    """Let what the logits come from stand beside the entropy."""
    return [Block({**each.words, "span": 6}, each.numbers) for each in shown]
