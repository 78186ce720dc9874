"""The explanation's code that is shown ends at the map that is shown, run as it stands."""

import contextlib
import io
import re
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import nn

from core.saliency import (
    Attribution,
    Query,
    deeplift,
    masking,
    questions,
    sources,
    superpixels,
    surrogates,
)
from core.saliency.explaining import explain
from core.saliency.methods import CONTROL, METHODS
from core.saliency.script import MAP, fitting, framing, hiding, rectifying, write_explanation
from core.shared import (
    blurring,
    data,
    folding,
    loading,
    models,
    networks,
    photographs,
    runs,
    seeing,
    snapshots,
    weights,
)
from core.shared.models import Source
from core.shared.vision_library import torchvision
from tests.shared.small_zoo import a_zoo, convnext, resnet, transformer
from tests.shared.started import started

ROOT = Path(__file__).parents[1]
DIGITS = Source(kind="built-in", name="mnist")
LITE = Source(kind="built-in", name="efficientnet-lite0")
TABLES = {
    "LeNet-5": "lenet5",
    "blocks": "conv6-p1-batch-leaky,max3-s2-p1,res8-s2-batch-relu,inception8-batch-relu,global",
    "smooth": "conv4-k5-s2-gelu,max2,conv6-tanh,mean2,fc9-batch-sigmoid",
    "folded": "conv8-batch-tanh,max2,conv8-batch-tanh,max2,conv8-batch-relu,global",
}
# Of float32, summed in another order; of a map as a whole.
TOLERANCE = 1e-4
FEW = {"samples": 4, "steps": 6, "masks": 40, "segments": 9, "stride": 4}
BASELINES = ("grey", "blur", "noise", "own")
# A case: the test image, and what is asked beside `FEW`.
CASES: dict[str, tuple[int, dict[str, object]]] = {
    **{
        name: (0, {"method": name})
        for name, about in METHODS.items()
        if about.family != CONTROL and name != "rollout"
    },
    **{
        f"integrated, {name}": (1, {"method": "integrated", "baseline": name, "seed": 3})
        for name in BASELINES
    },
    "gradient, 3": (0, {"method": "gradient", "target": 3}),
    "gradient, 4 rather than 9": (4, {"method": "gradient", "target": 4, "against": 9}),
    "smoothgrad, another seed": (
        0,
        {"method": "smoothgrad", "seed": 3, "deviation": 0.3, "against": 9},
    ),
    "expected, another seed": (1, {"method": "expected", "seed": 5, "target": 7}),
    "deeplift, noise": (2, {"method": "deeplift", "baseline": "noise", "against": 5}),
    "guided, 4 rather than 9": (4, {"method": "guided", "target": 4, "against": 9}),
    **{
        f"{name}, an earlier layer": (1, {"method": name, "layer": "conv4.0", "against": 8})
        for name in ("gradcam", "gradcampp", "hirescam", "layercam", "guided_gradcam")
    },
    "scorecam, blur": (1, {"method": "scorecam", "baseline": "blur", "layer": "conv2.2"}),
    "occlusion, cut off": (
        2,
        {"method": "occlusion", "size": 6, "stride": 5, "baseline": "noise", "seed": 3},
    ),
    "rise, another grid": (
        3,
        {"method": "rise", "cells": 5, "seed": 4, "baseline": "own", "against": 8},
    ),
    "lime, another seed": (4, {"method": "lime", "seed": 6, "baseline": "blur", "segments": 15}),
    "kernelshap, all coalitions": (
        3,
        {"method": "kernelshap", "segments": 4, "baseline": "noise", "against": 8},
    ),
}
# A case, and what is made wrong of its code.
WRONG: dict[str, tuple[str, str]] = {
    "gradient": ("[:, target]", "[:, target - 1]"),
    "gradient, 4 rather than 9": (" - logits", " + logits"),
    "gradient_input": ("* picture", "* (picture - 0.5)"),
    "smoothgrad": ("(0, purpose)", "(1, purpose)"),
    "smoothgrad, another seed": ("deviation * noise", "noise"),
    "vargrad": ("correction=0", "correction=1"),
    "integrated": ("weight / 2", "weight / 3"),
    "integrated, grey": ("0.5)", "0.4)"),
    "integrated, blur": ("/ (2 *", "/ (3 *"),
    "integrated, noise": ("(3, purpose)", "(2, purpose)"),
    "integrated, own": (".mean((2, 3)", ".amax((2, 3)"),
    "expected": ("place * (picture", "(1 - place) * (picture"),
    "expected, another seed": ("source_of(12)", "source_of(10)"),
    "deeplift": ("(y - y0)", "y"),
    "deeplift, noise": ("part / (one - other)", "part"),
    "guided": ("of_taken[0]", "of_given[0]"),
    "deconvnet": ("of_given[0]", "of_taken[0]"),
    "gradcam": ("weights * maps", "weights + maps"),
    "gradcampp": ("2 + slopes", "1 + slopes"),
    "hirescam": ("(slopes * maps)", "(slopes.relu() * maps)"),
    "layercam": ("slopes.relu()", "slopes"),
    "gradcam, an earlier layer": (".mean((1, 2)", ".amax((1, 2)"),
    "hirescam, an earlier layer": ('"conv4.0"', '"conv4.1"'),
    "scorecam": (".softmax(0)", ".relu()"),
    "guided_gradcam": ("of_taken[0]", "of_given[0]"),
    "occlusion, cut off": ("height - size + stride", "height - size + 1"),
    "rise": ("< 0.5", "< 0.4"),
    "rise, another grid": ("(4, purpose)", "(5, purpose)"),
    "lime": ("0.25**2", "0.5**2"),
    "lime, another seed": ("range(10)", "range(1)"),
    "kernelshap": ("(here * (count - here))", "here"),
    "kernelshap, all coalitions": ("ways) * here", "ways)"),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")
    monkeypatch.setenv("GLASSBOX_RUNS", str(tmp_path))
    monkeypatch.chdir(ROOT)


def digit(index: int) -> np.ndarray:
    found: np.ndarray = data.dataset("mnist", torch.device("cpu")).test.images[index].numpy()
    return found


@cache
def photograph() -> np.ndarray:
    found: np.ndarray = seeing.fit(photographs.photograph("coffee").pixels, (3, 224, 224), "")
    return found


def query(given: dict[str, object]) -> Query:
    heeds = METHODS[str(given["method"])].heeds
    few = {name: value for name, value in FEW.items() if name in heeds}
    return Query(**few | given)  # type: ignore[arg-type]


def told(text: str, name: str) -> float:
    found = re.search(rf"{name} (-?[\d.]+)", text)
    assert found is not None, text
    return float(found[1])


def agrees(found: Attribution, text: str, folder: Path, tolerance: float = TOLERANCE) -> bool:
    """Run a script and tell whether it says and saves what the explanation is."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        started(text)
    values = np.load(folder / MAP)
    size = float(np.linalg.norm(found.values))
    assert size > 0
    # Of the sum the error is that of all values, which may cancel; four digits are printed.
    near = partial(pytest.approx, abs=1e-4 + tolerance * float(abs(found.values).sum()))
    score = pytest.approx(found.score, abs=1e-3)
    return (
        values.shape == found.values.shape
        and values.dtype == np.float32
        and float(np.linalg.norm(values - found.values)) <= tolerance * size
        and told(said.getvalue(), "score") == score
        and told(said.getvalue(), "sum of the map") == near(float(found.values.sum()))
        and ("missing" in said.getvalue()) == found.query.about.complete
        and (not found.query.about.complete or told(said.getvalue(), "missing") == near(found.gap))
        and (
            found.surrogate is None
            or told(said.getvalue(), "R²") == pytest.approx(found.surrogate.fidelity, abs=1e-3)
        )
    )


def written(source: Source, found: Attribution, pixels: np.ndarray, folder: Path) -> str:
    np.save(folder / "picture.npy", pixels)
    return write_explanation(source, found.query, str(folder / "picture.npy"))


@cache
def explained(name: str) -> Attribution:
    index, given = CASES[name]
    return explain(DIGITS, digit(index), query(given))


@pytest.mark.parametrize("name", CASES)
def test_the_code_of_an_explanation_ends_at_its_map(name: str, tmp_path: Path) -> None:
    found = explained(name)
    text = written(DIGITS, found, digit(CASES[name][0]), tmp_path)
    assert "core.saliency" not in text  # all of it is written out
    short = write_explanation(DIGITS, found.query, "picture.npy")
    assert max(map(len, short.splitlines())) <= 100, short
    assert agrees(found, text, tmp_path), text


@pytest.mark.parametrize("name", WRONG)
def test_that_comparison_rejects_a_wrong_script(name: str, tmp_path: Path) -> None:
    found = explained(name)
    text = written(DIGITS, found, digit(CASES[name][0]), tmp_path)
    assert WRONG[name][0] in text
    assert not agrees(found, text.replace(*WRONG[name]), tmp_path), text


def test_each_method_is_held_against_its_code_and_against_a_wrong_one() -> None:
    coded = {name for name, about in METHODS.items() if about.family != CONTROL} - {"rollout"}
    assert {str(given["method"]) for _, given in CASES.values()} == coded
    assert {str(CASES[name][1]["method"]) for name in WRONG} == coded


def a_run(table: str, root: Path) -> Source:
    """Keep a network as if it had been trained."""
    random = torch.Generator().manual_seed(3)
    network = networks.build(table, random, initialisation="he")
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2, generator=random)
        elif value.is_floating_point() and value.ndim == 1:
            value.normal_(0.3, 0.5, generator=random)
    run = runs.create(root, "visitor", "core.train_cnn.learning:train", {"network": table})
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    snapshots.write(runs.folder_of(root, run), snapshots.Snapshot(7, tensors, {}))
    return models.of_run(root, run, 7)


@pytest.mark.parametrize(
    ("table", "method", "wrong"),
    [
        ("LeNet-5", "integrated", ("(1 + place)", "place")),
        ("LeNet-5", "deeplift", (", networks.Squash", "")),
        ("blocks", "deeplift", (", nn.LeakyReLU", "")),
        ("blocks", "guided", ("(nn.ReLU,", "(nn.LeakyReLU,")),
        ("smooth", "deeplift", ("nn.GELU, ", "")),
        ("LeNet-5", "gradcam", (".mean(", ".sum(")),
        ("blocks", "layercam", ("slopes.relu()", "slopes")),
    ],
)
def test_the_code_explains_a_run_of_ones_own(
    table: str, method: str, wrong: tuple[str, str], tmp_path: Path
) -> None:
    source, pixels = a_run(TABLES[table], tmp_path), digit(2)
    found = explain(source, pixels, query({"method": method, "seed": 2}))
    text = written(source, found, pixels, tmp_path)
    assert agrees(found, text, tmp_path), text
    assert wrong[0] in text
    assert not agrees(found, text.replace(*wrong), tmp_path), text


@pytest.mark.parametrize("method", ["hirescam", "layercam"])
def test_the_code_asks_the_quicker_copy_as_the_panel_does(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounding may decide which of equal values passes a pooling; here the copy is another's."""
    fold = folding._fold

    def unlike(network: nn.Module, shape: tuple[int, int, int]) -> folding._Copy | None:
        made = fold(network, shape)
        assert made
        last = [part for part in made.network.modules() if isinstance(part, nn.Linear)][-1]
        last.weight.mul_(1 + 5 * TOLERANCE)
        return made

    monkeypatch.setattr(folding, "_fold", unlike)
    source, pixels = a_run(TABLES["folded"], tmp_path), digit(0)
    found = explain(source, pixels, query({"method": method, "layer": "conv1.2"}))
    text = written(source, found, pixels, tmp_path)
    assert agrees(found, text, tmp_path), text
    own = text.replace("network = folding", "_ = folding")
    assert own != text
    assert not agrees(found, own, tmp_path), own


def test_of_weights_whose_data_are_unknown_the_photographs_are_the_baselines(
    tmp_path: Path,
) -> None:
    network = networks.build("lenet5", torch.Generator().manual_seed(6))
    name = weights.keep(weights.folder(), save(dict(network.state_dict())), "")
    source, pixels = Source(kind="weights", name=name), digit(0)
    found = explain(source, pixels, query({"method": "expected"}))
    text = written(source, found, pixels, tmp_path)
    assert agrees(found, text, tmp_path), text
    assert not agrees(found, text.replace("known[chosen]", "known[:4]"), tmp_path), text


@pytest.mark.parametrize("method", ["gradient", "deeplift", "guided", "gradcam"])
def test_the_code_explains_a_photograph(method: str, tmp_path: Path) -> None:
    found = explain(LITE, photograph(), query({"method": method}))
    text = written(LITE, found, photograph(), tmp_path)
    assert agrees(found, text, tmp_path), text
    if method == "gradient":
        assert not agrees(found, text.replace("[:, target]", "[:, target - 1]"), tmp_path), text


@pytest.mark.parametrize(
    ("name", "small", "method", "layer", "wrong"),
    [
        ("vit_b_16", partial(transformer, 2), "rollout", "", ("following @ flow", "flow")),
        ("vit_b_16", transformer, "hirescam", "body.encoder.layers.encoder_layer_0.ln_1", None),
        (
            "vit_b_16",
            partial(transformer, 2),
            "hirescam",
            "body.encoder.layers.encoder_layer_0.self_attention",
            ("[1:]", "[:-1]"),
        ),
        (
            "convnext_tiny",
            convnext,
            "hirescam",
            "body.features.1.0.block.3",
            ("2, 0, 1", "2, 1, 0"),
        ),
        ("convnext_tiny", convnext, "hirescam", "body.features.1.0.block.0", None),
        ("convnext_tiny", convnext, "gradient", "", None),
        ("resnet18", resnet, "guided", "", ("of_taken[0]", "of_given[0]")),
    ],
)
def test_the_code_explains_torchvision_s_networks(
    name: str,
    small: Callable[..., nn.Module],
    method: str,
    layer: str,
    wrong: tuple[str, str] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are smaller than torchvision's, with weights where a download would put them."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torchvision.models, name, small)
    source = a_zoo(name, small)
    found = explain(source, photograph(), query({"method": method, "layer": layer}))
    text = written(source, found, photograph(), tmp_path)
    assert agrees(found, text, tmp_path), text
    if wrong is not None:
        assert wrong[0] in text
        assert not agrees(found, text.replace(*wrong), tmp_path), text
    loading._held.clear()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "target must be a class for the code, got None"),
        ({"target": 3, "melted": 2}, "melted must be 0 for the code, got 2"),
        ({"target": 3, "method": "edges"}, "method must be one of .* for the code, got 'edges'"),
        ({"target": 3, "method": "gradcam"}, "layer must be named for the code, got none"),
    ],
)
def test_what_has_no_code_is_refused(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        write_explanation(DIGITS, Query(**given), "picture.npy")  # type: ignore[arg-type]


def test_what_is_automatic_is_written_out() -> None:
    box = Query(method="occlusion", target=3)
    assert "size, stride = 7, 1\n" in write_explanation(DIGITS, box, "picture.npy")
    assert "size, stride = 56, 8\n" in write_explanation(LITE, box, "picture.npy")


def test_the_numbers_that_are_written_out_are_the_explanations_own() -> None:
    assert (framing.BLUR, framing.REACH) == (questions.BLUR, blurring.REACH)
    assert f", {questions.GREY})" in framing.BASELINES["grey"]
    assert (framing.ABSENT, framing.DRAWN) == (sources.ABSENT, sources.DRAWN)
    assert rectifying.NEAR == deeplift.NEAR
    assert masking.KEPT == hiding.KEPT
    rule = superpixels.COMPACTNESS, superpixels.ROUNDS
    assert rule == (fitting.COMPACTNESS, fitting.ROUNDS)
    assert (fitting.WIDTH, fitting.PRESENT) == (surrogates.WIDTH, surrogates.PRESENT)
