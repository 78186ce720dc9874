"""What the settings of a run may be, their names, and the address that holds them."""

from typing import Any
from urllib.parse import urlencode

from core.shared import layers, recipes
from core.shared.recipes import Recipe
from ui import words

__all__ = [
    "AS_IS",
    "CHOICES",
    "COUNTS",
    "DROPOUTS",
    "L1",
    "MARK_SHARES",
    "NAMES",
    "NETWORKS",
    "PATIENCES",
    "PLAIN",
    "SMOOTHINGS",
    "called",
    "change",
    "link",
    "said",
]

NETWORKS = ("lenet5", "mlp", "vgg", "resnet", "inception", "separable", "own")
COUNTS = (0, 100, 500, 1000, 2000, 5000, 10_000)  # training images; 0 for all
DROPOUTS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7)
L1 = (0.0, 1e-6, 1e-5, 1e-4, 1e-3)
SMOOTHINGS = (0.0, 0.05, 0.1, 0.2)
PATIENCES = (0, 1, 2, 3, 5, 10)
MARK_SHARES = (1.0, 0.5, 0.25, 0.1)
CALLED = {"marked": "marked class", "mark_share": "share that is marked"}  # fields, in words
AS_IS = "table"  # an activation or a normalisation as the network's table has it
NAMES = {
    "nesterov": "SGD, Nesterov",
    "momentum": "SGD, momentum",
    "sgd": "SGD",
    "adagrad": "Adagrad",
    "rmsprop": "RMSProp",
    "adam": "Adam",
    "adamw": "AdamW",
    "linear": "rise, then fall",
    "constant": "constant",
    "warm-up": "rise, then stay",
    "cosine": "half a cosine",
    "one-cycle": "one cycle",
    "step": "in three steps",
    "cross-entropy": "cross-entropy",
    "squared": "squared error",
    "lecun": "1/fan-in (LeCun)",
    "glorot": "2/(fan-in + fan-out) (Glorot)",
    "he": "2/fan-in (He)",
    "small": "too small, σ = 0.01",
    "zeros": "all zero",
    "mnist": "MNIST digits",
    "fashion": "Fashion-MNIST, a subset",
    "lenet5": "LeNet-5",
    "mlp": "MLP, 300 and 100 units",
    "vgg": "VGG, small",
    "resnet": "ResNet, 20 layers",
    "inception": "Inception",
    "separable": "Depthwise separable",
    "own": "Own layer table",
    "table": "as in its table",
    "none": "none",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "relu": "ReLU",
    "leaky": "leaky ReLU",
    "gelu": "GELU",
    "batch": "batch",
    "layer": "layer",
    "group": "group",
    "": "none",
    "fgsm": "FGSM",
    "fast": "fast FGSM",
    "pgd": "PGD, 7 steps",
}
NAMES |= {table: NAMES[name] for name, table in layers.PRESETS.items() if name in NAMES}
PLAIN = layers.PRESETS["resnet"].replace("res", "plain")
NAMES[PLAIN] = "no shortcuts, 20 layers"
# What a twin or a branch may have otherwise, with the values that it may have.
CHOICES: dict[str, tuple[Any, ...]] = {
    "learning_rate": recipes.RATES,
    "momentum": recipes.MOMENTA,
    "batch_size": recipes.BATCHES,
    "optimiser": recipes.OPTIMISERS,
    "schedule": recipes.SCHEDULES,
    "weight_decay": recipes.DECAYS,
    "l1": L1,
    "dropout": DROPOUTS,
    "smoothing": SMOOTHINGS,
    "loss": recipes.LOSSES,
    "initialisation": recipes.INITIALISATIONS,
    "adversary": recipes.ADVERSARIES,
    "epsilon": recipes.EPSILONS,
    "marked": (None, *range(10)),
    "mark_share": MARK_SHARES,
    "patience": PATIENCES,
    "epochs": (1, 2, 3, 5, 10, 20, 50, 100),
    "seed": tuple(range(10)),
    "network": (
        "lenet5",
        *(layers.PRESETS[name] for name in NETWORKS if name in layers.PRESETS and name != "lenet5"),
        PLAIN,
    ),
    "images": COUNTS,
}

KEYS = {  # of the widgets that stand for a field, the network's apart
    "data": "train_data",
    "images": "train_images",
    "initialisation": "train_initial",
    "dropout": "train_dropout",
    "loss": "train_loss",
    "smoothing": "train_smoothing",
    "learning_rate": "train_rate",
    "momentum": "train_momentum",
    "batch_size": "train_batch",
    "optimiser": "train_optimiser",
    "schedule": "train_schedule",
    "weight_decay": "train_decay",
    "l1": "train_l1",
    "epochs": "train_epochs",
    "adversary": "train_adversary",
    "epsilon": "train_epsilon",
    "marked": "train_marked",
    "mark_share": "train_mark_share",
    "patience": "train_patience",
    "seed": "train_seed",
}


def called(field: str) -> str:
    """Say a field of a recipe in words."""
    return CALLED.get(field, words.spaced(field))


def said(field: str, value: Any) -> str:
    """Say a value of CHOICES in words."""
    if field == "images":
        return f"{value:,}" if value else "all"
    if field == "epsilon":
        return f"{255 * value:g}/255"
    if field == "mark_share":
        return f"{100 * value:g} %"
    return NAMES["none"] if value is None else NAMES.get(value, str(value))


def change(what: str, value: str) -> tuple[str, Any]:
    """Read one change off its words in an address; what cannot be read is the first there is."""
    field = what if what in CHOICES else next(iter(CHOICES))
    named = {said(field, each): each for each in CHOICES[field]}
    return field, named.get(value, CHOICES[field][0])


def link(recipe: Recipe) -> str:
    """Write the address of the page with the settings of a recipe."""
    usual = Recipe()
    query = {}
    for name, key in KEYS.items():
        value = getattr(recipe, name)
        if value != getattr(usual, name):
            query[key] = value if name == "data" else said(name, value)
    if recipe.network != usual.network:
        query |= {"train_network": NAMES["own"], "train_table": recipe.network}
    return f"?{urlencode(query)}"
