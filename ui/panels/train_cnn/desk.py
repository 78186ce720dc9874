"""What a visitor has on the first panel's desk: their runs, and at what of which they look."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core import train_cnn
from core.shared import datasets
from core.shared.engine import Engine, EngineError, View
from core.shared.recipes import Recipe
from ui import address, live, screen
from ui.blocks import Block, progress
from ui.panels.train_cnn.choices import NAMES
from ui.panels.train_cnn.screen import Shown, draw

__all__ = ["DIGITS", "Desk", "Looks", "looks_of"]

DIGITS = 9_999  # the last validation image of the largest data

# The digit, the cell, the step, the ink, the run that they are of, those that are drawn over it.
Looks = dict[str, Any]


def looks_of(asked: Mapping[str, str], run: str) -> Looks:
    """Read off the address at what of a run is to be looked."""
    return {
        "digit": address.number(asked.get("train_digit", ""), DIGITS) or 0,
        "step": address.number(asked.get("train_step", "")),
        "cell": address.numbers(asked.get("train_cell", ""), 2),
        "ink": None,
        "run": run,
        "others": asked.get("train_others", "").split(","),
        "began": "",  # a run that the next script run shall look at
    }


@dataclass(frozen=True, slots=True)
class Desk:
    """The runs that a page knows, and at what it looks."""

    engine: Engine
    views: Mapping[str, View]
    recipes: Mapping[str, Recipe]
    looks: Looks

    def told(self, run: str) -> str:
        """Name a run by its number, by where it left another, and by what is not usual in it."""
        view = self.views[run]
        name = f"{view.number}: {self.recipes[run].differs(NAMES)}"
        if not view.origin:
            return name
        known = self.views.get(view.origin)
        source = f"run {known.number}" if known else "a deleted run"
        return f"{name}, from step {view.origin_step:,} of {source}"

    def digit(self, recipe: Recipe) -> int:
        """Give the place of the watched image in a run's data, which may have fewer."""
        place: int = self.looks["digit"]
        return min(place, datasets.about(recipe.data).validation - 1)

    def board(self, view: View | None, recipe: Recipe, others: Sequence[str]) -> list[Block]:
        """Draw a run's newest state, or the network before its first step, or what is wrong.

        Args:
            view: of the run; None for none.
            recipe: of a new run.
            others: runs to be drawn over it.
        """
        try:
            return draw(self._shown(view, recipe, others))
        except KeyError:
            return [progress(0, "This run is gone: it was deleted in another window.", warn=True)]
        except (EngineError, ValueError) as error:
            return [progress(0, str(error), warn=True)]

    def steer(self, shown: str, recipe: Recipe) -> dict[str, Callable[[Any], object]]:
        """Say what to do with what each control of the screen tells.

        Args:
            shown: the run that is looked at; "" for none.
            recipe: of a new run.
        """
        engine, looks = self.engine, self.looks

        def digit(index: Any) -> None:
            place = int(index)
            if shown:
                live.tell(engine, shown, train_cnn.SHOW, place)
            else:
                engine.call(train_cnn.UNTRAINED, recipe, place, looks["ink"])
            looks["digit"] = place

        def ink(text: Any) -> None:
            looks["ink"] = screen.ink(text)
            if shown:
                live.tell(engine, shown, train_cnn.READ, looks["ink"])

        def cell(said: Any) -> None:
            chosen = None if said is None else (int(said[0]), int(said[1]))
            if shown:
                live.tell(engine, shown, train_cnn.SORT, chosen)
            looks["cell"] = chosen

        def at(place: Any) -> None:  # past the last kept step is now
            view = live.seen(engine, shown)
            kept = view.state.kept if view and view.state else ()
            looks["step"] = kept[int(place)] if 0 <= int(place) < len(kept) else None

        return {"digit": digit, "ink": ink, "cell": cell, "at": at}

    def _shown(self, view: View | None, recipe: Recipe, others: Sequence[str]) -> Shown:
        engine, looks = self.engine, self.looks
        own = self.recipes[view.run] if view else recipe
        count = len(datasets.about(own.data).classes)
        cell = looks["cell"] if max(looks["cell"] or (0,)) < count else None
        place = self.digit(own)
        if view and view.state is None and not view.live and view.status != "failed":
            engine.ask(view.run, train_cnn.SHOW, place)  # wakes it from its snapshot
            view = engine.view(view.run)
        if view is None or view.state is None:  # none yet, in the line, or just begun
            state = engine.call(train_cnn.UNTRAINED, own, place, looks["ink"], cell)
            state = train_cnn.planned(state, own)
        else:
            state = view.state
        name = self.told(view.run) if view and view.run in self.views else "A new run"
        compared = {run: live.curves(engine, run, train_cnn.CURVES) for run in others}
        known = {self.told(run): each for run, each in compared.items() if each is not None}
        past = state
        if view and view.status not in ("waiting", "running"):
            engine.prepare(view.run, train_cnn.PREPARE, len(state.kept))
        if view and looks["step"] in state.kept and looks["step"] != state.step:
            where = looks["step"], place, looks["ink"], cell
            past = engine.recall(view.run, train_cnn.REPLAY, *where)
            past = replace(past, kept=state.kept)
        return Shown(state=past, recipe=own, view=view, newest=state, others=known, name=name)
