"""Attention rollout: how much of each patch flows into the class token, through all blocks."""

import math
from collections.abc import Generator
from functools import reduce

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from core.saliency.questions import Answer, Question
from core.shared import devices
from core.shared.tracing import trace

__all__ = ["attention", "rollout"]


def rollout(question: Question) -> Generator[None, None, Answer]:
    """Multiply the attention of all blocks, half of each being what goes past it.

    Raises: ValueError when the network has no attention among a class token and patches.

    Source: Abnar, Zuidema 2020, arXiv:2005.00928, section 3, with the heads' mean at each layer.
    """
    devices.pulse()
    question.passes += 1
    with torch.no_grad():
        mixed = [
            (weights + torch.eye(len(weights)).to(weights)) / 2  # so a row still adds up to 1
            for weights in _all_attention(question.network, question.image)
        ]
        if not mixed:
            raise _refusal("no attention among patches")
        into_class_token = reduce(lambda flow, following: following @ flow, mixed)[0]
    yield
    patches = into_class_token[1:]
    side = math.isqrt(len(patches))
    if side * side != len(patches):
        raise _refusal(f"{len(patches) + 1} tokens, which are not one and a square of patches")
    field, size = patches.view(1, 1, side, side), question.image.shape[2:]
    values = F.interpolate(field, size, mode="bilinear", align_corners=False)[0]
    return Answer(values=values, grid=(side, side))


def attention(
    module: nn.MultiheadAttention, tokens: Float[Tensor, "1 t d"]
) -> Float[Tensor, "t t"]:
    """Compute how much each token heeds each, the mean of the heads; a row adds up to 1.

    Args:
        module: its queries, keys and values are made of the same tokens.
        tokens: what it takes.

    Source: Vaswani et al. 2017, arXiv:1706.03762, equation 1.
    """
    size, heads = module.embed_dim, module.num_heads
    weight, bias = module.in_proj_weight, module.in_proj_bias
    both = F.linear(tokens[0], weight[: 2 * size], None if bias is None else bias[: 2 * size])
    queries, keys = both.unflatten(1, (2, heads, -1)).permute(1, 2, 0, 3)
    weights: Tensor = (queries @ keys.mT / math.sqrt(size // heads)).softmax(-1)
    return weights.mean(0)


def _all_attention(
    network: nn.Module, image: Float[Tensor, "1 c h w"]
) -> list[Float[Tensor, "t t"]]:
    if not any(isinstance(module, nn.MultiheadAttention) for module in network.modules()):
        return []
    return [
        attention(call.module, call.taken)
        for call in trace(network, image).calls
        if isinstance(call.module, nn.MultiheadAttention)
        and call.module.batch_first
        and call.module.in_proj_weight is not None
        and call.taken is not None
    ]


def _refusal(what: str) -> ValueError:
    return ValueError(f"method must be another one than rollout: this network has {what}")
