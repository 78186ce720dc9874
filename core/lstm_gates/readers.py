"""A network that reads characters one after the other and says which may come next."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.lstm_gates import Plan
from core.lstm_gates.texts import places
from core.shared import devices
from core.shared.networks import Dropout

__all__ = ["Reader", "States", "build", "decode", "encode"]

RECURRENT = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}

# Of each layer what goes from one character to the next: h, or (h, c), each (1, n, u).
States = list[Tensor | tuple[Tensor, Tensor]]


class Reader(nn.Module):
    """Characters to logits of the next one.

    Each layer is a recurrent network of torch's of its own, as those of several layers do not give
    what goes on between them.
    """

    def __init__(self, plan: Plan, alphabet: str) -> None:
        super().__init__()
        self.cell, self.alphabet = plan.cell, alphabet
        self.embedding = nn.Embedding(len(alphabet), plan.embedding) if plan.embedding else None
        self.drop = Dropout(plan.dropout)  # whose masks a seed and a step give
        if not plan.embedding:  # a table is quicker than `one_hot`, which looks at every code first
            self.register_buffer("ones", torch.eye(len(alphabet)), persistent=False)
        width = plan.embedding or len(alphabet)
        self.layers = nn.ModuleList(
            RECURRENT[plan.cell](width if number == 0 else plan.units, plan.units, batch_first=True)
            for number in range(plan.layers)
        )
        self.head = nn.Linear(plan.units, len(alphabet))

    def see(self, codes: Int[Tensor, "*n"]) -> Float[Tensor, "*n e"]:
        """Give what the first layer is given of each character."""
        if self.embedding is not None:
            seen: Tensor = self.embedding(codes)
            return seen
        return nn.functional.embedding(codes, self.get_buffer("ones"))

    def forward(
        self, codes: Int[Tensor, "n t"], states: States | None = None
    ) -> tuple[Float[Tensor, "n t k"], States]:
        """Read on.

        Args:
            codes: of the characters, places in the alphabet.
            states: in which it was left; None before the first character.

        Returns: the logits of the next character after each, and the states it is left in.
        """
        value, left = self.see(codes), []
        for number, layer in enumerate(self.layers):
            value, state = layer(value, None if states is None else states[number])
            left.append(state)
            if number + 1 < len(self.layers):
                value = self.drop(value)
        return self.head(value), left


def build(plan: Plan, alphabet: str, device: torch.device | None = None) -> Reader:
    """Make a network with the weights from which it begins.

    They are torch's usual ones, uniform within ±1/√u, drawn from the plan's seed; the forget gates'
    two biases add up to the plan's.
    """
    with torch.random.fork_rng([]):  # torch's initialisations take no generator
        state = torch.Generator().manual_seed(plan.seed).get_state()
        torch.set_rng_state(state)
        reader = Reader(plan, alphabet)
    if plan.cell == "lstm":
        forget = slice(plan.units, 2 * plan.units)  # torch's order is i, f, g, o
        for layer in reader.layers:
            nn.init.constant_(layer.get_parameter("bias_ih_l0")[forget], plan.forget_bias)
            nn.init.zeros_(layer.get_parameter("bias_hh_l0")[forget])
    return reader.to(device or devices.choose(None))


def encode(text: str, alphabet: str) -> Int[Tensor, " t"]:
    """Give the place of each character in an alphabet, that of UNKNOWN where it is not in it."""
    return torch.from_numpy(places(text, alphabet))


def decode(codes: Int[Tensor, " t"], alphabet: str) -> str:
    """Give the characters again."""
    return "".join(alphabet[each] for each in codes.tolist())
