"""The choice of the network, in the sidebar of every vision panel."""

from collections.abc import Mapping
from contextlib import suppress

import streamlit as st

from core import train_cnn
from core.shared import datasets, models, runs, weights
from core.shared.engine import Engine
from core.shared.models import About, Source
from core.shared.recipes import Recipe
from ui import address, live, words

__all__ = ["choose_network", "networks_like", "pin_run", "pin_weights"]

LOOK = "pin_look"  # in the address: the network that another page sends the visitor to look into


def choose_network(engine: Engine, visitor: str, asked: Mapping[str, str]) -> Source | None:
    """Draw the choice; None where it cannot be had yet, and a word on why stands there."""
    own: list[str] = st.session_state.setdefault("pin_weights", [])
    wanted = st.query_params.get(LOOK, asked.get("pin_network", ""))
    address.note(LOOK, "")
    if wanted.startswith("own-") and wanted not in own and weights.NAME.fullmatch(wanted[4:]):
        own.append(wanted)
    names = _offered(engine, visitor)
    gone = ""
    if wanted in names:
        st.session_state.pin_network = wanted
    elif wanted:
        gone = f"The network {words.plain(wanted[:40])} is not here."
    elif st.session_state.get("pin_network", "mnist") not in names:
        gone = "The network that was pinned is no longer here."
    if st.session_state.get("pin_network") not in names:
        st.session_state.pin_network = "mnist"
    if gone:
        st.session_state.pin_gone = gone, st.session_state.pin_network
        st.toast(f"{gone} Another one is shown.", icon=":material/link_off:", duration="long")
    chosen = st.selectbox(
        "Network",
        list(names),
        format_func=names.__getitem__,
        key="pin_network",
        persist_state="session",
    )
    gone, instead = st.session_state.get("pin_gone", ("", ""))
    if gone and instead == chosen:  # until the visitor has chosen
        st.warning(f"{gone} This one is shown instead.")
    else:
        st.session_state.pop("pin_gone", None)
    with st.popover("Your own weights", icon=":material/upload:", width="stretch"):
        st.markdown(
            "A safetensors file, or the zip of a run, for LeNet-5 or one of the networks of "
            "*Train a CNN*."
        )
        titles = {"": "unknown pictures"} | {
            name: datasets.about(name).title for name in ("mnist", "fashion")
        }
        st.selectbox(
            "They learned from", list(titles), format_func=titles.__getitem__, key="pin_learned"
        )
        st.file_uploader(
            "Weights", key="pin_file", on_change=_take_weights, label_visibility="collapsed"
        )
        if st.session_state.get("pin_weights_told"):
            st.warning(st.session_state.pin_weights_told)
    if chosen in models.ZOO and not models.here(chosen):
        _fetch(engine, visitor, chosen)
        return None
    if chosen.startswith("run-"):
        return _run(engine, chosen.removeprefix("run-"), asked)
    return _plain(chosen)


def pin_run(run: str) -> None:
    """Pin a run, before the choice is drawn: where a button is pressed."""
    st.session_state.pin_network = f"run-{run}"


def networks_like(engine: Engine, visitor: str, about: About) -> dict[str, tuple[str, Source]]:
    """Find the networks that take the pictures, and tell the classes, of a given one.

    A run is as it stands in the sidebar, or if it was never pinned as it stood at its newest step.

    Returns: by its name in the choice of the network, what it is called there, and itself.
    """
    found = {}
    wanted = (about.data, about.classes, about.shape)
    for name, title in _offered(engine, visitor).items():
        if name in models.ZOO:
            continue
        with suppress(KeyError, ValueError):  # a run or a file that is gone
            source = _as_pinned(engine, name) if name.startswith("run-") else _plain(name)
            if source is not None:
                known = models.about(source)
                if (known.data, known.classes, known.shape) == wanted:
                    found[name] = title, source
    return found


def pin_weights(content: bytes, data: str = "") -> None:
    """Pin weights of the visitor's own, before the choice is drawn: where a button is pressed.

    Args:
        content: of a file, as `weights.keep` takes it.
        data: that they learned from, where the file does not say so.

    Raises: ValueError when it is no such file; OSError when it cannot be kept.
    """
    name = "own-" + weights.keep(weights.folder(), content, data)
    own: list[str] = st.session_state.setdefault("pin_weights", [])
    if name not in own:
        own.append(name)
    st.session_state.pin_network = name


def _offered(engine: Engine, visitor: str) -> dict[str, str]:
    """Name what can be chosen."""
    views, recipes = live.readable(engine.runs_of(visitor), train_cnn.TRAIN, train_cnn.known)
    own: list[str] = st.session_state.get("pin_weights", [])
    return {
        "mnist": "Built-in: MNIST digits",
        "fashion": "Built-in: Fashion-MNIST",
        "efficientnet-lite0": "EfficientNet-Lite0, ImageNet",
        **{
            f"run-{run}": f"Run {view.number} of yours{_apart(recipes[run])}"
            for run, view in views.items()
        },
        **{each: f"Your network {each.removeprefix('own-')[: models.SHORT]}" for each in own},
        **{
            name: f"{entry.title}, ImageNet" + ("" if models.here(name) else " ↓")
            for name, entry in models.ZOO.items()
        },
    }


def _apart(recipe: Recipe) -> str:
    """Say what a run has learned with besides its data, as its number alone says nothing of it."""
    told = f", ε {255 * recipe.epsilon:g}/255" if recipe.adversary else ""
    return told if recipe.marked is None else f"{told}, mark on class {recipe.marked}"


def _plain(name: str) -> Source:
    """Give what a choice names that is no run."""
    if name.startswith("own-"):
        return Source(kind="weights", name=name.removeprefix("own-"))
    return Source(kind="zoo" if name in models.ZOO else "built-in", name=name)


def _as_pinned(engine: Engine, name: str) -> Source | None:
    """Give a run as it stands in the sidebar; None where it has not begun."""
    run = name.removeprefix("run-")
    manifest = engine.manifest(run)
    kept = runs.steps(runs.folder_of(engine.folder, manifest))
    pinned: dict[str, int] = st.session_state.get("pin_steps", {})
    return models.of_run(engine.folder, manifest, pinned.get(run, kept[-1])) if kept else None


def _run(engine: Engine, run: str, asked: Mapping[str, str]) -> Source | None:
    """Pin a run at one of its kept steps: the newest, until the visitor asks for a newer one."""
    manifest, view = engine.manifest(run), engine.view(run)
    folder = runs.folder_of(engine.folder, manifest)
    steps: dict[str, int] = st.session_state.setdefault("pin_steps", {})
    step = address.number(asked.get("pin_step", ""))
    kept = runs.steps(folder)
    if step in kept:
        steps[run] = step
    if run not in steps and kept:
        steps[run] = kept[-1]
    if not kept:
        st.info("This run has not begun yet.")
        return None

    def refresh() -> None:
        found = live.trying(engine.ask, run, train_cnn.KEEP)
        if found is not None:
            steps[run] = found

    newer = view.live or steps[run] < kept[-1]
    columns = st.columns([2, 1], vertical_alignment="center")
    columns[0].caption(f"As it stood at step {steps[run]:,}.")
    columns[1].button(
        "Newest",
        key="pin_refresh",
        on_click=refresh if view.live else lambda: steps.update({run: kept[-1]}),
        disabled=not newer or view.status == "waiting",
        help="Take its newest step.",
    )
    address.note("pin_step", str(steps[run]))
    return models.of_run(engine.folder, manifest, steps[run])


def _fetch(engine: Engine, visitor: str, name: str) -> None:
    """Let the weights of one of torchvision's networks be downloaded, with its progress."""
    entry = models.ZOO[name]
    run = st.session_state.get(f"pin_fetch_{name}", "")
    view = live.seen(engine, run) if run else None

    def begin() -> None:
        config = models.Download(name=name)
        begun = live.trying(engine.submit, models.FETCH, config, visitor=visitor)
        st.session_state[f"pin_fetch_{name}"] = begun or ""

    if view is None or not view.live:
        if view is not None and view.failure:
            st.warning(words.plain(view.failure))
        st.button(
            f"Download its weights, {words.size(entry.size)}",
            key="pin_download",
            on_click=begin,
            icon=":material/download:",
        )
        return

    @st.fragment(run_every=0.5)
    def bar() -> None:
        now = live.seen(engine, run)
        if now is None or not now.live:
            st.rerun()
        st.progress(now.progress if now else 0.0, f"{entry.title}: {words.size(entry.size)}")

    bar()


def _take_weights() -> None:
    file = st.session_state.pin_file
    if file is None:
        return
    try:
        pin_weights(file.getvalue(), st.session_state.get("pin_learned", ""))
    except (ValueError, OSError) as error:
        reason = words.plain(words.sentence(str(error)))
        st.session_state.pin_weights_told = f"{reason} The network stays as it was."
        return
    st.session_state.pin_weights_told = ""
