"""A picture on its way to what a class wants: one that climbs up the gradient of a logit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from core.saliency.wishes import GENERATOR, Neighbour, Wanted, Wish
from core.shared import devices
from core.shared.ascent import STILL, ascend, frame, frame_steps
from core.shared.evaluating import quickest
from core.shared.folding import folded
from core.shared.frames import Frame
from core.shared.loading import Model

__all__ = ["Draft", "Medium", "read"]


@dataclass(frozen=True, slots=True, eq=False)
class Medium:
    """What a picture is made from: its own pixels, or a code."""

    start: Float[Tensor, "1 k y x"]
    home: float  # to which decay draws each value
    low: Float[Tensor, "..."]  # the least that each value may be
    high: Float[Tensor, "..."]
    draw: Callable[[Tensor], Tensor]  # gives the picture, pixels from 0 to 1


class Draft:
    """A picture on its way, that can be looked at between two steps."""

    def __init__(
        self, model: Model, wish: Wish, prior: str, medium: Medium, source: torch.Generator
    ) -> None:
        self.wish, self.prior, self.step = wish, prior, 0
        self.sharp = replace(wish, blur=0.0)
        self.point, self.source = medium.start, source
        self.held: tuple[Model, Medium] | None = (model, medium)
        self.seen: Wanted | None = None
        self.film: list[Frame] = []
        self.shown = frame_steps(wish.steps)
        self._show()

    @property
    def picture(self) -> Float[Tensor, "1 c h w"]:
        """The picture as it is.

        Raises: ValueError when the draft has ended.
        """
        _, medium = self._held()
        with torch.no_grad():
            return medium.draw(self.point)

    def freeze(self, nearest: Callable[[Tensor], Neighbour | None]) -> Wanted:
        """Look at the picture and at what the network makes of it, unshifted.

        Args:
            nearest: finds the training image that is nearest to a picture.
        """
        if self.seen is None or self.seen.step != self.step:
            model, _ = self._held()
            picture, target = self.picture, self.wish.target
            logits = read(model, picture)
            _, gradient = self.slope(self.point)
            self.seen = Wanted(
                prior=self.prior,
                step=self.step,
                logit=float(logits[target]),
                probability=float(logits.cpu().double().softmax(0)[target]),
                gradient=float(gradient.norm()),
                picture=picture[0].cpu().numpy().copy(),
                film=tuple(self.film),
                nearest=nearest(picture),
            )
        return self.seen

    def let_go(self) -> None:
        """Hold neither the network nor the generator any more; what was seen last stays."""
        self.held = None

    def move(self) -> None:
        """Take one step.

        Raises: FloatingPointError when the gradient is not finite.
        """
        _, medium = self._held()
        last = self.step + 1 == self.wish.steps
        moved = ascend(
            self.slope,
            self.point,
            self.sharp if last or self.prior == GENERATOR else self.wish,
            self.step,
            self.source,
            medium.home,
            held=True,
            instead="network",
        )
        self.step += 1
        self.point = moved.clamp(medium.low, medium.high)
        if self.step in self.shown:
            self._show()

    def slope(
        self, point: Float[Tensor, "1 k y x"], shift: Sequence[int] = STILL
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "1 k y x"]]:
        """Give the logit of the class for the picture, shifted, and its gradient by the point."""
        model, medium = self._held()
        devices.pulse()
        network = quickest(folded(model.network, model.shape))
        with torch.enable_grad():
            leaf = point.detach().requires_grad_()
            logits = network(medium.draw(leaf).roll(tuple(shift), (2, 3)))
            logit = logits[0, self.wish.target]
            (gradient,) = torch.autograd.grad(logit, leaf)
        return logit.detach(), gradient

    def _held(self) -> tuple[Model, Medium]:
        if self.held is None:
            raise ValueError("draft must go on, got one that has ended")
        return self.held

    def _show(self) -> None:
        """Put the picture into the film."""
        model, _ = self._held()
        logit = float(read(model, self.picture)[self.wish.target])
        self.film.append(frame(self.step, logit, self.picture))


def read(model: Model, picture: Float[Tensor, "1 c h w"]) -> Float[Tensor, " k"]:
    """Give the logits of a picture, by the network itself and no quicker copy."""
    with torch.no_grad():
        logits: Tensor = quickest(model.network)(picture)
    return logits[0]
