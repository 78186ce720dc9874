"""The picture that a class wants: two that climb its logit, with and without a generator."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Float

from core.saliency import WANT
from core.saliency.wishes import GENERATOR, NONE, PRIORS, Granted, Wanted, Wish
from core.shared import models
from core.shared.engine import Engine
from core.shared.models import About, Source
from ui import address, blocks, charts, pinned, words
from ui.blocks import Block, Maps
from ui.panels.saliency.granted import offer_code, offer_film, wish_of
from ui.running import Rules, choose, choose_seed, study

__all__ = ["draw", "wanted"]

WAYS: dict[tuple[str, ...], str] = {  # of a Wish: its priors
    (NONE, GENERATOR): "both, side by side",
    (NONE,): PRIORS[NONE],
    (GENERATOR,): PRIORS[GENERATOR],
}
CHOICES: dict[str, tuple[str, tuple[float, ...], str]] = {  # of a Wish: label, values, help
    "steps": ("Steps", (20, 50, 100, 200, 400), "Up the gradient of the logit."),
    "rate": (
        "Rate",
        (0.01, 0.02, 0.05, 0.1, 0.2),
        "What a step changes a pixel by, or a value of the code in its standard deviations.",
    ),
    "jitter": ("Jitter", (0, 1, 2, 4, 8, 16), "Pixels by which steps shift the picture."),
    "blur": ("Blur", (0.0, 0.3, 0.5, 1.0, 2.0), "Of the pixels at every fourth step; σ in pixels."),
    "weight_decay": (
        "Decay",
        (0.0, 0.01, 0.02, 0.05, 0.1),
        "The share that a step takes to the mean.",
    ),
}
USUAL = {"steps": 100, "rate": 0.05, "jitter": 1, "blur": 0.5, "weight_decay": 0.02}
PHOTOGRAPHS = {"rate": 0.02, "jitter": 8, "blur": 1.0, "weight_decay": 0.01}  # where they are large
NOW = -1  # a place of the film behind its last frame
SHARE, ALONE = 2.3, 3.2  # of a picture, against its neighbour and where there is none
COPIED = 0.5  # of the usual distance: who is nearer to a training image has copied it


def wanted(engine: Engine, visitor: str, source: Source, about: About) -> None:
    """Draw the settings and the newest pictures for the pinned network."""
    st.markdown(
        "Which picture has the largest logit of a class? *Each pixel by itself* finds what the "
        "network goes by, whether or not it looks like anything. *By a generator* only what has "
        "the look of training images can be drawn: an autoencoder draws, and its code climbs. "
        "Simonyan et al. 2013, arXiv:1312.6034, section 2; Nguyen et al. 2016, arXiv:1605.09304."
    )
    if not about.data:
        st.caption("A generator would need training images: this network's are not here.")
    asked, rules = address.asked("wanted"), Rules()
    first, second = st.columns([2, 2, 1]), st.columns(len(CHOICES))
    target = _class(first[0], about, rules)
    priors = _priors(first[1], about, rules)
    seed = choose_seed(first[2], "wanted_seed", rules)
    given = _numbers(second, about, rules)
    address.refuse("wanted", asked, rules)
    at = st.session_state.setdefault("wanted_frame", {"place": NOW})

    wish = Wish(source=source, target=target, priors=priors, seed=seed, **given)

    def begin() -> Wish:
        at["place"] = NOW
        return wish

    newest = study(
        engine,
        visitor,
        source,
        WANT,
        ("wanted", "Look for it", "brush"),
        begin,
        lambda state, config: draw(state, config, about, at["place"]),
        {"frame": lambda place: at.update(place=int(place))},
    )
    if newest is None:
        offer_code(wish)
    else:
        offer_film(engine, newest.run, about)
        offer_code(wish_of(newest.config))


def _class(place: Any, about: About, rules: Rules) -> int:
    known = range(len(about.classes))
    if st.session_state.get("wanted_class", 0) not in known:  # of another network
        del st.session_state["wanted_class"]
    chosen: int = choose(
        place, "Class", known, "wanted_class", rules, said=about.classes.__getitem__
    )
    rules["wanted_class"] = about.classes[chosen], "the name of one of the network's classes"
    return chosen


def _priors(place: Any, about: About, rules: Rules) -> tuple[str, ...]:
    titles = WAYS if about.data else {(NONE,): WAYS[(NONE,)]}
    if st.session_state.get("wanted_prior", (NONE,)) not in titles:
        del st.session_state["wanted_prior"]
    chosen: tuple[str, ...] = choose(
        place, "What is changed", [*titles], "wanted_prior", rules, said=titles.__getitem__
    )
    return chosen


def _numbers(places: Sequence[Any], about: About, rules: Rules) -> dict[str, Any]:
    """Draw the choice of each number; what is usual depends on the size of the pictures."""
    large = about.shape == models.IMAGENET_SHAPE
    if st.session_state.get("wanted_large", large) != large:
        for name in PHOTOGRAPHS:
            st.session_state.pop(f"wanted_{name}", None)
            address.note(f"wanted_{name}", "")
    st.session_state["wanted_large"] = large
    usual = USUAL | (PHOTOGRAPHS if large else {})
    return {
        name: choose(
            place,
            label,
            values,
            f"wanted_{name}",
            rules,
            usual=values.index(usual[name]),
            said=lambda value: f"{value:g}",
            about=told,
        )
        for place, (name, (label, values, told)) in zip(places, CHOICES.items(), strict=True)
    }


def draw(state: Granted, config: Mapping[str, Any], about: About, place: int) -> list[Block]:
    """Draw the pictures of a wish.

    Args:
        state: what became of it so far.
        config: of it.
        about: the network.
        place: of the film; any other for what is newest.
    """
    name, look = about.classes[int(config["target"])], pinned.look_of(about)
    found = {each.prior: each for each in state.pictures}
    priors = [str(each) for each in config["priors"]]
    drawn = [_pair(prior, found.get(prior), state, about, place, look) for prior in priors]
    if not found:
        return drawn
    film, logits = _film(state, name, place)
    beside = [film, logits] if len(priors) > 1 else [logits, film]
    return [*drawn, *beside, *_besides(state, name, look)]


def _pair(
    prior: str,
    told: Wanted | None,
    state: Granted,
    about: About,
    place: int,
    look: str,
) -> Block:
    """Draw a picture, as it is now or as it was, and the training image that is nearest to it."""
    title = PRIORS[prior][:1].upper() + PRIORS[prior][1:]
    if told is None:
        empty = np.zeros(about.shape)
        under = state.working or "not begun yet"
        panels = [_map(title, empty, under, f"{title}: {under}", look)]
        if about.data:
            panels.append(_map("The nearest training image", empty, "–", "not known yet", look))
        return blocks.maps(panels, span=6, framed=True)
    frame = told.film[place] if 0 <= place < len(told.film) else None
    if frame:
        picture, step, under = frame.picture / 255, frame.step, _logit(frame.value)
    else:
        picture, step = told.picture, told.step
        under = f"{_logit(told.logit)}, {_share(told.probability)}; gradient {told.gradient:.2g}"
    title = f"{title}, step {step}"
    near = told.nearest
    panels = [_map(title, picture, under, f"{title}: {under}", look, SHARE if near else ALONE)]
    if near is not None:
        said = (
            f"No. {near.index:,}, {words.a(about.classes[near.label])}: "
            f"L₂ {near.distance:.2f}; {_logit(near.logit)}"
        )
        title = "The nearest training image" + (f" to step {told.step}" if frame else "")
        panels.append(_map(title, near.pixels, said, f"{title}: {said}", look))
    return blocks.maps(panels, span=6, framed=True)


def _film(state: Granted, name: str, place: int) -> tuple[Block, Block]:
    """Draw what leads to a step, and the logit over the steps."""
    longest = max((each.film for each in state.pictures), key=len)
    x = np.array([frame.step for frame in longest], dtype=float)
    rows = []
    for told in state.pictures:
        values = np.full(len(x), np.nan)
        values[: len(told.film)] = [frame.value for frame in told.film]
        rows.append((PRIORS[told.prior], values))
    last, shown = len(x), 0 <= place < len(x)
    names = [f"step {step:.0f}" for step in x] + ["now"]
    mean = "" if state.mean is None else f"The mean training image: {_logit(state.mean_logit)}."
    return (
        blocks.drag("frame", "Film", 0, last, place if shown else last, names),
        charts.lines(
            f"Logit of {name}",
            "step",
            x,
            rows,
            name="frame",
            now=place if shown else last - 1,
            under=mean,
        ),
    )


def _besides(state: Granted, name: str, look: str) -> list[Block]:
    """Draw the mean of the class, and say whether a picture is but a copy."""
    if state.mean is None:
        return []
    title = f"The mean training image of {name}"
    under = f"{_logit(state.mean_logit)}, {_share(state.mean_probability)}"
    rows: list[tuple[bool | None, str, str]] = []
    for told in state.pictures:
        if told.nearest is not None:
            far = told.nearest.distance
            known = not np.isnan(state.usual)
            usual = f"; test images of {name} are {state.usual:.2f} from theirs, " if known else ""
            usual += f"and a copy is nearer than {COPIED:g} of that" if known else ""
            rows.append(
                (
                    far > COPIED * state.usual if known else None,
                    PRIORS[told.prior],
                    f"{far:.2f} from its nearest training image{usual}",
                )
            )
    return [
        blocks.maps([_map(title, state.mean, under, f"{title}: {under}", look)], span=3),
        charts.checks("No copy of a training image", rows, span=3),
    ]


def _map(
    title: str,
    pixels: Float[np.ndarray, "c h w"],
    under: str,
    alt: str,
    look: str,
    share: float = SHARE,
) -> Maps:
    return Maps(
        name=title, values=pixels, high=1, columns=1, share=share, look=look, range=under, alt=alt
    )


def _logit(value: float) -> str:
    return f"logit {value:.1f}".replace("-", "−")


def _share(probability: float) -> str:
    return f"{100 * probability:.1f} %"
