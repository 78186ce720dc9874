"""Weights from outside find their network, come back as they were, or are refused in a sentence."""

import io
import json
import os
import random
import time
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from core.shared import datasets, models, networks, snapshots, uploads, weights
from core.shared.parameters import COUNTER
from core.shared.recipes import Recipe
from core.shared.weights import keep, load
from core.train_cnn import learning, replaying

State = dict[str, torch.Tensor]
SMALL = "the table mlp"


def state(title: str = "LeNet-5", channels: int = 1, classes: int = 10) -> State:
    network = networks.build(
        weights.NETWORKS[title],
        torch.Generator().manual_seed(3),
        shape=(channels, 28, 28),
        classes=classes,
    )
    return network.state_dict()


def is_one_sentence(text: str) -> bool:
    return "\n" not in text and 20 < len(text) < 400 and text.isprintable()


def refusal(folder: Path, content: bytes, data: str = "") -> str:
    with pytest.raises(ValueError, match=" ") as caught:
        keep(folder, content, data)
    assert is_one_sentence(str(caught.value))
    assert not list(folder.glob("*"))
    return str(caught.value)


@pytest.mark.parametrize("title", weights.NETWORKS)
@pytest.mark.parametrize(("channels", "classes"), [(1, 10), (3, 2), (1, 20)])
def test_each_network_is_known_by_its_tensors(
    title: str, channels: int, classes: int, tmp_path: Path
) -> None:
    given = state(title, channels, classes)
    known, tensors = load(tmp_path, name := keep(tmp_path, save(given)))
    assert known == weights.about(tmp_path, name)
    assert known.network == weights.NETWORKS[title]
    assert known.shape == (channels, 28, 28)
    assert known.classes == tuple(map(str, range(classes)))
    assert tensors.keys() == given.keys()
    for key, value in given.items():
        np.testing.assert_array_equal(tensors[key], value.numpy())


def test_the_built_in_networks_own_files_can_be_given_back(tmp_path: Path) -> None:
    for name in ("mnist", "fashion"):
        content = (models.NETWORKS / f"{name}.safetensors").read_bytes()
        known, _ = load(tmp_path, keep(tmp_path, content, name))
        assert known.network == models.recipe_of(name).network
        assert known.classes == datasets.about(name).classes


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_single(dtype: torch.dtype, tmp_path: Path) -> None:
    given = {key: value.to(dtype) for key, value in state(SMALL).items()}
    _, tensors = load(tmp_path, keep(tmp_path, save(given)))
    for key, value in given.items():
        assert tensors[key].dtype == np.float32
        np.testing.assert_array_equal(tensors[key], value.float().numpy())


def test_the_counters_of_batch_normalisation_may_be_missing(tmp_path: Path) -> None:
    given = {key: each for key, each in state("the table vgg").items() if COUNTER not in key}
    known, _ = load(tmp_path, keep(tmp_path, save(given)))
    assert known.network == weights.NETWORKS["the table vgg"]


def test_the_data_are_named_by_whoever_sends_the_file(tmp_path: Path) -> None:
    content = save(state(SMALL))
    known, _ = load(tmp_path, keep(tmp_path, content, "fashion"))
    assert (known.data, known.classes[0]) == ("fashion", "T-shirt/top")
    assert keep(tmp_path, content) != keep(tmp_path, content, "mnist")
    other = tmp_path / "other"
    assert "as the weights, got 'mnist'" in refusal(other, save(state(SMALL, 3)), "mnist")
    assert "dataset must be" in refusal(other, content, "cifar")


def exported(folder: Path, recipe: Recipe) -> bytes:
    """Take a run away after its first steps."""
    training = learning.begin(recipe, None).training
    training.advance()
    folder.mkdir()
    snapshots.write(folder, training.snapshot(), rolling=True)
    return replaying.export(asdict(recipe), str(folder), 1)


def test_an_exported_run_brings_its_own_table_and_data(tmp_path: Path) -> None:
    recipe = Recipe(data="fashion", network="conv3-s3-gelu,fc9-layer-tanh", images=100)
    content = exported(tmp_path / "run", recipe)
    known, tensors = load(tmp_path, keep(tmp_path, content))
    assert (known.network, known.data) == (recipe.network, "fashion")
    assert known.classes[1] == "Trouser"
    assert "fc2.2.weight" in tensors


def repacked(content: bytes, **changed: bytes | None) -> bytes:
    """Pack a run's zip anew with other contents of "weights" or "run"; None leaves it out."""
    names = {"weights": "weights.safetensors", "run": "run.json"}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {key: archive.read(name) for key, name in names.items()} | changed
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for key, part in parts.items():
            if part is not None:
                packed.writestr(names[key], part)
    return file.getvalue()


def test_what_is_wrong_with_a_zip_is_said(tmp_path: Path) -> None:
    whole = exported(tmp_path / "run", Recipe(network="fc5", images=100))
    here = tmp_path / "here"

    def run(**recipe: object) -> bytes:
        return json.dumps({"recipe": recipe}).encode()

    for content, words in (
        (repacked(whole, run=None), "got none of them, damaged"),
        (repacked(whole, weights=None), "got none of them, damaged"),
        (repacked(whole, run=b"{"), "got none of them, damaged"),
        (repacked(whole, run=b"[" * 100_000), "got none of them, damaged"),
        (repacked(whole, run=b" " * (weights.RUN_JSON + 1)), "too large ones"),
        (whole[: len(whole) // 2], "got none of them, damaged"),
        (b"PK\x03\x04", "got none of them, damaged"),
        (repacked(whole, run=run(speed=1)), "a recipe of this version, got another"),
        (repacked(whole, run=run(epochs=0)), "epochs must be"),
        (repacked(whole, run=b'{"recipe": [1]}'), "a recipe of this version"),
        (repacked(whole, run=run(network="fc6")), "fc1.1.weight has shape (5, 784) instead of"),
        (repacked(whole, run=run(network="fc5-x")), "row 1"),
        (repacked(whole, run=run(data="own-" + "0" * 32)), "no longer on the server"),
        (repacked(whole, weights=b"not weights"), "the file must be a safetensors file"),
    ):
        assert words in refusal(here, content)


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    good = state()
    weight = good["C1.0.weight"]
    less = {key: value for key, value in good.items() if key != "C3.0.bias"}
    wide = {"fc1.1.weight": torch.zeros(300, 784), "fc1.1.bias": torch.zeros(300)}
    for given, words in (
        (less, "nearest is LeNet-5, but C3.0.bias is missing"),
        (good | {"extra": weight.clone()}, "nearest is LeNet-5, but extra is not of it"),
        (
            good | {"C1.0.weight": weight[:5].clone()},
            "C1.0.weight has shape (5, 1, 5, 5) instead",
        ),
        (wide, "nearest is the table mlp, but fc2.1.weight is missing"),
        (state(classes=21), "but output.weight has shape (21, 84) instead of (10, 84)"),
        (state(classes=1), "but output.weight has shape (1, 84) instead of (10, 84)"),
        (
            good | {"C1.0.weight": weight / 0},
            "must be a finite number, got another in C1.0.weight",
        ),
        (good | {"C1.0.weight": weight.double()}, "got F64 for C1.0.weight"),
        (good | {"C1.0.weight": torch.zeros(6, 1, 5, 5, dtype=torch.int64)}, "got I64 for"),
        (good | {"a": torch.zeros([1] * 70)}, "at most 4 sizes, got 70 for a"),
        (good | {"\n" * 500: weight.clone()}, "is not of it"),
        ({}, "is missing"),
    ):
        assert words in refusal(tmp_path, save(given))
    normalised = state("the table vgg")
    name = next(key for key in normalised if key.endswith("running_var"))
    bent = save(normalised | {name: -normalised[name]})
    assert "variance must be at least 0" in refusal(tmp_path, bent)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 8,
        b"\xff" * 64,
        b"\x80\x04N.",
        (2**20 + 1).to_bytes(8, "little") + b"{}" * 2**20,
    ],
    ids=["nothing", "zeros", "ones", "pickle", "header"],
)
def test_what_is_no_safetensors_file_is_refused(content: bytes, tmp_path: Path) -> None:
    assert "the file must be a safetensors file, or the zip" in refusal(tmp_path, content)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    content = bytes(weights.LARGEST + 1)
    assert refusal(tmp_path, content).startswith("the file must have at most 64 MB")


def mutants(content: bytes, count: int) -> list[bytes]:
    """Cut, flip, swap and repeat parts of a file, most of them in its header."""
    source = random.Random(0)
    header = 8 + int.from_bytes(content[:8], "little")
    found = []
    for _ in range(count):
        bent = bytearray(content)
        for _ in range(source.randint(1, 4)):
            place = source.randrange(source.choice([8, header, header, len(bent)]))
            match source.randrange(5):
                case 0:
                    bent[place : place + 1] = bytes([source.randrange(256)])
                case 1:
                    del bent[place : place + source.randint(1, 40)]
                case 2:
                    bent[place:place] = bent[place : place + source.randint(1, 40)]
                case 3:
                    bent[place : place + 1] = source.choice([b"9", b"-", b"[", b'"', b"}", b"F"])
                case _:
                    bent = bent[: max(8, place)] if source.random() < 0.2 else bent
            if len(bent) < header:
                break
        found.append(bytes(bent))
    return found


def test_a_damaged_file_gives_one_sentence_and_nothing_else(tmp_path: Path) -> None:
    refusals = []
    for number, content in enumerate(mutants(save(state(SMALL)), 400)):
        here = tmp_path / str(number)
        try:
            load(here, keep(here, content))
        except ValueError as error:
            refusals.append(str(error))
            here.mkdir(exist_ok=True)
            refusals += [path.name for path in here.iterdir()]  # no sentence
    assert [text for text in refusals if not is_one_sentence(text)] == []
    assert 200 < len(refusals) < 400  # what flips a bit of a number is still a file of weights


def test_weights_that_went_or_were_changed_are_no_longer_here(tmp_path: Path) -> None:
    name = keep(tmp_path, save(state(SMALL)))
    place = tmp_path / f"{name}.safetensors"
    whole = place.read_bytes()
    place.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ValueError, match="no longer on the server: upload the file again"):
        load(tmp_path, name)
    place.unlink()
    for ask in (load, weights.about):
        with pytest.raises(ValueError, match="no longer on the server"):
            ask(tmp_path, name)
        with pytest.raises(ValueError, match="name must be 32 of 0-9 and a-f"):
            ask(tmp_path, "../" * 9)


def test_what_was_not_loaded_for_longest_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [keep(tmp_path, save(state(SMALL)), data) for data in ("", "mnist")]
    places = [tmp_path / f"{name}.safetensors" for name in names]
    for place in places:
        os.utime(place, (time.time() - 9 * 86_400,) * 2)
    load(tmp_path, names[0])
    monkeypatch.setattr(uploads, "QUOTA", 2 * places[0].stat().st_size + 2**16)
    keep(tmp_path, save(state(SMALL)), "fashion")
    assert [place.exists() for place in places] == [True, False]
    large = save(state(SMALL, 3))  # no other of today goes for it
    with pytest.raises(ValueError, match="room for the weights, got a full one: send a smaller"):
        keep(tmp_path, large)


def test_the_folder_is_beside_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSBOX_RUNS", str(tmp_path))
    assert weights.folder() == tmp_path / ".weights"
