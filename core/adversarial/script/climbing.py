"""The code of what climbs a loss within a ball: FGSM, BIM, PGD, MI-FGSM and APGD."""

from core.adversarial import Attack
from core.adversarial.script.framing import settings, written

__all__ = ["GRADIENT", "ball", "loss", "write_automatic_steps", "write_steps"]

LOSS = """def loss(logits):  # what is to grow
    {}
"""
LOSSES = {
    ("margin", False): "return -margin(logits)",
    ("margin", True): "return -margin(logits)",
    ("ce", False): "return -logits.log_softmax(1)[:, label]",
    ("ce", True): "return logits.log_softmax(1)[:, target]",
    ("dlr", False): """ordered = logits.sort(1, descending=True).values
    return -margin(logits) / (ordered[:, 0] - ordered[:, 2] + 1e-12)""",
    ("dlr", True): """ordered = logits.sort(1, descending=True).values
    true, wanted = logits[:, label], logits[:, target]
    return -(true - wanted) / (ordered[:, 0] - (ordered[:, 2] + ordered[:, 3]) / 2 + 1e-12)""",
}
GRADIENT = """def gradient_at(images):
    images = images.detach().requires_grad_()
    logits = {network}(images)
    (gradient,) = torch.autograd.grad(loss(logits).sum(), images)
    return gradient.nan_to_num(0, 0, 0), logits.detach()
"""
MEAN = """def gradient_at(images):  # the mean of several, for a network that answers at random
    images, gradient, logits = images.detach().requires_grad_(), 0, 0
    for _ in range({draws}):
        answer = {network}(images)
        (slope,) = torch.autograd.grad(loss(answer).sum(), images)
        gradient, logits = gradient + slope.nan_to_num(0, 0, 0), logits + answer.detach()
    return gradient / {draws}, logits / {draws}
"""
STEEPEST = """def steepest(gradient):  # the change of length 1 by which most is gained
    {}
"""
STEEPESTS = {
    "linf": "return gradient.sign()",
    "l2": "return gradient / gradient.norm().clamp(1e-12)",
}
PROJECT = """def project(images):
    {}
    return near.clamp(0, 1)
"""
PROJECTS = {
    "linf": "near = torch.minimum(torch.maximum(images, clean - epsilon), clean + epsilon)",
    "l2": """change = images - clean
    near = clean + change * (epsilon / change.norm().clamp(1e-12)).clamp(max=1)""",
}
STARTS = {
    ("pgd", "linf"): """anywhere = 2 * torch.rand(clean.shape, generator=source) - 1
    images = project(clean + epsilon * anywhere)""",
    ("pgd", "l2"): """radius = epsilon * torch.rand(1, generator=source)
    direction = torch.randn(clean.shape, generator=source)
    images = project(clean + radius * steepest(direction))""",
    ("apgd", "l2"): """direction = torch.randn(clean.shape, generator=source)
    images = project(clean + epsilon * steepest(direction))""",
}
STARTS["apgd", "linf"] = STARTS["pgd", "linf"]
ONE_STEP = """def attack():
    gradient, logits = gradient_at(clean)
    yield clean, logits
    images = project(clean + epsilon * steepest(gradient))
    yield images, network(images)
"""
STEPS = """def attack({source}):
    {start}
    for _ in range(steps):
        gradient, logits = gradient_at(images)
        yield images, {logits}
        images = project(images + step_size * steepest(gradient))
    yield images, network(images)
"""
MOMENTUM = """def attack():
    images, momentum = clean, torch.zeros_like(clean)
    for _ in range(steps):
        gradient, logits = gradient_at(images)
        yield images, logits
        momentum = decay * momentum + gradient / gradient.abs().sum().clamp(1e-12)
        images = project(images + step_size * steepest(momentum))
    yield images, network(images)
"""
AUTOMATIC = """looks, share, gap = set(), 0, 22  # steps that look back, more and more often
while (share := share + gap) <= 100:
    looks.add(math.ceil(share * steps / 100))
    gap = max(gap - 3, 6)


def attack(source):
    {start}
    previous = peak = images  # a step ago, and where the loss was the highest
    slope = torch.zeros_like(images)  # the gradient there
    step_size, highest, last, before = 2 * epsilon, -torch.inf, -torch.inf, -torch.inf
    gains, halved, looked = 0, False, 0
    for step in range(steps):
        gradient, logits = gradient_at(images)
        yield images, logits
        height = loss(logits).item()
        gains += step > 0 and height > last
        if height > highest:
            peak, slope, highest = images, gradient, height
        if step == 0:
            before = highest
        if step in looks:
            few = gains < 0.75 * (step - looked)
            halved = few or (not halved and highest <= before)
            if halved:  # back to the highest place, and on by shorter steps
                step_size /= 2
                images, gradient, height = peak, slope, highest
            before, gains, looked = highest, 0, step
        ahead = project(images + step_size * steepest(gradient))
        if step:  # before the first there is none to go on with
            ahead = project(images + 0.75 * (ahead - images) + 0.25 * (images - previous))
        images, previous, last = ahead, images, height
    yield images, network(images)
"""


def write_steps(config: Attack) -> tuple[str, list[str]]:
    """Write FGSM, BIM, PGD or MI-FGSM; give the settings and the functions."""
    single = config.method == "fgsm"
    values = {"epsilon": written(config.epsilon, config.norm)}
    if not single:
        values |= {"steps": str(config.steps), "step_size": written(config.length, config.norm)}
    if config.method == "mifgsm":
        values["decay"] = str(config.decay)
    random = config.method == "pgd"
    text = ONE_STEP if single else MOMENTUM
    if config.method in ("bim", "pgd"):
        start = STARTS.get((config.method, config.norm), "images = clean")
        text = STEPS.format(source="source" * random, start=start, logits="logits")
    return settings(**values), [loss(config), gradient(config), *ball(config), text]


def write_automatic_steps(config: Attack) -> tuple[str, list[str]]:
    """Write APGD."""
    assigned = settings(epsilon=written(config.epsilon, config.norm), steps=config.steps)
    text = AUTOMATIC.format(start=STARTS["apgd", config.norm])
    return assigned, [loss(config), gradient(config), *ball(config), text]


def loss(config: Attack) -> str:
    """Write what is to grow."""
    return LOSS.format(LOSSES[config.loss, config.target is not None])


def gradient(config: Attack, network: str = "network") -> str:
    """Write how the gradient of the loss is asked for, of this network."""
    return (MEAN if config.draws > 1 else GRADIENT).format(network=network, draws=config.draws)


def ball(config: Attack) -> list[str]:
    """Write the steepest step, and the way back into the ball."""
    return [
        STEEPEST.format(STEEPESTS[config.norm]),
        PROJECT.format(PROJECTS[config.norm]),
    ]
