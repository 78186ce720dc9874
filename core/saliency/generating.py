"""A generator as a prior: what a picture may look like, told by the codes of training images."""

from collections.abc import Generator

import torch
from jaxtyping import Float
from torch import Tensor

from core.shared.autoencoders import Autoencoder, denoiser
from core.shared.data import Dataset

__all__ = ["Codes", "learned"]

DEVIATION = 0.3  # of the noise that the autoencoder learned by, as is usual where it filters
IMAGES = 1_000  # training images whose codes tell the range, at most
RARE = 0.01  # share of these that is beyond each end of the range
NARROW = 1e-3  # a value of the code that hardly differs is not blown up
NOISE = 0.1  # at the start, in standard deviations


class Codes:
    """What a generator draws from; each value of a code in its deviations over training images.

    So 0 is what a value is on the mean, and 1 a standard deviation more.
    """

    def __init__(self, network: Autoencoder, images: Float[Tensor, "n c h w"]) -> None:
        """See the codes of some images.

        Args:
            network: encodes and decodes; at rest.
            images: from 0 to 1.
        """
        self._network = network
        with torch.no_grad():
            codes = network.encode(images)
            self._spread, self._mean = torch.std_mean(codes, 0, correction=0, keepdim=True)
            self._spread = self._spread.clamp(min=NARROW)
            ordered = self._standard(codes).sort(0).values
            self._average = self._standard(network.encode(images.mean(0, keepdim=True)))
        ends = [round(share * (len(images) - 1)) for share in (RARE, 1 - RARE)]
        self.low, self.high = (ordered[end, None] for end in ends)  # 1st and 99th percentile

    def start(self, source: torch.Generator) -> Float[Tensor, "1 k y x"]:
        """Give the code of the images' mean with some noise, within the range."""
        noise = torch.randn(self._average.shape, generator=source).to(self._average)
        return (self._average + NOISE * noise).clamp(self.low, self.high)

    def draw(self, code: Float[Tensor, "1 k y x"]) -> Float[Tensor, "1 c h w"]:
        """Give the picture of a code, pixels from 0 to 1."""
        return self._network.decode(self._mean + self._spread * code)

    def _standard(self, codes: Float[Tensor, "n k y x"]) -> Float[Tensor, "n k y x"]:
        return (codes - self._mean) / self._spread


def learned(name: str, data: Dataset, source: torch.Generator) -> Generator[object, None, Codes]:
    """Learn to draw what training images look like, or remember it, in turns.

    Args:
        name: of the data.
        data: the same.
        source: of the choice of the images whose codes are seen.

    Source: Nguyen, Dosovitskiy, Yosinski, Brox, Clune 2016, arXiv:1605.09304, sections 3.2 and 3.3:
    climb by a code, and keep each of its values in the range that real pictures give it. There the
    generator inverts a deep layer of a network, its codes are not below 0, and the range ends three
    standard deviations above the mean. Here it is a denoising autoencoder, and the range lies
    between the 1st and 99th percentile of each value at its place.
    """
    network = yield from denoiser(name, DEVIATION)
    images = data.training.images
    chosen = torch.randperm(len(images), generator=source)[:IMAGES]
    return Codes(network, images[chosen.to(images.device)])
