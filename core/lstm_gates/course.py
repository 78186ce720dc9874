"""A network learns to say the next character: many places of a text side by side, window by window.

The states at the end of a window are those that the next one begins with; the gradient does not go
back into it (truncated backpropagation through time). Any snapshot can be continued.

Source: Williams, Peng 1990, "An efficient gradient-based algorithm for on-line training of
recurrent network trajectories", section 2, with windows that do not overlap.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, astuple, replace
from itertools import starmap
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.lstm_gates import Plan
from core.lstm_gates.looking import WARM, Point, judge, watched
from core.lstm_gates.readers import States, build, encode
from core.lstm_gates.sampling import sample
from core.lstm_gates.texts import Text
from core.lstm_gates.threads import Sharing
from core.shared import networks, runs, stepping
from core.shared.snapshots import Snapshot, under

__all__ = ["MOVABLE", "SAID", "Course"]

MOVABLE = ("learning_rate", "clip")  # while it is live
FEWEST_POINTS, MOST_POINTS = 20, 200  # of the curves, a run
DEAR = 0.025  # share of the characters' work that may go into the points, where there are more
BACK = 3  # times the work of reading is that of learning
SAID = 200  # characters of a sample
SEEDS = 1 << 32  # steps of one seed that have masks and samples of their own
OPTIMISERS: dict[str, Callable[[list[nn.Parameter], float], torch.optim.Optimizer]] = {
    "adam": lambda weights, rate: torch.optim.Adam(weights, rate, fused=True),
    "rmsprop": lambda weights, rate: torch.optim.RMSprop(weights, rate),
    "sgd": lambda weights, rate: torch.optim.SGD(weights, rate, fused=True),
}


class Course:
    """A network on its way: weights, optimiser, place in the text, curves."""

    def __init__(
        self, plan: Plan, text: Text, device: torch.device, snapshot: Snapshot | None = None
    ) -> None:
        """Stand before the first step, or where the snapshot was taken.

        Args:
            plan: how to learn.
            text: what.
            device: on which.
            snapshot: of an earlier course by the same plan.

        Raises: ValueError when the snapshot is of another one.
        """
        self.plan = self.now = plan  # `now` has what was changed since the start
        self.text, self.device = text, device
        self.alphabet: str = snapshot.record["alphabet"] if snapshot else text.alphabet
        self.reader = build(plan, self.alphabet, device).train()
        self.parameters = list(self.reader.parameters())
        self.optimiser = OPTIMISERS[plan.optimiser](self.parameters, plan.learning_rate)
        codes = encode(text.content[text.parts[0]], self.alphabet)
        along = len(codes) // plan.batch
        self.places = codes[: along * plan.batch].view(plan.batch, along).to(device)
        self.windows = (along - 1) // plan.window  # of one pass over the text
        self.watched = watched(text, self.alphabet, device)
        work = BACK * plan.batch * plan.window * plan.steps
        most = max(FEWEST_POINTS, int(DEAR * work / self.watched.characters))
        self.intervals = min(plan.steps, MOST_POINTS, most)  # between the points of the curves
        self.keeps = runs.most_snapshots(sum(each.numel() for each in self.parameters))
        threads = snapshot.record["threads"] if snapshot else 0
        self.sharing = Sharing(self.reader, plan.batch, threads)
        self.drops = plan.dropout > 0 and plan.layers > 1
        self.step = self.window = 0  # steps done; the next window of this pass
        self.characters = 0  # that were read
        self.states: States | None = None  # in which the last window was left
        self.points: list[Point] = []
        self.changes: list[tuple[int, str, float]] = []
        self.kept: list[int] = []  # steps whose snapshots are kept for good
        self.samples: list[tuple[int, str]] = []  # what was said at these
        self._sum = torch.zeros((), device=device)  # of the losses since the last point, in nats
        self._summed = 0  # how many
        if snapshot is None:
            self._add_point(None, None)
        else:
            self._go_back_to(snapshot)

    @property
    def ended(self) -> bool:
        """Whether all steps are done."""
        return self.step >= self.plan.steps

    @property
    def progress(self) -> float:
        """The share of the work that is done."""
        return min(1.0, self.step / self.plan.steps)

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return self.now.learning_rate * self.plan.share(self.step)

    def run(self) -> Iterator[Snapshot | Literal["stepped"]]:
        """Do the steps that are left, one at a time.

        Returns: before the first step and after each "stepped", or at log-spaced steps a snapshot.
        Raises: FloatingPointError when the loss is no longer finite.
        """
        spaced = runs.log_spaced(self.plan.steps, self.keeps)
        yield self.keep() if self.step == 0 else "stepped"
        while not self.ended:
            self.advance()
            yield self.keep() if self.step in spaced else "stepped"

    def advance(self) -> Float[Tensor, ""]:
        """Do one step of the optimiser on the next window.

        Returns: its mean loss in nats before the step, on the device.
        Raises: FloatingPointError when a point of the curves is due and no longer finite.
        """
        size = self.plan.window
        first = self.window * size
        seen = self.places[:, first : first + size]
        wanted = self.places[:, first + 1 : first + size + 1]
        self.sharing.settle(lambda: self._learn(seen, wanted))
        if self.drops:
            networks.reseed(self.reader, self.plan.seed * SEEDS + self.step)
        with self.sharing.at_work():
            loss, states, gradients = self._learn(seen, wanted)
        for each, gradient in zip(self.parameters, gradients, strict=True):
            each.grad = gradient
        before, after = (k * self.intervals // self.plan.steps for k in (self.step, self.step + 1))
        due = after > before
        norm = clipped = None
        if self.now.clip:
            norm = nn.utils.clip_grad_norm_(self.parameters, self.now.clip)
        if due:
            clipped = nn.utils.get_total_norm([each.grad for each in self.parameters])  # type: ignore[misc] # each has one
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        self.optimiser.step()
        for each in self.parameters:
            each.grad = None
        self.step += 1
        self.window = (self.window + 1) % self.windows
        self.states = _cut(states) if self.window else None  # a pass begins as the first did
        self.characters += wanted.numel()
        loss = loss.detach()
        self._sum += loss
        self._summed += 1
        if due:
            self._add_point(clipped if norm is None else norm, clipped)
        return loss

    def change(self, name: str, value: float) -> None:
        """Go on with another learning rate or clip.

        Raises: ValueError when it is none of these, or outside its range.
        """
        if name not in MOVABLE:
            raise ValueError(f"name must be one of {MOVABLE}, got {name!r}")
        changed = replace(self.now, **{name: value})  # type: ignore[arg-type] # it checks them
        if changed == self.now:
            return
        self.now = changed
        self.changes.append((self.step, name, float(value)))

    def snapshot(self) -> Snapshot:
        """Keep all that it takes to go on from here exactly as if nothing had happened.

        The tensors are the living ones: write or copy them before the next step.

        Raises: FloatingPointError when a weight is not finite, for nobody can go on from that.
        """
        if not all(bool(each.isfinite().all()) for each in self.parameters):
            raise self._diverged()
        tensors = {f"network.{name}": value for name, value in self.reader.state_dict().items()}
        for name, parameter in self.reader.named_parameters():
            for part, value in self.optimiser.state.get(parameter, {}).items():
                if isinstance(value, Tensor):
                    tensors[f"optimiser.{part}.{name}"] = value
        for number, state in enumerate(self.states or ()):
            for part, value in enumerate(state if isinstance(state, tuple) else (state,)):
                tensors[f"states.{number}.{part}"] = value
        tensors["losses.sum"] = self._sum
        record: dict[str, Any] = {
            "plan": asdict(self.plan),
            "alphabet": self.alphabet,
            "now": {name: getattr(self.now, name) for name in MOVABLE},
            "window": self.window,
            "characters": self.characters,
            "summed": self._summed,
            "threads": self.sharing.threads,
            "points": [astuple(point) for point in self.points],
            "changes": self.changes,
            "kept": self.kept,
            "samples": self.samples,
        }
        return Snapshot(self.step, tensors, record)

    def keep(self) -> Snapshot:
        """Take a snapshot that is to be kept for good, and let the network say something."""
        if self.step not in self.kept:
            self.kept.append(self.step)
            self.samples.append((self.step, self.say()))
        return self.snapshot()

    def say(self) -> str:
        """Let the network go on with the first characters of its text.

        What it says depends on its weights, the plan's seed and the step alone.
        """
        source = torch.Generator().manual_seed(self.plan.seed * SEEDS + self.step)
        return sample(self.reader, self.text.content[:WARM], SAID, 1.0, source)

    def _learn(
        self, seen: Int[Tensor, "b t"], wanted: Int[Tensor, "b t"]
    ) -> tuple[Float[Tensor, ""], States, tuple[Tensor, ...]]:
        """Give the loss of a window, the states after it, and the loss's gradient."""
        logits, states = self.reader(seen, self.states)
        loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten())
        return loss, states, torch.autograd.grad(loss, self.parameters)

    def _go_back_to(self, snapshot: Snapshot) -> None:
        """Take up weights, optimiser, place and curves of a snapshot."""
        record = snapshot.record
        if Plan(**record["plan"]) != self.plan:
            raise ValueError(
                f"snapshot must be of a run by the same plan, got one by {record['plan']}"
            )
        self.reader.load_state_dict(under("network.", snapshot))
        stepping.take_up(self.reader, self.optimiser, under("optimiser.", snapshot))
        self.step, self.characters = snapshot.step, record["characters"]
        self.window = record["window"]
        self.states = _taken_up(under("states.", snapshot), self.device)
        self.points = list(starmap(Point, record["points"]))
        self.changes = [(step, name, value) for step, name, value in record["changes"]]
        self.kept = list(record["kept"])
        self.samples = [(step, said) for step, said in record["samples"]]
        self._sum = snapshot.tensors["losses.sum"].to(self.device, copy=True)
        self._summed = record["summed"]
        self.now = replace(self.plan, **record["now"])

    def _add_point(self, norm: Tensor | None, clipped: Tensor | None) -> None:
        validation, right, impossible = judge(self.reader, self.watched)
        training = float(self._sum) / self._summed / math.log(2) if self._summed else None
        self._sum.zero_()
        self._summed = 0
        before, after = (None if each is None else float(each) for each in (norm, clipped))
        self.points.append(Point(self.step, training, validation, before, after, right, impossible))
        if not math.isfinite(validation + (training or 0.0)):
            raise self._diverged()

    def _diverged(self) -> FloatingPointError:
        advice = "" if self.now.clip else ", or clip the gradient at 5"
        return FloatingPointError(
            f"The loss was no longer a finite number by step {self.step:,}, at a learning "
            f"rate of {self.now.learning_rate:.3g}: try a tenth of it{advice}."
        )


def _cut(states: States) -> States:
    """Let no gradient go back into the window before."""
    return [
        (state[0].detach(), state[1].detach()) if isinstance(state, tuple) else state.detach()
        for state in states
    ]


def _taken_up(tensors: dict[str, Tensor], device: torch.device) -> States | None:
    if not tensors:
        return None
    layers = 1 + max(int(name.split(".")[0]) for name in tensors)
    states = States()
    for number in range(layers):
        first = tensors[f"{number}.0"].to(device, copy=True)
        second = tensors.get(f"{number}.1")
        states.append(first if second is None else (first, second.to(device, copy=True)))
    return states
