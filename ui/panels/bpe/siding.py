"""Two rules of ties side by side: where they part, and how little comes of it."""

import streamlit as st

from core import bpe
from core.bpe import TIES
from core.bpe.results import Merge, Own, Parted
from core.shared.engine import EngineError, View
from ui import blocks, charts, screen, tokens, words
from ui.blocks import Block, figures
from ui.panels.bpe.desk import Desk
from ui.running import BOUND, Rules
from ui.tokens import spelt

__all__ = ["siding"]

ORDER = sorted(TIES, key=lambda rule: rule == "raw")  # it differs least from the usual one


def siding(desk: Desk, rules: Rules) -> None:
    """Draw the comparison of the plan's rule with another one."""
    mine = desk.plan.ties
    others = [each for each in ORDER if each != mine and (desk.bytes or each != "raw")]
    st.markdown(
        "Often several pairs are equally common. Which of them is merged no definition says, and "
        "libraries disagree."
    )
    chosen = st.selectbox(
        "Hold the rule against", others, format_func=TIES.__getitem__, key="bpe_other", **BOUND
    )
    rules["bpe_other"] = TIES[chosen], words.choices([TIES[each] for each in others])
    screen.screen("bpe_siding", lambda: None, lambda _: _board(desk, chosen, _), {})


def _board(desk: Desk, other: str, _: View | None) -> list[Block]:
    try:
        found: Parted = desk.ask(bpe.PARTED, other)
        tied = desk.ask(bpe.SUMMARY).tied
    except EngineError as error:
        return [blocks.progress(0, words.sentence(str(error)), warn=True)]
    common, last = int(found.common[-1]), found.tokens[:, -1].astype(float)
    most = max(found.steps)
    apart = abs(last[0] - last[1]) / max(last.min(), 1)
    if not found.number:
        told = "On this text both rules give the same merges, in the same order."
    else:
        told = (
            f"They part at merge {found.number:,}: {_merge(found, 0)}; {_merge(found, 1)}. Until "
            "then all is the same."
        )
    at = found.at.astype(float)
    names = [TIES[rule] for rule in found.rules]
    return [
        blocks.said(told),
        figures(
            [
                ("merges with a tie", f"{tied:,} of {found.steps[0]:,}", 1.0),
                ("tokens that both made", f"{common:,} of {most:,}", 1.0),
                (f"tokens, {names[0]}", f"{last[0]:,.0f}", 1.0),
                (f"tokens, {names[1]}", f"{last[1]:,.0f}", 1.0),
                ("apart", words.share(apart), 0.6),
            ]
        ),
        charts.lines(
            "Tokens that both have made, of all that one has",
            "merges",
            at,
            [("in common", found.common / at)] if most else [],
            share=True,
        ),
        charts.lines(
            "Bytes of the text per token",
            "merges",
            at,
            [
                (name, desk.ask(bpe.SUMMARY).size / row)
                for name, row in zip(names, found.tokens, strict=True)
            ],
        ),
        *(
            _only(f"Only “{name}” made {len(mine)}", mine)
            for name, mine in zip(names, found.own, strict=True)
        ),
    ]


def _merge(found: Parted, which: int) -> str:
    name, merge = TIES[found.rules[which]], found.merges[which]
    if merge is None:
        return f"“{name}” has none"
    return f"“{name}” takes {_pair(merge)}"


def _pair(merge: Merge) -> str:
    made = f"{spelt(merge.left)} + {spelt(merge.right, ends=merge.ends)}"
    return f"{made}, one of {merge.ties:,} pairs that are there {merge.counted:,} times"


def _only(title: str, own: tuple[Own, ...]) -> Block:
    return tokens.tokenised(
        tokens.running(
            [each.token for each in own],
            [each.number for each in own],
            ends=[each.ends for each in own],
        ),
        title=title,
        boundaries=False,
        name="",
        place="",
        lines=6,
        empty="None.",
        span=6,
    )
