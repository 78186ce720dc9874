"""Train a CNN: What happens inside a network while it learns?"""

import streamlit as st

from core import train_cnn
from core.shared.engine import EngineError, View
from core.shared.recipes import OPTIMISERS, SCHEDULES, Recipe
from ui import canvas, charts, live, server, visitors, words

RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0)
BATCHES = (8, 16, 32, 64, 128, 256, 512)
NAMES = {"momentum": "SGD, momentum 0.9", "adam": "Adam", "linear": "linear to 0", "constant": "constant"}

engine, visitor = server.engine(), visitors.visitor()
mine = [view for view in engine.runs_of(visitor) if view.function == train_cnn.TRAIN]
run = mine[0] if mine else None


def change_rate() -> None:
    """Let the run that is under way go on with the rate that was just chosen."""
    if run is not None and run.live:
        live.trying(engine.ask, run.run, train_cnn.CHANGE_RATE, st.session_state.train_rate)


st.title("Train a CNN")
st.write("What happens inside a network while it learns? LeNet-5 reads 50,000 handwritten digits.")
left, right = st.columns([1, 3.4], gap="medium")

with left:
    bound = {"bind": "query-params"}
    rate = st.select_slider("Learning rate η", RATES, 0.02, key="train_rate", on_change=change_rate, **bound)
    batch = st.select_slider("Batch size", BATCHES, 32, key="train_batch", **bound)
    optimiser = st.selectbox("Optimiser", OPTIMISERS, format_func=NAMES.get, key="train_optimiser", **bound)
    schedule = st.selectbox("Rate over time", SCHEDULES, format_func=NAMES.get, key="train_schedule", **bound)
    epochs = st.slider("Epochs", 1, 20, 3, key="train_epochs", **bound)
    seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="train_seed", **bound)


def start() -> None:
    """Start a run by the controls."""
    live.trying(engine.submit, train_cnn.TRAIN, Recipe(learning_rate=rate, batch_size=batch, optimiser=optimiser,
        schedule=schedule, epochs=epochs, seed=seed), visitor=visitor)

with left:
    if run is None or not run.live:
        st.button("Start", type="primary", icon=":material/play_arrow:", on_click=start, width="stretch")
    else:
        st.button("Stop", icon=":material/stop:", on_click=engine.stop, args=(run.run,), width="stretch")


def draw(view: View | None) -> None:
    state = view.state if view and view.state else engine.call(train_cnn.UNTRAINED, seed)
    words.figures([("step", f"{state.step:,} of {state.steps:,}")])
    steps = state.curves[:, 0] * state.epoch / max(state.step, 1)
    a, b = st.columns(2)
    with a:
        charts.loss_curves(steps, state.curves[:, 1], state.curves[:, 3], last=3, key="train_loss")
    with b:
        charts.accuracy_curves(steps, state.curves[:, 2], state.curves[:, 4], last=3, key="train_accuracy")
    canvas.maps([canvas.Maps("C1", state.maps["C1"], 1.7, 3, "x", 2)], key="train_maps")
    canvas.confusion(state.confusion, key="train_confusion", alt="x")

with right:
    def watch() -> None:
        view = engine.view(run.run) if run else None
        if view and view.status != run.status: st.rerun()
        draw(view)
    st.fragment(watch, run_every=0.25 if run and run.live else None)()
