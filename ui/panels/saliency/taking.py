"""What can be taken from an explanation: the raw map, and a picture of it."""

import io
from collections.abc import Callable

import numpy as np
import streamlit as st
from jaxtyping import Float
from PIL import Image

from core.saliency import Attribution, Query
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import explained, pinned
from ui.panels.saliency.screen import attribution
from ui.panels.saliency.showing import summed
from ui.pinned import Pin

__all__ = ["coloured", "take"]

BLUE, ORANGE, PAPER = (0, 114, 178), (213, 94, 0), (247, 247, 247)  # as ui/js/screen.js has them
FINE = 448  # pixels of the picture's side, about


def take(engine: Engine, source: Source, about: About, pin: Pin, query: Query) -> None:
    """Draw the buttons; each gives what is on the screen when it is pressed."""

    def found() -> Attribution:
        return attribution(engine, source, pinned.see(engine, source, about, pin), query)

    def raw() -> bytes:
        file = io.BytesIO()
        np.save(file, found().values)
        return file.getvalue()

    def picture() -> bytes:
        given = found()
        return coloured(summed(given.values, query.about), given.negligible)

    buttons: list[tuple[str, Callable[[], bytes], str, str, str]] = [
        (
            "The map as it is, .npy",
            raw,
            f"{query.method}.npy",
            "application/octet-stream",
            "data_array",
        ),
        ("The map in colours, PNG", picture, f"{query.method}.png", "image/png", "image"),
    ]
    try:
        found()  # it was just drawn: the answer is known still
        refused = False
    except (EngineError, ValueError):
        refused = True
    with st.container(horizontal=True):
        for label, content, file, kind, icon in buttons:
            st.download_button(
                label,
                content,
                file,
                kind,
                key=f"saliency_{icon}",
                icon=f":material/{icon}:",
                on_click="ignore",
                disabled=refused,
            )


def coloured(values: Float[np.ndarray, "h w"], negligible: float = 0.0) -> bytes:
    """Paint a map, orange above 0 and blue below, on its own scale, as a PNG.

    Args:
        values: of the map.
        negligible: up to here a value is none; a map of none beyond it is paper.
    """
    reach = explained.reach(values)
    share = values / reach if reach > negligible else 0 * values
    colour = np.where(share[..., None] < 0, BLUE, ORANGE)
    levels = np.array(PAPER) + (colour - PAPER) * abs(share)[..., None]
    times = max(1, round(FINE / max(values.shape)))
    painted = Image.fromarray(levels.round().astype(np.uint8)).resize(
        (values.shape[1] * times, values.shape[0] * times), Image.Resampling.NEAREST
    )
    file = io.BytesIO()
    painted.save(file, "PNG")
    return file.getvalue()
