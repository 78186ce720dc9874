"""Gradients of several sums of an image's logits, by one pass to the logits and several back."""

import torch
from jaxtyping import Float
from torch import Tensor

from core.adversarial.problems import Problem
from core.shared import devices

__all__ = ["slopes"]


def slopes(
    problem: Problem, images: Float[Tensor, "n c h w"], weights: Float[Tensor, "n m k"]
) -> Float[Tensor, "n m c h w"]:
    """Ask for the gradients of weighted sums of each image's logits by its pixels.

    An image counts as one query with a gradient, however many sums there are. What is not finite
    in a gradient is 0: no step can follow it.

    Args:
        problem: whose network is asked.
        images: where.
        weights: of the logits in each of the sums.
    """
    problem.counts.queries += len(images)
    problem.counts.gradients += len(images)
    found: list[Tensor] = []
    with torch.enable_grad():
        leaf = images.detach().requires_grad_()
        logits = problem.network(leaf)
        # One way back after the other: repeating the images takes three times as long on a CPU, and
        # all ways at once (is_grads_batched) twice.
        for direction in weights.unbind(1):
            devices.pulse()
            found += torch.autograd.grad(logits, leaf, direction, retain_graph=True)
    return torch.stack(found, 1).nan_to_num(0, 0, 0)
