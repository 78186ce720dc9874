"""A network that counts how often it is asked about each image."""

import torch
from torch import Tensor, nn

from core.adversarial import Attack
from core.adversarial.goals import Goal
from core.adversarial.problems import Method, Moment, Problem

__all__ = ["Counting", "moments"]


class Counting(nn.Module):
    """A network that answers as another one does, and keeps what it was asked about."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.asked: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.asked.append(images.detach().clone())
        answers: Tensor = self.network(images)
        return answers

    @property
    def count(self) -> int:
        return sum(map(len, self.asked))


def moments(
    method: Method, network: nn.Module, images: Tensor, attack: Attack, goal: Goal | None = None
) -> list[Moment]:
    """Let a method go to its end with all images; nobody keeps the best or asks besides."""
    goal = goal or Goal(network(images).argmax(1), None)
    problem = Problem(network, images, goal)
    return list(method(problem, attack, torch.Generator().manual_seed(attack.seed)))
