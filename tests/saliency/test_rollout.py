"""Attention rollout against loops, and against the weights that torch's attention gives itself."""

import math
from collections import OrderedDict
from collections.abc import Callable, Generator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.saliency.questions import Answer, Code, Question
from core.saliency.rollout import attention
from core.shared.efficientnet import Standardise
from core.shared.vision_library import torchvision
from tests.adversarial.promises import curved
from tests.saliency.asking import answered, asked, drawn, image_of
from tests.shared.untouched import leaves_untouched

PATCH, PATCHES = 5, 3  # the patch's side is odd: one pixel is its very middle
TOKENS, WIDTH, HEADS, BLOCKS = 10, 8, 2, 3
MIDDLES = slice(PATCH // 2, None, PATCH)
Weights = list[np.ndarray]  # of each block: head, from, to


def transformer() -> nn.Sequential:
    """A small one of torchvision's, as `zoo.build` makes them."""
    with torch.random.fork_rng(devices=[]):
        body = torchvision.models.VisionTransformer(
            image_size=PATCH * PATCHES,
            patch_size=PATCH,
            num_layers=BLOCKS,
            num_heads=HEADS,
            hidden_dim=WIDTH,
            mlp_dim=12,
            num_classes=4,
        )
    shift = Standardise((0.5,) * 3, (0.25,) * 3)
    drawn(body, 5)
    return nn.Sequential(OrderedDict(normalise=shift, body=body)).eval()


network, image = transformer(), image_of(3, PATCH * PATCHES)


def blocks_inputs() -> list[tuple[nn.MultiheadAttention, Tensor]]:
    """Compute what each block's attention is given, by the formulas of the transformer."""
    body: nn.Module = network.get_submodule("body")
    found = []
    with torch.no_grad():
        patches = body.get_submodule("conv_proj")(network[0](image)).flatten(2).mT
        tokens = torch.cat([body.get_parameter("class_token"), patches], 1)
        tokens = tokens + body.get_parameter("encoder.pos_embedding")
        for block in body.get_submodule("encoder.layers").children():
            part = block.get_submodule("self_attention")
            assert isinstance(part, nn.MultiheadAttention)
            taken = block.get_submodule("ln_1")(tokens)
            found.append((part, taken))
            tokens = tokens + part(taken, taken, taken, need_weights=True)[0]
            tokens = tokens + block.get_submodule("mlp")(block.get_submodule("ln_2")(tokens))
    return found


def by_loops() -> Weights:
    """Compute softmax(q·k/√d) one number at a time."""
    every = []
    for part, taken in blocks_inputs():
        weight, bias = part.in_proj_weight.double().numpy(), part.in_proj_bias.double().numpy()
        made = taken[0].double().numpy() @ weight.T + bias
        size = WIDTH // HEADS
        heads = np.zeros((HEADS, TOKENS, TOKENS))
        for head in range(HEADS):
            for a in range(TOKENS):
                for b in range(TOKENS):
                    query = made[a, head * size : (head + 1) * size]
                    key = made[b, WIDTH + head * size : WIDTH + (head + 1) * size]
                    heads[head, a, b] = math.exp(query @ key / math.sqrt(size))
                heads[head, a] /= heads[head, a].sum()
        every.append(heads)
    return every


def by_torch() -> Weights:
    with torch.no_grad():
        return [
            part(taken, taken, taken, need_weights=True, average_attn_weights=False)[1][0].numpy()
            for part, taken in blocks_inputs()
        ]


def flow(every: Weights, goes_past: float = 0.5, back: bool = False) -> np.ndarray:
    """Add up the shares of all paths through the blocks, along each of which they multiply."""
    into = np.zeros(TOKENS)
    into[0] = 1  # at the end, the class token alone counts
    for heads in every if back else every[::-1]:
        before = np.zeros(TOKENS)
        for a in range(TOKENS):
            for b in range(TOKENS):
                before[b] += into[a] * (1 - goes_past) * heads[:, a, b].mean()
            before[a] += into[a] * goes_past
        into = before
    return into[1:].reshape(PATCHES, PATCHES)


def middles(answer: Answer) -> np.ndarray:
    """Take the very middle pixel of each patch, where nothing is between."""
    values = answer.values.numpy()
    assert values.shape == (1, PATCH * PATCHES, PATCH * PATCHES)
    assert answer.grid == (PATCHES, PATCHES)
    return values[0, MIDDLES, MIDDLES]


def agrees(found: np.ndarray, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("weights", [by_loops, by_torch])
def test_what_flows_into_the_class_token_is_found_path_by_path(
    weights: Callable[[], Weights],
) -> None:
    wanted = flow(weights())
    assert wanted.max() > 1.2 * wanted.min()
    agrees(middles(answered(asked(network, image, "rollout"))), wanted)


@pytest.mark.parametrize(
    "wrong",
    [
        flow(by_torch(), goes_past=0),
        flow(by_torch(), back=True),
        flow(by_torch()[-1:]),
        flow(by_torch()[:1]),
        flow([heads.max(0, keepdims=True) for heads in by_torch()]),
        flow([heads[:1] for heads in by_torch()]),
        flow([heads.transpose(0, 2, 1) for heads in by_torch()]),
        flow(by_torch()).T,
    ],
    ids=["nothing past", "backwards", "last", "first", "largest", "one head", "to", "turned"],
)
def test_that_oracle_rejects_a_wrong_engine(wrong: np.ndarray) -> None:
    with pytest.raises(AssertionError, match="Not equal"):
        agrees(wrong, flow(by_loops()))


@pytest.mark.parametrize("bias", [True, False])
def test_attention_is_torchs(bias: bool) -> None:
    with torch.random.fork_rng(devices=[]):
        part = nn.MultiheadAttention(12, 3, bias=bias, batch_first=True)
    drawn(part)
    tokens = image_of(1, 7)[0, :, :, :1] * image_of(1, 12, seed=2)[0, :, :1]
    found = attention(part, tokens)
    wanted = part(tokens, tokens, tokens, need_weights=True)[1][0]
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(found.sum(1), torch.ones(7))
    assert not torch.allclose(found, wanted.T, atol=1e-3)


def test_between_the_middles_of_patches_values_go_straight() -> None:
    values = answered(asked(network, image, "rollout")).values[0]
    line = values[PATCH // 2]
    first, second = line[PATCH // 2], line[PATCH // 2 + PATCH]
    for away in range(PATCH + 1):
        wanted = first + (second - first) * away / PATCH
        torch.testing.assert_close(line[PATCH // 2 + away], wanted)
    torch.testing.assert_close(line[0], first)  # the border is as the nearest middle


def test_it_is_the_same_for_every_class_and_reads_one_picture() -> None:
    one, other = (asked(network, image, "rollout", target=target) for target in (0, 3))
    assert torch.equal(answered(one).values, answered(other).values)
    assert (one.passes, one.gradients) == (1, 0)


class Rows(nn.Module):
    """Attention among the rows of a picture, of which none is a class token."""

    def __init__(self, batch_first: bool = True) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            self.attention = nn.MultiheadAttention(6, 2, batch_first=batch_first)
        drawn(self)

    def forward(self, pixels: Tensor) -> Tensor:
        rows = pixels[:, 0]
        given: Tensor = self.attention(rows, rows, rows)[0]
        return given.mean(1)


REFUSED = {
    "no attention": (curved(3), "this network has no attention among patches"),
    "no square": (Rows(), "this network has 6 tokens, which are not one and a square"),
    "batch last": (Rows(batch_first=False), "this network has no attention among patches"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_networks_are_refused(case: str) -> None:
    other, why = REFUSED[case]
    refused = asked(other, image_of(), "rollout")
    sentence = f"method must be another one than rollout: {why}"
    leaves_untouched(other, (lambda: answered(refused), sentence))


def test_the_network_stays_as_it_is() -> None:
    leaves_untouched(network, lambda: answered(asked(network, image, "rollout")))


@pytest.mark.parametrize("method", ["gradient", "integrated", "smoothgrad"])
def test_the_gradients_explain_a_transformer_too(method: str) -> None:
    question = asked(network, image, method, samples=3, steps=200)
    answer = answered(question)
    assert float(answer.values.abs().max()) > 1e-4
    if method == "integrated":
        score = float(network(image)[0, 0])
        assert score - answer.baseline == pytest.approx(float(answer.values.sum()), abs=1e-3)


def without_weights(question: Question) -> Generator[None, None, Answer]:
    """What a map would be if each token heeded each alike."""
    yield
    return Answer(values=torch.full((1, 15, 15), 1 / 9), grid=(PATCHES, PATCHES))


def test_that_the_loops_reject_a_map_that_says_nothing() -> None:
    code: Code = without_weights
    with pytest.raises(AssertionError, match="Not equal"):
        agrees(middles(answered(asked(network, image, "rollout"), code)), flow(by_loops()))
