"""Students learn from the pinned network, side by side, and one sees what each term pulls."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Float

from core.distillation import ARMS, DISTIL, EXPORT, REDUCTIONS, Distillation, Distilled
from core.shared.engine import View
from core.shared.models import About
from ui import address, blocks, charts, live, pinned, words
from ui.blocks import Block, figures
from ui.panels.distillation.desk import Desk
from ui.panels.distillation.earlier import earlier
from ui.panels.distillation.facing import facing
from ui.panels.distillation.unseen import unseen
from ui.running import BOUND, Rules, choose, choose_seed, choose_some, newest, study

__all__ = ["learning"]

STUDENTS = {  # layer tables
    "fc16-relu": "16 units",
    "fc30-relu": "30 units",
    "fc48-relu": "48 units",
    "fc64-relu": "64 units",
    "fc300-relu,fc300-relu": "two layers of 300",
    "fc800-relu,fc800-relu": "two layers of 800",
    "conv6-k5-p2-relu,max2,conv16-k5-relu,max2,fc120-relu,fc84-relu": "a small LeNet",
}
IMAGES = (200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
WARM = (1.0, 2.0, 2.5, 3.0, 4.0, 8.0, 20.0, 50.0, 100.0)
SHARES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
EPOCHS = (1, 2, 5, 10, 20, 50, 100)
UNLABELLED = (0, 1_000, 5_000, 10_000, 20_000)
NOBODY = "no class"
EARLY = 3  # points of a curve, far from all others, that an axis need not show
USUAL = {"T": 4.0, "alpha": 0.1, "squared": True, "reduction": "batchmean", "left_out": NOBODY}
EXPERIMENTS: dict[str, dict[str, object]] = {  # what each changes of these
    "As usual": {},
    "Without T², at T = 20": {"T": 20.0, "alpha": 0.5, "squared": False},
    "With T², at T = 20": {"T": 20.0, "alpha": 0.5},
    "mean for batchmean": {"reduction": "mean"},
    "No labels at all": {"alpha": 0.0},
}


def learning(desk: Desk) -> None:
    """Draw the settings of a distillation and the newest one of the pinned network."""
    st.markdown(
        "The pinned network is the teacher. All students have the same first weights, labelled "
        "images and steps; they differ in what they are told. *Permuted* is the control: the "
        "teacher's wrong classes in another order for each image, as soft as before, of no meaning."
    )
    if not desk.taught():
        return
    asked, rules = address.asked("distil"), Rules()
    before = newest(desk.engine, desk.visitor, desk.source, DISTIL)
    st.caption("Experiments: each sets what is below, and lets the students learn.")
    with st.container(horizontal=True):
        for place, (name, values) in enumerate(EXPERIMENTS.items()):
            st.button(
                name,
                key=f"distil_try_{place}",
                on_click=_try,
                args=(values,),
                disabled=before is not None and before.live,
            )
    wish = _wish(desk.about, asked, rules)
    if st.session_state.pop("distil_now", False):
        config = live.trying(lambda: Distillation(teacher=desk.source, **wish))
        if config is not None:
            live.trying(desk.engine.submit, DISTIL, config, visitor=desk.visitor)
    view = study(
        desk.engine,
        desk.visitor,
        desk.source,
        DISTIL,
        ("distil", "Let them learn", "school"),
        lambda: Distillation(teacher=desk.source, **wish),
        lambda state, config: _draw(state, config, desk.about.classes),
        ready=bool(wish["arms"]),
    )
    address.refuse("distil", asked, rules, ())
    if view is not None:
        facing(desk, view.run)
        unseen(desk, view.run)
        _keeping(desk, view)
        earlier(desk)


def _try(values: dict[str, object]) -> None:
    """Set an experiment's settings, and begin as soon as they are read."""
    st.session_state.update({f"distil_{key}": value for key, value in (USUAL | values).items()})
    st.session_state.distil_now = True


def _keeping(desk: Desk, view: View) -> None:
    """Let a student go through every panel, as a network of the visitor's own."""

    def pin(arm: str) -> None:
        content = live.trying(desk.engine.ask, view.run, EXPORT, arm)
        if content is not None:
            live.trying(pinned.pin_weights, content)

    with st.container(horizontal=True, vertical_alignment="bottom"):
        arm = st.selectbox(
            "A student for the other panels",
            view.config["arms"],
            min(1, len(view.config["arms"]) - 1),
            format_func=ARMS.__getitem__,
            key="distil_keep",
            persist_state="session",
        )
        st.button(
            "Pin it",
            key="distil_pin",
            on_click=pin,
            args=(arm,),
            icon=":material/keep:",
            help="With its newest weights it is the network in the sidebar of every panel of "
            "pictures. Pin the teacher again to compare them in *Dark knowledge*.",
        )


def _wish(about: About, asked: Mapping[str, str], rules: Rules) -> dict[str, Any]:
    first, second, third, fourth = st.columns(4), st.columns(4), st.columns(4), st.container()
    given: dict[str, Any] = {}
    given["student"] = choose(
        first[0],
        "Student",
        [*STUDENTS],
        "distil_student",
        rules,
        usual=2,
        said=lambda each: STUDENTS[each],
    )
    given["images"] = choose(
        first[1], "Labelled images", IMAGES, "distil_images", rules, usual=3, said="{:,}".format
    )
    given["temperature"] = choose(
        first[2], "Temperature T", WARM, "distil_T", rules, usual=4, said="{:g}".format
    )
    given["alpha"] = choose(
        first[3],
        "α, weight of the hard labels",
        SHARES,
        "distil_alpha",
        rules,
        usual=1,
        said="{:g}".format,
        about="The soft term has 1 − α. At 0 no label is seen.",
    )
    given["epochs"] = choose(second[0], "Epochs", EPOCHS, "distil_epochs", rules, usual=5, said=str)
    given["unlabelled"] = choose(
        second[1],
        "Unlabelled images besides",
        UNLABELLED,
        "distil_unlabelled",
        rules,
        said="{:,}".format,
        about="From these the distilled learn by the soft term alone; who learns from labels alone "
        "sees the labelled ones over and over instead, as many a step.",
    )
    left_out = choose(second[2], "Never shown", (NOBODY, *about.classes), "distil_left_out", rules)
    given["left_out"] = None if left_out == NOBODY else about.classes.index(left_out)
    given["seed"] = choose_seed(second[3], "distil_seed", rules)
    given["squared"] = third[0].toggle("Soft term times T²", True, key="distil_squared", **BOUND)
    given["reduction"] = choose(third[1], "Soft term's mean", REDUCTIONS, "distil_reduction", rules)
    rules["distil_squared"] = str(given["squared"]).lower(), "true or false"
    given["arms"] = tuple(
        choose_some(
            fourth,
            "Students",
            ARMS,
            "distil_arms",
            asked,
            rules,
            usual=[*ARMS],
            most=len(ARMS),
        )
    )
    return given


def _told(config: Mapping[str, Any], classes: Sequence[str]) -> str:
    """Say by which settings these students learn, as others may have been chosen since."""
    squared = "with T²" if config["squared"] else "without T²"
    parts = [
        STUDENTS.get(config["student"], config["student"]),
        f"{config['images']:,} labelled images",
        f"T = {config['temperature']:g}",
        f"α = {config['alpha']:g}",
        f"{squared}, {config['reduction']}",
        f"{config['epochs']} epochs",
        f"seed {config['seed']}",
    ]
    if config["unlabelled"]:
        parts.insert(2, f"{config['unlabelled']:,} unlabelled")
    if config["left_out"] is not None:
        parts.append(f"no {classes[config['left_out']]}")
    return f"These: {'; '.join(parts)}."


def _draw(state: Distilled, config: Mapping[str, Any], classes: Sequence[str]) -> list[Block]:
    """Draw how the students are doing."""
    at = state.arms[0].epochs
    rows = [
        (
            ARMS[arm.name],
            "–" if arm.errors is None else f"{arm.errors:,} of {state.tested:,}",
            1.0,
        )
        for arm in state.arms
    ]
    if state.teacher_errors is not None:
        rows.insert(0, ("the teacher", f"{state.teacher_errors:,} of {state.tested:,}", 1.0))
    drawn = [
        blocks.said(_told(config, classes)),
        figures([(f"test errors, {name}", value, share) for name, value, share in rows]),
    ]
    if not len(at):  # the teacher has not spoken yet
        return drawn
    drawn += [
        charts.lines(
            f"Share of {state.watched:,} validation images that are read wrong",
            "epochs",
            at,
            [(ARMS[arm.name], arm.validation) for arm in state.arms],
            ends=_ends([arm.validation for arm in state.arms]),
        ),
        charts.lines(
            "Share that is read as the teacher reads it",
            "epochs",
            at,
            [(ARMS[arm.name], arm.agreement) for arm in state.arms],
            ends=_ends([arm.agreement for arm in state.arms]),
        ),
    ]
    squared = "with T²" if config["squared"] else "without T²"
    for name, norms in (
        ("hard term", [arm.hard for arm in state.arms]),
        (f"soft term, {squared}, {config['reduction']}", [arm.soft for arm in state.arms]),
    ):
        if any(np.isfinite(each).any() for each in norms):
            titles = [
                ARMS[arm.name] if np.isfinite(each).any() else f"{ARMS[arm.name]}: none"
                for arm, each in zip(state.arms, norms, strict=True)
            ]
            drawn.append(
                charts.lines(
                    f"Norm of the gradient of the {name}",
                    "epochs",
                    at,
                    [*zip(titles, norms, strict=True)],
                    log=True,
                )
            )
    apart = [
        [
            (f"read as the teacher, {ARMS[arm.name]}", words.share(arm.agreed), 1.0),
            (f"KL(teacher ‖ {ARMS[arm.name]})", f"{arm.divergence:.3f} nats", 1.0),
        ]
        for arm in state.arms
        if arm.divergence is not None and arm.agreed is not None
    ]
    if apart:
        drawn.append(
            figures([each for pair in zip(*apart, strict=True) for each in pair], columns=4)
        )
        drawn.append(blocks.said("These are of all test images, at T = 1."))
    return drawn


def _ends(rows: Sequence[Float[np.ndarray, " n"]]) -> tuple[float, float] | None:
    """Give the ends of an axis on which the later points can be told apart; None for a few."""
    later = np.concatenate([row[EARLY:] for row in rows])
    later = later[np.isfinite(later)]
    if not len(later):
        return None
    low, high = float(later.min()), float(later.max())
    room = max(0.1 * (high - low), 1e-3)
    return max(0.0, low - room), min(1.0, high + room)
