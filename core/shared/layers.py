"""A network as a table of rows, written as a short text and read again; needs no torch."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "ACTIVATIONS",
    "INITIALISATIONS",
    "KINDS",
    "LIMITS",
    "MOST_ROWS",
    "NORMALISATIONS",
    "PRESETS",
    "Layer",
    "Row",
    "parse",
    "write",
]

NORMALISATIONS = ("none", "batch", "layer", "group")
ACTIVATIONS = ("none", "sigmoid", "tanh", "relu", "leaky", "gelu")
INITIALISATIONS = ("lecun", "glorot", "he", "small", "zeros")

_WINDOW = ("kernel", "stride", "padding", "dilation")
_AFTER = ("normalisation", "activation", "dropout")
_BLOCK = ("channels", "kernel", "stride", *_AFTER)
# What each kind of row can say; all else is left as it is.
KINDS: dict[str, tuple[str, ...]] = {
    "conv": ("channels", *_WINDOW, *_AFTER),
    "depthwise": (*_WINDOW, *_AFTER),
    "max": ("kernel", "stride", "padding", "dropout"),
    "mean": ("kernel", "stride", "padding", "dropout"),
    "global": ("dropout",),
    "fc": ("channels", *_AFTER),
    "res": _BLOCK,
    "skip": _BLOCK,
    "plain": _BLOCK,
    "inception": ("channels", *_AFTER),
}
LIMITS = {
    "channels": (1, 512),
    "units": (1, 2048),  # the channels of "fc"
    "kernel": (1, 15),
    "stride": (1, 8),  # of pooling: as the kernel, which it is unless given
    "padding": (0, 7),
    "dilation": (1, 4),
    "dropout": (0, 90),  # per cent
}
MOST_ROWS = 60
POOLS = ("max", "mean")
RESIDUAL = ("res", "skip", "plain")
BRANCHES = 4  # of inception

_LETTERS = {"kernel": "k", "stride": "s", "padding": "p", "dilation": "d", "dropout": "drop"}
_NAMES = {letter: name for name, letter in _LETTERS.items()}
_HEAD = re.compile(r"([a-z]+)([0-9]{0,99})")
_NUMBER = re.compile(r"(drop|[kspd])([0-9]{1,99})")
_SHOWN = 40  # characters of a wrong row

# {0} is the block, {1} what follows each convolution: 1 + 9·2 + 1 weight layers with the output.
_TWENTY = (
    "conv8-p1{1},{0}8{1},{0}8{1},{0}8{1},"
    "{0}16-s2{1},{0}16{1},{0}16{1},{0}32-s2{1},{0}32{1},{0}32{1},global"
)
PRESETS: dict[str, str] = {
    "lenet5": "conv6-k5-p2-tanh,mean2,conv16-k5-tanh,mean2,fc120-tanh,fc84-tanh",
    "mlp": "fc300-relu,fc100-relu",
    "vgg": (
        "conv8-p1-batch-relu,conv8-p1-batch-relu,max2,"
        "conv16-p1-batch-relu,conv16-p1-batch-relu,max2,"
        "conv32-p1-batch-relu,conv32-p1-batch-relu,max2,fc64-relu"
    ),
    "resnet": _TWENTY.format("res", "-batch-relu"),
    "inception": (
        "conv16-p1-batch-relu,max2,inception32-batch-relu,inception32-batch-relu,max2,"
        "inception64-batch-relu,inception64-batch-relu,global"
    ),
    "separable": (
        "conv16-s2-p1-batch-relu,depthwise-p1-batch-relu,conv32-k1-batch-relu,"
        "depthwise-s2-p1-batch-relu,conv64-k1-batch-relu,"
        "depthwise-p1-batch-relu,conv64-k1-batch-relu,"
        "depthwise-s2-p1-batch-relu,conv128-k1-batch-relu,global"
    ),
    "plain20": _TWENTY.format("plain", "-sigmoid"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer and its arithmetic, as `core.shared.arithmetic` finds them.

    name: "conv1"; inside a block "res3.a", "inception4.3x3".
    kind: in words, with the activation and the dropout that follow: "convolution 5×5, ReLU".
    shape: of the output for one image, channels first.
    field: the receptive field of one output value, its side in pixels of the input. It counts
        pixels of the padding too, so it can be larger than the image.
    size: how the output's sides come about, "⌊(28 + 2·2 − 1·(5 − 1) − 1) / 1⌋ + 1 = 28", or "".
    parameters, formula: their number, and as a sum, "5·5·1·6 + 6"; "" where there are none.
    multiply_adds, multiply_adds_formula: of convolutions and fully connected layers for one image,
        "28·28·5·5·1·6"; the few of all else are left out.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    field: int
    size: str = ""
    parameters: int = 0
    formula: str = ""
    multiply_adds: int = 0
    multiply_adds_formula: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a network's table.

    kind: one of KINDS. "conv" is a convolution, "depthwise" one with a kernel for each map, "max"
        and "mean" pool, "global" is the mean of each map, "fc" is fully connected. "res" adds two
        convolutions, padded to keep the size, to their input or, where the shape changes, to a
        1×1 convolution of it; "skip" is the same with no activation after the sum, "plain" the same
        without the sum. "inception" joins the maps of
        four branches: 1×1; 1×1, 3×3; 1×1, 5×5; a maximum of 3×3, 1×1.
    channels: maps or units that come out; 0 where they stay as many as they are.
    kernel, stride, padding, dilation: in pixels of the map. A number that the kind has is never 0
        except the padding: 0 then becomes the usual one, 3 for convolutions, 2 for pooling, whose
        stride is its kernel, else 1. A number that the kind does not have is 0.
    normalisation, activation: one of NORMALISATIONS, ACTIVATIONS, after each convolution.
    dropout: the share of the output that is set to 0 in training, in whole hundredths below 1.

    Raises: ValueError when the kind has no such field or a value is outside its range.
    """

    kind: str
    channels: int = 0
    kernel: int = 0
    stride: int = 0
    padding: int = 0
    dilation: int = 0
    normalisation: str = "none"
    activation: str = "none"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Put the usual numbers where none are given, and check each value."""
        if self.kind not in KINDS:
            raise ValueError(f'kind must be one of {", ".join(KINDS)}, got "{self.kind}"')
        for name in ("channels", *_WINDOW):
            value = getattr(self, name)
            if name in KINDS[self.kind]:
                value = value or _usual(self.kind, name, self.kernel)
                object.__setattr__(self, name, value)
                _require(self.kind, name, value)
            elif value != 0:
                raise ValueError(f"{self.kind} has no {name}, got {value!r}")
        for name, known in (("normalisation", NORMALISATIONS), ("activation", ACTIVATIONS)):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(f'{name} must be one of {", ".join(known)}, got "{value}"')
            if name not in KINDS[self.kind] and value != "none":
                raise ValueError(f'{self.kind} has no {name}, got "{value}"')
        hundredths = round(100 * self.dropout) if abs(self.dropout) < 1 else -1
        if hundredths / 100 != self.dropout or not 0 <= hundredths <= LIMITS["dropout"][1]:
            raise ValueError(
                f"dropout must be from 0 to 0.9 in whole hundredths, got {self.dropout!r}"
            )
        self._check_shape()

    def _check_shape(self) -> None:
        if self.kind in RESIDUAL and self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, so that the size stays, got {self.kernel}")
        if self.kind == "inception" and self.channels % BRANCHES:
            raise ValueError(f"channels must be a multiple of {BRANCHES}, got {self.channels}")
        if self.kind in POOLS and 2 * self.padding > self.kernel:
            raise ValueError(
                f"padding must be at most half the kernel, {self.kernel}, got {self.padding}"
            )


def parse(text: str) -> tuple[Row, ...]:
    """Read a network's table from its text, "conv6-k5-p2-tanh,max2,fc84-drop50".

    Args:
        text: rows separated by commas. A row is its kind with the channels, for pooling with the
            kernel, then in any order, each after a "-": k, s, p, d and a number for kernel, stride,
            padding, dilation; a normalisation; an activation; "drop" and a number of per cent.
            Nothing at all is a table without rows; spaces and capitals count for nothing.

    Raises: ValueError that names the row, the rule and the value.
    """
    text = "".join(text.lower().split()).strip(",")
    texts = text.split(",") if text else []
    if len(texts) > MOST_ROWS:
        raise ValueError(f"a network must have at most {MOST_ROWS} rows, got {len(texts):,}")
    rows = []
    for number, row in enumerate(texts, 1):
        try:
            rows.append(_parse_row(row))
        except ValueError as error:
            shown = row if len(row) <= _SHOWN else f"{row[:_SHOWN]}…"
            raise ValueError(f'row {number}, "{shown}": {error}') from None
    return tuple(rows)


def write(rows: Iterable[Row]) -> str:
    """Write a table as the text that `parse` reads, without what is usual."""
    return ",".join(map(_write_row, rows))


def _parse_row(text: str) -> Row:
    head, *words = text.split("-")
    match = _HEAD.fullmatch(head)
    kind, number = (match[1], match[2]) if match else (head, "")
    if kind not in KINDS:
        raise ValueError(f'kind must be one of {", ".join(KINDS)}, got "{kind[:_SHOWN]}"')
    first = _first(kind)
    if bool(number) != bool(first):
        rule = f"must be followed by its {_said(kind, first)}" if first else "takes no number"
        raise ValueError(f"{kind} {rule}, got {number or 'none'}")
    values: dict[str, str | int] = {first: int(number)} if first else {}
    for word in words:
        name, value = _read(word)
        if name not in KINDS[kind]:
            raise ValueError(f'{kind} has no {name}, got "{word}"')
        if name in values:
            raise ValueError(f'{name} must be given once, got "{word}" as well')
        values[name] = value
    for name, value in values.items():  # before a Row takes a 0 for the usual one
        if isinstance(value, int):
            _require(kind, name, value)
    dropout = int(values.pop("dropout", 0)) / 100
    return Row(kind=kind, dropout=dropout, **values)  # type: ignore[arg-type] # each by its name


def _read(word: str) -> tuple[str, str | int]:
    if number := _NUMBER.fullmatch(word):
        return _NAMES[number[1]], int(number[2])
    for name, known in (("normalisation", NORMALISATIONS), ("activation", ACTIVATIONS)):
        if word in known[1:]:
            return name, word
    raise ValueError(
        "what follows a - must be k, s, p, d or drop with a whole number, or one of "
        f'{", ".join((*NORMALISATIONS[1:], *ACTIVATIONS[1:]))}, got "{word[:_SHOWN]}"'
    )


def _write_row(row: Row) -> str:
    first = _first(row.kind)
    words = [f"{row.kind}{getattr(row, first) if first else ''}"]
    for name in _WINDOW:
        value, usual = getattr(row, name), _usual(row.kind, name, row.kernel)
        if name in KINDS[row.kind] and name != first and value != usual:
            words.append(f"{_LETTERS[name]}{value}")
    words += [word for word in (row.normalisation, row.activation) if word != "none"]
    words += [f"drop{round(100 * row.dropout)}"] if row.dropout else []
    return "-".join(words)


def _first(kind: str) -> str:
    """Name the number that stands right behind the kind, if there is one."""
    if kind in POOLS:
        return "kernel"
    return "channels" if "channels" in KINDS[kind] else ""


def _usual(kind: str, name: str, kernel: int) -> int:
    if kind in POOLS:
        return {"kernel": 2, "stride": kernel}.get(name, 0)
    return {"kernel": 3, "stride": 1, "dilation": 1}.get(name, 0)


def _said(kind: str, name: str) -> str:
    return "units" if (kind, name) == ("fc", "channels") else name


def _require(kind: str, name: str, value: int) -> None:
    said = _said(kind, name)
    lowest, highest = LIMITS["kernel" if kind in POOLS and name == "stride" else said]
    unit = " per cent" if name == "dropout" else ""
    if not isinstance(value, int) or not lowest <= value <= highest:
        raise ValueError(f"{said} must be from {lowest} to {highest}{unit}, got {value!r}")
