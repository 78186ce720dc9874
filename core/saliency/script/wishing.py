"""The code of what a class wants: a picture that climbs, by its pixels and by a generator."""

import json

from core.saliency.script.framing import SMOOTH, SOURCE, settings
from core.saliency.wishes import GENERATOR, NONE, Wish
from core.shared.models import About, about
from core.shared.scripts import script

__all__ = ["write_wish"]

REACH = 3  # as `blurring` has it
FLAT = 1e-30  # as `ascent` has it
GREY, NOISE = 0.5, 0.1  # as `wanting` has them
DEVIATION, IMAGES, RARE, NARROW, START = 0.3, 1_000, 0.01, 1e-3, 0.1  # as `generating` has them
WIDTHS, CODE = (16, 32), 8  # these and the next as `autoencoders` has them
LESSONS, BATCH, RATE = 600, 32, 0.01
TITLE = (
    "The picture that a class wants (Simonyan et al. 2013, arXiv:1312.6034; "
    "Nguyen et al. 2016, arXiv:1605.09304)"
)
PROBLEM = """network.eval().requires_grad_(False)
quick = folding.folded(network, {shape})  # as in the panel: rounding decides ties
{settings}
"""
CLIMB = """def climb(point, low, high, home, draw, source):  # up the gradient of the logit
    for step in range(steps):
        shift = torch.randint(-jitter, jitter + 1, (2,), generator=source).tolist()
        leaf = point.detach().requires_grad_()
        logit = quick(draw(leaf).roll(shift, (2, 3)))[0, target]
        (gradient,) = torch.autograd.grad(logit, leaf)
        size = gradient.square().mean().sqrt()
        point = point + rate * gradient / size.clamp(min={flat}) + weight_decay * (home - point)
{smooth}        point = point.clamp(low, high)
    return draw(point)
"""
SMOOTHED = """        if draw is pixels and (step + 1) % {every} == 0 and step + 1 < steps:
            point = blurred(point)
"""
PIXELS = """def pixels(point):  # each pixel by itself
    return point
"""
BY_PIXELS = """source, mean = source_of(0), {mean}
noise = torch.randn({shape}, generator=source)
start = (mean + {noise} * noise).clamp(0, 1)
pictures["by pixels"] = climb(start, 0, 1, mean, pixels, source)
"""
AUTOENCODER = """# A generator: the half of an autoencoder that learned to take noise away.
encoder = nn.Sequential(
    nn.Conv2d({channels}, {narrow}, 3, stride=2, padding=1),
    nn.ReLU(),
    nn.Conv2d({narrow}, {wide}, 3, stride=2, padding=1),
    nn.ReLU(),
    nn.Conv2d({wide}, {code}, 1),
)
decoder = nn.Sequential(
    nn.Conv2d({code}, {wide}, 3, padding=1),
    nn.ReLU(),
    nn.Upsample(size={half}),
    nn.Conv2d({wide}, {narrow}, 3, padding=1),
    nn.ReLU(),
    nn.Upsample(size={whole}),
    nn.Conv2d({narrow}, {channels}, 3, padding=1),
)
both, draws = nn.ModuleList([encoder, decoder]), torch.Generator().manual_seed(0)
networks.initialise(both, draws, "he")
images = learnt.training.images
adam = torch.optim.Adam(both.parameters(), {rate})
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, {lessons})
for _ in range({lessons}):
    clean = images[torch.randint(len(images), ({batch},), generator=draws)]
    noise = torch.randn(clean.shape, generator=draws)
    drawn = decoder(encoder((clean + {deviation} * noise).clamp(0, 1)))
    adam.zero_grad()
    F.binary_cross_entropy_with_logits(drawn, clean).backward()
    adam.step()
    schedule.step()
both.requires_grad_(False).eval()

"""
CODES = """# The codes of training images tell the range of each value, in its standard deviations.
source = source_of(1)
seen = images[torch.randperm(len(images), generator=source)[:{images}]]
codes = encoder(seen)
spread, middle = torch.std_mean(codes, 0, correction=0, keepdim=True)
spread = spread.clamp(min={narrow})
ordered = ((codes - middle) / spread).sort(0).values
low, high = (ordered[[round(share * (len(codes) - 1))]] for share in ({rare}, {often}))
average = (encoder(seen.mean(0, keepdim=True)) - middle) / spread


def by_generator(code):
    return decoder(middle + spread * code).sigmoid()


start = (average + {noise} * torch.randn(average.shape, generator=source)).clamp(low, high)
pictures["by a generator"] = climb(start, low, high, 0, by_generator, source)
"""
END = """for name, picture in pictures.items():
    logits = network(picture)[0]
    print(f"{{name}}: logit {{logits[target]:.4f}}, {{100 * logits.softmax(0)[target]:.1f}} %")
together = (255 * torch.cat([*pictures.values()], 3)[0]).round().byte(){pixels}
Image.fromarray(together.numpy()).save({file})
"""


def write_wish(wish: Wish, file: str) -> str:
    """Write how the pictures that a class wants are found: `pictures` holds them in the end.

    Args:
        wish: what is wished for.
        file: where they are saved, side by side.

    Raises: ValueError when a generator's training images are not here, or the network is not.
    """
    known = about(wish.source)
    if GENERATOR in wish.priors and not known.data:
        raise ValueError(f"network must be one whose data are here, got {known.title}")
    channels, end = known.shape[0], json.dumps(file, ensure_ascii=False)
    parts = [
        _problem(wish, known),
        *_functions(wish),
        "pictures = {}\n" + "\n".join(_way(prior, known) for prior in wish.priors),
        END.format(pixels="[0]" if channels == 1 else ".permute(1, 2, 0)", file=end),
    ]
    return script(TITLE, wish.source, "", "\n\n".join(parts[:-1]) + "\n" + parts[-1])


def _problem(wish: Wish, known: About) -> str:
    assigned = settings(
        target=wish.target,
        steps=wish.steps,
        rate=wish.rate,
        jitter=wish.jitter,
        weight_decay=wish.weight_decay,
    )
    return PROBLEM.format(shape=known.shape, settings=assigned)


def _functions(wish: Wish) -> list[str]:
    """Write what climbs; pixels may be smoothed on their way."""
    functions, smooth = [SOURCE.format(seed=wish.seed)], ""
    if NONE in wish.priors:
        functions.append(PIXELS)
        if wish.blur:
            reach = max(1, round(REACH * wish.blur))
            functions.append(SMOOTH.format(reach=reach, deviation=wish.blur))
            smooth = SMOOTHED.format(every=wish.every)
    return [*functions, CLIMB.format(flat=FLAT, smooth=smooth)]


def _way(prior: str, known: About) -> str:
    """Write how one picture is begun and found."""
    if prior == NONE:
        mean = "learnt.mean" if known.data else GREY
        return BY_PIXELS.format(mean=mean, shape=(1, *known.shape), noise=NOISE)
    channels, height, width = known.shape
    narrow, wide = WIDTHS
    taught = AUTOENCODER.format(
        channels=channels,
        narrow=narrow,
        wide=wide,
        code=CODE,
        half=(-(-height // 2), -(-width // 2)),
        whole=(height, width),
        rate=RATE,
        lessons=LESSONS,
        batch=BATCH,
        deviation=DEVIATION,
    )
    return taught + CODES.format(
        images=IMAGES, narrow=NARROW, rare=RARE, often=1 - RARE, noise=START
    )
