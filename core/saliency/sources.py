"""Sources of random numbers that know nothing of each other, though one seed is behind them all."""

import numpy as np
import torch

__all__ = ["ABSENT", "CHANCE", "DRAWN", "source_of"]

# What a query's seed is for: the noise that stands for what is absent, the control that is random,
# and what a method draws. Places below 10 are those of melting and of the court.
ABSENT, CHANCE, DRAWN = 10, 11, 12


def source_of(seed: int, *place: int) -> torch.Generator:
    """Make the source of a seed for one of its purposes.

    Args:
        seed: not below 0.
        place: what it is for; another place is another stream, also beside a source that torch
            makes of the same seed.
    """
    # torch's generator on the CPU reads only the lower half of a seed: mix all into both.
    mixed = np.random.SeedSequence((seed, *place)).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(mixed[0]))
