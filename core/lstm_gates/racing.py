"""Cells that learn the same copying task side by side, and how far back their gradients reach."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.lstm_gates import UNKNOWN, Plan
from core.lstm_gates.memory import KEEPING
from core.lstm_gates.races import RUNNERS, Race, Raced, Runner
from core.lstm_gates.readers import Reader, build
from core.lstm_gates.threads import few
from core.lstm_gates.through_time import norms, products, trail
from core.shared import devices
from core.shared.studied import studied

__all__ = ["Racing", "race", "texts"]

SYMBOLS, BLANK, ASKED = "abcdefgh", ".", "?"
ALPHABET = UNKNOWN + SYMBOLS + BLANK + ASKED
BATCH = 32  # texts of a step, and those of which gradients are told
CLIP = 1.0  # largest norm of a gradient
POINTS = 400  # of a curve, at most
PROBE = 1 << 40  # added to the seed: of texts that nobody learns from


@dataclass(slots=True)
class Entrant:
    """A runner with its network."""

    runner: Runner
    reader: Reader
    weights: list[nn.Parameter]
    optimiser: torch.optim.Optimizer


class Racing:
    """A race under way, that can be looked at between two steps."""

    def __init__(self, config: Race) -> None:
        self.config, self.step = config, 0
        self.device = devices.choose(None)
        self.entrants = [_entrant(runner, config, self.device) for runner in RUNNERS]
        self.draws = torch.Generator().manual_seed(config.seed)
        probes = torch.Generator().manual_seed(config.seed + PROBE)
        self.probe = texts(config, probes).to(self.device)
        self.every = -(-config.steps // POINTS)  # steps a point
        self.since: list[Float[Tensor, "3 r"]] = []  # the last point
        self.points: list[tuple[int, Float[Tensor, "3 r"]]] = []
        self.seen: Raced | None = None

    @property
    def progress(self) -> float:
        """The share of the steps that is done."""
        return self.step / self.config.steps

    def measure(self) -> Iterator[None]:
        """Take all steps, yielding after each."""
        while self.step < self.config.steps:
            self.move()
            yield

    def move(self) -> None:
        """Let each network take one step on the same texts.

        Raises: FloatingPointError when a gradient is not finite.
        """
        batch = texts(self.config, self.draws).to(self.device)
        told = []
        for entrant in self.entrants:
            with few(entrant.reader, BATCH):
                told.append(_learn(entrant, batch, self.config))
        self.step += 1
        self.since.append(torch.stack(told, 1).cpu())
        if not bool(self.since[-1].isfinite().all()):
            raise FloatingPointError(
                f"a gradient was not finite after {self.step} steps: try a smaller learning rate"
            )
        if self.step % self.every == 0 or self.step == self.config.steps:
            self.points.append((self.step, torch.stack(self.since).mean(0)))
            self.since.clear()

    def freeze(self) -> Raced:
        """Look at the curves, and at how far back the newest gradients reach."""
        if self.seen is None or self.seen.step != self.step:
            rows = [values.numpy() for _, values in self.points]
            curves = np.array(rows, float).reshape(-1, 3, len(RUNNERS)).transpose(1, 2, 0)
            symbols = self.config.symbols
            found = []
            for entrant in self.entrants:
                with few(entrant.reader, BATCH):
                    found.append(_reach(entrant.reader, self.probe, symbols))
            reach = np.stack(found, 1)
            self.seen = Raced(
                step=self.step,
                steps=self.config.steps,
                points=np.array([step for step, _ in self.points], float),
                bits=curves[0],
                right=curves[1],
                norms=curves[2],
                hidden=reach[0],
                cells=reach[1],
                product=reach[2],
                geometric=reach[3],
            )
        return self.seen

    def let_go(self) -> None:
        """Look a last time, and hold no networks any more."""
        self.freeze()
        self.entrants = []


def race(config: Race) -> Iterator[Racing]:
    """Let the runners learn, yielding before each step too.

    A symbol is read, then blanks, and when so many steps as the distance are over the network is
    asked for it. Each runner has a network of its own; the two LSTMs begin with the same weights
    but for the forget gates' biases.

    Args:
        config: how far, how large and for how long; with its seed it determines each step, on one
            kind of device.

    Raises: FloatingPointError when a gradient is not finite.

    Source: Hochreiter, Schmidhuber 1997, section 5, for tasks of long time lags; Arjovsky, Shah,
        Bengio 2016, arXiv:1511.06464, section 4.1, for this one, here with a question at each
        place that is to be answered; Jozefowicz, Zaremba, Sutskever 2015, section 3.2, for the
        forget bias of 1.
    """
    yield from studied(Racing(config))


def texts(config: Race, source: torch.Generator) -> Int[Tensor, "n t"]:
    """Make texts: the symbols, blanks up to the distance, and as many questions as symbols."""
    codes = torch.full((BATCH, config.distance + config.symbols), ALPHABET.index(BLANK))
    first, last = ALPHABET.index(SYMBOLS[0]), ALPHABET.index(SYMBOLS[-1])
    drawn = torch.randint(first, last + 1, (BATCH, config.symbols), generator=source)
    codes[:, : config.symbols] = drawn
    codes[:, config.distance :] = ALPHABET.index(ASKED)
    return codes


def _entrant(runner: Runner, config: Race, device: torch.device) -> Entrant:
    """Give a runner its network."""
    plan = Plan(
        cell=runner.cell, units=config.units, forget_bias=runner.forget_bias, seed=config.seed
    )
    reader = build(plan, ALPHABET, device)
    weights = list(reader.parameters())
    return Entrant(
        runner, reader, weights, torch.optim.Adam(weights, config.learning_rate, fused=True)
    )


def _learn(entrant: Entrant, batch: Int[Tensor, "n t"], config: Race) -> Float[Tensor, " 3"]:
    """Take a step; gives the bits and the share of right answers before it, and the norm."""
    wanted = batch[:, : config.symbols].flatten()
    with torch.enable_grad():
        logits = entrant.reader(batch)[0][:, config.distance :].flatten(0, 1)
        loss = nn.functional.cross_entropy(logits, wanted)
        slopes = torch.autograd.grad(loss, entrant.weights)
    norm = torch.stack([slope.norm() for slope in slopes]).norm()
    share = (CLIP / norm).clamp(max=1)
    for weight, slope in zip(entrant.weights, slopes, strict=True):
        weight.grad = slope * share
    entrant.optimiser.step()
    entrant.optimiser.zero_grad()
    right = (logits.argmax(1) == wanted).to(loss.dtype).mean()
    return torch.stack([loss.detach() / np.log(2), right, norm])


def _reach(reader: Reader, probe: Int[Tensor, "n t"], symbols: int) -> Float[np.ndarray, "4 t"]:
    """Give the norms by h and by c and the gates' products, means over the texts."""
    way = trail(reader, probe)
    values, gate = way.layers[0], KEEPING[reader.cell]
    wanted = probe[:, symbols - 1]
    with torch.enable_grad():
        loss = nn.functional.cross_entropy(way.logits[:, -1], wanted, reduction="sum") / np.log(2)
    rows = [norms(loss, [values["h"]])[0]]
    none = torch.full_like(rows[0], torch.nan)
    rows.append(norms(loss, [values["c"]])[0] if "c" in values else none)
    rows += products(torch.stack(values[gate]).detach()) if gate else (none, none)
    means = [row.cpu().double().mean(1) for row in rows]
    found: Float[np.ndarray, "4 t"] = torch.stack(means).numpy()
    return found
