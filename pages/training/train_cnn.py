"""Train a CNN: What happens inside a network while it learns?"""

from typing import Any

import streamlit as st

from core import train_cnn
from core.shared.engine import View
from core.shared.recipes import BATCHES, DECAYS, OPTIMISERS, RATES, SCHEDULES, Recipe
from core.train_cnn.script import script
from ui import blocks, live, screen, server, visitors, words
from ui.blocks import Block, Maps

NAMES = {
    "nesterov": "SGD, Nesterov momentum 0.9",
    "momentum": "SGD, momentum 0.9",
    "adam": "Adam",
    "linear": "warm-up, then linear to 0",
    "constant": "constant",
}
LAYERS = {"C1": (2.4, 3), "S2": (1.7, 3), "C3": (2.1, 4), "S4": (1.9, 4)}  # width, maps in a row
LESSONS = """
1. **Too fast.** Start a run, then move η to 1 while it learns: the loss jumps within a few steps
   and does not come back; at 0.001 the curve is still far from 99 % after three epochs.
2. **From noise to edges.** Press *Start*, then *Pause* at once, and *One step* again and again:
   hardly anything moves. *Resume*: within half an epoch the kernels of C1 become edge detectors.
3. **What stays wrong.** At the end read the confusion matrix beside its diagonal: 4 and 9, 3 and 5,
   2 and 7. Draw such a digit and add one stroke until the answer tips.
"""
FORMULAE = {
    "nesterov": r"v \leftarrow 0.9\,v + g \qquad w \leftarrow w - \eta_t\,(g + 0.9\,v)",
    "momentum": r"v \leftarrow 0.9\,v + g \qquad w \leftarrow w - \eta_t\,v",
    "adam": r"m \leftarrow 0.9\,m + 0.1\,g \quad v \leftarrow 0.999\,v + 0.001\,g^2"
    r"\quad w \leftarrow w - \eta_t\,\frac{m/(1-0.9^t)}{\sqrt{v/(1-0.999^t)}+10^{-8}}",
}

engine, visitor = server.engine(), visitors.visitor()
views = {v.run: v for v in engine.runs_of(visitor) if v.function == train_cnn.TRAIN}
bound: dict[str, Any] = {"bind": "query-params"}  # each setting stands in the address


def told(run: str) -> str:
    """Name a run by what sets it apart."""
    place, config = len(views) - list(views).index(run), views[run].config
    words = "{learning_rate:g}, batch {batch_size}, {optimiser}, {epochs} epochs, seed {seed}"
    return f"{place}: η " + words.format(**config)


def start() -> None:
    """Start a run by the settings, and look at it."""
    st.session_state.train_run = live.trying(
        engine.submit, train_cnn.TRAIN, recipe, visitor=visitor
    )


def steer() -> None:
    """Let the run that is under way go on with the rate that was just chosen."""
    view = views.get(st.session_state.get("train_run", ""))
    if view and view.live:
        live.trying(engine.post, view.run, train_cnn.CHANGE_RATE, st.session_state.train_rate)


st.title("Train a CNN", anchor=False)
st.write("What happens inside a network while it learns? Watch **LeNet-5** learn to read digits.")
settings, picture = st.columns([1, 3.7], gap="medium")

with settings:
    rate = st.select_slider(
        "Learning rate η", RATES, 0.1, key="train_rate", on_change=steer, **bound
    )
    batch = st.select_slider("Batch size", BATCHES, 64, key="train_batch", **bound)
    epochs = st.slider("Epochs", 1, 20, 3, key="train_epochs", **bound)
    optimiser = st.selectbox(
        "Optimiser", OPTIMISERS, format_func=NAMES.__getitem__, key="train_optimiser", **bound
    )
    schedule = st.selectbox(
        "η over the run", SCHEDULES, format_func=NAMES.__getitem__, key="train_schedule", **bound
    )
    decay = st.select_slider("Weight decay λ", DECAYS, 0.001, key="train_decay", **bound)
    seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="train_seed", **bound)
    recipe = Recipe(
        learning_rate=rate,
        batch_size=batch,
        optimiser=optimiser,
        schedule=schedule,
        weight_decay=decay,
        epochs=epochs,
        seed=seed,
    )
    with st.container(key="train_plan"):
        st.caption(f"A new run: {recipe.plan(train_cnn.TRAINING_IMAGES)}.")

with picture:
    if len(views) > 1:
        st.selectbox("Run", list(views), format_func=told, key="train_run")
    run = views.get(st.session_state.get("train_run", "")) or next(iter(views.values()), None)
    live.transport("train", engine, run, start)


def draw(view: View | None) -> list[Block]:
    """Draw a run's newest state, or the network before its first step."""
    if view and view.state is None and not view.live:
        engine.ask(view.run, train_cnn.SHOW, 0)  # wakes it from its snapshot
        view = engine.view(view.run)
    state = view.state if view and view.state else engine.call(train_cnn.UNTRAINED, seed)
    x, last = state.epoch_of, state.epochs
    shown = [
        live.standing(view),
        blocks.figures(figures(state, view)),
        blocks.losses(x, state.training_loss, state.validation_loss, last),
        blocks.accuracies(x, state.training_accuracy, state.validation_accuracy, last),
        blocks.maps(board(state)),
    ]
    if view:
        end = train_cnn.VALIDATION_IMAGES - 1
        shown.append(blocks.drag("digit", "Validation digit", 0, end, state.index))
    title = f"Confusion matrix of {state.confusion_images:,} validation digits"
    seen, shares = (state.drawn.seen, state.drawn.probabilities) if state.drawn else (None, None)
    hint = (
        "Draw, and this network reads along, also while it learns."
        if view
        else "Start a run, then draw: its network reads along while it learns."
    )
    return [
        *shown,
        blocks.matrix(state.confusion, title, span=6),
        blocks.pad("ink", "Draw a digit", span=3),
        blocks.reading(seen, shares, "What the network sees", hint, span=3),
    ]


def figures(state: train_cnn.State, view: View | None) -> list[tuple[str, str]]:
    """List the numbers of the present step."""
    pace = view.pace if view and view.status == "running" else None
    return [
        ("step", f"{state.step:,} of {state.steps:,}"),
        ("η now", f"{state.learning_rate:.4f}"),
        ("training", words.pair(state.training_loss, state.training_accuracy)),
        ("validation", words.pair(state.validation_loss, state.validation_accuracy)),
        ("images/s", f"{train_cnn.images_a_second(state, pace):,.0f}" if pace else "–"),
        ("time left", words.duration(view.seconds_left if view and pace else None)),
    ]


def board(state: train_cnn.State) -> list[Maps]:
    """Put the watched digit, the kernels and the maps of each layer on one board."""
    best = state.watched.probabilities.argmax()
    digit = Maps(
        name=f"a {state.label}",
        values=state.watched.seen[None],
        high=1,
        columns=1,
        share=1.5,
        ink=True,
        range=f"read: {best}, {100 * state.watched.probabilities[best]:.0f} %",
        alt=f"A handwritten {state.label}",
    )
    largest = float(abs(state.kernels).max())
    kernels = Maps(
        name="C1 kernels",
        values=state.kernels,
        high=largest,
        columns=3,
        share=1.8,
        range=f"6 of 5×5, ±{largest:.2f}",
        alt="The six 5×5 kernels of the first layer",
    )
    layers = [
        Maps(
            name=f"{name} maps",
            values=state.maps[name],
            high=train_cnn.SQUASHED,
            columns=columns,
            share=share,
            range="{} of {}×{}, ±1.72".format(*state.maps[name].shape),
            alt=f"Feature maps of layer {name} for the watched digit",
        )
        for name, (share, columns) in LAYERS.items()
    ]
    return [digit, kernels, *layers]


def test() -> None:
    """Read the test digits, because the visitor asked for it."""
    if run:
        live.trying(engine.ask, run.run, train_cnn.TEST)


with picture:
    shown = run.run if run else ""
    screen.screen(
        "train_screen",
        lambda: engine.view(shown) if shown else None,
        draw,
        {
            "digit": lambda index: engine.ask(shown, train_cnn.SHOW, int(index)),
            "ink": lambda text: engine.ask(shown, train_cnn.READ, screen.ink(text)),
        },
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Read the 10,000 test digits",
            icon=":material/lock_open:",
            disabled=run is None,
            on_click=test,
        )
        tested = engine.view(shown).state if shown else None
        st.markdown(words.tested(tested.tested if tested else None))
    st.caption(
        "The test digits are read only when you ask. Whoever picks rates, epochs or seeds by them "
        "has begun to learn them; choose by validation, and test once, at the end."
    )

lesson, formula, network, code = st.tabs(["What to try", "Formula", "Network", "The code"])
with lesson:
    st.markdown(LESSONS)
with formula:
    st.latex(r"L = -\frac{1}{B}\sum_{n=1}^{B}\log p_{n,y_n} \qquad p_n = \mathrm{softmax}(z_n)")
    st.latex(rf"g = \nabla_{{\!w}} L + {recipe.weight_decay:g}\,w")
    st.latex(FORMULAE[optimiser])
    st.latex(recipe.formula(train_cnn.TRAINING_IMAGES))
with network:
    st.markdown(words.table(live.trying(engine.call, train_cnn.TABLE) or ()))
    st.caption(
        "LeNet-5 of LeCun, Bottou, Bengio and Haffner 1998, section II.B, with their Table I in C3 "
        "and f(a) = 1.7159 tanh(2a/3) after each layer; the output is a softmax of ten logits "
        "where the paper has radial basis functions."
    )
with code:
    st.markdown("This run as plain PyTorch; started in the repository, it gives the same losses.")
    st.code(script(recipe), language="python", height=420)
