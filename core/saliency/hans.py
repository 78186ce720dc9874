"""Does a network go by a mark, and which methods tell? Here alone the truth is known."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.saliency import LAST_SEED, Query
from core.saliency.explaining import explained
from core.saliency.laboratory import (
    Answers,
    Examination,
    Examined,
    Inside,
    Scored,
    inside,
    relevance,
)
from core.shared import devices, marks
from core.shared.evaluating import CHUNK, quickest
from core.shared.loading import Model, load
from core.shared.studied import studied
from core.shared.tested import tested

__all__ = ["Examining", "examine"]

READ = 1_000  # test pictures of the marked class, and of others, that the network reads
NAN = (math.nan, math.nan)


@dataclass(slots=True, eq=False)
class Pictures:
    """Test pictures of one kind: of the marked class, or of the others."""

    clean: Float[Tensor, "n c h w"]
    labels: Int[Tensor, " n"]
    answers: Answers | None = None  # once they are read
    marked: Float[Tensor, "m c h w"] | None = None  # those that are explained


@dataclass(slots=True, eq=False)
class Score:
    """What was found of a method's maps: the mass and the hits of each, and whether it is empty."""

    refusal: str = ""
    others: list[tuple[float, float, bool]] = field(default_factory=list)
    own: list[tuple[float, float, bool]] = field(default_factory=list)
    values: Float[np.ndarray, "d h w"] | None = None
    negligible: float = 0.0

    def refuse(self, sentence: str) -> None:
        """Take back what was found: the method cannot explain this network."""
        self.refusal, self.values = sentence, None
        self.others.clear()
        self.own.clear()


class Examining:
    """An examination under way, that can be looked at between two steps."""

    def __init__(self, config: Examination) -> None:
        model = load(config.source)
        if config.marked >= len(model.classes):
            raise ValueError(
                f"marked must be from 0 to {len(model.classes) - 1}, got {config.marked}"
            )
        images, labels = tested(model)
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(config.seed))
        order = order.to(labels.device)
        of_class = labels[order] == config.marked
        own, others = (order[each][:READ] for each in (of_class, ~of_class))
        self.config = config
        self.model: Model | None = model
        self.box = marks.place(model.shape)
        self.area = model.shape[1] * model.shape[2]
        self.others = Pictures(images[others], labels[others])
        self.own = Pictures(images[own], labels[own])
        self.scores = [Score() for _ in config.queries]
        self.example: Float[np.ndarray, "c h w"] | None = None
        self.label: int | None = None
        self.done = self.whole = 0
        self.working = ""

    @property
    def progress(self) -> float:
        """The share of the maps that are made."""
        return self.done / self.whole if self.whole else 0.0

    def freeze(self) -> Examined:
        """Look at what is found out."""
        top, left, bottom, right = self.box
        return Examined(
            box=self.box,
            chance=(bottom - top) * (right - left) / self.area,
            own=self.own.answers,
            others=self.others.answers,
            methods=tuple(
                Scored(
                    query=query,
                    refusal=score.refusal,
                    others=_summed(score.others),
                    own=_summed(score.own),
                    values=score.values,
                    negligible=score.negligible,
                )
                for query, score in zip(self.config.queries, self.scores, strict=True)
            ),
            example=self.example,
            label=self.label,
            working=self.working,
        )

    def measure(self) -> Iterator[object]:
        """Read the pictures, then explain them by one method after another."""
        self.working = "now reading test pictures"
        for pictures in (self.own, self.others):
            yield from self._read(pictures)
        each = sum(len(self._shown(pictures)) for pictures in (self.others, self.own))
        self.whole = each * len(self.scores)
        for place, (query, score) in enumerate(zip(self.config.queries, self.scores, strict=True)):
            self.working = f"now {query.about.title}"
            try:
                yield from self._explain(query, score)
            except ValueError as error:
                score.refuse(str(error))
            self.done = each * (place + 1)
            yield None
        self.working, self.done, self.whole = "", 1, 1

    def let_go(self) -> None:
        """Hold no network and no pictures any more: an ended study may be kept for long."""
        self.model = None
        for pictures in (self.others, self.own):
            pictures.clean, pictures.marked = pictures.clean[:0].clone(), None

    def _network(self) -> Model:
        if self.model is None:
            raise ValueError("examination must go on, got one that has ended")
        return self.model

    def _shown(self, pictures: Pictures) -> Float[Tensor, "m c h w"]:
        return pictures.clean[:0] if pictures.marked is None else pictures.marked

    def _read(self, pictures: Pictures) -> Iterator[None]:
        """Tell how the pictures are read, and choose those that are read as the class by it."""
        label, labels = self.config.marked, pictures.labels
        read: tuple[list[Tensor], list[Tensor]] = ([], [])
        for few in pictures.clean.split(CHUNK) if len(labels) else ():
            for found, images in zip(read, (few, marks.marked(few)), strict=True):
                found.append(self._named(images))
            yield None
        without, beside = (torch.cat([labels[:0], *each]) for each in read)
        pictures.answers = Answers(
            images=len(labels),
            right=(_share(without == labels), _share(beside == labels)),
            named=(_share(without == label), _share(beside == label)),
        )
        chosen = (beside == label) & ((labels == label) | (without != label))
        places = chosen.nonzero()[: self.config.images, 0]
        pictures.marked = marks.marked(pictures.clean[places])
        if len(places) and (self.example is None or pictures is self.others):
            self.example = pictures.marked[0].cpu().numpy().copy()
            self.label = int(labels[places[0]])

    def _named(self, images: Float[Tensor, "n c h w"]) -> Int[Tensor, " n"]:
        devices.pulse()
        with torch.no_grad():
            logits: Tensor = quickest(self._network().network)(images)
        return logits.argmax(1)

    def _explain(self, query: Query, score: Score) -> Iterator[object]:
        """Explain all pictures by one method, with other random numbers for each."""
        for pictures, found in ((self.others, score.others), (self.own, score.own)):
            for place, image in enumerate(self._shown(pictures)):
                seed = (query.seed + place) % (LAST_SEED + 1)
                asked = replace(query, seed=seed)
                given = yield from explained(self._network(), image[None], asked)
                bright = relevance(given.values, query.about)
                found.append((*inside(bright, self.box), not bright.any()))
                if score.values is None:  # the first of all is the example
                    score.values, score.negligible = given.values, given.negligible
                self.done += 1
                yield None


def examine(config: Examination) -> Iterator[Examining]:
    """Find out whether a network goes by a mark, and whether methods say so.

    The mark is put on test pictures of the class whose training images had it and of all others. Of
    those that the network then reads as that class, and of the others only those that it does not
    read so without the mark, each method explains that answer. What made the network read them so
    is known: so is where a true map is bright.

    Args:
        config: which network, class, methods and pictures.

    Raises: ValueError when the network has no such class, or the data that it learned from are not
        here.

    Source: Lapuschkin et al. 2019, arXiv:1902.10178 (Clever Hans); Zhang et al. 2016,
    arXiv:1608.00507 (the pointing game); Arras, Osman, Samek 2020, arXiv:2003.07258 (the mass of
    the relevance within the truth).
    """
    yield from studied(Examining(config))


def _summed(found: list[tuple[float, float, bool]]) -> Inside:
    """Give the means over the maps, and their standard errors."""
    count = len(found)
    rows = np.array([each[:2] for each in found]).T if found else np.full((2, 1), np.nan)
    errors = rows.std(1, ddof=1) / math.sqrt(count) if count > 1 else NAN
    return Inside(
        images=count,
        empty=sum(each[2] for each in found),
        mass=float(rows[0].mean()),
        mass_error=float(errors[0]),
        hits=float(rows[1].mean()),
        hits_error=float(errors[1]),
    )


def _share(which: Tensor) -> float:
    return which.cpu().double().mean().item()
