"""What can be taken from what a class wants: its film, and the code that ends at the same."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.saliency import filming
from core.saliency.script import write_wish
from core.saliency.wishes import Granted, Wish
from core.shared.engine import Engine
from core.shared.models import About, Source
from ui import pinned, words

__all__ = ["offer_code", "offer_film", "wish_of"]

SAVED = "wanted.png"  # what the code saves


def wish_of(config: Mapping[str, Any]) -> Wish:
    """Give the wish that a run's config is of."""
    return Wish(**{**config, "source": Source(**config["source"])})


def offer_film(engine: Engine, run: str, about: About) -> None:
    """Draw the button that gives the film of a run, as it is when it is pressed."""

    def gif() -> bytes:
        state: Granted | None = engine.view(run).state
        if state is None or not state.pictures:
            raise RuntimeError("There is no picture yet.")
        return filming.film(state, ink=pinned.look_of(about) == "ink")

    st.download_button(
        "Film",
        gif,
        "wanted.gif",
        "image/gif",
        key="wanted_film",
        icon=":material/movie:",
        on_click="ignore",
    )


def offer_code(wish: Wish) -> None:
    """Write a wish as plain PyTorch, where it is asked for."""
    with st.expander("The code", icon=":material/code:"):
        try:
            text = write_wish(wish, SAVED)
        except ValueError as error:  # the network is gone
            st.warning(words.plain(words.sentence(str(error))))
            return
        st.markdown(
            "Save it as a file in the repository's folder and start it there: it goes all steps, "
            f"ends at the panel's own pictures, but for rounding, and saves them as *{SAVED}*."
        )
        st.code(text, language="python")
