"""The code of the convolution laboratory: any window on a picture, and what layers cost."""

import textwrap
from collections.abc import Sequence

import numpy as np

from core.feature_maps.kernels import Window
from core.shared.scripts import WIDTH, read, whole

__all__ = ["write_convolution", "write_costs"]

MOVED = """kernel = torch.tensor(
    [
{rows}
    ]
)
# Each colour is a picture of the batch, and its grey the last one.
planes = torch.cat([pixels, {grey}])[:, None]
values = {call}(
    planes,
    kernel[None, None],
    stride={stride},
    padding={padding},
    dilation={dilation},{more}
)[:, 0]
values, grey = values[:-1], values[-1]
print(tuple(values.shape), values.min().item(), values.max().item())
"""
COSTS = """# On "meta" there are only shapes: nothing is computed.
full = nn.Conv2d({into}, {out}, {kernel}, padding="same", bias=False, device="meta")
separable = nn.Sequential(
    nn.Conv2d({into}, {into}, {kernel}, padding="same", groups={into}, bias=False, device="meta"),
    nn.Conv2d({into}, {out}, 1, bias=False, device="meta"),
)
counts = []
for layer in (full, separable):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        layer(torch.zeros(1, {into}, {side}, {side}, device="meta"))
    weights = sum(each.numel() for each in layer.parameters())
    counts.append((weights, counter.get_total_flops() // 2))  # a multiply-add is two operations
    print(*(f"{{count:,}}" for count in counts[-1]))
print(f"{{counts[1][0] / counts[0][0]:.3g}} of the weights")
"""


def write_convolution(window: Window, channels: int, picture: str) -> str:
    """Write what the laboratory does to a picture: `values` and `grey` hold it in the end.

    Args:
        window: what moves.
        channels: of the picture, 1 or 3.
        picture: as `write_maps` takes it.
    """
    grey = "pixels"
    if channels > 1:
        grey = "0.299 * pixels[:1] + 0.587 * pixels[1:2] + 0.114 * pixels[2:]"
    more = f"\n    output_padding={window.output_padding}," * (window.output_padding > 0)
    body = MOVED.format(
        rows="\n".join(_row(row) for row in window.kernel),
        grey=grey,
        call="F.conv_transpose2d" if window.transposed else "F.conv2d",
        stride=window.stride,
        padding=window.padding,
        dilation=window.dilation,
        more=more,
    )
    title = "A transposed convolution" if window.transposed else "A convolution"
    return whole(f"{title} by a kernel of one's own", read(picture, channels) + body)


def write_costs(into: int, out: int, kernel: int, side: int) -> str:
    """Write what a convolution costs and what stands for it: `counts` holds it in the end.

    Args:
        into, out, kernel, side: as `kernels.compare` takes them.
    """
    body = COSTS.format(into=into, out=out, kernel=kernel, side=side)
    return whole("A full convolution against a depthwise one and a 1×1 one", body)


def _row(row: Sequence[float]) -> str:
    """Write a row of a kernel, each value as short as float32 allows."""
    texts = [str(float(str(np.float32(value)))) for value in row]
    inner = ", ".join(texts)
    if len(inner) + 12 <= WIDTH:
        return f"        [{inner}],"
    filled = textwrap.fill(f"{inner},", WIDTH, initial_indent=" " * 12, subsequent_indent=" " * 12)
    return f"        [\n{filled}\n        ],"
