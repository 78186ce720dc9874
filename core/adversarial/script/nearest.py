"""The code of what looks for the least change: DeepFool, Carlini–Wagner and JSMA."""

import math

from core.adversarial import Attack
from core.adversarial.script.framing import QUICKEST, settings, written

__all__ = ["write_deepfool", "write_least_change", "write_saliency"]

CANDIDATES = 10  # as `deepfool.deepfool` has it
SHARE, SHORTEST = 10, 10  # as `carlini_wagner.carlini_wagner` has them
PAIRS = 1_024  # as `saliency_map.saliency_map` has it
DEEPFOOL = """def attack():
    images = clean
{rivals}    for step in range(steps + 1):
        images = images.detach().requires_grad_()
        logits = network(images)
        yield images.detach(), logits.detach()
        if margin(logits) < 0 or step == steps:
            return
        f = {f}
        w = [torch.autograd.grad(each, images, retain_graph=True)[0] for each in f]
        w = torch.stack(w).nan_to_num(0, 0, 0)
        # Were the network linear, so far away would be the boundaries.
        lengths = (f.detach().abs() / w.flatten(1).norm({dual}, dim=1)).nan_to_num(1e9, 1e9, 1e9)
        length, nearest = lengths.min(0)
        change = (length + 1e-4) * {steepest}
        images = (images + (1 + overshoot) * change).clamp(0, 1)
"""
RIVALS = """    others = network(clean).index_fill(1, torch.tensor(label), -torch.inf)
    rivals = others[0].topk({count}).indices  # the likeliest
"""
BOUNDARIES = "logits[0, rivals] - logits[0, label]  # 0 at the boundary to each of them"
BOUNDARY = "-margin(logits)  # 0 at the target's boundary to the likeliest of the others"
DEEPFOOL_STEPS = {
    "l2": (2, "w[nearest] / w[nearest].norm().clamp(1e-12)"),
    "linf": (1, "w[nearest].sign()"),  # the dual norm of L∞ is L1
}
GRADIENT = """def gradient_at(images):  # of the margin
    images = images.detach().requires_grad_()
    logits = network(images)
    (gradient,) = torch.autograd.grad(margin(logits).sum(), images)
    return gradient.nan_to_num(0, 0, 0), logits.detach()
"""
LEAST_CHANGE = """def attack():
    start = ((clean - 0.5) * 0.999 + 0.5).logit() / 2  # artanh; black and white could not move
    c, failed, succeeded = 1.0, 0.0, math.inf  # the weight, and between what it is sought
    for _ in range(searches):
        w, mean, square = start, torch.zeros_like(start), torch.zeros_like(start)
        won, seen = False, math.inf
        for step in torch.arange(1.0, steps + 1):
            images = (2 * w).sigmoid()  # ½ (tanh w + 1): from 0 to 1 wherever w goes
            gradient, logits = gradient_at(images)
            yield images, logits
            # Of ‖change‖² + c · max(margin + κ, 0) by the chain rule, and a step of Adam.
            lack, change = margin(logits) + confidence, images - clean
            slope = 2 * change + c * (lack > 0) * gradient
            slope = slope * 2 * (2 * w).sigmoid() * (-2 * w).sigmoid()
            mean = 0.9 * mean + 0.1 * slope
            square = 0.999 * square + 0.001 * slope.square()
            scatter = (square / (1 - 0.999**step)).sqrt()
            w = w - rate * mean / (1 - 0.9**step) / (scatter + 1e-8)
            won = won or lack.item() < 0
            if step % {interval} == 0:
                loss = change.square().sum() + c * lack.clamp(min=0)
                if loss > 0.9999 * seen:  # it gains no more
                    break
                seen = loss
        if won:
            succeeded = c
        else:
            failed = c
        c = 10 * c if math.isinf(succeeded) else (failed + succeeded) / 2
"""
SALIENCY = """def attack():
    images, left = clean, steps
    fresh = torch.ones(clean[0, 0].numel(), dtype=torch.bool)  # pixels that were not changed
    while True:
        images = images.detach().requires_grad_()
        logits = network(images)
        yield images.detach(), logits.detach()
        if margin(logits) < 0 or not left:
            return
        own = logits[0, {own}]
        others = logits.sum() - own
        (of_own,) = torch.autograd.grad(own, images, retain_graph=True)
        (of_others,) = torch.autograd.grad(others, images)
        x = images.detach()[0].flatten(1)
        ways = torch.stack([1 - x, -x])  # how far each pixel can go, to white and to black
        alpha = {plus}(ways * of_own[0].flatten(1)).sum(1)
        beta = {minus}(ways * of_others[0].flatten(1)).sum(1)
        used = ~fresh | (ways.abs().amax(1) < 1e-3 / 255)
        alpha[used] = beta[used] = -torch.inf
{choose}        if value <= 0:  # nothing serves both: by what the logit gains on the others' mean
            value, chosen = (alpha + beta / {others}).topk({count})
            value, end = value.sum(1).max(0)
            chosen = chosen[end]
        if value <= 0:
            return
        images = x.index_fill(1, chosen, 1 - end.item()).view_as(clean)
        fresh[chosen] = False
        left -= {count}
"""
TWO = """        sums = alpha[:, :, None] + alpha[:, None], beta[:, :, None] + beta[:, None]
        saliency = sums[0].clamp(min=0) * sums[1].clamp(min=0)
{single}        value, place = saliency.flatten().max(0)
        end, *pair = torch.unravel_index(place, saliency.shape)
        chosen = torch.stack(pair)
"""
EVEN = """        saliency.diagonal(dim1=1, dim2=2).zero_()  # a pixel is no pair
"""
ODD = """        alone = torch.eye(len(fresh), dtype=torch.bool)  # a pixel is no pair, but the last
        saliency = saliency.masked_fill(alone if left > 1 else ~alone, 0)
"""
ONE = """        saliency = alpha.clamp(min=0) * beta.clamp(min=0)
        value, place = saliency.flatten().max(0)
        end, *chosen = torch.unravel_index(place, saliency.shape)
        chosen = torch.stack(chosen)
"""


def write_deepfool(config: Attack, classes: int) -> tuple[str, list[str]]:
    """Write DeepFool; give the settings and the functions.

    Args:
        config: how.
        classes: of the network.
    """
    dual, steepest = DEEPFOOL_STEPS[config.norm]
    targeted = config.target is not None
    text = DEEPFOOL.format(
        rivals="" if targeted else RIVALS.format(count=min(CANDIDATES, classes) - 1),
        f=BOUNDARY if targeted else BOUNDARIES,
        dual=dual,
        steepest=steepest,
    )
    assigned = settings(
        epsilon=written(config.epsilon, config.norm), steps=config.steps, overshoot=config.overshoot
    )
    return assigned, [text]


def write_least_change(config: Attack) -> tuple[str, list[str]]:
    """Write Carlini–Wagner."""
    assigned = settings(
        epsilon=config.epsilon,
        steps=config.steps,
        searches=config.searches,
        rate=config.rate,
        confidence=config.confidence,
    )
    interval = max(SHORTEST, math.ceil(config.steps / SHARE))
    return assigned, [QUICKEST, GRADIENT, LEAST_CHANGE.format(interval=interval)]


def write_saliency(config: Attack, classes: int, pixels: int) -> tuple[str, list[str]]:
    """Write JSMA.

    Args:
        config: how.
        classes: of the network.
        pixels: of a picture.
    """
    targeted, odd = config.target is not None, config.steps % 2 == 1
    pairs = 1 < pixels <= PAIRS
    count = ("min(2, left)" if odd else "2") if pairs else "1"
    text = SALIENCY.format(
        own="target" if targeted else "label",
        plus="" if targeted else "-",
        minus="-" if targeted else "",
        choose=TWO.format(single=ODD if odd else EVEN) if pairs else ONE,
        others=classes - 1,
        count=count,
    )
    return settings(epsilon=config.epsilon, steps=config.steps), [text]
