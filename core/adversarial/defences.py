"""Defences and their trial: what a page may ask for and is given; needs no torch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from core.adversarial import Attack
from core.adversarial.studies import COUNTS
from core.shared.models import Source

__all__ = ["FAKE", "TRICKS", "Defended", "FakeDefence"]

FAKE = "core.adversarial.faking:fake"  # long work: submit it with a FakeDefence
TRICKS: dict[str, tuple[str, tuple[float, ...]]] = {  # what is done to a network, and how strongly
    "scale": ("multiply the logits by s", (1, 10, 30, 100, 1_000)),
    "levels": ("round each pixel to n levels", (256, 16, 8, 4, 2)),
    "noise": ("add noise with σ to each picture", (0, 0.02, 0.05, 0.1, 0.2)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeDefence:
    """How to make a network seem robust, and whom to ask whether it is.

    source: the network; the data that it learned from must be here.
    trick: one of TRICKS; each strength of it is tried, the first of which changes no decision.
    epsilon: of all attacks, in L∞.
    images: the first so many test images.
    steps: of the attacks by gradient.
    queries: of the attack without.
    seed: of all that is random.

    Raises: ValueError when a value is outside its range.
    """

    source: Source
    trick: str = "scale"
    epsilon: float = 0.1
    images: int = 64
    steps: int = 20
    queries: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        """Check each value."""
        if self.trick not in TRICKS:
            raise ValueError(f"trick must be one of {tuple(TRICKS)}, got {self.trick!r}")
        if type(self.images) is not int or not 1 <= self.images <= COUNTS[-1]:
            raise ValueError(
                f"images must be a whole number from 1 to {COUNTS[-1]:,}, got {self.images!r}"
            )
        _ = self.attack

    @property
    def attack(self) -> Attack:
        """The attack by cross-entropy that the others are measured against."""
        return Attack(
            epsilon=self.epsilon,
            loss="ce",
            steps=self.steps,
            queries=self.queries,
            seed=self.seed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Defended:
    """The accuracy under each attack of a network that only seems robust, as far as measured."""

    strengths: tuple[float, ...]  # of the trick
    names: tuple[str, ...]  # of the attacks
    accuracy: Float[np.ndarray, "a s"]  # share of the images; NaN where it is not measured yet
    clean: Float[np.ndarray, " s"]  # without any attack
    alive: Float[np.ndarray, " s"]  # share of the first attack's gradients that are not zero
    images: int
    working: str  # at what it is, in words
