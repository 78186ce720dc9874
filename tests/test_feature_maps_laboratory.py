"""The laboratory's windows do what torch and plain loops do, its fields are those of calculus."""

import copy
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import Tensor, nn

from core.feature_maps import CONVOLVE, EFFECTIVE_FIELD, LEARNED, MIX, EffectiveField, laboratory
from core.feature_maps.kernels import KERNELS, SIDES, Window, compare, place, size
from core.feature_maps.laboratory import convolve, effective_field, learned, mix
from core.feature_maps.looking import look, maps
from core.shared import data, loading
from core.shared.arithmetic import arithmetic
from core.shared.layers import Layer
from core.shared.loading import Model
from core.shared.models import Source
from core.shared.networks import build
from core.shared.photographs import photograph
from core.shared.seeing import fit
from tests.shared.untouched import leaves_untouched

MNIST = Source(kind="built-in", name="mnist")
LITE = Source(kind="built-in", name="efficientnet-lite0")
CPU = torch.device("cpu")
ONE = Window(kernel=((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), (7.0, 8.0, 9.0)))
BY_HAND = np.array([[[1, 2, 3], [4, 5, 6], [7, 8, 9]]], np.float32)

Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")


@some.composite
def windows(draw: some.DrawFn) -> dict[str, Any]:
    """Draw what makes a window that is valid by itself."""
    height, width = draw(some.integers(*SIDES)), draw(some.integers(*SIDES))
    start = draw(some.integers(0, 99))
    values = 2 * np.cos(start + 1.7 * np.arange(height * width)).reshape(height, width)
    stride, dilation = draw(some.integers(1, 4)), draw(some.integers(1, 4))
    transposed = draw(some.booleans())
    most = max(stride, dilation) - 1 if transposed else 0
    return {
        "kernel": tuple(map(tuple, values.tolist())),
        "stride": stride,
        "padding": draw(some.integers(0, 9)),
        "dilation": dilation,
        "transposed": transposed,
        "output_padding": draw(some.integers(0, most)),
    }


def by_torch(pixels: Array, window: Window) -> Array:
    """Let torch do it, each colour as a group of its own; it refuses what gives no picture."""
    weight = torch.tensor(window.kernel).expand(len(pixels), 1, -1, -1).contiguous()
    values, groups = torch.from_numpy(pixels)[None], len(pixels)
    stride, padding, dilation = window.stride, window.padding, window.dilation
    if window.transposed:
        more = window.output_padding
        moved = F.conv_transpose2d(values, weight, None, stride, padding, more, groups, dilation)
    else:
        moved = F.conv2d(values, weight, None, stride, padding, dilation, groups)
    if not moved.numel():  # in groups it lets sides of 0 pass, which one by one it does not
        raise RuntimeError("nothing comes out")
    result: Array = moved[0].numpy()
    return result


def by_loops(plane: Array, window: Window) -> Array:
    """Gather under the window, or spread by it, value by value, where `place` says."""
    kernel, step = np.array(window.kernel), window.dilation
    shape = [size(window, side, axis)[0] for axis, side in enumerate(plane.shape)]
    result = np.zeros(shape)
    outer, inner = (plane, result) if window.transposed else (result, plane)
    for at in np.ndindex(outer.shape):
        corner, span = place(window, *at)
        assert span == tuple((side - 1) * step + 1 for side in kernel.shape)
        for row, column in np.ndindex(kernel.shape):
            y, x = corner[0] + row * step, corner[1] + column * step
            if 0 <= y < inner.shape[0] and 0 <= x < inner.shape[1]:
                if window.transposed:
                    result[y, x] += plane[at] * kernel[row, column]
                else:
                    result[at] += plane[y, x] * kernel[row, column]
    return result


def picture(height: int, width: int, colours: int = 3, seed: int = 0) -> Array:
    return np.random.default_rng(seed).random((colours, height, width), np.float32)


# float32 sums of at most 121 products of values up to about 3, against float64.
RELATIVE, ABSOLUTE = 1e-4, 1e-4


@settings(max_examples=60, derandomize=True, deadline=None)
@given(moves=windows(), height=some.integers(1, 20), width=some.integers(1, 20))
def test_every_window_does_what_torch_does_and_is_refused_where_torch_refuses(
    moves: dict[str, Any], height: int, width: int
) -> None:
    window, pixels = Window(**moves), picture(height, width)
    try:
        expected = by_torch(pixels, window)
    except RuntimeError:
        with pytest.raises(ValueError, match=r"\) .*1 = −?\d+ is less than 1$|−?\d+ is less than"):
            convolve(pixels, window)
        return
    made = convolve(pixels, window)
    np.testing.assert_allclose(made.values, expected, RELATIVE, ABSOLUTE)
    shades = np.einsum("c,chw->hw", np.array([0.299, 0.587, 0.114], np.float32), pixels)
    np.testing.assert_allclose(made.grey, by_torch(shades[None], window)[0], RELATIVE, ABSOLUTE)
    assert size(window, height)[0] == expected.shape[1]
    assert size(window, width, axis=1)[0] == expected.shape[2]


@settings(max_examples=40, derandomize=True, deadline=None)
@given(moves=windows(), height=some.integers(1, 9), width=some.integers(1, 9))
def test_every_window_does_what_loops_do_at_the_places_that_are_told(
    moves: dict[str, Any], height: int, width: int
) -> None:
    window, pixels = Window(**moves), picture(height, width, colours=1)
    try:
        made = convolve(pixels, window)
    except ValueError:
        return
    np.testing.assert_allclose(made.values[0], by_loops(pixels[0], window), RELATIVE, ABSOLUTE)
    np.testing.assert_array_equal(made.values[0], made.grey)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    stride=some.integers(1, 4),
    dilation=some.integers(1, 4),
    more=some.integers(0, 5),
    side=some.integers(1, 6),
)
def test_an_output_padding_is_refused_where_torch_refuses_it(
    stride: int, dilation: int, more: int, side: int
) -> None:
    def ours() -> None:
        Window(
            kernel=KERNELS["edge"],
            stride=stride,
            dilation=dilation,
            transposed=True,
            output_padding=more,
        )

    pixels = torch.ones(1, 1, side, side)
    try:
        F.conv_transpose2d(pixels, torch.ones(1, 1, 3, 3), None, stride, 0, more, 1, dilation)
    except RuntimeError:
        with pytest.raises(ValueError, match="output_padding must be below stride or dilation"):
            ours()
    else:
        ours()


def flipped(pixels: Array, window: Window) -> Array:
    kernel = tuple(row[::-1] for row in window.kernel[::-1])
    return by_torch(pixels, Window(kernel=kernel, padding=window.padding, stride=window.stride))


def unpadded(pixels: Array, window: Window) -> Array:
    return by_torch(pixels, Window(kernel=window.kernel, stride=window.stride))


def mixed_colours(pixels: Array, window: Window) -> Array:
    return by_torch(np.repeat(pixels.mean(0, keepdims=True), 3, 0), window)


@pytest.mark.parametrize("wrong", [flipped, unpadded, mixed_colours])
def test_that_oracles_reject_a_wrong_convolution(wrong: Callable[[Array, Window], Array]) -> None:
    window, pixels = Window(kernel=KERNELS["Sobel vertical"], padding=1), picture(8, 8)
    made = wrong(pixels, window)
    for expected in (by_torch(pixels, window), by_loops(pixels[0], window)[None]):
        few = made[: len(expected)]
        assert few.shape != expected.shape or not np.allclose(few, expected, RELATIVE, ABSOLUTE)


def test_a_convolution_by_hand() -> None:
    # 1·1 + 2·2 + … + 9·9 = 285
    assert convolve(BY_HAND, ONE).values.tolist() == [[[285]]]
    # At the corner lie 5, 6, 8, 9 of the kernel on 1, 2, 4, 5 of the picture: 5 + 12 + 32 + 45.
    corners = Window(kernel=ONE.kernel, padding=1, stride=2)
    assert convolve(BY_HAND, corners).values[0, 0, 0] == 94
    assert place(corners, 0, 0) == ((-1, -1), (3, 3))
    assert place(corners, 1, 0) == ((1, -1), (3, 3))


def test_a_transposed_convolution_by_hand() -> None:
    window = Window(kernel=((1, 2), (3, 4)), stride=2, transposed=True)
    made = convolve(np.array([[[1, 10]]], np.float32), window)
    assert made.values.tolist() == [[[1, 2, 10, 20], [3, 4, 30, 40]]]
    assert place(window, 0, 1) == ((0, 2), (2, 2))


def test_the_formula_of_a_size_has_its_numbers_in_it() -> None:
    window = Window(kernel=KERNELS["edge"], stride=2, padding=1)
    text = r"\left\lfloor\frac{28 + 2\cdot 1 - 1\cdot (3 - 1) - 1}{2}\right\rfloor + 1 = 14"
    assert size(window, 28) == (14, text)
    spread = Window(kernel=KERNELS["edge"], stride=2, transposed=True, output_padding=1)
    assert size(spread, 14) == (
        30,
        r"(14 - 1)\cdot 2 - 2\cdot 0 + 1\cdot (3 - 1) + 1 + 1 = 30",
    )
    made = convolve(picture(28, 14), window)
    assert (made.height, made.width) == (size(window, 28)[1], size(window, 14)[1])


IMPOSSIBLE: dict[str, tuple[Callable[[], object], str]] = {
    "too small": (
        lambda: size(Window(kernel=KERNELS["Gaussian blur 5×5"], dilation=2), 6),
        r"^⌊\(6 \+ 2·0 − 2·\(5 − 1\) − 1\) / 1⌋ \+ 1 = −2 is less than 1$",
    ),
    "cut off": (
        lambda: size(Window(kernel=KERNELS["edge"], padding=4, transposed=True), 3),
        r"^\(3 − 1\)·1 − 2·4 \+ 1·\(3 − 1\) \+ 0 \+ 1 = −3 is less than 1$",
    ),
    "side": (lambda: size(ONE, 0), "side must be from 1 to 4096, got 0"),
    "empty": (lambda: Window(kernel=()), "kernel must have sides from 1 to 11, got 0×"),
    "ragged": (lambda: Window(kernel=((1,), (1, 2))), "sides from 1 to 11, got 2×1/2"),
    "long": (lambda: Window(kernel=((0.0,) * 12,)), "sides from 1 to 11, got 1×12"),
    "nan": (lambda: Window(kernel=((math.nan,),)), "values from −1000 to 1000, got nan"),
    "large": (lambda: Window(kernel=((1001,),)), "values from −1000 to 1000, got 1001"),
    "stride": (lambda: Window(kernel=((1,),), stride=0), "stride must be a whole number from 1"),
    "padding": (lambda: Window(kernel=((1,),), padding=17), "padding .* from 0 to 16, got 17"),
    "dilation": (lambda: Window(kernel=((1,),), dilation=9), "dilation .* from 1 to 8, got 9"),
    "not transposed": (
        lambda: Window(kernel=((1,),), stride=2, output_padding=1),
        "output_padding must be 0 unless transposed, got 1",
    ),
    "colours": (lambda: convolve(picture(3, 3, 2), ONE), "must have 1 or 3 colours, got 2"),
    "infinite": (lambda: convolve(BY_HAND * np.inf, ONE), "pixels must be finite numbers"),
    "too much": (
        lambda: convolve(picture(300, 300), Window(kernel=((1,),), stride=8, transposed=True)),
        r"at most 4,000,000 values, got 4·2393·2393 = 22,905,796",
    ),
    "into": (lambda: compare(0, 1, 3, 28), "into must be from 1 to 4096, got 0"),
    "kernel": (lambda: compare(1, 1, 12, 28), "kernel must be from 1 to 11, got 12"),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_is_impossible_is_refused_in_a_sentence(name: str) -> None:
    call, sentence = IMPOSSIBLE[name]
    with pytest.raises(ValueError, match=sentence):
        call()


def test_equal_windows_are_the_same_numbers() -> None:
    one, other = Window(kernel=((0, 1),)), Window(kernel=((-0.0, 1.0),))
    assert repr(one) == repr(other)
    assert hash(one) == hash(other)


def test_each_named_kernel_does_what_its_name_says() -> None:
    flat, slope = np.full((1, 7, 7), 0.5, np.float32), picture(1, 1)[:1] * 0
    slope = np.broadcast_to(np.arange(7, dtype=np.float32), (1, 7, 7)).copy()
    rows = slope.transpose(0, 2, 1).copy()
    keeps = {"identity", "box blur", "Gaussian blur", "Gaussian blur 5×5", "sharpen", "emboss"}
    for name, kernel in KERNELS.items():
        expected = 0.5 if name in keeps else 0.0
        made = convolve(flat, Window(kernel=kernel)).values
        np.testing.assert_allclose(made, np.full_like(made, expected), atol=1e-6, err_msg=name)
    assert (convolve(slope, Window(kernel=KERNELS["edge"])).values == 0).all()
    for name, risen, level in (
        ("Sobel horizontal", slope, rows),
        ("Sobel vertical", rows, slope),
    ):
        window = Window(kernel=KERNELS[name])
        assert (convolve(risen, window).values == 8).all()  # (1 + 2 + 1) · 2 steps
        assert (convolve(level, window).values == 0).all()
    same = convolve(slope, Window(kernel=KERNELS["identity"], padding=1)).values
    np.testing.assert_array_equal(same, slope)
    # Blurs are their rows times their columns, which Pascal's triangle gives.
    for name, pascal in (("Gaussian blur", (1, 2, 1)), ("Gaussian blur 5×5", (1, 4, 6, 4, 1))):
        half = np.array(pascal) / sum(pascal)
        np.testing.assert_allclose(KERNELS[name], np.outer(half, half))


def test_mixing_maps_is_the_weighted_sum() -> None:
    source = np.random.default_rng(3)
    many, weights = source.random((6, 4, 5), np.float32), source.normal(size=6).astype(np.float32)
    expected = sum(float(share) * each for share, each in zip(weights, many, strict=True))
    np.testing.assert_allclose(mix(many, weights), expected, rtol=1e-5, atol=1e-6)
    wrong = sum(float(share) * each for share, each in zip(weights[::-1], many, strict=True))
    assert not np.allclose(mix(many, weights), wrong, rtol=1e-5, atol=1e-6)


def counted(layers: tuple[Layer, ...], shifts: int) -> tuple[int, int]:
    """Add up what the panel of training counts, without the shifts of its normalisation."""
    parameters = sum(layer.parameters for layer in layers[:-1]) - shifts
    return parameters, sum(layer.multiply_adds for layer in layers[:-1])


@pytest.mark.parametrize(("into", "out", "kernel"), [(3, 8, 3), (16, 5, 5), (4, 1, 1)])
def test_a_comparison_counts_what_torch_has_and_what_the_panel_of_training_counts(
    into: int, out: int, kernel: int
) -> None:
    told, edge = compare(into, out, kernel, 20), kernel // 2
    full = nn.Conv2d(into, out, kernel, bias=False)
    alone = nn.Conv2d(into, into, kernel, groups=into, bias=False)
    over = nn.Conv2d(into, out, 1, bias=False)
    assert told.full.parameters == full.weight.numel()
    assert told.depthwise.parameters == alone.weight.numel()
    assert told.pointwise.parameters == over.weight.numel()
    shape = (into, 20, 20)
    whole = arithmetic(f"conv{out}-k{kernel}-p{edge}-batch", shape)
    assert (told.full.parameters, told.full.multiply_adds) == counted(whole, 2 * out)
    parts = arithmetic(f"depthwise-k{kernel}-p{edge}-batch,conv{out}-k1-batch", shape)
    both = told.separable.parameters, told.separable.multiply_adds
    assert both == counted(parts, 2 * (into + out))
    for cost in (told.full, told.depthwise, told.pointwise, told.separable):
        for number, formula in (
            (cost.parameters, cost.parameters_formula),
            (cost.multiply_adds, cost.multiply_adds_formula),
        ):
            terms = [math.prod(map(int, term.split("·"))) for term in formula.split(" + ")]
            assert sum(terms) == number
    assert told.ratio == pytest.approx(both[0] / told.full.parameters)
    assert told.ratio == pytest.approx(both[1] / told.full.multiply_adds)


def test_a_comparison_is_written_as_sums() -> None:
    told = compare(16, 32, 3, 28)
    assert told.full.multiply_adds_formula == "28·28·3·3·16·32"
    assert told.separable.parameters_formula == "3·3·16 + 16·32"
    assert told.ratio_formula == "1/32 + 1/(3·3) = 0.142"


def placed(network: nn.Module, monkeypatch: pytest.MonkeyPatch) -> Source:
    """Put a network in the place of a built-in one."""
    model = Model(
        MNIST, network.requires_grad_(False).eval(), tuple("0123456789"), (1, 28, 28), "mnist"
    )
    monkeypatch.setattr(laboratory, "load", lambda _: model)
    return MNIST


def test_a_learned_kernel_makes_the_network_s_own_map() -> None:
    digit = picture(28, 28, 1)
    normalised = maps(MNIST, digit, "normalise")
    made = convolve(normalised, Window(kernel=learned(MNIST, "conv1.0", 5, 0), padding=1))
    expected = maps(MNIST, digit, "conv1.0")[5]  # without bias, as batch normalisation follows
    np.testing.assert_allclose(made.values[0], expected, rtol=1e-4, atol=1e-5)
    other = convolve(normalised, Window(kernel=learned(MNIST, "conv1.0", 4, 0), padding=1))
    assert not np.allclose(other.values[0], expected, rtol=1e-4, atol=1e-5)


def test_a_depthwise_kernel_and_one_that_lenet5_does_not_connect_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = loading.load(LITE).network.get_parameter("block1.depthwise.conv.weight")[7, 0]
    assert learned(LITE, "block1.depthwise.conv", 7, 0) == tuple(map(tuple, wanted.tolist()))
    net = build("lenet5", torch.Generator().manual_seed(1))
    source = placed(net, monkeypatch)
    assert set(sum(learned(source, "C3.0", 0, 5), ())) == {0.0}
    assert 0.0 not in sum(learned(source, "C3.0", 0, 1), ())


def box(sides: list[int]) -> Array:
    """Convolve lists of ones: what a chain of constant kernels does to a single value."""
    shape: Array = np.ones(1)
    for side in sides:
        shape = np.convolve(shape, np.ones(side))
    return shape


def constant(count: int, kernel: int) -> nn.Sequential:
    convolutions = [nn.Conv2d(1, 1, kernel, padding=kernel // 2, bias=False) for _ in range(count)]
    for each in convolutions:
        nn.init.ones_(each.weight)
    parts = OrderedDict[str, nn.Module]((f"c{n}", each) for n, each in enumerate(convolutions))
    return nn.Sequential(OrderedDict(parts, flatten=nn.Flatten()))


@pytest.mark.parametrize(("count", "kernel"), [(1, 3), (4, 3), (3, 5)])
def test_the_field_of_constant_kernels_is_the_repeated_convolution_of_boxes(
    count: int, kernel: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Luo et al. 2016, section 2.1: it tends to a Gaussian of the variance n (k² − 1) / 12."""
    source = placed(constant(count, kernel), monkeypatch)
    told = effective_field(source, f"c{count - 1}", 0, 2)
    half = count * (kernel // 2)
    assert told.unit == (14, 14)
    assert told.box == (14 - half, 14 - half, 15 + half, 15 + half)
    shape = box([kernel] * count)
    expected = np.zeros((28, 28))
    expected[told.box[0] : told.box[2], told.box[1] : told.box[3]] = np.outer(shape, shape)
    np.testing.assert_allclose(told.field, expected, rtol=1e-5)
    across = told.field.sum(0) / told.field.sum()
    variance = (across * (np.arange(28) - 14) ** 2).sum()
    assert variance == pytest.approx(count * (kernel**2 - 1) / 12, rel=1e-4)
    assert told.side**2 == (expected > 0.0455 * expected.max()).sum()
    assert told.side <= told.box[2] - told.box[0]
    assert (told.images, told.silent) == (2, 0)
    assert not np.allclose(told.field, np.roll(expected, 1, 0), rtol=1e-5)
    assert not np.allclose(expected, expected.clip(max=expected.max() / 2), rtol=1e-5)


def differences(network: nn.Module, unit: Callable[[Tensor], Tensor], images: Tensor) -> Array:
    """Move one pixel after the other, up and down, in float64, and look at the unit."""
    exact, step = copy.deepcopy(network).double(), 1e-5
    moves = torch.eye(28 * 28, dtype=torch.float64).view(-1, 1, 28, 28) * step
    total = np.zeros((28, 28))
    with torch.no_grad():
        for image in images.double():
            slope = (unit(exact(image + moves)) - unit(exact(image - moves))) / (2 * step)
            total += slope.abs().view(28, 28).numpy()
    return total / len(images)


def in_front(network: nn.Sequential, last: str) -> nn.Sequential:
    """Keep the layers up to one of them."""
    parts = list(network.named_children())
    end = [name for name, _ in parts].index(last) + 1
    return nn.Sequential(OrderedDict(parts[:end]))


TINY = "conv3-k5-s2-p1-tanh,conv4-d2-batch-gelu,fc6-tanh"


@pytest.mark.parametrize(
    ("layer", "front", "unit"),
    [
        ("conv1.0", None, lambda maps: maps[:, 2, 6, 6]),
        ("conv2.2", "conv2", lambda maps: maps[:, 2, 4, 4]),
        ("fc3.2", "fc3", lambda units: units[:, 2]),
    ],
)
def test_the_effective_field_is_that_of_finite_differences(
    layer: str,
    front: str | None,
    unit: Callable[[Tensor], Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = build(TINY, torch.Generator().manual_seed(8)).eval()
    source = placed(net, monkeypatch)
    images = data.dataset("mnist", CPU).test.images[:3]
    told = effective_field(source, layer, 2, pixels=images.numpy())
    shorter = in_front(net, front or "conv1")
    if front is None:
        shorter = nn.Sequential(net.get_submodule("normalise"), net.get_submodule(layer))
    expected = differences(shorter, unit, images)
    np.testing.assert_allclose(told.field, expected, rtol=1e-3, atol=1e-6)
    # Nor is it that of another channel, of a neighbour, or of the sum before the absolute value.
    other = effective_field(source, layer, 1, pixels=images.numpy())
    assert not np.allclose(other.field, expected, rtol=1e-3, atol=1e-6)
    top, left, bottom, right = told.box
    outside = told.field.copy()
    outside[top:bottom, left:right] = 0
    assert (outside == 0).all()


def test_test_images_are_taken_evenly_and_more_than_one_batch_gives_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = data.dataset("mnist", CPU).test.images
    chosen = known[torch.arange(8) * len(known) // 8].numpy()
    told = effective_field(MNIST, "conv5.0", 3, 8)
    given_by_hand = effective_field(MNIST, "conv5.0", 3, pixels=chosen)
    np.testing.assert_array_equal(told.field, given_by_hand.field)
    monkeypatch.setattr(laboratory, "PIXELS", 2000)
    apart = effective_field(MNIST, "conv5.0", 3, 8)
    np.testing.assert_allclose(apart.field, told.field, rtol=1e-4, atol=1e-7)
    first = effective_field(MNIST, "conv5.0", 3, pixels=known[:8].numpy())
    assert not np.allclose(first.field, told.field, rtol=1e-4, atol=1e-7)


def test_a_unit_that_no_pixel_moves_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    net = build("conv2-relu", torch.Generator().manual_seed(1))
    net.get_parameter("conv1.0.bias").data[:] = torch.tensor([-100.0, 100.0])
    source = placed(net, monkeypatch)
    silent, loud = (effective_field(source, "conv1.1", k, 5) for k in (0, 1))
    assert (silent.silent, silent.side, silent.field.max()) == (5, 0, 0)
    assert loud.silent == 0


def test_photographs_stand_in_where_the_data_are_not_here() -> None:
    told = effective_field(LITE, "block2.project.conv", 3, 2)
    shown = [fit(photograph(name).pixels, (3, 224, 224), "") for name in ("chelsea", "coffee")]
    expected = effective_field(LITE, "block2.project.conv", 3, pixels=np.stack(shown))
    np.testing.assert_allclose(told.field, expected.field, rtol=1e-4, atol=1e-9)
    assert told.images == 2
    top, left, bottom, right = told.box
    assert 1 < told.side < bottom - top
    assert (told.field > 0).sum() <= (bottom - top) * (right - left)


Call = Callable[[], object]
GOOD: dict[str, Call] = {
    "effective": lambda: effective_field(MNIST, "conv5.0", 3, 4),
    "effective logit": lambda: effective_field(MNIST, "output.1", 3, 4),
    "learned": lambda: learned(MNIST, "conv2.0", 3, 4),
    "convolve": lambda: convolve(picture(9, 9), ONE),
    "mix": lambda: mix(picture(9, 9), np.ones(3, np.float32)),
}
BAD: dict[str, tuple[Call, str]] = {
    "layer": (lambda: effective_field(MNIST, "conv99", 0), "layer must be one of the network's"),
    "channel": (
        lambda: effective_field(MNIST, "conv1.0", 16),
        "channel must be from 0 to 15 in conv1.0, got 16",
    ),
    "images": (lambda: effective_field(MNIST, "conv1.0", 0, 0), "images must be from 1 to 1000"),
    "pixels": (
        lambda: effective_field(MNIST, "conv1.0", 0, pixels=picture(28, 28)[None]),
        r"pixels must be of shape \(1, 28, 28\)",
    ),
    "none": (
        lambda: effective_field(MNIST, "conv1.0", 0, pixels=np.zeros((0, 1, 28, 28), np.float32)),
        "pixels must be of 1 to 1000 pictures, got 0",
    ),
    "no kernel": (lambda: learned(MNIST, "max3.0", 0, 0), "layer must be a convolution"),
    "out": (lambda: learned(MNIST, "conv1.0", 16, 0), "out must be from 0 to 15 in conv1.0"),
    "into": (lambda: learned(MNIST, "conv1.0", 0, 1), "into must be from 0 to 0 in conv1.0"),
}


@pytest.mark.parametrize("name", [*GOOD, *BAD])
def test_after_every_call_the_network_is_what_it_was(name: str) -> None:
    leaves_untouched(loading.load(MNIST).network, (GOOD | BAD)[name])


def test_every_layer_has_an_effective_field_within_its_receptive_field() -> None:
    for layer in look(MNIST, picture(28, 28, 1)).layers[:-1]:  # the last is the softmax
        told = effective_field(MNIST, layer.name, 0, 2)
        top, left, bottom, right = told.box
        assert isinstance(told, EffectiveField)
        assert told.field.sum() == pytest.approx(told.field[top:bottom, left:right].sum())


def test_calls_are_named_as_the_engine_finds_them() -> None:
    for target in (CONVOLVE, EFFECTIVE_FIELD, LEARNED, MIX):
        module, _, function = target.partition(":")
        assert module == laboratory.__name__
        assert function in laboratory.__all__
