"""The code of what changes the way back through nonlinearities."""

from core.saliency.script.framing import Asked, Written, baseline
from core.saliency.script.slopes import GRADIENT
from core.shared.scripts import same_padding

__all__ = ["rectify", "write_deeplift", "write_rectified"]

NEAR = 1e-6  # as `deeplift` has it
RECTIFY = """def let_pass(relu, of_taken, of_given):  # {told}
    return ({slopes}[0].clamp(min=0),)


for module in network.modules():
    if isinstance(module, (nn.ReLU, nn.ReLU6)):
        module.register_full_backward_hook(let_pass)
"""
RULES = {
    "guided": ("only slopes above 0, of values above 0", "of_taken"),
    "deconvnet": ("only slopes above 0, whatever the value", "of_given"),
}
RESCALE = """def near(x, x0):  # they differ by no more than rounding might make of them
    return (x - x0).abs() <= {near} * (x.abs() + x0.abs())


def rescale(module, taken, given):  # the slope is Δ given / Δ taken, picture less baseline
    (x, x0), (y, y0) = taken[0].chunk(2), given.detach().chunk(2)
    (slope,) = torch.autograd.grad(given.sum(), taken[0])
    multiplier = torch.where(near(x, x0), slope.chunk(2)[0], (y - y0) / (x - x0))
    return torch.cat([y + multiplier.detach() * (x - x.detach()), y0])


def rescale_maximum(pool, taken, given):  # between where the picture and the baseline have it
    window = pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode
    _, places = F.max_pool2d(taken[0].detach(), *window, return_indices=True)
    here, there = places.flatten(2).chunk(2)
    x, x0 = taken[0].flatten(2).chunk(2)
    y, y0 = given.detach().flatten(2).chunk(2)
    largest, sums = torch.maximum(y, y0), y
    for place, part, otherwise in ((here, largest - y0, 1), (there, y - largest, 0)):
        one, other = x.gather(2, place), x0.gather(2, place)
        multiplier = torch.where(near(one, other), otherwise, part / (one - other))
        sums = sums + multiplier.detach() * (one - one.detach())
    return torch.cat([sums.view_as(given[:1]), given[1:].detach()])


nonlinear = {kinds}
for module in network.modules():
    if isinstance(module, nonlinear):
        module.register_forward_hook(rescale)
    if isinstance(module, nn.MaxPool2d):
        module.register_forward_hook(rescale_maximum)
"""
KINDS = "nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.GELU, nn.Sigmoid, nn.Tanh"
OWN_KINDS = f"{KINDS}, networks.Squash"  # of a table
DEEPLIFT = """baseline = {baseline}
images = picture.clone().requires_grad_()
scores = score(torch.cat([images, baseline]))  # together, so that the hooks see both
(slopes,) = torch.autograd.grad(scores[0], images)
values = (slopes * (picture - baseline))[0]
base = scores[1].item()
"""


def write_rectified(asked: Asked) -> Written:
    """Write guided backpropagation or the deconvnet."""
    functions = GRADIENT, rectify(asked.query.method)
    return Written(functions, "values = gradient(picture)[0]\n", folded=True)


def write_deeplift(asked: Asked) -> Written:
    """Write DeepLIFT."""
    functions, value = baseline(asked)
    table = asked.source.kind != "zoo" and not same_padding(asked.source)
    rescale = RESCALE.format(near=NEAR, kinds=OWN_KINDS if table else KINDS)
    body = DEEPLIFT.format(baseline=value)
    return Written((*functions, rescale), body, folded=True, score="scores[0]", complete=True)


def rectify(method: str) -> str:
    """Write another way back through each ReLU: that of "guided" or "deconvnet"."""
    told, slopes = RULES[method]
    return RECTIFY.format(told=told, slopes=slopes)
