"""What a visitor has on the desk: a plan, what its history tells, and at what of it one looks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core import bpe
from core.bpe import Plan
from core.bpe.results import Moment, Summary
from core.shared.engine import Engine, EngineError, View
from ui import blocks, words
from ui.blocks import Block
from ui.panels.bpe.looking import FOLLOWING, GUESSING, Looks
from ui.panels.bpe.screen import draw

__all__ = ["Desk"]


@dataclass(frozen=True, slots=True)
class Desk:
    """A plan, and at what of its history one looks."""

    engine: Engine
    plan: Plan
    looks: Looks

    @property
    def bytes(self) -> bool:
        """Whether units are bytes."""
        return self.plan.units == "bytes"

    def ask(self, target: str, *given: Any) -> Any:
        """Ask something of the plan.

        Raises: EngineError with one sentence.
        """
        return self.engine.call(target, self.plan, *given)

    def board(self, _: View | None) -> list[Block]:
        """Draw the screen."""
        try:
            summary: Summary = self.ask(bpe.SUMMARY)
            moment = self._moment()
        except EngineError as error:
            return [blocks.progress(0, words.sentence(str(error)), warn=True)]
        return draw(moment, summary, self.looks)

    def _moment(self) -> Moment:
        """Look at the step; where the window follows it goes to what is lit, unless it is there."""
        looks = self.looks
        place = looks["place"]
        moment: Moment = self.ask(bpe.MOMENT, looks["step"], place)
        if looks["follow"] == "yes" and moment.made and not moment.window.lit.any():
            moment = self.ask(bpe.MOMENT, looks["step"], None)
            if looks["place"] == place:  # nobody has chosen another one meanwhile
                looks["place"] = moment.window.first
        return moment

    def steer(self) -> dict[str, Callable[[Any], object]]:
        """Say what to do with what each control of the screen tells."""
        looks = self.looks

        def step(said: Any) -> None:
            looks["step"], looks["guess"] = max(0, int(said)), None

        def at(said: Any) -> None:
            step(self.ask(bpe.SUMMARY).at[int(said)])

        def place(said: Any) -> None:
            looks["place"], looks["follow"] = max(0, int(said)), "no"

        def follow(said: Any) -> None:
            if said in FOLLOWING:
                looks["follow"] = said

        def token(said: Any) -> None:
            looks["token"] = None if said is None else max(0, int(said))

        def guessing(said: Any) -> None:
            if said in GUESSING:
                looks["guessing"], looks["guess"] = said, None

        def guess(said: Any) -> None:
            looks["guess"] = int(said[0]), int(said[1])

        return {
            "step": step,
            "at": at,
            "place": place,
            "follow": follow,
            "token": token,
            "guessing": guessing,
            "guess": guess,
        }
