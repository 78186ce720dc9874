"""One step of an optimiser, and what it does to each layer."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.shared.recipes import Recipe

__all__ = ["Flow", "adjust", "gradient_norms", "optimiser", "step_and_measure"]


@dataclass(frozen=True, slots=True)
class Flow:
    """What one step did to each layer that has weights."""

    step: int  # counted from 1
    layers: tuple[str, ...]
    gradient: tuple[float, ...]  # ‖∂L/∂w‖₂ of the loss, over all parameters of the layer
    update: tuple[float, ...]  # ‖w after − w before‖₂ / ‖w before‖₂; 0 where w was 0


def optimiser(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Make the recipe's optimiser; fused, it takes one call a step instead of one a tensor."""
    weights, rate = list(network.parameters()), recipe.learning_rate
    makers: dict[str, Callable[[], torch.optim.Optimizer]] = {
        "nesterov": lambda: torch.optim.SGD(weights, rate, 0.9, nesterov=True, fused=True),
        "momentum": lambda: torch.optim.SGD(weights, rate, 0.9, fused=True),
        "sgd": lambda: torch.optim.SGD(weights, rate, fused=True),
        "adagrad": lambda: torch.optim.Adagrad(weights, rate, fused=True),
        "rmsprop": lambda: torch.optim.RMSprop(weights, rate),
        "adam": lambda: torch.optim.Adam(weights, rate, fused=True),
        "adamw": lambda: torch.optim.AdamW(weights, rate, fused=True),
    }
    made = makers[recipe.optimiser]()
    adjust(made, recipe)
    return made


def adjust(made: torch.optim.Optimizer, recipe: Recipe) -> None:
    """Give the optimiser the recipe's momentum and decay."""
    for group in made.param_groups:
        group["weight_decay"] = recipe.weight_decay
        if recipe.optimiser in ("momentum", "nesterov"):
            group["momentum"] = recipe.momentum
        elif recipe.optimiser in ("adam", "adamw"):
            group["betas"] = recipe.momentum, group["betas"][1]


def gradient_norms(network: nn.Module) -> dict[str, Float[Tensor, ""]]:
    """Measure the gradient of the loss in each layer, before anything is added to it."""
    return {
        name: _norm([p.grad for p in parameters if p.grad is not None])
        for name, parameters in _learning_layers(network).items()
    }


def step_and_measure(
    network: nn.Module,
    made: torch.optim.Optimizer,
    gradients: dict[str, Float[Tensor, ""]],
    step: int,
) -> Flow:
    """Do the optimiser's step, and measure what it does to each layer.

    Args:
        network: whose parameters have their gradients.
        made: its optimiser.
        gradients: as `gradient_norms` gave them.
        step: its number, counted from 1.
    """
    layers, gradient = _learning_layers(network), list(gradients.values())
    before = {name: [p.detach().clone() for p in each] for name, each in layers.items()}
    made.step()
    moved = [
        _norm([p.detach() - b for p, b in zip(each, before[name], strict=True)])
        for name, each in layers.items()
    ]
    size = [_norm(each) for each in before.values()]
    numbers = torch.stack([*gradient, *moved, *size]).view(3, -1).tolist()
    ratio = tuple(m / s if s else 0.0 for m, s in zip(numbers[1], numbers[2], strict=True))
    return Flow(step, tuple(layers), tuple(numbers[0]), ratio)


def _learning_layers(network: nn.Module) -> dict[str, list[nn.Parameter]]:
    """List the parameters of each layer that has some with a gradient."""
    layers = {
        name: [each for each in layer.parameters() if each.grad is not None]
        for name, layer in network.named_children()
    }
    return {name: parameters for name, parameters in layers.items() if parameters}


def _norm(values: list[Tensor]) -> Float[Tensor, ""]:
    return torch.stack(torch._foreach_norm(values)).square().sum().sqrt()
