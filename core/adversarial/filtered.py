"""Show one picture behind a filter, clean and attacked, and what a network then reads."""

from collections.abc import Generator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from core.adversarial.defences import FILTERS, READINGS, Filtered, require_filters
from core.adversarial.filters import Filter, filter_of
from core.adversarial.problems import Network
from core.shared import datasets
from core.shared.autoencoders import denoiser
from core.shared.evaluating import quickest
from core.shared.loading import Model, load
from core.shared.models import Source, about
from core.shared.turns import patient

__all__ = ["through"]


@patient
def through(
    source: Source,
    clean: Float[np.ndarray, "c h w"],
    changed: Float[np.ndarray, "c h w"],
    name: str,
    strength: float,
    seed: int = 0,
) -> Generator[Any, None, Filtered]:
    """Send a picture and what an attack made of it through a filter, and ask the network.

    Args:
        source: the network.
        clean: the picture as the network sees it, from 0 to 1.
        changed: likewise, attacked.
        name: of the filter, one of FILTERS.
        strength: one of its strengths.
        seed: of what is drawn.

    Returns: of a filter that draws the pictures of the first draw, and the mean of what is read
        behind several.
    Raises: ValueError when the pictures have another shape, there is no such filter, or an
        autoencoder is asked for and the network's data are not here.
    """
    require_filters(((name, strength),))
    model = load(source)
    for picture in (clean, changed):
        if picture.shape != model.shape:
            raise ValueError(f"picture must be of {model.shape}, got {picture.shape}")
    denoise = None
    if name == "autoencoder":
        denoise = yield from denoiser(_data(model), strength)
    device = next(model.network.parameters()).device
    both = torch.tensor(np.stack([clean, changed]), dtype=torch.float32, device=device)
    filter_ = filter_of(name, strength, torch.Generator().manual_seed(seed), denoise)
    network, readings, shares = quickest(model.network), [], []
    for _ in range(READINGS if FILTERS[name].drawn else 1):
        filtered, share = _read(network, filter_, both)
        readings.append(filtered)
        shares.append(share)
        yield
    first, mean = readings[0].cpu().numpy(), torch.stack(shares).mean(0).cpu().numpy()
    return Filtered(clean=first[0], changed=first[1], before=mean[0], after=mean[1])


@torch.no_grad()
def _read(network: Network, filter_: Filter, images: Tensor) -> tuple[Tensor, Tensor]:
    """Give pictures behind a filter, and the probabilities of what is read in them."""
    filtered = filter_(images)
    return filtered, network(filtered).double().softmax(1)


def _data(model: Model) -> str:
    """Name the data that an autoencoder for a network can learn from."""
    if not model.data or datasets.about(model.data).shape != model.shape:
        raise ValueError(
            "network must be one whose data are here for an autoencoder to learn from, got "
            f"{about(model.source).title}"
        )
    return model.data
