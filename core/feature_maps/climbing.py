"""What a channel would like to see: a picture that climbs up the gradient of its mean."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from core.feature_maps import Ascent, Dream, Frame
from core.feature_maps.passing import device_of, require_channel
from core.shared import data
from core.shared.loading import load
from core.shared.runs import log_spaced
from core.shared.tracing import until

__all__ = ["Climb", "maximise"]

FRAMES, SIDE = 24, 64  # of the film, at most; pixels of a frame's longer side, likewise
NOISE = 0.1  # standard deviation of a pixel at the start
GREY = 0.5  # the mean of data that are not here
REACH = 3  # standard deviations at which a Gaussian is cut off
FLAT = 1e-30  # a gradient below is none


class Climb:
    """A picture on its way up, that can be looked at between two steps."""

    def __init__(self, config: Ascent) -> None:
        model = load(config.source)
        self.config, self.step = config, 0
        self.network: nn.Module | None = model.network
        self.seen: tuple[int, float, float] | None = None  # step, value and gradient's norm there
        device = device_of(model)
        self.grey = data.dataset(model.data, device).mean if model.data else GREY
        self.source = torch.Generator().manual_seed(config.seed)
        noise = torch.randn((1, *model.shape), generator=self.source).to(device)
        self.picture = (self.grey + NOISE * noise).clamp(0, 1)
        self.blank = float(self._slope(torch.zeros_like(self.picture))[0])
        self.film: list[Frame] = []
        self.shown = log_spaced(config.steps, FRAMES - 1)  # and step 0
        self._show()

    @property
    def progress(self) -> float:
        """The share of the steps that is done."""
        return self.step / self.config.steps

    def freeze(self) -> Dream:
        """Look at the picture and at what the channel makes of it, unshifted."""
        if self.seen is None or self.seen[0] != self.step:
            slope, gradient = self._slope(self.picture)
            self.seen = self.step, float(slope), float(gradient.norm())
        _, value, norm = self.seen
        return Dream(
            step=self.step,
            steps=self.config.steps,
            value=value,
            blank=self.blank,
            gradient=norm,
            picture=self.picture[0].cpu().numpy().copy(),
            film=tuple(self.film),
            frames=len({0, *self.shown}),
        )

    def let_go(self) -> None:
        """Look a last time, and hold the network no more: an ended climb may be kept for long."""
        self.freeze()
        self.network = None

    def move(self) -> None:
        """Take one step.

        Raises: FloatingPointError when the gradient is not finite.
        """
        config = self.config
        held = self.step < config.held
        reach = config.jitter if held else 0
        shift = torch.randint(-reach, reach + 1, (2,), generator=self.source).tolist()
        _, gradient = self._slope(self.picture.roll(shift, (2, 3)))
        gradient = gradient.roll([-each for each in shift], (2, 3))
        size = gradient.square().mean().sqrt()
        if not torch.isfinite(size):
            raise FloatingPointError(
                f"the gradient was not finite after {self.step} steps: try another layer"
            )
        moved = self.picture + config.rate * gradient / size.clamp(min=FLAT)
        self.step += 1
        if held:
            moved += config.weight_decay * (self.grey - self.picture)
            if config.blur and self.step % config.every == 0:
                moved = _blurred(moved, config.blur)
        self.picture = moved.clamp(0, 1)
        if self.step in self.shown:
            self._show()

    def _slope(self, picture: Float[Tensor, "1 c h w"]) -> tuple[Tensor, Tensor]:
        """Give the channel's mean, and its gradient by the pixels."""
        config, network = self.config, self.network
        if network is None:
            raise ValueError("climb must go on, got one that has ended")
        with torch.enable_grad():
            leaf = picture.detach().requires_grad_()
            call = until(network, leaf, config.layer)
            require_channel(call, config.channel)
            value = call.given.select(call.axis, config.channel).mean()
            (gradient,) = torch.autograd.grad(value, leaf)
        return value.detach(), gradient

    def _show(self) -> None:
        """Put the picture into the film."""
        picture, side = self.picture, max(self.picture.shape[2:])
        if side > SIDE:
            small = [max(1, each * SIDE // side) for each in picture.shape[2:]]
            picture = F.interpolate(picture, small, mode="area")
        levels = picture[0].mul(255).round().byte().cpu().numpy()
        self.film.append(Frame(self.step, float(self._slope(self.picture)[0]), levels))


def maximise(config: Ascent) -> Iterator[Climb]:
    """Change noise so that the mean of a channel grows, yielding before the first step too.

    Each step goes up the gradient by the pixels, for a picture shifted at random; in between the
    picture is smoothed and drawn to grey, or what grows looks like noise. The last quarter of the
    steps is free of all three: what holds the picture back also holds the channel down.

    Args:
        config: what grows, and how; with its seed it determines each picture, on one kind of
            device.

    Raises: ValueError when there is no such layer or channel; FloatingPointError when the gradient
        is not finite.

    Source: Erhan, Bengio, Courville, Vincent 2009, "Visualizing Higher-Layer Features of a Deep
    Network", section 3; Yosinski et al. 2015, arXiv:1506.06579, section 3, L2 decay and Gaussian
    blur; Mordvintsev, Olah, Tyka 2015, "Inceptionism", the shifts. The gradient is divided by its
    root mean square here, so that one rate serves all layers.
    """
    climb = Climb(config)
    try:
        yield climb
        while climb.step < config.steps:
            climb.move()
            yield climb
    finally:
        climb.let_go()


def _blurred(picture: Float[Tensor, "1 c h w"], deviation: float) -> Float[Tensor, "1 c h w"]:
    """Smooth along both axes; what lies outside is as the border."""
    reach = max(1, round(REACH * deviation))
    away = torch.arange(-reach, reach + 1, device=picture.device, dtype=picture.dtype)
    weights = torch.exp(-(away**2) / (2 * deviation**2))
    weights = (weights / weights.sum()).view(1, 1, 1, -1)
    planes = F.pad(picture.transpose(0, 1), (reach,) * 4, mode="replicate")
    smooth = F.conv2d(F.conv2d(planes, weights), weights.transpose(2, 3))
    return smooth.transpose(0, 1)
