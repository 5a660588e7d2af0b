"""Checks maps in numbers, ranges, levels and mosaics against numpy by definition and numbers worked out by hand."""

import numpy as np
import pytest

from cnnviz import display, maps
from cnnviz.graph import Look, Maps, Node, Screen, size
from cnnviz.maps import Ends

NAN = float("nan")


def node(name, kind, *inputs, shape=(2, 2, 1), activation=""):
    return Node(name, kind, kind, inputs, shape, 0, "", 0, "", activation)


def values(*cells):
    """One channel of 2 × 2 cells."""
    return np.array(cells, np.float32).reshape(2, 2, 1)


# ----------------------------------------------------------------------------------------------------------- numbers


def test_maps_of_many_layers_are_measured_in_one_sweep():
    random = np.random.default_rng(0)
    shapes = [(5, 7, 3), (1, 1, 4), (2, 9, 1), (6,), (200, 200, 2)]
    layers = [np.where(random.random(s) < 0.3, 0, random.normal(size=s)).astype(np.float32) for s in shapes]
    for layer, found in zip(layers, maps.statistics([maps.by_channel(one) for one in layers]), strict=True):
        flat = layer.reshape(-1, layer.shape[-1]).astype(np.float64) if layer.ndim > 1 else layer[None].astype(float)
        np.testing.assert_allclose(found.mean, flat.mean(axis=0), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(found.max, flat.max(axis=0))
        np.testing.assert_array_equal(found.min, flat.min(axis=0))
        np.testing.assert_allclose(found.zeros, (flat == 0).mean(axis=0), rtol=1e-6)
        assert found.ends == (flat.min(), flat.max())


@pytest.mark.parametrize(
    ("cells", "dead", "mean", "ends"),
    [
        ((0, 0, 0, 0), True, 0, (0, 0)),
        ((3, 3, 3, 3), True, 3, (3, 3)),
        ((0, 0, 0, 1), False, 0.25, (0, 1)),
        ((NAN, NAN, NAN, NAN), False, NAN, (0, 0)),
        ((NAN, 1, 2, -3), False, NAN, (-3, 2)),
        ((np.inf, 1, 2, 3), False, np.inf, (1, 3)),
        ((np.inf, -np.inf, 0, 4), False, NAN, (0, 4)),
    ],
)
def test_a_map_is_dead_if_all_its_cells_are_equal(cells, dead, mean, ends):
    [found] = maps.statistics([maps.by_channel(values(*cells))])
    assert found.dead.tolist() == [dead]
    np.testing.assert_array_equal(found.mean, [mean])
    assert found.ends == ends


@pytest.mark.parametrize(("number", "dead"), [(0, True), (1, False), (-2, False)])
def test_a_unit_is_dead_if_it_is_0(number, dead):
    assert maps.statistics([np.full((1, 1), number, np.float32)])[0].dead.tolist() == [dead]


@pytest.mark.parametrize(
    ("activation", "cells", "expected"),
    [
        ("sigmoid", [1, 0.995, 0.001, 0], True),
        ("sigmoid", [1, 1, 1, 0.5], False),
        ("sigmoid", [0.98] * 4, False),
        ("tanh", [-1, 0.99, 1, -0.985], True),
        ("tanh", [0, 0, 0.001, 0], False),
        ("tanh", [0.97] * 4, False),
        ("relu", [0, 0, 1, 1], False),
        ("sigmoid", [1] * 19 + [0.5], True),
        ("sigmoid", [1] * 18 + [0.5] * 2, False),
    ],
)
def test_a_map_is_saturated_with_95_percent_of_its_cells_at_the_ends(activation, cells, expected):
    assert maps.saturated(np.array([cells], np.float32), activation).tolist() == [expected]


# ------------------------------------------------------------------------------------------------------------- ranges

CHAIN = (
    (node("photo", "InputLayer"), values(0, 0.25, 0.5, 0.75)),
    (node("conv", "Conv2D", "photo"), values(-4, 1, 2, 3)),
    (node("relu", "ReLU", "conv", activation="relu"), values(0, 1, 2, 3)),
    (node("pool", "MaxPooling2D", "relu", shape=(1, 1, 1)), values(0, 1, 2, 3)[:1, :1]),
    (node("norm", "BatchNormalization", "pool"), values(-1, 0.5, 0, 0)),
    (node("drop", "Dropout", "norm"), values(-1, 0.5, 0, 0)),
    (node("both", "Add", "drop", "drop"), values(2, 3, 0, 0)),
    (node("fused", "Conv2D", "both", activation="relu"), values(0, 5, 0, 0)),
    (node("flat", "Flatten", "fused", shape=(4,)), np.array([0, 5, 0, 0], np.float32)),
    (node("gate", "Sigmoid", "flat", activation="sigmoid", shape=(4,)), np.array([0.5, 0.9, 0.5, 0.5], np.float32)),
    (node("bend", "Conv2D", "both", activation="tanh"), values(0.5, 0.1, 0, 0)),
    (node("average", "GlobalAveragePooling2D", "fused", shape=(1,)), np.array([1.25], np.float32)),
    (node("dead", "Dense", "average", shape=(1,)), np.array([0], np.float32)),
)


@pytest.mark.parametrize(
    ("name", "inherited", "source", "own"),
    [
        ("photo", (0, 1), "", (0, 1)),
        ("conv", (-4, 4), "", (-4, 4)),
        ("relu", (-4, 4), "conv", (0, 3)),
        ("pool", (-4, 4), "conv", (0, 1)),  # of it the first map alone
        ("norm", (-1, 1), "", (-1, 1)),
        ("drop", (-1, 1), "norm", (-1, 1)),
        ("both", (0, 3), "", (0, 3)),
        ("fused", (0, 5), "", (0, 5)),
        ("flat", (0, 5), "fused", (0, 5)),
        ("gate", (0, 1), "", (0, np.float32(0.9))),
        ("bend", (-1, 1), "", (0, 0.5)),
        ("average", (0, 1.25), "", (0, 1.25)),
        ("dead", (0, 1), "", (0, 1)),
    ],
)
def test_a_layer_that_only_passes_values_on_keeps_the_scale_before_it(name, inherited, source, own):
    nodes = [one for one, _ in CHAIN]
    measured = {one.name: maps.statistics([maps.by_channel(v if one.name != "pool" else v + 1)])[0] for one, v in CHAIN}
    kept = maps.ranges(nodes, measured, "inherited", (0.0, 1.0))[name]
    assert (kept.low[0], kept.high[0], kept.inherited) == (*inherited, source)
    assert kept.signed == (inherited[0] < 0)
    alone = maps.ranges(nodes, measured, "layer", (0.0, 1.0))[name]
    assert (alone.low[0], alone.high[0], alone.inherited) == (*own, "")


def test_a_sigmoid_that_is_taken_out_has_its_own_scale():
    nodes = (node("photo", "InputLayer"), node("gate", "Sigmoid", "photo", activation="sigmoid"))
    measured = {one.name: maps.statistics([maps.by_channel(values(-7, 1, 2, 3))])[0] for one in nodes}
    found = maps.ranges(nodes, measured, "inherited", (-1.0, 1.0), ("gate",))
    assert [(one.low[0], one.high[0]) for one in found.values()] == [(-1, 1), (-7, 7)]


def test_each_map_has_its_own_range_if_asked_for_and_the_sign_of_its_layer():
    layer = np.stack([np.full((2, 2), n) for n in (1, -3, 0)], axis=2).astype(np.float32)
    layer[0, 0] = (0.5, 2, 0)
    one = node("conv", "Conv2D", "photo", shape=(2, 2, 3))
    found = maps.ranges([one], {"conv": maps.statistics([maps.by_channel(layer)])[0]}, "map", (0, 1))["conv"]
    assert found.high.tolist() == [1, 3, 3]  # a map of zeros has the layer's
    assert found.low.tolist() == [-1, -3, -3]


# ------------------------------------------------------------------------------------------------------------- levels


@pytest.mark.parametrize(
    ("cells", "low", "high", "expected"),
    [
        ([-2, -1, 0, 1, 2], -2, 2, [0, 64, 127, 190, 254]),  # 63.5 and 190.5 go to the even one
        ([0, 1, 2, 4], 0, 4, [0, 64, 127, 254]),
        ([-9, 9, np.inf, -np.inf, NAN], -2, 2, [0, 254, 254, 0, 255]),
    ],
)
def test_levels_run_from_0_to_254_and_nan_is_255(cells, low, high, expected):
    found = maps.levels([np.array([cells], np.float32)], [Ends(np.float32([low]), np.float32([high]), low < 0)])
    assert found.dtype == np.uint8
    assert found.tolist() == expected


def test_levels_of_many_maps_are_those_of_display():
    random = np.random.default_rng(3)
    layers = [random.normal(size=(c, n)).astype(np.float32) for c, n in ((3, 50), (1, 7), (8, 1))]
    ends = [Ends(np.full(1, -2, np.float32), np.full(1, 2, np.float32), True) for _ in layers]
    ends[0] = Ends(-np.arange(1, 4, dtype=np.float32), np.arange(1, 4, dtype=np.float32), True)
    expected = []
    for layer, scale in zip(layers, ends, strict=True):
        for channel, one in enumerate(layer):
            limit = float(scale.high[channel % len(scale.high)])
            expected.append(display.levels(one, display.signed_scale(limit)))
    difference = maps.levels(layers, ends).astype(int) - np.concatenate(expected)
    assert np.abs(difference).max() <= 1  # float32 against float64 may part at a tie
    assert (difference != 0).mean() < 0.01


# ------------------------------------------------------------------------------------------------------------- mosaics


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("index", [0, 1, 2, 3]),
        ("mean", [2, 0, 3, 1]),  # 2, 1, 1 (in their order), NaN
        ("max", [3, 2, 0, 1]),
        ("zeros", [3, 0, 1, 2]),
        ("weight", [1, 0, 2, 3]),
    ],
)
def test_channels_are_sorted_the_largest_first(by, expected):
    cells = np.array([[1, 1, 1, 1], [NAN, 1, 1, 1], [2, 2, 2, 2], [4, 0, 0, 0]], np.float32)
    [found] = maps.statistics([cells])
    assert maps.order(by, found, np.array([0.5, 3, -1, -2], np.float32)).tolist() == expected


@pytest.mark.parametrize(
    ("shape", "cell", "tile", "picture", "columns"),
    [
        ((32, 32, 16), 96, (32, 32), (128, 128), 4),
        ((32, 32, 16), 8, (8, 8), (32, 32), 4),
        ((20, 10, 3), 10, (10, 5), (10, 15), 3),  # ⌈√(3 · 10 / 5)⌉
        ((7, 7, 2048), 96, (7, 7), (7 * 45, 7 * 46), 46),
        ((64, 64, 2048), 96, (31, 31), (31 * 45, 31 * 46), 46),  # √(2,000,000 / 2048) = 31.2
        ((1, 1, 10), 96, (1, 1), (3, 4), 4),
        ((10,), 96, (1, 1), (3, 4), 4),
        ((1,), 96, (1, 1), (1, 1), 1),
        ((300, 2, 1), 96, (96, 1), (96, 1), 1),
    ],
)
def test_a_mosaic_is_nearly_a_square_and_never_larger_than_shown(shape, cell, tile, picture, columns):
    tiles = maps.tiles(np.zeros(shape, np.float32), cell)
    assert tiles.shape[1:] == tile
    found, across = maps.mosaic(tiles.astype(np.uint8))
    assert (found.shape, across) == (picture, columns)
    assert found.size <= maps.MAX_PIXELS


def test_a_reduced_map_is_its_mean_by_area():
    tiles = maps.tiles(values(1, 3, 5, -1), 1)
    assert tiles.tolist() == [[[2]]]


# --------------------------------------------------------------------------------------------------------------- looks


def test_the_same_look_said_otherwise_is_the_same_key():
    one = Look(off={"b": [3, 1, 3], "a": (), "c": np.arange(2)}, linear=["y", "x", "y"], chosen=np.int64(2))
    other = Look(off=(("c", (1, 0)), ("b", (1, 3))), linear=("x", "y"), chosen=2)
    assert one == other
    assert hash(one) == hash(other)
    assert one.off == (("b", (1, 3)), ("c", (0, 1)))
    assert Look("map", one.off, one.linear).switches == one.switches != Look().switches


@pytest.mark.parametrize(
    ("shape", "expected"), [((4, 5, 6), (4, 5, 6)), ((7,), (1, 1, 7)), ((3, 8), (1, 3, 8)), ((2, 2, 2, 2), (1, 1, 16))]
)
def test_every_output_has_a_size(shape, expected):
    assert size(shape) == expected


def test_a_screen_finds_its_layers_by_name():
    one = Maps(node("conv", "Conv2D"), 1, 1, 1, *(None,) * 11, 0.0, 0.0)
    screen = Screen((one,), None, 0, 0, None)
    assert screen.maps("conv") is one
    with pytest.raises(KeyError):
        screen.maps("nobody")
