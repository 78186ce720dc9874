"""What can be taken from an attack: the picture, its film, and the picture as the next one."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.adversarial import Attack, Outcome
from core.adversarial.filming import gif
from core.shared import pictures
from core.shared.engine import Engine, EngineError
from core.shared.models import About, Source
from ui import live, pinned
from ui.panels.adversarial.screen import outcome
from ui.pinned import Pin, Pinned

__all__ = ["take"]


def take(
    engine: Engine, source: Source, about: About, pin: Pin, config: Attack, looks: dict[str, Any]
) -> None:
    """Draw the buttons; each gives what is on the screen when it is pressed."""

    def found() -> tuple[Outcome, Pinned]:
        seen = pinned.see(engine, source, about, pin)
        return outcome(engine, source, seen, config, looks)[1], seen

    def film() -> bytes:
        result, seen = found()
        return gif(result.film, ink=seen.look == "ink")

    def keep() -> None:
        given = live.trying(found)
        if given is not None:
            made = pictures.read(given[0].content)
            pinned.take(pin, made, "what the attack made", given[0].clean)

    try:
        found()  # it was just drawn: the answer is known still
        refused = False
    except (EngineError, ValueError):
        refused = True
    buttons: list[tuple[str, Callable[[], bytes], str, str, str]] = [
        ("Changed picture", lambda: found()[0].content, "changed.png", "image/png", "image"),
        ("Film", film, "attack.gif", "image/gif", "movie"),
    ]
    with st.container(horizontal=True, vertical_alignment="center"):
        for label, content, name, kind, icon in buttons:
            st.download_button(
                label,
                content,
                name,
                kind,
                key=f"attack_{icon}",
                icon=f":material/{icon}:",
                on_click="ignore",
                disabled=refused,
            )
        st.button(
            "Pin the changed picture",
            on_click=keep,
            key="attack_pin",
            icon=":material/keep:",
            disabled=refused,
            help="It becomes your own picture, here and in the other panels.",
        )
