"""A student's run as plain PyTorch: a script that gives the same weights, to read and to keep."""

import json

from core.distillation import ARMS, LABELS_ALONE, Distillation
from core.shared import models, scripts

__all__ = ["script"]

DATA = """learnt = data.dataset({data}, torch.device("cpu"))
"""
SETTINGS = """{teacher}seed, epochs, batch_size, learning_rate = {seed}, {epochs}, {batch}, {rate}
{temperature}
# The first image of each class, then the second of each, and so on.
places = data.in_turn(learnt.training.labels, {count})
images, labels = learnt.training.images[places], learnt.training.labels[places]
{said}{shown}
student = networks.build(
    {student},
    torch.Generator().manual_seed(seed),
    shape=learnt.shape,
    classes=len(learnt.classes),
    mean=learnt.mean,
    deviation=learnt.deviation,
)
student.to(memory_format=torch.channels_last)
optimiser = torch.optim.Adam(student.parameters(), lr=learning_rate, fused=True)


def shuffled(number):
    \"\"\"The places of one pass over the images, in its own order.\"\"\"
    source = torch.Generator().manual_seed((seed << 16) + number + 1)
    return {known}[torch.randperm(len({known}), generator=source)]


"""
SAID = """with torch.no_grad():
    said = torch.cat([teacher(few) for few in images.split(100)])  # the teacher's logits, once
"""
PERMUTED = """
# Permute what it says of all classes but its answer, within each image by itself.
top = said.argmax(1, keepdim=True)
others = torch.arange(said.shape[1] - 1).expand(len(said), -1)
others = others + (others >= top)
source = torch.Generator().manual_seed(seed << 16)
order = torch.rand(others.shape, generator=source).argsort(1)
said = said.scatter(1, others, said.gather(1, others.gather(1, order)))
"""
PASSES = """step = 0
for epoch in range(epochs):
    for batch in shuffled(epoch).split(batch_size):
"""
OVER = """# As many steps as with the unlabelled images; the labelled ones come over and over.
step, passes, queue = 0, 0, torch.tensor([], dtype=torch.long)
for epoch in range(epochs):
    for size in map(len, shown.split(batch_size)):
        while len(queue) < size:
            queue, passes = torch.cat([queue, shuffled(passes)]), passes + 1
        batch, queue = queue[:size], queue[size:]
"""
DROPS = "        networks.reseed(student, seed * (1 << 32) + step)\n"
HARD = "        loss = F.cross_entropy(logits, labels[batch]{smoothing})\n"
KNOWN = """        # To the mean an image without a label gives 0.
        each = F.cross_entropy(logits, labels[batch], reduction="none")
        hard = (each * (batch < {images})).sum() / len(batch)
"""
ALL_KNOWN = "        hard = F.cross_entropy(logits, labels[batch])\n"
SOFT = """        soft = F.kl_div(
            F.log_softmax(logits / T, dim=1), F.softmax(said[batch] / T, dim=1), reduction="sum"
        )
        soft = {squared}soft / {over}
"""
STEP = """        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1

student.eval()
with torch.no_grad():
    read = torch.cat([student(few).argmax(1) for few in learnt.test.images.split(250)])
errors = int((read != learnt.test.labels).sum())
print(f"{errors} errors of {len(read):,} test images")
"""


def script(config: Distillation, arm: str) -> str:
    """Write a student's run as a script, to be started in the repository's folder.

    Args:
        config: of the run.
        arm: which of its students.

    Raises: ValueError when there is no such arm, or the teacher or its data are not here.
    """
    if arm not in config.arms:
        raise ValueError(f"arm must be one of {config.arms}, got {arm!r}")
    teacher = models.about(config.teacher)
    if not teacher.data:
        raise ValueError(f"teacher must be one whose data are here, got {teacher.title}")
    labels_alone = arm in LABELS_ALONE
    known = "shown" if not (labels_alone and config.unlabelled) else "labelled"
    body = SETTINGS.format(
        teacher="" if labels_alone else "teacher = network.eval()\n",
        seed=config.seed,
        epochs=config.epochs,
        batch=config.batch_size,
        rate=config.learning_rate,
        temperature="" if labels_alone else f"T, alpha = {config.temperature}, {config.alpha}\n",
        count=config.images + config.unlabelled,
        said="" if labels_alone else SAID + PERMUTED * (arm == "permuted"),
        shown=_shown(config, known),
        student=json.dumps(config.student),
        known=known,
    )
    drops = DROPS if "drop" in config.student else ""
    loop = PASSES if known == "shown" else OVER
    body += f"{loop}{drops}        logits = student(images[batch])\n{_loss(config, arm)}{STEP}"
    if labels_alone:
        title = f"A student: {ARMS[arm]}, to be started in the folder of Glassbox"
        return scripts.whole(title, DATA.format(data=json.dumps(teacher.data)) + body)
    return scripts.script(f"A student: {ARMS[arm]}", config.teacher, "", body)


def _shown(config: Distillation, known: str) -> str:
    """Write which of the images are shown, and which of them have a label."""
    text = "shown = torch.arange(len(labels))\n"
    if config.left_out is not None:
        text = (
            f"shown = (labels != {config.left_out}).nonzero()[:, 0]  # it never sees this class\n"
        )
    if known == "labelled":
        text += f"labelled = shown[shown < {config.images}]\n"
    return text


def _loss(config: Distillation, arm: str) -> str:
    """Write the loss of a batch."""
    if arm in LABELS_ALONE:
        smoothing = f", label_smoothing={config.smoothing}" if arm == "smoothed" else ""
        return HARD.format(smoothing=smoothing)
    over = "len(batch)" if config.reduction == "batchmean" else "logits.numel()"
    hard = KNOWN.format(images=config.images) if config.unlabelled else ALL_KNOWN
    soft = SOFT.format(squared="T**2 * " if config.squared else "", over=over)
    return f"{hard}{soft}        loss = alpha * hard + (1 - alpha) * soft\n"
