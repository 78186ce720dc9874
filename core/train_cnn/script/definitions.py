"""What a script defines before its network: the blocks that torch has no module for."""

import math
from collections.abc import Iterable

from core.shared.arithmetic import GROUPS
from core.shared.layers import Row

__all__ = [
    "DROPOUT",
    "LENET5",
    "MODULES",
    "WIDTH",
    "blocks",
    "convolution",
    "define",
    "normalisation",
    "variant",
]

WIDTH = 100  # characters of a line
MODULES = {
    "sigmoid": "nn.Sigmoid()",
    "tanh": "nn.Tanh()",
    "relu": "nn.ReLU()",
    "leaky": "nn.LeakyReLU()",
    "gelu": "nn.GELU()",
}
FUNCTIONS = {
    "none": "{}",
    "sigmoid": "torch.sigmoid({})",
    "tanh": "torch.tanh({})",
    "relu": "F.relu({})",
    "leaky": "F.leaky_relu({})",
    "gelu": "F.gelu({})",
}
NAMES = {"res": "Residual", "skip": "Skip", "plain": "plain", "inception": "Inception"}

DROPOUT = '''class Dropout(nn.Module):
    """Set a share p of the values to 0; the mask follows from the seed, the step and the place."""

    def __init__(self, p, place):
        super().__init__()
        self.p, self.place = p, place

    def forward(self, values):
        if not self.training:
            return values
        mixed = np.random.SeedSequence((seed * 2**32 + step, self.place))
        source = torch.Generator(values.device)
        source.manual_seed(int(mixed.generate_state(1, np.uint64)[0]))
        kept = torch.empty_like(values).bernoulli_(1 - self.p, generator=source)
        return values * (kept / (1 - self.p))
'''
LENET5 = '''class Squash(nn.Module):
    def forward(self, a):
        return 1.7159 * torch.tanh(a * (2 / 3))


class Subsample(nn.Module):
    """The mean of each 2×2 window, times a trained coefficient, plus a trained bias."""

    def __init__(self, maps):
        super().__init__()
        self.coefficient = nn.Parameter(torch.ones(maps, 1, 1))
        self.bias = nn.Parameter(torch.zeros(maps, 1, 1))

    def forward(self, maps):
        return self.bias + F.avg_pool2d(maps, 2) * self.coefficient


# Which maps of S2 each map of C3 sees: LeCun et al. 1998, Table I.
seen_by = "012 123 234 345 045 015 0123 1234 2345 0345 0145 0125 0134 1245 0235 012345".split()


class TableConv(nn.Conv2d):
    def __init__(self):
        super().__init__(6, 16, 5)
        self.register_buffer("table", torch.zeros(16, 6, 1, 1))
        for row, maps in enumerate(seen_by):
            self.table[row, [int(digit) for digit in maps]] = 1

    def forward(self, maps):
        return F.conv2d(maps, self.weight * self.table, self.bias)
'''
RESIDUAL = '''class {name}(nn.Module):
    """Two convolutions, added to their input or, where its shape differs, to a 1×1 one of it."""

    def __init__(self, into, out, stride=1):
        super().__init__()
{a}
{b}
        self.shortcut = nn.Sequential()
        if into != out or stride > 1:
{shortcut}

    def forward(self, maps):
        return {sum}
'''
PLAIN = """def {name}(into, out, stride=1):
{both}
"""
INCEPTION = '''class {name}(nn.Module):
    """Four branches whose maps are joined: 1×1; 1×1, 3×3; 1×1, 5×5; a maximum of 3×3, 1×1."""

    def __init__(self, into, out):
        super().__init__()
        share, less = out // 4, max(1, out // 8)

        def convolution(into, out, kernel):
{convolution}

        self.branches = nn.ModuleList(
            [
                convolution(into, share, 1),
                nn.Sequential(convolution(into, less, 1), convolution(less, share, 3)),
                nn.Sequential(convolution(into, less, 1), convolution(less, share, 5)),
                nn.Sequential(nn.MaxPool2d(3, 1, 1), convolution(into, share, 1)),
            ]
        )

    def forward(self, maps):
        return torch.cat([branch(maps) for branch in self.branches], 1)
'''


def convolution(row: Row, inside: str, out: int | str) -> list[str]:
    """Write a convolution, its arguments given but for the bias, and its normalisation."""
    bias = ", bias=False" * (row.normalisation != "none")
    return [f"nn.Conv2d({inside}{bias})", *normalisation(row, out)]


def normalisation(row: Row, out: int | str) -> list[str]:
    """Write it for so many channels, or for a variable that says how many."""
    flat = row.kind == "fc"
    match row.normalisation:
        case "batch":
            return [f"nn.BatchNorm{1 if flat else 2}d({out})"]
        case "layer":
            return [f"nn.LayerNorm({out})" if flat else f"nn.GroupNorm(1, {out})"]
        case "group":
            groups = f"math.gcd({GROUPS}, {out})" if isinstance(out, str) else math.gcd(GROUPS, out)
            return [f"nn.GroupNorm({groups}, {out})"]
    return []


def variant(row: Row) -> Row:
    """Give what is the same in all blocks that one definition serves."""
    kernel = 0 if row.kind == "inception" else row.kernel
    return Row(
        kind=row.kind,
        channels=4,
        kernel=kernel,
        normalisation=row.normalisation,
        activation=row.activation,
    )


def blocks(rows: Iterable[Row]) -> dict[Row, str]:
    """Name each variant of the blocks, numbered where a kind has several."""
    variants = dict.fromkeys(variant(row) for row in rows if row.kind in NAMES)
    named = {}
    for kind, name in NAMES.items():
        own = [each for each in variants if each.kind == kind]
        for number, each in enumerate(own, 1):
            named[each] = f"{name}{number}" if len(own) > 1 else name
    return named


def define(name: str, row: Row) -> str:
    """Write the class or function that makes such a block."""
    after = [MODULES[row.activation]] if row.activation != "none" else []
    if row.kind == "inception":
        inside = convolution(row, "into, out, kernel, padding=kernel // 2", "out")
        text = _sequential("return ", [*inside, *after], indent=12)
        return INCEPTION.format(name=name, convolution=text)
    padding = f", padding={row.kernel // 2}" * (row.kernel > 1)
    a = convolution(row, f"into, out, {row.kernel}, stride{padding}", "out") + after
    b = convolution(row, f"out, out, {row.kernel}{padding}", "out")
    if row.kind == "plain":
        return PLAIN.format(name=name, both=_sequential("return ", [*a, *b, *after], indent=4))
    over = convolution(row, "into, out, 1, stride", "out")
    last = "none" if row.kind == "skip" else row.activation
    clear = "  # nothing more: the way back is clear" * (row.kind == "skip")
    return RESIDUAL.format(
        name=name,
        a=_sequential("self.a = ", a, indent=8),
        b=_sequential("self.b = ", b, indent=8),
        shortcut=_sequential("self.shortcut = ", over, indent=12),
        sum=FUNCTIONS[last].format("self.b(self.a(maps)) + self.shortcut(maps)") + clear,
    )


def _sequential(before: str, modules: list[str], indent: int) -> str:
    """Chain modules, in as few lines as hold them."""
    margin, joined = " " * indent, ", ".join(modules)
    line = f"{margin}{before}nn.Sequential({joined})"
    if len(line) <= WIDTH:
        return line
    inner = f"{margin}    {joined}"
    if len(inner) > WIDTH:
        inner = "\n".join(f"{margin}    {module}," for module in modules)
    return f"{margin}{before}nn.Sequential(\n{inner}\n{margin})"
