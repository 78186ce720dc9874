"""An attack as plain PyTorch: a script that ends at the same picture, to read and to keep.

It is started in the repository's folder. This module needs no torch.
"""

from core.adversarial import Attack
from core.shared.models import Source
from core.shared.scripts import script

__all__ = ["WRITTEN", "write_attack"]

WRITTEN = ("fgsm", "bim", "pgd", "mifgsm")  # methods whose script is written
BODY = """network.eval()
clean = (255 * pixels[None]).round() / 255
label, target = torch.tensor([{label}]), {target}
epsilon, steps, step_size = {epsilon}, {steps}, {length}


def margin(logits):  # below 0 the network is fooled
    own = label if target is None else target
    mine = logits.gather(1, own[:, None])[:, 0]
    others = logits.scatter(1, own[:, None], -torch.inf).amax(1)
    return mine - others if target is None else others - mine


def loss(logits):  # what is to grow
    {loss}


def steepest(gradient):
    {steepest}


def project(images):
    {project}
    return near.clamp(0, 1)


def in_8_bits(images):
    whole = ((images - clean) * 255).round()
    {rounding}
    return ((255 * clean).round() + whole).clamp(0, 255) / 255


with torch.no_grad():
    if margin(network(clean)) < 0:
        raise SystemExit("It is read as was wanted already: there is nothing to attack.")
{start}
gathered = torch.zeros_like(clean)
best, least = None, 0.0
for step in range(steps + 1):
    images.requires_grad_()
    logits = network(images)
    if margin(logits) < 0:  # what fools counts in 8 bits only
        levels = in_8_bits(images.detach())
        with torch.no_grad():
            sure = margin(network(levels)).item()
        if sure < least:
            best, least = levels, sure
            print(f"step {{step}}: margin {{sure:.4f}}")
    if step < steps:
        (gradient,) = torch.autograd.grad(loss(logits).sum(), images)
        {momentum}
        images = project(images.detach() + step_size * steepest(gradient))
if best is None:
    print("not fooled")
else:
    change = best - clean
    print("fooled: read as", network(best).argmax().item())
    print(f"L∞ {{255 * change.abs().max().item():.2f}}/255, L2 {{change.norm().item():.4f}}")
"""
LOSSES = {
    ("margin", False): "return -margin(logits)",
    ("margin", True): "return -margin(logits)",
    ("ce", False): "return F.cross_entropy(logits, label, reduction='none')",
    ("ce", True): "return -F.cross_entropy(logits, target, reduction='none')",
    ("dlr", False): """ordered = logits.sort(1, descending=True).values
    return -margin(logits) / (ordered[:, 0] - ordered[:, 2] + 1e-12)""",
    ("dlr", True): """ordered = logits.sort(1, descending=True).values
    true, wanted = logits[:, label[0]], logits[:, target[0]]
    return -(true - wanted) / (ordered[:, 0] - (ordered[:, 2] + ordered[:, 3]) / 2 + 1e-12)""",
}
STEEPEST = {
    "linf": "return gradient.sign()",
    "l2": "return gradient / gradient.norm().clamp(1e-12)",
}
PROJECT = {
    "linf": "near = torch.minimum(torch.maximum(images, clean - epsilon), clean + epsilon)",
    "l2": """change = images - clean
    near = clean + change * (epsilon / change.norm().clamp(1e-12)).clamp(max=1)""",
}
ROUNDING = {
    "linf": """shorter = ((images - clean).abs() * 255 + 1e-3).floor() * (images - clean).sign()
    whole = torch.where(whole.abs() > 255 * epsilon + 1e-3, shorter, whole)""",
    "l2": """if whole.norm() > 255 * epsilon + 1e-3:  # the longest share of the change that fits
        share = 0.0
        for power in range(1, 11):
            longer = (255 * (images - clean) * (share + 0.5**power)).round()
            share += 0.5**power if longer.norm() <= 255 * epsilon + 1e-3 else 0
        whole = (255 * (images - clean) * share).round()""",
}
STARTS = {
    ("pgd", "linf"): """source = torch.Generator().manual_seed({seed})
anywhere = 2 * torch.rand(clean.shape, generator=source) - 1
images = project(clean + epsilon * anywhere)""",
    ("pgd", "l2"): """source = torch.Generator().manual_seed({seed})
radius = epsilon * torch.rand(1, generator=source)
direction = torch.randn(clean.shape, generator=source)
images = project(clean + radius * direction / direction.norm().clamp(1e-12))""",
}
MOMENTUM = "gradient = gathered = {decay} * gathered + gradient / gradient.abs().sum().clamp(1e-12)"


def write_attack(source: Source, config: Attack, label: int, picture: str) -> str:
    """Write an attack of PGD's family on one picture.

    Args:
        source: the network.
        config: how; one beginning and one gradient a step.
        label: the class to get away from.
        picture: the file of the picture beside the script.

    Raises: ValueError when the method is another one.
    """
    if config.method not in WRITTEN:
        raise ValueError(f"method must be one of {WRITTEN} for the code, got {config.method!r}")
    for name in ("restarts", "draws"):
        if getattr(config, name) > 1:
            raise ValueError(f"{name} must be 1 for the code, got {getattr(config, name)}")
    targeted = config.target is not None
    single = config.method == "fgsm"
    start = STARTS.get((config.method, config.norm), "images = clean.clone()")
    momentum = MOMENTUM.format(decay=config.decay) if config.method == "mifgsm" else ""
    body = BODY.format(
        label=label,
        target=f"torch.tensor([{config.target}])" if targeted else "None",
        epsilon=config.epsilon,
        steps=1 if single else config.steps,
        length=config.epsilon if single else config.length,
        loss=LOSSES[config.loss, targeted],
        steepest=STEEPEST[config.norm],
        project=PROJECT[config.norm],
        rounding=ROUNDING[config.norm],
        start=start.format(seed=config.seed),
        momentum=momentum,
    )
    if not momentum:
        body = body.replace("gathered = torch.zeros_like(clean)\n", "").replace("        \n", "")
    return script(f"{config.about.title} on a picture", source, picture, body)
