"""Compares convolution and pooling with Keras in random cases, and what Keras refuses with what it can do instead."""

import os

import numpy as np
import pytest

from cnnviz.filters import conv2d, pool2d

pytestmark = pytest.mark.keras

ROUNDING = 1e-6  # times the sum of |terms|: what float32 may lose in a sum of up to 900 of them


@pytest.fixture(scope="module")
def ops():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # GPUs round convolutions to TF32
    import keras

    return keras.ops


def pair(random, highest):
    return tuple(int(n) for n in random.integers(1, highest + 1, 2))


def layer(ops, image, weights, padding="valid", **settings):
    """keras.ops.conv of a picture (H, W, C) or (H, W), with conv2d's two kinds of weights."""
    if weights.ndim == 3:
        return np.asarray(ops.conv(image[None], weights[..., None], padding=padding, **settings))[0, ..., 0]
    if image.ndim == 3:  # one by one: TensorFlow's oneDNN fails on batches of one channel, stride (1, > 2) and width 1
        return np.dstack([layer(ops, image[..., c], weights, padding, **settings) for c in range(image.shape[2])])
    return layer(ops, image[..., None], weights[..., None], padding, **settings)


def draw(random, span, channels, padded=(0, 0)):
    """A picture into which a window of `span` fits: bytes as in photos, or signed numbers as in feature maps."""
    size = [int(random.integers(max(1, n - p), n + 24)) for n, p in zip(span, padded, strict=True)]
    shape = (*size, channels) if channels else size
    if random.random() < 0.5:
        return random.integers(0, 256, shape).astype(np.uint8)
    return random.normal(0, 50, shape).astype(np.float32)


def assert_equal(found, expected, terms, case):
    assert found.dtype == np.float32, case
    assert found.shape == expected.shape, case
    assert np.all(np.abs(found - expected) <= ROUNDING * terms), case


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("summed", [False, True], ids=["each channel", "summed over channels"])
@pytest.mark.parametrize("seed", range(3))
def test_conv2d_equals_a_layer(ops, padding, summed, seed):
    random = np.random.default_rng([seed, summed, len(padding)])
    for number in range(50):
        taps, channels = pair(random, 15), int(random.integers(summed, 5))
        strides, dilation = (pair(random, 8), (1, 1)) if number % 2 else ((1, 1), pair(random, 4))
        span = [d * (k - 1) + 1 for d, k in zip(dilation, taps, strict=True)]
        image = draw(random, span if padding == "valid" else (1, 1), channels)
        weights = random.normal(size=(*taps, channels) if summed else taps).astype(np.float32)
        settings = {"strides": strides, "padding": padding, "dilation_rate": dilation}
        expected, terms = (
            layer(ops, signed(image.astype(np.float32)), signed(weights), **settings) for signed in (np.asarray, np.abs)
        )
        found = conv2d(image, weights, **settings)
        assert_equal(found, expected, terms, f"{image.shape} {image.dtype}, kernel {weights.shape}, {settings}")


@pytest.mark.parametrize("summed", [False, True], ids=["each channel", "summed over channels"])
@pytest.mark.parametrize("seed", range(3))
def test_what_keras_refuses_equals_explicit_zeros(ops, summed, seed):
    random = np.random.default_rng([seed, summed])
    for _ in range(40):
        taps, channels = pair(random, 15), int(random.integers(summed, 5))
        strides, dilation = pair(random, 8), pair(random, 4)
        span = [d * (k - 1) + 1 for d, k in zip(dilation, taps, strict=True)]
        sides = random.integers(0, 9, (2, 2))
        image = draw(random, span, channels, padded=sides.sum(axis=1))
        weights = random.normal(size=(*taps, channels) if summed else taps).astype(np.float32)
        stuffed = np.zeros((*span, *weights.shape[2:]), np.float32)
        stuffed[:: dilation[0], :: dilation[1]] = weights
        padded = np.pad(image.astype(np.float32), [*sides, (0, 0)][: image.ndim])
        expected, terms = (
            layer(ops, signed(padded), signed(stuffed), strides=strides) for signed in (np.asarray, np.abs)
        )
        padding = tuple(tuple(int(n) for n in side) for side in sides)
        found = conv2d(image, weights, strides, padding, dilation)
        assert_equal(found, expected, terms, f"{image.shape}, {weights.shape}, {strides}, {padding}, {dilation}")


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("seed", range(3))
def test_pool2d_equals_a_layer(ops, kind, padding, seed):
    random = np.random.default_rng([seed, len(kind), len(padding)])
    for number in range(50):
        taps, channels = pair(random, 15), int(random.integers(0, 5))
        strides = pair(random, 15) if number % 3 else None
        image = draw(random, taps if padding == "valid" else (1, 1), channels)
        batch = image.reshape(1, *image.shape[:2], -1).astype(np.float32)
        pool = ops.max_pool if kind == "max" else ops.average_pool
        expected, sizes = (
            np.asarray(pool(signed(batch), taps, strides, padding))[0] for signed in (np.asarray, np.abs)
        )
        found = pool2d(image, taps, strides, padding, kind)
        case = f"{image.shape}, {taps}, {strides}"
        terms = sizes if kind == "average" else np.zeros_like(sizes)
        assert found.ndim == image.ndim, case
        assert_equal(found.reshape(expected.shape), expected, terms, case)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_pixel_that_is_not_finite_spoils_the_same_cells_as_in_a_layer(ops, bad):
    image = np.ones((20, 20), np.float32)
    image[9, 9] = bad
    for weights in (np.eye(3, dtype=np.float32), np.eye(13, dtype=np.float32)):
        np.testing.assert_array_equal(conv2d(image, weights), layer(ops, image, weights))
    np.testing.assert_array_equal(pool2d(image, 3, kind="average"), pools(ops.average_pool, image))


def pools(pool, image):
    return np.asarray(pool(image[None, ..., None], 3))[0, ..., 0]
