"""What a teacher says of the images: computed once, in turns, and kept on the device."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.distillation import Distillation
from core.shared import devices
from core.shared.data import Dataset, in_turn
from core.shared.evaluating import quickest
from core.shared.loading import load
from core.shared.models import Source
from core.shared.tested import known
from core.shared.turns import Turns, remembered

__all__ = ["answers", "chosen", "learned_from"]

AT_ONCE = 100  # images a turn


def learned_from(teacher: Source) -> Dataset:
    """Give the data that a teacher learned from.

    Raises: ValueError when they are not here, or its pictures or classes are others.
    """
    model = load(teacher)
    dataset = known(model)
    if (dataset.shape, len(dataset.classes)) != (model.shape, len(model.classes)):
        raise ValueError(
            f"teacher must take pictures of {dataset.shape} and tell apart {len(dataset.classes)} "
            f"classes, as its data do, got {model.shape} and {len(model.classes)}"
        )
    return dataset


def chosen(config: Distillation, dataset: Dataset) -> Int[Tensor, " n"]:
    """Choose the training images of a run: their places, the labelled ones first.

    Raises: ValueError when there are not so many.
    """
    there, count = len(dataset.training), config.images + config.unlabelled
    if count > there:
        raise ValueError(
            f"images and unlabelled must be at most {there:,} together, the training images of "
            f"these data, got {count:,}"
        )
    return in_turn(dataset.training.labels, count)


@remembered(12)  # at most 50,000 images of 10 classes are 2 MB
def answers(teacher: Source, part: str, count: int) -> Turns[Float[Tensor, "n k"]]:
    """Compute a teacher's logits, the same tensor for all who ask: do not write into it.

    Args:
        teacher: the network.
        part: "training", "validation" or "test".
        count: images of it: the first, of the training images as `data.in_turn` orders them.

    Raises: ValueError when the data that it learned from are not here.
    """
    dataset = learned_from(teacher)
    split, ask = getattr(dataset, part), quickest(load(teacher).network)
    labels = split.labels
    if part == "training":
        places = in_turn(labels, count)
    else:
        places = torch.arange(count, device=labels.device)
    found = []
    for few in places.split(AT_ONCE):
        devices.pulse()
        with torch.no_grad():
            found.append(ask(split.images[few]).float())
        yield
    return torch.cat(found)
