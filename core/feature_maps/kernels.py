"""The kernels of the convolution laboratory, and the sums that say what comes of their windows.

This module needs no torch: the server that draws the page reads it too.
"""

import math
from dataclasses import dataclass

__all__ = [
    "KERNELS",
    "LARGEST",
    "SIDES",
    "Comparison",
    "Cost",
    "Kernel",
    "Window",
    "compare",
    "place",
    "size",
]

Kernel = tuple[tuple[float, ...], ...]  # rows from the top

SIDES = (1, 11)  # of a kernel, the least and the most
LARGEST = 1000.0  # value of a kernel
MOST = {"stride": 8, "padding": 16, "dilation": 8, "output_padding": 7}
LEAST = {"stride": 1, "padding": 0, "dilation": 1, "output_padding": 0}
MOST_CHANNELS, MOST_SIDE = 4096, 4096


def _scaled(divisor: float, *rows: tuple[float, ...]) -> Kernel:
    return tuple(tuple(value / divisor for value in row) for row in rows)


# They lie on the picture as they are written, as in a network: nothing is flipped.
KERNELS: dict[str, Kernel] = {
    "identity": _scaled(1, (0, 0, 0), (0, 1, 0), (0, 0, 0)),
    "edge": _scaled(1, (0, 1, 0), (1, -4, 1), (0, 1, 0)),  # the Laplacian
    "Sobel horizontal": _scaled(1, (-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),  # from left to right
    "Sobel vertical": _scaled(1, (-1, -2, -1), (0, 0, 0), (1, 2, 1)),  # from top to bottom
    "box blur": _scaled(9, (1, 1, 1), (1, 1, 1), (1, 1, 1)),
    "Gaussian blur": _scaled(16, (1, 2, 1), (2, 4, 2), (1, 2, 1)),
    "Gaussian blur 5×5": _scaled(
        256,
        (1, 4, 6, 4, 1),
        (4, 16, 24, 16, 4),
        (6, 24, 36, 24, 6),
        (4, 16, 24, 16, 4),
        (1, 4, 6, 4, 1),
    ),
    "sharpen": _scaled(1, (0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    "emboss": _scaled(1, (-2, -1, 0), (-1, 1, 1), (0, 1, 2)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A kernel and how it moves over a picture.

    kernel: its rows, from the top; it lies on the picture as it is written.
    stride: how far it goes at a time; transposed, how far apart the values that come in are laid.
    padding: rows and columns of 0 around the picture; transposed, those cut off the result.
    dilation: from one value of the kernel to the next.
    transposed: each value that comes in is spread out by the kernel, instead of gathered under it.
    output_padding: rows and columns that a transposed convolution adds below and to the right.

    Raises: ValueError when a value is outside its range.
    """

    kernel: Kernel
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    transposed: bool = False
    output_padding: int = 0

    def __post_init__(self) -> None:
        """Check each value, and make equal kernels the same numbers."""
        height, widths = len(self.kernel), {len(row) for row in self.kernel}
        low, high = SIDES
        if len(widths) != 1 or not all(low <= side <= high for side in (height, *widths)):
            sides = "×".join(map(str, (height, "/".join(map(str, sorted(widths))))))
            raise ValueError(f"kernel must have sides from {low} to {high}, got {sides}")
        for value in (value for row in self.kernel for value in row):
            if not abs(value) <= LARGEST:  # also refuses NaN
                raise ValueError(f"kernel must hold values from −1000 to 1000, got {value!r}")
        kernel = tuple(tuple(float(value) + 0.0 for value in row) for row in self.kernel)
        object.__setattr__(
            self, "kernel", kernel
        )  # −0 and 0 are one number now, and so are 1 and 1.0
        for name, most in MOST.items():
            value, least = getattr(self, name), LEAST[name]
            if not isinstance(value, int) or not least <= value <= most:
                raise ValueError(
                    f"{name} must be a whole number from {least} to {most}, got {value!r}"
                )
        if self.output_padding and not self.transposed:
            raise ValueError(
                f"output_padding must be 0 unless transposed, got {self.output_padding}"
            )
        if self.output_padding and self.output_padding >= max(self.stride, self.dilation):
            raise ValueError(
                "output_padding must be below stride or dilation, "
                f"max({self.stride}, {self.dilation}) = {max(self.stride, self.dilation)}, "
                f"got {self.output_padding}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a layer costs, without bias."""

    parameters: int
    parameters_formula: str  # "3·3·16·32"
    multiply_adds: int  # for one image
    multiply_adds_formula: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A full convolution against one of each map alone, followed by a 1×1 convolution."""

    full: Cost
    depthwise: Cost  # the first of the two
    pointwise: Cost  # the second
    separable: Cost  # both together
    ratio: float  # separable / full, of the parameters and of the multiply-adds alike
    ratio_formula: str  # "1/32 + 1/(3·3) = 0.142"


def size(window: Window, side: int, axis: int = 0) -> tuple[int, str]:
    """Work out how long a side comes out, by the formula.

    Args:
        window: what moves.
        side: of the picture, in pixels.
        axis: 0 for the height, by the kernel's rows; 1 for the width.

    Returns: the side that comes out, and the formula in LaTeX with the numbers in it.
    Raises: ValueError, with the formula, when nothing comes out.

    Source: Dumoulin, Visin 2016, arXiv:1603.07285, relationships 6 and 14, with dilation.
    """
    if not 1 <= side <= MOST_SIDE:
        raise ValueError(f"side must be from 1 to {MOST_SIDE}, got {side}")
    kernel = (len(window.kernel), len(window.kernel[0]))[axis]
    s, p, d = window.stride, window.padding, window.dilation
    if window.transposed:
        out = (side - 1) * s - 2 * p + d * (kernel - 1) + window.output_padding + 1
        text = f"({side} − 1)·{s} − 2·{p} + {d}·({kernel} − 1) + {window.output_padding} + 1"
        formula = text
    else:
        out = (side + 2 * p - d * (kernel - 1) - 1) // s + 1
        inner = f"{side} + 2·{p} − {d}·({kernel} − 1) − 1"
        text = f"⌊({inner}) / {s}⌋ + 1"
        formula = rf"\left\lfloor\frac{{{inner}}}{{{s}}}\right\rfloor + 1"
    if out < 1:
        raise ValueError(f"{text} = {str(out).replace('-', '−')} is less than 1")
    return out, f"{formula} = {out}".replace("·", r"\cdot ").replace("−", "-")


def place(window: Window, row: int, column: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Tell where the window lies for one value.

    Args:
        window: what moves.
        row, column: of the value: one that comes out; where the window is transposed, one that
            comes in.

    Returns: the window's first row and column in the picture, below 0 in the padding, and how many
        rows and columns it covers; where it is transposed, the same in the result, below 0 where
        it is cut off: there this value is spread.
    """
    corner = row * window.stride - window.padding, column * window.stride - window.padding
    sides = len(window.kernel), len(window.kernel[0])
    rows, columns = ((side - 1) * window.dilation + 1 for side in sides)
    return corner, (rows, columns)


def compare(into: int, out: int, kernel: int, side: int) -> Comparison:
    """Count what a convolution costs, and what the two cost that often stand for it.

    Args:
        into, out: maps that come in and go out.
        kernel: its side.
        side: of the maps that go out; those that come in are as large.

    Raises: ValueError when a number is outside its range.

    Source: Howard et al. 2017, arXiv:1704.04861, section 3.1.
    """
    for name, value, most in (
        ("into", into, MOST_CHANNELS),
        ("out", out, MOST_CHANNELS),
        ("kernel", kernel, SIDES[1]),
        ("side", side, MOST_SIDE),
    ):
        if not 1 <= value <= most:
            raise ValueError(f"{name} must be from 1 to {most}, got {value}")
    share = 1 / out + 1 / kernel**2
    return Comparison(
        full=_cost(side, [kernel, kernel, into, out]),
        depthwise=_cost(side, [kernel, kernel, into]),
        pointwise=_cost(side, [into, out]),
        separable=_cost(side, [kernel, kernel, into], [into, out]),
        ratio=share,
        ratio_formula=f"1/{out} + 1/({kernel}·{kernel}) = {share:.3g}",
    )


def _cost(side: int, *weights: list[int]) -> Cost:
    sums = [[side, side, *each] for each in weights]
    return Cost(
        parameters=sum(map(math.prod, weights)),
        parameters_formula=_written(weights),
        multiply_adds=sum(map(math.prod, sums)),
        multiply_adds_formula=_written(sums),
    )


def _written(terms: list[list[int]] | tuple[list[int], ...]) -> str:
    return " + ".join("·".join(map(str, term)) for term in terms)
