"""What the README says is so: its folders, commands, variables, and the panel that it adds."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import test_architecture as house

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_folder_and_file_it_names_is_there() -> None:
    named = re.findall(r"^\| `([\w./]+)` \|", README, re.MULTILINE)
    linked = re.findall(r"\]\(([\w./]+)\)", README)
    here = [each for each in [*named, *linked] if not re.search("NAME|GLASSBOX", each)]
    assert {"app.py", "core/shared/", "assets/picture.png"} <= set(here)
    assert [each for each in here if not (ROOT / each).exists()] == []


def test_its_commands_are_targets_of_the_makefile() -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"run", "test"} <= set(re.findall(r"^make (\w+)", README, re.MULTILINE)) <= set(targets)


def test_the_server_reads_the_variables_that_it_names() -> None:
    named = set(re.findall(r"^\| `(GLASSBOX_\w+)`", README, re.MULTILINE))
    modules = house.modules(ROOT, "app.py", "core", "ui", "pages")
    read = {name for _, tree in modules for name in re.findall(r"'(GLASSBOX_\w+)'", ast.dump(tree))}
    assert named == read


def panel() -> dict[str, str]:
    """Take the files of the panel that the README adds."""
    block = r"`((?:core|pages|tests)/[\w/]*coin\.py)`[^`]*```python\n(.*?)```"
    return dict(re.findall(block, README, re.DOTALL))


@pytest.fixture
def house_with_it(tmp_path: Path) -> Path:
    house.build(tmp_path, {"core/__init__.py": '"""The engine."""', **panel()})
    return tmp_path


def python(program: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_panel_that_it_adds_is_three_files() -> None:
    assert set(panel()) == {"core/coin.py", "pages/training/coin.py", "tests/test_coin.py"}


def test_the_panel_that_it_adds_keeps_the_rules(house_with_it: Path) -> None:
    assert len(house.panel_pages(house_with_it)) == 1
    for rule in house.RULES:
        if rule is not house.the_server_needs_no_torch:  # there is no server in this house
            assert list(rule(house_with_it)) == []


def test_the_panel_that_it_adds_works(house_with_it: Path) -> None:
    python("from tests.test_coin import *; test_a_fair_coin_has_one_bit()", house_with_it)
    program = """
from streamlit.testing.v1 import AppTest
page = AppTest.from_file("pages/training/coin.py").run()
assert not page.exception, page.exception
page.slider(key="coin_p").set_value(0.25).run()
print(page.metric[0].value)
"""
    assert python(program, house_with_it) == "0.811"  # 2 − 3/4 log2 3
