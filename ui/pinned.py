"""The network and the picture that are pinned: chosen in the sidebar of every vision panel.

Both go along from panel to panel and stand in the address. Pictures of a visitor's own stay in
their session, named there by what is in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Float

from core import train_cnn
from core.shared import datasets, models, photographs, pictures, runs, seeing, weights
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from core.shared.pictures import Picture
from ui import address, live, words
from ui.blocks import Block, drag, pad
from ui.inside import answers

__all__ = ["SAMPLE", "Pin", "Pinned", "blocks", "choose", "see"]

Pin = dict[str, Any]  # the choice of the picture, as a session keeps it

SAMPLE = "core.shared.samples:sample"
STRANGE = "core.shared.samples:strangeness"
KINDS = {
    "test": "A test image",
    "photograph": "A photograph",
    "drawn": "Drawn by you",
    "camera": "From the camera",
    "own": "Your own picture",
}
LOOK = "pin_look"  # in the address: the network that another page sends the visitor to look into
MOST = 8  # pictures of a session
UNSURE = 0.3  # a network of ImageNet that is less sure may not know the class
SHOWN = 5  # classes
SIDE = 84  # pixels of a pad's drawing
STAYS: dict[str, Any] = {"persist_state": "session"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A network and a picture, brought into the form that the network takes."""

    source: Source
    about: About
    pixels: Float[np.ndarray, "c h w"]  # from 0 to 1
    title: str  # of the picture
    form: str  # what was done to it, in words
    label: int | None  # its class among the network's, where it is known
    foreign: str  # a sentence, when it is known to be of none of these
    count: int  # test images that can be leafed through; 0: it is none of these
    index: int  # of the test image
    look: str  # how it is painted; see ui/js/screen.js
    pad: bool | None  # whether the pad it is drawn on is empty; None: it is not drawn


def choose(engine: Engine, visitor: str) -> tuple[Source, About, Pin] | None:
    """Draw the choice of network and picture in the sidebar; None while there is no such network.

    A sentence then stands there that says why.

    Returns: the network, what is known about it, and the choice of the picture, for `see`.
    """
    asked = address.asked("pin")
    pin: Pin = st.session_state.setdefault("pin", {"index": 0, "ink": None, "pictures": {}})
    with st.sidebar:
        source = _network(engine, visitor, asked)
        about = None
        if source is not None:
            try:
                about = models.about(source)
            except ValueError as error:
                st.warning(words.plain(str(error)))
        if about is not None:
            if about.accuracy is not None:
                of = "its" if about.data else "ImageNet's validation"
                kind = " test images" if about.data else " images"
                st.caption(f"It reads {about.accuracy:.2%} of {of}{kind} right.")
            st.caption(words.plain(about.note))
            _picture(about, asked, pin)
    address.refuse("pin", asked, {})
    address.note("pin_network", st.session_state.pin_network)
    if source is None or about is None:
        return None
    value = {"photograph": pin["photograph"], "own": pin.get("chosen")}.get(pin["kind"])
    address.note("pin_picture", f"{pin['kind']}-{value}" if value else pin["kind"])
    address.note("pin_index", str(pin["index"] or "") if pin["kind"] == "test" else "")
    return source, about, pin


def see(engine: Engine, source: Source, about: About, pin: Pin) -> Pinned:
    """Bring the chosen picture into the form that the network takes.

    Raises: EngineError when a test image cannot be had.
    """
    known: dict[str, Any] = {
        "source": source,
        "about": about,
        "count": 0,
        "index": 0,
        "label": None,
        "foreign": "",
        "look": _look(about),
        "form": _form(about),
        "pad": None,
    }
    match pin["kind"]:
        case "test":
            return _sample(engine, about, pin, known)
        case "photograph":
            (chosen,) = (e for e in photographs.photographs() if e.name == pin["photograph"])
            known["title"], picture = chosen.title, photographs.photograph(chosen.name)
            if chosen.label in about.classes:
                known["label"] = about.classes.index(chosen.label)
            else:
                known["foreign"] = "This picture is of none of its classes."
        case "drawn":
            ink = pin["ink"]
            drawn = np.zeros((SIDE, SIDE), np.float32) if ink is None else ink
            known |= {"title": "your drawing", "pad": ink is None}
            picture = Picture.of(seeing.as_picture(1 - drawn[None]))
        case _:
            given = pin["pictures"].get(pin.get("chosen", ""))
            known["title"] = "your picture" if given else "a cat, until you give a picture"
            picture = given or photographs.photograph("chelsea")
    return Pinned(**known, pixels=_fitted(picture, about))


def _sample(engine: Engine, about: About, pin: Pin, known: dict[str, Any]) -> Pinned:
    data = about.data or pin["data"]
    of = datasets.about(data)
    index = min(pin["index"], of.test - 1)
    found = engine.call(SAMPLE, data, index)
    title = f"test image {index:,} of {of.title}: {of.classes[found.label]}"
    known |= {"count": of.test, "index": index, "title": title}
    if data == about.data:
        return Pinned(**known | {"label": found.label}, pixels=found.pixels)
    if about.shape == models.IMAGENET_SHAPE:
        known["foreign"] = "This is none of its classes: it learned from ImageNet."
    return Pinned(
        **known, pixels=seeing.fit(seeing.as_picture(found.pixels), about.shape, about.data)
    )


def blocks(engine: Engine, pinned: Pinned, probabilities: Float[np.ndarray, " k"]) -> list[Block]:
    """Show the picture as the network sees it, what it reads, and what leads to the next picture.

    Args:
        engine: knows which pictures are strange to the network.
        pinned: network and picture.
        probabilities: of the network's classes.
    """
    order = probabilities.argsort()[::-1][:SHOWN]
    classes = pinned.about.classes
    entropy = float(-(probabilities * np.log(np.maximum(probabilities, 1e-300))).sum())
    note, warn = _doubt(engine, pinned, float(probabilities.max()))
    bits = f"Entropy {entropy:.3f} of at most {np.log(len(classes)):.2f} nats."
    true = "" if pinned.label is None else f" It shows: {classes[pinned.label]}."
    judged = ", rightly" if pinned.label == order[0] else ", wrongly"
    drawn = [
        answers(
            pinned.pixels,
            [(classes[k], float(probabilities[k])) for k in order],
            title="What the network sees",
            form=f"{pinned.title[:1].upper()}{pinned.title[1:]}; {pinned.form}.",
            reads=f"{pinned.about.title} reads: {classes[order[0]]}"
            + (judged if pinned.label is not None and pinned.count else ""),
            note=f"{bits}{true} {note}".strip(),
            warn=warn,
            look=pinned.look,
        )
    ]
    if pinned.count:
        drawn.append(drag("index", "Test image", 0, pinned.count - 1, pinned.index))
    if pinned.pad is not None:
        drawn.append(pad("ink", "Draw with mouse, pen or finger", blank=pinned.pad, span=12))
    return drawn


def _doubt(engine: Engine, pinned: Pinned, most: float) -> tuple[str, bool]:
    """Say when the picture is, or seems to be, of no class that the network knows."""
    if pinned.foreign:
        return pinned.foreign, True
    if pinned.label is not None or not pinned.pixels.any():
        return ("" if pinned.label is not None else "There is nothing in it yet."), False
    if pinned.about.data:
        try:
            far, usual = engine.call(STRANGE, pinned.source, pinned.pixels)
        except EngineError:
            return "", False
        if far > usual:
            by = f"its distance to what it learned is {far:.2f}; of 99 of 100 test images at most"
            return f"It may be of no class that the network knows: {by} {usual:.2f}.", True
    elif most < UNSURE:
        return "No class has 30 %: it may be of none that the network knows.", True
    return "", False


def _network(engine: Engine, visitor: str, asked: Mapping[str, str]) -> Source | None:
    views, _ = live.readable(engine.runs_of(visitor), train_cnn.TRAIN, train_cnn.known)
    own: list[str] = st.session_state.setdefault("pin_weights", [])
    wanted = st.query_params.get(LOOK, asked.get("pin_network", ""))
    address.note(LOOK, "")
    if wanted.startswith("own-") and wanted not in own and weights.NAME.fullmatch(wanted[4:]):
        own.append(wanted)
    names = {
        "mnist": "Built-in: MNIST digits",
        "fashion": "Built-in: Fashion-MNIST",
        "efficientnet-lite0": "EfficientNet-Lite0, ImageNet",
        **{f"run-{run}": f"Run {view.number} of yours" for run, view in views.items()},
        **{each: f"Your weights {k}" for k, each in enumerate(own, 1)},
        **{
            name: f"{entry.title}, ImageNet" + ("" if models.here(name) else " ↓")
            for name, entry in models.ZOO.items()
        },
    }
    if wanted in names:
        st.session_state.pin_network = wanted
    elif wanted:
        st.toast(f"The network {words.plain(wanted[:40])} is not here.", icon=":material/link_off:")
    if st.session_state.get("pin_network") not in names:
        st.session_state.pin_network = "mnist"
    chosen = st.selectbox(
        "Network", list(names), format_func=names.__getitem__, key="pin_network", **STAYS
    )
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
    if chosen in own:
        return Source(kind="weights", name=chosen.removeprefix("own-"))
    return Source(kind="zoo" if chosen in models.ZOO else "built-in", name=chosen)


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
        disabled=not newer,
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
        name = "own-" + weights.keep(
            weights.folder(), file.getvalue(), st.session_state.get("pin_learned", "")
        )
    except (ValueError, OSError) as error:
        st.session_state.pin_weights_told = words.plain(str(error))
        return
    st.session_state.pin_weights_told = ""
    if name not in st.session_state.pin_weights:
        st.session_state.pin_weights.append(name)
    st.session_state.pin_network = name


def _picture(about: About, asked: Mapping[str, str], pin: Pin) -> None:
    state, known = st.session_state, {e.name: e.title for e in photographs.photographs()}
    kind, _, value = asked.get("pin_picture", "").partition("-")
    if kind in KINDS:
        state.pin_kind = kind
        if kind == "photograph" and value in known:
            state.pin_photograph = value
        if kind == "own":
            pin["chosen"] = value
    if "pin_index" in asked:
        pin["index"] = address.number(asked["pin_index"]) or 0
    wish, wanted = pin.pop("wish", ("", ""))  # what a click on another part of the page asked for
    if wish:
        state.pin_kind = wish
        if wish == "test":
            pin["index"] = wanted
        else:
            state.pin_photograph = wanted
    state.setdefault("pin_kind", "test" if about.data else "photograph")
    pin["kind"] = chosen = st.selectbox(
        "Picture", list(KINDS), format_func=KINDS.__getitem__, key="pin_kind", **STAYS
    )
    pin["data"] = pin.get("data", "mnist")
    pin["photograph"] = state.get("pin_photograph") or next(iter(known))
    if chosen == "test":
        if not about.data:
            titles = {name: datasets.about(name).title for name in ("mnist", "fashion")}
            pin["data"] = st.selectbox(
                "of", list(titles), format_func=titles.__getitem__, key="pin_data", **STAYS
            )
        most = datasets.about(about.data or pin["data"]).test - 1
        state.pin_index = min(pin["index"], most)

        def turn() -> None:
            pin["index"] = int(state.pin_index)

        st.number_input("Number", 0, most, key="pin_index", on_change=turn)
    elif chosen == "photograph":
        pin["photograph"] = st.selectbox(
            "Photograph", list(known), format_func=known.__getitem__, key="pin_photograph", **STAYS
        )
    elif chosen == "camera":
        st.camera_input("Camera", key="pin_camera", on_change=_take, args=("pin_camera", pin))
    elif chosen == "own":
        st.file_uploader("Picture", key="pin_upload", on_change=_take, args=("pin_upload", pin))
    if chosen in ("camera", "own"):
        st.caption("It stays in this session and is not kept on the server.")
        if pin.get("told"):
            st.warning(pin["told"])
        elif pin.get("chosen", "") not in pin["pictures"]:
            st.info("Give a picture: JPEG, PNG, WebP, GIF, BMP or TIFF.")


def _take(key: str, pin: Pin) -> None:
    """Take in a picture that was just uploaded or taken."""
    file = st.session_state[key]
    if file is None:
        return
    try:
        picture = pictures.read(file.getvalue())
    except ValueError as error:
        pin["told"] = words.plain(str(error))
        return
    own: dict[str, Picture] = pin["pictures"]
    own[picture.name] = picture
    while len(own) > MOST:
        del own[next(iter(own))]
    pin["chosen"], pin["told"] = picture.name, ""


def _fitted(picture: Picture, about: About) -> Float[np.ndarray, "c h w"]:
    return _remembered(
        picture.name, picture.pixels.tobytes(), picture.pixels.shape, about.shape, about.data
    )


@lru_cache(maxsize=64)
def _remembered(
    _: str, content: bytes, sides: tuple[int, ...], shape: tuple[int, int, int], data: str
) -> Float[np.ndarray, "c h w"]:
    return seeing.fit(np.frombuffer(content, np.uint8).reshape(sides), shape, data)


def _look(about: About) -> str:
    if about.shape[0] > 1:
        return "colour"
    return "grey" if about.data.startswith(datasets.OWN) else "ink"


def _form(about: About) -> str:
    channels, height, width = about.shape
    return f"{height}×{width} pixels, {'in colour' if channels > 1 else 'one channel'}"
