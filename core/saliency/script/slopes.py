"""The code of what follows the gradient of the score by the pixels."""

from core.saliency.script.framing import DRAWN, Asked, Written, baseline, settings, source

__all__ = ["GRADIENT", "write_expected", "write_gradient", "write_integrated", "write_noise"]

GRADIENT = """def gradient(images):  # of the score by the pixels
    images = images.detach().requires_grad_()
    (slopes,) = torch.autograd.grad(score(images).sum(), images)
    return slopes
"""
PLAIN = {
    "gradient": "values = gradient(picture)[0]\n",
    "gradient_input": "values = (gradient(picture) * picture)[0]\n",
}
NOISE = """{settings}
source = source_of({drawn})
slopes = []
for _ in range(samples):
    noise = torch.randn(pixels.shape, generator=source)
    slopes.append(gradient(picture + deviation * noise))
values = torch.cat(slopes).{statistic}
"""
STATISTICS = {"smoothgrad": "mean(0)", "vargrad": "var(0, correction=0)"}
INTEGRATED = """baseline = {baseline}
# The integral is Gauss and Legendre's sum: of so many places, from −1 to 1, with their weights.
places, weights = np.polynomial.legendre.leggauss({steps})
mean = torch.zeros_like(picture)
for place, weight in zip(places.tolist(), weights.tolist(), strict=True):
    there = baseline + (1 + place) / 2 * (picture - baseline)
    mean += weight / 2 * gradient(there)
values = (mean * (picture - baseline))[0]
base = score(baseline).item()
"""
EXPECTED = """{settings}
{known}
source = source_of({drawn})
chosen = torch.randint(len(known), (samples,), generator=source)
places = torch.rand((samples, 1, 1, 1), generator=source)
total, base = torch.zeros_like(picture), 0.0
for baseline, place in zip(known[chosen], places, strict=True):
    there = baseline + place * (picture - baseline)
    total += (picture - baseline) * gradient(there)
    base += score(baseline[None]).item() / samples
values = total[0] / samples
"""
TRAINING = "known = learnt.training.images  # the baselines are drawn from them"
PHOTOGRAPHS = """names = [each.name for each in photographs.photographs()]
known = [seeing.fit(photographs.photograph(name).pixels, {shape}, "") for name in names]
known = torch.tensor(np.stack(known))  # the baselines are drawn from them"""


def write_gradient(asked: Asked) -> Written:
    """Write the gradient, or gradient × input."""
    return Written((GRADIENT,), PLAIN[asked.query.method], folded=True)


def write_noise(asked: Asked) -> Written:
    """Write SmoothGrad or VarGrad."""
    query = asked.query
    body = NOISE.format(
        settings=settings(samples=query.samples, deviation=query.deviation),
        drawn=DRAWN,
        statistic=STATISTICS[query.method],
    )
    return Written((GRADIENT, source(asked)), body, folded=True)


def write_integrated(asked: Asked) -> Written:
    """Write integrated gradients."""
    functions, value = baseline(asked)
    body = INTEGRATED.format(baseline=value, steps=asked.query.steps)
    return Written((GRADIENT, *functions), body, folded=True, complete=True)


def write_expected(asked: Asked) -> Written:
    """Write expected gradients."""
    query, known = asked.query, PHOTOGRAPHS.format(shape=asked.about.shape)
    body = EXPECTED.format(
        settings=settings(samples=query.samples),
        known=TRAINING if asked.about.data else known,
        drawn=DRAWN,
    )
    return Written((GRADIENT, source(asked)), body, folded=True, complete=True)
