"""Whom else a picture fools that was made for one network: a matrix of the visitor's networks."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from core.adversarial import Attack, studies
from core.adversarial.studies import COUNTS, MOST_NETWORKS, TransferMatrix, Transferred
from core.shared.engine import Engine
from core.shared.models import About, Source
from ui import address, charts, pinned
from ui.blocks import Block, Picture
from ui.panels.adversarial.cells import as_set, cell_of, gallery, made, tell_cell
from ui.running import Rules, choose, choose_some, study

__all__ = ["transfers"]

LETTERS = "ABCDEF"  # for the networks, whose names are long
FEWEST = 2  # networks
NOISE = "the same changes, laid out anew with signs at random: what any change of this size does"


def transfers(
    engine: Engine,
    visitor: str,
    source: Source,
    about: About,
    config: Attack,
    looks: dict[str, Any],
) -> None:
    """Draw the settings and the newest matrix that the pinned network is in."""
    if not about.data:
        st.info("The matrix needs test images: choose a network whose data are here, as MNIST's.")
        return
    known = pinned.networks_like(engine, visitor, about)
    if len(known) < FEWEST:
        st.info(
            "There is no other network here that learned from the same pictures. Train one in "
            "*Train a CNN*, for an epoch or less, and come back: it is offered here by itself."
        )
        st.page_link("training/train_cnn.py", label="Train a CNN", icon=":material/school:")
        return
    asked, rules = address.asked("transfer"), Rules()
    names = sorted(known, key=lambda name: known[name][1] != source)  # the pinned one first
    places = st.columns([4, 1])
    chosen = choose_some(
        places[0],
        f"Networks, {FEWEST} to {MOST_NETWORKS}",
        {name: known[name][0] for name in names},
        "transfer_among",
        asked,
        rules,
        usual=names[:FEWEST],
        most=MOST_NETWORKS,
        among=names[0],
    )
    images = choose(places[1], "Test images", COUNTS[:3], "transfer_images", rules)
    address.refuse("transfer", asked, rules, ())
    attack, told = as_set(config, looks)
    st.caption(
        f"{told}, on each network; all of them then read its pictures. "
        + (
            "It looks for the least change and stops there: what just crosses one network's "
            "boundary is seldom beyond another's, so see PGD too."
            if config.about.minimal
            else "It goes on to its last step and keeps what its network is surest to misread: "
            "what just crosses one boundary is seldom beyond another's."
        )
    )

    def wish() -> TransferMatrix:
        looks["shared"] = None
        return TransferMatrix(
            sources=tuple(known[name][1] for name in chosen),
            attack=replace(attack, early=False),
            images=images,
        )

    study(
        engine,
        visitor,
        source,
        studies.TRANSFERS,
        ("transfer", "Try all pairs", "compare_arrows"),
        wish,
        lambda state, given: _draw(
            state, given["attack"], about, cell_of(looks, "shared", state.tried.shape)
        ),
        {"transfers": tell_cell(looks, "shared"), "misread": lambda _: None},
        ready=len(chosen) >= FEWEST,
    )


def _draw(
    state: Transferred, config: Mapping[str, Any], about: About, cell: tuple[int, int] | None
) -> list[Block]:
    method, size = made(config)
    cell = cell or _first(state)
    return [
        charts.shares(
            "transfers",
            f"Misread of what {method} made, up to {size}",
            "Row: the network that the pictures were made on. Column: the one that reads them. On "
            f"the diagonal, of {state.images or 'the'} images that all networks read right; beside "
            "it, of those pictures alone that fool the network they were made on.",
            [*zip(LETTERS, state.names, strict=False), ("noise", NOISE)],
            state.misread,
            state.tried,
            cell,
            under=state.working,
            span=7,
        ),
        _gallery(state, about, cell),
    ]


def _first(state: Transferred) -> tuple[int, int] | None:
    """Choose the first cell beside the diagonal that has pictures, while the visitor has not."""
    cells = [tuple(map(int, name.split("-"))) for name in state.examples]
    return next(((row, column) for row, column in sorted(cells) if row != column), None)


def _gallery(state: Transferred, about: About, cell: tuple[int, int] | None) -> Block:
    """Show some of the misread pictures of a cell."""
    hint, pictures = "Click a cell to see some of its pictures.", []
    if cell is not None:
        row, column = cell
        made = "Noise" if row == len(state.names) else f"Made on {LETTERS[row]}"
        hint = (
            f"{made}, misread by {LETTERS[column]}: {state.misread[cell]:,} of "
            f"{state.tried[cell]:,}."
        )
        shown = state.examples.get(f"{row}-{column}")
        if shown is not None:
            hint = f"{hint} Here are {len(shown.labels)}."
            pictures = [
                Picture(
                    pixels=pixels / 255,
                    name=f"{about.classes[label]} → {about.classes[read]}",
                    words=f"read by {LETTERS[column]}",
                    tells=k,
                )
                for k, (pixels, label, read) in enumerate(
                    zip(shown.pictures, shown.labels, shown.read, strict=True)
                )
            ]
    return gallery("misread", hint, pictures, about)
