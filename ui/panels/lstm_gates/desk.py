"""What a visitor has on the desk: networks that read characters, and at what of one they look."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from core import lstm_gates
from core.lstm_gates import Gates, Plan, State, room, texts
from core.lstm_gates.built_ins import BUILT_INS
from core.lstm_gates.ngrams import MOST
from core.lstm_gates.results import Cell
from core.lstm_gates.texts import Text
from core.shared.engine import Engine, EngineError, View
from ui import blocks, live, words
from ui.blocks import Block
from ui.panels.lstm_gates.brushing import BRUSHES
from ui.panels.lstm_gates.looking import Looks, cleaned, first_change
from ui.panels.lstm_gates.screen import draw, field, place_of
from ui.panels.lstm_gates.training import training
from ui.panels.lstm_gates.wording import ORDERS, SHOWN

__all__ = ["GONE", "Desk"]

LONG = 2_000  # characters of the text on which gates are counted
TYPED = 90  # characters of the text that stand there before anybody types
GONE = (
    "The text that this run learned is no longer on the server, so nothing can be asked of its "
    "network. Take the same text once more under “Own text”, and all of it is back."
)


@dataclass(frozen=True, slots=True)
class Desk:
    """The networks that a page knows, and at what it looks."""

    engine: Engine
    views: Mapping[str, View]
    plans: Mapping[str, Plan]
    looks: Looks
    shown: str  # a run's name, or a built-in network's

    @property
    def plan(self) -> Plan:
        """That of the network that is looked at."""
        known = self.plans.get(self.shown)
        return known if known is not None else BUILT_INS[self.shown].plan

    @property
    def text(self) -> Text | None:
        """What it learned; None where that is no longer on the server."""
        with suppress(ValueError):
            return texts.read(self.plan.text, self.plan.characters)
        return None

    @property
    def typed(self) -> str:
        """What it reads: what was typed, or a piece of the text that it did not learn from."""
        typed = self.looks["typed"]
        return self.long[:TYPED] if typed is None else str(typed)[: self.most("gates")]

    @property
    def long(self) -> str:
        """A longer piece of the text that it did not learn from."""
        text = self.text
        most = min(LONG, self.most("memory"))
        return text.content[text.cut : text.cut + most] if text else ""

    def most(self, analysis: str) -> int:
        """Tell about how many characters the network may be asked."""
        return room.longest(analysis, self.plan.cell, self.plan.layers, self.plan.units)

    @property
    def alphabet(self) -> str:
        """What the network that is looked at knows."""
        if self.shown in BUILT_INS:
            return BUILT_INS[self.shown].alphabet
        return self.text.alphabet if self.text else ""

    def told(self, name: str) -> str:
        """Name a network."""
        if name in BUILT_INS:
            return f"Built-in: {BUILT_INS[name].title}"
        plan = self.plans[name]
        what = texts.TEXTS[plan.text].title if plan.text in texts.TEXTS else "own text"
        layers = f"{plan.layers}×" if plan.layers > 1 else ""
        return f"{self.views[name].number}: {what}, {plan.cell.upper()} {layers}{plan.units}"

    def ask(self, analysis: str, *given: Any) -> Any:
        """Ask something of the network that is looked at, at the step that is looked at.

        Raises: EngineError when it cannot be answered.
        """
        step = self.looks["step"]
        if self.shown in BUILT_INS:
            return self.engine.call(lstm_gates.BUILT_IN, self.shown, analysis, *given)
        if step is not None:
            return self.engine.recall(self.shown, lstm_gates.STEP, step, analysis, *given)
        return self.engine.ask(self.shown, lstm_gates.NEWEST, analysis, *given)

    def board(self, view: View | None) -> list[Block]:
        """Draw how the network learns, if it is a run's, and all its gates; or what is wrong."""
        drawn: list[Block] = []
        if view is not None:
            drawn.append(live.standing(view))
        if self.text is None:
            return [*drawn, blocks.progress(0, GONE)]
        try:
            if view is not None:
                if view.status in ("waiting", "failed") and view.state is None:
                    return drawn
                if view.state is None and not view.live:
                    self.ask("gates", self.typed or " ")  # wakes it
                    view = self.engine.view(view.run)
                if view.state is not None:
                    step = self.looks["step"]
                    at = view.state.step if step is None else step
                    counted = self._baselines(view, view.state)
                    drawn += training(view, view.state, self.plan, at, counted)
            if not self.typed:
                return [*drawn, field("", self.alphabet)]
            found: Gates = self.ask("gates", self.typed)
            place = place_of(found, self.looks)
            cell: Cell = self.ask("cell", self.typed, place.time, place.layer, place.unit)
        except (EngineError, ValueError) as error:
            told = blocks.progress(0, words.sentence(str(error)), warn=True)
            return [*drawn, field(self.typed, self.alphabet), told]
        return [*drawn, *draw(found, cell, self.looks, self.typed)]

    def _baselines(self, view: View, state: State) -> tuple[tuple[str, float], ...]:
        """Give the n-grams of the text, as far as they are counted.

        While a run moves it is drawn again soon, so that nothing is waited for.
        """
        if len(state.baselines) < MOST:
            ask = self.engine.glimpse if view.status == "running" else self.engine.call
            with suppress(EngineError):
                counted = ask(lstm_gates.BASELINES, self.plan.text, self.plan.characters)
                return counted or state.baselines
        return state.baselines

    def steer(self) -> dict[str, Callable[[Any], object]]:
        """Say what to do with what each control of the screen tells."""
        looks = self.looks

        def typed(text: Any) -> None:
            now = cleaned(str(text))
            looks["time"] = first_change(self.typed, now)  # what is written is looked at
            looks["typed"] = now

        def place(said: Any) -> None:
            looks["unit"], looks["time"] = int(said[0]), int(said[1])

        def time(said: Any) -> None:
            looks["time"] = int(said)

        def layer(said: Any) -> None:
            looks["layer"] = int(said)

        def gate(said: Any) -> None:
            looks["gate"] = str(said)

        def order(said: Any) -> None:
            if said in ORDERS:
                looks["order"] = said

        def most(said: Any) -> None:
            if said in SHOWN:
                looks["shown"] = said

        def at(number: Any) -> None:  # past the last kept step is now
            view = live.seen(self.engine, self.shown)
            kept = view.state.kept if view and view.state else ()
            looks["step"] = kept[int(number)] if 0 <= int(number) < len(kept) else None

        def span(said: Any) -> None:
            looks["span"] = None if said is None else (int(said[0]), int(said[1]))

        def choose(name: str) -> Callable[[Any], object]:
            return lambda said: looks.update({name: str(said)})

        return {
            "span": span,
            **{name: choose(name) for name in BRUSHES},
            "typed": typed,
            "place": place,
            "time": time,
            "layer": layer,
            "gate": gate,
            "order": order,
            "most": most,
            "at": at,
        }
