"""What can be asked of a network: one of the built-in, a run's newest, or one at a kept step."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from core.lstm_gates.cell import cell
from core.lstm_gates.expecting import expected
from core.lstm_gates.gates import gates
from core.lstm_gates.intervening import clamped
from core.lstm_gates.learning import Lesson
from core.lstm_gates.memory import edited, memory
from core.lstm_gates.readers import Reader
from core.lstm_gates.sampling import sample
from core.lstm_gates.stored import load_built_in, load_reader
from core.lstm_gates.threads import few
from core.lstm_gates.through_time import influence, through_time
from core.shared.targets import reads

__all__ = ["ANALYSES", "built_in", "newest", "said", "step"]


def said(
    reader: Reader,
    start: str,
    length: int,
    temperature: float,
    seed: int,
    top_k: int = 0,
    top_p: float = 1.0,
) -> str:
    """Let a network go on with a text; as `sampling.sample`, from a seed."""
    source = torch.Generator().manual_seed(seed)
    return sample(reader, start, length, temperature, source, top_k=top_k, top_p=top_p)


ANALYSES: dict[str, Callable[..., Any]] = {  # each takes the network first, and leaves it as it is
    "cell": cell,
    "clamped": clamped,
    "edited": edited,
    "expected": expected,
    "gates": gates,
    "influence": influence,
    "memory": memory,
    "sample": said,
    "through_time": through_time,
}


def built_in(name: str, analysis: str, *given: Any) -> Any:
    """Ask one of the built-in networks.

    Args:
        name: one of `built_ins.BUILT_INS`.
        analysis: one of ANALYSES.
        given: what it takes beside the network.

    Raises: ValueError when there is no such network or analysis, or the analysis refuses.
    """
    return _asked(load_built_in(name), analysis, given)


@reads
def newest(lesson: Lesson, analysis: str, *given: Any) -> Any:
    """Ask the network of a run as it is now; asked of a run. The other two say the rest."""
    return _asked(lesson.reader(), analysis, given)


def step(config: Mapping[str, Any], folder: str, at: int, analysis: str, *given: Any) -> Any:
    """Ask the network of a run as it stood at a kept step.

    Args:
        config: of the run.
        folder: of the run.
        at: the step, one of those in `State.kept`.
        analysis: one of ANALYSES.
        given: what it takes beside the network.

    Raises: ValueError when the step was not kept, there is no such analysis, or it refuses.
    """
    return _asked(load_reader(config, folder, at), analysis, given)


def _asked(reader: Reader, name: str, given: tuple[Any, ...]) -> Any:
    if name not in ANALYSES:
        raise ValueError(f"analysis must be one of {tuple(ANALYSES)}, got {name!r}")
    with few(reader):
        return ANALYSES[name](reader, *given)
