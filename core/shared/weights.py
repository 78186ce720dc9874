"""A visitor's own weights: a safetensors file is matched with a network of the panel, and kept.

Nothing is ever unpickled. What is kept is one safetensors file under the hash of what is in it:

    folder()/0123456789abcdef0123456789abcdef.safetensors

This module needs no torch: the server reads it too.
"""

import hashlib
import json
import math
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import deserialize, safe_open
from safetensors.numpy import save_file

from core.shared import datasets, parameters, uploads, zips
from core.shared.arithmetic import MOST_AN_IMAGE, arithmetic
from core.shared.layers import PRESETS
from core.shared.recipes import Recipe
from core.shared.runs import atomically
from core.shared.uploads import NAME

__all__ = ["NAME", "About", "about", "folder", "keep", "load"]

MEGABYTE = 2**20
LARGEST = 64 * MEGABYTE  # bytes of the upload
HEADER = MEGABYTE  # bytes of the part that tells names, types and shapes
RUN_JSON = 4 * MEGABYTE  # bytes, unpacked
LENGTH = 8  # bytes before the header, which tell its length
CLASSES = (2, 20)
RANK = 4  # of a convolution's weights, which have the most sizes
SIDE = 28  # pixels
TYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8"}
WEIGHTS, RUN = "weights.safetensors", "run.json"  # in the zip that a run is exported to
ACCEPTED = "a safetensors file, or the zip that Train a CNN exports"
NETWORKS = {
    "LeNet-5": "lenet5",
    **{f"the table {name}": table for name, table in PRESETS.items()},
    "the table resnet without shortcuts": PRESETS["resnet"].replace("res", "plain"),
    "the built-in networks": "conv16-p1-batch-relu,conv16-p1-batch-relu,max2,conv32-p1-batch-relu,"
    "conv32-p1-batch-relu,max2,conv64-p1-batch-relu,conv64-p1-batch-relu,global",
}

_keeping = threading.Lock()  # sessions are threads of one process, and two may count the same room

Tensors = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is known about a visitor's weights."""

    network: str  # "lenet5" or a table, as `layers.parse` reads it
    shape: tuple[int, int, int]  # of one picture: channels, height, width
    classes: tuple[str, ...]  # the names of the outputs 0, 1, 2 …
    data: str  # they learned from, as `datasets.about` takes it; "" where nobody said


def keep(folder: Path, content: bytes, data: str = "") -> str:
    """Find the network that weights are for, and keep them.

    Args:
        folder: where; see `folder`.
        content: of a safetensors file for one of NETWORKS, or of the zip that
            a run is exported to, which brings its own table.
        data: that the weights of a bare file learned from, as `datasets.about` takes it; where it
            is "", the classes have numbers for names, and pixels are normalised as MNIST's are.

    Returns: the name, for `load`.
    Raises: ValueError, one sentence that says what is wrong with the file and what is accepted.
    """
    if len(content) > LARGEST:
        raise ValueError(
            f"the file must have at most {LARGEST // MEGABYTE} MB, "
            f"got {len(content) / MEGABYTE:.0f} MB"
        )
    if zips.begins(content):
        packed, recipe = _unpack(content)
        tensors = _read(packed)
        known = _of_recipe(recipe, tensors)
    else:
        tensors = _read(content)
        known = _recognise(tensors, data)
    words = {"weights": json.dumps(asdict(known))}
    name = _hash(words, tensors)
    place = folder / f"{name}.safetensors"
    with _keeping:
        folder.mkdir(parents=True, exist_ok=True)
        needed = sum(each.nbytes for each in tensors.values()) + 2**16
        uploads.make_room(folder, place, needed, "the weights", "send a smaller file")
        atomically(place, lambda beside: save_file(dict(tensors), beside, metadata=words))
    return name


def about(folder: Path, name: str) -> About:
    """Tell what is known about weights that were kept.

    Raises: ValueError when the name is none, or the file has gone.
    """
    place = _place(folder, name)
    try:
        with safe_open(place, framework="numpy") as file:
            return _about(file.metadata())
    except Exception as error:  # safetensors raises its own class and plain ones
        raise _gone() from error


def load(folder: Path, name: str) -> tuple[About, Tensors]:
    """Read weights that were kept, and note that they are in use.

    Returns: what is known about them, and the tensors of the network's state_dict.
    Raises: ValueError when the name is none, or the file has gone or is not what was written.
    """
    place = _place(folder, name)
    try:
        with safe_open(place, framework="numpy") as file:
            words = file.metadata()
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        if _hash(words, tensors) != name:
            raise ValueError("the file is not what was written")
        known = _about(words)
    except Exception as error:  # safetensors raises its own class and plain ones
        raise _gone() from error
    with suppress(OSError):  # it went meanwhile, or the disk is read-only
        os.utime(place)
    return known, tensors


def folder() -> Path:
    """Tell where weights are kept: beside the visitors' pictures."""
    return uploads.folder().with_name(".weights")


def _place(folder: Path, name: str) -> Path:
    if not NAME.fullmatch(name):
        raise ValueError(f"name must be 32 of 0-9 and a-f, got {zips.printable(name)}")
    return folder / f"{name}.safetensors"


def _gone() -> ValueError:
    return ValueError("these weights are no longer on the server: upload the file again")


def _about(words: Mapping[str, str]) -> About:
    known = json.loads(words["weights"])
    channels, height, width = known["shape"]
    return About(
        network=known["network"],
        shape=(channels, height, width),
        classes=tuple(known["classes"]),
        data=known["data"],
    )


def _unpack(content: bytes) -> tuple[bytes, Recipe]:
    """Take the weights and the recipe out of the zip of a run."""
    try:
        found = {each.name: each for each in zips.entries(content)}
        packed, words = found[WEIGHTS], found[RUN]
        if words.size > RUN_JSON:
            raise ValueError(f"{RUN} is too large")
        values = json.loads(zips.unpack(words))["recipe"]
        weights = zips.unpack(packed)
    except Exception as error:  # json raises whatever it stumbles over
        raise ValueError(
            f"the zip must hold {WEIGHTS} and {RUN} as Train a CNN exports them, "
            "got none of them, damaged or too large ones"
        ) from error
    try:
        return weights, Recipe(**values)
    except (TypeError, ValueError) as error:
        told = f": {error}" if isinstance(error, ValueError) else ""
        raise ValueError(f"{RUN} must have a recipe of this version, got another{told}") from error


def _read(content: bytes) -> dict[str, np.ndarray]:
    """Read every tensor of a safetensors file, as float32 but for the counters."""
    length = int.from_bytes(content[:LENGTH], "little")
    if len(content) < LENGTH or not 0 < length <= min(HEADER, len(content) - LENGTH):
        raise ValueError(f"the file must be {ACCEPTED}, got something else")
    try:
        found = deserialize(content)  # type: ignore[no-untyped-call] # it ships no types
    except Exception as error:  # it raises a class of its own, and whatever it stumbles over
        raise ValueError(f"the file must be {ACCEPTED}, got a damaged one") from error
    tensors = {}
    for name, tensor in sorted(found, key=lambda each: str(each[0])):
        shown = zips.printable(name)
        counter = name.rpartition(".")[2] == parameters.COUNTER
        if tensor["dtype"] not in TYPES or (tensor["dtype"] == "I64") != counter:
            raise ValueError(
                "each tensor must be float32, float16 or bfloat16, "
                f"got {tensor['dtype']} for {shown}"
            )
        if len(tensor["shape"]) > RANK:
            raise ValueError(
                f"each tensor must have at most {RANK} sizes, "
                f"got {len(tensor['shape'])} for {shown}"
            )
        values = _values(tensor)
        if not np.isfinite(values).all():
            raise ValueError(f"each weight must be a finite number, got another in {shown}")
        if name.endswith("running_var") and (values < 0).any():
            raise ValueError(f"each variance must be at least 0, got a lower one in {shown}")
        tensors[name] = values
    return tensors


def _values(tensor: Mapping[str, Any]) -> np.ndarray:
    values = np.frombuffer(tensor["data"], dtype=TYPES[tensor["dtype"]]).reshape(tensor["shape"])
    match tensor["dtype"]:
        case "I64":
            return values.astype(np.int64)
        case "BF16":  # the upper half of a float32
            return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32)


def _recognise(tensors: Tensors, data: str) -> About:
    """Find the network of NETWORKS that has these tensors, or tell what the nearest lacks."""
    nearest: tuple[int, str, str] | None = None
    for title, network in NETWORKS.items():
        for channels in (1, 3):
            shape = (channels, SIDE, SIDE)
            wrong = _compare(tensors, network, shape)
            if not wrong:
                return _named(network, shape, _outputs(tensors), data)
            if nearest is None or len(wrong) < nearest[0]:
                nearest = len(wrong), title, wrong[0]
    _, title, first = nearest or (0, "", "")
    raise ValueError(
        "the weights must fit LeNet-5, a table of Train a CNN or a built-in network, got some "
        f"whose nearest is {title}, but {first}"
    )


def _named(network: str, shape: tuple[int, int, int], classes: int, data: str) -> About:
    if not data:
        return About(network=network, shape=shape, classes=tuple(map(str, range(classes))), data="")
    known = datasets.about(data)
    if (known.shape, len(known.classes)) != (shape, classes):
        raise ValueError(
            f"data must have pictures of shape {shape} and {classes} classes, as the weights, "
            f"got {data!r} with {known.shape} and {len(known.classes)}"
        )
    return About(network=network, shape=shape, classes=known.classes, data=data)


def _of_recipe(recipe: Recipe, tensors: Tensors) -> About:
    known = datasets.about(recipe.data)
    wrong = _compare(tensors, recipe.network, known.shape, len(known.classes))
    if wrong:
        raise ValueError(f"{WEIGHTS} must fit the network of {RUN}, but {wrong[0]}")
    rows = arithmetic(recipe.network, known.shape, len(known.classes))
    values = sum(math.prod(row.shape) for row in rows)
    if values > MOST_AN_IMAGE:
        raise ValueError(
            f"the network of {RUN} must put out at most {MOST_AN_IMAGE:,} values an image, "
            f"got {values:,}"
        )
    return About(network=recipe.network, shape=known.shape, classes=known.classes, data=recipe.data)


def _compare(
    tensors: Tensors, network: str, shape: tuple[int, int, int], classes: int = 0
) -> list[str]:
    """Say what differs from the network's tensors, in its order.

    Where classes is 0, there are as many as the output has.
    """
    wanted = parameters.shapes(network, shape, classes or _outputs(tensors))
    wrong = []
    for name, size in wanted.items():
        if name not in tensors:
            if not name.endswith(parameters.COUNTER):
                wrong.append(f"{name} is missing")
        elif tensors[name].shape != size:
            wrong.append(f"{name} has shape {tensors[name].shape} instead of {size}")
    return wrong + [
        f"{zips.printable(name)} is not of it" for name in tensors if name not in wanted
    ]


def _outputs(tensors: Tensors) -> int:
    """Count the classes, where there are as many as there can be; else take ten."""
    least, most = CLASSES
    for name in ("output.weight", "output.1.weight"):
        shape = tensors[name].shape if name in tensors else ()
        if shape and least <= shape[0] <= most:
            return int(shape[0])
    return 10


def _hash(words: Mapping[str, str], tensors: Tensors) -> str:
    content = hashlib.sha256(words["weights"].encode())
    for name in sorted(tensors):
        values = tensors[name]
        content.update(json.dumps([name, values.shape, str(values.dtype)]).encode())
        content.update(np.ascontiguousarray(values).data)
    return content.hexdigest()[:32]
