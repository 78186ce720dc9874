"""A distillation: students of one teacher that learn side by side, from the same first weights.

All see the same images in the same order and do the same steps. Where there are unlabelled images,
those that learn from labels alone see the labelled ones over and over instead, as many a step.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from core.distillation import LABELS_ALONE, Distillation, Distilled
from core.distillation.losses import UNLABELLED, permuted, soft_targets
from core.distillation.students import Student, build
from core.distillation.teaching import answers, chosen, learned_from
from core.shared.evaluating import read
from core.shared.snapshots import Snapshot
from core.shared.targets import reads
from core.shared.turns import Turns

__all__ = ["Distilling", "distil", "logits"]

WATCHED = 1_000  # validation images that each point is computed on
AT_ONCE = 250  # images that a student reads in a turn
EVERY = 64  # steps of an epoch, of which the first measures the gradient of each term
MOST_ASKED = 250  # test images that are read while a run goes on


class Order:
    """Places in the order in which they are learned, pass after pass, each shuffled anew."""

    def __init__(self, places: Int[Tensor, " n"], seed: int) -> None:
        self.places, self.seed = places, seed
        self._shuffled: tuple[int, Int[Tensor, " n"]] | None = None

    def take(self, seen: int, count: int) -> Int[Tensor, " m"]:
        """Give the next so many after so many; the order depends on the seed and the pass alone."""
        taken = []
        while count:
            whole, place = divmod(seen, len(self.places))
            few = self._pass(whole)[place : place + count]
            taken.append(few)
            seen, count = seen + len(few), count - len(few)
        return taken[0] if len(taken) == 1 else torch.cat(taken)

    def _pass(self, number: int) -> Int[Tensor, " n"]:
        if self._shuffled is None or self._shuffled[0] != number:
            source = torch.Generator().manual_seed((self.seed << 16) + number + 1)
            order = torch.randperm(len(self.places), generator=source)
            self._shuffled = number, self.places[order.to(self.places.device)]
        return self._shuffled[1]


class Distilling:
    """A distillation under way, that can be looked at between two steps."""

    def __init__(self, config: Distillation, snapshot: Snapshot | None = None) -> None:
        self.config, self.dataset = config, learned_from(config.teacher)
        classes = len(self.dataset.classes)
        if config.left_out is not None and config.left_out >= classes:
            raise ValueError(f"left_out must be from 0 to {classes - 1}, got {config.left_out}")
        self.places = chosen(config, self.dataset)
        truth = self.dataset.training.labels[self.places]
        self.labels = truth.clone()
        self.labels[config.images :] = UNLABELLED
        shown = truth != (-1 if config.left_out is None else config.left_out)
        labelled = (shown & (self.labels != UNLABELLED)).nonzero()[:, 0]
        self.all = Order(shown.nonzero()[:, 0], config.seed)
        self.labelled = Order(labelled, config.seed) if config.unlabelled else self.all
        last = len(self.all.places) % config.batch_size or config.batch_size
        if "-batch" in config.student and 1 in (last, config.batch_size):
            raise ValueError(
                "batch_size must leave no batch of one image, whose variance batch normalisation "
                f"would divide by, got {config.batch_size} for {len(self.all.places):,} images"
            )
        self.students = [build(arm, config, self.dataset) for arm in config.arms]
        self.step = self.seen = 0
        self.teacher_errors: int | None = None
        self._targets: dict[str, Float[Tensor, "n k"]] = {}
        self._watched = min(WATCHED, len(self.dataset.validation))
        if snapshot is not None:
            self._go_back_to(snapshot)

    @property
    def total(self) -> int:
        """Images that each student is shown in all."""
        return self.config.epochs * len(self.all.places)

    @property
    def ended(self) -> bool:
        """Whether the test images have been read too."""
        return self.teacher_errors is not None

    @property
    def progress(self) -> float:
        """The share of the steps that are done."""
        return self.seen / self.total

    def freeze(self) -> Distilled:
        """Look at how the students are doing, at the points that all of them have."""
        points = min(len(student.curves["epochs"]) for student in self.students)
        return Distilled(
            epoch=self.seen / len(self.all.places),
            arms=tuple(student.freeze(points) for student in self.students),
            teacher_errors=self.teacher_errors,
            tested=len(self.dataset.test),
            watched=self._watched,
        )

    def student(self, arm: str) -> Student:
        """Find a student.

        Raises: ValueError when there is no such one.
        """
        for each in self.students:
            if each.arm == arm:
                return each
        raise ValueError(f"arm must be one of {self.config.arms}, got {arm!r}")

    def snapshot(self) -> Snapshot:
        """Keep all that it takes to go on from here; the tensors are the living ones.

        Raises: FloatingPointError when a weight is not finite.
        """
        tensors: dict[str, Tensor] = {}
        for student in self.students:
            if not all(bool(each.isfinite().all()) for each in student.parameters):
                raise student.diverged()
            tensors |= {f"{student.arm}.{name}": each for name, each in student.tensors().items()}
        record = {
            "seen": self.seen,
            "teacher_errors": self.teacher_errors,
            "arms": {student.arm: student.record() for student in self.students},
        }
        return Snapshot(self.step, tensors, record)

    def measure(self) -> Iterator[object]:
        """Let the teacher speak once, then the students learn, yielding after each one's step.

        Raises: FloatingPointError when a student has no finite gradient any more.
        """
        if self.ended:
            return
        yield from self._listen()
        an_epoch = len(self.all.places)
        while True:
            if self.seen % an_epoch == 0:
                yield from self._add_points()
            if self.seen == self.total:
                break
            count = min(self.config.batch_size, an_epoch - self.seen % an_epoch)
            batch = self.all.take(self.seen, count)
            known = batch if self.labelled is self.all else self.labelled.take(self.seen, count)
            images = self._images(batch)
            others = images if known is batch else self._images(known)
            for student in self.students:
                if student.steps > self.step:  # a snapshot was taken between two students' steps
                    continue
                alone = student.arm in LABELS_ALONE
                student.learn(
                    others if alone else images,
                    self.labels.index_select(0, known if alone else batch),
                    None if alone else self._targets[student.arm].index_select(0, batch),
                    measured=self.seen % an_epoch // self.config.batch_size % EVERY == 0,
                )
                yield None
            self.step += 1
            self.seen += count
            yield self
        yield from self._test()

    def _listen(self) -> Iterator[object]:
        """Let the teacher say what it makes of the images that the distilled learn from."""
        arms = [student.arm for student in self.students if student.arm not in LABELS_ALONE]
        if not arms:
            return
        said = yield from answers(self.config.teacher, "training", len(self.places))
        for arm in arms:
            source = torch.Generator().manual_seed(self.config.seed << 16)
            told = permuted(said, source) if arm == "permuted" else said
            self._targets[arm] = soft_targets(told, self.config.temperature)

    def _images(self, batch: Int[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        places = self.places.index_select(0, batch)  # which is quicker than brackets
        return self.dataset.training.images.index_select(0, places)

    def _add_points(self) -> Iterator[object]:
        """Let the students whose point is due read the watched images; the teacher has."""
        epoch = self.seen / len(self.all.places)
        validation = self.dataset.validation
        labels = validation.labels[: self._watched]
        said = yield from answers(self.config.teacher, "validation", self._watched)
        for student in self.students:
            if student.curves["epochs"][-1:] == [epoch]:
                continue
            found = yield from self._read(student, validation.images[: self._watched])
            wrong, agreed = found.argmax(1) != labels, found.argmax(1) == said.argmax(1)
            shares = torch.stack([wrong, agreed]).cpu().double().mean(1).tolist()
            student.add_point(epoch, *shares)

    def _test(self) -> Iterator[object]:
        """Read all test images, once."""
        test = self.dataset.test
        said = yield from answers(self.config.teacher, "test", len(test))
        for student in self.students:
            found = yield from self._read(student, test.images)
            student.tested = found.cpu()
            student.errors = int((found.argmax(1) != test.labels).sum())
            student.agreed = float((found.argmax(1) == said.argmax(1)).double().mean())
            certain, other = (F.log_softmax(each.cpu().double(), dim=1) for each in (said, found))
            divergence = F.kl_div(other, certain, reduction="batchmean", log_target=True)
            student.divergence = divergence.item()
        self.teacher_errors = int((said.argmax(1) != test.labels).sum())
        yield self

    def _read(
        self, student: Student, images: Float[Tensor, "n c h w"]
    ) -> Turns[Float[Tensor, "n k"]]:
        """Let a student read images, in turns."""
        found = []
        for few in images.split(AT_ONCE):
            found.append(read(student.network, few))
            yield None
        return torch.cat(found)

    def _go_back_to(self, snapshot: Snapshot) -> None:
        """Take up the students as a snapshot has them.

        Raises: ValueError when it is of others.
        """
        record: Any = snapshot.record
        if {*record.get("arms", ())} != {*self.config.arms}:
            raise ValueError(f"snapshot must be of {self.config.arms}, got another run's")
        self.step, self.seen = snapshot.step, record["seen"]
        self.teacher_errors = record["teacher_errors"]
        for student in self.students:
            prefix = f"{student.arm}."
            tensors = {
                name.removeprefix(prefix): value
                for name, value in snapshot.tensors.items()
                if name.startswith(prefix)
            }
            student.take_up(tensors, record["arms"][student.arm])


def distil(config: Distillation, snapshot: Snapshot | None = None) -> Iterator[Distilling | None]:
    """Let students learn from a teacher, yielding before the first step and after each.

    Args:
        config: who learns from whom, and how.
        snapshot: where to go on; None starts anew.

    Returns: the same living thing again and again; None while not all have done their step.
    Raises: ValueError when the data that the teacher learned from are not here, or the student does
        not fit them; FloatingPointError when a student has no finite gradient any more.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531.
    """
    distilling = Distilling(config, snapshot)
    yield distilling
    yield from distilling.measure()  # type: ignore[misc] # the owner alone sees WAITING


@reads
def logits(
    distilling: Distilling, arm: str, images: Sequence[int] | None = None
) -> Float[np.ndarray, "n k"]:
    """Give what a student makes of test images, with its present weights; asked of a run.

    Args:
        distilling: the run.
        arm: which of its students.
        images: their places among the test images; None for all, once the run has ended.

    Raises: ValueError when it has no such student, or there are no such images, or too many before
        the end.
    """
    student = distilling.student(arm)
    test = distilling.dataset.test
    most = MOST_ASKED if student.tested is None else len(test)
    places = range(len(test)) if images is None else images
    if len(places) > most:
        raise ValueError(f"images must be at most {most:,} until the run ends, got {len(places):,}")
    if not all(0 <= place < len(test) for place in places):
        raise ValueError(f"images must be from 0 to {len(test) - 1:,}, got {images!r}")
    chosen_few = torch.tensor([*places], dtype=torch.long)
    if student.tested is not None:
        return student.tested[chosen_few].numpy().copy()
    found = read(student.network, test.images[chosen_few.to(test.labels.device)])
    return found.float().cpu().numpy().copy()
