"""The code of what hides parts of the picture: occlusion and RISE."""

from core.saliency.script.framing import DRAWN, Asked, Written, baseline, settings, source

__all__ = ["write_occlusion", "write_rise"]

KEPT = 0.5  # as `masking` has it
OCCLUSION = """{settings}
baseline = {baseline}
height, width = picture.shape[2:]
seen, falls, times = score(picture), torch.zeros(height, width), torch.zeros(height, width)
for top in range(0, height - size + stride, stride):
    for left in range(0, width - size + stride, stride):
        box = ..., slice(top, top + size), slice(left, left + size)
        hidden = picture.clone()
        hidden[box] = baseline[box]
        falls[box] += seen - score(hidden)
        times[box] += 1
values = (falls / times)[None]
"""
RISE = """{settings}
baseline = {baseline}
height, width = picture.shape[2:]
down, across = math.ceil(height / cells), math.ceil(width / cells)  # pixels of a cell
source = source_of({drawn})
grids = (torch.rand(masks, 1, cells + 1, cells + 1, generator=source) < {kept}).float()
tops = torch.randint(down, (masks,), generator=source)
lefts = torch.randint(across, (masks,), generator=source)
total = torch.zeros(height, width)
for grid, top, left in zip(grids, tops, lefts, strict=True):
    mask = F.interpolate(grid[None], scale_factor=(down, across), mode="bilinear")[0, 0]
    mask = mask[top : top + height, left : left + width]
    total += mask * score(baseline + mask * (picture - baseline))
values = total[None] / (masks * {kept})
"""


def write_occlusion(asked: Asked) -> Written:
    """Write occlusion."""
    functions, value = baseline(asked)
    size, stride = asked.query.box(min(asked.about.shape[1:]))
    assigned = settings(size=size, stride=stride)
    return Written(functions, OCCLUSION.format(settings=assigned, baseline=value))


def write_rise(asked: Asked) -> Written:
    """Write RISE."""
    functions, value = baseline(asked)
    assigned = settings(masks=asked.query.masks, cells=asked.query.cells)
    body = RISE.format(settings=assigned, baseline=value, drawn=DRAWN, kept=KEPT)
    return Written((*functions, source(asked)), body)
