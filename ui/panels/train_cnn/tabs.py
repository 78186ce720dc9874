"""The tabs below the first panel's screen: lessons, formula, the network's arithmetic, the code."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core import train_cnn
from core.shared import layers
from core.shared.arithmetic import arithmetic
from core.shared.datasets import About
from core.shared.recipes import Recipe
from core.train_cnn import lessons
from core.train_cnn.script import script
from ui import words
from ui.panels.train_cnn.choices import NAMES, called, link, said
from ui.panels.train_cnn.wording import ADVERSARY, FORMULAE, LESSONS, LOSSES, MARK

__all__ = ["tabs"]

ROW, TALLEST = 35, 740  # pixels of a table's row, and of a table
COLUMNS = ("kind", "channels", "kernel", "stride", "padding", "dilation")
PAPER = (
    "LeNet-5 of LeCun, Bottou, Bengio and Haffner 1998, section II.B, with their Table I in C3 "
    "(16 maps that see 60 of the 96 pairs of maps: the other weights of the kernel take no "
    "part) and f(a) = 1.7159 tanh(2a/3) after each layer; the output is a softmax of ten "
    "logits where the paper has radial basis functions."
)
SEES = (
    "A side of n pixels becomes ⌊(n + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1. *Sees* "
    "is the receptive field: the side, in pixels of the input, of what one output value depends on."
)


def tabs(
    recipe: Recipe,
    about: About,
    run: tuple[str, Recipe, train_cnn.State | None] | None,
) -> None:
    """Draw the tabs.

    Args:
        recipe: of a new run.
        about: its data.
        run: the chosen run's name, its recipe, and its newest state if there is one.
    """
    lesson, formula, network, code = st.tabs(
        ["What to try", "Formula", "Network", "The code"], on_change="rerun"
    )
    if lesson.open:
        with lesson:
            _lessons()
    if formula.open:
        with formula:
            _formula(recipe)
    if network.open:
        with network:
            _network(recipe, about)
    if code.open:
        with code:
            _code(*(run or ("A new run", recipe, None)))


def _lessons() -> None:
    """Say what to try, and what came out of the course's experiments when they were run."""
    st.markdown(LESSONS)
    for told in lessons.LESSONS:
        title = f"**{told.title}.** {told.claim}"
        with st.expander(title, key=f"train_lesson_{told.name}", on_change="rerun") as box:
            if box.open:
                _outcome(told, lessons.outcome(told.name))


def _outcome(told: lessons.Lesson, outcome: lessons.Outcome) -> None:
    rows = [
        {"": arm.name}
        | {
            said: _seeds(name, outcome.measured[arm.name][name])
            for name, said in told.columns.items()
        }
        | {"settings": link(arm.recipe)}
        for arm in told.arms
    ]
    opened = st.column_config.LinkColumn(display_text="open")
    st.dataframe(rows, hide_index=True, column_config={"settings": opened})
    st.caption(
        f"Median of the seeds {words.choices(lessons.SEEDS).replace(' or ', ' and ')}, "
        f"in brackets the lowest and the highest, by torch {outcome.torch} on {outcome.device}. "
        "*open* has the settings."
    )


def _seeds(name: str, values: Sequence[float | str | None]) -> str:
    """Say the median of some seeds and how far they spread; a sentence as it is."""
    numbers = sorted(value for value in values if isinstance(value, (int, float)))
    sentences = [value for value in values if isinstance(value, str)]
    if sentences:
        return sentences[len(sentences) // 2]
    if not numbers and not name.startswith("epochs"):  # of what diverged there is none
        return "–"
    if len(numbers) < len(values):
        return f"reached by {len(numbers)} of {len(values)}"
    show = "{:.1%}" if name.endswith("accuracy") else "{:,.3g}"
    low, middle, high = (show.format(numbers[k]) for k in (0, len(numbers) // 2, -1))
    return middle if low == high else f"{middle} ({low} – {high})"


def _formula(recipe: Recipe) -> None:
    loss, output = LOSSES["smoothed" if recipe.smoothing else recipe.loss]
    st.latex(loss.replace("EPS", f"{recipe.smoothing:g}"))
    if recipe.marked is not None:
        share = f"{100 * recipe.mark_share:g}"
        st.latex(MARK.replace("CLASS", str(recipe.marked)).replace("SHARE", share))
    if recipe.adversary:
        budget = said("epsilon", recipe.epsilon)
        st.latex(ADVERSARY.replace("EPS", budget).replace("HOW", NAMES[recipe.adversary]))
    own = "" if recipe.optimiser == "adamw" or not recipe.weight_decay else r" + \lambda w"
    sign = rf" + {recipe.l1:g}\,\mathrm{{sign}}(w)" if recipe.l1 else ""
    st.latex(rf"{output} \qquad g = \nabla_{{\!w}} L{own}{sign}")
    images = train_cnn.training_images(recipe)
    for line in (*FORMULAE[recipe.optimiser], *recipe.formula(images)):
        st.latex(line)
    st.caption(
        f"With the settings of a new run, μ = {recipe.momentum:g}: B images a step, weights w, "
        "labels y, logits z; t counts the steps from 0. The loss on the screen is L; the "
        "validation loss is computed without label smoothing and without dropout."
    )


def _network(recipe: Recipe, about: About) -> None:
    try:
        rows = arithmetic(recipe.network, about.shape, len(about.classes))
    except ValueError as error:
        st.warning(words.plain(str(error)))
    else:
        _table(rows)
        st.caption(f"{PAPER} {SEES}" if recipe.network == "lenet5" else SEES)
    with st.expander("Edit the layer table", key="train_editor", on_change="rerun") as editor:
        if editor.open:
            _edit(recipe, about)


def _code(name: str, recipe: Recipe, state: train_cnn.State | None) -> None:
    until = "it gives the same losses"
    if state and state.branched:
        step, fields = (
            min(state.branched.values()),
            words.choices([called(field) for field in state.branched]).replace(" or ", " and "),
        )
        until += f" until step {step:,}, from which on the run has another {fields}"
    st.markdown(f"{name}, as plain PyTorch: started in the repository's folder, {until}.")
    text = script(state.began, state.changes) if state else script(recipe)
    st.code(text, language="python", height=420)


def _table(rows: Sequence[layers.Layer]) -> None:
    listed = words.table(rows)
    st.dataframe(
        listed,
        hide_index=True,
        height=min(TALLEST, ROW * (len(listed) + 2)),
        column_config={
            "layer": st.column_config.TextColumn(pinned=True),
            "what it does": st.column_config.TextColumn(width=270),
            "side of the output": st.column_config.TextColumn(width=320),
        },
    )


def _edit(recipe: Recipe, about: About) -> None:
    """Let the visitor change the table row by row, with its arithmetic, before it is used."""
    st.caption(
        "Begins with the network that is chosen above; LeNet-5 as the nearest plain table. 0 is "
        "the usual value. Rows can be added below and deleted by the box on their left."
    )
    text = layers.PRESETS["lenet5"] if recipe.network == "lenet5" else recipe.network
    try:
        base = layers.parse(text)
    except ValueError:
        base = layers.parse(layers.PRESETS["lenet5"])
    names = (*COLUMNS, "normalisation", "activation", "dropout")
    edited = st.data_editor(
        [{name: getattr(row, name) for name in names} for row in base],
        num_rows="dynamic",
        key=f"train_rows_{text}",  # of another network the editor begins anew
        column_config={
            "kind": st.column_config.SelectboxColumn(options=list(layers.KINDS), required=True),
            "normalisation": st.column_config.SelectboxColumn(
                options=list(layers.NORMALISATIONS), default="none"
            ),
            "activation": st.column_config.SelectboxColumn(
                options=list(layers.ACTIVATIONS), default="none"
            ),
            "dropout": st.column_config.NumberColumn(min_value=0, max_value=0.9, step=0.05),
            **{
                name: st.column_config.NumberColumn(min_value=0, step=1, default=0)
                for name in COLUMNS[1:]
            },
        },
    )
    try:
        table = layers.write(_row(number, row) for number, row in enumerate(edited, 1))
        rows = arithmetic(table, about.shape, len(about.classes))
    except ValueError as error:
        st.warning(words.plain(str(error)))
        return
    if table != recipe.network:
        _table(rows)
    st.button(
        "Use this table for new runs",
        type="primary",
        key="train_use",
        on_click=_use,
        args=(table,),
        disabled=table == recipe.network,
    )


def _row(number: int, values: Mapping[str, Any]) -> layers.Row:
    """Read a row of the editor, where an empty field is None.

    Raises: ValueError that names the row, the rule and the value.
    """
    kind = values.get("kind") or ""
    given: dict[str, Any] = {
        name: int(value) if name in COLUMNS[1:] else value
        for name, value in values.items()
        if name in layers.KINDS.get(kind, ()) and value is not None
    }
    try:
        return layers.Row(kind=kind, **given)
    except (ValueError, TypeError) as error:
        raise ValueError(f"row {number}: {error}") from error


def _use(table: str) -> None:
    st.session_state.train_table = table
    if st.session_state.train_network != "own":  # its field, which keeps its address, is not drawn
        st.query_params["train_table"] = table
    st.session_state.train_network = "own"
