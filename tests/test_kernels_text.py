"""Checks weights as text, in and out, and the resizing of a grid of weights round its center."""

import re
from urllib.parse import parse_qsl

import numpy as np
import pytest

from cnnviz.kernels import MAX_SIDE, PRESETS, dump, parse, parse_number, resize

GRID = [[1, 2], [3, 4]]
LONG = "1" * 10_000


def check(call, expected):
    """What `call` returns, or words of the ValueError that it raises."""
    if not isinstance(expected, str):
        found = call()
        assert np.shape(found) == np.shape(expected)
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=0)
        return
    with pytest.raises(ValueError, match=re.escape(expected)) as raised:
        call()
    sentence = str(raised.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 250


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", 2),
        ("0.5", 0.5),
        ("0,5", 0.5),
        (".5", 0.5),
        (" −1 ", -1),
        ("-1", -1),
        ("+3", 3),
        ("−0,25", -0.25),
        ("1e-3", 0.001),
        ("2E2", 200),
        ("1/9", 1 / 9),
        ("−1/16", -1 / 16),
        ("1 / 4", 0.25),
        ("0,5/2", 0.25),
        ("0/5", 0),
        ("\t7\r\n", 7),
        ("", "this was an empty cell"),
        ("  \t", "this was an empty cell"),
        ("abc", "this was “abc”"),
        ("1 2", "this was “1 2”"),
        ("1,234.5", "this was “1,234.5”"),
        ("1.234,5", "this was “1.234,5”"),
        ("--1", "this was “--1”"),
        ("1/0", "this was “1/0”"),
        ("1/2/3", "this was “1/2/3”"),
        ("/", "this was “/”"),
        ("1/", "this was “1/”"),
        ("nan", "this was “nan”"),
        ("inf", "this was “inf”"),
        ("−Infinity", "this was “−Infinity”"),
        ("1e999", "this was “1e999”"),
        ("1e300/1e-300", "this was “1e300/1e-300”"),
        ("0x10", "this was “0x10”"),
        ("½", "this was “½”"),
        ("1_000", "this was “1_000”"),
        ("<script>alert(1)</script>", "this was “<script>alert(1)</sc”"),
        (LONG, "this was “11111111111111111111”"),
        ("5%", "this was “5%”"),
    ],
)
def test_a_number_is_read_as_people_type_it(text, expected):
    check(lambda: parse_number(text), expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1\t2\n3\t4", GRID),
        ("1\t2\r\n3\t4\r\n", GRID),
        ("1\t2\r\n\r\n3\t4", GRID),
        ("1,2\n3,4\n", GRID),
        ("1;2\n3;4", GRID),
        ("1, 2\n3, 4", GRID),
        ("1 2\n3 4", GRID),
        ("  1   2\n 3 4  ", GRID),
        ("1,2;3,4", GRID),
        ("1 2;3 4", GRID),
        ("1\t2;3\t4", GRID),
        ("0,5\t1,5\n−1\t1/4", [[0.5, 1.5], [-1, 0.25]]),
        ("0,5;1,5\n−1;2", [[0.5, 1.5], [-1, 2]]),
        ("1/9 1/9\n−1/9 2/9", np.array([[1, 1], [-1, 2]]) / 9),
        ("1,2,3", [[1, 2, 3]]),
        ("1 2 3", [[1, 2, 3]]),
        ("1\t2\t3\n", [[1, 2, 3]]),
        ("1;2;3", [[1], [2], [3]]),
        ("1\n2\n3\n", [[1], [2], [3]]),
        ("7", [[7]]),
        ("−0", [[0]]),
        ("1|2|3", [[[1, 2, 3]]]),
        ("1,2;3,4|5,6;7,8", [[[1, 5], [2, 6]], [[3, 7], [4, 8]]]),
        ("1\t2\n3\t4\n|\n5\t6\n7\t8\n|\n0\t0\n0\t1\n", [[[1, 5, 0], [2, 6, 0]], [[3, 7, 0], [4, 8, 1]]]),
        ("\n".join(["1 " * 15] * 15), np.ones((15, 15))),
        ("", "this one is 1 × 0"),
        (" \r\n ", "this one is 1 × 0"),
        ("|", "this one is 1 × 0 × 2"),
        ("\t", "an empty cell"),
        ("1\t\t3\n4\t5\t6", "an empty cell"),
        ("\t2\n3\t4", "an empty cell"),
        ("1,2,\n3,4,", "an empty cell"),
        ("1 2\n3", "The rows of a kernel are equally long"),
        ("1,2;3", "The rows of a kernel are equally long"),
        ("1;2;", "The rows of a kernel are equally long"),
        ("1,2;3,4|5,6", "All planes of a kernel have the same size"),
        ("1,2|1;2", "All planes of a kernel have the same size"),
        ("1|", "All planes of a kernel have the same size"),
        ("1 2\n3 x", "this was “x”"),
        ("1,2\n3,nan", "this was “nan”"),
        ("1,2\n3,−inf", "this was “−inf”"),
        ("1 2\n3 1e39", "row 2, column 2 is inf"),
        ("1|2|−1e39", "row 1, column 1 is -inf"),
        ("weights", "this was “weights”"),
        ("[[1, 2], [3, 4]]", "this was “[[1”"),
        ("\n".join(["1 " * 16] * 16), "this one is 16 × 16"),
        ("1 " * 16, "this one is 1 × 16"),
        ("1;" * 15 + "1", "this one is 16 × 1"),
        (LONG, "this was “11111111111111111111”"),
        ("0," * 5000 + "0", "this one is 1 × 5001"),
        ("1,2" + "|1,2" * 5000, np.repeat([[[1], [2]]], 5001, axis=2)),
    ],
)
def test_a_block_of_text_is_read_as_weights(text, expected):
    check(lambda: parse(text), expected)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], "-1,0,1;-2,0,2;-1,0,1"),
        ([[0.1, 0.25]], "0.1,0.25"),
        ([[1 / 3], [10]], "0.33333334;10"),
        ([[1e20, -1e-20]], "1e20,-1e-20"),
        ([[16_777_216, 1e15, 1e16]], "1.6777216e07,1e15,1e16"),
        ([[-0.0]], "-0"),
        (np.arange(12).reshape(2, 2, 3), "0,3;6,9|1,4;7,10|2,5;8,11"),
    ],
)
def test_weights_are_written_short(weights, expected):
    assert dump(weights) == expected


def random_weights():
    random = np.random.default_rng(13)
    for channels in ((), (3,)):
        for _ in range(40):
            shape = (*random.integers(1, MAX_SIDE + 1, 2), *channels)
            sizes = 10.0 ** random.uniform(-45, 6, shape)
            yield (random.choice([-1, 1], shape) * sizes).astype(np.float32)
            yield random.integers(-9, 10, shape).astype(np.float32)
            yield (random.integers(-9, 10, shape) / 9).astype(np.float32)
    info = np.finfo(np.float32)
    yield np.array([[1e6, -1e6, info.tiny, info.smallest_subnormal, -0.0, info.eps]], np.float32)


def test_reading_what_was_written_gives_the_same_weights_bit_for_bit():
    for weights in [*(kernel.weights for kernel in PRESETS.values()), *random_weights()]:
        text = dump(weights)
        again = parse(text)
        assert again.dtype == np.float32
        assert again.shape == weights.shape
        assert again.tobytes() == weights.tobytes()
        assert parse_qsl(f"w={text}") == [("w", text)], "in a URL nothing of it means anything else"


@pytest.mark.parametrize(
    ("weights", "size", "expected"),
    [
        ([[5]], (3, 3), [[0, 0, 0], [0, 5, 0], [0, 0, 0]]),
        ([[5]], (1, 2), [[5, 0]]),
        ([[1, 2]], (1, 3), [[0, 1, 2]]),
        ([[1, 2, 3]], (1, 4), [[1, 2, 3, 0]]),
        ([[1, 2, 3]], (1, 5), [[0, 1, 2, 3, 0]]),
        ([[1, 2, 3, 4]], (1, 5), [[0, 1, 2, 3, 4]]),
        ([[1, 2, 3, 4]], (1, 3), [[1, 2, 3]]),
        ([[1, 2, 3, 4, 5]], (1, 4), [[2, 3, 4, 5]]),
        ([[1, 2, 3, 4, 5]], (1, 3), [[2, 3, 4]]),
        ([[1, 2, 3, 4, 5]], (1, 1), [[3]]),
        ([[1], [2], [3]], (1, 1), [[2]]),
        ([[1], [2], [3]], (5, 2), [[0, 0], [1, 0], [2, 0], [3, 0], [0, 0]]),
        ([[1, 2, 3]], (3, 1), [[0], [2], [0]]),
        ([[[1, 2, 3]]], (1, 2), [[[1, 2, 3], [0, 0, 0]]]),
    ],
)
def test_resizing_cuts_or_adds_zeros_round_the_center(weights, size, expected):
    check(lambda: resize(weights, *size), expected)


SIDES = range(1, MAX_SIDE + 1)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_growing_and_shrinking_again_loses_nothing(channels):
    for have in SIDES:
        weights = np.random.default_rng(have).normal(size=(have, 4, *channels)).astype(np.float32)
        for want in range(have, MAX_SIDE + 1):
            np.testing.assert_array_equal(resize(resize(weights, want, 5), have, 4), weights)


@pytest.mark.parametrize("have", SIDES)
def test_single_steps_lead_where_one_large_step_does(have):
    weights = np.arange(1, have + 1, dtype=np.float32)[None]
    for direction, last in ((1, MAX_SIDE), (-1, 1)):
        stepped = weights
        for side in range(have, last + direction, direction):
            stepped = resize(stepped, 1, side)
            np.testing.assert_array_equal(stepped, resize(weights, 1, side))


@pytest.mark.parametrize("want", SIDES)
def test_the_center_stays_the_center(want):
    for have in SIDES:
        weights = np.zeros((have, 1), np.float32)
        weights[(have - 1) // 2] = 1  # where "same" padding puts the window on its pixel
        resized = resize(weights, want, 1)
        assert resized[(want - 1) // 2, 0] == 1
        assert resized.sum() == 1
