"""The formulae on the first panel's page are what torch computes: read as a program, and run."""

import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.shared.recipes import OPTIMISERS, Recipe
from tests.shared.test_training import PLAIN
from ui.panels.train_cnn.wording import FORMULAE, LOSSES

RATE, DECAY, MU = 0.03, 0.1, 0.8


def program(latex: str) -> str:
    """Translate a formula of this page into Python; what is left of LaTeX is no Python."""
    text = latex.replace(r"\eta_t", "eta").replace(r"\mu", "mu").replace(r"\lambda", "lam")
    text = text.replace(r"\leftarrow", "=").replace(r"\,", "*").replace("[k = y_n]", "hit")
    text = re.sub(r"\^\{([^}]*)\}", r"**(\1)", text).replace("^", "**")
    while r"\frac" in text or r"\sqrt" in text:
        text = re.sub(r"\\sqrt\{([^{}]*)\}", r"root(\1)", text)
        text = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1)/(\2))", text)
    return text


def descend(name: str, formulae: dict[str, tuple[str, ...]], steps: int = 6) -> Tensor:
    """Go down ½ Σ k w² by the page's formulae."""
    scale = torch.tensor([1.0, 3.0, 0.2], dtype=torch.float64)
    w = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    zero = torch.zeros_like(w)
    known: dict[str, Any] = {"w": w, "v": zero, "s": zero, "m": zero, "root": torch.sqrt}
    for t in range(steps):
        g = scale * known["w"] + (0 if name == "adamw" else DECAY * known["w"])
        known |= {"g": g, "t": t, "eta": RATE / (t + 1), "mu": MU, "lam": DECAY}
        for line in formulae[name]:
            exec(program(line).strip(), {}, known)
    end: Tensor = known["w"]
    return end


def plain(name: str, steps: int = 6) -> Tensor:
    scale = torch.tensor([1.0, 3.0, 0.2], dtype=torch.float64)
    w = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))
    optimiser = PLAIN[name]([w], Recipe(learning_rate=RATE, momentum=MU))
    optimiser.param_groups[0]["weight_decay"] = DECAY
    for t in range(steps):
        optimiser.param_groups[0]["lr"] = RATE / (t + 1)
        w.grad = scale * w.detach()
        optimiser.step()
    return w.detach()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_the_formula_of_each_optimiser_is_what_torch_does(name: str) -> None:
    torch.testing.assert_close(descend(name, FORMULAE), plain(name), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_that_oracle_rejects_the_formula_of_another_optimiser(name: str) -> None:
    for other in OPTIMISERS:
        formulae = {**FORMULAE, name: FORMULAE[other]}
        same = torch.allclose(descend(name, formulae), plain(name), rtol=1e-6)
        assert same == (other == name)


def test_the_formulae_of_the_losses_are_what_torch_computes() -> None:
    source = torch.Generator().manual_seed(3)
    z, y = torch.randn(4, 5, generator=source), torch.tensor([0, 4, 2, 2])
    hit, log_p, b, k = F.one_hot(y, 5), z.log_softmax(1), len(z), z.shape[1]
    assert LOSSES["cross-entropy"][0] == r"L = -\frac{1}{B}\sum_{n=1}^{B}\log p_{n,y_n}"
    torch.testing.assert_close(-(log_p[range(b), y]).sum() / b, F.cross_entropy(z, y))
    weight = re.search(
        r"\\left\((\(1-EPS\)\[k = y_n\] \+ \\frac\{EPS\}\{K\})", LOSSES["smoothed"][0]
    )
    assert weight
    written = program(weight[1]).replace("EPS)hit", "EPS)*hit")
    share = eval(written, {"EPS": 0.1, "K": k, "hit": hit})
    expected = F.cross_entropy(z, y, label_smoothing=0.1)
    torch.testing.assert_close(-(share * log_p).sum() / b, expected)
