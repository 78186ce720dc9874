"""Pictures and controls of our own: maps of numbers, a confusion matrix, a drawing pad, a drag.

Each is a Streamlit component (version 2) whose JavaScript lies in ui/js. They are updated in place:
a new value repaints what is there, so nothing flickers and nothing jumps.
"""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st
from jaxtyping import Float, Int

__all__ = ["Maps", "confusion", "drag", "ink_of", "maps", "pad", "value_of"]

JS = Path(__file__).parent / "js"
SIDE = 84  # pixels of the pad's drawing, as ui/js/pen.js sends it

_maps = st.components.v2.component(
    "glassbox_maps",
    html='<div class="board"></div>',
    css="""
    .board { display: flex; flex-wrap: wrap; gap: .6rem .9rem; align-items: flex-start; }
    figure { margin: 0; flex: var(--share) 1 calc(var(--share) * 3rem); min-width: 4.5rem;
      max-width: calc(var(--share) * 6.5rem); }
    figcaption { display: flex; flex-direction: column; font-size: .88rem; line-height: 1.35;
      font-family: var(--st-font); color: var(--st-text-color); padding-bottom: .2rem;
      font-variant-numeric: tabular-nums; white-space: nowrap; overflow: hidden; }
    figcaption span { opacity: .8; font-size: .8rem; }
    figcaption :empty { display: none; }
    canvas { width: 100%; image-rendering: pixelated; display: block; cursor: crosshair; }
    """,
    js=(JS / "maps.js").read_text(encoding="utf-8"),
)
_confusion = st.components.v2.component(
    "glassbox_confusion",
    html='<div class="matrix" role="img"></div>',
    css="""
    .matrix { display: grid; grid-template-columns: 1.3rem repeat(10, minmax(0, 1fr)); gap: 1px;
      position: relative; padding: 1.2rem 0 0 .9rem; font: .8rem/1.65rem var(--st-font);
      color: var(--st-text-color); text-align: center; font-variant-numeric: tabular-nums; }
    .matrix > div { overflow: hidden; border-radius: 2px; height: 1.65rem; }
    .matrix > .read, .matrix > .true { position: absolute; font-size: .8rem; top: -.2rem;
      left: 2.4rem; }
    .matrix > .true { top: 50%; left: -1.4rem; transform: rotate(-90deg); }
    .name { font-weight: 600; }
    .right { background: color-mix(in srgb, #0072b2 calc(var(--share) * 55%), transparent); }
    .wrong { background: color-mix(in srgb, #d55e00 calc(var(--share) * 75%), transparent); }
    .none { opacity: .45; }
    """,
    js=(JS / "confusion.js").read_text(encoding="utf-8"),
)
_pad = st.components.v2.component(
    "glassbox_pad",
    html="""<canvas width="280" height="280" aria-label="Draw a digit here"></canvas>
    <button type="button">Clear</button>""",
    css="""
    canvas { width: 100%; max-width: 15rem; aspect-ratio: 1; display: block; touch-action: none;
      border: 2px solid var(--st-border-color); border-radius: var(--st-base-radius);
      background: var(--st-background-color); cursor: crosshair; }
    button { margin-top: .4rem; font: .95rem var(--st-font); padding: .3rem .9rem; cursor: pointer;
      color: var(--st-text-color);
      background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color);
      border-radius: var(--st-base-radius); }
    """,
    js=(JS / "pen.js").read_text(encoding="utf-8"),
)
_drag = st.components.v2.component(
    "glassbox_drag",
    html='<label><span></span><output></output><input type="range"></label>',
    css="""
    label { display: grid; grid-template-columns: 1fr auto; font: .9rem var(--st-font);
      color: var(--st-text-color); gap: .2rem .6rem; }
    output { font-variant-numeric: tabular-nums; font-weight: 600; }
    input { grid-column: 1 / 3; width: 100%; height: 1.5rem;
      accent-color: var(--st-primary-color); }
    """,
    js=(JS / "drag.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True, slots=True)
class Maps:
    """One figure of a board: some maps of one size, as a montage."""

    name: str
    values: Float[np.ndarray, "c h w"]
    high: float  # the value that gets the full colour; 0 is paper, −high the other colour
    columns: int
    alt: str
    share: float  # of the board's width, against its neighbours
    ink: bool = False  # black on white, from 0 to high
    range: str = ""  # the scale in words; stands under the name


def maps(panels: list[Maps], *, key: str) -> None:
    """Draw a board of maps; hovering reads a value."""
    offset, described = 0, []
    for panel in panels:
        count, height, width = panel.values.shape
        described.append(
            {
                "name": panel.name,
                "c": count,
                "h": height,
                "w": width,
                "offset": offset,
                "high": panel.high,
                "columns": panel.columns,
                "colours": "ink" if panel.ink else "signed",
                "range": panel.range,
                "alt": panel.alt,
                "share": panel.share,
            }
        )
        offset += panel.values.size
    header = json.dumps({"panels": described}).encode()
    header += b" " * (-len(header) % 4)
    numbers = b"".join(panel.values.astype("<f4").tobytes() for panel in panels)
    _maps(key=key, data=len(header).to_bytes(4, "little") + header + numbers)


def confusion(counts: Int[np.ndarray, "10 10"], *, key: str, alt: str) -> None:
    """Draw a confusion matrix of ten classes: rows are true, columns are read."""
    _confusion(key=key, data={"counts": counts.tolist(), "alt": alt})


def pad(*, key: str, on_change: Callable[[], None]) -> None:
    """Let the visitor draw; `ink_of` tells what."""
    ink = (st.session_state.get(key) or {}).get("ink", "")
    _pad(key=key, data={"ink": ink}, default={"ink": ""}, on_ink_change=on_change)


def ink_of(key: str) -> Float[np.ndarray, "84 84"] | None:
    """Give what is drawn on a pad, from 0 (paper) to 1; None while nothing is."""
    return read_ink((st.session_state.get(key) or {}).get("ink", ""))


def read_ink(text: object) -> Float[np.ndarray, "84 84"] | None:
    """Decode what the pad sent; anything else than a drawing counts as none."""
    try:
        content = base64.b64decode(str(text or ""), validate=True)
    except (ValueError, binascii.Error):
        return None
    if len(content) != SIDE * SIDE:
        return None
    return np.frombuffer(content, np.uint8).reshape(SIDE, SIDE).astype(np.float32) / 255


def drag(
    label: str, lowest: int, highest: int, value: int, *, key: str, on_change: Callable[[], None]
) -> None:
    """Draw a slider that answers while it is dragged; `value_of` tells where it stands."""
    data = {"label": label, "lowest": lowest, "highest": highest, "step": 1}
    data["value"] = value_of(key, value)
    _drag(key=key, data=data, default={"value": value}, on_value_change=on_change)


def value_of(key: str, value: int) -> int:
    """Give where a dragged slider stands; the core checks that it is inside its bounds."""
    told = (st.session_state.get(key) or {}).get("value", value)
    return told if isinstance(told, int) else value
