"""The picture that a class wants: activation maximisation, with and without a generator."""

import math
from collections.abc import Generator, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from core.saliency.drafting import Draft, Medium, read
from core.saliency.generating import learned
from core.saliency.neighbours import Neighbours
from core.saliency.sources import source_of
from core.saliency.wishes import GENERATOR, NONE, PRIORS, Granted, Neighbour, Wish
from core.shared.data import Dataset
from core.shared.loading import Model, load
from core.shared.models import about
from core.shared.studied import studied
from core.shared.tested import known

__all__ = ["Wanting", "want"]

NOISE = 0.1  # standard deviation of a pixel at the start
GREY = 0.5  # the mean of data that are not here
TESTED = 100  # test images of the class, by which is told what is usual
PLACES = {prior: place for place, prior in enumerate(PRIORS)}  # of the sources of a seed


class Wanting:
    """A wish on its way, that can be looked at between two steps."""

    def __init__(self, config: Wish) -> None:
        """Load the network, and see what is known of the class.

        Raises: ValueError when there is no such class, or the generator has nothing to learn from.
        """
        model = load(config.source)
        if config.target >= len(model.classes):
            raise ValueError(
                f"target must be from 0 to {len(model.classes) - 1}, got {config.target}"
            )
        if GENERATOR in config.priors and not model.data:
            raise ValueError(
                f"priors must be {NONE!r} alone where the network's training images are not here, "
                f"got {GENERATOR!r} for {about(config.source).title}"
            )
        self.config = config
        self.model: Model | None = model
        self.data: Dataset | None = known(model) if model.data else None
        if self.data and self.data.shape != model.shape:
            raise ValueError(f"network must take pictures of {self.data.shape}, got {model.shape}")
        self.neighbours = Neighbours(self.data.training.images) if self.data else None
        self.mean = self._mean_of_class()
        self.mean_logit, self.mean_probability, self.usual = math.nan, math.nan, math.nan
        if self.mean is not None:
            logits = read(model, self.mean)
            self.mean_logit = float(logits[config.target])
            self.mean_probability = float(logits.cpu().double().softmax(0)[config.target])
        self.drafts: list[Draft] = []
        self.working = ""

    @property
    def progress(self) -> float:
        """The share of the steps that is done."""
        whole = self.config.steps * len(self.config.priors)
        return sum(draft.step for draft in self.drafts) / whole

    def freeze(self) -> Granted:
        """Look at the pictures."""
        return Granted(
            pictures=tuple(draft.freeze(self._nearest) for draft in self.drafts),
            steps=self.config.steps,
            mean=None if self.mean is None else self.mean[0].cpu().numpy().copy(),
            mean_logit=self.mean_logit,
            mean_probability=self.mean_probability,
            usual=self.usual,
            working=self.working,
        )

    def let_go(self) -> None:
        """Look a last time, and hold no network and no images any more."""
        try:
            self.freeze()
        finally:  # what made the work fail may be the network that a look asks
            for draft in self.drafts:
                draft.let_go()
            self.model = self.data = self.neighbours = None

    def measure(self) -> Iterator[object]:
        """Let one picture climb after the other, yielding after each step.

        Raises: ValueError when the wish has ended; FloatingPointError when a gradient is not
            finite.
        """
        config = self.config
        for prior in config.priors:
            source = source_of(config.seed, PLACES[prior])
            if prior == GENERATOR:
                self.working = "now an autoencoder learns"
                medium = yield from self._code(source)
                self.working = ""
            else:
                medium = self._pixels(source)
            draft = Draft(self._asked(), config, prior, medium, source)
            self.drafts.append(draft)
            yield None
            while draft.step < config.steps:
                draft.move()
                yield None
        if self.data and self.neighbours:
            self.working = "now test images are held against training images"
            test = self.data.test
            ours = test.images[test.labels == config.target][:TESTED]
            self.usual = yield from self.neighbours.median(ours)
            self.working = ""
            yield None

    def _pixels(self, source: torch.Generator) -> Medium:
        """Begin with noise around the data's mean."""
        model = self._asked()
        device = next(model.network.parameters()).device
        home = self.data.mean if self.data else GREY
        noise = torch.randn((1, *model.shape), generator=source).to(device)
        low, high = torch.tensor([0.0, 1.0], device=device)
        return Medium((home + NOISE * noise).clamp(0, 1), home, low, high, lambda pixels: pixels)

    def _code(self, source: torch.Generator) -> Generator[object, None, Medium]:
        """Learn to draw, and begin with the code of the mean of training images."""
        if self.data is None:
            raise ValueError("wish must go on, got one that has ended")
        codes = yield from learned(self._asked().data, self.data, source)
        return Medium(codes.start(source), 0.0, codes.low, codes.high, codes.draw)

    def _asked(self) -> Model:
        if self.model is None:
            raise ValueError("wish must go on, got one that has ended")
        return self.model

    def _mean_of_class(self) -> Float[Tensor, "1 c h w"] | None:
        if self.data is None:
            return None
        training = self.data.training
        ours = training.images[training.labels == self.config.target]
        return ours.mean(0, keepdim=True) if len(ours) else None

    def _nearest(self, picture: Float[Tensor, "1 c h w"]) -> Neighbour | None:
        """Find the training image that is nearest to a picture."""
        if self.data is None or self.neighbours is None:
            return None
        index, distance = self.neighbours.nearest(picture)
        training = self.data.training
        image = training.images[index, None]
        return Neighbour(
            index=index,
            label=int(training.labels[index]),
            distance=distance,
            logit=float(read(self._asked(), image)[self.config.target]),
            pixels=image[0].cpu().numpy().copy(),
        )


def want(config: Wish) -> Iterator[Wanting]:
    """Look for the picture that a class wants, yielding after each step.

    From noise the pixels climb the gradient of the class's logit: what comes out is all that the
    network goes by, whether or not it looks like anything. A generator draws only what has the look
    of training images, and its code climbs instead. It begins, like the pixels, at what is known of
    no class: the code of the training images' mean, with some noise. Decay draws to the data's mean
    all the time, and so does the range that the codes of training images have.

    Args:
        config: what is wished for; with its seed it determines each picture, on one kind of device.

    Raises: ValueError when there is no such class, or the generator has no training images;
        FloatingPointError when a gradient is not finite.

    Source: Simonyan, Vedaldi, Zisserman 2013, arXiv:1312.6034, section 2: the logit and not the
    probability, less the square of the picture, whose zero is the data's mean; Mordvintsev, Olah,
    Tyka 2015, "Inceptionism", the shifts; Yosinski et al. 2015, arXiv:1506.06579, section 3, the
    blur; Nguyen, Dosovitskiy, Yosinski, Brox, Clune 2016, arXiv:1605.09304, section 3, the
    generator. The gradient is divided by its root mean square here, so that one rate serves all.
    """
    yield from studied(Wanting(config))
