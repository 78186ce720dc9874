"""A network learns a text, and can be looked at, asked and changed between two steps."""

from collections.abc import Iterator

import torch

from core.lstm_gates import Plan, State, texts
from core.lstm_gates.baselines import found
from core.lstm_gates.course import Course
from core.lstm_gates.looking import curves_of
from core.lstm_gates.readers import Reader
from core.lstm_gates.room import require_room
from core.lstm_gates.stored import revived
from core.shared import devices
from core.shared.snapshots import Snapshot

__all__ = ["Lesson", "begin", "change", "train"]


class Lesson:
    """A course with what the visitor sees of it."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self._frozen: tuple[int, Reader] | None = None

    @property
    def progress(self) -> float:
        """The share of the work that is done."""
        return self.course.progress

    def snapshot(self) -> Snapshot:
        """Keep all that it takes to go on from here."""
        return self.course.snapshot()

    def reader(self) -> Reader:
        """Give the network as it is now: a copy at rest, which no step moves."""
        course = self.course
        if self._frozen is None or self._frozen[0] != course.step:
            weights = course.reader.state_dict()
            self._frozen = course.step, revived(course.plan, course.alphabet, weights)
        return self._frozen[1]

    def freeze(self) -> State:
        """Look at the course; nothing in it moves by that."""
        course = self.course
        point = course.points[-1]
        known = point.right is not None and point.impossible is not None
        return State(
            step=course.step,
            steps=course.plan.steps,
            characters=course.characters,
            alphabet=course.alphabet,
            curves=curves_of(course.points),
            baselines=found(course.plan.text, course.plan.characters),
            samples=tuple(course.samples),
            forced=(point.right, point.impossible) if known else None,  # type: ignore[arg-type] # known
            kept=tuple(course.kept),
            now={
                name: float(getattr(course.now, name))
                for name in dict.fromkeys(name for _, name, _ in course.changes)
            },
            changes=tuple(course.changes),
        )


def train(plan: Plan, snapshot: Snapshot | None = None) -> Iterator[Lesson | Snapshot]:
    """Train the plan's network on its text, yielding before the first step and after each.

    Args:
        plan: how; with its seed it determines every weight, on one kind of device and with one
            number of threads, as that decides how sums are rounded (`threads.Sharing`).
        snapshot: where to go on; None starts anew.

    Returns: the same lesson again and again, before it a snapshot at log-spaced steps.
    Raises: FloatingPointError when the loss is no longer finite; ValueError when the plan takes too
        much, or there is no such text.
    """
    lesson = begin(plan, snapshot)
    for kept in lesson.course.run():
        if isinstance(kept, Snapshot):  # first: what the lesson tells of is on the disk
            yield kept
        yield lesson


def change(lesson: Lesson, name: str, value: float) -> None:
    """Go on with another learning rate or clip.

    Raises: ValueError when it is none of these, or outside its range.
    """
    lesson.course.change(name, value)


def begin(plan: Plan, snapshot: Snapshot | None) -> Lesson:
    """Stand before the first step of a run, or where the snapshot was taken."""
    require_room(plan)
    device: torch.device = devices.choose(None)
    return Lesson(Course(plan, texts.read(plan.text, plan.characters), device, snapshot))
