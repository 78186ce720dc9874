"""The code of what only asks: one pixel, Square and NES."""

from collections.abc import Sequence

from core.adversarial import Attack
from core.adversarial.portions import portion
from core.adversarial.script.climbing import ball, loss
from core.adversarial.script.framing import settings, written

__all__ = ["write_estimate", "write_one_pixel", "write_square"]

EVOLUTION = """def paint(candidates):  # of each pixel row, column and colour
    images, owners = clean.repeat(len(candidates), 1, 1, 1), torch.arange(len(candidates))
    for pixel in candidates.unbind(1):
        row, column = pixel[:, 0].long().clamp(max=height - 1), pixel[:, 1].long()
        images[owners, :, row, column.clamp(max=width - 1)] = pixel[:, 2:]
    return images
"""
OTHERS = """def others(source):  # three for each candidate, no two of them the same
    first, second, third = (
        torch.randint(population - less, (population,), generator=source) for less in (1, 2, 3)
    )
    # Each is counted among those that are left: it goes one further for each one passed over.
    second += second >= first
    third += third >= torch.minimum(first, second)
    third += third >= torch.maximum(first, second)
    own = torch.arange(population)
    return ((own + 1 + each) % population for each in (first, second, third))
"""
EVOLVE = """def attack(source):
    places = torch.rand((population, count, 2), generator=source) * torch.tensor([height, width])
    colours = 0.5 + 0.5 * torch.randn((population, count, channels), generator=source)
    candidates = torch.cat([places, colours.clamp(0, 1)], 2)
    highest = torch.ones(2 + channels)
    highest[:2] = torch.tensor([height, width])
    logits = {ask_candidates}
    best = margin(logits).argmin()
    yield paint(candidates[best][None]), logits[best][None]
    for left in range(queries - population, 0, -population):
        first, second, third = (candidates[each] for each in others(source))
        children = torch.minimum((first + 0.5 * (second - third)).clamp(min=0), highest)[:left]
        answers = {ask_children}
        better = (margin(answers) < margin(logits[:left])).nonzero()[:, 0]
        candidates[better], logits[better] = children[better], answers[better]
        best = margin(logits).argmin()
        yield paint(candidates[best][None]), logits[best][None]
"""
SIGNS = """def signs(shape, source):
    return 2 * torch.randint(2, shape, generator=source) - 1
"""
WINDOW = """def window(side, source):  # a square, all places alike likely
    top = torch.randint(height - side + 1, (1,), generator=source).item()
    left = torch.randint(width - side + 1, (1,), generator=source).item()
    return ..., slice(top, top + side), slice(left, left + side)
"""
STRIPES = """def start(source):  # columns, each lighter or darker by ε
    return (clean + epsilon * signs((1, channels, 1, width), source)).clamp(0, 1)
"""
FLAT = """def propose(images, side, source):  # a square, lighter or darker by ε than the clean one
    here, changed = window(side, source), images.clone()
    change = epsilon * signs((1, channels, 1, 1), source)
    changed[here] = (clean[here] + change).clamp(0, 1)
    if changed.equal(images):  # no query is spent on what changes nothing
        changed[here] = (clean[here] - change).clamp(0, 1)
    return changed
"""
BUMP = """def bump(side):  # η: a bump in the upper half and a hollow in the lower, of length 1
    parts = []
    for half in (side // 2, side - side // 2):
        rows = (torch.arange(half) - half // 2).abs()
        columns = (torch.arange(side) - side // 2).abs()
        steps = 1 / torch.arange(1, side // 2 + 2).float().square()
        heights = steps.flip(0).cumsum(0).flip(0)  # at each distance from the middle
        part = heights[torch.maximum(rows[:, None], columns)]
        parts.append(part / part.norm().clamp(min=1e-12))
    whole = torch.cat([parts[0], -parts[1]])
    return whole / whole.norm()
"""
BUMPS = """def bumps(shape, side, source):  # upright or lying, each with its sign
    sign = signs((1, channels, *shape, 1, 1), source)
    lying = torch.rand((1, 1, *shape, 1, 1), generator=source) > 1 / 2
    return sign * torch.where(lying, bump(side).T, bump(side))
"""
TILES = """def start(source):  # a grid of tiles
    side = max(1, min(height, width) // 5)
    down, across = height // side, width // side
    tiles = bumps((down, across), side, source).permute(0, 1, 2, 4, 3, 5)
    tiles = tiles.reshape(1, channels, down * side, across * side)
    top, left = (height - down * side) // 2, (width - across * side) // 2
    change = torch.zeros_like(clean)
    change[..., top : top + down * side, left : left + across * side] = tiles
    return (clean + epsilon * change / change.norm().clamp(min=1e-12)).clamp(0, 1)
"""
MOVED = """def energy(change):  # of each channel
    return change.square().sum((2, 3), keepdim=True)


def propose(images, side, source):  # what one square holds, and ε leaves unused, into another
    to, away = window(side, source), window(side, source)
    change = images - clean
    old, before = change[to].clone(), energy(change)
    unused = (epsilon**2 - before.sum()).clamp(min=0)
    change[to] = change[away] = 0
    lost = (before - energy(change)).clamp(min=0)
    new = bumps((), side, source) + old / energy(old).sqrt().clamp(min=1e-12)
    change[to] = new / energy(new).sqrt().clamp(min=1e-12) * (lost + unused / channels).sqrt()
    return (clean + change).clamp(0, 1)
"""
SEARCH = """halvings = 10, 50, 200, 500, 1_000, 2_000, 4_000, 6_000, 8_000  # of 10,000 queries


def attack(source):
    images = start(source)
    logits = network(images)
    yield images, logits
    for query in range(queries - 1):
        share = 0.8 / 2 ** sum(query * 10_000 // queries > each for each in halvings)
        side = {side}
        changed = propose(images, min(side, height, width), source)
        answers = network(changed)
        if margin(answers) < margin(logits):
            images, logits = changed, answers
        yield images, logits
"""
SIDES = {  # the side of a square that has this share of the pixels
    "linf": "max(1, round(math.sqrt(share * height * width)))",
    "l2": "max(3, round(math.sqrt(share * height * width))) // 2 * 2 + 1",
}
ESTIMATE = """def estimate(images, source):  # the gradient, from pairs of opposite steps
    directions = torch.randn((pairs, *clean.shape[1:]), generator=source)
    directions = torch.cat([directions, -directions])
    gains = loss(network(images + deviation * directions)) / (2 * pairs * deviation)
    return (gains.view(-1, 1, 1, 1) * directions).sum(0, keepdim=True)
"""
ESTIMATE_BY_PARTS = """def estimate(images, source):  # the gradient, from pairs of opposite steps
    gradient = torch.zeros_like(clean)
    for few in torch.arange(pairs).split({many}):
        directions = torch.randn((len(few), *clean.shape[1:]), generator=source)
        directions = torch.cat([directions, -directions])
        gains = loss(network(images + deviation * directions)) / (2 * pairs * deviation)
        gradient += (gains.view(-1, 1, 1, 1) * directions).sum(0, keepdim=True)
    return gradient
"""
FOLLOW = """def attack(source):
    images = clean
    for _ in range(steps):
        yield images, network(images)
        images = project(images + step_size * steepest(estimate(images, source)))
    yield images, network(images)
"""


def write_one_pixel(config: Attack, shape: Sequence[int]) -> tuple[str, list[str]]:
    """Write the evolution of single pixels; give the settings and the functions.

    Args:
        config: how.
        shape: of a picture, c×h×w.
    """
    population = min(config.population, config.queries)
    assigned = settings(count=int(config.epsilon), queries=config.queries, population=population)
    many = portion(shape)
    asks = {
        f"ask_{name}": f"network(paint({name}))"
        if population <= many
        else f"torch.cat([network(paint(few)) for few in {name}.split({many})])"
        for name in ("candidates", "children")
    }
    return f"{assigned}\n{_sizes()}", [EVOLUTION, OTHERS, EVOLVE.format(**asks)]


def write_square(config: Attack) -> tuple[str, list[str]]:
    """Write Square."""
    assigned = settings(epsilon=written(config.epsilon, config.norm), queries=config.queries)
    own = [STRIPES, FLAT] if config.norm == "linf" else [BUMP, BUMPS, TILES, MOVED]
    search = SEARCH.format(side=SIDES[config.norm])
    return f"{assigned}\n{_sizes()}", [SIGNS, WINDOW, *own, search]


def write_estimate(config: Attack, shape: Sequence[int]) -> tuple[str, list[str]]:
    """Write NES, with as many steps as the queries allow.

    Args:
        config: how.
        shape: of a picture, c×h×w.
    """
    assigned = settings(
        epsilon=written(config.epsilon, config.norm),
        steps=config.moves,
        step_size=written(config.length, config.norm),
        pairs=config.pairs,
        deviation=config.deviation,
    )
    many = max(1, portion(shape) // 2)
    estimate = ESTIMATE if config.pairs <= many else ESTIMATE_BY_PARTS.format(many=many)
    return assigned, [loss(config), *ball(config), estimate, FOLLOW]


def _sizes() -> str:
    return "channels, height, width = clean.shape[1:]"
