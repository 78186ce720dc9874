"""A network is named by plain values, and what is told about it without loading it is so."""

import json
import pickle
import subprocess
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from safetensors.torch import save

from core.shared import datasets, models, runs, snapshots, weights
from core.shared.models import BUILT_IN, ZOO, About, Download, Fetched, Source, about
from core.shared.recipes import Recipe
from core.shared.runs import Manifest
from core.shared.vision_library import torchvision
from core.train_cnn import learning

ROOT = Path(__file__).parents[2]
RUN = {"kind": "run", "name": "Run 1", "config": '{"epochs": 1}', "folder": "/runs/a/b", "step": 5}


def again(values: dict[str, Any]) -> dict[str, Any]:
    """Make equal values that are other objects."""
    return {
        key: "".join(list(each)) if isinstance(each, str) else each for key, each in values.items()
    }


@settings(deadline=None, derandomize=True)
@given(
    name=some.text(max_size=9),
    folder=some.text(min_size=1, max_size=9),
    step=some.integers(0, 10**6),
    config=some.dictionaries(some.text(max_size=3), some.integers() | some.text(max_size=3)),
)
def test_equal_sources_are_equal_bytes_also_after_a_journey(
    name: str, folder: str, step: int, config: dict[str, int | str]
) -> None:
    values = {"kind": "run", "name": name, "folder": folder, "step": step}
    one = Source(config=json.dumps(config), **again(values))
    other = Source(config=json.dumps(dict(reversed(config.items())), indent=1), **again(values))
    assert (one, hash(one)) == (other, hash(other))
    assert pickle.dumps(one) == pickle.dumps(other)
    assert pickle.dumps(pickle.loads(pickle.dumps(one))) == pickle.dumps(one)
    assert json.loads(one.config) == config
    assert Source(**asdict(one)) == one


def test_equal_texts_alone_need_not_be_equal_bytes() -> None:
    """So the test above can fail."""
    word, same = ("".join(["folder", "name"]) for _ in range(2))
    assert pickle.dumps((word, word)) != pickle.dumps((word, same))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"kind": "file"}, "kind must be one of"),
        ({"kind": "built-in", "name": "cifar"}, "name must be one of"),
        ({"kind": "zoo", "name": "mnist"}, "name must be one of"),
        ({"kind": "weights", "name": "../x"}, "name must be 32 of 0-9"),
        ({"kind": "built-in", "name": "mnist", "step": 3}, "must be of a run alone"),
        ({"kind": "built-in", "name": "mnist", "step": False}, "step must be of type int"),
        (RUN | {"step": -1}, "folder and step must be a run's"),
        (RUN | {"folder": ""}, "folder and step must be a run's"),
        (RUN | {"config": "[1]"}, "config must be a JSON object"),
        (RUN | {"config": "{"}, "config must be a JSON object"),
        (RUN | {"config": "[" * 10**5}, "config must be a JSON object"),
    ],
)
def test_what_names_no_network_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Source(**({"name": "mnist"} | wrong))


def test_the_classes_of_imagenet_are_torchvisions() -> None:
    names = torchvision.models.AlexNet_Weights.DEFAULT.meta["categories"]
    assert models.imagenet_classes() == tuple(names)
    assert len(set(names)) == 1000


@pytest.mark.parametrize("name", ZOO)
def test_the_zoo_is_told_about_as_torchvision_does(name: str) -> None:
    published = next(iter(torchvision.models.get_model_weights(name)))
    entry, told = ZOO[name], about(Source(kind="zoo", name=name))
    assert published.url == f"https://download.pytorch.org/models/{entry.file}"
    assert entry.size / 2**20 == pytest.approx(published.meta["_file_size"], abs=1e-5)
    assert told.accuracy == pytest.approx(published.meta["_metrics"]["ImageNet-1K"]["acc@1"] / 100)
    assert told.classes == tuple(published.meta["categories"])
    assert told.shape == (3, *published.transforms().crop_size * 2)
    assert (told.title, told.data) == (entry.title, "")


def test_every_built_in_network_is_told_about() -> None:
    known = {name: about(Source(kind="built-in", name=name)) for name in BUILT_IN}
    for name in ("mnist", "fashion"):
        of = datasets.about(name)
        assert (known[name].classes, known[name].shape) == (of.classes, of.shape)
        assert known[name].data == name
    assert [
        (each.accuracy or 0) >= least
        for each, least in zip(known.values(), (0.992, 0.9, 0.75), strict=True)
    ] == [True] * 3
    assert len(known["efficientnet-lite0"].classes) == 1000


def test_the_files_of_the_built_in_networks_are_small() -> None:
    files = list(models.NETWORKS.glob("*.safetensors"))
    assert {file.stem for file in files} == {"mnist", "fashion"}
    assert all(file.stat().st_size < 2**20 for file in files)


@pytest.mark.parametrize(
    "variables",
    [{}, {"XDG_CACHE_HOME": "/tmp/cache"}, {"TORCH_HOME": "~/torch", "XDG_CACHE_HOME": "/tmp/x"}],
)
def test_weights_are_sought_where_torch_keeps_them(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_CACHE_HOME", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert models.folder() == Path(torch.hub.get_dir()) / "checkpoints"


def test_weights_are_here_once_their_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert not models.here("resnet18")
    models.folder().mkdir(parents=True)
    (models.folder() / "resnet18-f37072fd.pth").touch()
    assert models.here("resnet18")
    assert not models.here("resnet50")


def manifest(recipe: Recipe) -> Manifest:
    return Manifest(
        run="r",
        visitor="v",
        function="core.train_cnn.learning:train",
        config=asdict(recipe),
        status="finished",
        started=0.0,
        number=7,
    )


def test_a_run_is_told_about_as_it_was_at_its_step(tmp_path: Path) -> None:
    """Before a branch it may have had other data."""
    before = Recipe(data="mnist", network="fc4", images=100)
    after = replace(before, data="fashion")
    folder = runs.folder_of(tmp_path, manifest(after))
    folder.mkdir(parents=True)
    training = learning.begin(before, None).training
    snapshots.write(folder, training.snapshot())
    training.advance()
    branched = learning.begin(after, training.snapshot()).training
    branched.advance()
    snapshots.write(folder, branched.snapshot(), rolling=True)
    old, new = (about(models.of_run(tmp_path, manifest(after), step)) for step in (0, 2))
    assert (old.title, old.data, old.classes[0]) == ("Run 7, step 0", "mnist", "0")
    assert (new.title, new.data, new.classes[0]) == ("Run 7, step 2", "fashion", "T-shirt/top")
    assert new.accuracy is None
    with pytest.raises(ValueError, match="step must be one that the run kept, got 1,"):
        about(models.of_run(tmp_path, manifest(after), 1))


def test_own_weights_are_told_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSBOX_RUNS", str(tmp_path))
    network = learning.begin(
        Recipe(network=weights.NETWORKS["the table mlp"]), None
    ).training.network
    content = save(network.state_dict())
    known = [
        about(Source(kind="weights", name=weights.keep(weights.folder(), content, data)))
        for data in ("", "fashion")
    ]
    assert [each.data for each in known] == ["", "fashion"]
    assert [each.classes[0] for each in known] == ["0", "T-shirt/top"]
    assert "data that nobody named" in known[0].note
    with pytest.raises(ValueError, match="no longer on the server"):
        about(Source(kind="weights", name="0" * 32))


def test_notes_are_sentences_and_what_is_told_goes_over_to_the_page() -> None:
    sources = [Source(kind="built-in", name=name) for name in BUILT_IN]
    sources += [Source(kind="zoo", name=name) for name in ZOO]
    for source in sources:
        told = about(source)
        assert told.note.endswith(".")
        assert all(told.title and each for each in told.classes)
        assert pickle.loads(pickle.dumps(told)) == told
    assert {each.name for each in fields(About)} >= {"title", "classes", "shape", "data"}


def test_a_download_knows_its_networks_and_its_share() -> None:
    assert Download(name="vgg16").name == "vgg16"
    with pytest.raises(ValueError, match="name must be one of"):
        Download(name="vgg19")
    assert [Fetched(*given).progress for given in ((0, 0), (1, 4), (9, 4))] == [0, 0.25, 1]


def test_the_server_names_networks_and_takes_weights_without_torch() -> None:
    program = """
import sys
from core.shared import models, weights
models.about(models.Source(kind="built-in", name="efficientnet-lite0"))
models.about(models.Source(kind="built-in", name="mnist"))
models.here("vgg16")
print("torch" in sys.modules, "streamlit" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["False", "False"], done.stderr
