"""The code of what weighs the maps of a layer, or the attention of all."""

import re

from core.saliency.script.framing import Asked, Written, baseline, fold
from core.saliency.script.rectifying import rectify
from core.saliency.script.slopes import GRADIENT
from core.shared.scripts import ATTENTION, LAST, TOKENS

__all__ = ["write_cam", "write_guided_cam", "write_rollout", "write_score_cam"]

ENLARGE = """def enlarge(maps):  # to the picture's size
    return F.interpolate(maps[None, None], picture.shape[2:], mode="bilinear")[0]
"""
HEAR = """name = "{layer}"
network = folding.folded_at(network, {shape}, name)  # as in the panel: rounding decides ties
kept = []  # what the layer gives
layer = network.get_submodule("{module}")
hearing = layer.register_forward_hook(lambda layer, taken, given: kept.append({given}))
"""
SLOPES = """images = picture.clone().requires_grad_()
height = score(images)
hearing.remove()
(slopes,) = torch.autograd.grad(height.sum(), kept[{call}])
maps, slopes = kept[{call}].detach()[0], slopes[0]
"""
MAPS = """score(picture)
hearing.remove()
maps = kept[{call}][0]
"""
CAMS = {
    "gradcam": """weights = slopes.mean((1, 2), keepdim=True)
cam = (weights * maps).sum(0).relu()
""",
    "gradcampp": """weights = slopes.relu() / (2 + slopes * maps.sum((1, 2), keepdim=True))
weights = weights.nan_to_num(0, 0, 0).sum((1, 2), keepdim=True)
cam = (weights * maps).sum(0).relu()
""",
    "hirescam": "cam = (slopes * maps).sum(0)\n",
    "layercam": "cam = (slopes.relu() * maps).sum(0).relu()\n",
}
VALUES = "values = enlarge(cam)\n"
GUIDED = """coarse = enlarge(cam)
{folded}

{rectify}

values = coarse * gradient(picture)[0]
"""
SCORES = """maps = maps[maps.amax((1, 2)) > maps.amin((1, 2))]  # the others show nothing
baseline = {baseline}
scores = torch.zeros(len(maps))
for number, each in enumerate(maps):
    mask = enlarge(each)
    mask = (mask - mask.min()) / (mask.max() - mask.min())
    scores[number] = score(baseline + mask * (picture - baseline))
weights = scores.softmax(0)[:, None, None]
cam = (weights * maps).sum(0).relu()
"""
HEED = """mixed = []  # of each block what its tokens heed, half of it being what goes past


def heed(module, taken, given):
    _, weights = module.forward(*taken)  # the mean of the heads
    mixed.append((weights[0] + torch.eye(len(weights[0]))) / 2)


for module in network.modules():
    if isinstance(module, nn.MultiheadAttention):
        module.register_forward_hook(heed)
"""
ROLLOUT = """network(picture)
flow = mixed[0]
for following in mixed[1:]:
    flow = following @ flow
patches = flow[0, 1:]  # into the class token
side = math.isqrt(len(patches))
values = enlarge(patches.view(side, side))
"""


def write_cam(asked: Asked) -> Written:
    """Write Grad-CAM, Grad-CAM++, HiResCAM or LayerCAM."""
    return Written((ENLARGE,), _slopes(asked) + CAMS[asked.query.method] + VALUES)


def write_guided_cam(asked: Asked) -> Written:
    """Write guided Grad-CAM."""
    fine = GUIDED.format(folded=fold(asked), rectify=rectify("guided"))
    return Written((ENLARGE, GRADIENT), _slopes(asked) + CAMS["gradcam"] + fine)


def write_score_cam(asked: Asked) -> Written:
    """Write Score-CAM."""
    functions, value = baseline(asked)
    body = _heard(asked, MAPS, "maps") + SCORES.format(baseline=value) + VALUES
    return Written((*functions, ENLARGE), body)


def write_rollout(asked: Asked) -> Written:
    """Write attention rollout."""
    return Written((ENLARGE, HEED), ROLLOUT)


def _slopes(asked: Asked) -> str:
    """Write how the layer's maps are found, and the gradient of the score by them."""
    return _heard(asked, SLOPES, "maps", "slopes")


def _heard(asked: Asked, passed: str, *names: str) -> str:
    """Write how the layer is heard while the picture passes, and that each of these is c×h×w."""
    module, _, call = asked.query.layer.partition(":")
    given = "given[0]" if module.endswith(ATTENTION) else "given"
    field = _field(asked.source.name, module)
    made = ", ".join(f"{name}{field}" for name in names)
    return (
        HEAR.format(layer=asked.query.layer, shape=asked.about.shape, module=module, given=given)
        + passed.format(call=int(call or 1) - 1)
        + f"{', '.join(names)} = {made}  # c×h×w\n" * bool(field)
    )


def _field(network: str, module: str) -> str:
    """Write what makes maps of what a layer gives, where they are none."""
    if network == LAST and re.search(r"\.block\.[1-5]$", module):  # between two permutations
        return ".permute(2, 0, 1)"
    if network == TOKENS and module.startswith("body.encoder"):
        return "[1:].T.unflatten(1, (14, 14))"  # of ViT-B/16's tokens the first is no patch
    return ""
