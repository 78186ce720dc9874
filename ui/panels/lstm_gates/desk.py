"""What a visitor has on the desk: networks that read characters, and at what of one they look."""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from core import lstm_gates
from core.lstm_gates import GATES, Gates, Plan, State, texts
from core.lstm_gates.built_ins import BUILT_INS
from core.lstm_gates.ngrams import MOST
from core.lstm_gates.results import Cell
from core.shared.engine import Engine, EngineError, View
from ui import address, blocks, live, words
from ui.blocks import Block
from ui.panels.lstm_gates.brushing import BRUSHES
from ui.panels.lstm_gates.screen import LONGEST, draw, place_of
from ui.panels.lstm_gates.training import training
from ui.panels.lstm_gates.wording import ORDERS
from ui.running import Rules

__all__ = ["Desk", "Looks", "looks_of"]

# What is typed, the layer, the unit, the character and the gate that are looked at, the order of
# the units, the step of the run, what is brushed, that run, and one that the next script run shall
# look at.
Looks = dict[str, Any]

LONG = 2_000  # characters of the text on which gates are counted
TYPED = 90  # characters of the text that stand there before anybody types
FAR = 10**6


def looks_of(asked: Mapping[str, str]) -> Looks:
    """Read off the address at what is to be looked."""
    gate, order = asked.get("lstm_gate", "c"), asked.get("lstm_order", "number")
    return {
        "typed": asked.get("lstm_typed", "")[:LONGEST],
        "layer": address.number(asked.get("lstm_layer", ""), 3) or 1,
        "unit": address.number(asked.get("lstm_unit", ""), FAR) or 0,
        "time": address.number(asked.get("lstm_time", ""), LONGEST) or 0,
        "gate": gate if gate in {each for row in GATES.values() for each in row} else "c",
        "order": order if order in ORDERS else "number",
        "step": address.number(asked.get("lstm_step", "")),
        "span": None,
        **BRUSHES,
        "run": "",
        "began": "",
    }


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
    def typed(self) -> str:
        """What it reads: what was typed, or a piece of the text that it did not learn from."""
        if self.looks["typed"]:
            return str(self.looks["typed"])
        text = texts.read(self.plan.text, self.plan.characters)
        return text.content[text.cut : text.cut + TYPED]

    @property
    def long(self) -> str:
        """A longer piece of the text that it did not learn from."""
        text = texts.read(self.plan.text, self.plan.characters)
        return text.content[text.cut : text.cut + LONG]

    @property
    def alphabet(self) -> str:
        """What the network that is looked at knows."""
        if self.shown in BUILT_INS:
            return BUILT_INS[self.shown].alphabet
        return texts.read(self.plan.text, self.plan.characters).alphabet

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
            if view.status in ("waiting", "failed") and view.state is None:
                return drawn
            if view.state is None and not view.live:
                self.engine.ask(view.run, lstm_gates.NEWEST, "gates", self.typed)  # wakes it
                view = self.engine.view(view.run)
            if view.state is not None:
                step = self.looks["step"]
                at = view.state.step if step is None else step
                drawn += training(view, view.state, self.plan, at, self._baselines(view.state))
        try:
            found: Gates = self.ask("gates", self.typed)
            at = place_of(found, self.looks)
            cell: Cell = self.ask("cell", self.typed, at.time, at.layer, at.unit)
        except (EngineError, ValueError) as error:
            return [*drawn, blocks.progress(0, words.sentence(str(error)), warn=True)]
        return [*drawn, *draw(found, cell, self.looks, self.typed)]

    def _baselines(self, state: State) -> tuple[tuple[str, float], ...]:
        """Give the n-grams of the text, and let those be counted that are not yet."""
        if len(state.baselines) == MOST:
            return state.baselines
        plan, kept = self.plan, self.looks.setdefault("baselines", {})
        key = plan.text, plan.characters
        if key not in kept:
            kept[key] = ()
            threading.Thread(target=self._count, args=(kept, key), daemon=True).start()
        return max(state.baselines, kept[key], key=len)

    def _count(self, kept: dict[tuple[str, int], Any], key: tuple[str, int]) -> None:
        with suppress(EngineError):
            kept[key] = self.engine.call(lstm_gates.BASELINES, *key)

    def steer(self) -> dict[str, Callable[[Any], object]]:
        """Say what to do with what each control of the screen tells."""
        looks = self.looks

        def typed(text: Any) -> None:
            looks["typed"] = str(text)[:LONGEST]

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
            "at": at,
        }

    def rules(self) -> Rules:
        """Give what the address may ask for besides settings, as it is now, and its rules."""
        looks = self.looks
        gates = sorted({each for row in GATES.values() for each in row})
        return {
            "lstm_typed": (looks["typed"], f"at most {LONGEST:,} characters"),
            "lstm_layer": (looks["layer"], "a layer, from 1 on"),
            "lstm_unit": (looks["unit"], "a unit, from 0 on"),
            "lstm_time": (looks["time"], "a character's place, from 0 on"),
            "lstm_gate": (looks["gate"], words.choices(gates)),
            "lstm_order": (looks["order"], words.choices([*ORDERS])),
            "lstm_step": (
                "the newest" if looks["step"] is None else looks["step"],
                "a step that the run has kept",
            ),
        }

    def note(self) -> None:
        """Write into the address at what is looked."""
        looks = self.looks
        for name, usual in (("layer", 1), ("unit", 0), ("time", 0), ("gate", "c"), ("typed", "")):
            value = looks[name]
            address.note(f"lstm_{name}", "" if value == usual else str(value))
        address.note("lstm_order", "" if looks["order"] == "number" else looks["order"])
        address.note("lstm_step", "" if looks["step"] is None else str(looks["step"]))
