"""Ways to explain that change the gradient of each ReLU on the way back.

They make fine pictures of what is in the picture. Whether they explain the answer is another
question: Adebayo et al. 2018, arXiv:1810.03292, and Nie, Zhang, Patel 2018, arXiv:1805.07039.
"""

from collections.abc import Callable, Generator

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from core.saliency.intercepting import Applied, Rule, WayBack, changed, elementwise
from core.saliency.questions import Answer, Question

__all__ = ["deconvnet", "guided"]

RECTIFIERS = ("clamp", "clamp_min", "hardtanh", "relu", "relu6", "threshold")
PROBE = (-9.0, -0.001, 0.0, 0.001)  # a ReLU is known by what it makes of these, also one with a top


def guided(question: Question) -> Generator[None, None, Answer]:
    """Let pass at each ReLU what both the value and the slope let: where they are above 0.

    Raises: ValueError when the network has no ReLU.

    Source: Springenberg, Dosovitskiy, Brox, Riedmiller 2014, arXiv:1412.6806, section 3.4.
    """
    return (yield from _followed_back(question, _guided))


def deconvnet(question: Question) -> Generator[None, None, Answer]:
    """Let pass at each ReLU the slopes above 0, whatever its value.

    Raises: ValueError when the network has no ReLU.

    Source: Zeiler, Fergus 2013, arXiv:1311.2901, section 2.1, as Springenberg et al. 2014 write it;
    a maximum is put back where the picture has it.
    """
    return (yield from _followed_back(question, _deconvolved))


def _followed_back(question: Question, rule: Rule) -> Generator[None, None, Answer]:
    def network(images: Tensor) -> Tensor:
        with _Rectifiers(rule) as met:
            logits = question.quick(images)
        if not met.count:
            raise ValueError(
                f"method must be another one than {question.query.method}: "
                "this network has no ReLU, and nothing else of it would be changed"
            )
        return logits

    _, slopes = question.slope(question.image, network)
    yield
    return Answer(values=slopes[0])


def _guided(relu: Applied, given: Tensor) -> WayBack:
    passing = (given > 0) & (given == relu.values)  # a ReLU6 lets nothing pass above 6
    return lambda slope: slope.clamp(min=0) * passing


def _deconvolved(relu: Applied, given: Tensor) -> WayBack:
    return lambda slope: slope.clamp(min=0)


class _Rectifiers(TorchFunctionMode):
    """While it is active, each ReLU has another way back."""

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self.rule, self.count = rule, 0

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        applied = elementwise(func, args, kwargs or {})
        if applied is None or not _rectifies(applied):
            return func(*args, **(kwargs or {}))
        self.count += 1
        return changed(applied, self.rule)


def _rectifies(applied: Applied) -> bool:
    if applied.name not in RECTIFIERS:
        return False
    probe = torch.tensor(PROBE)
    return torch.equal(applied.function(probe), probe.clamp(min=0))
