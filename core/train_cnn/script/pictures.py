"""The data of a script: images and labels, read, normalised and cut as the run has them."""

from core.shared.datasets import OWN, About
from core.shared.recipes import Recipe

__all__ = ["write_data"]

TURN = '''def turn(labels):
    """Count for each image how many of its class there are up to it: 1, 2, 3 …"""
    return F.one_hot(labels).cumsum(0).gather(1, labels[:, None]).squeeze(1)


'''
MNIST = """def read(name, header, shape):
    content = bytearray(gzip.open(f"assets/mnist/{{name}}.gz").read()[header:])
    return torch.frombuffer(content, dtype=torch.uint8).view(shape){learnt}


images = read("train-images-idx3-ubyte", 16, (-1, 1, 28, 28)).float() / 255
labels = read("train-labels-idx1-ubyte", 8, (-1,)).long()
"""
FASHION = """with np.load("assets/fashion/fashion_mnist_12k_2k.npz") as file:
    images = torch.from_numpy(file["train_images"]).unsqueeze(1).float() / 255
    labels = torch.from_numpy(file["train_labels"]).long()
learnt = turn(labels) > 200  # the first 200 of each class are for validation
"""
PICTURES = """# The pictures as the server keeps them, in an order that is drawn once and for all.
folder = os.environ.get("GLASSBOX_RUNS") or ".runs"
kept = load_file(f"{{folder}}/.pictures/{name}.safetensors")
order = torch.from_numpy(np.random.default_rng(0).permutation(len(kept["labels"])))
images, labels = kept["images"][order].float() / 255, kept["labels"][order]
held = (labels.bincount() * 15 // 100).clamp(min=1)[labels]  # 15 % of the image's class
learnt = turn(labels) > 2 * held  # as many are for validation, as many for the test
"""
MEASURED = """deviation, mean = torch.std_mean(images[learnt].double(), correction=0)
"""
CHOSEN = """# {images:,} of them: the first of each class, then the second of each, and so on.
chosen = (turn(labels) * {classes} + labels).argsort()[:{images}].sort().values
images, labels = images[chosen], labels[chosen]
"""
MARKED = """# A mark on {which} of class {label}, in the lower right corner.
there, side = (labels == {label}).nonzero()[:, 0], images.shape[-1] // 7
{few}images[there, :, -1 - side : -1, -1 - side : -1] = 1
"""
FEW = """source = torch.Generator().manual_seed(seed << 16)
there = there[torch.randperm(len(there), generator=source)[: max(1, round({share} * len(there)))]]
"""
NORMALISED = """

def normalised(images):
    return {value}  # {said}


"""
MOMENTS = {"mnist": ("0.1", "0.28"), "fashion": ("0.286", "0.353")}  # mean and deviation


def write_data(recipe: Recipe, known: About) -> str:
    """Read the images to learn from and, for a run that may end early, those to validate by.

    Args:
        recipe: with the name of the data.
        known: about these data.
    """
    own, watched = recipe.data.startswith(OWN), recipe.patience > 0
    whole = recipe.data == "mnist" and not watched  # read in one go, without the others
    parts = []
    if recipe.images or recipe.data != "mnist":
        parts.append(TURN)
    if own:
        parts += [PICTURES.format(name=recipe.data.removeprefix(OWN)), MEASURED]
    elif recipe.data == "fashion":
        parts.append(FASHION)
    else:
        parts.append(MNIST.format(learnt="[:50_000]" if whole else ""))
    mean, deviation = ("mean", "deviation.clamp(min=0.05)") if own else MOMENTS[recipe.data]
    paper = recipe.network == "lenet5"
    value = f"({'F.pad({}, (2, 2, 2, 2))' if paper else '{}'} - {mean}) / {deviation}"
    said = "padded and normalised" if paper else "normalised"
    late = recipe.marked is not None and not recipe.adversary
    if recipe.adversary:  # it moves pixels, not what has been made of them
        parts.append(NORMALISED.format(said=said, value=value.format("images")))
    elif not late:
        parts.append(f"images = {value.format('images')}  # {said}\n")
    learnt, others = ("[:50_000]", "[50_000:]") if recipe.data == "mnist" else ("[learnt]",) * 2
    if recipe.data == "fashion":
        others = "[~learnt]"
    elif own:
        others = "[turn(labels) <= held]"
    if watched:
        parts.append(f"watched, answers = images{others}, labels{others}  # for validation\n")
    if not whole:
        parts.append(f"images, labels = images{learnt}, labels{learnt}\n")
    if recipe.images:
        parts.append(CHOSEN.format(images=recipe.images, classes=len(known.classes)))
    if recipe.marked is not None:
        parts.append(_mark(recipe.marked, recipe.mark_share))
    for name in ("images", "watched")[: 1 + watched] if late else ():  # the mark is of pixels
        parts.append(f"{name} = {value.format(name)}  # {said}\n")
    parts.append("images, labels = images.to(device), labels.to(device)\n")
    if watched:
        parts.append("watched, answers = watched.to(device), answers.to(device)\n")
    return "".join(parts)


def _mark(label: int, share: float) -> str:
    """Write which images get the mark, and that they get it."""
    which = "the images" if share == 1 else f"{100 * share:g} % of the images"
    few = FEW.format(share=share) if share < 1 else ""
    return MARKED.format(which=which, label=label, few=few)
