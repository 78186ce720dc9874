"""A run as plain PyTorch: a script that gives the same weights, to read and to keep."""

from collections.abc import Mapping, Sequence

from core.lstm_gates import Plan

__all__ = ["script"]

KINDS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
OPTIMISERS = {"adam": "Adam", "rmsprop": "RMSprop", "sgd": "SGD"}
FUSED = ("adam", "sgd")  # as the run's: the others round otherwise

HEAD = '''"""A run of Glassbox as plain PyTorch, beside its run.json and text.txt."""

import json
from pathlib import Path
{numpy}
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

device = "cpu"
layers, units, window, batch, steps = {layers}, {units}, {window}, {batch}, {steps}
learning_rate, clip, seed = {rate}, {clip}, {seed}
{changes}
text = Path("text.txt").read_text(encoding="utf-8")
alphabet = json.loads(Path("run.json").read_text(encoding="utf-8"))["alphabet"]
codes = {{character: number for number, character in enumerate(alphabet)}}
# What is not in the alphabet is its first, the rest of the text is for validation.
learned = torch.tensor([codes.get(character, 0) for character in text[:{cut}]])
along = len(learned) // batch
learned = learned[: along * batch].view(batch, along).to(device)  # batch places side by side
windows = (along - 1) // window  # of one pass over the text

'''
DROPPED = '''
def dropped(values, source):
    """Set a share of the values to 0; the mask follows from the seed and the step."""
    if not reader.training:
        return values
    kept = torch.empty_like(values).bernoulli_({kept}, generator=source)
    return values * (kept / {kept})

'''
READER = '''
class Reader(nn.Module):
    """Characters to logits of the next one."""

    def __init__(self):
        super().__init__()
{embedding}\
        self.layers = nn.ModuleList(
            nn.{kind}({width} if layer == 0 else units, units, batch_first=True)
            for layer in range(layers)
        )
        self.head = nn.Linear(units, len(alphabet))

    def forward(self, codes, states):
{seen}\
        left = []
{source}\
        for layer, state in zip(self.layers, states):
{drop}\
            values, state = layer(values, state)
            left.append(state)
        return self.head(values), left


torch.manual_seed(seed)
reader = Reader()
{forget}\
reader.to(device)
optimiser = torch.optim.{optimiser}(reader.parameters(), lr=learning_rate{fused})

'''
FORGET = """with torch.no_grad():
    for layer in reader.layers:  # torch's gates are i, f, g, o, and each has two biases
        layer.bias_ih_l0[units : 2 * units] = {bias}
        layer.bias_hh_l0[units : 2 * units] = 0
"""
SOURCE = """\
        mixed = np.random.SeedSequence((seed * 2**32 + step, 0)).generate_state(1, np.uint64)
        source = torch.Generator(device).manual_seed(int(mixed[0]))
"""
LOOP = """for step in range({taken}):
{changed}\
    first = step % windows * window
    if first == 0:
        states = [None] * layers
    logits, states = reader(learned[:, first : first + window], states)
    wanted = learned[:, first + 1 : first + window + 1]
    loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten())
    optimiser.zero_grad()
    loss.backward()
    if clip:
        nn.utils.clip_grad_norm_(reader.parameters(), clip)
    optimiser.step()
    # The next window begins with these states; no gradient goes back through them.
    states = [{detached} for state in states]
    if step % 100 == 0:
        print(f"step {{step}}: {{loss.item() / 0.6931472:.4f}} bits a character")
save_file(reader.state_dict(), "trained.safetensors")
"""
CHANGED = "    learning_rate, clip = changes.get(step, (learning_rate, clip))\n"
COOLED = """    share = min(1.0, (steps - step) / max(1.0, {cooling} * steps))
    optimiser.param_groups[0]["lr"] = learning_rate * share
"""


def script(
    plan: Plan,
    cut: int,
    changes: Sequence[tuple[int, str, float]] = (),
    taken: int | None = None,
) -> str:
    """Write a run as a script of plain PyTorch, to be started beside its text.

    Args:
        plan: that the run began with.
        cut: characters of the text that it learns.
        changes: made while it was live: the step from which on the plan's field of this name had
            this value.
        taken: steps, where it was stopped before its end or has gone on beyond it; None for all.
    """
    moved = _moved(plan, changes)
    drops = plan.dropout > 0 and plan.layers > 1
    kept = 1 - plan.dropout
    seen = "self.embedding(codes)" if plan.embedding else "F.one_hot(codes, len(alphabet)).float()"
    embedding = f"        self.embedding = nn.Embedding(len(alphabet), {plan.embedding})\n"
    lstm = plan.cell == "lstm"
    return "".join(
        [
            HEAD.format(
                numpy="\nimport numpy as np" if drops else "",
                layers=plan.layers,
                units=plan.units,
                window=plan.window,
                batch=plan.batch,
                steps=plan.steps,
                rate=plan.learning_rate,
                clip=plan.clip,
                seed=plan.seed,
                changes=moved,
                cut=cut,
            ),
            DROPPED.format(kept=kept) if drops else "",
            READER.format(
                embedding=embedding if plan.embedding else "",
                kind=KINDS[plan.cell],
                width=plan.embedding or "len(alphabet)",
                seen=f"        values = {seen}\n",
                source=SOURCE if drops else "",
                drop=(
                    "            if left:\n                values = dropped(values, source)\n"
                    if drops
                    else ""
                ),
                forget=FORGET.format(bias=plan.forget_bias) if lstm else "",
                optimiser=OPTIMISERS[plan.optimiser],
                fused=", fused=True" if plan.optimiser in FUSED else "",
            ),
            LOOP.format(
                taken="steps" if taken in (None, plan.steps) else taken,
                changed=(CHANGED if moved else "") + COOLED.format(cooling=plan.cooling),
                detached="tuple(each.detach() for each in state)" if lstm else "state.detach()",
            ),
        ]
    )


def _moved(plan: Plan, changes: Sequence[tuple[int, str, float]]) -> str:
    """Write from which step on the learning rate and the clip were what."""
    now: Mapping[str, float] = {"learning_rate": plan.learning_rate, "clip": plan.clip}
    rows: dict[int, tuple[float, float]] = {}
    for step, name, value in changes:
        now = {**now, name: value}
        rows[step] = now["learning_rate"], now["clip"]
    said = ", ".join(f"{step}: {row}" for step, row in rows.items())
    return f"changes = {{{said}}}  # learning rate and clip from these steps on\n" if rows else ""
