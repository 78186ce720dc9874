"""The screen of the panel: the history, the text in its tokens, and what could be merged next."""

from typing import Any

import numpy as np

from core.bpe.results import Merge, Moment, Summary
from ui import charts, inside, tokens
from ui.blocks import Block, figures
from ui.inside import Choice
from ui.panels.bpe.looking import FOLLOWING, GUESSING
from ui.tokens import spelt

__all__ = ["draw"]


def draw(moment: Moment, summary: Summary, looks: dict[str, Any]) -> list[Block]:
    """Draw a moment of a history."""
    made = moment.made
    return [
        _reel(moment, summary),
        figures(
            [
                ("counted", "–" if made is None else f"{made.counted:,}", 1.0),
                ("replaced", "–" if made is None else f"{made.replaced:,}", 1.0),
                ("pairs as common", "–" if made is None else f"{made.ties:,}", 1.0),
                ("tokens of the text", f"{moment.tokens:,}", 1.2),
                ("bytes per token", _rate(moment, summary), 1.0),
                ("vocabulary", f"{moment.vocabulary:,}", 1.0),
            ]
        ),
        tokens.tokenised(
            moment.window,
            title="The text in its tokens",
            hint=_hint(moment),
            chosen=looks["token"],
        ),
        inside.choices(
            [
                Choice(name=name, label=label, values=[*named.items()], chosen=looks[name])
                for name, label, named in (
                    ("follow", "The window", FOLLOWING),
                    ("guessing", "The next merge", GUESSING),
                )
            ]
        ),
        _next(moment, looks),
        *_curves(moment, summary, hidden=looks["guessing"] == "yes"),
    ]


def _reel(moment: Moment, summary: Summary) -> Block:
    stops = [(0, "none")]
    if summary.first_tied:
        stops.append((summary.first_tied, f"first tie, {summary.first_tied:,}"))
    stops.append((summary.steps, "all"))
    made = moment.made
    note = "no merge yet" if made is None else f"{_sum(made)}, token {made.id:,}"
    if not summary.steps:
        note = "no pair to merge"
    return tokens.reel("step", "Merges done", moment.step, moment.steps, note=note, stops=stops)


def _sum(made: Merge) -> str:
    whole = spelt(made.left + made.right, ends=made.ends)
    return f"{spelt(made.left)} + {spelt(made.right, ends=made.ends)} → {whole}"


def _rate(moment: Moment, summary: Summary) -> str:
    return f"{summary.size / moment.tokens:.3f}" if moment.tokens else "–"


def _hint(moment: Moment) -> str:
    made, told = moment.made, ""
    if made is not None and moment.window.lit.any():
        told = f"Lit: {spelt(made.left + made.right, ends=made.ends)}, which the last merge made. "
    if made is not None and made.counted > made.replaced:
        told += (
            f"It overlaps itself: of {made.counted:,} that were counted only {made.replaced:,} can "
            "become one token. "
        )
    if moment.window.starts[1:].any():
        told += "No merge crosses a thin line. "
    if moment.window.ends.any():
        told += "⌟ is the end-of-word mark </w>. "
    return told


def _next(moment: Moment, looks: dict[str, Any]) -> Block:
    hidden = looks["guessing"] == "yes" and looks["guess"] is None
    note = ""
    if moment.ties > 1 and not hidden:
        note = f"{moment.ties:,} pairs are equally common: the rule among them decides."
    if not moment.best:
        note = "No pair is left that could be merged."
    return tokens.pairs(
        moment.best,
        title=f"Merge {moment.step + 1:,}: which pair?" if moment.best else "The next merge",
        hint="Click the pair that you think is the commonest."
        if hidden
        else "The ten commonest pairs of neighbours.",
        note=note,
        hidden=hidden,
        guess=looks["guess"],
    )


def _curves(moment: Moment, summary: Summary, *, hidden: bool) -> list[Block]:
    """Draw what the merges do; nothing tells how common the next is, while that is guessed."""
    at, size, then = summary.at.astype(float), summary.size, summary.tokens
    rate = np.where(then > 0, size / np.maximum(then, 1), np.nan)
    return [
        charts.lines(
            title,
            "merges",
            at,
            [(label, values)],
            name="at",
            now=int(np.abs(at - moment.step).argmin()),
            titles=[f"{merges:,.0f} merges" for merges in at],
            log=log,
        )
        for title, label, values, log in (
            ("Tokens of the text", "tokens", then, False),
            ("Bytes per token", "bytes per token", rate, False),
            ("Vocabulary", "tokens that are known", summary.alphabet + at, False),
            ("How common the merged pair was", "counted", summary.counted, True),
        )[: 3 if hidden else 4]
    ]
