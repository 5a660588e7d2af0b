"""Checks convolution, pooling and window geometry against numbers worked out by hand and a slow, obvious loop."""

import itertools
import math
import re

import numpy as np
import pytest

from cnnviz import filters, kernels
from cnnviz.filters import conv2d, gradient, luminance, output_size, pad_amounts, pool2d, uncovered, window
from cnnviz.kernels import GRADIENTS, PRESETS, Kernel

SIXTEEN = np.arange(16).reshape(4, 4)
ONES = np.ones((2, 2))
RISING = np.tile(np.arange(5), (5, 1))
NAN, INF = np.nan, np.inf


def check(call, expected):
    """What `call` returns, or the sentence of the ValueError that it raises."""
    if not isinstance(expected, str):
        found = call()
        assert found.shape == np.shape(expected)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
        return
    with pytest.raises(ValueError, match=re.escape(expected)) as raised:
        call()
    sentence = str(raised.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert sentence.count("; ") == 1, "what came and what was expected; what to do"


def windows_slowly(image, kernel_size, strides, pads, dilation):
    """Yields (row, column, {(j, i): pixel or None in the padding}) in plain Python."""
    height, width = image.shape
    (top, bottom), (left, right) = pads
    span_y, span_x = (d * (k - 1) + 1 for d, k in zip(dilation, kernel_size, strict=True))
    for row, y in enumerate(range(-top, height + bottom - span_y + 1, strides[0])):
        for column, x in enumerate(range(-left, width + right - span_x + 1, strides[1])):
            cells = {}
            for j, i in itertools.product(range(kernel_size[0]), range(kernel_size[1])):
                r, c = y + j * dilation[0], x + i * dilation[1]
                cells[j, i] = float(image[r, c]) if 0 <= r < height and 0 <= c < width else None
            yield row, column, cells


def conv2d_slowly(image, weights, strides, pads, dilation):
    """The sums, and the sums of absolute terms that rounding errors are measured by, in float64."""
    sums, sizes = {}, {}
    for row, column, cells in windows_slowly(image, weights.shape, strides, pads, dilation):
        terms = [float(weights[place]) * (0.0 if pixel is None else pixel) for place, pixel in cells.items()]
        sums[row, column], sizes[row, column] = sum(terms), sum(map(abs, terms))
    return table(sums), table(sizes)


def pool2d_slowly(image, pool_size, strides, pads, kind):
    pooled = {}
    for row, column, cells in windows_slowly(image, pool_size, strides, pads, (1, 1)):
        inside = [pixel for pixel in cells.values() if pixel is not None]
        pooled[row, column] = max(inside) if kind == "max" else sum(inside) / len(inside)
    return table(pooled)


def table(cells):
    rows, columns = (max(place[axis] for place in cells) + 1 for axis in (0, 1))
    return np.array([[cells[row, column] for column in range(columns)] for row in range(rows)])


def random_geometry(random, longest=13, most_taps=5):
    """(size, kernel_size, strides, pads, dilation) in which a window fits; pads are numbers, not a rule."""
    while True:
        size, taps = random.integers(1, longest, 2), random.integers(1, most_taps + 1, 2)
        strides, dilation = random.integers(1, 5, 2), random.integers(1, 4, 2)
        pads = random.integers(0, 4, (2, 2))
        if all(size + pads.sum(axis=1) >= dilation * (taps - 1) + 1):
            numbers = [tuple(map(int, values)) for values in (size, taps, strides, dilation)]
            return numbers[0], numbers[1], numbers[2], tuple(tuple(map(int, pad)) for pad in pads), numbers[3]


@pytest.mark.parametrize(
    ("image", "kernel", "settings", "expected"),
    [
        (SIXTEEN, PRESETS["identity"], {}, [[5, 6], [9, 10]]),
        (SIXTEEN, ONES, {}, [[10, 14, 18], [26, 30, 34], [42, 46, 50]]),
        (SIXTEEN, ONES, {"strides": 2}, [[10, 18], [42, 50]]),
        (SIXTEEN, ONES, {"strides": (1, 2)}, [[10, 18], [26, 34], [42, 50]]),
        (SIXTEEN, ONES, {"padding": "same"}, [[10, 14, 18, 10], [26, 30, 34, 18], [42, 46, 50, 26], [25, 27, 29, 15]]),
        (SIXTEEN, ONES, {"dilation_rate": 3}, [[0 + 3 + 12 + 15]]),
        (SIXTEEN, ONES, {"dilation_rate": (3, 1)}, [[0 + 1 + 12 + 13, 1 + 2 + 13 + 14, 2 + 3 + 14 + 15]]),
        (SIXTEEN, np.eye(2), {"strides": 2, "padding": 1, "dilation_rate": 2}, [[5, 7], [13, 5 + 15]]),
        ([[1, 2]], [[10]], {"padding": ((1, 0), (0, 2))}, [[0, 0, 0, 0], [10, 20, 0, 0]]),
        ([[1, 2]], [[10]], {"padding": [[0, 0], [1, 0]]}, [[0, 10, 20]]),
        ([[1, 2, 3, 4]], [[1, 1, 1]], {"padding": "same", "strides": (1, 2)}, [[1 + 2 + 3, 3 + 4]]),
        ([[1, 2, 3, 4, 5]], [[1, 1, 1]], {"padding": "same", "strides": (1, 2)}, [[1 + 2, 2 + 3 + 4, 4 + 5]]),
        ([[0, 0, 0], [0, 1, 0], [0, 0, 0]], [[1, 2], [3, 4]], {}, [[4, 3], [2, 1]]),
        ([[7]], np.ones((15, 15)), {"padding": "same"}, [[7]]),
        ([[True, False]], [[2, 3]], {}, [[2]]),
        (SIXTEEN, np.zeros((3, 3)), {}, [[0, 0], [0, 0]]),
        (RISING.astype(np.uint8), PRESETS["sobel_x"], {}, np.full((3, 3), 8)),
        (RISING.T, PRESETS["sobel_y"], {}, np.full((3, 3), 8)),
        (RISING, PRESETS["sobel_y"], {}, np.zeros((3, 3))),
        ([[[1, 2], [3, 4]]], [[1, 10]], {}, [[[31, 42]]]),
        ([[[1], [2]]], [[5]], {}, [[[5], [10]]]),
        ([[[1, 2, 3, 4, 5]]], [[2]], {}, [[[2, 4, 6, 8, 10]]]),
        (np.arange(1200).reshape(1, 2, 600), [[1, 1]], {}, [[np.arange(600, 1800, 2)]]),
        (
            [[[1, 2, 3, 4, 5]]],
            np.ones((3, 3)),
            {"padding": 3},
            np.pad(np.ones((3, 3, 1)) * [1, 2, 3, 4, 5], [(1,), (1,), (0,)]),
        ),
        ([[[1, 2], [3, 4]]], [[[1, 10], [100, 1000]]], {}, [[1 + 20 + 300 + 4000]]),
        ([[1, 2]], [[[5]]], {}, [[5, 10]]),
        (np.ones((3, 4)), np.ones((5, 5)), {}, "A 5×5 kernel does not fit into a 3×4 picture with padding valid;"),
        (
            SIXTEEN,
            np.ones((5, 1)),
            {},
            "A 5×1 kernel does not fit into a 4×4 picture with padding valid; choose a smaller",
        ),
        (
            SIXTEEN,
            ONES,
            {"dilation_rate": 4},
            "A 2×2 kernel, spread over 5×5 pixels by its dilation, does not fit into a 4×4",
        ),
        (SIXTEEN, np.ones((7, 7)), {"padding": 1}, "does not fit into a 4×4 picture with padding 1;"),
        (SIXTEEN, np.ones((7, 3)), {"padding": ((1, 1), (0, 0))}, "with padding ((1, 1), (0, 0)); choose a smaller"),
        (
            SIXTEEN,
            ONES,
            {"strides": 0},
            "strides must be a whole number from 1 to 8, or two of them as (y, x), but this was 0",
        ),
        (SIXTEEN, ONES, {"strides": (1, 9)}, "but this was (1, 9)"),
        (SIXTEEN, ONES, {"strides": 1.5}, "but this was 1.5"),
        (SIXTEEN, ONES, {"strides": (1, 1, 1)}, "strides must be a whole number"),
        (SIXTEEN, ONES, {"dilation_rate": 5}, "dilation_rate must be a whole number from 1 to 4"),
        (SIXTEEN, ONES, {"dilation_rate": "2"}, "but this was '2'"),
        (
            SIXTEEN,
            ONES,
            {"padding": "full"},
            'padding must be "valid", "same" or whole numbers from 0, but this was \'full\'',
        ),
        (SIXTEEN, ONES, {"padding": -1}, "but this was -1"),
        (SIXTEEN, ONES, {"padding": (1, 1)}, "but this was (1, 1)"),
        (SIXTEEN, ONES, {"padding": ((1, 1), (1, 0.5))}, "but this was (1, 0.5)"),
        (SIXTEEN, ONES, {"padding": None}, "but this was None"),
        (SIXTEEN, ONES, {"padding": 57}, "padding may be at most 56 a side, but this was 57"),
        (SIXTEEN, ONES, {"padding": 10**12}, "padding may be at most 56 a side"),
        (SIXTEEN, [[NAN]], {}, "The weight in row 1, column 1 is nan"),
        (SIXTEEN, np.ones((1, 1, 3)), {}, "A kernel of 3 channels needs a picture of as many, but this one has 1"),
        (
            np.ones((2, 2, 3)),
            np.ones((1, 1, 2)),
            {},
            "A kernel of 2 channels needs a picture of as many, but this one has 3",
        ),
        (np.ones(4), ONES, {}, "but this one is float64 of shape (4,)"),
        (np.ones((0, 4)), ONES, {}, "but this one is float64 of shape (0, 4)"),
        ([["a", "b"]], ONES, {}, "A picture is an array of numbers"),
    ],
)
def test_conv2d_by_hand(image, kernel, settings, expected):
    check(lambda: conv2d(image, kernel, **settings), expected)


@pytest.mark.parametrize("seed", range(120))
def test_conv2d_equals_the_slow_loop(seed):
    random = np.random.default_rng(seed)
    size, taps, strides, pads, dilation = random_geometry(random)
    image = random.normal(0, 100, (*size, 3)).astype(np.float32)
    weights = random.normal(size=(*taps, 3)).astype(np.float32)
    weights[random.random(weights.shape) < 0.3] = 0

    summed = conv2d(image, weights, strides, pads, dilation)
    planes = [conv2d_slowly(image[..., c], weights[..., c], strides, pads, dilation) for c in range(3)]
    assert summed.dtype == np.float32
    assert np.all(np.abs(summed - sum(sums for sums, _ in planes)) <= 1e-6 * sum(sizes for _, sizes in planes))

    each = conv2d(image, weights[..., 0], strides, pads, dilation)
    planes = [conv2d_slowly(image[..., c], weights[..., 0], strides, pads, dilation) for c in range(3)]
    assert each.shape == (*summed.shape, 3)
    for c, (sums, sizes) in enumerate(planes):
        assert np.all(np.abs(each[..., c] - sums) <= 1e-6 * sizes)


@pytest.mark.parametrize("fft_from", [130, 50])
@pytest.mark.parametrize(
    ("taps", "dilation"), [((11, 11), 1), ((12, 11), 1), ((15, 15), 1), ((1, 15), 4), ((15, 15), 4)]
)
@pytest.mark.parametrize("padding", ["valid", ((3, 0), (0, 5))])
def test_large_kernels_are_as_exact_as_small_ones(taps, dilation, padding, fft_from, monkeypatch):
    monkeypatch.setattr(filters, "_FFT_FROM", fft_from)
    random = np.random.default_rng(4)
    image = random.integers(0, 256, (90, 100)).astype(np.uint8)
    weights = random.normal(size=taps).astype(np.float32)
    found = conv2d(image, weights, padding=padding, dilation_rate=dilation)
    padded = np.pad(image.astype(np.float64), 0 if padding == "valid" else padding)
    span = [dilation * (k - 1) + 1 for k in taps]
    seen = np.lib.stride_tricks.sliding_window_view(padded, span)[..., ::dilation, ::dilation]
    expected, terms = (np.einsum("yxji,ji->yx", seen, w.astype(np.float64)) for w in (weights, np.abs(weights)))
    assert found.shape == expected.shape
    assert np.all(np.abs(found - expected) <= 1e-6 * terms)


def test_a_bright_corner_leaves_no_dust_in_a_black_picture():
    image = np.zeros((200, 200), np.float32)
    image[:20, :20] = 1e6
    weights = np.random.default_rng(5).normal(size=(15, 15))
    assert not conv2d(image, weights)[20:, 20:].any()


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize(
    ("kernel", "settings"),
    [
        (PRESETS["sobel_x"], {}),
        (PRESETS["identity"], {"padding": "same"}),
        (np.zeros((3, 3)), {"strides": 2}),
        (PRESETS["box_blur"], {"dilation_rate": 2}),
        (np.eye(15), {"padding": 7}),
        (np.eye(15), {"dilation_rate": 2, "strides": 3}),
    ],
)
def test_a_pixel_that_is_not_finite_reaches_exactly_the_windows_that_read_it(kernel, settings, bad):
    image = np.random.default_rng(6).normal(size=(40, 50)).astype(np.float32)
    image[20, 30] = bad
    weights = kernel.weights if isinstance(kernel, Kernel) else kernel
    pad = {"same": 1}.get(settings.get("padding", 0), settings.get("padding", 0))
    strides, dilation = (settings.get(name, 1) for name in ("strides", "dilation_rate"))
    expected, _ = conv2d_slowly(image, weights, (strides,) * 2, ((pad, pad),) * 2, (dilation,) * 2)
    found = conv2d(image, kernel, **settings)
    assert 0 < np.sum(~np.isfinite(expected)) <= weights.size
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    both = conv2d(np.dstack([image, np.zeros_like(image)]), kernel, **settings)
    np.testing.assert_array_equal(both[..., 0], found)
    assert not both[..., 1].any(), "the other channel stays clean"


def test_values_too_large_to_square_are_not_taken_for_infinite():
    image = np.full((5, 5), 1e30, np.float32)
    np.testing.assert_array_equal(conv2d(image, PRESETS["identity"]), image[1:-1, 1:-1])


@pytest.mark.parametrize("order", ["C", "F"])
def test_pictures_are_neither_changed_nor_needed_in_memory_order(order):
    image = np.asarray(np.arange(60).reshape(5, 6, 2), dtype=np.float32, order=order)[::-1]
    before = image.copy()
    image.flags.writeable = False
    np.testing.assert_array_equal(conv2d(image, [[0, 1]]), before[:, 1:])
    np.testing.assert_array_equal(pool2d(image, 1), before)
    assert not np.shares_memory(pool2d(image, 1), image)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("image", "settings", "expected"),
    [
        (SIXTEEN, {}, [[5, 7], [13, 15]]),
        (SIXTEEN, {"kind": "average"}, [[2.5, 4.5], [10.5, 12.5]]),
        (SIXTEEN, {"strides": 1}, [[5, 6, 7], [9, 10, 11], [13, 14, 15]]),
        (SIXTEEN, {"pool_size": 3}, [[10]]),
        (SIXTEEN, {"pool_size": 3, "padding": "same"}, [[5, 7], [13, 15]]),
        (SIXTEEN, {"pool_size": 3, "strides": 2, "padding": "same"}, [[10, 11], [14, 15]]),
        (SIXTEEN, {"pool_size": (1, 4), "kind": "average"}, [[1.5], [5.5], [9.5], [13.5]]),
        (SIXTEEN, {"pool_size": 1, "strides": (3, 2)}, [[0, 2], [12, 14]]),
        ([[-1, -2, -3]], {"pool_size": (2, 2), "padding": "same"}, [[-1, -3]]),
        ([[-1, -2, -3]], {"pool_size": (2, 2), "padding": "same", "kind": "average"}, [[-1.5, -3]]),
        ([[4, 6]], {"pool_size": 15, "padding": "same", "kind": "average"}, [[5]]),
        ([[[1, -5], [3, -7]]], {"pool_size": (1, 2)}, [[[3, -5]]]),
        ([[[1, -5], [3, -7]]], {"pool_size": (1, 2), "kind": "average"}, [[[2, -6]]]),
        ([[1, NAN, 3, 4]], {"pool_size": (1, 2)}, [[NAN, 4]]),
        ([[1, NAN, 3, 4]], {"pool_size": (1, 2), "kind": "average"}, [[NAN, 3.5]]),
        ([[-INF, -INF, 3, INF]], {"pool_size": (1, 2)}, [[-INF, INF]]),
        (
            np.ones((3, 4)),
            {"pool_size": 5},
            "A 5×5 pool does not fit into a 3×4 picture with padding valid; choose a smaller",
        ),
        (SIXTEEN, {"pool_size": 16}, "pool_size must be a whole number from 1 to 15"),
        (SIXTEEN, {"pool_size": 0}, "pool_size must be a whole number from 1 to 15"),
        (SIXTEEN, {"strides": 16}, "strides must be a whole number from 1 to 15"),
        (SIXTEEN, {"padding": 1}, 'The padding of a pool must be "valid" or "same", but this was 1'),
        (SIXTEEN, {"kind": "mean"}, 'kind must be "max" or "average", but this was \'mean\''),
        (np.ones(4), {}, "A picture is an array of numbers"),
    ],
)
def test_pool2d_by_hand(image, settings, expected):
    check(lambda: pool2d(image, **settings), expected)


@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("seed", range(40))
def test_pool2d_equals_the_slow_loop(seed, kind):
    random = np.random.default_rng(seed)
    size, taps, strides, _, _ = random_geometry(random, most_taps=6)
    image = random.normal(0, 100, (*size, 2)).astype(np.float32)
    same = [max((math.ceil(n / s) - 1) * s + k - n, 0) for n, k, s in zip(size, taps, strides, strict=True)]
    for padding, pads in {"valid": ((0, 0), (0, 0)), "same": [(n // 2, n - n // 2) for n in same]}.items():
        if padding == "valid" and any(k > n for k, n in zip(taps, size, strict=True)):
            continue
        found = pool2d(image, taps, strides, padding, kind)
        expected = np.dstack([pool2d_slowly(image[..., c], taps, strides, pads, kind) for c in range(2)])
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 if kind == "average" else 0)


@pytest.mark.parametrize(
    ("size", "taps", "stride", "padding", "expected"),
    [
        (128, 3, 1, "valid", (126, (0, 0))),
        (128, 3, 2, "valid", (63, (0, 0))),
        (128, 3, 1, "same", (128, (1, 1))),
        (128, 3, 2, "same", (64, (0, 1))),
        (127, 3, 2, "same", (64, (1, 1))),
        (128, 2, 1, "same", (128, (0, 1))),
        (10, 1, 4, "same", (3, (0, 0))),
        (10, 5, 8, "same", (2, (1, 2))),
        (5, 5, 1, "valid", (1, (0, 0))),
        (5, 3, 1, 2, (7, (2, 2))),
        (5, 3, 2, (1, 0), (2, (1, 0))),
        (1, 57, 1, 56, (57, (56, 56))),
        (3, 5, 1, "valid", "A window of 5 does not fit into a length of 3 with padding valid; choose a smaller window"),
        (3, 6, 1, (1, 1), "A window of 6 does not fit into a length of 3 with padding (1, 1);"),
        (3, 2, 1, "none", 'padding must be "valid", "same" or whole numbers from 0, but this was \'none\''),
        (3, 2, 1, (1, -1), "but this was (1, -1)"),
        (3, 2, 1, (1, 1, 1), "but this was (1, 1, 1)"),
        (0, 2, 1, "same", "size, window and stride must be whole numbers from 1, but these were 0, 2 and 1"),
        (3, 2, 0, "same", "but these were 3, 2 and 0"),
    ],
)
def test_output_size_and_padding(size, taps, stride, padding, expected):
    if isinstance(expected, str):
        check(lambda: output_size(size, taps, stride, padding), expected)
        return
    assert (output_size(size, taps, stride, padding), pad_amounts(size, taps, stride, padding)) == expected


@pytest.mark.parametrize("seed", range(60))
def test_a_window_names_the_pixels_that_its_cell_is_made_of(seed):
    random = np.random.default_rng(seed)
    size, taps, strides, pads, dilation = random_geometry(random)
    image = random.normal(size=size).astype(np.float32)
    weights = random.normal(size=taps).astype(np.float32)
    for padding in [pads, "same"]:
        cells = conv2d(image, weights, strides, padding, dilation)
        cell = tuple(int(random.integers(n)) for n in cells.shape)
        rows, columns = window(cell, size, taps, strides, padding, dilation)
        total = 0.0
        for (j, row), (i, column) in itertools.product(enumerate(rows), enumerate(columns)):
            if 0 <= row < size[0] and 0 <= column < size[1]:
                total += float(weights[j, i]) * float(image[row, column])
        assert (len(rows), len(columns)) == taps
        assert total == pytest.approx(float(cells[cell]), abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (((0, 0), (4, 4), 3), [[0, 1, 2], [0, 1, 2]]),
        (((1, 2), (9, 9), 2, (3, 2)), [[3, 4], [4, 5]]),
        (((0, 1), (4, 4), 3, 2, "same"), [[0, 1, 2], [2, 3, 4]]),
        (((0, 0), (4, 5), 3, 2, "same"), [[0, 1, 2], [-1, 0, 1]]),
        (((0, 0), (9, 9), 3, 1, 1, (2, 4)), [[-1, 1, 3], [-1, 3, 7]]),
        (
            ((2, 0), (4, 4), 3),
            "There is no output cell (2, 0): the output is 2×2; choose a row from 0 to 1 and a column",
        ),
        (((0, -1), (4, 4), 3), "There is no output cell (0, -1)"),
        (((0, 0), (4, 4), 5), "A 5×5 window does not fit into a 4×4 picture with padding valid"),
        (((0, 0), (4, 4), 0), "kernel_size must be a whole number from 1,"),
    ],
)
def test_window_by_hand(arguments, expected):
    check(lambda: np.array(window(*arguments)), expected)


@pytest.mark.parametrize(
    ("arguments", "rows", "columns"),
    [
        (((7, 8), 3, 2), [], [7]),
        (((8, 6), 2, (3, 1)), [2, 5], []),
        (((5, 6), 2, 1, "valid", (3, 1)), [2], []),
        (((8, 8), 3, 2, "same"), [], []),
        (((9, 9), 1, 8), [1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7]),
        (((8, 8), 3, 2, ((1, 0), (0, 1))), [], []),
        (((4, 4), 2, 4, 2), [0, 1], [0, 1]),
        (((4, 4), 5), "A 5×5 window does not fit", None),
    ],
)
def test_uncovered_by_hand(arguments, rows, columns):
    if isinstance(rows, str):
        check(lambda: uncovered(*arguments), rows)
        return
    found = uncovered(*arguments)
    assert [list(np.flatnonzero(mask)) for mask in found] == [rows, columns]
    assert [mask.shape for mask in found] == [(n,) for n in arguments[0]]


@pytest.mark.parametrize("seed", range(40))
def test_uncovered_pixels_are_those_that_no_sum_depends_on(seed):
    size, taps, strides, pads, dilation = random_geometry(np.random.default_rng(seed), longest=9)
    rows, columns = uncovered(size, taps, strides, pads, dilation)
    for row, column in itertools.product(*map(range, size)):
        impulse = np.zeros(size)
        impulse[row, column] = 1
        unread = not conv2d(impulse, np.ones(taps), strides, pads, dilation).any()
        assert unread == (rows[row] or columns[column])


@pytest.mark.parametrize("pair", GRADIENTS.values(), ids=GRADIENTS)
@pytest.mark.parametrize(
    ("image", "slope", "direction"),
    [
        (RISING, 1, 0),
        (RISING.T, 1, math.pi / 2),
        (-RISING.T, 1, -math.pi / 2),
        (RISING + RISING.T, math.sqrt(2), math.pi / 4),
        (-3 * RISING + 4 * RISING.T, 5, math.atan2(4, -3)),
        (np.full((5, 5), 7.0), 0, 0),
    ],
)
def test_gradient_points_to_where_it_gets_brighter(pair, image, slope, direction):
    magnitude, angle = gradient(image, *(PRESETS[name] for name in pair))
    per_step = 2 * PRESETS[pair[0]].weights.clip(0).sum()  # an x kernel compares pixels that are two apart
    assert magnitude.dtype == angle.dtype == np.float32
    np.testing.assert_allclose(magnitude, np.full((3, 3), slope * per_step), rtol=1e-6)
    np.testing.assert_allclose(angle, np.full((3, 3), direction), rtol=1e-6)


def test_gradient_to_the_left_is_half_a_turn():
    _, angle = gradient(-RISING, PRESETS["sobel_x"], PRESETS["sobel_y"])
    np.testing.assert_allclose(np.abs(angle), math.pi, rtol=1e-6)


def test_gradient_passes_its_settings_on():
    settings = {"strides": 2, "padding": "same", "dilation_rate": 2}
    x, y = (conv2d(SIXTEEN, PRESETS[name], **settings) for name in GRADIENTS["sobel"])
    magnitude, _ = gradient(SIXTEEN, PRESETS["sobel_x"], PRESETS["sobel_y"], **settings)
    np.testing.assert_allclose(magnitude, np.sqrt(x**2 + y**2), rtol=1e-6)
    check(lambda: gradient(SIXTEEN, ONES, [[1]]), "The two kernels of a gradient must have the same size")


@pytest.mark.parametrize(
    ("pixel", "expected"),
    [((255, 0, 0), 76.245), ((0, 255, 0), 149.685), ((0, 0, 255), 29.07), ((10, 20, 30), 18.15), ((0, 0, 0), 0)],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_luminance_by_hand(pixel, expected, dtype):
    found = luminance(np.full((2, 3, 3), pixel, dtype))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.full((2, 3), expected, np.float32))


def test_grey_stays_the_grey_that_it_is():
    greys = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(luminance(np.dstack([greys] * 3)), greys)
    check(lambda: luminance(greys), "Luminance needs a picture of shape (height, width, 3), but this one is (16, 16)")


@pytest.mark.parametrize(
    ("name", "label", "divisor", "rows"),
    [
        ("identity", "Identity: nothing changes", 1, [[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
        ("box_blur", "Box blur 3×3: plain mean", 9, [[1, 1, 1]] * 3),
        ("box_blur_5", "Box blur 5×5: plain mean", 25, [[1, 1, 1, 1, 1]] * 5),
        ("gaussian_blur", "Gaussian blur 3×3: weighted mean", 16, [[1, 2, 1], [2, 4, 2], [1, 2, 1]]),
        (
            "gaussian_blur_5",
            "Gaussian blur 5×5: weighted mean",
            256,
            [[1, 4, 6, 4, 1], [4, 16, 24, 16, 4], [6, 24, 36, 24, 6], [4, 16, 24, 16, 4], [1, 4, 6, 4, 1]],
        ),
        ("sharpen", "Sharpen: picture − Laplacian 4", 1, [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        (
            "unsharp",
            "Unsharp mask: 2 × picture − Gaussian 5×5",
            -256,
            [[1, 4, 6, 4, 1], [4, 16, 24, 16, 4], [6, 24, -476, 24, 6], [4, 16, 24, 16, 4], [1, 4, 6, 4, 1]],
        ),
        ("emboss", "Emboss: relief along the diagonal", 1, [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]),
        ("outline", "Outline: center against 8 neighbors", 1, [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
        ("laplacian_4", "Laplacian 4: 4 neighbors against center", 1, [[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
        ("laplacian_8", "Laplacian 8: 8 neighbors against center", 1, [[1, 1, 1], [1, -8, 1], [1, 1, 1]]),
        ("prewitt_x", "Prewitt x: vertical edges", 1, [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]]),
        ("prewitt_y", "Prewitt y: horizontal edges", 1, [[-1, -1, -1], [0, 0, 0], [1, 1, 1]]),
        ("sobel_x", "Sobel x: vertical edges", 1, [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
        ("sobel_y", "Sobel y: horizontal edges", 1, [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
        ("scharr_x", "Scharr x: vertical edges", 1, [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]]),
        ("scharr_y", "Scharr y: horizontal edges", 1, [[-3, -10, -3], [0, 0, 0], [3, 10, 3]]),
    ],
)
def test_presets(name, label, divisor, rows):
    kernel = filters.PRESETS[name]
    assert (kernel.name, kernel.label) == (name, label)
    np.testing.assert_array_equal(kernel.weights, (np.array(rows) / divisor).astype(np.float32))


def test_every_preset_and_pair_is_in_the_tables_above():
    assert len(PRESETS) == 17
    assert len(GRADIENTS) == 3
    assert all(name == kernel.name for name, kernel in PRESETS.items())


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([[1, 2]], [[1, 2]]),
        (np.ones((15, 1, 4), np.int8), np.ones((15, 1, 4))),
        ([["1", "0.5"]], [[1, 0.5]]),
        ([[1, "a"]], "A kernel is a full grid of numbers, but this one has text"),
        ([[1, None], [2, "b"]], "A kernel is a full grid of numbers, but this one has text, an empty cell"),
        ([[1, ""]], "A kernel is a full grid of numbers"),
        ([[1, 2], [3]], "or rows of different length"),
        ([[1, 2], [3, NAN]], "The weight in row 2, column 2 is nan, but each weight must be a number from"),
        ([[1, None]], "The weight in row 1, column 2 is nan"),
        ([[1_000_001]], "The weight in row 1, column 1 is 1,000,001, but each weight must be a number from −1,000,000"),
        ([[1, 2], [-INF, 4]], "The weight in row 2, column 1 is -inf"),
        ([[1e39]], "The weight in row 1, column 1 is inf"),
        (np.full((2, 2, 3), INF), "The weight in row 1, column 1 is inf"),
        ([], "A kernel has 1 to 15 rows, 1 to 15 columns and, if you like, channels, but this one is 0;"),
        ([[]], "but this one is 1 × 0"),
        (np.ones((16, 3)), "but this one is 16 × 3"),
        (np.ones((3, 16)), "but this one is 3 × 16"),
        (np.ones((3, 3, 0)), "but this one is 3 × 3 × 0"),
        ([1, 2, 3], "but this one is 3;"),
        (5, "but this one is a single number"),
        (np.ones((1, 1, 1, 1)), "but this one is 1 × 1 × 1 × 1"),
    ],
)
def test_a_kernel_is_checked_once_and_for_all(weights, expected):
    check(lambda: Kernel("own", "Own", weights).weights, expected)


def test_a_kernel_keeps_its_own_unchangeable_weights():
    grid = np.ones((2, 2), np.float32)
    kernel = Kernel("own", "Own", grid)
    grid[0, 0] = 5
    assert kernel.weights.dtype == np.float32
    assert kernel.weights[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        kernel.weights[0, 0] = 5


SIX = np.array([[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(
    ("edit", "weights", "expected"),
    [
        (kernels.flip, SIX, [[6, 5, 4], [3, 2, 1]]),
        (kernels.transpose, SIX, [[1, 4], [2, 5], [3, 6]]),
        (kernels.negate, [[1, -2, 0]], [[-1, 2, 0]]),
        (kernels.normalize, [[1, 3]], [[0.25, 0.75]]),
        (kernels.normalize, [[1, -3]], [[-0.5, 1.5]]),
        (kernels.normalize, PRESETS["sobel_x"].weights, [[-0.25, 0, 0.25], [-0.5, 0, 0.5], [-0.25, 0, 0.25]]),
        (kernels.normalize, [[1e-7, -1e-8]], [[1e-7 / 5.5e-8, -1e-8 / 5.5e-8]]),
        (kernels.normalize, [[1e-5, 1e-5]], [[0.5, 0.5]]),
        (kernels.normalize, [[0.1, 0.2, -0.3]], [[1 / 3, 2 / 3, -1]]),
        (kernels.normalize, [[0, 0]], [[0, 0]]),
        (kernels.normalize, [["a"]], "A kernel is a full grid of numbers"),
    ],
)
def test_edits_of_the_weights(edit, weights, expected):
    check(lambda: edit(weights), expected)
    if not isinstance(expected, str):
        assert edit(weights).dtype == np.float32
        assert not np.signbit(edit(weights)[np.equal(expected, 0)]).any(), "no −0 to be shown"


def test_edits_turn_each_channel_alone():
    planes = np.stack([SIX, 10 * SIX], axis=-1)
    for edit in (kernels.flip, kernels.transpose, kernels.negate):
        np.testing.assert_array_equal(edit(planes), np.stack([edit(SIX), edit(10 * SIX)], axis=-1))
    np.testing.assert_allclose(kernels.normalize(planes).sum(), 1, rtol=1e-6)


def test_an_edit_of_a_preset_leaves_the_preset_alone():
    flipped = kernels.flip(PRESETS["emboss"].weights)
    flipped[0, 0] = 99
    assert PRESETS["emboss"].weights[2, 2] == 2
