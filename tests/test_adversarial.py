"""What the attack panel shows of one picture is so, and its receipt is recomputed from the file."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from core.adversarial import METHODS, Attack, Film, Outcome
from core.adversarial.attacking import CODE, attack, png
from core.adversarial.driving import drive
from core.adversarial.goals import Goal
from core.adversarial.resizing import exactly, resize
from core.shared import photographs, pictures, seeing
from core.shared.loading import load
from core.shared.models import Source
from tests.shared.digits import digit
from tests.shared.untouched import leaves_untouched

DIGITS = Source(kind="built-in", name="mnist")
PHOTOGRAPHS = Source(kind="built-in", name="efficientnet-lite0")


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")


def answer(source: Source, pixels: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        logits = load(source).network(torch.tensor(pixels, dtype=torch.float32)[None])
    found: np.ndarray = logits[0].double().softmax(0).numpy()
    return found


def reopened(found: Outcome, source: Source) -> np.ndarray:
    """What the network makes of the file when it is uploaded."""
    model = load(source)
    fitted = seeing.fit(pictures.read(found.content).pixels, model.shape, model.data)
    return answer(source, fitted)


def a_true_receipt(
    found: Outcome,
    source: Source,
    clean: np.ndarray,
    config: Attack,
    seen: np.ndarray | None = None,
) -> None:
    """Recompute every number of an outcome from the clean picture and the file alone."""
    given = np.round(255 * clean) / 255 if seen is None else seen
    assert np.allclose(found.clean, given)
    saved = np.asarray(Image.open(io.BytesIO(found.content)))
    changed = (saved[None] if saved.ndim == 2 else saved.transpose(2, 0, 1)) / 255
    change = changed - np.round(255 * clean) / 255
    assert found.linf == pytest.approx(abs(change).max(), abs=1e-6)
    # Summed in float32.
    assert found.l2 == pytest.approx(np.sqrt((change**2).sum()), rel=1e-4, abs=1e-5)
    assert found.l0 == (abs(change).max(0) > 1e-6).sum()
    assert np.allclose(found.before, answer(source, given), atol=1e-4)
    after = reopened(found, source)
    assert np.allclose(found.after, after, atol=1e-4)
    wanted = after.argmax() != found.label if config.target is None else None
    if wanted is not None:
        assert found.fooled == (bool(wanted) and not found.already)
    elif not found.already:
        assert found.fooled == (after.argmax() == config.target)
    assert (found.low, found.high) == pytest.approx((changed.min(), changed.max()), abs=1e-6)
    assert getattr(found, config.norm) <= config.epsilon * (1 + 1e-4) + 1e-6
    if not found.fooled:
        assert abs(change).max() < 1e-6
    film = found.film
    assert film.step[0] in (0, -1)
    assert film.title(0) == "clean"
    assert film.linf[0] == 0
    assert len(film.pictures) == len(film.shown)
    assert film.best in film.shown
    assert found.steps == (film.step[film.best] if found.fooled else 0)
    # The film of a photograph is scaled by torch, the rest by Pillow, which rounds in between.
    near = 0.01 if seen is None else 2.01
    assert abs(film.pictures[0] - 255 * found.clean).max() < near
    if found.fooled:
        best = film.pictures[[*film.shown].index(film.best)]
        assert abs(best - 255 * found.changed).max() < 1 + near
        assert film.margin[film.best] < 0


@pytest.mark.parametrize("method", sorted(CODE))
@pytest.mark.parametrize("index", [0, 8])
def test_the_receipt_of_each_attack_on_a_digit_is_true(method: str, index: int) -> None:
    pixels, label = digit(index)
    norm = METHODS[method].norms[0]
    epsilon = {"linf": 0.2, "l2": 4.0, "l0": 40.0}[norm]
    steps = 40 if method == "jsma" else 15
    config = Attack(method=method, epsilon=epsilon, early=False, steps=steps, queries=300)
    found = attack(DIGITS, pixels, label, config)
    a_true_receipt(found, DIGITS, pixels, config)
    if METHODS[method].box == "white box":
        assert found.fooled


def test_that_receipt_is_rejected_when_a_number_of_it_is_wrong() -> None:
    pixels, label = digit(0)
    config = Attack(epsilon=0.2, early=False, steps=10)
    found = attack(DIGITS, pixels, label, config)
    with pytest.raises(AssertionError):
        a_true_receipt(found, DIGITS, np.clip(pixels + 0.1, 0, 1), config)
    with pytest.raises(AssertionError):
        a_true_receipt(found, DIGITS, pixels, Attack(epsilon=0.01))


FILM = ("margin", "p_true", "p_other", "linf", "l2", "l0")


def rows_of(film: Film) -> np.ndarray:
    """The numbers of those rows whose picture is kept."""
    return np.stack([getattr(film, name)[film.shown] for name in FILM], 1).astype(float)


def film_again(pictures: torch.Tensor, clean: torch.Tensor, label: int, other: int) -> np.ndarray:
    """Compute these numbers from the pictures, the network and nothing of the panel.

    Args:
        pictures: of the rows.
        clean: the picture that was attacked.
        label: its class.
        other: the target; −1 for none.
    """
    with torch.no_grad():
        logits = load(DIGITS).network(pictures).double()
    shares, found = logits.softmax(1), []
    for row, share, picture in zip(logits, shares, pictures.double(), strict=True):
        others = [k for k in range(10) if k != (label if other < 0 else other)]
        rest = float(row[others].max())
        margin = float(row[label]) - rest if other < 0 else rest - float(row[other])
        p_other = float(share[others].max() if other < 0 else share[other])
        change = (picture - clean.double()).abs()
        sizes = change.max(), change.square().sum().sqrt(), (change > 1e-3 / 255).any(0).sum()
        found.append([margin, float(share[label]), p_other, *map(float, sizes)])
    return np.array(found)


def a_true_film(numbers: np.ndarray, again: np.ndarray) -> None:
    """Compare each number of the rows.

    A pixel of float32 is known to 6e-8. So ‖x − x₀‖₂ is to √784 · 6e-8 < 2e-6, and its squares are
    summed to 1e-4 of themselves at worst. The logits are sums of about a thousand products of size
    1 to 10, whose order depends on how many pictures are read at a time: to 1e-3 with room. A
    probability moves by at most a quarter of that. Those pixels count that differ by more than a
    thousandth of a level, and the difference of two float32 values so near is exact.
    """
    assert numbers.shape == again.shape
    assert np.allclose(numbers[:, 0], again[:, 0], rtol=0, atol=1e-3)
    assert np.allclose(numbers[:, 1:3], again[:, 1:3], rtol=0, atol=3e-4)
    assert np.allclose(numbers[:, 3], again[:, 3], rtol=0, atol=1e-6)
    assert np.allclose(numbers[:, 4], again[:, 4], rtol=1e-4, atol=2e-6)
    assert np.array_equal(numbers[:, 5], again[:, 5])


@pytest.mark.parametrize("target", [None, 9])
@pytest.mark.parametrize("index", [0, 8])
def test_each_row_of_a_film_is_recomputed_from_its_picture(index: int, target: int | None) -> None:
    """Signs of whole levels within whole levels: what the film rounds to 8 bits is the row."""
    pixels, label = digit(index)
    config = Attack(
        method="bim", epsilon=26 / 255, step_size=2 / 255, steps=20, target=target, early=False
    )
    film = attack(DIGITS, pixels, label, config).film
    assert len(film.shown) == len(film.step) > 15  # no row is left out
    pictures, clean = torch.from_numpy(film.pictures) / 255, torch.from_numpy(pixels)
    again = film_again(pictures, clean, label, -1 if target is None else target)
    a_true_film(rows_of(film), again)


@pytest.mark.parametrize("method", ["pgd", "deepfool", "cw", "square"])
def test_each_row_of_a_film_is_that_of_the_attack_driven_by_hand(method: str) -> None:
    """Where a picture is no 8-bit one, the attack's own is taken, as it was when it passed."""
    pixels, label = digit(8)
    norm = METHODS[method].norms[-1]
    config = Attack(
        method=method, norm=norm, epsilon=2.0 if norm == "l2" else 0.1, steps=6, searches=2
    )
    config = replace(config, queries=40, early=False)
    clean, goal = torch.from_numpy(pixels)[None], Goal(torch.tensor([label]), None)
    moments = [
        row.images[0] for row in drive(CODE[method], load(DIGITS).network, clean, goal, config)
    ]
    film = attack(DIGITS, pixels, label, config).film
    passed = [clean[0], *moments] if not moments[0].equal(clean[0]) else moments
    places = film.step - film.step[0]
    kept = places < len(passed)  # a result that was made longer comes after
    assert kept.sum() >= len(kept) - 1 > 4
    pictures = torch.stack([passed[place] for place in places[kept]])
    numbers = np.stack([getattr(film, name)[kept] for name in FILM], 1).astype(float)
    a_true_film(numbers, film_again(pictures, clean[0], label, -1))


@pytest.mark.parametrize(
    ("method", "first"), [("bim", ["clean", "step 1"]), ("pgd", ["clean", "start", "step 1"])]
)
def test_the_last_row_of_six_steps_is_the_sixth(method: str, first: list[str]) -> None:
    """Also where the attack begins elsewhere: neither the clean picture nor the start is a step."""
    pixels, label = digit(0)
    film = attack(DIGITS, pixels, label, Attack(method=method, steps=6, early=False)).film
    titles = [film.title(row) for row in range(len(film.step))]
    assert titles[: len(first)] == first
    assert titles[-1] == "step 6"
    assert film.step[-1] == 6
    assert len(titles) == len(first) + 5


def test_a_film_of_nothing_but_the_clean_picture_is_of_no_step() -> None:
    pixels, label = digit(0)
    film = attack(DIGITS, pixels, (label + 1) % 10, Attack(steps=2)).film
    assert film.step.tolist() == [0]


@pytest.mark.parametrize("column", range(len(FILM)), ids=FILM)
def test_that_a_film_with_one_wrong_number_is_rejected(column: int) -> None:
    """In one row the value of the row before; or for all rows the pictures of those before."""
    pixels, label = digit(0)
    config = Attack(method="bim", epsilon=26 / 255, step_size=2 / 255, steps=8, early=False)
    film = attack(DIGITS, pixels, label, config).film
    pictures, clean = torch.from_numpy(film.pictures) / 255, torch.from_numpy(pixels)
    numbers, again = rows_of(film), film_again(pictures, clean, label, -1)
    a_true_film(numbers, again)
    row = int(abs(np.diff(numbers[:, column])).argmax())
    numbers[row + 1, column] = numbers[row, column]
    with pytest.raises(AssertionError):
        a_true_film(numbers, again)
    with pytest.raises(AssertionError):
        a_true_film(rows_of(film), film_again(pictures.roll(1, 0), clean, label, -1))


def test_with_no_budget_nothing_changes_and_it_is_said() -> None:
    pixels, label = digit(0)
    for method in ("fgsm", "pgd"):
        config = Attack(method=method, epsilon=0.0, early=False, steps=5)
        found = attack(DIGITS, pixels, label, config)
        assert not found.fooled
        assert not found.found
        assert np.array_equal(found.changed, found.clean)
        assert (found.film.linf == 0).all()


def test_a_target_is_reached_or_it_is_no_success() -> None:
    pixels, label = digit(0)
    for target in (3, 9):
        config = Attack(epsilon=0.25, target=target, early=False)
        found = attack(DIGITS, pixels, label, config)
        a_true_receipt(found, DIGITS, pixels, config)
        assert found.fooled
        assert found.after.argmax() == target


def test_what_is_read_wrong_already_is_no_success_of_an_attack() -> None:
    pixels, label = digit(0)
    found = attack(DIGITS, pixels, (label + 1) % 10, Attack(epsilon=0.1, early=False))
    assert found.already
    assert not found.fooled
    assert np.array_equal(found.changed, found.clean)


def test_without_a_label_it_gets_away_from_what_the_network_reads() -> None:
    pixels, label = digit(0)
    assert attack(DIGITS, pixels, None, Attack(epsilon=0.0)).label == label


@pytest.mark.parametrize(
    ("config", "most"),
    [
        (Attack(method="fgsm", epsilon=50 / 255, early=False), 100),
        (Attack(method="fgsm", epsilon=50 / 255, target=8, early=False), 100),
        (Attack(norm="l2", epsilon=2.0, early=False), 20),
    ],
)
def test_noise_of_the_same_size_is_counted_as_it_is(config: Attack, most: int) -> None:
    """The change itself, its pixels laid out anew with other signs, and read again."""
    pixels, label = digit(0)
    found = attack(DIGITS, pixels, label, config)
    assert found.fooled
    source = np.random.default_rng(5)
    wrong = 0
    for _ in range(100):
        values = source.permutation((found.changed - found.clean).ravel()).reshape(pixels.shape)
        values = values * source.choice([-1, 1], pixels.shape)
        inside = (found.clean + values >= 0) & (found.clean + values <= 1)
        noisy = found.clean + np.where(inside, values, -values)
        wrong += int(answer(DIGITS, np.clip(noisy, 0, 1)).argmax() != label)
    assert abs(wrong - found.noise) <= 15
    assert found.noise <= most
    assert found.noises == 100


@pytest.mark.parametrize("name", ["coffee", "chelsea"])
@pytest.mark.parametrize("method", ["fgsm", "pgd"])
def test_a_photograph_is_attacked_through_the_resize_and_its_file_fools(
    name: str, method: str
) -> None:
    whole = photographs.photograph(name).pixels
    pixels = seeing.fit(whole, (3, 224, 224), "")
    config = Attack(method=method, epsilon=4 / 255, steps=5, early=False)
    found = attack(PHOTOGRAPHS, pixels, None, config, whole)
    a_true_receipt(found, PHOTOGRAPHS, whole.transpose(2, 0, 1) / 255, config, pixels)
    assert found.fooled
    assert found.size == whole.shape[:2]
    assert pictures.read(found.content).pixels.shape == whole.shape
    assert found.after.argmax() != found.before.argmax()


def test_a_photograph_of_the_networks_own_size_fools_as_a_file_too() -> None:
    pixels = seeing.fit(photographs.photograph("coffee").pixels, (3, 224, 224), "")
    config = Attack(epsilon=4 / 255, steps=5, early=False)
    found = attack(PHOTOGRAPHS, pixels, None, config)
    a_true_receipt(found, PHOTOGRAPHS, pixels, config)
    assert found.fooled


@pytest.mark.parametrize("size", [(300, 451), (224, 224), (600, 90), (1000, 700)])
def test_the_resize_of_an_attack_is_that_of_the_network(size: tuple[int, int]) -> None:
    source = np.random.default_rng(0)
    coarse = source.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    whole = np.asarray(Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC))
    images = torch.tensor(whole.transpose(2, 0, 1) / 255, dtype=torch.float32)[None]
    ours, theirs = resize(images, (3, 224, 224)), exactly(images, (3, 224, 224))
    fitted = seeing.fit(whole, (3, 224, 224), "")
    assert np.array_equal(theirs[0].numpy(), fitted)
    assert float((ours - theirs).abs().max()) <= 2 / 255


def test_that_a_resize_by_a_pixel_too_many_would_be_seen() -> None:
    whole = photographs.photograph("coffee").pixels
    images = torch.tensor(whole.transpose(2, 0, 1) / 255, dtype=torch.float32)[None]
    shifted = resize(images.roll(1, 3), (3, 224, 224))
    assert float((shifted - exactly(images, (3, 224, 224))).abs().max()) > 2 / 255


def test_a_digit_saved_and_uploaded_is_the_same_to_the_last_bit() -> None:
    for index in range(20):
        pixels, _ = digit(index)
        content = png(torch.tensor(pixels))
        assert np.array_equal(
            seeing.fit(pictures.read(content).pixels, (1, 28, 28), "mnist"), pixels
        )


def test_a_film_of_very_many_steps_is_cut_and_keeps_its_best() -> None:
    pixels, label = digit(0)
    config = Attack(method="bim", epsilon=0.2, steps=1000, step_size=1 / 255, early=False)
    film = attack(DIGITS, pixels, label, config).film
    assert len(film.step) <= 700
    assert len(film.pictures) <= 60
    assert film.step[-1] == 1000
    assert film.best in film.shown


def test_an_attack_leaves_the_network_as_it_was() -> None:
    pixels, label = digit(0)
    network = load(DIGITS).network
    leaves_untouched(network, lambda: attack(DIGITS, pixels, label, Attack(steps=2)))
    leaves_untouched(
        network, (lambda: attack(DIGITS, pixels[:, :-1], label, Attack()), "picture must be of")
    )
    leaves_untouched(
        network, (lambda: attack(DIGITS, pixels, 12, Attack()), "label must be from 0 to 9")
    )
