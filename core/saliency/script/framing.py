"""What all scripts of an explanation share: what is explained, what is absent, and the end."""

from dataclasses import dataclass
from typing import NamedTuple

from core.saliency import Query
from core.shared.models import About, Source

__all__ = ["Asked", "Written", "baseline", "end", "fold", "problem", "settings", "source"]

BLUR, REACH = 1 / 14, 3  # as `questions` has them
ABSENT, DRAWN = 10, 12  # as `sources` has them
PROBLEM = """network.eval().requires_grad_(False)
{folded}picture = pixels[None]
{wanted}


def score(images):  # what is explained, of each picture
    {score}
"""
FOLD = """network = folding.folded(network, {shape})  # as in the panel: rounding decides ties
"""
ONE = "return network(images)[:, target]"
TWO = """logits = network(images)
    return logits[:, target] - logits[:, against]"""
SMOOTH = """def blurred(images):  # by a Gaussian; what lies outside is as the border
    weights = torch.exp(-(torch.arange(-{reach}, {reach} + 1) ** 2) / (2 * {deviation} ** 2))
    weights = (weights / weights.sum()).view(1, 1, 1, -1)
    planes = F.pad(images.transpose(0, 1), ({reach},) * 4, mode="replicate")
    return F.conv2d(F.conv2d(planes, weights), weights.transpose(2, 3)).transpose(0, 1)
"""
SOURCE = """def source_of(purpose):  # of random numbers, others for each purpose of the seed
    mixed = np.random.SeedSequence(({seed}, purpose)).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(mixed[0]))
"""
BASELINES = {
    "black": "torch.zeros_like(picture)",
    "grey": "torch.full_like(picture, 0.5)",
    "blur": "blurred(picture)",
    "noise": f"torch.rand(picture.shape, generator=source_of({ABSENT}))",
    "own": "picture.mean((2, 3), keepdim=True).expand_as(picture)",
}
END = """
whole, total = {score}.item(), values.sum().item()
print(f"score {{whole:.4f}}, sum of the map {{total:.4f}}")
{more}np.save({file}, values.numpy())
"""
COMPLETE = """print(f"baseline's score {base:.4f}, missing {whole - base - total:.4f}")
"""


class Asked(NamedTuple):
    """What is to be written about."""

    source: Source
    about: About
    query: Query


@dataclass(frozen=True, slots=True)
class Written:
    """How a script comes to its map."""

    functions: tuple[str, ...]
    body: str  # in the end `values` is the map, d×h×w
    folded: bool = False  # whether it asks for slopes, which differ much where a maximum is tied
    score: str = "score(picture)"  # how it is read in the end
    complete: bool = False  # whether the body leaves the baseline's score, `base`
    more: str = ""  # to print


def problem(asked: Asked, *, folded: bool) -> str:
    """Write what is explained: `picture` and `score`.

    Args:
        asked: what is to be written about.
        folded: whether the network is to be the quicker copy that the panel asks.
    """
    query, first = asked.query, fold(asked) * folded
    if query.against is None:
        return PROBLEM.format(folded=first, wanted=settings(target=query.target), score=ONE)
    wanted = settings(target=query.target, against=query.against)
    return PROBLEM.format(folded=first, wanted=wanted, score=TWO)


def fold(asked: Asked) -> str:
    """Write how the quicker copy is made, whose normalisations are part of its convolutions."""
    return FOLD.format(shape=asked.about.shape)


def baseline(asked: Asked) -> tuple[tuple[str, ...], str]:
    """Write the picture of which nothing is there: a function that it needs, and its value."""
    value = BASELINES[asked.query.baseline]
    if asked.query.baseline == "noise":
        return (source(asked),), value
    if asked.query.baseline != "blur":
        return (), value
    deviation = BLUR * max(asked.about.shape[1:])
    reach = max(1, round(REACH * deviation))
    return (SMOOTH.format(reach=reach, deviation=deviation),), value


def source(asked: Asked) -> str:
    """Write how a source of random numbers is made."""
    return SOURCE.format(seed=asked.query.seed)


def end(written: Written, file: str) -> str:
    """Write what the map adds up to, and save it."""
    more = COMPLETE * written.complete + written.more
    return END.format(score=written.score, more=more, file=file)


def settings(**values: object) -> str:
    """Write an assignment of all of these."""
    return f"{', '.join(values)} = {', '.join(map(str, values.values()))}"
