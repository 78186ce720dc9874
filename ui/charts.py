"""Charts that live: Vega-Lite with a constant description, so that new data moves in place."""

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from jaxtyping import Float

__all__ = ["accuracy_curves", "loss_curves"]

HEIGHT = 250  # pixels
LOSSES = (0.01, 4.0)  # nats, the loss axis
WRONG = (0.001, 1.0)  # shares, the accuracy axis, drawn as log of what is wrong
SERIES = ("training", "validation")


def loss_curves(
    training: Float[np.ndarray, " n"],
    validation: Float[np.ndarray, " n"],
    *,
    x: Float[np.ndarray, " n"],
    last: float,
    key: str,
) -> None:
    """Draw two losses over epochs on a log axis.

    Args:
        training: mean cross-entropies in nats; NaN is left out.
        validation: likewise.
        x: the epoch of each point.
        last: where the axis ends, in epochs.
        key: the chart's name on its page.
    """
    table = _table(x, training, validation, *LOSSES)
    spec = _spec("loss (nats)", *LOSSES, last, "", "bottom-left")
    alt = f"Loss of training and validation, now {_last(training)} and {_last(validation)} nats"
    st.vega_lite_chart(table, spec, key=key, width="stretch", alt=alt)


def accuracy_curves(
    training: Float[np.ndarray, " n"],
    validation: Float[np.ndarray, " n"],
    *,
    x: Float[np.ndarray, " n"],
    last: float,
    key: str,
) -> None:
    """Draw two accuracies over epochs, the axis such that 90, 99 and 99.9 % are equally far apart.

    Args:
        training: shares that were right; NaN is left out.
        validation: likewise.
        x: the epoch of each point.
        last: where the axis ends, in epochs.
        key: the chart's name on its page.
    """
    table = _table(x, 1 - training, 1 - validation, *WRONG)
    spec = _spec(
        "accuracy", *WRONG, last, "format(100 * (1 - datum.value), '.3~g') + ' %'", "bottom-right"
    )
    alt = f"Accuracy of training and validation, now {_last(training)} and {_last(validation)}"
    st.vega_lite_chart(table, spec, key=key, width="stretch", alt=alt)


def _table(x: np.ndarray, a: np.ndarray, b: np.ndarray, low: float, high: float) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "x": np.concatenate([x, x]),
            "y": np.concatenate([a, b]).clip(low, high),
            "of": np.repeat(SERIES, len(x)),
        }
    )
    return table.dropna()


@lru_cache(maxsize=64)
def _spec(
    title: str, low: float, high: float, last: float, label: str, corner: str
) -> dict[str, Any]:
    """Describe a chart; the same values give the same object, which is what keeps it in place."""
    axis: dict[str, Any] = {"title": title, "grid": True, "titlePadding": 8}
    scale: dict[str, Any] = {"type": "log", "domain": [low, high], "clamp": True, "nice": False}
    if label:
        axis |= {"labelExpr": label, "values": [0.001, 0.01, 0.1, 1.0]}
        scale["reverse"] = True
    else:
        axis["values"] = [0.01, 0.03, 0.1, 0.3, 1, 3]
    return {
        "height": HEIGHT,
        "autosize": {"type": "fit", "contains": "padding"},
        "mark": {"type": "line", "strokeWidth": 2.5, "clip": True},
        "config": {"legend": {"fillColor": "transparent", "padding": 4}},
        "encoding": {
            "x": {
                "field": "x",
                "type": "quantitative",
                "scale": {"domain": [0, last], "nice": False},
                "axis": {"title": "epochs", "titlePadding": 2, "tickCount": 6},
            },
            "y": {"field": "y", "type": "quantitative", "scale": scale, "axis": axis},
            "color": {
                "field": "of",
                "type": "nominal",
                "scale": {"domain": list(SERIES)},
                "legend": {"orient": corner, "title": None, "labelFontSize": 14},
            },
            "strokeDash": {
                "field": "of",
                "type": "nominal",
                "scale": {"domain": list(SERIES), "range": [[1, 0], [6, 3]]},
                "legend": None,
            },
        },
    }


def _last(values: np.ndarray) -> str:
    known = values[~np.isnan(values)]
    return f"{known[-1]:.3g}" if len(known) else "unknown"
