"""What a channel would like to see: a picture that climbs, as a run with its film."""

from dataclasses import asdict

import streamlit as st

from core import feature_maps
from core.feature_maps import Ascent, Dream, filming
from core.shared import models
from core.shared.engine import Engine, View
from core.shared.models import Source
from ui import address, blocks, live, screen, words
from ui.blocks import Block, Maps

__all__ = ["ascent", "dream"]

CHOICES: dict[str, tuple[str, tuple[float, ...], str]] = {  # of an Ascent: label, values, help
    "steps": ("Steps", (50, 100, 200, 400, 1_000), "Up the gradient of the map's mean."),
    "rate": ("Rate", (0.005, 0.01, 0.02, 0.05, 0.1), "What a step changes a pixel by, on average."),
    "jitter": ("Jitter", (0, 1, 2, 4, 8, 16), "Pixels by which steps shift the picture."),
    "blur": ("Blur", (0.0, 0.3, 0.5, 1.0, 2.0), "Deviation in pixels, at every fourth step."),
    "weight_decay": ("Decay", (0.0, 0.001, 0.01, 0.05), "The share that a step takes to grey."),
    "seed": ("Seed", (0, 1, 2, 3, 4, 5, 6, 7), "Of the noise that it begins with."),
}
USUAL = {"steps": 100, "rate": 0.02, "jitter": 2, "blur": 0.5, "weight_decay": 0.01, "seed": 0}
NOW = -1  # a place of the film behind its last frame


def ascent(source: Source, layer: str, channel: int) -> Ascent:
    """Tell how the tab lets a channel dream now."""
    state = st.session_state
    chosen = {name: state.get(f"dream_{name}", usual) for name, usual in USUAL.items()}
    return Ascent(source=source, layer=layer, channel=channel, **chosen)


def dream(
    engine: Engine, visitor: str, source: Source, look: str, layer: str, channel: int
) -> None:
    """Draw the controls and the dream of one channel."""
    st.markdown(f"**What map {channel} would like to see**")
    asked = address.asked("dream")
    places = st.columns(len(CHOICES))
    for place, (name, (label, values, told)) in zip(places, CHOICES.items(), strict=True):
        place.selectbox(
            label,
            values,
            values.index(USUAL[name]),
            format_func=lambda value: f"{value:g}",
            key=f"dream_{name}",
            help=told,
            bind="query-params",
            persist_state="session",
        )
    given = {
        f"dream_{name}": (st.session_state[f"dream_{name}"], words.choices(values))
        for name, (_, values, _) in CHOICES.items()
    }
    address.refuse("dream", asked, given, ())
    view = _newest(engine, visitor, source, layer, channel)
    at = st.session_state.setdefault("dream_frame", {"run": "", "place": NOW})

    def begin() -> None:
        config = ascent(source, layer, channel)
        live.trying(engine.submit, feature_maps.MAXIMISE, config, visitor=visitor)

    with st.container(horizontal=True):
        st.button(
            "Let it dream",
            key="maps_dream",
            on_click=begin,
            icon=":material/bedtime:",
            disabled=view is not None and view.live,
        )
        st.button(
            "Stop it",
            key="maps_wake",
            on_click=live.trying,
            args=(engine.stop, view.run if view else ""),
            disabled=view is None or not view.live,
        )
    elsewhere = [
        each
        for each in engine.runs_of(visitor)
        if each.function == feature_maps.MAXIMISE
        and each.live
        and (view is None or each.run != view.run)
    ]
    if elsewhere:
        st.caption(f"Still under way, and there to be seen: {', '.join(map(_where, elsewhere))}.")
    if view is None:
        st.caption(
            "It begins with noise and climbs the gradient of the map's mean, with jitter, blur and "
            "decay but for the last quarter of the steps; see Erhan et al. 2009, Yosinski et al. "
            "2015."
        )
        return
    if at["run"] != view.run:
        at.update(run=view.run, place=NOW)
    run = view.run

    def gif() -> bytes:
        state: Dream | None = engine.view(run).state
        if state is None:
            raise RuntimeError("There is no frame yet.")
        return filming.film(state, ink=look == "ink")

    screen.screen(
        "dream_screen",
        lambda: live.seen(engine, run),
        lambda now: _draw(now, at["place"], look),
        {"frame": lambda said: at.update(place=int(said))},
    )
    st.download_button(
        "Its film",
        gif,
        f"map-{channel}.gif",
        "image/gif",
        key="dream_film",
        icon=":material/movie:",
        on_click="ignore",
    )


def _newest(engine: Engine, visitor: str, source: Source, layer: str, channel: int) -> View | None:
    """Find the visitor's newest dream of a channel."""
    wanted = {"source": asdict(source), "layer": layer, "channel": channel}.items()
    for view in engine.runs_of(visitor):
        known = view.config.get
        if view.function == feature_maps.MAXIMISE and all(known(k) == v for k, v in wanted):
            return view
    return None


def _where(dream: View) -> str:
    """Say of which map a dream is."""
    config = dream.config
    try:
        network = models.about(Source(**config["source"])).title
    except ValueError:  # it is gone meanwhile
        network = config["source"]["name"]
    return words.plain(f"map {config['channel']} of {config['layer']} in {network}")


def _draw(view: View | None, place: int, look: str) -> list[Block]:
    if view is None:
        return []
    drawn = [live.standing(view)]
    state: Dream | None = view.state
    if state is None:
        return drawn
    frames, last = state.film, state.frames
    chosen = frames[place] if 0 <= place < len(frames) else None
    picture = chosen.picture / 255 if chosen else state.picture
    step, value = (chosen.step, chosen.value) if chosen else (state.step, state.value)
    names = [f"step {each.step}" for each in frames] + ["now"] * (last + 1 - len(frames))
    return [
        *drawn,
        blocks.maps(
            [
                Maps(
                    name=f"step {step} of {state.steps}",
                    values=picture,
                    high=1,
                    columns=1,
                    share=3.2,
                    look=look,
                    range=f"the map's mean {value:.3g}; an empty picture gives {state.blank:.3g}",
                    alt="The picture that excites the map most, as far as it is found",
                )
            ],
            span=4,
        ),
        blocks.drag("frame", "Film", 0, last, place if chosen else last, names, span=8),
    ]
