"""The short texts of the Kernel lab, against sentences worked out by hand."""

from typing import Any

import cv2
import numpy as np
import pytest

from cnnviz import display, filters, road
from cnnviz.ui import lab_stages, lab_words

GREY = np.full((5, 7, 3), 100, np.uint8)
RAMP = np.repeat(np.arange(7, dtype=np.uint8)[None, :, None] + 100, 3, axis=2).repeat(5, axis=0)  # 100 … 106
TENTHS = np.full((3, 3), 0.1, np.float32)


def settings(weights: Any = ((1,),), **changed: Any) -> road.Settings:
    return road.Settings("luminance", np.asarray(weights, np.float32), **changed)


@pytest.mark.parametrize(
    ("pixels", "weights", "bias", "expected"),
    [
        (GREY, [[1]], 0, "Every cell is 100."),
        (GREY, [[0, 0], [0, 0]], 0, "Every cell is 0."),
        (GREY, [[1, -1]], 12.5, "Every cell is 12.5."),
        (RAMP, [[1]], 0, ""),  # 6 of 106 is 5.7 %
        (RAMP, [[1]], 400, "Nearly alike: the cells differ by 6 at most."),  # 6 of 506 is 1.2 %
        (RAMP, [[-1]], -400, "Nearly alike: the cells differ by 6 at most."),
        (RAMP, [[1, -1]], 0, "Every cell is −1."),
        (RAMP, [[-1], [0.5], [0.5]], 0, "Every cell is 0."),
    ],
)
def test_a_map_of_one_color_is_said_in_words(pixels: Any, weights: Any, bias: float, expected: str) -> None:
    assert lab_words.evenness(road.walk(pixels, settings(weights, bias=bias))) == expected


def test_what_rounding_leaves_of_zeros_is_no_pattern() -> None:
    weights = np.array([[0.1, -0.7, 0.6]], np.float32)
    walked = road.walk(GREY, settings(weights))
    assert 0 < np.abs(walked.feature_map).max() < 1e-4, "float32 leaves something of the zeros"
    assert lab_words.evenness(walked) == "Every cell is 0, but for rounding."
    middle = (display.levels(walked.feature_map, display.signed_scale(road.limit(walked))) - 127.0) / 127
    assert np.abs(middle).max() < 0.2, "all cells in nearly the color of 0"
    assert road.limit(road.walk(RAMP, settings([[1, -2]]))) == 107  # 100 − 2 · 101 = −102, …, 105 − 2 · 106 = −107


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, ""),
        ({"padding": "same"}, "Hatched: 1 row of zeros on each side."),
        ({"padding": ((2, 2), (2, 2))}, "Hatched: 2 rows of zeros on each side."),
        ({"padding": ((0, 3), (1, 0))}, "Hatched: zeros, 3 below, 1 left."),
        ({"strides": (3, 1)}, "Cross-hatched: 2 rows that no window reads."),  # of 5 rows the first 3 are read
        ({"strides": (1, 3)}, "Cross-hatched: 1 column that no window reads."),  # 7 columns: 0–2, 3–5
        ({"strides": (2, 2)}, ""),
        (
            {"strides": (4, 4), "padding": ((0, 0), (1, 1))},  # columns −1…1 and 3…5, rows 0–2
            "Hatched: zeros, 1 left, 1 right.\nCross-hatched: 2 rows and 2 columns that no window reads.",
        ),
    ],
)
def test_the_input_says_what_its_hatches_are(changed: dict[str, Any], expected: str) -> None:
    assert lab_words.border(settings(TENTHS, **changed), (5, 7)) == expected


def test_a_blur_is_as_bright_as_the_picture() -> None:
    for weights, bias in ((TENTHS / 0.9, 0.0), (TENTHS, 20.0)):
        walked = road.walk(GREY, settings(weights, bias=bias))
        scale, shown = lab_stages.view(walked, "Signed")
        top = 255 * float(weights.sum()) + bias
        assert (scale.low, scale.high) == (0, pytest.approx(top))
        cell = float(walked.feature_map[0, 0])
        assert display.colored(shown(walked.feature_map), scale)[0, 0] == pytest.approx([cell / top * 255] * 3, abs=1)


@pytest.mark.parametrize(
    ("bias", "name", "low"), [(0, "Signed", 0), (400, "Signed", 0), (-400, "Signed", -1), (-400, "Absolute", 0)]
)
def test_a_strength_below_0_has_the_colors_of_what_is_below_0(bias: float, name: str, low: int) -> None:
    sobel = filters.PRESETS["sobel_x"].weights, filters.PRESETS["sobel_y"].weights
    both = road.Settings("luminance", sobel[0], sobel[1], "magnitude", bias)
    scale, _ = lab_stages.view(road.walk(RAMP, both), name)
    assert np.sign(scale.low) == low


def test_a_picture_of_one_color_has_no_direction() -> None:
    sobel = filters.PRESETS["sobel_x"].weights, filters.PRESETS["sobel_y"].weights
    angles = road.Settings("luminance", sobel[0], sobel[1], "direction")
    red = np.full((9, 9, 3), (200, 30, 77), np.uint8)
    for pixels, grey in ((red, True), (np.repeat(RAMP, 2, axis=0), False)):
        walked = road.walk(pixels, angles)
        drawn = lab_stages._wheel_of(walked)()
        levels = cv2.imdecode(np.frombuffer(drawn, np.uint8), cv2.IMREAD_COLOR).astype(int)
        assert bool(np.ptp(levels, axis=2).max() == 0) is grey


@pytest.mark.parametrize(
    ("negative", "expected"),
    [
        (0, "0\u00a0%"),
        (1, "<\u00a00.1\u00a0%"),
        (3000, "50\u00a0%"),
        (5999, ">\u00a099.9\u00a0%"),
        (6000, "100\u00a0%"),
    ],
)
def test_a_share_of_all_cells_is_all_of_them_or_less(negative: int, expected: str) -> None:
    pixels = np.full((60, 100, 3), 100, np.uint8)
    pixels.reshape(-1, 3)[:negative] = 0
    walked = road.walk(pixels, settings(bias=-50.0))
    assert lab_words.relu_share(walked) == f"{expected} of the cells became 0"
    assert f"and {expected} of this map is lost" in lab_words.displays(walked)


def test_a_kernel_of_zeros_gives_black() -> None:
    walked = road.walk(GREY, settings(TENTHS * 0))
    scale, shown = lab_stages.view(walked, "Signed")
    assert not display.colored(shown(walked.feature_map), scale).any()
