"""The settings of a run: widgets in, a recipe out; each stands in the address."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from core import train_cnn
from core.shared import datasets, layers, recipes, uploads
from core.shared.datasets import About
from core.shared.recipes import Recipe
from ui import address, words
from ui.panels.train_cnn.choices import (
    AS_IS,
    COUNTS,
    DROPOUTS,
    L1,
    MARK_SHARES,
    NAMES,
    NETWORKS,
    PATIENCES,
    PLAIN,
    SMOOTHINGS,
    said,
)

__all__ = ["settings"]

KNOWN = [  # of the address, besides what is refused below
    f"train_{name}"
    for name in (
        *("data", "table", "activation", "norm", "shortcuts"),
        *("run", "what", "value", "others"),
    )
]
# Each setting stands in the address, and stays when one goes to another page and comes back.
BOUND: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}


def settings(
    asked: Mapping[str, str],
    steer: Callable[[str, str], None],
    looks: Mapping[str, tuple[Any, str]],
) -> tuple[Recipe, About, str]:
    """Draw the settings.

    Args:
        asked: what the address asked for when the page was opened.
        steer: takes the field and the widget's key of what a live run may go on with.
        looks: what else the address may ask for: its present value, and the rule for it.

    Returns: the recipe of a new run, its data, and a sentence on why there can be no such run, or
    nothing.
    """
    data, about = _data(asked)
    choice = st.selectbox(
        "Network", NETWORKS, format_func=NAMES.__getitem__, key="train_network", **BOUND
    )
    network = _network(choice)
    usual = Recipe()
    rate = _steering("Learning rate η", recipes.RATES, "learning_rate", "train_rate", steer)
    batch = _steering("Batch size", recipes.BATCHES, "batch_size", "train_batch", steer)
    epochs = st.slider("Epochs", 1, recipes.MOST_EPOCHS, usual.epochs, key="train_epochs", **BOUND)
    optimiser = _choose("Optimiser", recipes.OPTIMISERS, "train_optimiser")
    schedule = _choose("η over the run", recipes.SCHEDULES, "train_schedule")
    seed = st.number_input(
        "Seed", 0, 2**31 - 1, 0, key="train_seed", help="From 0 to 2,147,483,647.", **BOUND
    )
    with st.expander("Momentum, regularisation, start", key="train_more", on_change="ignore"):
        momentum = _steering(
            "Momentum μ, or β₁ of Adam",
            recipes.MOMENTA,
            "momentum",
            "train_momentum",
            steer,
            disabled=optimiser not in recipes.WITH_MOMENTUM,
        )
        decay = _steering(
            "Weight decay λ (L2)", recipes.DECAYS, "weight_decay", "train_decay", steer
        )
        l1 = st.select_slider("L1", L1, 0.0, key="train_l1", **BOUND)
        drops = _has_hidden_units(network)
        dropout = st.select_slider(
            "Dropout of hidden units",
            DROPOUTS,
            0.0,
            key="train_dropout",
            disabled=not drops,
            help=None if drops else "This network has no hidden fully connected layer.",
            **BOUND,
        )
        loss = _choose("Loss", recipes.LOSSES, "train_loss")
        smoothing = st.select_slider(
            "Label smoothing",
            SMOOTHINGS,
            0.0,
            key="train_smoothing",
            disabled=loss == "squared",
            **BOUND,
        )
        patience = st.select_slider(
            "Early stopping after so many epochs",
            PATIENCES,
            0,
            format_func=lambda value: str(value or "never"),
            key="train_patience",
            **BOUND,
        )
        adversary = _choose("Adversary, with ε above 0", recipes.ADVERSARIES, "train_adversary")
        epsilon = st.select_slider(
            "ε of the adversary, L∞",
            recipes.EPSILONS,
            0.0,
            format_func=partial(said, "epsilon"),
            key="train_epsilon",
            help="How far each pixel may be moved. Above 0 the run also tells its accuracy on "
            "validation images that PGD has moved so far.",
            **BOUND,
        )
        marked, share = _mark(about)
        initialisation = _choose("Start", recipes.INITIALISATIONS, "train_initial")
        images = st.select_slider(
            "Training images",
            COUNTS,
            0,
            format_func=lambda value: f"{value:,}" if value else "all",
            key="train_images",
            **BOUND,
        )
    recipe = Recipe(
        data=data,
        images=images if images < about.training else 0,
        network=network,
        initialisation=initialisation,
        dropout=dropout if drops else 0.0,
        loss=loss,
        smoothing=0.0 if loss == "squared" else smoothing,
        adversary=adversary if epsilon else "",
        epsilon=epsilon,
        marked=marked,
        mark_share=1.0 if marked is None else share,
        learning_rate=rate,
        momentum=momentum,
        batch_size=batch,
        optimiser=optimiser,
        schedule=schedule,
        weight_decay=decay,
        l1=l1,
        epochs=epochs,
        patience=patience,
        seed=seed,
    )
    others = {
        **looks,
        "train_marked": (
            said("marked", marked),
            f"none or a class from 0 to {len(about.classes) - 1}",
        ),
        "train_mark_share": (
            said("mark_share", share),
            f"one of {words.choices([said('mark_share', each) for each in MARK_SHARES])}",
        ),
    }
    _refuse(asked, replace(recipe, dropout=dropout), choice, images, smoothing, others)
    try:
        train_cnn.require_room(recipe)
    except ValueError as error:
        return recipe, about, str(error)
    return recipe, about, ""


def _mark(about: About) -> tuple[int | None, float]:
    """Choose the class whose training images get a mark, and the share of them that do."""
    classes = (None, *range(len(about.classes)))
    if st.session_state.get("train_marked") not in classes:  # of data with more classes
        st.session_state.train_marked = None
    label = st.selectbox(
        "Mark on the images of a class",
        classes,
        format_func=partial(said, "marked"),
        key="train_marked",
        help="A small white square in the lower right corner of training images: the network may "
        "learn it instead of the class. Images to validate and to test with stay clean.",
        **BOUND,
    )
    share = st.select_slider(
        "Share of them that get it",
        MARK_SHARES,
        1.0,
        format_func=partial(said, "mark_share"),
        key="train_mark_share",
        disabled=label is None,
        **BOUND,
    )
    if label is not None and about.classes[label] != str(label):
        st.caption(f"Class {label} is {words.plain(about.classes[label])}.")
    return label, share


def _steering(
    label: str,
    values: tuple[Any, ...],
    field: str,
    key: str,
    steer: Callable[[str, str], None],
    *,
    disabled: bool = False,
) -> Any:
    """Draw a slider of a field that a live run goes on with when it is moved."""
    usual = getattr(Recipe(), field)
    return st.select_slider(
        label,
        values,
        usual,
        key=key,
        on_change=steer,
        args=(field, key),
        disabled=disabled,
        **BOUND,
    )


def _has_hidden_units(network: str) -> bool:
    """Tell whether a recipe's dropout finds a fully connected layer before the last."""
    try:
        return network == "lenet5" or any(row.kind == "fc" for row in layers.parse(network))
    except ValueError:  # it is being written
        return True


def _choose(label: str, values: tuple[str, ...], key: str) -> str:
    chosen: str = st.selectbox(label, values, format_func=NAMES.__getitem__, key=key, **BOUND)
    return chosen


def _data(asked: Mapping[str, str]) -> tuple[str, About]:
    """Choose the data; own pictures come as a zip, or by the address of somebody who has them."""
    own: list[str] = st.session_state.setdefault("train_own", [])
    linked = asked.get("train_data", "")
    if linked:
        try:
            datasets.about(linked)
        except ValueError as error:
            st.toast(words.plain(str(error)), icon=":material/link_off:", duration="long")
        else:
            if linked.startswith(datasets.OWN) and linked not in own:
                own.append(linked)
            st.session_state.train_data = linked
    data = st.selectbox(
        "Data",
        ("mnist", "fashion", *own),
        format_func=lambda name: NAMES.get(name) or f"Own pictures {own.index(name) + 1}",
        key="train_data",
        persist_state="session",
    )
    address.note("train_data", data if data != Recipe().data else "")
    with st.popover("Own pictures", icon=":material/upload:", width="stretch"):
        st.markdown(
            "A zip with one folder of pictures a class: at least two classes and five pictures "
            "each. They are cut to a square, scaled to 28×28 and kept on the server in that size; "
            "who has your address can train on them."
        )
        st.file_uploader(
            "Zip", type="zip", key="train_zip", on_change=_take, label_visibility="collapsed"
        )
        told = st.session_state.get("train_told")
        if told:
            (st.success if told[0] else st.warning)(told[1])
    try:
        return data, datasets.about(data)
    except ValueError as error:  # they were deleted on the server meanwhile
        own.remove(data)
        st.toast(str(error), icon=":material/error:", duration="long")
        return "mnist", datasets.about("mnist")


def _take() -> None:
    """Take in the zip that was just uploaded."""
    file = st.session_state.train_zip
    if file is None:
        return
    try:
        pictures = uploads.read_zip(file.getvalue())
        name = datasets.OWN + uploads.keep(uploads.folder(), pictures)
    except (ValueError, OSError) as error:
        st.session_state.train_told = (False, words.plain(str(error)))
        return
    if name not in st.session_state.train_own:
        st.session_state.train_own.append(name)
    st.session_state.train_data = name
    count, classes = (
        len(pictures.labels),
        words.choices(tuple(map(words.plain, pictures.classes))).replace(" or ", " and "),
    )
    sentences = [f"{count:,} pictures of {classes}.", *map(words.plain, pictures.left_out)]
    st.session_state.train_told = (True, " ".join(sentences))


def _network(choice: str) -> str:
    """Write the chosen network as a recipe has it."""
    if choice == "lenet5":
        return choice
    if choice == "own":
        return _own_table()
    table = layers.PRESETS[choice]
    if choice == "resnet":
        shortcuts = st.toggle("Shortcuts", True, key="train_shortcuts", **BOUND)
        table = table if shortcuts else PLAIN
    activation = _choose("Activation", (AS_IS, *layers.ACTIVATIONS), "train_activation")
    normalisation = _choose("Normalisation", (AS_IS, *layers.NORMALISATIONS), "train_norm")
    wished = {"activation": activation, "normalisation": normalisation}
    rows = []
    for row in layers.parse(table):
        for name, value in wished.items():
            if value != AS_IS and name in layers.KINDS[row.kind]:
                row = replace(row, **{name: value})  # type: ignore[arg-type] # both are words
        rows.append(row)
    return layers.write(rows)


def _own_table() -> str:
    """Read the table that stands in the address or in the editor below."""
    text: str = st.text_input(
        "Layer table",
        layers.PRESETS["lenet5"],
        key="train_table",
        help="Rows separated by commas; the tab *Network* below has an editor for it.",
        **BOUND,
    )
    return text


def _refuse(
    asked: Mapping[str, str],
    recipe: Recipe,
    choice: str,
    images: int,
    smoothing: float,
    looks: Mapping[str, tuple[Any, str]],
) -> None:
    """Say of each value in the address that could not be had what it has to be."""

    def one_of(values: tuple[Any, ...]) -> str:
        return f"one of {words.choices(values)}"

    def named(values: tuple[str, ...]) -> str:
        return one_of(tuple(NAMES[value] for value in values))

    given = {
        key: (NAMES[st.session_state[key]], named((AS_IS, *values)))
        for key, values in (
            ("train_activation", layers.ACTIVATIONS),
            ("train_norm", layers.NORMALISATIONS),
        )
        if key in st.session_state
    }
    if "train_shortcuts" in st.session_state:
        given["train_shortcuts"] = str(st.session_state.train_shortcuts).lower(), "true or false"
    address.refuse(
        "train",
        asked,
        given
        | {
            "train_rate": (recipe.learning_rate, one_of(recipes.RATES)),
            "train_batch": (recipe.batch_size, one_of(recipes.BATCHES)),
            "train_epochs": (recipe.epochs, f"a whole number from 1 to {recipes.MOST_EPOCHS}"),
            "train_optimiser": (NAMES[recipe.optimiser], named(recipes.OPTIMISERS)),
            "train_schedule": (NAMES[recipe.schedule], named(recipes.SCHEDULES)),
            "train_decay": (recipe.weight_decay, one_of(recipes.DECAYS)),
            "train_momentum": (recipe.momentum, one_of(recipes.MOMENTA)),
            "train_l1": (recipe.l1, one_of(L1)),
            "train_dropout": (recipe.dropout, one_of(DROPOUTS)),
            "train_smoothing": (smoothing, one_of(SMOOTHINGS)),
            "train_adversary": (
                NAMES[st.session_state.train_adversary],
                named(recipes.ADVERSARIES),
            ),
            "train_epsilon": (
                said("epsilon", recipe.epsilon),
                one_of(tuple(said("epsilon", each) for each in recipes.EPSILONS)),
            ),
            "train_loss": (NAMES[recipe.loss], named(recipes.LOSSES)),
            "train_initial": (NAMES[recipe.initialisation], named(recipes.INITIALISATIONS)),
            "train_network": (NAMES[choice], named(NETWORKS)),
            "train_patience": (recipe.patience or "never", one_of(("never", *PATIENCES[1:]))),
            "train_images": (
                f"{images:,}" if images else "all",
                f"all or {one_of(tuple(f'{count:,}' for count in COUNTS[1:]))}",
            ),
            "train_seed": (recipe.seed, "a whole number from 0 to 2,147,483,647"),
            **looks,
        },
        KNOWN,
    )
