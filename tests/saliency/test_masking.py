"""What hiding a part does is found out by captum, by loops, and in closed form if it is linear."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import Occlusion
from torch import Tensor, nn

from core.saliency import masking
from core.saliency.masking import occlusion
from core.saliency.questions import absent
from core.saliency.sources import ABSENT, DRAWN, source_of
from tests.saliency.asking import asked, attribution, convolutional, few_at_a_time, image_of, plane
from tests.shared.untouched import leaves_untouched, untouched

# Pictures of 1×9×7: the box, its steps, and the rows and columns in which it stands.
BOXES = (
    (3, 2, (4, 3)),
    (3, 3, (3, 3)),  # the last one of each row is cut off
    (4, 3, (3, 2)),
    (1, 1, (9, 7)),
    (7, 5, (2, 1)),
)


def captums(network: nn.Module, image: Tensor, size: int, stride: int, empty: Tensor) -> Tensor:
    channels = image.shape[1]
    wanted: Tensor = Occlusion(network).attribute(
        image,
        sliding_window_shapes=(channels, size, size),
        strides=(channels, stride, stride),
        baselines=empty,
        target=1,
        perturbations_per_eval=4,
    )
    return wanted[0, :1]


def boxes_by_hand(weights: Tensor, image: Tensor, size: int, stride: int, empty: Tensor) -> Tensor:
    """A linear score falls by the sum of w (x − b) over the box, wherever else it stands."""
    falls = (weights * (image - empty))[0].sum(0)
    height, width = falls.shape
    total, count = torch.zeros(height, width), torch.zeros(height, width)
    for top in range(0, height - size + stride, stride):
        for left in range(0, width - size + stride, stride):
            box = slice(top, top + size), slice(left, left + size)
            total[box] += falls[box].sum()
            count[box] += 1
    return (total / count)[None]


@pytest.mark.parametrize("baseline", ["grey", "own"])
@pytest.mark.parametrize(("size", "stride", "grid"), BOXES)
def test_occlusion_is_captums(size: int, stride: int, grid: tuple[int, int], baseline: str) -> None:
    net, image = plane(3, (2, 9, 7)), image_of(2, 9, 7)
    curved = nn.Sequential(net, nn.Tanh()).eval()
    given = attribution(
        curved, image, "occlusion", target=1, size=size, stride=stride, baseline=baseline
    )
    empty = absent(image, baseline, torch.Generator())
    wanted = captums(curved, image, size, stride, empty)
    torch.testing.assert_close(torch.from_numpy(given.values), wanted, rtol=1e-4, atol=1e-5)
    assert given.grid == grid
    assert (given.passes, given.gradients) == (1 + grid[0] * grid[1], 0)
    for other in ((size + 1, stride), (size, 1 if stride > 1 else 2)):
        if 1 <= other[1] <= other[0] <= 7:
            wrong = captums(curved, image, *other, empty)
            assert not torch.allclose(torch.from_numpy(given.values), wrong, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("size", "stride", "grid"), BOXES)
def test_boxes_on_a_linear_network_are_sums(size: int, stride: int, grid: tuple[int, int]) -> None:
    net, image = plane(3, (2, 9, 7)), image_of(2, 9, 7)
    weights = (net.get_parameter("1.weight")[0] - net.get_parameter("1.weight")[2]).view(1, 2, 9, 7)
    given = attribution(net, image, "occlusion", against=2, size=size, stride=stride)
    wanted = boxes_by_hand(weights, image, size, stride, torch.full_like(image, 0.5))
    torch.testing.assert_close(torch.from_numpy(given.values), wanted, rtol=1e-4, atol=1e-5)


def uncut(side: int, size: int, stride: int) -> Tensor:
    begins = stride * torch.arange((side - size) // stride + 1)[:, None]
    pixels = torch.arange(side)
    return (begins <= pixels) & ((pixels < begins + size) | (begins == begins.max()))


def one_less(side: int, size: int, stride: int) -> Tensor:
    begins = stride * torch.arange(-(-(side - size) // stride) + 1)[:, None]
    pixels = torch.arange(side)
    return (begins <= pixels) & (pixels < begins + max(stride, size - 1))


@pytest.mark.parametrize("spans", [uncut, one_less])
def test_that_the_sums_reject_other_boxes(
    monkeypatch: pytest.MonkeyPatch, spans: Callable[[int, int, int], Tensor]
) -> None:
    """A last box that grows to the border, and boxes that are a pixel too small."""
    monkeypatch.setattr(masking, "_spans", spans)
    net, image = plane(3, (2, 9, 7)), image_of(2, 9, 7)
    weights = net.get_parameter("1.weight")[0].view(1, 2, 9, 7)
    given = attribution(net, image, "occlusion", size=5, stride=3)
    wanted = boxes_by_hand(weights, image, 5, 3, torch.full_like(image, 0.5))
    assert not torch.allclose(torch.from_numpy(given.values), wanted, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("side", "size", "stride", "grid"),
    [(28, 7, 1, 22), (56, 14, 2, 22), (8, 2, 1, 7), (3, 1, 1, 3)],
)
def test_the_usual_box_is_a_quarter_of_the_picture(
    side: int, size: int, stride: int, grid: int
) -> None:
    net, image = plane(3, (1, side, side)), image_of(1, side, side)
    usual = attribution(net, image, "occlusion")
    wanted = attribution(net, image, "occlusion", size=size, stride=stride, baseline="grey")
    assert (usual.values == wanted.values).all()
    assert usual.grid == (grid, grid)


def test_a_small_box_does_not_step_over_pixels_by_itself() -> None:
    net, image = plane(3, (1, 56, 56)), image_of(1, 56, 56)
    assert attribution(net, image, "occlusion", size=1, stride=0).grid == (56, 56)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"size": 9}, "size must be at most the picture's side, 8, got 9"),
        ({"size": 3, "stride": 4}, "stride must be at most the size of the box, 3, .* got 4"),
        ({"stride": 3}, "stride must be at most the size of the box, 2, .* got 3"),
    ],
)
def test_boxes_that_do_not_fit_are_refused(query: dict[str, int], sentence: str) -> None:
    net, image = plane(3, (1, 8, 8)), image_of(side=8)
    leaves_untouched(net, (lambda: attribution(net, image, "occlusion", **query), sentence))


def masks_of(count: int, cells: int, height: int, width: int, seed: int) -> Tensor:
    """Draw as the engine does; enlarge each mask as a picture, and cut it out."""
    source = source_of(seed, DRAWN)
    grids = (torch.rand(count, cells + 1, cells + 1, generator=source) < 0.5).float()
    cell = -(-height // cells), -(-width // cells)
    tops = torch.randint(cell[0], (count, 1), generator=source)
    lefts = torch.randint(cell[1], (count, 1), generator=source)
    masks = []
    for grid, top, left in zip(grids, tops, lefts, strict=True):
        size = (cells + 1) * cell[0], (cells + 1) * cell[1]
        whole = F.interpolate(grid[None, None], size, mode="bilinear", align_corners=False)
        masks.append(whole[0, 0, top : top + height, left : left + width])
    return torch.stack(masks)


def votes(network: nn.Module, image: Tensor, masks: Tensor, empty: Tensor) -> Tensor:
    """One mask after another: each score, times the mask, over ½."""
    return torch.stack(
        [network(mask * image + (1 - mask) * empty)[0, 0] * mask / 0.5 for mask in masks]
    )


@pytest.mark.parametrize(("cells", "baseline"), [(3, "black"), (2, "grey"), (8, "noise")])
def test_rise_is_the_mean_of_a_loop_over_its_masks(cells: int, baseline: str) -> None:
    net, image = convolutional(2), image_of(2, 8)
    given = attribution(net, image, "rise", masks=40, cells=cells, baseline=baseline, seed=5)
    empty = absent(image, baseline, source_of(5, ABSENT))
    right = votes(net, image, masks_of(40, cells, 8, 8, 5), empty).mean(0)[None]
    torch.testing.assert_close(torch.from_numpy(given.values), right, rtol=1e-4, atol=1e-5)
    assert (given.passes, given.gradients, given.grid) == (40, 0, (cells, cells))
    for wrong in (
        votes(net, image, masks_of(40, cells, 8, 8, 6), empty),
        votes(net, image, masks_of(40, cells, 8, 8, 5), empty + 0.3),
        votes(net, image, 1 - masks_of(40, cells, 8, 8, 5), empty),
    ):
        assert not torch.allclose(torch.from_numpy(given.values), wrong.mean(0)[None], atol=1e-3)


def expected(weights: Tensor, bias: float, cells: int) -> Tensor:
    """The mean over all masks, of a linear score, in closed form.

    Cells are independent, so E[M(λ) M(μ)] = ¼ + ¼ K(λ, μ), where K sums, over the cells, the
    shares that each has in both pixels; along a row these are the two of linear interpolation.
    """
    height, width = weights.shape
    kernels = []
    for side in (height, width):
        cell = -(-side // cells)
        total = np.zeros((side, side))
        for shift in range(cell):
            shares = np.zeros((side, cells + 1))
            for pixel in range(side):
                at = min(max((pixel + shift + 0.5) / cell - 0.5, 0), cells)
                first = min(int(at), cells - 1)
                shares[pixel, first] += 1 - (at - first)
                shares[pixel, first + 1] += at - first
            total += shares @ shares.T
        kernels.append(total / cell)
    together = np.einsum("ab,cd->acbd", *kernels)
    w = weights.double().numpy()
    mean = bias + w.sum() / 2 + np.einsum("acbd,bd->ac", together, w) / 2
    return torch.from_numpy(mean)


@pytest.mark.parametrize("cells", [2, 3])
def test_rise_comes_near_its_expectation_on_a_linear_network(cells: int) -> None:
    """Within five standard errors: of 64 pixels one in 30,000 runs would be further off.

    The standard errors are those of the votes of other masks.
    """
    net, image = plane(3, (1, 8, 8)), image_of(side=8)
    weights = net.get_parameter("1.weight")[0].view(8, 8) * image[0, 0]
    wanted = expected(weights, float(net.get_parameter("1.bias")[0]), cells)
    given = attribution(net, image, "rise", masks=4000, cells=cells)
    sample = votes(net, image, masks_of(400, cells, 8, 8, 9), torch.zeros_like(image))
    error = sample.std(0) / 4000**0.5
    off = (torch.from_numpy(given.values)[0] - wanted).abs() / error
    assert float(off.max()) < 5
    assert float(((1 - 0.5 / 0.6) * wanted.abs() / error).max()) > 5  # were p not the share
    other = expected(weights, float(net.get_parameter("1.bias")[0]), 5 - cells)
    assert float(((other - wanted).abs() / error).max()) > 5  # were the cells others


@pytest.mark.parametrize(
    ("method", "query"), [("occlusion", {"size": 3, "stride": 2}), ("rise", {"masks": 30})]
)
def test_batches_of_any_size_give_the_same(
    method: str, query: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    net, image = convolutional(), image_of(side=8)
    whole = attribution(net, image, method, **query)
    few_at_a_time(monkeypatch, 4, image)
    some = attribution(net, image, method, **query)
    np.testing.assert_allclose(some.values, whole.values, rtol=1e-4, atol=1e-6)
    assert some.passes == whole.passes


def test_others_have_their_turn_between_two_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    net, image = convolutional(), image_of(side=8)
    few_at_a_time(monkeypatch, 4, image)
    question = asked(net, image, "occlusion", size=4, stride=2)
    read = []
    for _ in occlusion(question):
        assert torch.is_grad_enabled()
        read.append(question.passes)
    assert read == [1 + 4, 1 + 8, 1 + 9]


@pytest.mark.parametrize("method", ["occlusion", "rise"])
def test_a_difference_of_logits_is_the_difference_of_the_maps(method: str) -> None:
    net, image = convolutional(), image_of(side=8)
    both = attribution(net, image, method, against=1).values
    one, other = (attribution(net, image, method, target=each).values for each in (0, 1))
    np.testing.assert_allclose(both, one - other, rtol=1e-4, atol=1e-5)
    assert not np.allclose(both, one, atol=1e-3)


@pytest.mark.parametrize("method", ["occlusion", "rise"])
def test_a_network_is_as_it_was_before_and_the_seed_decides(method: str) -> None:
    net, image = convolutional(), image_of(side=8)
    with untouched(net):
        once, again, other = (
            attribution(net, image, method, baseline="noise", seed=seed).values
            for seed in (3, 3, 4)
        )
    assert (once == again).all()
    assert (once != other).any()
