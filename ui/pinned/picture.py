"""The choice of the picture, in the sidebar of every vision panel, in the form a network takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Float, UInt8

from core.shared import datasets, models, photographs, pictures, seeing
from core.shared.engine import Engine
from core.shared.models import About, Source
from core.shared.pictures import Picture
from ui import address, screen, words

__all__ = [
    "KINDS",
    "SAMPLE",
    "Pin",
    "Pinned",
    "choose_picture",
    "leave",
    "look_of",
    "offered",
    "pictures_of",
    "see",
    "take",
]

Pin = dict[str, Any]  # the choice of the picture, as a session keeps it

SAMPLE = "core.shared.samples:sample"
KINDS = {
    "test": "A test image",
    "photograph": "A photograph",
    "drawn": "Drawn by you",
    "camera": "From the camera",
    "own": "Your own picture",
}
MOST = 8  # pictures of a visitor
SIDE = 84  # pixels of a pad's drawing
STAYS: dict[str, Any] = {"persist_state": "session"}


@dataclass(frozen=True, slots=True)
class Own:
    """A picture that a visitor gave."""

    picture: Picture
    title: str  # its file's name, or where it is from
    # What a page made it of, as the network sees that.
    before: Float[np.ndarray, "c h w"] | None = None


_pictures: dict[str, dict[str, Own]] = {}  # of the visitors who are here, by their names


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
    # The picture at its own resolution, where the network takes photographs.
    photograph: UInt8[np.ndarray, "H W 3"] | None = None


def choose_picture(about: About, asked: Mapping[str, str], pin: Pin) -> None:
    """Draw the choice, and note it in the pin."""
    state, known = st.session_state, {e.name: e.title for e in photographs.photographs()}
    kind, _, value = asked.get("pin_picture", "").partition("-")
    if kind in KINDS:
        state.pin_kind = kind
        if kind == "photograph" and value in known:
            state.pin_photograph = value
        if kind in ("own", "camera"):
            pin["chosen"] = value
    if "pin_index" in asked:
        pin["index"] = address.number(asked["pin_index"]) or 0
    wish, wanted = pin.pop("wish", ("", ""))  # what a click on another part of the page asked for
    if wish:
        state.pin_kind = wish
        if wish == "test":  # of what the network learned from
            pin.update(index=wanted, data=about.data)
        else:
            state.pin_photograph = wanted
    state.setdefault("pin_kind", "test" if about.data else "photograph")
    pin["kind"] = chosen = st.selectbox(
        "Picture", list(KINDS), format_func=KINDS.__getitem__, key="pin_kind", **STAYS
    )
    titles = offered(about)
    if asked.get("pin_data") in titles:
        pin.update(data=asked["pin_data"], of=about.data)
    elif pin.get("of") != about.data or pin.get("data") not in titles:  # of another network
        pin.update(data=next(iter(titles)), of=about.data)
    pin["photograph"] = state.get("pin_photograph") or next(iter(known))
    if chosen == "test":
        most = datasets.about(pin["data"]).test - 1
        state.pin_data, state.pin_index = pin["data"], min(pin["index"], most)

        def turn() -> None:
            pin.update(data=state.pin_data, index=int(state.pin_index))

        st.selectbox(
            "of",
            list(titles),
            format_func=titles.__getitem__,
            key="pin_data",
            on_change=turn,
        )
        st.number_input("Number", 0, most, key="pin_index", on_change=turn)
    elif chosen == "photograph":
        pin["photograph"] = st.selectbox(
            "Photograph", list(known), format_func=known.__getitem__, key="pin_photograph", **STAYS
        )
    elif chosen == "camera":
        st.camera_input("Camera", key="pin_camera", on_change=_take, args=("pin_camera", pin))
    elif chosen == "own":
        key = f"pin_upload_{pin.get('refused', 0)}"  # another one no longer names what was refused
        st.file_uploader(
            "Picture",
            key=key,
            on_change=_take,
            args=(key, pin),
            max_upload_size=pictures.BYTES // pictures.MEGABYTE,
        )
    if chosen in ("camera", "own"):
        given = pin["pictures"].get(pin.get("chosen", ""))
        st.caption(
            (f"Shown: {_named(given)}. " if given else "")
            + "It is kept in memory while you are here, and for nobody else."
        )
        if pin.get("told"):
            st.warning(pin["told"])
        elif not given:
            gone = "The picture of this address is no longer here. " if pin.get("chosen") else ""
            what = "Take" if chosen == "camera" else "Give"
            kinds = "" if chosen == "camera" else ": JPEG, PNG, WebP, GIF, BMP or TIFF"
            st.info(f"{gone}{what} a picture{kinds}.")


def pictures_of(visitor: str) -> dict[str, Own]:
    """Give the pictures that a visitor gave, also in another window or before F5."""
    return _pictures.setdefault(visitor, {})


def leave(visitor: str) -> None:
    """Forget the pictures of a visitor who has gone."""
    _pictures.pop(visitor, None)


def offered(about: About) -> dict[str, str]:
    """Name the data whose test images a network can be shown: first those it learned from."""
    own = [about.data] if about.data else []
    return {name: datasets.about(name).title for name in (*own, "mnist", "fashion")}


def steer(pin: Pin) -> dict[str, Callable[[Any], object]]:
    """Say what to do with what a screen tells of the picture: its index, and what is drawn."""

    def leaf(index: Any) -> None:
        pin["index"] = max(0, int(index))

    def ink(text: Any) -> None:
        pin["ink"] = screen.ink(text)

    return {"index": leaf, "ink": ink}


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
        "look": look_of(about),
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
            given: Own | None = pin["pictures"].get(pin.get("chosen", ""))
            known["title"] = "your picture" if given else "a cat, until you give a picture"
            known["foreign"] = "" if given else "There is no picture of yours yet: this is a cat."
            picture = given.picture if given else photographs.photograph("chelsea")
    if about.shape == models.IMAGENET_SHAPE:
        known["photograph"] = picture.pixels
    return Pinned(**known, pixels=_fitted(picture, about, pin))


def _sample(engine: Engine, about: About, pin: Pin, known: dict[str, Any]) -> Pinned:
    data = pin["data"]
    of = datasets.about(data)
    index = min(pin["index"], of.test - 1)
    found = engine.call(SAMPLE, data, index)
    title = f"test image {index:,} of {of.title}: {of.classes[found.label]}"
    known |= {"count": of.test, "index": index, "title": title}
    if data == about.data:
        return Pinned(**known | {"label": found.label}, pixels=found.pixels)
    if about.data or about.shape == models.IMAGENET_SHAPE:
        learned = datasets.about(about.data).title if about.data else "ImageNet"
        known["foreign"] = f"This is none of its classes: it learned from {learned}."
    pixels = found.pixels
    if of.shape != about.shape:
        pixels = seeing.fit(seeing.as_picture(pixels), about.shape, "")
    return Pinned(**known, pixels=pixels)


def _take(key: str, pin: Pin) -> None:
    """Take in a picture that was just uploaded or taken."""
    file = st.session_state[key]
    if file is None:
        return
    try:
        picture = pictures.read(file.getvalue())
    except ValueError as error:
        before = pin["pictures"].get(pin.get("chosen", ""))
        stays = f" The picture before stays: {_named(before)}." if before else ""
        pin["told"] = words.plain(words.sentence(str(error))) + stays
        pin["refused"] = pin.get("refused", 0) + 1
        return
    _keep(Own(picture, "from the camera" if pin["kind"] == "camera" else file.name), pin)


def take(
    pin: Pin, picture: Picture, title: str, before: Float[np.ndarray, "c h w"] | None = None
) -> None:
    """Take a picture that was made on a page for the visitor's own.

    Args:
        pin: of the visitor.
        picture: that was made.
        title: what it is.
        before: what it was made of, as the network sees it.
    """
    _keep(Own(picture, title, before), pin)
    st.session_state.pin_kind = "own"


def before(pin: Pin) -> Float[np.ndarray, "c h w"] | None:
    """Give what the pinned picture was made of, where a page made it."""
    own = pin["pictures"].get(pin.get("chosen", "")) if pin["kind"] == "own" else None
    return own.before if own else None


def _named(own: Own) -> str:
    height, width, _ = own.picture.pixels.shape
    return f"{words.plain(own.title[:60])}, {width}×{height}"


def _keep(given: Own, pin: Pin) -> None:
    own: dict[str, Own] = pin["pictures"]
    known = own.get(given.picture.name)
    if known and given.before is None:  # the same again, uploaded
        given = replace(given, before=known.before)
    own[given.picture.name] = given
    while len(own) > MOST:
        del own[next(iter(own))]
    pin["chosen"], pin["told"] = given.picture.name, ""


def _fitted(picture: Picture, about: About, pin: Pin) -> Float[np.ndarray, "c h w"]:
    """Fit a picture to a network, or give it as it was fitted last."""
    key = (picture.name, about.shape, about.data)
    of, fitted = pin.get("fitted", (None, None))  # a screen's route may put another there meanwhile
    if of != key:
        fitted = seeing.fit(picture.pixels, about.shape, about.data)
        pin["fitted"] = key, fitted
    found: np.ndarray = fitted
    return found


def look_of(about: About) -> str:
    """Tell how a picture for a network is painted; see ui/js/screen.js."""
    if about.shape[0] > 1:
        return "colour"
    return "grey" if about.data.startswith(datasets.OWN) else "ink"


def _form(about: About) -> str:
    channels, height, width = about.shape
    return f"{height}×{width} pixels, {'in colour' if channels > 1 else 'one channel'}"
