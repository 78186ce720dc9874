"""The picture that is explained is read once besides what its method reads, or not at all."""

import pytest
import torch

from core.saliency import Query, explaining
from core.saliency.cams import _places
from core.saliency.explaining import READING, explained
from core.saliency.methods import METHODS
from core.saliency.questions import Question
from tests.saliency.asking import convolutional, image_of, model_of
from tests.shared.turning import whole

IMAGE = image_of(1, 8)
FEW = {"samples": 4, "masks": 40, "steps": 8, "segments": 8}


def besides(method: str, target: int | None) -> int:
    """Count what the network reads beyond what its method is said to have read."""
    network, read = convolutional(), [0]
    model = model_of(network, IMAGE.shape[1:])
    _places(model)  # found out once for all questions

    def count(_: object, given: tuple[torch.Tensor, ...], __: object) -> None:
        read[0] += len(given[0])

    network[0].register_forward_hook(count)
    few = {name: value for name, value in FEW.items() if name in METHODS[method].heeds}
    query = Query(method=method, target=target, **few)  # type: ignore[arg-type]
    passes = whole(explained(model, IMAGE, query)).passes
    return read[0] - passes


@pytest.mark.parametrize("target", [None, 1])
@pytest.mark.parametrize("method", [name for name in METHODS if name != "rollout"])
def test_the_picture_is_read_once_besides_at_most(method: str, target: int | None) -> None:
    assert besides(method, target) == (method not in READING)


@pytest.mark.parametrize("method", READING)
def test_that_count_rejects_who_reads_it_once_more(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "READING", ())
    assert besides(method, None) == 1


@pytest.mark.parametrize("method", ["gradient", "gradcam", "edges"])
def test_a_class_that_is_none_is_refused_whoever_asks(method: str) -> None:
    model = model_of(convolutional(), IMAGE.shape[1:])
    read = int(model.network(IMAGE).argmax())
    for query, message in (
        (Query(method=method, target=99), "target must be from 0 to"),
        (Query(method=method, against=99), "against must be from 0 to"),
        (Query(method=method, against=read), "against must be another class"),
    ):
        with pytest.raises(ValueError, match=message):
            whole(explained(model, IMAGE, query))


def test_what_is_asked_for_by_its_number_is_refused_unread() -> None:
    model = model_of(convolutional(), IMAGE.shape[1:])
    question = Question(model, model.network, IMAGE, Query(target=99))
    with pytest.raises(ValueError, match="target must be"):
        _ = question.target
    assert question.heard is None
