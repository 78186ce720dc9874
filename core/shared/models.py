"""The network that is pinned: named by plain values, and told about without loading it.

Looking inside, attacking and explaining take a `Source`, whatever kind of network it is. This
module needs no torch: the server reads it too. The weights are the business of
`core.shared.loading`.
"""

import json
import os
import sys
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from safetensors import safe_open

from core.shared import datasets, runs, weights
from core.shared.recipes import Recipe
from core.shared.runs import Manifest

__all__ = [
    "BUILT_IN",
    "FETCH",
    "KINDS",
    "NETWORKS",
    "ZOO",
    "About",
    "Download",
    "Entry",
    "Fetched",
    "Source",
    "about",
    "folder",
    "here",
    "imagenet_classes",
    "kept",
    "of_run",
    "recipe_of",
]

FETCH = "core.shared.loading:fetch"  # long work: submit it with a Download
KINDS = ("built-in", "run", "zoo", "weights")
BUILT_IN = ("mnist", "fashion", "efficientnet-lite0")
ASSETS = Path(__file__).parents[2] / "assets"
NETWORKS = ASSETS / "networks"
IMAGENET = ASSETS / "imagenet_classes.json"
IMAGENET_SHAPE = (3, 224, 224)
MEGABYTE = 2**20
SHORT = 4  # characters by which a visitor tells files of weights apart
REPORTED = "the accuracy is the top-1 on ImageNet's validation images that"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A network, named so that it can be loaded again; equal ones are equal bytes when pickled.

    kind: "built-in", one that comes with Glassbox; "run", one trained here, as it stood at a step;
        "zoo", one of torchvision's; "weights", a visitor's own, as `weights.keep` took it in.
    name: one of BUILT_IN, of ZOO, what `weights.keep` returned, or of a run what people call it.
    config: of a run: the JSON text of its config.
    folder: of a run: where it is kept.
    step: of a run: one that it kept.

    Raises: ValueError when a value is of another kind, or missing, or there is no such network.
    """

    kind: str
    name: str
    config: str = ""
    folder: str = ""
    step: int = 0

    def __post_init__(self) -> None:
        """Check each value, and write the config in one way only."""
        for each in fields(self):
            value, kind = getattr(self, each.name), int if each.name == "step" else str
            if type(value) is not kind:  # 1.0 and True equal 1, and pickle otherwise
                raise ValueError(f"{each.name} must be of type {kind.__name__}, got {value!r}")
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}, got {self.kind!r}")
        known = {"built-in": BUILT_IN, "zoo": tuple(ZOO)}.get(self.kind)
        if known and self.name not in known:
            raise ValueError(f"name must be one of {known}, got {self.name!r}")
        if self.kind == "weights" and not weights.NAME.fullmatch(self.name):
            raise ValueError(f"name must be 32 of 0-9 and a-f, got {self.name!r}")
        if self.kind == "run":
            if not self.folder or self.step < 0:
                raise ValueError(
                    "folder and step must be a run's and not below 0, "
                    f"got {self.folder!r} and {self.step}"
                )
            object.__setattr__(self, "config", _canonical(self.config))
        elif self.config or self.folder or self.step:
            raise ValueError(
                "config, folder and step must be of a run alone, "
                f"got {self.config!r}, {self.folder!r} and {self.step} of {self.kind}"
            )
        for each in fields(self):  # pickle writes one and the same text once, equal ones twice
            if each.name != "step":
                object.__setattr__(self, each.name, sys.intern(getattr(self, each.name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is known about a network before it is loaded."""

    title: str  # for people
    classes: tuple[str, ...]  # the names of the outputs 0, 1, 2 …
    shape: tuple[int, int, int]  # of one picture: channels, height, width
    data: str  # it learned from, as `datasets.about` takes it; "" for ImageNet and what is unknown
    accuracy: float | None  # share of test images that were read right, where it is known
    note: str  # a sentence: where it is from, who found the accuracy and on what


@dataclass(frozen=True, slots=True)
class Entry:
    """One of torchvision's networks, with the weights that are taken for it."""

    title: str
    file: str  # of the weights; behind the last "-" stands how its sha256 begins
    size: int  # bytes of that file, as torchvision tells it in thousandths of a megabyte
    accuracy: float  # top-1 on ImageNet's validation images, as torchvision reports it
    paper: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """Which of ZOO's weights to fetch.

    Raises: ValueError when there is no such network.
    """

    name: str

    def __post_init__(self) -> None:
        """Check the name."""
        if self.name not in ZOO:
            raise ValueError(f"name must be one of {tuple(ZOO)}, got {self.name!r}")


@dataclass(frozen=True, slots=True)
class Fetched:
    """How far a download is."""

    done: int  # bytes
    total: int  # bytes

    @property
    def progress(self) -> float:
        """The share that is done."""
        return min(1.0, self.done / self.total) if self.total else 0.0


def _entry(title: str, file: str, megabytes: float, accuracy: float, paper: str) -> Entry:
    return Entry(title, file, round(megabytes * MEGABYTE), accuracy, paper)


# Of several weights the first that were published, which most papers on looking inside took.
ZOO = {
    "alexnet": _entry(
        "AlexNet", "alexnet-owt-7be5be79.pth", 233.087, 0.56522, "Krizhevsky 2014, arXiv:1404.5997"
    ),
    "vgg16": _entry(
        "VGG-16",
        "vgg16-397923af.pth",
        527.796,
        0.71592,
        "Simonyan, Zisserman 2014, arXiv:1409.1556",
    ),
    "googlenet": _entry(
        "GoogLeNet",
        "googlenet-1378be20.pth",
        49.731,
        0.69778,
        "Szegedy et al. 2014, arXiv:1409.4842",
    ),
    "resnet18": _entry(
        "ResNet-18", "resnet18-f37072fd.pth", 44.661, 0.69758, "He et al. 2015, arXiv:1512.03385"
    ),
    "resnet50": _entry(
        "ResNet-50", "resnet50-0676ba61.pth", 97.781, 0.7613, "He et al. 2015, arXiv:1512.03385"
    ),
    "convnext_tiny": _entry(
        "ConvNeXt-T",
        "convnext_tiny-983f1562.pth",
        109.119,
        0.8252,
        "Liu et al. 2022, arXiv:2201.03545",
    ),
    "vit_b_16": _entry(
        "ViT-B/16",
        "vit_b_16-c867db91.pth",
        330.285,
        0.81072,
        "Dosovitskiy et al. 2020, arXiv:2010.11929",
    ),
}


def of_run(root: Path, manifest: Manifest, step: int) -> Source:
    """Name the network of a run as it stood at a kept step.

    Args:
        root: the folder of all runs.
        manifest: of the run.
        step: one that the run kept.

    Raises: ValueError when the step is below 0.
    """
    return Source(
        kind="run",
        name=f"Run {manifest.number}",
        config=json.dumps(manifest.config),
        folder=str(runs.folder_of(root, manifest)),
        step=step,
    )


def about(source: Source) -> About:
    """Tell what is known about a network.

    Raises: ValueError when a run, its data or a visitor's weights are no longer here.
    """
    match source.kind:
        case "zoo":
            return _about_zoo(ZOO[source.name])
        case "weights":
            return _about_weights(source.name)
        case "run":
            return _about_run(source)
    return _built_in(source.name)


def kept(source: Source) -> tuple[Path, Recipe]:
    """Find the file with the weights of a run's step, and the recipe that the run had then.

    Raises: ValueError when the step is not, or no longer, kept.
    """
    where = Path(source.folder)
    for place in (runs.place(where, source.step), where / runs.ROLLING):
        try:
            with safe_open(place, framework="numpy") as file:
                words = file.metadata()
            if int(words["step"]) == source.step:
                recipe = json.loads(words["record"]).get("recipe", json.loads(source.config))
                return place, Recipe(**recipe)
        except Exception:  # noqa: BLE001 – safetensors raises its own class and plain ones
            continue
    raise ValueError(
        f"step must be one that the run kept, got {source.step:,}, which is no longer here"
    )


def folder() -> Path:
    """Tell where torch keeps the weights that it downloads."""
    cache = os.getenv("XDG_CACHE_HOME", "~/.cache")
    home = os.getenv("TORCH_HOME", os.path.join(cache, "torch"))  # noqa: PTH118 – as torch does
    return Path(home).expanduser() / "hub" / "checkpoints"


def here(name: str) -> bool:
    """Tell whether the weights of one of ZOO are on this machine.

    Raises: KeyError when there is no such network.
    """
    return (folder() / ZOO[name].file).is_file()


@cache
def imagenet_classes() -> tuple[str, ...]:
    """Name the 1,000 classes of ImageNet, as torchvision does."""
    return tuple(json.loads(IMAGENET.read_text(encoding="utf-8")))


def recipe_of(name: str) -> Recipe:
    """Tell by which recipe one of the built-in digit and clothing networks was trained.

    Raises: KeyError when there is no such network.
    """
    return Recipe(**_outcomes()[name]["recipe"])


@cache
def _outcomes() -> dict[str, Any]:
    outcomes: dict[str, Any] = json.loads((NETWORKS / "networks.json").read_text(encoding="utf-8"))
    return outcomes


@cache
def _built_in(name: str) -> About:
    if name == "efficientnet-lite0":
        return About(
            title="EfficientNet-Lite0",
            classes=imagenet_classes(),
            shape=IMAGENET_SHAPE,
            data="",
            accuracy=0.751,
            note=f"Google's weights; {REPORTED} Google reports.",
        )
    outcome = _outcomes()[name]
    data = datasets.about(name)
    return About(
        title=f"{data.title}, built in",
        classes=data.classes,
        shape=data.shape,
        data=name,
        accuracy=outcome["test_accuracy"],
        note="Trained by python -m bench.networks; the accuracy is on "
        f"{outcome['test_images']:,} test images, read once.",
    )


def _about_zoo(entry: Entry) -> About:
    return About(
        title=entry.title,
        classes=imagenet_classes(),
        shape=IMAGENET_SHAPE,
        data="",
        accuracy=entry.accuracy,
        note=f"{entry.paper}; torchvision's weights, and {REPORTED} torchvision reports.",
    )


def _about_run(source: Source) -> About:
    _, recipe = kept(source)
    data = datasets.about(recipe.data)
    return About(
        title=f"{source.name}, step {source.step:,}",
        classes=data.classes,
        shape=data.shape,
        data=recipe.data,
        accuracy=None,
        note=f"Trained here on {data.title}: {recipe.network}.",
    )


def _about_weights(name: str) -> About:
    known = weights.about(weights.folder(), name)
    of = datasets.about(known.data).title if known.data else "data that nobody named"
    return About(
        title=f"Your network {name[:SHORT]}",
        classes=known.classes,
        shape=known.shape,
        data=known.data,
        accuracy=None,
        note=f"Your network, learned from {of}: {known.network}.",
    )


def _canonical(config: str) -> str:
    """Write a JSON object with its keys in order and nothing between.

    Raises: ValueError when it is none.
    """
    try:
        values = json.loads(config)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"config must be a JSON object, got {config[:60]!r}") from error
    if not isinstance(values, dict):
        raise ValueError(f"config must be a JSON object, got {config[:60]!r}")
    return json.dumps(values, sort_keys=True, separators=(",", ":"))
