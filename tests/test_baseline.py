"""The three-number baseline: numbers worked out by hand, and data where the answer is known."""

import colorsys
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from cnnviz.networks.baseline import baseline, numbers, three_numbers


def filled(*color: int) -> np.ndarray:
    return np.full((4, 6, len(color)), color, np.uint8)


def halves(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.concatenate([left, right], axis=1)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (filled(255, 0, 0), (0.299 * 255, 255, 0)),
        (filled(0, 255, 0), (0.587 * 255, 255, 0)),
        (filled(0, 0, 255), (0.114 * 255, 255, 0)),
        (filled(200, 50, 100), (59.8 + 29.35 + 11.4, 150, 0)),
        (filled(255, 255, 255), (255, 0, 0)),
        (filled(77, 77, 77), (77, 0, 0)),
        (filled(77), (77, 0, 0)),
        (halves(filled(0), filled(255)), (127.5, 0, 127.5)),
        (halves(filled(0, 0, 0), filled(255, 255, 255)), (127.5, 0, 127.5)),
        (halves(filled(100, 100, 100), filled(200, 0, 0)), (79.9, 100, 20.1)),  # lumas 100 and 59.8
    ],
)
def test_the_three_numbers_are_those_worked_out_by_hand(
    picture: np.ndarray, expected: tuple[float, float, float]
) -> None:
    assert three_numbers(picture) == pytest.approx(expected, abs=1e-8)
    if len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)) == 1:
        assert three_numbers(picture)[2] == 0  # exactly


def test_chroma_and_brightness_agree_with_the_standard_library() -> None:
    pictures = np.random.default_rng(3).integers(0, 256, (5, 7, 4, 3), np.uint8)
    for picture, (brightness, chroma, contrast) in zip(pictures, numbers(pictures), strict=True):
        pixels = [tuple(float(level) for level in pixel) for pixel in picture.reshape(-1, 3)]
        luma = [colorsys.rgb_to_yiq(*pixel)[0] for pixel in pixels]  # .30, .59, .11: rounded weights
        saturated = [colorsys.rgb_to_hsv(*pixel) for pixel in pixels]
        assert brightness == pytest.approx(np.mean(luma), abs=1.5)
        assert contrast == pytest.approx(np.std(luma), abs=1.5)
        assert chroma == pytest.approx(np.mean([s * v for _, s, v in saturated]))


def test_pictures_counted_in_parts_give_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.random.default_rng(4).integers(0, 256, (23, 8, 5, 3), np.uint8)
    whole = numbers(pictures)
    monkeypatch.setattr("cnnviz.networks.baseline._AT_ONCE", 4 * 8 * 5 * 3 + 1)
    np.testing.assert_array_equal(numbers(pictures), whole)
    np.testing.assert_array_equal([three_numbers(picture) for picture in pictures], whole)


RED, GREEN = np.stack([filled(200, 0, 0)] * 3), np.stack([filled(0, 90, 90)] * 3)
ONES = np.ones(3, int)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((RED.astype(float), ONES, RED, ONES), "float64 of shape .* expected uint8"),
        ((RED[..., :2], ONES, RED, ONES), r"shape \(3, 4, 6, 2\)"),
        ((RED, ONES, RED[0], np.ones(4)), r"uint8 of shape \(4, 6, 3\)"),
        ((RED, ONES[:2], RED, ONES), r"3 train pictures with labels of shape \(2,\)"),
        ((RED, ONES, RED, np.eye(3)), r"3 test pictures with labels of shape \(3, 3\)"),
        ((RED[:0], ONES[:0], RED, ONES), "0 train pictures"),
        ((RED, ONES, RED[:0], ONES[:0]), "0 test pictures"),
    ],
)
def test_arrays_that_do_not_fit_get_a_sentence(arguments: tuple[Any, ...], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        baseline(*arguments)


@pytest.mark.parametrize(
    ("train_label", "test_labels", "expected"), [(1, [1, 1, 1], 1.0), (1, [0, 1, 1], 2 / 3), (0, [1, 1, 1], 0.0)]
)
def test_with_one_class_to_learn_from_the_answer_is_that_class(
    train_label: int, test_labels: list[int], expected: float
) -> None:
    assert baseline(RED, ONES * train_label, GREEN, np.array(test_labels)) == expected


def test_scikit_learn_is_not_loaded_with_the_module() -> None:
    code = "import sys, cnnviz.networks.baseline; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def noise(mean: float, spread: float, channels: int, n: int, seed: int) -> np.ndarray:
    levels = np.random.default_rng(seed).normal(mean, spread, (n, 8, 8, 1)).repeat(channels, axis=3)
    return np.clip(levels, 0, 255).astype(np.uint8)


def tinted(pictures: np.ndarray) -> np.ndarray:
    """The same brightness but for 0.02 levels, with color: −10 red, +7 green, −10 blue."""
    shifted = pictures.astype(int) + np.array([-10, 7, -10])
    return np.clip(shifted, 0, 255).astype(np.uint8)


GREY = noise(128, 20, 3, 60, 1)


@pytest.mark.keras
@pytest.mark.parametrize(
    ("classes", "low", "high"),
    [
        ([noise(60, 20, 1, 60, 1), noise(128, 20, 1, 60, 2), noise(190, 20, 1, 60, 3)], 1.0, 1.0),  # brightness
        ([noise(128, 10, 1, 60, 1), noise(128, 25, 1, 60, 2), noise(128, 50, 1, 60, 3)], 0.97, 1.0),  # contrast
        ([GREY, tinted(noise(128, 20, 3, 60, 2))], 1.0, 1.0),  # chroma
        ([noise(128, 20, 3, 60, 1), noise(128, 20, 3, 60, 2)], 0.25, 0.75),  # nothing to tell them by
        ([GREY, GREY], 0.5, 0.5),  # the same pictures: one label for both
        ([np.stack([filled(9)] * 60), np.stack([filled(9)] * 60)], 0.5, 0.5),  # nothing varies at all
    ],
)
def test_it_tells_classes_apart_by_each_number_and_by_nothing_else(
    classes: list[np.ndarray], low: float, high: float
) -> None:
    train, test = (np.concatenate([one[part] for one in classes]) for part in (slice(0, 40), slice(40, 60)))
    train_labels, test_labels = (np.repeat(np.arange(len(classes)), n) for n in (40, 20))
    if classes[0] is classes[1]:
        test = train[: len(test)]
    assert low <= baseline(train, train_labels, test, test_labels) <= high


@pytest.mark.keras
def test_labels_may_skip_numbers_and_a_class_unseen_in_training_is_wrong() -> None:
    train, labels = np.concatenate([RED, GREEN]), np.array([5, 5, 5, 2, 2, 2])
    assert baseline(train, labels, train, labels) == 1.0
    assert baseline(train, labels, train, np.array([5, 5, 5, 9, 9, 9])) == 0.5


@pytest.mark.keras
def test_it_is_the_regression_on_standardised_numbers() -> None:
    """Newton's method on the same penalised likelihood, written out, answers alike on pictures that overlap."""
    train = np.concatenate([noise(120, 30, 1, 80, 5), noise(126, 34, 1, 80, 6)])
    test = np.concatenate([noise(120, 30, 1, 200, 7), noise(126, 34, 1, 200, 8)])
    labels, truth = np.repeat([0, 1], 80), np.repeat([0, 1], 200)

    x = numbers(train)[:, [0, 2]]
    mean, spread = x.mean(axis=0), x.std(axis=0)
    x = np.c_[np.ones(len(x)), (x - mean) / spread]
    y = np.c_[np.ones(len(test)), (numbers(test)[:, [0, 2]] - mean) / spread]
    weights = np.zeros(3)
    penalty = np.diag([0.0, 1.0, 1.0])  # not on the bias
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (p - labels) + penalty @ weights
        weights -= np.linalg.solve((x.T * (p * (1 - p))) @ x + penalty, gradient)
    assert baseline(train, labels, test, truth) == pytest.approx(np.mean((y @ weights > 0) == truth), abs=0.005)


@pytest.mark.keras
def test_a_number_that_varies_little_counts_as_much_as_one_that_varies_much() -> None:
    """Brightness varies by 30 levels and contrast by a tenth; the class hangs on both, each by its own deviation."""
    rng = np.random.default_rng(9)
    pictures = np.zeros((600, 8, 8, 1), np.uint8) + rng.integers(100, 201, (600, 1, 1, 1)).astype(np.uint8)
    for picture, raised in zip(pictures.reshape(600, 64), rng.integers(1, 20, 600), strict=True):
        picture[:raised] += 1
    brightness, _, contrast = numbers(pictures).T
    labels = (brightness - brightness.mean()) / brightness.std() + (contrast - contrast.mean()) / contrast.std() > 0
    truth = labels.astype(int)
    assert baseline(pictures[:200], truth[:200], pictures[200:], truth[200:]) >= 0.97
