"""Every network that can be pinned computes what it should, at rest, and writes over nothing."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save
from sklearn.datasets import load_sample_image
from torch import Tensor, nn

from core.shared import data, efficientnet, loading, models, networks, runs, snapshots, weights
from core.shared.data import Split
from core.shared.engine import Engine
from core.shared.evaluating import at_rest, evaluate
from core.shared.loading import Model, fetch, load
from core.shared.models import BUILT_IN, ZOO, Download, Entry, Fetched, Source
from core.shared.photographs import photograph
from core.shared.pictures import read
from core.shared.recipes import Recipe
from core.shared.runs import Manifest
from core.shared.seeing import fit
from core.shared.turns import WAITING
from core.shared.vision_library import torchvision
from core.train_cnn import learning

CPU = torch.device("cpu")
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # as every paper on these networks has it
State = dict[str, Tensor]
SHOWN = {  # what each photograph shows, by the names of ImageNet's classes
    "chelsea": {"tabby", "tiger cat", "Egyptian cat"},
    "coffee": {"espresso"},
    "palace": {"palace"},
    "camera": {"tripod"},
    "rocket": {"missile"},
    "motorcycle_left": {"moped"},  # of scikit-image, which does not say that it may be shipped
    "flower": {"daisy"},  # of scikit-learn: a dahlia, which ImageNet lacks
}


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    loading._held.clear()
    yield
    loading._held.clear()


def built_in(name: str) -> Source:
    return Source(kind="built-in", name=name)


def pictures(count: int = 1, side: int = 224) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(5))


# At rest, private, and nothing written over


def overwritten(network: nn.Module, pixels: Tensor) -> list[str]:
    """Name the modules whose output is another at the end than when it was given."""
    kept: list[tuple[str, Tensor, Tensor]] = []

    def keep(name: str) -> Any:
        def hook(module: nn.Module, given: object, output: object) -> None:
            if isinstance(output, Tensor):
                kept.append((name, output, output.clone()))

        return hook

    handles = [each.register_forward_hook(keep(name)) for name, each in network.named_modules()]
    try:
        network(pixels)
    finally:
        for handle in handles:
            handle.remove()
    assert len(kept) > 5
    return [name for name, output, then in kept if not torch.equal(output, then)]


def assert_at_rest(model: Model) -> None:
    assert not any(module.training for module in model.network.modules())
    assert not any(each.requires_grad for each in model.network.parameters())
    assert not any(getattr(module, "inplace", False) for module in model.network.modules())


def mean_of(model: Model) -> Tensor:
    """Give the pixel value that the first layer brings to 0."""
    first = next(model.network.children())
    mean = torch.as_tensor(first.mean).view(-1, 1, 1)
    return mean.expand(1, *model.shape)


# The zoo


def blank(name: str, **more: Any) -> nn.Module:
    """Build torchvision's own network without weights."""
    more = {"init_weights": False, **more} if name == "googlenet" else more
    with torch.device("meta"):
        made: nn.Module = getattr(torchvision.models, name)(weights=None, **more)
    return made


def random_state(name: str) -> State:
    """Draw weights in the form in which they are published, GoogLeNet's helpers among them."""
    source = torch.Generator().manual_seed(11)
    found: State = {}
    for key, value in blank(name).state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue  # the older files have none
        if value.dim() > 1:
            bound = (6 / value[0].numel()) ** 0.5
            found[key] = torch.empty(value.shape).uniform_(-bound, bound, generator=source)
        else:
            low = 0.5 if key.endswith(("running_var", ".weight")) else -0.1
            found[key] = torch.empty(value.shape).uniform_(low, low + 0.2, generator=source)
    return found


@pytest.fixture(scope="module", params=list(ZOO))
def animal(request: pytest.FixtureRequest) -> tuple[str, Model, State]:
    """Load one of torchvision's networks, random weights in the place of those to download."""
    name, state = request.param, random_state(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "here", lambda name: True)
        patch.setattr(loading, "_read", lambda place: dict(state))
        model = loading._load(Source(kind="zoo", name=name), CPU)
    return name, model, state


def test_each_of_the_zoo_gives_torchvisions_logits_and_writes_over_nothing(
    animal: tuple[str, Model, State],
) -> None:
    name, model, state = animal
    assert_at_rest(model)
    pixels = pictures()
    logits: list[Tensor] = []
    last = model.network.register_forward_hook(lambda *given: logits.append(given[2]))
    with torch.no_grad():
        assert overwritten(model.network, pixels) == []
        last.remove()
        assert next(model.network.children())(mean_of(model)).abs().max() < 1e-6
        own = blank(name, **({"transform_input": True} if name == "googlenet" else {})).eval()
        own.load_state_dict(state, assign=True)
        transform = next(iter(torchvision.models.get_model_weights(name))).transforms()
        assert (tuple(transform.mean), tuple(transform.std)) == IMAGENET
        mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in IMAGENET)
        wanted = own((pixels - mean) / deviation)
    assert logits[0].shape == (1, len(model.classes)) == (1, 1000)
    assert wanted.std() > 1e-3 * wanted.abs().mean()  # no dead network
    torch.testing.assert_close(logits[0], wanted, rtol=1e-3, atol=1e-4 * float(wanted.std()))


def test_torchvisions_own_network_does_write_over_its_outputs() -> None:
    """So the test above can fail."""
    for name, where in (("resnet18", "layer1.0.bn2"), ("googlenet", "conv1.bn")):
        network = blank(name, **({"aux_logits": False} if name == "googlenet" else {})).eval()
        state = {k: v for k, v in random_state(name).items() if not k.startswith("aux")}
        network.load_state_dict(state, assign=True)
        with torch.no_grad():
            assert where in overwritten(network, pictures(side=64))


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(ValueError, match="weights must be those of resnet18, got"):
        loading._zoo("resnet18", {"fc.weight": torch.zeros(1000, 512)})
    with pytest.raises(ValueError, match="weights must be EfficientNet-Lite0's, got"):
        efficientnet.lite0({"_fc.bias": torch.zeros(1000)})


def test_what_is_not_here_is_not_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(loading, "urlopen", None)
    with pytest.raises(ValueError, match=r"ResNet-18 must be downloaded first \(44\.7 MB\), got"):
        load(Source(kind="zoo", name="resnet18"))
    models.folder().mkdir(parents=True)
    (models.folder() / ZOO["resnet18"].file).write_bytes(b"\x80\x04N.")
    with pytest.raises(ValueError, match="must be a file of weights, got a damaged one"):
        load(Source(kind="zoo", name="resnet18"))


# What is built in


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_is_built_in_is_at_rest_and_writes_over_nothing(name: str) -> None:
    model = load(built_in(name))
    assert load(built_in(name)) is model
    assert_at_rest(model)
    pixels = torch.rand(2, *model.shape, generator=torch.Generator().manual_seed(0))
    assert overwritten(model.network, pixels) == []
    assert next(model.network.children())(mean_of(model)).abs().max() < 1e-6
    assert model.network(pixels).shape == (2, len(model.classes))
    about = models.about(model.source)
    assert (model.classes, model.shape, model.data) == (about.classes, about.shape, about.data)


def test_loading_leaves_the_global_source_of_chance_alone() -> None:
    before = torch.random.get_rng_state()
    for name in BUILT_IN:
        load(built_in(name))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_built_in_networks_read_the_first_test_images_as_was_recorded(name: str) -> None:
    model, recorded = load(built_in(name)), models.about(built_in(name)).accuracy or 0
    test = data.dataset(name, CPU).test
    first = Split(test.images[:1000], test.labels[:1000])
    share = evaluate(model.network, first).accuracy
    # Four standard deviations of the share that is right among a thousand drawn at random.
    allowed = 4 * (recorded * (1 - recorded) / 1000) ** 0.5
    assert abs(share - recorded) < allowed
    shuffled = Split(first.images, first.labels.roll(1))
    assert abs(evaluate(model.network, shuffled).accuracy - recorded) > allowed


def original(name: str) -> np.ndarray:
    if name == "flower":
        return np.asarray(load_sample_image("flower.jpg"))
    if name != "motorcycle_left":
        return photograph(name).pixels
    skimage = find_spec("skimage")
    if skimage is None or skimage.origin is None:
        pytest.skip("scikit-image is not here")
    place = Path(skimage.origin).parent / "data" / f"{name}.png"
    return read(place.read_bytes()).pixels


def seen(name: str) -> Tensor:
    """Show EfficientNet-Lite0 a photograph, and its mirror image."""
    pixels = original(name)
    found = [
        fit(np.ascontiguousarray(each), (3, 224, 224), "") for each in (pixels, pixels[:, ::-1])
    ]
    return torch.from_numpy(np.stack(found))


@pytest.mark.parametrize("name", SHOWN)
def test_efficientnet_names_what_a_photograph_shows(name: str) -> None:
    model = load(built_in("efficientnet-lite0"))
    best = model.network(seen(name)).argmax(1).tolist()
    assert {model.classes[index] for index in best} <= SHOWN[name]


def test_efficientnet_is_surer_by_its_own_normalisation_than_by_imagenets() -> None:
    """Two are about; the photographs tell by which of them it was trained."""
    model = load(built_in("efficientnet-lite0"))
    shift, *layers = model.network.children()
    sure = {}
    for way in (shift, efficientnet.Standardise(*IMAGENET)):
        shares = []
        for name, classes in SHOWN.items():
            read = nn.Sequential(way, *layers)(seen(name)).softmax(1)
            shares.append(read[:, [model.classes.index(each) for each in classes]].sum(1))
        sure[way] = torch.cat(shares).log().mean()
    assert sure[shift] > sure[way] + 0.05


def test_same_padding_is_that_of_tensorflow() -> None:
    """SAME puts the window of output i at i·stride − ⌊padding / 2⌋, with nothing but 0 outside."""
    for side in (5, 6, 7, 8):
        for kernel, stride in ((3, 1), (3, 2), (5, 2), (1, 1)):
            layer = efficientnet.SameConv(1, 1, kernel, stride)
            maps = torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(side))
            out = -(-side // stride)
            before = max(0, (out - 1) * stride + kernel - side) // 2
            canvas = torch.zeros(1, 1, 40, 40)
            canvas[..., 10 : 10 + side, 10 : 10 + side] = maps
            start = 10 - before
            wanted = F.conv2d(canvas[..., start:, start:], layer.weight, stride=stride)
            torch.testing.assert_close(layer(maps), wanted[..., :out, :out])


# Runs


def run_folder(tmp_path: Path, recipe: Recipe) -> tuple[Path, Manifest]:
    manifest = Manifest(
        run="r",
        visitor="v",
        function="core.train_cnn.learning:train",
        config=asdict(recipe),
        status="finished",
        started=0.0,
    )
    folder = runs.folder_of(tmp_path, manifest)
    folder.mkdir(parents=True)
    return folder, manifest


@pytest.mark.parametrize(
    "network", ["lenet5", "conv4-batch-relu,max2,res8-s2-group-gelu,fc9-drop50"]
)
def test_a_run_is_loaded_as_it_stood_at_a_kept_step(tmp_path: Path, network: str) -> None:
    recipe = Recipe(data="fashion", network=network, images=200, dropout=0.2)
    folder, manifest = run_folder(tmp_path, recipe)
    training = learning.begin(recipe, None).training
    images, wanted = training.dataset.test.images[:5], {}
    for step in range(3):
        if step:
            training.advance()
        with at_rest(training.network):
            wanted[step] = training.network(images)
        snapshots.write(folder, training.snapshot(), rolling=step == 2)
    for step, logits in wanted.items():
        model = load(models.of_run(tmp_path, manifest, step))
        assert_at_rest(model)
        assert (model.data, model.classes[1]) == ("fashion", "Trouser")
        torch.testing.assert_close(model.network(images), logits)
        assert overwritten(model.network, images) == []
    assert not torch.allclose(wanted[1], wanted[2])
    private = load(models.of_run(tmp_path, manifest, 2)).network
    training.advance()  # the run goes on; what was loaded does not
    torch.testing.assert_close(private(images), wanted[2])


def test_a_run_that_has_gone_or_is_of_another_network_is_refused(tmp_path: Path) -> None:
    recipe = Recipe(network="fc4", images=100)
    folder, manifest = run_folder(tmp_path, recipe)
    with pytest.raises(ValueError, match="step must be one that the run kept, got 0"):
        load(models.of_run(tmp_path, manifest, 0))
    snapshot = learning.begin(recipe, None).training.snapshot()
    other = {**snapshot.record, "recipe": {**snapshot.record["recipe"], "network": "fc5"}}
    snapshots.write(folder, replace(snapshot, record=other))
    with pytest.raises(ValueError, match="weights must be of fc5, got"):
        load(models.of_run(tmp_path, manifest, 0))


# Own weights


def test_own_weights_compute_what_their_network_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSBOX_RUNS", str(tmp_path))
    images = data.dataset("fashion", CPU).test.images[:5]
    for given, mean, deviation in (("", 0.1, 0.28), ("fashion", 0.286, 0.353)):
        network = networks.build(
            weights.NETWORKS["the table vgg"],
            torch.Generator().manual_seed(1),
            mean=mean,
            deviation=deviation,
        ).eval()
        name = weights.keep(weights.folder(), save(network.state_dict()), given)
        model = load(Source(kind="weights", name=name))
        assert_at_rest(model)
        torch.testing.assert_close(model.network(images), network(images))
        assert model.data == given


# What is held


def test_the_longest_unused_goes_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MOST", 2)
    mnist, fashion = load(built_in("mnist")), load(built_in("fashion"))
    assert load(built_in("mnist")) is mnist
    load(built_in("efficientnet-lite0"))
    assert load(built_in("mnist")) is mnist
    assert load(built_in("fashion")) is not fashion


def test_the_longest_unused_goes_when_they_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    size = loading._size(load(built_in("mnist")))
    assert 4 * 72_666 < size < 300_000
    monkeypatch.setattr(loading, "MOST_BYTES", 2 * size)
    load(built_in("fashion"))
    assert len(loading._held) == 2
    large = load(built_in("efficientnet-lite0"))  # too large, alone too, and held all the same
    assert list(loading._held.values()) == [large]


# Downloads


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Serve the weights of ResNet-18 from a folder; they are three megabytes of nothing."""
    folder = tmp_path / "site"
    folder.mkdir()
    content = bytes(3 * 2**20 + 17)
    name = f"resnet18-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    (folder / name).write_bytes(content)
    monkeypatch.setitem(ZOO, "resnet18", Entry("ResNet-18", name, len(content), 0.7, ""))
    monkeypatch.setattr(loading, "SITE", f"{folder.as_uri()}/")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    return folder / name


def told(states: Iterator[object]) -> list[Fetched]:
    """What is told of a download, without the turns in which nothing came."""
    return [state for state in states if isinstance(state, Fetched)]


def test_a_download_tells_how_far_it_is_and_leaves_one_whole_file(site: Path) -> None:
    states = told(fetch(Download(name="resnet18")))
    size = site.stat().st_size
    done = [state.done for state in states]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, size)
    assert max(b - a for a, b in pairwise(done)) <= 2**20
    assert states[-1].progress == 1
    assert models.here("resnet18")
    assert [path.name for path in models.folder().iterdir()] == [site.name]
    assert (models.folder() / site.name).read_bytes() == site.read_bytes()
    assert [each.progress for each in told(fetch(Download(name="resnet18")))] == [1]  # not again


def test_the_engine_downloads_as_long_work(
    site: Path, tmp_path: Path, until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Engine(tmp_path / "runs", devices=("cpu",), inline=True) as engine:
        run = engine.submit(models.FETCH, Download(name="resnet18"), visitor="ada")
        until(lambda: engine.view(run).status == "finished")
        assert engine.view(run).state == Fetched(site.stat().st_size, site.stat().st_size)
        assert models.here("resnet18")
        monkeypatch.setenv("TORCH_HOME", str(tmp_path / "other"))
        monkeypatch.setattr(loading, "SITE", "http://127.0.0.1:9/")
        run = engine.submit(models.FETCH, Download(name="resnet18"), visitor="ada")
        until(lambda: engine.view(run).status == "failed")
        assert "could not be downloaded" in engine.view(run).failure


def test_two_who_want_the_same_download_it_once(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    real = urlopen

    def counted(*given: Any, **more: Any) -> Any:
        asked.append(given)
        return real(*given, **more)

    monkeypatch.setattr(loading, "urlopen", counted)
    first, second = (fetch(Download(name="resnet18")) for _ in range(2))
    next(first)
    assert next(second) == Fetched(0, site.stat().st_size)
    assert told(first)[-1].progress == 1
    assert told(second)[-1].progress == 1
    assert len(asked) == 1
    (models.folder() / site.name).unlink()  # who waits for one that leaves, downloads it
    first, second = (fetch(Download(name="resnet18")) for _ in range(2))
    next(first)
    next(second)
    first.close()  # type: ignore[attr-defined] # it is a generator
    assert told(second)[-1].progress == 1
    assert models.here("resnet18")


def test_what_arrives_damaged_is_not_kept(site: Path) -> None:
    site.write_bytes(b"else" + site.read_bytes()[4:])
    with pytest.raises(ValueError, match="what arrived is not what was announced; use Efficient"):
        list(fetch(Download(name="resnet18")))
    assert list(models.folder().iterdir()) == []


def test_without_a_network_there_is_one_sentence(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "SITE", "http://127.0.0.1:9/models/")
    with pytest.raises(ValueError, match="ResNet-18 could not be downloaded") as caught:
        list(fetch(Download(name="resnet18")))
    sentence = str(caught.value)
    assert "(3.0 MB from 127.0.0.1): " in sentence
    assert sentence.endswith("; use EfficientNet-Lite0, which is here")
    assert "\n" not in sentence
    assert "Connection refused; use" in sentence  # the reason, without the number of the error


def test_nobody_waits_for_a_silent_site_and_who_leaves_ends_the_download(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaks = threading.Event()
    real = urlopen

    def silent(*given: Any, **more: Any) -> Any:
        speaks.wait(20)
        return real(*given, **more)

    monkeypatch.setattr(loading, "urlopen", silent)
    states = fetch(Download(name="resnet18"))
    began = time.monotonic()
    assert next(states) == Fetched(0, site.stat().st_size)
    assert [next(states) for _ in range(50)] == [WAITING] * 50
    assert time.monotonic() - began < 1
    states.close()  # type: ignore[attr-defined] # it is a generator
    speaks.set()
    until = time.monotonic() + 10
    while time.monotonic() < until and threading.active_count() > 1:
        if not any(each.name.endswith("(_download)") for each in threading.enumerate()):
            break
        time.sleep(0.01)
    assert not models.here("resnet18")
    assert list(models.folder().iterdir()) == []
