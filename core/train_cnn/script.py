"""The panel's run as plain PyTorch: a script that gives the same losses, to read and to keep."""

from collections.abc import Sequence

from core.shared.recipes import Recipe

__all__ = ["script"]

HEAD = """import gzip
import math

import torch
import torch.nn.functional as F

folder, device = "assets/mnist", "cpu"
learning_rate, batch_size, epochs, seed = {learning_rate}, {batch_size}, {epochs}, {seed}


def read(name, header, shape):
    content = bytearray(gzip.open(f"{{folder}}/{{name}}.gz").read()[header:])
    return torch.frombuffer(content, dtype=torch.uint8).view(shape)[:50_000].to(device)


images = read("train-images-idx3-ubyte", 16, (-1, 1, 28, 28)).float() / 255
labels = read("train-labels-idx1-ubyte", 8, (-1,)).long()

# Which maps of S2 each map of C3 sees: LeCun et al. 1998, Table I.
seen = "012 123 234 345 045 015 0123 1234 2345 0345 0145 0125 0134 1245 0235 012345".split()
table = torch.zeros(16, 6, 1, 1)
for row, maps in enumerate(seen):
    table[row, [int(digit) for digit in maps]] = 1
table = table.to(device)

source = torch.Generator().manual_seed(seed)


def weights(*shape, fan_in):
    drawn = torch.empty(shape[0], math.prod(shape[1:])).uniform_(-1, 1, generator=source)
    drawn = (drawn * (3 / torch.as_tensor(fan_in).view(-1, 1)).sqrt()).view(shape).to(device)
    if len(shape) == 4:
        drawn = drawn.contiguous(memory_format=torch.channels_last)
    return drawn.requires_grad_()


def full(value, *shape):
    return torch.full(shape, value, device=device).requires_grad_()


w1, w3 = weights(6, 1, 5, 5, fan_in=25.0), weights(16, 6, 5, 5, fan_in=25 * table.sum(1).cpu())
w5, w6, w7 = (weights(o, i, fan_in=float(i)) for o, i in ((120, 400), (84, 120), (10, 84)))
b1, b3, b5, b6, b7 = (full(0.0, size) for size in (6, 16, 120, 84, 10))
k2, b2, k4, b4 = full(1.0, 6, 1, 1), full(0.0, 6, 1, 1), full(1.0, 16, 1, 1), full(0.0, 16, 1, 1)


def squash(a):
    return 1.7159 * torch.tanh(a * (2 / 3))


def lenet5(pixels):
    x = (F.pad(pixels, (2, 2, 2, 2)) - 0.1) / 0.28
    x = squash(F.conv2d(x, w1, b1))  # C1: 6 maps of 28×28
    x = squash(b2 + F.avg_pool2d(x, 2) * k2)  # S2: 6 maps of 14×14
    x = squash(F.conv2d(x, w3 * table, b3))  # C3: 16 maps of 10×10
    x = squash(b4 + F.avg_pool2d(x, 2) * k4)  # S4: 16 maps of 5×5
    x = squash(F.linear(x.flatten(1), w5, b5))  # C5: 120 units
    x = squash(F.linear(x, w6, b6))  # F6: 84 units
    return F.linear(x, w7, b7)  # 10 logits


parameters = [w1, b1, k2, b2, w3, b3, k4, b4, w5, b5, w6, b6, w7, b7]
optimiser = {optimiser}
steps_an_epoch = math.ceil(len(images) / batch_size)
steps = epochs * steps_an_epoch
{before}for step in range(steps):
    epoch, place = divmod(step, steps_an_epoch)
    if place == 0:
        order = torch.randperm(
            len(images), generator=torch.Generator().manual_seed((seed << 16) + epoch + 1)
        )
    batch = order[place * batch_size : (place + 1) * batch_size].to(device)
{moved}{share}    optimiser.param_groups[0]["lr"] = learning_rate{times}
    loss = F.cross_entropy(lenet5(images[batch]), labels[batch])
    loss.backward()
    optimiser.step()
    optimiser.zero_grad()
    if step % 100 == 0:
        print(f"step {{step}}: loss {{loss.item():.4f}}")
"""
OPTIMISERS = {
    "nesterov": """torch.optim.SGD(
    parameters, learning_rate, momentum=0.9, nesterov=True, weight_decay={decay}
)""",
    "momentum": "torch.optim.SGD(parameters, learning_rate, momentum=0.9, weight_decay={decay})",
    "adam": "torch.optim.Adam(parameters, learning_rate, weight_decay={decay})",
}
RISE = "rise = max(1, round(0.05 * steps))  # steps until η is at its highest\n"
SHARE = "    share = min((step + 1) / rise, (steps - step) / max(1, steps - rise))\n"


def script(recipe: Recipe, changes: Sequence[tuple[int, str, float]] = ()) -> str:
    """Write a run as a script of plain PyTorch, to be started in the repository's folder.

    Args:
        recipe: of the run.
        changes: steps at which the learning rate was moved, and to what.
    """
    linear = recipe.schedule == "linear"
    before = RISE if linear else ""
    if changes:
        before += f"moved = {dict(changes)}  # the steps at which η was moved\n"
    return HEAD.format(
        learning_rate=recipe.learning_rate,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        seed=recipe.seed,
        optimiser=OPTIMISERS[recipe.optimiser].format(decay=recipe.weight_decay),
        before=before,
        moved="    learning_rate = moved.get(step, learning_rate)\n" if changes else "",
        share=SHARE if linear else "",
        times=" * share" if linear else "",
    )
