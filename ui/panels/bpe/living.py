"""A token from its birth to its end: its merge, the words that brought it about, its tree."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import streamlit as st

from core import bpe
from core.bpe.origins import Home
from core.bpe.reading import Life, Named
from core.bpe.results import Summary
from core.shared.engine import EngineError, View
from ui import blocks, charts, screen, tokens, words
from ui.blocks import Block, figures
from ui.panels.bpe.desk import Desk
from ui.panels.bpe.encoding import branch
from ui.tokens import spelt

__all__ = ["living"]

HOMES = 12  # words that are told of


def living(desk: Desk) -> None:
    """Draw the life of the token that is looked at, and those that died."""
    looks = desk.looks
    st.markdown(
        "Click a token anywhere on this page, or say its id. A token is **dead** when later merges "
        "took up each of its places: it costs a vector, and this text never has it."
    )

    def steer(name: str) -> Callable[[Any], object]:
        return lambda said: looks.update({name: None if said is None else max(0, int(said))})

    screen.screen("bpe_living", lambda: None, lambda _: _board(desk, _), {"token": steer("token")})


def _board(desk: Desk, _: View | None) -> list[Block]:
    try:
        summary: Summary = desk.ask(bpe.SUMMARY)
        last = summary.alphabet + summary.steps - 1
        token = desk.looks["token"]
        token = last if token is None else min(max(token, 0), last)
        if token < 0:
            return [blocks.said("There is no token: the text has no characters to make one of.")]
        found: Life = desk.ask(bpe.LIFE, token)
    except EngineError as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True)]
    root, birth = found.tree[0], found.birth
    name = spelt(root.token, ends=root.ends)
    places = "places" if desk.plan.split == "none" else "words"
    left = "All" if found.uses == found.stood else "Some"
    living = f"{left} of its places are left" if found.uses else "It was never in the text"
    born = "of the alphabet" if not birth.number else f"merge {birth.number:,}"
    return [
        tokens.reel("token", "Id of the token", token, last, note=f"{name}, {born}"),
        figures(
            [
                ("counted", f"{birth.counted:,}", 1.0),
                ("replaced" if birth.number else "in the text", f"{birth.replaced:,}", 1.0),
                ("ever stood there", f"{found.stood:,}", 1.0),
                ("is left in the end", f"{found.uses:,}", 1.0),
                ("dead tokens", f"{found.deaths:,} of {last + 1:,}", 1.2),
                ("never there", f"{found.absent:,}", 1.0),
            ]
        ),
        tokens.tree(branch(found.tree), title=f"The tree of {name}", chosen=token),
        charts.bars(
            f"Where it was born: {birth.different:,} different {places}",
            ["share of all its places"],
            [_home(home, birth.counted) for home in birth.homes[:HOMES]],
            span=6,
        ),
        _some(
            "What took up its places" if found.heirs else living,
            found.heirs,
            "Nothing took all of them." if found.uses else "So nothing took its places.",
        ),
        _some(
            f"Dead tokens: {found.deaths:,}",
            found.dead,
            "All of them live.",
            f"The first {len(found.dead)}, those that stood there most often.",
        ),
    ]


def _home(home: Home, counted: int) -> tuple[str, str, np.ndarray]:
    return spelt(home.text), f"{home.times:,}", np.array([home.times / max(counted, 1)])


def _some(title: str, known: Sequence[Named], empty: str, hint: str = "") -> Block:
    return tokens.tokenised(
        tokens.running(
            [token for _, token, _ in known],
            [each for each, _, _ in known],
            ends=[ends for _, _, ends in known],
        ),
        title=title,
        hint=hint,
        boundaries=False,
        place="",
        lines=6,
        empty=empty,
        span=6,
    )
