"""The code that the Kernel lab offers to copy computes what the page shows."""

from typing import Any

import numpy as np
import pytest

from cnnviz import filters, recipe, road

PICTURE = np.random.default_rng(7).integers(0, 256, (19, 24, 3), np.uint8)
SOBEL = filters.PRESETS["sobel_x"].weights
RANDOM = np.random.default_rng(8).normal(size=(3, 4)).astype(np.float32)
CASES: list[dict[str, Any]] = [
    {"weights": SOBEL},
    {"weights": RANDOM, "padding": "same", "bias": 2.5},
    {"weights": RANDOM, "strides": (2, 3), "relu": False, "pool_kind": "average"},
    {"weights": RANDOM, "strides": (2, 1), "padding": "same", "pool_size": (3, 2), "pool_strides": (1, 2)},
    {"weights": RANDOM, "dilation_rate": (2, 3)},
    {"weights": RANDOM, "dilation_rate": (2, 3), "padding": "same"},
    {"weights": RANDOM, "dilation_rate": (2, 1), "strides": (1, 2), "padding": "same"},
    {"weights": RANDOM, "padding": ((1, 2), (0, 3)), "bias": -7.0},
    {"weights": np.stack([SOBEL, 2 * SOBEL, SOBEL.T], axis=-1), "channel": "rgb"},
    {
        "weights": np.stack([RANDOM] * 3, axis=-1),
        "channel": "rgb",
        "dilation_rate": (2, 2),
        "padding": ((1, 1), (1, 1)),
    },
    {"weights": SOBEL, "pool_size": (15, 14), "bias": 1234.5678},
    {"weights": RANDOM, "strides": (2, 1), "pool_size": (12, 2)},  # does not fit
    {"weights": SOBEL, "weights_y": SOBEL.T, "combine": "magnitude"},
    {"weights": SOBEL, "weights_y": SOBEL.T, "combine": "direction", "padding": "same"},
]


def settings(case: dict[str, Any]) -> road.Settings:
    return road.Settings(**{"channel": "luminance", **case})


def run(code: str) -> np.ndarray:
    names: dict[str, Any] = {"picture": PICTURE}
    exec(code, names)
    return np.asarray(names["y"])


def fits(chosen: road.Settings) -> bool:
    return road.walk(PICTURE, chosen).pooled is not None


def expected(chosen: road.Settings) -> np.ndarray:
    walked = road.walk(PICTURE, chosen)
    return next(m for m in (walked.pooled, walked.relu, walked.feature_map) if m is not None)


@pytest.mark.parametrize("case", CASES)
def test_the_opencv_code_computes_the_last_stage(case: dict[str, Any]) -> None:
    chosen = settings(case)
    np.testing.assert_allclose(run(recipe.opencv_code(chosen, fits(chosen))), expected(chosen), rtol=1e-4, atol=2e-2)


@pytest.mark.keras
@pytest.mark.parametrize("case", CASES)
def test_the_keras_code_computes_the_last_stage(case: dict[str, Any]) -> None:
    chosen = settings(case)
    np.testing.assert_allclose(run(recipe.keras_code(chosen, fits(chosen))), expected(chosen), rtol=1e-4, atol=2e-2)
