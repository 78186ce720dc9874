"""What a channel would like to see: a picture that climbs up the gradient of its mean."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.feature_maps import Ascent, Dream
from core.feature_maps.passing import device_of, require_channel
from core.shared import data
from core.shared.ascent import STILL, ascend, frame, frame_steps
from core.shared.frames import Frame
from core.shared.loading import load
from core.shared.tracing import until

__all__ = ["Climb", "maximise"]

NOISE = 0.1  # standard deviation of a pixel at the start
GREY = 0.5  # the mean of data that are not here


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
        self.shown = frame_steps(config.steps)
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
        moved = ascend(
            self._slope,
            self.picture,
            config,
            self.step,
            self.source,
            self.grey,
            held=self.step < config.held,
            instead="layer",
        )
        self.step += 1
        self.picture = moved.clamp(0, 1)
        if self.step in self.shown:
            self._show()

    def _slope(
        self, picture: Float[Tensor, "1 c h w"], shift: Sequence[int] = STILL
    ) -> tuple[Tensor, Tensor]:
        """Give the channel's mean for the shifted picture, and its gradient by the pixels."""
        config, network = self.config, self.network
        if network is None:
            raise ValueError("climb must go on, got one that has ended")
        with torch.enable_grad():
            leaf = picture.detach().requires_grad_()
            call = until(network, leaf.roll(tuple(shift), (2, 3)), config.layer)
            require_channel(call, config.channel)
            value = call.given.select(call.axis, config.channel).mean()
            (gradient,) = torch.autograd.grad(value, leaf)
        return value.detach(), gradient

    def _show(self) -> None:
        """Put the picture into the film."""
        value = float(self._slope(self.picture)[0])
        self.film.append(frame(self.step, value, self.picture))


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
