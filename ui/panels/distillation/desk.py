"""What a visitor has on the desk: a network, a picture, and a temperature."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Float

from core.distillation.softening import as_logits
from core.shared.engine import Engine, EngineError, View
from core.shared.models import About, Source
from ui import blocks, pinned, words
from ui.blocks import Block
from ui.numbers import heat
from ui.panels.distillation.looking import CHOICES, HIGHEST, SLIDERS, Looks
from ui.panels.distillation.softmax import draw
from ui.pinned import Pin

__all__ = ["Desk"]

LOGITS = "core.distillation.asking:logits"
DIGITS = tuple("0123456789")


@dataclass(frozen=True, slots=True)
class Desk:
    """The pinned network and picture, and at what of them one looks."""

    engine: Engine
    visitor: str
    source: Source
    about: About
    pin: Pin
    looks: Looks

    def board(self, _: View | None) -> list[Block]:
        """Draw the screen; what cannot be had is said in a sentence."""
        try:
            labels, logits, shown = self.logits()
        except (EngineError, ValueError) as error:
            return [blocks.progress(0, words.sentence(str(error)), warn=True)]
        return draw(labels, as_logits(logits), shown, self.looks)

    def logits(self) -> tuple[tuple[str, ...], Float[np.ndarray, " k"], list[Block]]:
        """Give the classes, their logits, and what they come from."""
        if self.looks["of"] == "sliders":
            return DIGITS, np.array(self.looks["own"], np.float64), []
        seen = pinned.see(self.engine, self.source, self.about, self.pin)
        found: Float[np.ndarray, " k"] = self.engine.call(LOGITS, self.source, seen.pixels)
        warm = np.exp(found - found.max())
        return self.about.classes, found, pinned.blocks(self.engine, seen, warm / warm.sum())

    def taught(self) -> bool:
        """Tell whether the images that the network learned from are here, and say so if not."""
        if not self.about.data:
            st.info(
                "The teacher's training images have to be here: pin a network of digits or clothes."
            )
        return bool(self.about.data)

    def warm(self, said: Any) -> None:
        """Take the temperature that a dial tells."""
        self.looks["T"] = heat(said)

    def image(self, name: str) -> Callable[[Any], object]:
        """Say what to do with the number of a test image that a control tells."""

        def take(said: Any) -> None:
            self.looks[name] = max(0, int(said))

        return take

    def steer(self) -> dict[str, Callable[[Any], object]]:
        """Say what to do with what each control of the screen tells."""
        looks = self.looks

        def own(said: Any) -> None:
            values = tuple(float(each) for each in said)
            if len(values) == len(SLIDERS) and all(abs(each) <= HIGHEST for each in values):
                looks["own"] = values

        def chosen(said: Any) -> None:
            looks["class"] = max(0, int(said))

        def choose(name: str, named: dict[str, str]) -> Callable[[Any], object]:
            def take(said: Any) -> None:
                if said in named:
                    looks[name] = said

            return take

        choices = {name: choose(name, named) for name, named in CHOICES.values()}
        return {"T": self.warm, "own": own, "class": chosen, **choices, **pinned.steer(self.pin)}
