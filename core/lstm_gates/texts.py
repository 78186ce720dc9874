"""A stand-in until the texts are there."""

import random
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.lstm_gates import UNKNOWN

__all__ = ["Text", "read"]


@dataclass(frozen=True)
class Text:
    name: str
    content: str
    alphabet: str
    truth: dict
    forced: np.ndarray | None
    allowed: np.ndarray | None

    @property
    def parts(self) -> tuple[str, str]:
        cut = len(self.content) - len(self.content) // 10
        return self.content[:cut], self.content[cut:]


@lru_cache
def read(name: str, characters: int = 0) -> Text:
    rng = random.Random(0)
    size = characters or 50_000
    out, allowed, depth, = [], [], 0
    while len(out) < size:
        u = rng.random()
        if depth and u < 0.3: 
            out.append(")"); depth -= 1
        elif depth < 4 and u < 0.6:
            out.append("("); depth += 1
        else:
            out.append(str(depth))
        allowed.append({str(depth)} | ({")"} if depth else set()) | ({"("} if depth < 4 else set()))
    content = "".join(out)
    alphabet = UNKNOWN + "".join(sorted(set(content)))
    table = np.array([[c in a for c in alphabet] for a in allowed])
    forced = np.where(table.sum(1) == 1, table.argmax(1), -1)
    return Text(name, content, alphabet, {}, forced, table)
