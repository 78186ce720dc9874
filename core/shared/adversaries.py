"""Adversaries that a network learns against, and by which its robust accuracy is told.

They know the weights and stay within ε of each pixel (L∞). The network is attacked at rest, as it
would answer: without dropout, by the running statistics of batch normalisation.
"""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from core.shared import devices
from core.shared.evaluating import at_rest, loss_of, margins, quickest
from core.shared.recipes import Recipe

__all__ = ["STEPS", "WATCH_STEPS", "perturb", "slope", "withstood"]

STEPS = 7  # of PGD, in learning
WATCH_STEPS = 10  # of PGD, in measuring
WAY = 2.5  # times ε, of all steps of PGD together
FAST = 1.25  # times ε, of the one step from a random start


def perturb(
    network: nn.Module,
    images: Float[Tensor, "n c h w"],
    labels: Int[Tensor, " n"],
    recipe: Recipe,
    source: torch.Generator,
) -> Float[Tensor, "n c h w"]:
    """Move each image up its own loss, within ε of where it was, as the recipe's adversary does.

    Args:
        network: pixels from 0 to 1 to logits; its gradients, modes and statistics stay as they are.
        images: pixels from 0 to 1.
        labels: their classes.
        recipe: its adversary is "fgsm", one step of ε; "fast", one of 1.25 ε from a random place;
            or "pgd", seven of 2.5 ε / 7 from a random place. It climbs the recipe's loss.
        source: of the random places; on the CPU.

    Returns: pixels from 0 to 1, none further than epsilon from where it was.
    Raises: KeyError when the recipe has no adversary.

    Source: Goodfellow, Shlens, Szegedy 2014, arXiv:1412.6572, section 6 ("fgsm", without their
    clean half of the loss); Wong, Rice, Kolter 2020, arXiv:2001.03994, algorithm 3 ("fast"); Madry
    et al. 2017, arXiv:1706.06083, section 2.1 ("pgd").
    """
    epsilon = recipe.epsilon
    steps, length = {"fgsm": (1, 1.0), "fast": (1, FAST), "pgd": (STEPS, WAY / STEPS)}[
        recipe.adversary
    ]
    low, high = (images - epsilon).clamp(min=0), (images + epsilon).clamp(max=1)
    moved = images
    if recipe.adversary != "fgsm":
        anywhere = 2 * torch.rand(images.shape, generator=source).to(images) - 1
        moved = (images + epsilon * anywhere).clamp(low, high)

    def loss(logits: Tensor) -> Tensor:
        return loss_of(recipe, logits, labels) * len(labels)  # a sum keeps images apart

    with at_rest(network):
        for _ in range(steps):
            gradient, _ = _climb(quickest(network), moved, loss)
            moved = (moved + length * epsilon * gradient.sign()).clamp(low, high)
    return moved


def withstood(
    network: nn.Module, images: Float[Tensor, "n c h w"], labels: Int[Tensor, " n"], epsilon: float
) -> Iterator[Bool[Tensor, " n"]]:
    """Tell which images stay right under PGD within ε; yields after each step what is right still.

    An image leaves as soon as it is misread. The attack climbs the margin, which does not saturate
    where a network is sure, from the image itself.

    Args:
        network: pixels from 0 to 1 to logits; its gradients, modes and statistics stay as they are.
        images: pixels from 0 to 1.
        labels: their classes.
        epsilon: the budget, in pixel units.

    Returns: after each step which images are right so far; the first time without any change.

    Source: Madry et al. 2017, arXiv:1706.06083, section 2.1; Carlini, Wagner 2016,
    arXiv:1608.04644, section V.A, for the margin.
    """
    low, high = (images - epsilon).clamp(min=0), (images + epsilon).clamp(max=1)
    right = torch.ones_like(labels, dtype=torch.bool)
    moved, length = images, WAY * epsilon / WATCH_STEPS
    for step in range(WATCH_STEPS + 1):
        devices.pulse()
        here = right.nonzero()[:, 0]
        if len(here):
            own = labels[here]

            def loss(logits: Tensor, own: Tensor = own) -> Tensor:
                return -margins(logits, own).sum()

            with at_rest(network):
                gradient, logits = _climb(quickest(network), moved[here], loss)
            right[here] = margins(logits, own) > 0
            if step < WATCH_STEPS:
                moved = moved.clone()
                raised = moved[here] + length * gradient.sign()
                moved[here] = raised.clamp(low[here], high[here])
        yield right.clone()


def slope(
    network: nn.Module, image: Float[Tensor, "c h w"], label: int, recipe: Recipe
) -> Float[Tensor, "c h w"]:
    """Compute ∂L/∂x of one image: how its loss grows with each pixel."""
    labels = torch.tensor([label], device=image.device)
    with at_rest(network):
        gradient, _ = _climb(
            quickest(network), image[None], lambda logits: loss_of(recipe, logits, labels)
        )
    return gradient[0]


def _climb(
    network: Callable[[Tensor], Tensor], images: Tensor, loss: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Give the gradient of a loss by the pixels, and the logits."""
    with torch.enable_grad():
        leaf = images.detach().requires_grad_()
        logits = network(leaf)
        (gradient,) = torch.autograd.grad(loss(logits), leaf)
    return gradient, logits.detach()
