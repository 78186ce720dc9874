"""One step of an optimiser, and what it does to each layer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.shared.recipes import Recipe

__all__ = ["Flow", "adjust", "gradient_norms", "optimiser", "step_and_measure", "take_up"]

Layers = Mapping[str, Sequence[nn.Parameter]]  # all parameters of a network, by their layers


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


def take_up(network: nn.Module, made: torch.optim.Optimizer, state: Mapping[str, Tensor]) -> None:
    """Give the optimiser what it knew of each parameter at an earlier step.

    Args:
        network: whose parameters they are.
        made: the optimiser.
        state: by the name of the part, a dot and the name of the parameter.
    """
    for name, parameter in network.named_parameters():
        for part in {key.split(".")[0] for key in state}:
            value = state[f"{part}.{name}"].to(parameter.device, copy=True)
            if value.shape == parameter.shape:  # a fused step takes equal layouts for granted
                value = torch.empty_like(parameter.detach()).copy_(value)
            made.state[parameter][part] = value


def gradient_norms(layers: Layers) -> Float[Tensor, " l"]:
    """Measure the gradient of the loss in each layer, before anything is added to it."""
    return _norms([p.grad for each in layers.values() for p in each if p.grad is not None], layers)


def step_and_measure(
    layers: Layers,
    made: torch.optim.Optimizer,
    gradients: Float[Tensor, " l"],
    step: int,
) -> Flow:
    """Do the optimiser's step, and measure what it does to each layer.

    Args:
        layers: the parameters of each, which have their gradients.
        made: the optimiser of all of them.
        gradients: as `gradient_norms` gave them.
        step: its number, counted from 1.
    """
    parameters = [p.detach() for each in layers.values() for p in each]
    before = [p.clone() for p in parameters]
    made.step()
    moved = _norms(torch._foreach_sub(parameters, before), layers)
    numbers = torch.stack([gradients, moved, _norms(before, layers)]).tolist()
    ratio = tuple(m / s if s else 0.0 for m, s in zip(numbers[1], numbers[2], strict=True))
    return Flow(step, tuple(layers), tuple(numbers[0]), ratio)


def _norms(values: Iterable[Tensor], layers: Layers) -> Float[Tensor, " l"]:
    """Take the norm over all tensors of each layer; they stand in the order of the layers."""
    squares = torch.stack(torch._foreach_norm([*values])).square()
    parts = squares.split([len(each) for each in layers.values()])
    return torch.stack([part.sum() for part in parts]).sqrt()
