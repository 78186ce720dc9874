"""LeNet-5 is the paper's, number by number."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.shared import lenet, networks

# LeCun et al. 1998, section II.B, and Table I, typed from the paper: a column for each map of C3.
PAPER = {"C1": 156, "S2": 12, "C3": 1516, "S4": 32, "C5": 48120, "F6": 10164, "output": 850}
SHAPES = {
    "C1": (6, 28, 28),
    "S2": (6, 14, 14),
    "C3": (16, 10, 10),
    "S4": (16, 5, 5),
    "C5": (120,),
    "F6": (84,),
    "output": (10,),
}
TABLE_I = (
    "X...XXX..XXXX.XX",
    "XX...XXX..XXXX.X",
    "XXX...XXX..X.XXX",
    ".XXX..XXXX..X.XX",
    "..XXX..XXXX.XX.X",
    "...XXX..XXXX.XXX",
)


def network(seed: int = 0) -> lenet.LeNet5:
    return networks.lenet5(torch.Generator().manual_seed(seed))


def pictures(count: int = 3) -> Tensor:
    return torch.rand(count, 1, 28, 28, generator=torch.Generator().manual_seed(1))


def plain(weights: dict[str, Tensor], pixels: Tensor) -> Tensor:
    """LeNet-5 written out, the connections of C3 as a loop over single maps."""

    def squash(a: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(2 * a / 3)

    x = (F.pad(pixels, (2, 2, 2, 2)) - 0.1) / 0.28
    x = squash(F.conv2d(x, weights["C1.0.weight"], weights["C1.0.bias"]))
    x = squash(F.avg_pool2d(x, 2) * weights["S2.0.coefficient"] + weights["S2.0.bias"])
    columns = []
    for out in range(16):
        total = weights["C3.0.bias"][out].expand(len(x), 10, 10)
        for into in range(6):
            if TABLE_I[into][out] == "X":
                kernel = weights["C3.0.weight"][out, into][None, None]
                total = total + F.conv2d(x[:, into : into + 1], kernel)[:, 0]
        columns.append(total)
    x = squash(torch.stack(columns, 1))
    x = squash(F.avg_pool2d(x, 2) * weights["S4.0.coefficient"] + weights["S4.0.bias"])
    x = squash(F.linear(x.flatten(1), weights["C5.1.weight"], weights["C5.1.bias"]))
    x = squash(F.linear(x, weights["F6.0.weight"], weights["F6.0.bias"]))
    return F.linear(x, weights["output.weight"], weights["output.bias"])


def test_the_network_is_the_one_written_out() -> None:
    made = network()
    with torch.no_grad():
        for name, value in made.named_parameters():  # also where the start is 0 or 1
            value.add_(0.1 * torch.randn(value.shape, generator=torch.Generator().manual_seed(2)))
            assert value.isfinite().all(), name
        expected = plain(dict(made.state_dict()), pictures())
        torch.testing.assert_close(made(pictures()), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("channels", "classes"), [(1, 10), (3, 7)])
def test_computing_all_layers_at_once_gives_the_same_logits_and_gradients(
    channels: int, classes: int
) -> None:
    source = torch.Generator().manual_seed(0)
    made = networks.lenet5(source, channels=channels, classes=classes, mean=0.3, deviation=0.4)
    made.double()
    images = torch.rand(3, channels, 28, 28, generator=source).double().requires_grad_()
    with torch.no_grad():
        for value in made.parameters():
            value.add_(0.1 * torch.randn(value.shape, generator=torch.Generator().manual_seed(2)))
    given = []
    for way in (made, made.at_once):
        logits = way(images)
        assert logits.shape == (3, classes)
        loss = F.cross_entropy(logits, torch.tensor([3, 1, 4]))
        given.append([logits, *torch.autograd.grad(loss, [images, *made.parameters()])])
    for expected, ours in zip(*given, strict=True):  # rounding differs, nothing else
        torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_at_once_any_number_of_pictures_is_read_as_one_layer_after_the_other_reads_them(
    count: int,
) -> None:
    made, few = network(), pictures(count)
    with torch.no_grad():
        logits = made.at_once(few.contiguous(memory_format=torch.channels_last))
        torch.testing.assert_close(logits, made(few), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(made.at_once(few), made(few), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sides", [(4, 6), (2, 10)])
def test_halving_maps_that_are_given_by_sigmoids_is_halving_the_squashed_ones(
    sides: tuple[int, int],
) -> None:
    source = torch.Generator().manual_seed(3)
    layer = lenet.Subsample(3).double()
    with torch.no_grad():
        for value in layer.parameters():
            value.normal_(generator=source)
        sums = torch.randn((2, 3, *sides), generator=source).double()
        given = layer.from_sigmoids((2 * lenet.S * sums).sigmoid())
        squash = lenet.Squash()
        torch.testing.assert_close(lenet.A * (2 * given - 1), squash(layer(squash(sums))))
        swapped = (2 * lenet.S * sums.roll(1, 3)).sigmoid()  # columns that do not belong together
        assert not torch.allclose(layer.from_sigmoids(swapped), given, atol=1e-3)


def test_that_oracle_rejects_a_network_with_one_connection_more() -> None:
    made = network()
    table = made.get_buffer("C3.0.table")
    table[0, 3] = 1
    with torch.no_grad():
        expected = plain(dict(made.state_dict()), pictures())
        assert not torch.allclose(made(pictures()), expected, rtol=1e-4, atol=1e-5)


def test_as_many_parameters_are_trained_as_the_paper_has() -> None:
    made = network()
    F.cross_entropy(made(pictures(10)), torch.arange(10)).backward()
    trained: dict[str, int] = {}
    for name, value in made.named_parameters():
        assert value.grad is not None
        layer = name.split(".")[0]
        trained[layer] = trained.get(layer, 0) + int((value.grad != 0).sum())
    assert trained == PAPER


def test_a_weight_that_table_one_does_not_connect_is_never_used() -> None:
    made = network()
    F.cross_entropy(made(pictures(10)), torch.arange(10)).backward()
    gradient = made.get_parameter("C3.0.weight").grad
    assert gradient is not None
    for out in range(16):
        for into in range(6):
            connected = TABLE_I[into][out] == "X"
            assert bool((gradient[out, into] != 0).any()) == connected, (out, into)


def test_squash_maps_one_to_one_and_saturates_beyond() -> None:
    given = lenet.Squash()(torch.tensor([-100.0, -1.0, 0.0, 1.0, 100.0]))
    # A and S are rounded in the paper, to four and two thirds: f(1) = 1.00001.
    torch.testing.assert_close(
        given, torch.tensor([-1.7159, -1.0, 0.0, 1.0, 1.7159]), rtol=0, atol=2e-5
    )


def test_outputs_end_in_what_the_network_itself_gives() -> None:
    made = network()
    with torch.no_grad():
        given = networks.outputs(made, pictures())
        assert torch.equal(given["output"], made(pictures()))
    assert {name: tuple(value.shape[1:]) for name, value in given.items()} == {
        "normalise": (1, 32, 32),
        **SHAPES,
    }


def test_the_start_has_variance_one_over_fan_in_and_depends_on_the_seed_alone() -> None:
    made = network(3)
    assert all(
        torch.equal(value, network(3).state_dict()[name])
        for name, value in made.state_dict().items()
    )
    assert not torch.equal(
        made.get_parameter("C1.0.weight"), network(4).state_dict()["C1.0.weight"]
    )
    weight = made.get_parameter("C5.1.weight").detach()
    # 48,000 draws: the variance of their variance is below 1 % of it.
    assert float(weight.var()) == pytest.approx(1 / 400, rel=0.03)
    assert float(weight.abs().max()) <= math.sqrt(3 / 400)


def test_normalised_paper_and_ink_are_where_the_first_layer_puts_them() -> None:
    layer = lenet.Normalise(padding=2, mean=0.1, deviation=0.28)
    given = layer(torch.ones(1, 1, 28, 28))
    assert given[0, 0, 0, 0].item() == pytest.approx(-0.1 / 0.28)
    assert given[0, 0, 2, 2].item() == pytest.approx(0.9 / 0.28)
