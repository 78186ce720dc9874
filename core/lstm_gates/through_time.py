"""Gradients through time: how a loss depends on what was kept, a prediction on what was read.

torch's layers give only the part of a gradient by their h that does not go through later steps, as
those are inside of one operation. So the text is read anew by `recurrence.replay`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.lstm_gates import GATES
from core.lstm_gates.gates import coded
from core.lstm_gates.memory import KEEPING
from core.lstm_gates.readers import Reader
from core.lstm_gates.recurrence import replay, weights_of
from core.lstm_gates.results import Influence, ThroughTime

__all__ = ["Trail", "influence", "norms", "products", "through_time", "trail"]

OF = ("actual", "predicted")
SCORES = ("log_probability", "logit")
AT_ONCE = 1 << 24  # numbers of a gradient that are computed together
FEWEST = {"through_time": 2, "influence": 1}


@dataclass(frozen=True, slots=True)
class Trail:
    """A text that was read in operations that remember what they were given."""

    given: Float[Tensor, "n t e"]  # what the first layer was given; a gradient can be asked by it
    layers: list[dict[str, list[Tensor]]]  # of each by GATES the values (n, u) at each place
    logits: Float[Tensor, "n t k"]


def trail(reader: Reader, codes: Int[Tensor, "n t"], window: int = 0) -> Trail:
    """Read, in a way that gradients can be asked by all that is computed, not by weights.

    Args:
        reader: left as it is, whatever of it wants gradients.
        codes: of the texts.
        window: characters after which a gradient goes back no further; 0 for never.
    """
    with torch.enable_grad():
        given = reader.see(codes).detach().requires_grad_()
        value, layers = given, []
        for layer in reader.layers:
            layers.append(replay(reader.cell, weights_of(layer), value, None, window))
            value = torch.stack(layers[-1]["h"], 1)
        weight, bias = reader.head.weight.detach(), reader.head.bias.detach()
        return Trail(given, layers, nn.functional.linear(value, weight, bias))


def norms(loss: Float[Tensor, ""], columns: list[list[Tensor]]) -> Float[Tensor, "l t n"]:
    """Give ‖∂L/∂v‖₂ of each value (n, u) at each place of each layer, along all ways.

    Args:
        loss: a sum of what belongs to each of the n texts alone.
        columns: of each layer the values at all places; 0 where the loss does not depend on one.
    """
    every = [value for column in columns for value in column]
    found = torch.autograd.grad(loss, every, retain_graph=True, allow_unused=True)
    rows = [
        torch.zeros_like(value[:, 0]) if slope is None else slope.norm(dim=1)
        for value, slope in zip(every, found, strict=True)
    ]
    return torch.stack(rows).reshape(len(columns), -1, rows[0].shape[0])


def products(gates: Float[Tensor, "t n u"]) -> tuple[Float[Tensor, "t n"], Float[Tensor, "t n"]]:
    """Multiply a gate over all places after each: mean and geometric mean over the units.

    In float64, on the host, as not every device has that. Five hundred steps of 0.2 are 10⁻³⁵⁰ and
    so 0 there; the logarithm that the geometric mean is taken of has no such end.
    """
    logs = gates.cpu().double().log()
    after = torch.cat([logs[1:].flip(0).cumsum(0).flip(0), torch.zeros_like(logs[:1])])
    return after.exp().mean(2), after.mean(2).exp()


def through_time(reader: Reader, text: str, target: int | None = None) -> ThroughTime:
    """Tell how the loss of one character depends on c and h after each character before it.

    Args:
        reader: left as it is.
        text: 2 to `room.longest` characters.
        target: place of the character whose −log₂ p is the loss, from 1; None for the last one.

    Raises: ValueError when the text is too short or too long, or has no such place.

    Source: Bengio, Simard, Frasconi 1994, section III; Hochreiter, Schmidhuber 1997, section 4, of
        the product of forget gates, which were all 1 there.
    """
    codes = _coded(reader, text, "through_time")
    place = len(text) - 1 if target is None else target
    if not 1 <= place < len(text):
        raise ValueError(f"target must be from 1 to {len(text) - 1}, got {target}")
    way = trail(reader, codes[None, :place])
    with torch.enable_grad():
        loss = nn.functional.cross_entropy(way.logits[0, -1], codes[place]) / np.log(2)
    has_cells, gate = "c" in GATES[reader.cell], KEEPING[reader.cell]
    hidden = norms(loss, [layer["h"] for layer in way.layers])
    cells = norms(loss, [layer["c"] for layer in way.layers]) if has_cells else None
    kept = [products(torch.stack(layer[gate]).detach()) for layer in way.layers] if gate else None
    return ThroughTime(
        text=text,
        target=place,
        bits=float(loss.detach()),
        cells=None if cells is None else cells[:, :, 0].cpu().numpy(),
        hidden=hidden[:, :, 0].cpu().numpy(),
        gate=gate,
        product=None if kept is None else _stacked([mean for mean, _ in kept]),
        geometric=None if kept is None else _stacked([mean for _, mean in kept]),
    )


def influence(
    reader: Reader,
    text: str,
    of: str = "actual",
    score: str = "log_probability",
    window: int = 0,
) -> Influence:
    """Tell how far each character that is read moves the prediction after each.

    The text is read once; all gradients go back together, so many copies of one as there are
    predictions.

    Args:
        reader: left as it is.
        text: 1 to `room.longest` characters.
        of: whose score it is: that of the likeliest character or of the one that comes.
        score: its logit, or its natural log-probability.
        window: characters after which a gradient goes back no further, counted from the beginning
            of the text, as truncated backpropagation has it; 0 for never.

    Raises: ValueError when a value is not one of these.

    Source: Madsen 2019, "Visualizing memorization in RNNs", Distill, section "connectivity", of the
        logit of the predicted word; theirs is squared and shown as shares of each row's largest.
    """
    codes = _coded(reader, text, "influence")
    for name, value, known in (("of", of, OF), ("score", score, SCORES)):
        if value not in known:
            raise ValueError(f"{name} must be one of {known}, got {value!r}")
    if window < 0:
        raise ValueError(f"window must not be below 0, got {window}")
    way = trail(reader, codes[None], window)
    with torch.enable_grad():
        logits = way.logits[0]
        scores = logits if score == "logit" else logits.log_softmax(1)
        chosen = logits.argmax(1) if of == "predicted" else codes[1:]
        wanted = scores[: len(chosen)].gather(1, chosen[:, None])[:, 0]
    values = logits.new_full((len(text), len(text)), torch.nan)
    wide = max(way.given.shape[2], weights_of(reader.layers[0]).input.shape[0])
    rows = torch.eye(len(chosen), dtype=logits.dtype, device=logits.device)
    done = 0
    for few in rows.split(max(1, AT_ONCE // (len(text) * wide))) if len(rows) else ():
        (slopes,) = torch.autograd.grad(
            wanted, way.given, few, retain_graph=True, is_grads_batched=True
        )
        values[done : done + len(few)] = slopes[:, 0].norm(dim=2)
        done += len(few)
    return Influence(
        text=text,
        characters="".join(reader.alphabet[each] for each in chosen.tolist()),
        of=of,
        score=score,
        window=window,
        values=values.cpu().numpy(),
    )


def _coded(reader: Reader, text: str, analysis: str) -> Int[Tensor, " t"]:
    """Give the codes of a text that is long enough."""
    codes = coded(reader, text, analysis)
    if len(text) < FEWEST[analysis]:
        raise ValueError(f"text must have at least {FEWEST[analysis]} characters, got {len(text)}")
    return codes


def _stacked(rows: list[Float[Tensor, "t 1"]]) -> Float[np.ndarray, "l t"]:
    stacked: Float[np.ndarray, "l t"] = torch.stack(rows)[:, :, 0].cpu().numpy()
    return stacked
