"""Checks the road's stages against numbers worked out by hand, and its spec by computing single cells from it."""

import json
import math

import numpy as np
import pytest

from cnnviz import filters, road
from cnnviz.filters import PRESETS
from cnnviz.road import Settings, walk

ONE = np.ones((1, 1), np.float32)
SOBEL = (PRESETS["sobel_x"].weights, PRESETS["sobel_y"].weights)


def picture(*planes):
    """Pixels (H, W, 3) from one grid (grey) or three."""
    grids = [np.asarray(plane, np.uint8) for plane in planes]
    return np.stack(grids * (3 if len(grids) == 1 else 1), axis=-1)


RISING = picture(np.tile(np.arange(0, 60, 10), (4, 1)))  # 4×6, ten brighter each column to the right
THREE = picture([[1, 2], [3, 4]], [[10, 20], [30, 40]], [[100, 200], [150, 250]])


@pytest.mark.parametrize(
    ("channel", "weights", "expected"),
    [
        ("red", ONE, [[1, 2], [3, 4]]),
        ("green", ONE, [[10, 20], [30, 40]]),
        ("blue", ONE * 2, [[200, 400], [300, 500]]),
        ("luminance", ONE, [[0.299 + 5.87 + 11.4, 0.598 + 11.74 + 22.8], [0.897 + 17.61 + 17.1, 1.196 + 23.48 + 28.5]]),
        ("rgb", np.ones((1, 1, 3)), [[111, 222], [183, 294]]),
        ("rgb", np.array([[[1, -1, 0.5]]]), [[41, 82], [48, 89]]),
        ("rgb", np.array([[[0, 0, 0], [1, 0, 0]], [[0, 1, 0], [0, 0, 1]]]), [[2 + 30 + 250]]),
    ],
)
def test_the_kernel_reads_the_channel_that_is_chosen(channel, weights, expected):
    walked = walk(THREE, Settings(channel, weights.astype(np.float32), pool_size=(1, 1)))
    assert walked.feature_map.dtype == np.float32
    assert walked.feature_map.shape == np.shape(expected)
    np.testing.assert_allclose(walked.feature_map, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "feature_map", "relu", "pooled"),
    [
        ({}, [[80] * 4] * 2, [[80] * 4] * 2, [[80, 80]]),
        ({"bias": -100.0}, [[-20] * 4] * 2, [[0] * 4] * 2, [[0, 0]]),
        ({"bias": -100.0, "relu": False}, [[-20] * 4] * 2, [[-20] * 4] * 2, [[-20, -20]]),
        ({"bias": 0.5, "strides": (2, 3)}, [[80.5, 80.5]], [[80.5, 80.5]], None),
        ({"strides": (1, 2), "pool_size": (1, 1), "pool_strides": (2, 1)}, [[80] * 2] * 2, [[80] * 2] * 2, [[80, 80]]),
        ({"dilation_rate": (1, 2)}, [[160, 160]] * 2, [[160, 160]] * 2, [[160]]),
        (
            {"padding": ((0, 0), (0, 1)), "pool_kind": "average"},
            [[80, 80, 80, 80, -160]] * 2,
            [[80, 80, 80, 80, 0]] * 2,
            [[80, 80]],
        ),
        (
            {"padding": ((0, 0), (0, 1)), "pool_kind": "average", "pool_size": (2, 1), "pool_strides": (1, 1)},
            [[80, 80, 80, 80, -160]] * 2,
            [[80, 80, 80, 80, 0]] * 2,
            [[80, 80, 80, 80, 0]],
        ),
        ({"pool_size": (2, 4), "pool_strides": (1, 1)}, [[80] * 4] * 2, [[80] * 4] * 2, [[80]]),
        ({"pool_size": (3, 2)}, [[80] * 4] * 2, [[80] * 4] * 2, None),
        ({"pool_size": (2, 5)}, [[80] * 4] * 2, [[80] * 4] * 2, None),
        ({"padding": ((0, 0), (0, 0)), "pool_size": (15, 15)}, [[80] * 4] * 2, [[80] * 4] * 2, None),
    ],
)
def test_every_stage_follows_from_the_one_before(changes, feature_map, relu, pooled):
    walked = walk(RISING, Settings("luminance", SOBEL[0], **changes))
    np.testing.assert_allclose(walked.feature_map, feature_map, atol=1e-4)
    np.testing.assert_allclose(walked.relu, relu, atol=1e-4)
    if pooled is None:
        assert walked.pooled is None
        assert road.spec(walked, "lab", "p")["pool"] is None
    else:
        np.testing.assert_allclose(walked.pooled, pooled, atol=1e-4)
    assert walked.magnitude is None


def test_same_padding_puts_zeros_round_the_picture():
    # the first column sees 2·0 + 2·(10 − 0) on its right only, the last one loses 4 · 40 with nothing on the right
    walked = walk(RISING, Settings("luminance", SOBEL[0], padding="same", relu=False))
    np.testing.assert_allclose(walked.feature_map[1], [40, 80, 80, 80, 80, -160], atol=1e-4)
    np.testing.assert_allclose(walked.feature_map[0], [30, 60, 60, 60, 60, -120], atol=1e-4)


@pytest.mark.parametrize(
    ("pixels", "magnitude", "degrees"),
    [
        (RISING, 80, 0),
        (RISING[:, ::-1], 80, 180),
        (RISING.transpose(1, 0, 2), 80, 90),
        (RISING.transpose(1, 0, 2)[::-1], 80, -90),
        (picture(np.add.outer(np.arange(4), np.arange(5)) * 10), 80 * math.sqrt(2), 45),
        (picture(np.add.outer(np.arange(4) * 3, np.arange(5) * 4)), 8 * 5, math.degrees(math.atan2(3, 4))),
    ],
    ids=["right", "left", "down", "up", "right and down", "3 down to 4 right"],
)
def test_a_gradient_gives_how_steep_and_which_way_it_gets_brighter(pixels, magnitude, degrees):
    steep = walk(pixels, Settings("luminance", *SOBEL, combine="magnitude", bias=2.0))
    np.testing.assert_allclose(steep.feature_map, magnitude + 2, rtol=1e-5)
    np.testing.assert_allclose(steep.magnitude, magnitude, rtol=1e-5)
    np.testing.assert_allclose(steep.pooled, magnitude + 2, rtol=1e-5)
    way = walk(pixels, Settings("green", *SOBEL, combine="direction", bias=2.0))
    np.testing.assert_allclose(np.degrees(np.abs(way.feature_map)), abs(degrees), atol=1e-3)
    if abs(degrees) < 180:
        assert (np.sign(np.rint(np.degrees(way.feature_map))) == np.sign(degrees)).all()
    np.testing.assert_allclose(way.magnitude, magnitude, rtol=1e-5)
    assert way.relu is None
    assert way.pooled is None


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (Settings("luminance", np.ones((5, 1), np.float32)), "A 5×1 kernel does not fit into a 4×6 picture"),
        (Settings("rgb", np.ones((1, 7, 3), np.float32)), "A 1×7 kernel does not fit into a 4×6 picture"),
        (Settings("red", *SOBEL, combine="magnitude", dilation_rate=(2, 1)), "spread over 5×3 pixels"),
        (Settings("red", ONE, padding=((0, 0), (57, 0))), "padding may be at most 56 a side, but this was 57"),
        (Settings("red", ONE, strides=(9, 1)), "strides must be a whole number from 1 to 8"),
        (Settings("rgb", np.ones((1, 1, 2), np.float32)), "A kernel of 2 channels needs a picture of as many"),
        (Settings("red", ONE, pool_strides=(1, 16)), "strides must be a whole number from 1 to 15"),
    ],
)
def test_what_cannot_be_walked_is_said_in_a_sentence(settings, sentence):
    with pytest.raises(ValueError, match=sentence) as raised:
        walk(RISING, settings)
    assert str(raised.value).endswith(".")


# ------------------------------------------------------------------------------------------ borders and gaps


@pytest.mark.parametrize(
    ("size", "changes", "expected"),
    [
        ((10, 10), {}, ((0, 0), (0, 0))),
        ((10, 10), {"padding": "same"}, ((1, 1), (1, 1))),
        ((10, 9), {"padding": "same", "strides": (2, 2)}, ((0, 1), (1, 1))),
        ((10, 10), {"padding": "same", "dilation_rate": (1, 3)}, ((1, 1), (3, 3))),
        ((10, 10), {"padding": "same", "strides": (4, 1)}, ((0, 1), (1, 1))),
        ((1, 1), {"padding": "same"}, ((1, 1), (1, 1))),
        ((10, 10), {"padding": ((1, 2), (3, 0))}, ((1, 2), (3, 0))),
        ((10, 10), {"padding": 2}, ((2, 2), (2, 2))),
    ],
)
def test_the_zeros_round_the_picture_are_counted_per_side(size, changes, expected):
    assert road.pads(Settings("red", SOBEL[0], **changes), size) == expected


@pytest.mark.parametrize(
    ("size", "changes", "rows", "columns"),
    [
        ((7, 9), {}, [], []),
        ((8, 9), {"strides": (2, 2)}, [[7, 8]], []),
        ((12, 12), {"strides": (5, 4)}, [[3, 5], [8, 12]], [[3, 4], [7, 8], [11, 12]]),
        ((3, 8), {"strides": (1, 8)}, [], [[3, 8]]),
        ((6, 9), {"dilation_rate": (2, 3)}, [], []),
        ((5, 7), {"dilation_rate": (2, 3)}, [[1, 2], [3, 4]], [[1, 3], [4, 6]]),
        ((8, 8), {"strides": (2, 2), "padding": ((0, 1), (1, 0))}, [], []),
        ((5, 5), {"strides": (4, 4), "padding": ((4, 0), (0, 4))}, [[3, 5]], [[3, 4]]),
        ((4, 4), {"padding": ((3, 0), (0, 0)), "strides": (8, 1)}, [[0, 4]], []),
    ],
)
def test_runs_of_rows_and_columns_that_no_window_reads_are_named(size, changes, rows, columns):
    settings = Settings("red", SOBEL[0], **changes)
    assert road.uncovered(settings, size) == {"rows": rows, "columns": columns}


def test_uncovered_runs_are_where_the_walk_hears_nothing():
    random = np.random.default_rng(17)
    for _ in range(40):
        settings = random_settings(random, "red")
        size = tuple(random.integers(8, 15, 2).tolist())
        try:
            runs = road.uncovered(settings, size)
        except ValueError:
            continue
        ones = Settings("red", np.ones(settings.kernel_size, np.float32), **geometry(settings))
        for axis, name in enumerate(("rows", "columns")):
            heard = []
            for at in range(size[axis]):
                pixels = np.zeros((*size, 3), np.uint8)
                pixels[(at, slice(None)) if axis == 0 else (slice(None), at)] = 1
                heard.append(bool(walk(pixels, ones).feature_map.any()))
            silent = [at for low, high in runs[name] for at in range(low, high)]
            assert silent == [at for at, h in enumerate(heard) if not h]


# ------------------------------------------------------------------------------------------------- the spec


def geometry(settings):
    return {
        "strides": settings.strides,
        "padding": settings.padding,
        "dilation_rate": settings.dilation_rate,
    }


def random_settings(random, channel, combine="sum"):
    """Any settings; the window may not fit."""
    rows, columns = random.integers(1, 6, 2).tolist()
    if combine == "sum":
        shape = (rows, columns, 3) if channel == "rgb" else (rows, columns)
        kernels = [random.normal(size=shape).astype(np.float32)]
    else:
        kernels = [random.integers(-3, 4, (rows, columns)).astype(np.float32) for _ in range(2)]
    pads = random.integers(0, 5, 4).tolist()
    own = ((pads[0], pads[1]), (pads[2], pads[3]))

    def pair(high):
        return tuple(random.integers(1, high + 1, 2).tolist())

    return Settings(
        channel,
        *kernels,
        combine=combine,
        bias=float(random.normal() * 100),
        strides=pair(4),
        padding=["valid", "same", own][random.integers(3)],
        dilation_rate=pair(3),
        relu=bool(random.integers(2)),
        pool_size=pair(3),
        pool_strides=pair(3),
        pool_kind=["max", "average"][random.integers(2)],
    )


def value_at(pixels, row, column, channel):
    """One number of the picture in a channel; outside stands the 0 of the padding."""
    if not (0 <= row < len(pixels) and 0 <= column < len(pixels[0])):
        return 0.0
    red, green, blue = pixels[row][column]
    return 0.299 * red + 0.587 * green + 0.114 * blue if channel == "luminance" else pixels[row][column][channel]


def conv_cell(spec, pixels, row, column):
    """One cell of the feature map from the spec alone: its parts' sums, the value, ReLU's answer, and Σ|terms|."""
    top = row * spec["strides"][0] - spec["padding"][0][0]
    left = column * spec["strides"][1] - spec["padding"][1][0]
    sums, size = [], abs(spec["bias"])
    for part in spec["parts"]:
        terms = [
            weight * value_at(pixels, top + i * spec["dilation"][0], left + j * spec["dilation"][1], part["channel"])
            for i, line in enumerate(part["weights"])
            for j, weight in enumerate(line)
        ]
        sums.append(sum(terms))
        size += sum(map(abs, terms))
    total = {
        "sum": sum(sums),
        "magnitude": math.hypot(*sums) if len(sums) == 2 else None,
        "direction": math.atan2(sums[1], sums[0]) if len(sums) == 2 else None,
    }[spec["combine"]]
    value = total + spec["bias"]
    return sums, value, 0.0 if spec["relu"] and not value > 0 else value, size


def pool_cell(spec, pixels, row, column):
    """One cell of the pooled map from the spec alone, and Σ|terms| of its windows."""
    pool = spec["pool"]
    cells = [
        conv_cell(spec, pixels, row * pool["strides"][0] + i, column * pool["strides"][1] + j)
        for i in range(pool["size"][0])
        for j in range(pool["size"][1])
    ]
    values = [cell[2] for cell in cells]
    return max(values) if pool["kind"] == "max" else sum(values) / len(values), max(cell[3] for cell in cells)


@pytest.mark.parametrize(
    ("channel", "combine", "names", "channels"),
    [
        ("luminance", "sum", [""], ["luminance"]),
        ("red", "sum", [""], [0]),
        ("green", "sum", [""], [1]),
        ("blue", "sum", [""], [2]),
        ("rgb", "sum", ["R", "G", "B"], [0, 1, 2]),
        ("luminance", "magnitude", ["x", "y"], ["luminance"] * 2),
        ("blue", "magnitude", ["x", "y"], [2, 2]),
        ("green", "direction", ["x", "y"], [1, 1]),
    ],
)
def test_single_cells_computed_from_the_spec_are_those_of_the_maps(channel, combine, names, channels):
    random = np.random.default_rng(sum(map(ord, channel + combine)))
    walks = pools = 0
    while walks < 12:
        settings = random_settings(random, channel, combine)
        pixels = random.integers(0, 256, (*random.integers(3, 18, 2), 3), np.uint8)
        try:
            walked = walk(pixels, settings)
        except ValueError:
            continue
        walks += 1
        spec = json.loads(json.dumps(road.spec(walked, "lab", "digest"), allow_nan=False))
        assert spec == road.spec(walked, "lab", "digest"), "plain JSON, with lists and no tuples"
        assert (spec["road"], spec["plane"]) == ("lab", "digest")
        assert [part["name"] for part in spec["parts"]] == names
        assert [part["channel"] for part in spec["parts"]] == channels
        assert spec["output"] == list(walked.feature_map.shape)
        assert spec["kernelSize"] == [len(spec["parts"][0]["weights"]), len(spec["parts"][0]["weights"][0])]
        assert spec["limit"] == float(np.abs(walked.feature_map).max()) or spec["limit"] == 1e-9
        for _ in range(8):
            at = tuple(int(random.integers(n)) for n in walked.feature_map.shape)
            sums, value, relu, size = conv_cell(spec, pixels.tolist(), *at)
            if combine == "direction":
                if math.hypot(*sums) > 1e-4 * size:
                    off = value - float(walked.feature_map[at])
                    assert abs(math.remainder(off, math.tau)) < 1e-4
                continue
            assert walked.feature_map[at] == pytest.approx(value, abs=1e-6 * size)
            assert walked.relu[at] == pytest.approx(relu, abs=1e-6 * size)
        if walked.pooled is None:
            assert spec["pool"] is None
            continue
        pools += 1
        assert spec["pool"]["output"] == list(walked.pooled.shape)
        for _ in range(4):
            at = tuple(int(random.integers(n)) for n in walked.pooled.shape)
            value, size = pool_cell(spec, pixels.tolist(), *at)
            assert walked.pooled[at] == pytest.approx(value, abs=1e-6 * size)
    assert pools > 3 or combine == "direction"


@pytest.mark.parametrize(
    ("settings", "relu"),
    [
        (Settings("red", ONE), True),
        (Settings("red", ONE, relu=False), False),
        (Settings("red", *SOBEL, combine="magnitude"), True),
        (Settings("red", *SOBEL, combine="direction"), False),
    ],
)
def test_the_spec_says_whether_negative_numbers_become_zero(settings, relu):
    assert road.spec(walk(RISING, settings), "lab", "p")["relu"] is relu


@pytest.mark.parametrize("bias", [np.float32(0.5), np.float64(0.5), 1])
def test_a_bias_of_any_kind_is_a_plain_number_in_the_spec(bias):
    spec = road.spec(walk(RISING, Settings("red", ONE, bias=bias)), "lab", "p")
    assert json.loads(json.dumps(spec))["bias"] == float(bias)


def test_an_angle_has_no_bias():
    settings = Settings("red", *SOBEL, combine="direction", bias=7.0)
    walked = walk(RISING, settings)
    assert np.abs(walked.feature_map).max() <= np.pi
    assert road.spec(walked, "lab", "p")["bias"] == 0


@pytest.mark.parametrize("shape", [(1, 1), (1600, 3), (3, 1600)])
def test_extreme_pictures_are_walked(shape):
    pixels = np.full((*shape, 3), 9, np.uint8)
    walked = walk(pixels, Settings("luminance", SOBEL[0], padding="same"))
    assert walked.feature_map.shape == shape
    assert (walked.pooled is None) == (1 in shape)
    assert filters.uncovered(shape, 3, padding="same")[0].sum() == 0
