"""A denoising autoencoder: a network that learned to give a picture back without its noise."""

from collections.abc import Generator

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from core.shared import data, devices, networks
from core.shared.progress import Done
from core.shared.turns import remembered

__all__ = ["Autoencoder", "denoiser", "learn"]

WIDTHS, CODE = (16, 32), 8  # maps of the two halved sizes, and of the code
STEPS, BATCH, RATE = 600, 32, 0.01  # of Adam, whose rate falls to 0 along half a cosine
TURN = 8  # steps of learning from one turn to the next


class Autoencoder(nn.Module):
    """Pictures to a code of a quarter of their side, and back: pixels from 0 to 1 at both ends.

    The code of 28×28 pixels is 8×7×7, so that half of the values of a grey picture have to do.
    """

    def __init__(self, shape: tuple[int, int, int], source: torch.Generator) -> None:
        """Draw the weights.

        Args:
            shape: of one picture: channels, height, width.
            source: of the weights.
        """
        super().__init__()
        channels, height, width = shape
        half = -(-height // 2), -(-width // 2)
        narrow, wide = WIDTHS
        with torch.random.fork_rng(devices=[]):  # torch's own start draws from the global source
            self.encoder = nn.Sequential(
                nn.Conv2d(channels, narrow, 3, stride=2, padding=1),
                nn.ReLU(),
                nn.Conv2d(narrow, wide, 3, stride=2, padding=1),
                nn.ReLU(),
                nn.Conv2d(wide, CODE, 1),
            )
            self.decoder = nn.Sequential(
                nn.Conv2d(CODE, wide, 3, padding=1),
                nn.ReLU(),
                nn.Upsample(size=half),
                nn.Conv2d(wide, narrow, 3, padding=1),
                nn.ReLU(),
                nn.Upsample(size=(height, width)),
                nn.Conv2d(narrow, channels, 3, padding=1),
            )
        networks.initialise(self, source, "he")

    def encode(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k y x"]:
        """Give the codes of pictures."""
        code: Tensor = self.encoder(images)
        return code

    def decode(self, code: Float[Tensor, "n k y x"]) -> Float[Tensor, "n c h w"]:
        """Give the pictures of codes, pixels from 0 to 1."""
        return self.logits(code).sigmoid()

    def logits(self, code: Float[Tensor, "n k y x"]) -> Float[Tensor, "n c h w"]:
        """Give the pictures of codes before they are squashed to 0 to 1."""
        drawn: Tensor = self.decoder(code)
        return drawn

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Give pictures back, without what is noise to it."""
        return self.decode(self.encode(images))


@remembered(8)  # 0.1 MB each
def denoiser(
    name: str, deviation: float = 0.3, seed: int = 0
) -> Generator[Done, None, Autoencoder]:
    """Train an autoencoder on the training images of a data set.

    Args:
        name: of the data, as `data.dataset` takes it.
        deviation: of the noise, as `learn` takes it.
        seed: of the weights, of the order of learning and of the noise.

    Raises: ValueError when there are no such data, or the deviation is outside its range.
    """
    pictures = data.dataset(name, devices.choose(None)).training.images
    made = yield from learn(pictures, deviation, torch.Generator().manual_seed(seed))
    return made


def learn(
    pictures: Float[Tensor, "n c h w"],
    deviation: float,
    source: torch.Generator,
    steps: int = STEPS,
) -> Generator[Done, None, Autoencoder]:
    """Teach an autoencoder to take noise away; yields every few steps.

    Args:
        pictures: to learn from, from 0 to 1.
        deviation: of the normal noise that is added to each picture anew (σ), in pixel units; what
            then leaves the pixels from 0 to 1 is cut off, as in a picture that is saved.
        source: of the weights, of the order of the pictures and of the noise.
        steps: of 32 pictures each.

    Returns: a network at rest.
    Raises: ValueError when the deviation is not above 0 and at most 1.

    Source: Vincent, Larochelle, Bengio, Manzagol 2008, "Extracting and composing robust features
    with denoising autoencoders", section 2.2: the loss is the cross-entropy to the clean picture,
    equation 2. There some of the values are set to 0; here noise is added, as in Vincent et al.
    2010, "Stacked denoising autoencoders", section 3.3, and the layers are convolutions.
    """
    if not 0 < deviation <= 1:
        raise ValueError(f"deviation must be above 0 and at most 1, got {deviation!r}")
    shape = pictures.shape[1], pictures.shape[2], pictures.shape[3]
    made = Autoencoder(shape, source).to(pictures.device)
    weights = list(made.parameters())
    optimiser = torch.optim.Adam(weights, RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        chosen = torch.randint(len(pictures), (BATCH,), generator=source).to(pictures.device)
        clean = pictures[chosen]
        noise = torch.randn(clean.shape, generator=source).to(clean)
        with torch.enable_grad():
            drawn = made.logits(made.encode((clean + deviation * noise).clamp(0, 1)))
            loss = F.binary_cross_entropy_with_logits(drawn, clean)
            slopes = torch.autograd.grad(loss, weights)
        for weight, slope in zip(weights, slopes, strict=True):
            weight.grad = slope
        optimiser.step()
        schedule.step()
        if step % TURN == TURN - 1:
            devices.pulse()
            yield Done(step + 1, steps, "steps", "An autoencoder learns")
    made.zero_grad()
    return made.requires_grad_(False).eval()
