"""A network's own temperature: fitted on validation images once, told of test images at any."""

import math
from collections.abc import Generator
from typing import Any

import numpy as np

from core.distillation.calibrating import (
    BINS,
    Fitted,
    Likelihood,
    Reliability,
    fit,
    likelihood,
    reliability,
)
from core.distillation.outcomes import outcomes
from core.distillation.results import Calibration
from core.shared.models import Source
from core.shared.turns import patient, remembered

__all__ = ["calibrated"]

CURVE = 41  # points of a curve
FAR = 3.0  # β to which it goes at least


@patient
def calibrated(
    source: Source, temperature: float = 1.0, bins: int = BINS
) -> Generator[Any, None, Calibration]:
    """Fit a network's temperature on validation images, and tell of the test images what it does.

    Args:
        source: the network.
        temperature: another, from 0 to infinity, to be told of too.
        bins: of the reliability diagrams.

    Raises: ValueError when the data are not here, or a value is outside its range.
    """
    test = yield from outcomes(source, "test")
    fitted, before, after, *curves = yield from _fitted(source, bins)
    return Calibration(
        fitted=fitted,
        before=before,
        after=after,
        present=reliability(test.logits, test.labels, temperature, bins),
        validation=curves[0],
        test=curves[1],
    )


@remembered(16)
def _fitted(
    source: Source, bins: int
) -> Generator[Any, None, tuple[Fitted, Reliability, Reliability, Likelihood, Likelihood]]:
    """Do all of a calibration that does not depend on the temperature that was asked for."""
    both = []
    for part in ("validation", "test"):
        both.append((yield from outcomes(source, part)))
    chosen, judged = ((each.logits, each.labels) for each in both)
    fitted = fit(*chosen)
    yield
    last = fitted.beta * 1.5 if math.isfinite(fitted.beta) else 0.0
    curves = []
    for images in (chosen, judged):
        beta = np.linspace(0, max(FAR, last), CURVE)
        curves.append((yield from likelihood.in_turns(*images, beta)))
    one, other = (reliability(*judged, each, bins) for each in (1.0, fitted.temperature))
    return fitted, one, other, curves[0], curves[1]
