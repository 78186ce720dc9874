"""The house's rules, read from the source, and for each rule a small house that breaks it."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
Rule = Callable[[Path], Iterator[str]]

LAYERS = ("core.shared", "core", "ui", "pages", "app")  # each may import those before it
SCREEN = {"altair", "plotly", "pandas", "streamlit"}  # not for core
COMPUTING = {"captum", "numpy", "scipy", "sklearn", "torch", "torchvision"}  # not for pages
EMPTY_NAMES = {"base", "common", "helpers", "misc", "utils"}
TARGET = re.compile(
    r"((?:core|ui|pages)(?:\.\w+)+):\w+"
)  # "module:function", as the engine wants it
GLOBAL_SEED = re.compile(r"torch\.(\w+\.)*(manual_seed|seed)(_all)?")
BACKWARD = "core/shared/training.py"  # the one place that calls .backward(), on its own network


def arrows_point_down(root: Path) -> Iterator[str]:
    for path, tree in modules(root, "app.py", "pages", "ui", "core"):
        own = layer(name_of(path))
        for target in imports(path, tree):
            if target.split(".")[0] in ("tests", "bench") or layer(target) > own:
                yield f"{path} imports {target}, which is above it or outside"


def core_knows_no_screen(root: Path) -> Iterator[str]:
    yield from _without(SCREEN, modules(root, "core"))


def pages_compute_nothing(root: Path) -> Iterator[str]:
    yield from _without(COMPUTING, modules(root, "pages"))
    for path, tree in modules(root, "pages"):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                yield f"{path} defines the class {node.name}, a new one at each run"


def panels_keep_to_themselves(root: Path) -> Iterator[str]:
    for path, tree in [*modules(root, "core"), *modules(root, "pages")]:
        own = panel_of(path)
        for target in imports(path, tree) if own else ():
            package, _, rest = target.partition(".")
            other = rest.split(".")[0]
            if package == "core" and other not in ("", "shared", own):
                yield f"{path} imports {target}, which is another panel's"


def a_panel_is_three_files(root: Path) -> Iterator[str]:
    for path, tree in panel_pages(root):
        name = path.stem
        core = (root / "core" / f"{name}.py", root / "core" / name / "__init__.py")
        if not any(place.is_file() for place in core):
            yield f"{path} has no core/{name}.py"
        if not (root / "tests" / f"test_{name}.py").is_file():
            yield f"{path} has no tests/test_{name}.py"
        first = (ast.get_docstring(tree) or "").partition("\n")[0]
        if not re.fullmatch(r"[^:]+: [^:]+\?", first):
            yield f"{path} must begin with 'Title: question?', got {first!r}"


def names_say_something(root: Path) -> Iterator[str]:
    for path, _ in modules(root, "core", "ui"):
        for part in path.with_suffix("").parts:
            if part in EMPTY_NAMES:
                yield f"{path} is named {part}, which says nothing"


def core_says_what_is_public(root: Path) -> Iterator[str]:
    for path, tree in modules(root, "core"):
        if path.name == "__init__.py" and len(tree.body) == 1 and ast.get_docstring(tree):
            continue
        public = exported(tree)
        if public is None:
            yield f"{path} has no __all__ that is a list of names"
        elif public != sorted(public, key=as_ruff_sorts):
            yield f"{path} has an __all__ that is not sorted"
        elif missing := set(public) - top_level(tree):
            yield f"{path} lacks {sorted(missing)} of its __all__"


def nobody_seeds_the_world(root: Path) -> Iterator[str]:
    for path, tree in modules(root, "app.py", "pages", "ui", "core", "bench", "tests"):
        attributes = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
        for name in [*map(dotted, attributes), *imports(path, tree)]:
            if GLOBAL_SEED.fullmatch(name):
                yield f"{path} touches the global seed: {name}"


def gradients_are_asked_for(root: Path) -> Iterator[str]:
    for path, tree in modules(root, "core"):
        for node in ast.walk(tree):
            used = isinstance(node, ast.Attribute) and node.attr == "backward"
            if used and path.as_posix() != BACKWARD:
                yield f"{path} uses .backward, which writes into .grad"


def widgets_have_keys_of_their_own(root: Path) -> Iterator[str]:
    taken: dict[str, Path] = {}
    for path, tree in modules(root, "pages"):
        panel = panel_of(path)
        prefix = f"{panel.split('_')[0]}_"
        for node in widget_keys(tree):
            key = node.value
            if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
                yield f"{path}:{key.lineno} has a key that is not a string written out"
            elif panel and not key.value.startswith(prefix):
                yield f"{path}:{key.lineno} has the key {key.value!r}, not prefixed by {prefix!r}"
            elif taken.setdefault(key.value, path) != path:
                yield f"{path}:{key.lineno} has the key {key.value!r} of {taken[key.value]}"


def the_server_needs_no_torch(root: Path) -> Iterator[str]:
    """Ask a clean interpreter, as an import may hide behind any other."""
    program = "import sys, app, ui.frame; ui.frame.warm(); print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    if done.stdout.strip() != "False":
        yield f"the server's modules import torch, or fail to be imported: {done}"


RULES: tuple[Rule, ...] = (
    arrows_point_down,
    core_knows_no_screen,
    pages_compute_nothing,
    panels_keep_to_themselves,
    a_panel_is_three_files,
    names_say_something,
    core_says_what_is_public,
    nobody_seeds_the_world,
    gradients_are_asked_for,
    widgets_have_keys_of_their_own,
    the_server_needs_no_torch,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_rules(rule: Rule) -> None:
    assert list(rule(ROOT)) == []


# A house of two panels that keeps every rule. Its torch is empty, so importing it costs nothing.
SOUND = {
    "app.py": "from ui import frame\n",
    "torch.py": "",
    "ui/__init__.py": '"""Shared by pages."""',
    "ui/frame.py": "import importlib\n\n"
    "def warm() -> None:\n    importlib.import_module('core.gates')\n",
    "pages/index.py": "names = sorted([], key=len)\n",
    "pages/seeing/gates.py": '"""Gates: What opens them?"""\nfrom core import gates\n'
    'st.slider("Bias", key="gates_bias")\nmax([], key=lambda panel: panel.title)\n',
    "pages/seeing/maps.py": '"""Maps: What is where?"""\nst.slider("Map", key="maps_index")\n',
    "core/__init__.py": '"""The engine."""',
    "core/gates.py": "from core.shared import engine\n\n__all__ = ['LIMIT', 'Gate', 'gate']\n"
    "LIMIT: int = 3\nclass Gate: ...\ndef gate() -> None: torch.Generator().manual_seed(0)\n",
    "core/maps/__init__.py": "__all__: list[str] = []\n",
    "core/shared/__init__.py": '"""For all panels."""',
    "core/shared/engine.py": "__all__: list[str] = []\n",
    "core/shared/training.py": "__all__: list[str] = []\nloss.backward()\n",
    "tests/test_gates.py": "",
    "tests/test_maps.py": "",
}

TITLE = '"""Maps: What is where?"""\n'
NOTHING = "__all__: list[str] = []\n"
BREACHES: tuple[tuple[Rule, str, str | None], ...] = (
    (arrows_point_down, "ui/charts.py", "import app"),
    (arrows_point_down, "ui/charts.py", "def late():\n    from pages import index"),
    (arrows_point_down, "core/maps/__init__.py", NOTHING + "from ui import frame"),
    (arrows_point_down, "core/shared/engine.py", NOTHING + "from core import maps"),
    (arrows_point_down, "core/shared/engine.py", NOTHING + "from .. import maps"),
    (arrows_point_down, "core/shared/engine.py", NOTHING + "JOB = 'core.maps.board:draw'"),
    (arrows_point_down, "core/shared/engine.py", NOTHING + "import_module('ui.frame')"),
    (arrows_point_down, "core/maps/__init__.py", NOTHING + "from tests import oracles"),
    (core_knows_no_screen, "core/shared/engine.py", NOTHING + "import streamlit as st"),
    (core_knows_no_screen, "core/maps/board.py", NOTHING + "from pandas import DataFrame"),
    (pages_compute_nothing, "pages/seeing/maps.py", TITLE + "import numpy as np"),
    (pages_compute_nothing, "pages/index.py", "from torch.nn import functional"),
    (pages_compute_nothing, "pages/seeing/maps.py", TITLE + "class Map: ..."),
    (panels_keep_to_themselves, "core/maps/board.py", NOTHING + "from core import gates"),
    (panels_keep_to_themselves, "core/gates.py", NOTHING + "import core.maps.board"),
    (panels_keep_to_themselves, "core/gates.py", NOTHING + "JOB = 'core.maps.board:draw'"),
    (panels_keep_to_themselves, "pages/seeing/maps.py", TITLE + "from core.gates import gate"),
    (a_panel_is_three_files, "core/gates.py", None),
    (a_panel_is_three_files, "core/maps/__init__.py", None),
    (a_panel_is_three_files, "tests/test_maps.py", None),
    (a_panel_is_three_files, "pages/seeing/maps.py", "st.slider('Map', key='maps_index')"),
    (a_panel_is_three_files, "pages/seeing/maps.py", '"""Maps: They are here."""'),
    (names_say_something, "core/shared/utils.py", NOTHING),
    (names_say_something, "ui/helpers/__init__.py", ""),
    (core_says_what_is_public, "core/maps/board.py", "def draw(): ..."),
    (core_says_what_is_public, "core/maps/__init__.py", "import torch"),
    (core_says_what_is_public, "core/gates.py", "__all__ = ['b', 'a']\na = b = 1"),
    (core_says_what_is_public, "core/gates.py", "__all__ = ['a', 'B']\na = B = 1"),
    (core_says_what_is_public, "core/gates.py", "__all__ = ['gone']"),
    (core_says_what_is_public, "core/gates.py", "__all__ = [name for name in globals()]"),
    (nobody_seeds_the_world, "core/gates.py", "torch.manual_seed(0)"),
    (nobody_seeds_the_world, "bench/speed.py", "torch.cuda.manual_seed_all(0)"),
    (nobody_seeds_the_world, "tests/test_gates.py", "from torch import manual_seed"),
    (gradients_are_asked_for, "core/gates.py", NOTHING + "loss.backward()"),
    (gradients_are_asked_for, "core/gates.py", NOTHING + "torch.autograd.backward(loss)"),
    (widgets_have_keys_of_their_own, "pages/seeing/maps.py", TITLE + "slider(key=f'maps_{i}')"),
    (widgets_have_keys_of_their_own, "pages/seeing/maps.py", TITLE + "slider(key='index')"),
    (widgets_have_keys_of_their_own, "pages/index.py", "slider(key='gates_bias')"),
    (the_server_needs_no_torch, "core/gates.py", "import torch"),
    (the_server_needs_no_torch, "app.py", "raise ImportError"),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_sound_house_breaks_no_rule(rule: Rule, tmp_path: Path) -> None:
    build(tmp_path, SOUND)
    assert list(rule(tmp_path)) == []


@pytest.mark.parametrize(("rule", "path", "text"), BREACHES)
def test_each_rule_bites(rule: Rule, path: str, text: str | None, tmp_path: Path) -> None:
    build(tmp_path, SOUND)
    if text is None:
        (tmp_path / path).unlink()
    else:
        build(tmp_path, {path: text})
    assert len(list(rule(tmp_path))) == 1


def test_every_rule_is_seen_to_bite() -> None:
    assert {rule for rule, _, _ in BREACHES} == set(RULES)


def test_the_rules_read_the_whole_house() -> None:
    """A rule that reads no file is kept by every house."""
    read = {path.as_posix() for path, _ in modules(ROOT, "app.py", "pages", "ui", "core")}
    assert {"app.py", "pages/index.py", "ui/frame.py", "core/shared/engine.py"} <= read
    assert [path.stem for path, _ in panel_pages(ROOT)]


def build(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


def modules(root: Path, *places: str) -> list[tuple[Path, ast.Module]]:
    """Parse the Python files in these places, their paths relative to the root."""
    found = []
    for place in places:
        here = root / place
        for path in [here] if here.is_file() else sorted(here.rglob("*.py")):
            found.append((path.relative_to(root), ast.parse(path.read_text(encoding="utf-8"))))
    return found


def panel_pages(root: Path) -> list[tuple[Path, ast.Module]]:
    return [(path, tree) for path, tree in modules(root, "pages") if panel_of(path)]


def name_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def layer(module: str) -> int:
    """Rank a module by where it stands; one that is not ours is below all."""
    for rank, name in enumerate(LAYERS):
        if f"{module}.".startswith(f"{name}."):
            return rank
    return -1


def panel_of(path: Path) -> str:
    """Name the panel to which pages/SECTION/NAME.py, core/NAME.py or core/NAME/… belongs, or ""."""
    place, *rest = path.with_suffix("").parts
    if place == "pages":
        return rest[-1] if len(rest) > 1 else ""
    return "" if rest[0] in ("shared", "__init__") else rest[0]


def imports(path: Path, tree: ast.Module) -> Iterator[str]:
    """Find what a module imports, wherever in it, also by name: through importlib or the engine."""
    package = path.parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            start = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if target := TARGET.fullmatch(node.value):
                yield target[1]
        elif isinstance(node, ast.Call) and dotted(node.func).endswith("import_module"):
            for given in node.args:
                if isinstance(given, ast.Constant) and isinstance(given.value, str):
                    yield given.value


def dotted(node: ast.expr) -> str:
    """Write out a.b.c; anything else gives the part that is names."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def exported(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if [dotted(target) for target in targets] == ["__all__"]:
                try:
                    return [str(name) for name in ast.literal_eval(node.value)]
                except ValueError:
                    return None
    return None


def as_ruff_sorts(name: str) -> tuple[int, str]:
    """CONSTANTS, then Classes, then functions, as ruff's RUF022 wants it."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2), name


def top_level(tree: ast.Module) -> set[str]:
    """Collect the names that a module binds when it is imported."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def widget_keys(tree: ast.Module) -> Iterator[ast.keyword]:
    """Find the key= of each call, but for those that sort or group by one."""
    sorting = {"groupby", "max", "min", "sorted", "sort"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] not in sorting:
            yield from (keyword for keyword in node.keywords if keyword.arg == "key")


def _without(packages: set[str], places: list[tuple[Path, ast.Module]]) -> Iterator[str]:
    for path, tree in places:
        for target in imports(path, tree):
            if target.split(".")[0] in packages:
                yield f"{path} imports {target}"
