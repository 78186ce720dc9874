"""DeepLIFT: what a picture has to do with a score, by how each unit differs from the baseline's."""

from collections.abc import Callable, Generator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from core.saliency.intercepting import (
    Applied,
    WayBack,
    changed,
    elementwise,
    everywhere,
    follows,
)
from core.saliency.questions import Answer, Question

__all__ = ["deeplift"]

NEAR = 1e-6  # of the values: where they differ from the baseline's by less, the gradient counts
MISSING = 0.01  # of what the scores differ by: no more may be missing to completeness
ROUNDING = 1e-4  # of the sum of all values without their signs: likewise
POOLS: dict[Callable[..., object], Callable[..., tuple[Tensor, Tensor]]] = {
    function: getattr(F, f"{name}_with_indices")
    for kind in ("", "adaptive_")
    for rank in (1, 2)
    for function, name in everywhere(f"{kind}max_pool{rank}d")
}
REFUSED = dict(
    everywhere(
        *("group_norm", "instance_norm", "layer_norm", "local_response_norm", "normalize"),
        *("multi_head_attention_forward", "rms_norm", "scaled_dot_product_attention", "softmax"),
    )
)
PRODUCTS = dict(everywhere("bilinear", "bmm", "conv2d", "div", "einsum", "linear", "matmul", "mul"))


def deeplift(question: Question) -> Generator[None, None, Answer]:
    """Share out the score less the baseline's, by the Rescale rule.

    The picture and the baseline pass together. On the way back the slope at each nonlinearity is
    what its output differs by, divided by what its input does.

    Raises: ValueError when the network has more than sums, and functions and maxima of their terms.

    Source: Shrikumar, Greenside, Kundaje 2017, arXiv:1704.02685, sections 3.2 and 3.5.1; of a
    maximum, what it has above the baseline's is the place's where the picture has it, what it lacks
    the place's where the baseline has it, as in captum.
    """
    image, baseline = question.image, question.absent()

    def network(images: Tensor) -> Tensor:
        with _Rescale():
            return question.quick(images)

    scores, slopes = question.slope(torch.cat([image, baseline]), network)
    yield
    values = slopes[0] * (image - baseline)[0]
    score, base = scores.tolist()
    missing = abs(score - base - float(values.cpu().sum(dtype=torch.float64)))
    if not missing <= MISSING * abs(score - base) + ROUNDING * float(values.abs().sum()):
        raise _refusal(f"{missing:.2g} of {score - base:.2g} logits would be missing")
    return Answer(values=values, baseline=base)


class _Rescale(TorchFunctionMode):
    """While it is active, nonlinearities have the Rescale rule's way back.

    The second half of each batch are the baselines of the first.
    """

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        named = kwargs or {}
        applied = elementwise(func, args, named)
        if applied is not None:
            return changed(applied, _rescaled)
        following = [each for each in (*args, *named.values()) if follows(each)]
        if following and func in POOLS:
            return _pooled(POOLS[func], following[0], args[1:], named)
        if following and func in REFUSED:
            raise _refusal(f"it has {REFUSED[func].removesuffix('_forward').replace('_', ' ')}")
        if len(following) > 1 and func in PRODUCTS:
            raise _refusal("it multiplies or divides what follows from the picture by what does")
        return func(*args, **named)


def _refusal(reason: str) -> ValueError:
    return ValueError(
        "method must be another one than deeplift, whose values would not add up "
        f"for this network: {reason}"
    )


def _rescaled(applied: Applied, given: Tensor) -> WayBack:
    value, base = applied.values.chunk(2)
    upper, lower = given.chunk(2)
    with torch.enable_grad():
        leaf = value.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(applied.function(leaf).sum(), leaf)
    multiplier = torch.where(_near(value, base), gradient, (upper - lower) / (value - base))
    return lambda slope: (slope.unflatten(0, (2, -1)) * multiplier).flatten(0, 1)


def _pooled(
    pool: Callable[..., tuple[Tensor, Tensor]],
    values: Tensor,
    window: tuple[object, ...],
    named: dict[str, object],
) -> Tensor:
    """Give the maxima, with a way back to two places of each: the picture's and the baseline's."""
    settings = {key: named[key] for key in named.keys() - {"input", "return_indices"}}
    with torch.no_grad():
        given, places = pool(values, *window, **settings)

    def rule(applied: Applied, given: Tensor) -> WayBack:
        value, base = applied.values.flatten(2).chunk(2)
        upper, lower = given.flatten(2).chunk(2)
        here, there = places.flatten(2).chunk(2)
        largest = torch.maximum(upper, lower)
        shares = []
        for place, part, near in ((here, largest - lower, 1), (there, upper - largest, 0)):
            one, other = value.gather(2, place), base.gather(2, place)
            shares.append(torch.where(_near(one, other), near, part / (one - other)))
        shape, size = applied.values.shape, value.shape

        def way_back(slope: Tensor) -> Tensor:
            above = slope.flatten(2).chunk(2)[0]
            below = above.new_zeros(size)
            for place, share in zip((here, there), shares, strict=True):
                below.scatter_add_(2, place, above * share)
            return below.repeat(2, 1, 1).view(shape)

        return way_back

    return changed(Applied("max_pool", values, lambda _: given), rule)


def _near(value: Tensor, base: Tensor) -> Tensor:
    """Tell where two values differ by no more than rounding might make of them."""
    return (value - base).abs() <= NEAR * (value.abs() + base.abs())
