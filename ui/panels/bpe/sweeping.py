"""How large a vocabulary should be: on text that it learned from, and on text that it did not."""

import math

import streamlit as st

from core import bpe
from core.bpe.sweeping import HELD, WIDTH, Sweep
from core.shared.engine import EngineError, View
from ui import blocks, charts, screen, words
from ui.blocks import Block, figures
from ui.panels.bpe.desk import Desk
from ui.running import BOUND, Rules

__all__ = ["sweeping"]

WIDTHS = (64, 128, 256, 512, 768, 1_024, 2_048, 4_096)
NAMES = ("learned from", "held out")


def sweeping(desk: Desk, rules: Rules) -> None:
    """Draw what growing vocabularies make of both parts of the text."""
    st.markdown(
        f"The merges are learned from the first {1 - HELD:.0%} of the text alone; the last "
        f"{HELD:.0%} is held out. Each further token costs a network a vector of as many numbers "
        "as its embedding is wide."
    )
    width = st.select_slider(
        "Width of the embedding", WIDTHS, WIDTH, format_func="{:,}".format, key="bpe_width", **BOUND
    )
    rules["bpe_width"] = f"{width:,}", words.choices([f"{each:,}" for each in WIDTHS])
    screen.screen("bpe_sweeping", lambda: None, lambda _: _board(desk, width, _), {})


def _board(desk: Desk, width: int, _: View | None) -> list[Block]:
    try:
        found: Sweep = desk.ask(bpe.SWEPT, width)
    except EngineError as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True)]
    at, titles = found.merges.astype(float), [f"{size:,} tokens" for size in found.vocabulary]
    rates = found.rates[:, -1]
    lacking = (
        f"{found.unknown:,} characters of what was held out are not in the alphabet; each counts "
        "as a token."
    )
    return [
        figures(
            [
                ("vocabulary", f"{found.vocabulary[-1]:,}", 1.0),
                ("embedding", f"{found.parameters[-1]:,} parameters", 1.5),
                ("bytes per token, learned from", _rate(rates[0]), 1.5),
                ("bytes per token, held out", _rate(rates[1]), 1.5),
            ]
        ),
        charts.lines(
            "Bytes per token",
            "merges",
            at,
            list(zip(NAMES, found.rates, strict=True)),
            titles=titles,
            under=lacking if found.unknown else "",
        ),
        charts.lines(
            f"Parameters of an embedding {width:,} wide",
            "merges",
            at,
            [("parameters", found.parameters.astype(float))],
            titles=titles,
        ),
    ]


def _rate(rate: float) -> str:
    return "–" if math.isnan(rate) else f"{rate:.3f}"
