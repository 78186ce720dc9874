"""All gates of a text beside torch's own reading of it, and beside torch's cells in a loop.

Part of `bench.lstm_gates`. All sides read the same 2,000 characters with the same network of 2
layers of 256 units, in turns. A loop over LSTMCell gives c of all characters, which torch's layers
do not, and none of the gates; it is the way that people are told to take (PyTorch issue 31423). The
sides must agree on h and c.
"""

import copy
import os
import time
from collections import defaultdict
from collections.abc import Callable

from core.shared import process

os.environ.update({**process.KERNELS, **os.environ})  # as the engine's process has it

import torch
from torch import Tensor, nn

from bench import report
from core.lstm_gates import UNKNOWN, Plan
from core.lstm_gates.gates import gates
from core.lstm_gates.readers import Reader, build, encode
from core.shared import devices

CHARACTERS, ALPHABET = 2_000, UNKNOWN + "".join(map(chr, range(32, 127)))
PLAN = Plan(layers=2, units=256)
SLOWEST, FASTER = 2.5, 3.0  # times torch's forward alone; times as fast as the loop
NEAR = 5e-5  # of values below some units, in float32


def a_text() -> str:
    """Draw characters."""
    drawn = torch.randint(1, len(ALPHABET), (CHARACTERS,), generator=torch.Generator())
    return "".join(ALPHABET[each] for each in drawn.tolist())


def cells_of(reader: Reader) -> list[nn.LSTMCell]:
    """Give torch's networks of one step with the same weights."""
    made = []
    for layer in reader.layers:
        rows, units = layer.get_parameter("weight_ih_l0"), PLAN.units
        cell = nn.LSTMCell(rows.shape[1], units, device=rows.device)
        for name, value in layer.named_parameters():
            getattr(cell, name.removesuffix("_l0")).data.copy_(value)
        made.append(cell.requires_grad_(requires_grad=False))
    return made


def looped(reader: Reader, cells: list[nn.LSTMCell], codes: Tensor) -> tuple[Tensor, Tensor]:
    """Read in a loop; gives h and c of all layers and characters on the host."""
    kept: list[tuple[list[Tensor], list[Tensor]]] = []
    value = reader.see(codes)[0]
    for cell in cells:
        states: tuple[list[Tensor], list[Tensor]] = [], []
        state = None
        for given in value.split(1):
            state = cell(given, state)
            for column, each in zip(states, state, strict=True):
                column.append(each)
        value = torch.cat(states[0])
        kept.append(states)
    reader.head(value)
    h, c = (torch.stack([torch.cat(each[part]) for each in kept]).cpu() for part in (0, 1))
    return h, c


def gated(device: torch.device, rounds: int) -> list[dict[str, object]]:
    """Measure the three sides in turns and state what holds."""
    devices.prepare(device)
    reader = build(PLAN, ALPHABET, device).eval().requires_grad_(requires_grad=False)
    text, cells = a_text(), cells_of(copy.deepcopy(reader))
    codes = encode(text, ALPHABET)[None].to(device)
    told = gates(reader, text)
    h, c = looped(reader, cells, codes)
    off = max(
        float((torch.from_numpy(told.values[n]) - v).abs().max())
        for n, v in zip("hc", (h, c), strict=True)
    )
    sides: dict[str, Callable[[], object]] = {
        "torch's forward alone": lambda: reader(codes),
        "all gates": lambda: gates(reader, text),
        "a loop over LSTMCell": lambda: looped(reader, cells, codes),
    }
    seconds = defaultdict(list)
    with torch.no_grad():
        for _ in range(rounds + 1):  # what is loaded at first is nobody's time
            for name, run in sides.items():
                devices.synchronise(device)
                began = time.perf_counter()
                run()
                devices.synchronise(device)
                seconds[name].append(time.perf_counter() - began)
    for name, values in seconds.items():
        report.spread(f"{CHARACTERS:,} characters, 2 × 256: {name}", values[1:], "s")
    alone, ours, loop = (values[1:] for values in seconds.values())
    slower = [one / other for one, other in zip(ours, alone, strict=True)]
    faster = [one / other for one, other in zip(loop, ours, strict=True)]
    times = report.spread("all gates / torch's forward alone", slower, "ratio")
    gain = report.spread("a loop over LSTMCell / all gates", faster, "ratio")
    return [
        report.claim("gates: seconds / torch's forward alone", times, SLOWEST, at_most=True),
        report.claim("gates: a loop over LSTMCell, seconds / ours", gain, FASTER),
        report.claim("gates: off from the loop's h and c", off, NEAR, at_most=True),
        report.claim("gates: residual", told.residual, NEAR, at_most=True),
    ]
