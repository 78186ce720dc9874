"""The panel's run as plain PyTorch: a script that gives the same losses, to read and to keep."""

import re
import textwrap
from collections.abc import Mapping, Sequence

from core.shared import datasets
from core.shared.recipes import Recipe
from core.train_cnn.script.architecture import starting_weights, write_network
from core.train_cnn.script.definitions import WIDTH
from core.train_cnn.script.pictures import write_data

__all__ = ["script"]

TITLE = '"""A run of Glassbox as plain PyTorch; start it beside app.py, for the data are there."""'
IMPORTS = (  # in this order, each where its name is used
    ("import copy", "copy."),
    ("import gzip", "gzip."),
    ("import math", "math."),
    ("import os", "os."),
    ("", ""),
    ("import numpy as np", "np."),
    ("import torch", "torch."),
    ("import torch.nn.functional as F", "F."),
    ("from safetensors.torch import load_file", "load_file("),
    ("from torch import nn", "nn."),
)
OPTIMISERS = {
    "nesterov": ("SGD", ", momentum={}, nesterov=True"),
    "momentum": ("SGD", ", momentum={}"),
    "sgd": ("SGD", ""),
    "adagrad": ("Adagrad", ""),
    "rmsprop": ("RMSprop", ""),
    "adam": ("Adam", ", betas=({}, 0.999)"),
    "adamw": ("AdamW", ", betas=({}, 0.999)"),
}
SHARES = {
    "warm-up": '''def share(step, steps):
    """Of the learning rate: up over a twentieth of the steps."""
    return min((step + 1) / max(1, round(0.05 * steps)), 1)
''',
    "linear": '''def share(step, steps):
    """Of the learning rate: up over a twentieth of the steps, then down to 0."""
    rise = max(1, round(0.05 * steps))
    return min((step + 1) / rise, (steps - step) / max(1, steps - rise))
''',
    "cosine": '''def share(step, steps):
    """Of the learning rate: down to 0 along half a cosine."""
    return (1 + math.cos(math.pi * step / steps)) / 2
''',
    "one-cycle": '''def share(step, steps):
    """Of the learning rate: up over three tenths of the steps, then down to almost 0."""
    top = 0.3 * steps - 1
    start, end, way = 1 / 25, 1, step / top
    if step > top:
        start, end, way = 1, 1e-4 / 25, (step - top) / (steps - 1 - top)
    return end + (start - end) / 2 * (1 + math.cos(math.pi * way))
''',
    "step": '''def share(step, steps):
    """Of the learning rate: a tenth of it after each third of the steps."""
    return 0.1 ** (step // math.ceil(steps / 3))
''',
}
ORDER = """    if place == 0:
        order = torch.randperm(
            len(images), generator=torch.Generator().manual_seed((seed << 16) + epoch + 1)
        )
"""
IN_STEPS = f"""steps_an_epoch = math.ceil(len(images) / batch_size)
steps = epochs * steps_an_epoch
for step in range(steps):
    epoch, place = divmod(step, steps_an_epoch)
{ORDER}\
    batch = order[place * batch_size : (place + 1) * batch_size].to(device)
"""
# Where the batch size changes, or the run may end early, it is images that are counted.
IN_IMAGES = f"""step, seen, total = 0, 0, epochs * len(images)
while seen < total:
    epoch, place = divmod(seen, len(images))
{ORDER}\
"""
BATCH = "    batch = order[place : place + batch_size].to(device)\n"
PLANNED = "steps = epochs * math.ceil(len(images) / batch_size)  # as they were planned\n"
PLACE = """    # In the schedule, once the batch size has changed.
    at = step if step < min(sizes) else seen / total * steps
"""
L1 = """    for parameter in network.parameters():  # L1
        parameter.grad += {} * parameter.detach().sign()
"""
TELL = """    if step % 100 == 0:
        print(f"step {step}: loss {loss.item():.4f}")
"""
ADVERSARY = """
def attacked(images, labels):
    \"\"\"Move each image up its own loss, within epsilon of each pixel.\"\"\"
    network.eval()
    low, high = (images - epsilon).clamp(min=0), (images + epsilon).clamp(max=1)
{start}\
    for _ in range({steps}):
        moved.requires_grad_()
{loss}\
        (gradient,) = torch.autograd.grad(loss * len(images), moved)
        moved = (moved.detach() + {length} * epsilon * gradient.sign()).clamp(low, high)
    network.train()
    return moved
"""
MOVED = "    moved = normalised(attacked(images[batch], labels[batch]))\n"
ANYWHERE = """    source = torch.Generator().manual_seed(seed * (1 << 32) + step)
    anywhere = 2 * torch.rand(images.shape, generator=source).to(device) - 1
    moved = (images + epsilon * anywhere).clamp(low, high)
"""
VALIDATE = """def validation_loss(count):
    network.eval()
    with torch.no_grad():
        logits = torch.cat([network({part}) for part in watched[:count].split(250)])
{loss}\
    network.train()
    return loss.item()
"""
LOOKS = """# The loss of 500 validation images is looked at about twelve times an epoch.
steps = epochs * math.ceil(len(images) / batch_size)
looks = max(1, round(steps / max(1, steps / epochs / 12, steps / 300)))  # in all
lowest, best, best_seen = validation_loss(500), copy.deepcopy(network.state_dict()), 0

"""
PATIENCE = """    if seen * looks // total > (seen - len(batch)) * looks // total:
        value = validation_loss(500)
        if value < lowest:
            lowest, best, best_seen = value, copy.deepcopy(network.state_dict()), seen
        elif seen == total or seen - best_seen >= {patience} * len(images):
            network.load_state_dict(best)  # the weights of the lowest validation loss
            break
"""


def script(recipe: Recipe, changes: Sequence[tuple[int, str, float]] = ()) -> str:
    """Write a run as a script of plain PyTorch, to be started in the repository's folder.

    Args:
        recipe: that the run began with.
        changes: made while it was live: the step from which on the recipe's field of this name
            had this value.

    Raises: ValueError when the data are no longer here.
    """
    known = datasets.about(recipe.data)
    classes = len(known.classes)
    share = SHARES.get(recipe.schedule, "")
    rates = {step: to for step, name, to in changes if name == "learning_rate" and share}
    sizes = {step: int(to) for step, name, to in changes if name == "batch_size"}
    moved = _moved(recipe, changes)
    values = f"{recipe.learning_rate}, {recipe.batch_size}, {recipe.epochs}, {recipe.seed}"
    adversary = f"epsilon = {recipe.epsilon}\n" * bool(recipe.adversary)
    settings = [
        'device = "cpu"\n',
        f"learning_rate, batch_size, epochs, seed = {values}\n",
        adversary,
        _written("rates", rates, "at these steps the learning rate was changed to this"),
        _written("sizes", sizes, "at these steps the batch size was changed to this"),
        _written("moved", moved, "at these steps this was changed"),
    ]
    checked = _loss(recipe, classes, "logits", "answers[:count]")
    parts = [
        "".join(settings),
        write_data(recipe, known),
        write_network(recipe, known.shape, classes),
        starting_weights(recipe),
        share,
        VALIDATE.format(loss=checked, part="normalised(part)" if recipe.adversary else "part")
        if recipe.patience
        else "",
        _adversary(recipe, classes),
        _optimiser(recipe),
        _loop(recipe, classes, rates=bool(rates), sizes=bool(sizes), moved=bool(moved)),
    ]
    body = "\n".join(filter(None, parts))
    imports = [line for line, name in IMPORTS if re.search(rf"\b{re.escape(name)}", body)]
    return _spaced(f"{TITLE}\n\n" + "\n".join([*imports, "", body]).lstrip())


def _moved(
    recipe: Recipe, changes: Sequence[tuple[int, str, float]]
) -> dict[int, dict[str, object]]:
    """Collect what the optimiser itself has to be told at which step."""
    moved: dict[int, dict[str, object]] = {}
    for step, name, value in changes:
        if name == "learning_rate" and recipe.schedule == "constant":
            moved.setdefault(step, {})["lr"] = value
        elif name == "weight_decay":
            moved.setdefault(step, {})["weight_decay"] = value
        elif name == "momentum" and recipe.optimiser in ("adam", "adamw"):
            moved.setdefault(step, {})["betas"] = (value, 0.999)
        elif name == "momentum" and recipe.optimiser in ("momentum", "nesterov"):
            moved.setdefault(step, {})["momentum"] = value
    return moved


def _written(name: str, values: Mapping[int, object], said: str) -> str:
    """Write a dictionary, or nothing where it is empty."""
    if not values:
        return ""
    items = ", ".join(f"{step}: {value}" for step, value in values.items()).replace("'", '"')
    line = f"{name} = {{{items}}}  # {said}"
    if len(line) <= WIDTH:
        return f"{line}\n"
    margin = " " * 4
    filled = textwrap.fill(items, WIDTH, initial_indent=margin, subsequent_indent=margin)
    return f"{name} = {{  # {said}\n{filled}\n}}\n"


def _optimiser(recipe: Recipe) -> str:
    name, options = OPTIMISERS[recipe.optimiser]
    options = options.format(recipe.momentum)
    if recipe.weight_decay or recipe.optimiser == "adamw":  # whose decay is not 0 by default
        options += f", weight_decay={recipe.weight_decay}"
    inside, made = (
        f"network.parameters(), learning_rate{options}",
        f"optimiser = torch.optim.{name}",
    )
    line = f"{made}({inside})\n"
    return line if len(line) <= WIDTH else f"{made}(\n    {inside}\n)\n"


def _adversary(recipe: Recipe, classes: int) -> str:
    """Write what moves the images before the network learns them."""
    if not recipe.adversary:
        return ""
    steps, length = {"fgsm": (1, "1"), "fast": (1, "1.25"), "pgd": (7, "2.5 / 7")}[recipe.adversary]
    loss = textwrap.indent(_loss(recipe, classes, "network(normalised(moved))", "labels"), " " * 4)
    start = "    moved = images\n" if recipe.adversary == "fgsm" else ANYWHERE
    return ADVERSARY.format(start=start, steps=steps, length=length, loss=loss).lstrip()


def _loop(recipe: Recipe, classes: int, *, rates: bool, sizes: bool, moved: bool) -> str:
    """Write the training itself."""
    shared, images = recipe.schedule != "constant", sizes or recipe.patience > 0
    size = "    batch_size = sizes.get(step, batch_size)\n" * sizes
    learnt = "moved" if recipe.adversary else "images[batch]"
    counted = [PLANNED * (sizes and shared), IN_IMAGES, size, BATCH, PLACE * (sizes and shared)]
    at = "at" if sizes and shared else "step"
    lines = [
        LOOKS if recipe.patience else "",
        *(counted if images else [IN_STEPS]),
        "    optimiser.param_groups[0].update(moved.get(step, {}))\n" * moved,
        "    learning_rate = rates.get(step, learning_rate)\n" * rates,
        f'    optimiser.param_groups[0]["lr"] = learning_rate * share({at}, steps)\n' * shared,
        MOVED * bool(recipe.adversary),
        _loss(recipe, classes, f"network({learnt})", "labels[batch]", recipe.smoothing),
        "    loss.backward()\n",
        L1.format(recipe.l1) * bool(recipe.l1),
        "    optimiser.step()\n    optimiser.zero_grad()\n",
        TELL,
        "    step, seen = step + 1, seen + len(batch)\n" * images,
        PATIENCE.format(patience=recipe.patience) * bool(recipe.patience),
    ]
    return "".join(lines)


def _loss(recipe: Recipe, classes: int, logits: str, labels: str, smoothing: float = 0.0) -> str:
    if recipe.loss == "squared":
        return f"""    errors = {logits}.sigmoid() - F.one_hot({labels}, {classes})
    loss = errors.square().sum(1).mean() / 2
"""
    smoothed = f", label_smoothing={smoothing}" if smoothing else ""
    return f"    loss = F.cross_entropy({logits}, {labels}{smoothed})\n"


def _spaced(text: str) -> str:
    """Leave two lines around what is defined, as is usual."""
    text = re.sub(r"^((?:def|class) .*\n(?:(?: .*)?\n)*)(?=\S)", r"\1\n\n", text, flags=re.M)
    text = re.sub(r"\n+(?=(?:def|class) )", "\n\n\n", text)
    return re.sub(r"\n{4,}", "\n\n\n", text)
