"""The code of what puts a sum over superpixels in the network's place: LIME and KernelSHAP."""

import math

from core.saliency.script.framing import DRAWN, Asked, Written, baseline, settings, source

__all__ = ["write_kernelshap", "write_lime"]

COMPACTNESS, ROUNDS = 0.25, 10  # as `superpixels` has them
WIDTH, PRESENT = 0.25, 0.5  # as `surrogates` has them
CUT = """def cut(labels):  # each pixel to the nearest mean of colour and place
    sizes = np.bincount(labels.ravel())
    sums = np.stack([np.bincount(labels.ravel(), each.ravel()) for each in features])
    cuts, distances = labels.copy(), np.full(labels.shape, np.inf)
    for label in np.flatnonzero(sizes):
        mean = sums[:, label] / sizes[label]
        middle = [round(each / scale) for each in mean[-2:]]
        near = tuple(slice(max(0, at - reach), at + reach + 1) for at in middle)
        away = np.square(features[:, *near] - mean[:, None, None]).sum(0)
        nearer = away < distances[near]
        distances[near][nearer] = away[nearer]
        cuts[near][nearer] = label
    return cuts
"""
JOIN = """def join(labels):  # of each label the largest piece stays, and grows over the others
    grown = np.full(labels.shape, -1)
    for label in np.unique(labels):
        pieces, _ = ndimage.label(labels == label)
        sizes = np.bincount(pieces.ravel())[1:]
        largest = len(sizes) - sizes[::-1].argmax()
        grown[pieces == largest] = label
    while (grown < 0).any():
        wide = np.pad(grown, 1, constant_values=-1)
        for beside in (wide[:-2, 1:-1], wide[2:, 1:-1], wide[1:-1, :-2], wide[1:-1, 2:]):
            grown = np.where(grown < 0, beside, grown)
    return np.unique(grown, return_inverse=True)[1].reshape(labels.shape)  # 0, 1, 2 …
"""
SUPERPIXELS = """# Superpixels, at first equal boxes (SLIC): Achanta et al. 2012, algorithm 1.
height, width = picture.shape[2:]
rows, columns = {rows}, {columns}
side = math.sqrt(height * width / (rows * columns))
scale, reach = {compactness} / side, math.ceil(side)
y, x = np.mgrid[:height, :width]
features = np.concatenate([pixels.numpy(), scale * y[None], scale * x[None]])
labels = y * rows // height * columns + x * columns // width
for _ in range({rounds}):
    labels = cut(labels)
pieces = torch.from_numpy(join(labels))  # of each pixel the superpixel
sizes = pieces.flatten().bincount()
count = len(sizes)

"""
FIT = """def fit(design, wanted, counts):  # least squares, each row counted so often
    roots = counts.sqrt()[:, None]
    return torch.linalg.lstsq(design * roots, wanted[:, None] * roots, driver="gelsd").solution
"""
ASKED = """baseline = {baseline}
images = (torch.where(row[pieces], picture, baseline) for row in present)
scores = torch.cat([score(image) for image in images]).double()
"""
LIME = """{settings}
present = torch.rand(masks, count, generator=source_of({drawn})) < {present}
present[0] = True
{asked}near = 1 - present.double().mean(1).sqrt()  # the cosine distance to the whole picture
counts = torch.exp(-(near**2) / (2 * {width}**2))
design = torch.cat([torch.ones(masks, 1), present], 1).double()
weights = fit(design, scores, counts)[:, 0]
fitted = design @ weights
weights = weights[1:]  # the first is the intercept
"""
SAMPLED = """{settings}
if 2**count - 2 <= masks:  # all coalitions but none and all
    present = torch.arange(1, 2**count - 1)[:, None] >> torch.arange(count) & 1 == 1
    ways = [math.comb(count, size) for size in present.sum(1)]
    here = present.sum(1)
    counts = (count - 1) / (torch.tensor(ways) * here * (count - here)).double()
else:  # some of them and their opposites, drawn by the Shapley kernel
    source, here = source_of({drawn}), torch.arange(1, count)
    kernel = 1 / (here * (count - here)).double()
    drawn = 1 + torch.multinomial(kernel, masks // 2, replacement=True, generator=source)
    places = torch.rand(masks // 2, count, generator=source).argsort(1).argsort(1)
    present = places < drawn[:, None]
    present = torch.cat([present, ~present])
    counts = torch.ones(len(present), dtype=torch.double)
"""
SHAPLEY = """base, every = score(baseline).item(), score(picture).item()
shares = present.double().mean(1)
# Equal shares for all, and what is best besides of that which adds up to nothing.
beyond = scores - base - shares * (every - base)
weights = fit(present.double() - shares[:, None], beyond, counts)[:, 0] + (every - base) / count
fitted = base + present.double() @ weights
"""
FIDELITY = """spread = counts @ (scores - counts @ scores / counts.sum()) ** 2
fidelity = 1 - counts @ (scores - fitted) ** 2 / spread
values = (weights / sizes)[pieces][None].float()
"""
MORE = """print(f"fidelity R² {fidelity:.4f} with {count} superpixels")
"""


def write_lime(asked: Asked) -> Written:
    """Write LIME."""
    functions, value = baseline(asked)
    fitted = LIME.format(
        settings=settings(masks=asked.query.masks),
        drawn=DRAWN,
        present=PRESENT,
        asked=ASKED.format(baseline=value),
        width=WIDTH,
    )
    body = _superpixels(asked) + fitted + FIDELITY
    return Written((*functions, source(asked), CUT, JOIN, FIT), body, more=MORE)


def write_kernelshap(asked: Asked) -> Written:
    """Write KernelSHAP."""
    functions, value = baseline(asked)
    drawn = SAMPLED.format(settings=settings(masks=asked.query.masks), drawn=DRAWN)
    body = _superpixels(asked) + drawn + ASKED.format(baseline=value) + SHAPLEY + FIDELITY
    return Written((*functions, source(asked), CUT, JOIN, FIT), body, complete=True, more=MORE)


def _superpixels(asked: Asked) -> str:
    """Write how the picture is cut."""
    _, height, width = asked.about.shape
    rows = min(height, max(1, round(math.sqrt(asked.query.segments * height / width))))
    columns = min(width, max(1, round(asked.query.segments / rows)))
    return SUPERPIXELS.format(rows=rows, columns=columns, compactness=COMPACTNESS, rounds=ROUNDS)
