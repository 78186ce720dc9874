"""How many threads compute a network: one, where its steps are too small to be shared out."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from core.lstm_gates.readers import Reader

__all__ = ["few"]

WORTH = 1 << 20  # multiply-adds of one character, in all texts side by side, that are worth sharing


@contextmanager
def few(reader: Reader, batch: int = 1) -> Iterator[None]:
    """Keep to one thread while a small network reads.

    What goes from one character to the next is a small product, thousands of them one after the
    other. Two threads that share each of these wait for each other longer than they compute, and
    when other programs have the cores, ten times as long. It is no generator's to hold over a
    yield.

    Args:
        reader: that is to read.
        batch: texts side by side.
    """
    recurrent = next(iter(reader.layers)).get_parameter("weight_hh_l0").numel()
    threads = torch.get_num_threads()
    if batch * recurrent >= WORTH or threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
