"""Train a CNN: What happens inside a network while it learns?"""

from typing import Any

import streamlit as st

from core import train_cnn
from core.shared.engine import EngineError, View
from core.shared.recipes import BATCHES, DECAYS, OPTIMISERS, RATES, SCHEDULES, Recipe
from core.train_cnn.script import script
from ui import address, live, screen, server, visitors, words
from ui.blocks import Block, progress
from ui.panels.train_cnn import draw

NAMES = {
    "nesterov": "SGD, Nesterov",
    "momentum": "SGD, momentum",
    "adam": "Adam",
    "linear": "rise, then fall",
    "constant": "constant",
}
LESSONS = """
1. **Too fast, too slow.** Start, and after the first epoch move η to 1: within a few steps the loss
   leaps above 100, and back at 0.1 the run stays at chance, one digit in ten: its units are
   saturated. Another run at η = 0.001 has 94 % after three epochs, where 0.1 has 98.8 %.
2. **Out of the noise.** *Start*, *Pause* at once, then *One step* twenty times: the kernels of C1
   are still their random start. *Resume*: after half an epoch some are twice as large (read ±) and
   have stripes that they did not begin with.
3. **What stays wrong.** At the end read the confusion matrix beside its diagonal: mostly 4 and 9,
   3 and 5, 5 and 6. Draw a 4 that is open at its top, then close it: a 9. Draw a 1, add a bar: a 7.
"""
FORMULAE = {
    "nesterov": (r"v \leftarrow 0.9\,v + g", r"w \leftarrow w - \eta_t\,(g + 0.9\,v)"),
    "momentum": (r"v \leftarrow 0.9\,v + g", r"w \leftarrow w - \eta_t\,v"),
    "adam": (
        r"m \leftarrow 0.9\,m + 0.1\,g",
        r"v \leftarrow 0.999\,v + 0.001\,g^2",
        r"w \leftarrow w - \eta_t\,\frac{m/(1-0.9^{t+1})}{\sqrt{v/(1-0.999^{t+1})}+10^{-8}}",
    ),
}

engine, visitor = server.engine(), visitors.visitor()
views = {v.run: v for v in engine.runs_of(visitor) if v.function == train_cnn.TRAIN}
# Each setting stands in the address, and stays when one goes to another page and comes back.
bound: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}
asked = address.asked("train")
if asked.get("train_run") in views:
    st.session_state.train_run = asked["train_run"]
digit = asked.get("train_digit", "")
known = digit.isdecimal() and len(digit) <= len("9999")
looks: dict[str, Any] = st.session_state.setdefault(  # at which digit, and what is drawn
    "train_looks", {"digit": int(digit) if known else 0, "ink": None}
)


def named(values: tuple[str, ...]) -> list[str]:
    """Say what can be chosen as the select boxes and the address do."""
    return [NAMES[value] for value in values]


def told(run: str) -> str:
    """Name a run by its number and by what is not as usual in it."""
    place, config = len(views) - list(views).index(run), views[run].config
    return f"{place}: {Recipe(**config).differs(NAMES)}"


def start() -> None:
    """Start a run by the settings, and look at it."""
    run = live.trying(engine.submit, train_cnn.TRAIN, recipe, visitor=visitor)
    if run:
        st.session_state.train_run = run
        if looks["digit"]:
            live.trying(engine.post, run, train_cnn.SHOW, looks["digit"])


def steer() -> None:
    """Let the run that is under way go on with the rate that was just chosen."""
    view = views.get(st.session_state.get("train_run") or "")
    if view and view.live:
        live.trying(live.tell, engine, view.run, train_cnn.CHANGE_RATE, st.session_state.train_rate)


st.title("Train a CNN", anchor=False)
st.write("What happens inside a network while it learns? Watch **LeNet-5** learn to read digits.")
buttons = st.container(horizontal=True, gap="xsmall")
picture, settings = st.columns([3.9, 1], gap="medium")

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
    seed = st.number_input(
        "Seed", 0, 2**31 - 1, 0, key="train_seed", help="From 0 to 2,147,483,647.", **bound
    )
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
    address.refuse(
        "train",
        asked,
        {
            "train_rate": (rate, f"one of {words.choices(RATES)}"),
            "train_batch": (batch, f"one of {words.choices(BATCHES)}"),
            "train_epochs": (epochs, "a whole number from 1 to 20"),
            "train_optimiser": (NAMES[optimiser], f"one of {words.choices(named(OPTIMISERS))}"),
            "train_schedule": (NAMES[schedule], f"one of {words.choices(named(SCHEDULES))}"),
            "train_decay": (decay, f"one of {words.choices(DECAYS)}"),
            "train_seed": (seed, "a whole number from 0 to 2,147,483,647"),
            "train_digit": (looks["digit"], "a whole number from 0 to 9,999"),
        },
    )

with buttons:
    chosen = views.get(st.session_state.get("train_run") or "", next(iter(views.values()), None))
    live.transport("train", engine, chosen, start)
    live.choose("train", engine, visitor, views, told)
shown = chosen.run if chosen else ""
if shown and known and "train_digit" in asked:
    live.trying(live.tell, engine, shown, train_cnn.SHOW, looks["digit"])


def board(view: View | None) -> list[Block]:
    """Draw a run's newest state, or the network before its first step, or say what is wrong."""
    try:
        return draw(*state_of(view))
    except EngineError as error:
        return [progress(0, str(error), warn=True)]


def state_of(view: View | None) -> tuple[train_cnn.State, View | None]:
    """Give what is to be drawn."""
    if view is None:
        state = engine.call(train_cnn.UNTRAINED, seed, looks["digit"], looks["ink"])
        return train_cnn.planned(state, recipe), None
    if view.state is None and not view.live:
        engine.ask(view.run, train_cnn.SHOW, looks["digit"])  # wakes it from its snapshot
        view = engine.view(view.run)
    if view.state is None:  # in the line, or just begun
        state = engine.call(train_cnn.UNTRAINED, view.config["seed"], looks["digit"])
        return train_cnn.planned(state, Recipe(**view.config)), view
    return view.state, view


def show(index: Any) -> None:
    """Look at another validation digit."""
    digit = int(index)
    if shown:
        live.tell(engine, shown, train_cnn.SHOW, digit)
    else:
        engine.call(train_cnn.UNTRAINED, seed, digit, looks["ink"])
    looks["digit"] = digit


def read(text: Any) -> None:
    """Read the drawn digit."""
    looks["ink"] = screen.ink(text)
    if shown:
        live.tell(engine, shown, train_cnn.READ, looks["ink"])


def test() -> None:
    """Read the test digits, because the visitor asked for it."""
    live.trying(engine.ask, shown, train_cnn.TEST)


with picture:
    screen.screen(
        "train_screen",
        lambda: live.seen(engine, shown),
        board,
        {"digit": show, "ink": read},
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Read the 10,000 test digits",
            icon=":material/lock_open:",
            disabled=not shown,
            on_click=test,
        )
        seen = live.seen(engine, shown)
        tested = seen.state if seen else None
        st.markdown(words.tested(tested.tested if tested else None))
    st.caption(
        "The test digits are read only when you ask. Whoever picks rates, epochs or seeds by them "
        "has begun to learn them; choose by validation, and test once, at the end."
    )
address.note("train_digit", str(looks["digit"] or ""))
address.note("train_run", shown if shown != next(iter(views), "") else "")

lesson, formula, network, code = st.tabs(
    ["What to try", "Formula", "Network", "The code"], on_change="rerun"
)
if lesson.open:
    lesson.markdown(LESSONS)
if formula.open:
    formula.latex(r"L = -\frac{1}{B}\sum_{n=1}^{B}\log p_{n,y_n}")
    formula.latex(r"p_n = \mathrm{softmax}(z_n) \qquad g = \nabla_{\!w} L + \lambda w")
    for line in (*FORMULAE[optimiser], *recipe.formula(train_cnn.TRAINING_IMAGES)):
        formula.latex(line)
    formula.caption(
        "With the settings of a new run: B images a step, weights w, labels y, logits z; t counts "
        "the steps from 0. The loss on the screen is L."
    )
if network.open:
    network.markdown(words.table(live.trying(engine.call, train_cnn.TABLE) or ()))
    network.caption(
        "LeNet-5 of LeCun, Bottou, Bengio and Haffner 1998, section II.B, with their Table I in C3 "
        "(16 maps that see 60 of the 96 pairs of maps: the other weights of the kernel take no "
        "part) and f(a) = 1.7159 tanh(2a/3) after each layer; the output is a softmax of ten "
        "logits where the paper has radial basis functions."
    )
if code.open:
    moved = tested.changes if tested else ()
    made = script(Recipe(**chosen.config), moved) if chosen else script(recipe)
    name = f"Run {told(shown)}" if chosen else "A new run"
    code.markdown(
        f"{name}, as plain PyTorch: started in the repository's folder, it gives the same losses."
    )
    code.code(made, language="python", height=420)
