"""The court: explanations of one answer, and maps that explain nothing, tried by one measure."""

import math
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float16
from torch import Tensor

from core.saliency import BASELINES, Attribution, Query
from core.saliency.curves import deletion, insertion, probability
from core.saliency.explaining import explained, image_of
from core.saliency.methods import METHODS
from core.saliency.packing import unpacked
from core.saliency.questions import Question, absent
from core.saliency.ranking import precedence, ranks, summed
from core.saliency.sources import source_of
from core.saliency.trials import MELTED, Court, Judged, Row
from core.shared.loading import Model, load
from core.shared.studied import studied

__all__ = ["SHOWN", "Judging", "judge"]

SHOWN = 112  # pixels of a side of a map that is shown, at most
NOISE, TIES = 1, 2  # what the court's seed is for, besides the controls
NO_MAP = np.zeros((0, 0), np.float16)


class Judging:
    """A court that sits, and can be looked at between two steps."""

    def __init__(self, config: Court) -> None:
        """Load the network, and see what it reads.

        Raises: ValueError when the picture is of another shape, or there is no such class.
        """
        self.config, pixels = config, unpacked(config.picture)
        self.model: Model | None = load(config.source)
        image = image_of(self.model, pixels)
        question = Question(self.model, self.model.network, image, config.queries[0])
        self.question: Question | None = question
        self.target = question.target
        self.trials = config.rows(self.target)
        self.absent = [
            absent(image, imputer, source_of(config.seed, NOISE)) for imputer in config.imputers
        ]
        self.probability = float(probability(question, image)[0])
        self.rows: list[Row] = []
        self.done, self.working = 0, ""

    @property
    def progress(self) -> float:
        """The share of the maps and curves that is measured."""
        return self.done / (len(self.trials) * self._parts)

    @property
    def _parts(self) -> int:
        """Count what is measured of each row: a map, and two curves for each imputer."""
        return 1 + 2 * len(self.config.imputers)

    def freeze(self) -> Judged:
        """Look at what is measured."""
        return Judged(
            rows=tuple(self.rows),
            expected=len(self.trials),
            imputers=self.config.imputers,
            shares=np.arange(self.config.points + 1) / self.config.points,
            target=self.target,
            probability=self.probability,
            working=self.working,
        )

    def measure(self) -> Iterator[object]:
        """Try one map after another, yielding whenever others may have their turn.

        Raises: ValueError when the court has ended.
        """
        model, question = self.model, self.question
        if model is None or question is None:
            raise ValueError("court must go on, got one that has ended")
        for number, (role, query) in enumerate(self.trials):
            title = METHODS[query.method].title
            if role == MELTED:
                title += " of the network with random weights"
            self.working = f"now {title}"
            try:
                weights = yield from self._explain(model, question, role, query)
            except ValueError as error:
                self.rows.append(self._row(role, query, str(error)))
                self.done += self._parts
            else:
                self.done += 1
                yield None
                yield from self._try(question, number, title, weights)
            yield None
        self.working = ""

    def let_go(self) -> None:
        """Hold no network any more: an ended court may be kept for long."""
        self.model = self.question = None
        self.absent = []

    def _explain(
        self, model: Model, question: Question, role: str, query: Query
    ) -> Generator[Any, None, Float[np.ndarray, "h w"]]:
        """Make a map and its row, whose curves are still to be measured.

        Returns: what puts the pixels in order.
        Raises: ValueError when the method cannot explain the network, or gives no finite map.
        """
        given: Attribution = yield from explained(model, question.image, query)
        values = summed(given.values)
        if given.query.about.relative:
            values = values - values.mean()  # 16 bits would lose small differences of large values
        scale = float(abs(values).max())
        row = self._row(role, given.query)
        self.rows.append(
            replace(
                row,
                values=_shrunk(values / (scale or 1)),
                scale=scale,
                least=float(values.min()),
                most=float(values.max()),
                negligible=given.negligible,
                passes=given.passes,
                gradients=given.gradients,
                seconds=given.seconds,
            )
        )
        return precedence(given.values, query.about.order)

    def _try(
        self, question: Question, number: int, title: str, weights: Float[np.ndarray, "h w"]
    ) -> Iterator[object]:
        """Measure the curves of the newest row, always on the network as it is."""
        order = ranks(weights, source_of(self.config.seed, TIES, number))
        for place, imputer in enumerate(self.config.imputers):
            self.working = f"now {title}, {BASELINES[imputer]} in place of pixels"
            for name, follow in (("deletion", deletion), ("insertion", insertion)):
                gone: Tensor = self.absent[place]
                curve = yield from follow(question, order, gone, self.config.points)
                curves = getattr(self.rows[-1], name).copy()
                curves[place] = curve
                self.rows[-1] = replace(self.rows[-1], **{name: curves})
                self.done += 1
                yield None

    def _row(self, role: str, query: Query, refused: str = "") -> Row:
        """Make a row in which nothing is measured."""
        blank = np.full((len(self.config.imputers), self.config.points + 1), np.nan)
        return Row(
            role=role,
            query=query,
            refused=refused,
            values=NO_MAP,
            scale=math.nan,
            least=math.nan,
            most=math.nan,
            negligible=math.nan,
            passes=0,
            gradients=0,
            seconds=math.nan,
            deletion=blank,
            insertion=blank,
        )


def judge(config: Court) -> Iterator[Judging]:
    """Let explanations stand trial, yielding before the first one too.

    Each map puts the pixels in an order: the largest values first, or the largest without their
    signs, where a sign says brighter or darker (`Method.order`). They are taken out of the picture
    in it, and put into an empty one, while the network that is explained is asked. What does not
    know the network stands trial as well: the edges of the picture, chance, the middle, and the
    first of the explanations of the same network with random weights. An explanation that does not
    do better than these says nothing about this answer that they do not say. A method that cannot
    explain this network gives a row with the reason, and the trial goes on.

    Args:
        config: which explanations, of what, and by which measure.

    Raises: ValueError when the picture is of another shape, or there is no such class.

    Source: Petsiuk, Das, Saenko 2018, arXiv:1806.07421, section 3.2 (deletion and insertion);
    Adebayo et al. 2018, arXiv:1810.03292 (random weights, edges).
    """
    yield from studied(Judging(config))


def _shrunk(values: Float[np.ndarray, "h w"]) -> Float16[np.ndarray, "H W"]:
    """Take means of areas, so that no side is longer than SHOWN."""
    height, width = values.shape
    share = min(1.0, SHOWN / max(height, width))
    size = max(1, round(share * height)), max(1, round(share * width))
    if size != values.shape:
        values = F.adaptive_avg_pool2d(torch.from_numpy(values)[None], size)[0].numpy()
    return values.astype(np.float16)
