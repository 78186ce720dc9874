"""An explanation is of finite numbers, and asks of a device only what it can do."""

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from core.saliency import Query, explaining, hans, questions
from core.saliency.explaining import explain
from core.saliency.hans import examine
from core.saliency.laboratory import Examination
from core.saliency.methods import METHODS
from core.saliency.questions import Answer, Question
from core.saliency.sanity import melt
from core.saliency.wanting import want
from core.saliency.wishes import NONE, Wish
from core.shared import devices
from core.shared.models import Source

DIGITS = Source(kind="built-in", name="mnist")
PIXELS = np.linspace(0, 1, 784, dtype=np.float32).reshape(1, 28, 28)


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")
    monkeypatch.setattr(hans, "READ", 20)


# Maps that are not finite


def ill(value: float) -> Callable[[Question], Generator[None, None, Answer]]:
    """A method of whose map one value is no number."""

    def method(question: Question) -> Generator[None, None, Answer]:
        yield
        values = question.image[0].clone()
        values[0, 3, 4] = value
        return Answer(values=values)

    return method


def examined() -> None:
    """Explain one picture in the laboratory, where a refusal is noted."""
    *_, last = examine(Examination(source=DIGITS, marked=3, queries=(Query(),), images=1))
    refusal = last.freeze().methods[0].refusal
    if refusal:
        raise ValueError(refusal)


ASKING: dict[str, Callable[[], object]] = {
    "explain": lambda: explain(DIGITS, PIXELS, Query()),
    "melt": lambda: melt(DIGITS, PIXELS, Query(), 1),
    "examine": examined,
}


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ASKING)
def test_a_map_that_is_not_finite_is_refused(
    name: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(explaining.CODE, "gradient", ill(value))
    with pytest.raises(ValueError, match="map must be of finite numbers, got some that are not"):
        ASKING[name]()
    monkeypatch.setitem(explaining.CODE, "gradient", ill(0.5))
    ASKING[name]()


# Devices


def test_each_kind_of_device_has_its_number_of_pictures() -> None:
    assert set(questions.AT_ONCE) == set(devices.KINDS)


class NoDouble(TorchFunctionMode):
    """A device without numbers of 64 bits, as "mps": what has come from it by `cpu` may be so."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[Tensor] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = func(*args, **(kwargs or {}))
        if func is Tensor.cpu:
            self.fetched.append(given)
        elif func is Tensor.double and not any(args[0] is each for each in self.fetched):
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        return given


def work(name: str) -> None:
    """Explain by a method, or do what has another name."""
    if name in METHODS:
        few = {"masks": 20, "segments": 4} if "masks" in METHODS[name].heeds else {}
        explain(DIGITS, PIXELS, Query(method=name, target=3, **few))  # type: ignore[arg-type]
    elif name == "examine":
        examined()
    else:
        for each in want(Wish(source=DIGITS, target=3, priors=(NONE,), steps=1)):
            each.freeze()


ASKED = set(METHODS) - {"kernelshap", "rollout"}  # the first draws by 64 bits, on the CPU


@pytest.mark.parametrize("name", [*sorted(ASKED), "examine", "want"])
def test_no_device_is_asked_for_64_bits(name: str) -> None:
    with NoDouble():
        work(name)


def test_that_device_refuses_64_bits() -> None:
    with NoDouble():
        assert torch.ones(1).cpu().double().dtype == torch.float64
        with pytest.raises(TypeError, match="float64"):
            torch.ones(1).softmax(0).double()
