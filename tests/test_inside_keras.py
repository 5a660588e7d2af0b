"""Networks at work on a picture: numbers, levels, switches, kernels and receptive fields against numpy and Keras."""

import gc
import os
import threading
import weakref
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from cnnviz import display
from cnnviz.cards import Card
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.graph import Look
from cnnviz.networks import NetworkError
from cnnviz.presets import PRESETS
from cnnviz.ui import inside_pairs, inside_view

pytestmark = pytest.mark.keras
OBJECTS = Path(__file__).resolve().parents[1] / "models" / "objects"


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import keras

    return keras


@pytest.fixture(scope="module")
def inside(keras):  # noqa: ARG001 (keras is imported quietly first)
    from cnnviz.networks import inside  # noqa: PLC0415 (it imports keras)

    return inside


@pytest.fixture
def shown(inside, monkeypatch):
    """Puts networks where inside looks for those of folders: shown(model) -> what stands for the folder."""
    made = {}

    def show(model, **settings):
        height, width, channels = (side or 8 for side in model.input_shape[1:])
        units = model.output_shape[-1]
        card = Card(
            name="made",
            title="Made",
            task="picture",
            labels=tuple(f"class {n}" for n in range(max(2, units))),
            preprocessing=Preprocessing(height, width, "grey" if channels == 1 else "rgb", **settings),
            architecture="made",
            parameters=0,
            data={"name": "", "licence": "", "train": 0, "validation": 0, "test": 0},
            scores={},
            threshold=None,
            training={"command": "", "seed": None, "device": ""},
            not_for="",
        )
        model.jit_compile = False
        made[str(len(made))] = (model, card)
        return str(len(made) - 1)

    real = inside.at_work.classifier.load
    monkeypatch.setattr(inside.at_work.classifier, "load", lambda folder: made.get(folder) or real(folder))
    return show


def picture(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def network(keras, *layers, shape=(6, 6, 3), seed=0):
    """The layers one after the other, with weights of some spread."""
    model = keras.Sequential([keras.Input(shape, name="photo"), *layers])
    random = np.random.default_rng(seed)
    for variable in model.weights:
        low = 0.2 if "variance" in variable.path else -1
        variable.assign(random.uniform(low, 1, variable.shape))
    return model


# -------------------------------------------------------------------------------------------------------- the numbers


def test_a_screen_of_objects_holds_what_keras_computes(keras, inside):
    model, card = inside.at_work.classifier.load(OBJECTS)
    photo = picture((32, 32, 3))
    screen = inside.screen(OBJECTS, photo, Look())
    whole = keras.Model(model.inputs, [layer.output for layer in model.layers])
    expected = whole.predict_on_batch(card.preprocessing.scaled(photo)[None])
    assert [one.node.name for one in screen.layers] == [layer.name for layer in model.layers]
    assert screen.parameters == model.count_params() == card.parameters
    end = 0
    for one, layer, batch in zip(screen.layers, model.layers, expected, strict=True):
        values = batch[0]
        maps = values.reshape(-1, values.shape[-1])
        assert one.node.shape == values.shape
        assert one.node.parameters == layer.count_params()
        assert one.parameter_share == layer.count_params() / model.count_params()
        np.testing.assert_allclose(one.mean, maps.mean(axis=0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(one.max, maps.max(axis=0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(one.min, maps.min(axis=0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(one.zeros, (maps == 0).mean(axis=0), atol=1e-3)
        make = display.signed_scale if one.signed else lambda high: display.heat_scale(0.0, high)
        levels = display.levels(np.moveaxis(values.reshape(one.height, one.width, -1), 2, 0), make(float(one.high[0])))
        assert one.offset == end
        end += levels.size
        sent = screen.levels[one.offset : end].reshape(levels.shape)
        assert np.abs(sent.astype(int) - levels).max() <= 1
    assert screen.levels.size == end
    np.testing.assert_allclose(sum(one.multiply_add_share for one in screen.layers), 1)


def test_the_answer_of_objects_is_that_of_keras_and_its_weights_add_up(inside):
    model, card = inside.at_work.classifier.load(OBJECTS)
    photo = picture((32, 32, 3), 5)
    expected = model.predict_on_batch(card.preprocessing.scaled(photo)[None])[0]
    for chosen in (None, 3):
        screen = inside.screen(OBJECTS, photo, Look(chosen=chosen))
        answer = screen.answer
        np.testing.assert_allclose(answer.probabilities, expected, rtol=1e-4, atol=1e-6)
        shares = np.exp(answer.logits) / np.exp(answer.logits).sum()
        np.testing.assert_allclose(shares, expected, rtol=1e-4, atol=1e-6)
        assert answer.chosen == (int(expected.argmax()) if chosen is None else chosen)
        assert (answer.labels, answer.activation) == (card.labels, "softmax")
        bias = np.asarray(model.get_layer("dense_1").bias)[answer.chosen]
        weighed = [one for one in screen.layers if one.weight is not None]
        assert [one.node.name for one in weighed] == ["block_5_relu_2", "global_average_1"]
        for one in weighed:
            np.testing.assert_allclose(one.weight @ one.mean + bias, answer.logits[answer.chosen], rtol=1e-4)


@pytest.mark.parametrize(
    ("end", "activation", "probabilities"),
    [
        (lambda L: [L.Dense(3, "softmax")], "softmax", lambda z: np.exp(z) / np.exp(z).sum()),
        (lambda L: [L.Dense(3), L.Softmax()], "softmax", lambda z: np.exp(z) / np.exp(z).sum()),
        (lambda L: [L.Dense(3), L.Activation("softmax")], "softmax", lambda z: np.exp(z) / np.exp(z).sum()),
        (lambda L: [L.Dense(1, "sigmoid")], "sigmoid", lambda z: [1 / (1 + np.exp(z[0])), 1 / (1 + np.exp(-z[0]))]),
        (lambda L: [L.Dense(1), L.Activation("sigmoid")], "sigmoid", lambda z: np.exp([0, z[0]]) / (1 + np.exp(z[0]))),
        (lambda L: [L.Dense(3)], "", None),
        (lambda L: [L.Dense(1)], "", None),
    ],
)
def test_every_end_of_a_network_gives_logits_and_shares(keras, inside, shown, end, activation, probabilities):
    model = network(keras, keras.layers.Flatten(), *end(keras.layers), shape=(2, 2, 1))
    photo = picture((2, 2, 1))
    answer = inside.screen(shown(model), photo, Look()).answer
    dense = next(layer for layer in model.layers if layer.name.startswith("dense"))
    kernel, bias = (np.asarray(value) for value in dense.get_weights())
    logits = (photo.ravel() / 255) @ kernel + bias
    np.testing.assert_allclose(answer.logits, logits, rtol=1e-4, atol=1e-5)
    assert answer.activation == activation
    if probabilities is None:
        assert answer.probabilities is None
        assert answer.chosen == (int(logits[0] > 0) if len(logits) == 1 else logits.argmax())
    else:
        np.testing.assert_allclose(answer.probabilities, probabilities(logits), rtol=1e-4)
        assert answer.chosen == np.argmax(probabilities(logits))


def test_the_weight_toward_the_first_class_of_one_output_is_turned_round(keras, inside, shown):
    layers = keras.layers
    model = network(keras, layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dropout(0.5), layers.Dense(1))
    folder, kernel = shown(model), np.asarray(model.layers[-1].kernel)[:, 0]
    for chosen, sign in ((0, -1), (1, 1)):
        found = inside.screen(folder, picture((6, 6, 3)), Look(chosen=chosen)).layers
        assert [one.weight is None for one in found] == [True, False, False, False, True]
        for one in found[1:4]:
            np.testing.assert_array_equal(one.weight, sign * kernel)


def test_a_map_that_is_flattened_has_no_weight_of_its_own(keras, inside, shown):
    model = network(keras, keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(2, "softmax"))
    found = inside.screen(shown(model), picture((6, 6, 3)), Look()).layers
    assert [one.weight is None for one in found] == [True, True, False, True]


def test_channels_of_one_cell_have_a_weight_through_a_flatten(keras, inside, shown):
    layers = keras.layers
    pool = layers.GlobalMaxPooling2D(keepdims=True)
    model = network(keras, layers.Conv2D(4, 3), pool, layers.Flatten(), layers.Dense(2, "softmax"))
    found = inside.screen(shown(model), picture((6, 6, 3)), Look(chosen=1)).layers
    assert [one.weight is None for one in found] == [True, False, False, False, True]
    np.testing.assert_array_equal(found[1].weight, np.asarray(model.layers[-1].kernel)[:, 1])


@pytest.mark.parametrize(
    ("layers", "fits"),
    [
        (lambda L: [L.Conv2D(64, 1), L.GlobalAveragePooling2D()], True),
        (lambda L: [L.Conv2D(65, 1), L.GlobalAveragePooling2D()], False),
        (lambda L: [L.Conv2D(64, 3, padding="same"), L.UpSampling2D(16)], False),  # 589,824 cells, twice
        (lambda L: [L.Flatten(), L.Dense(300)], True),  # units are no maps
    ],
)
def test_levels_are_sent_for_networks_that_fit_a_screen(keras, inside, shown, layers, fits):
    model = network(keras, *layers(keras.layers), keras.layers.Flatten(), keras.layers.Dense(2))
    screen = inside.screen(shown(model), picture((6, 6, 3)), Look())
    assert (screen.levels is not None) == fits
    assert all((one.offset is not None) == fits for one in screen.layers)
    cells = sum(one.height * one.width * one.channels for one in screen.layers)
    assert screen.levels is None or screen.levels.size == cells


def test_dead_and_saturated_maps_are_marked_but_not_in_photo_and_answer(keras, inside, shown):
    layers = keras.layers
    model = network(
        keras,
        layers.Conv2D(3, 1, name="conv"),
        layers.ReLU(name="relu"),
        layers.Conv2D(3, 1, activation="sigmoid", name="gate"),
        layers.GlobalAveragePooling2D(name="average"),
        layers.Dense(1, "sigmoid", name="end"),
    )
    kernel, bias = np.zeros((1, 1, 3, 3), np.float32), np.array([-1, 2, 0], np.float32)
    kernel[0, 0, 0, 2] = 1
    model.get_layer("conv").set_weights([kernel, bias])
    model.get_layer("gate").set_weights([np.zeros((1, 1, 3, 3), np.float32), np.array([-9, 0, 9], np.float32)])
    model.get_layer("end").set_weights([np.zeros((3, 1), np.float32), np.array([99], np.float32)])
    screen = inside.screen(shown(model), np.full((6, 6, 3), (7, 7, 7), np.uint8), Look())
    dead = {one.node.name: one.dead.tolist() for one in screen.layers}
    # the photo is constant, and so is every map made of it
    assert dead["photo"] == [False] * 3
    assert dead["relu"] == dead["conv"] == [True] * 3
    assert dead["end"] == [False]
    assert {one.node.name: one.saturated.tolist() for one in screen.layers if one.saturated.any()} == {
        "gate": [True, False, True]
    }
    random = inside.screen(shown(model), picture((6, 6, 3)), Look())
    assert {one.node.name: one.dead.tolist() for one in random.layers}["relu"] == [True, True, False]


# ------------------------------------------------------------------------------------------------------------ switches


def dig(keras, off=(), linear=()):
    """conv, relu, fused conv, flatten, dense, softmax: by numpy, for one picture of 4 × 4 × 3."""
    layers = keras.layers
    model = network(
        keras,
        layers.Conv2D(4, 1, name="conv"),
        layers.ReLU(name="relu"),
        layers.Conv2D(3, 4, activation="tanh", name="fused"),
        layers.Flatten(name="flat"),
        layers.Dense(2, "softmax", name="end"),
        shape=(4, 4, 3),
    )
    weights = {layer.name: [np.asarray(w, np.float64) for w in layer.get_weights()] for layer in model.layers}

    def run(photo):
        found = {"photo": photo / 255}

        def give(name, value, curve=lambda z: z):
            value = value if name in linear else curve(value)
            value = value.copy()
            value[..., list(dict(off).get(name, ()))] = 0
            found[name] = value
            return value

        x = give("photo", photo / 255)
        x = give("conv", x @ weights["conv"][0][0, 0] + weights["conv"][1])
        x = give("relu", x, lambda z: np.maximum(z, 0))
        x = give("fused", np.einsum("yxi,yxio->o", x, weights["fused"][0])[None, None] + weights["fused"][1], np.tanh)
        x = give("flat", x.ravel())
        z = x @ weights["end"][0] + weights["end"][1]
        give("end", z, lambda z: np.exp(z) / np.exp(z).sum())
        return found, z

    return model, run


@pytest.mark.parametrize(
    ("off", "linear"),
    [
        ({}, ()),
        ({"conv": (2,)}, ()),
        ({"photo": (0, 2)}, ()),
        ({"conv": (0, 3), "fused": (1,), "flat": (0,)}, ()),
        ({}, ("relu",)),
        ({}, ("fused",)),
        ({}, ("end",)),
        ({"relu": (1,), "end": (0,)}, ("relu", "fused", "end")),
        ({"conv": (0, 1, 2, 3)}, ("fused",)),
    ],
)
def test_switched_networks_compute_what_numpy_computes(keras, inside, shown, off, linear):
    model, run = dig(keras, off, linear)
    folder = shown(model)
    photo = picture((4, 4, 3), 3)
    look = Look(off=off, linear=linear)
    expected, logits = run(photo)
    values = inside.activations(folder, photo, look)
    for name, value in expected.items():
        np.testing.assert_allclose(values[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
    answer = inside.screen(folder, photo, look).answer
    np.testing.assert_allclose(answer.logits, logits, rtol=1e-4, atol=1e-5)
    assert (answer.probabilities is None) == ("end" in linear)
    # and what was switched off is back without the switches
    np.testing.assert_allclose(inside.activations(folder, photo, Look())["relu"], dig(keras)[1](photo)[0]["relu"], 1e-4)


def test_a_channel_that_is_not_a_number_can_be_switched_off(keras, inside, shown):
    model, _ = dig(keras)
    kernel, bias = model.get_layer("conv").get_weights()
    kernel[..., 1] = np.nan
    model.get_layer("conv").set_weights([kernel, bias])
    folder, photo = shown(model), picture((4, 4, 3))
    assert np.isnan(inside.screen(folder, photo, Look()).answer.logits).all()
    assert np.isfinite(inside.screen(folder, photo, Look(off={"conv": [1]})).answer.logits).all()


@pytest.mark.parametrize("activation", [None, "relu", "sigmoid"])
def test_a_channel_whose_weights_are_not_numbers_is_nan_and_never_dead(keras, inside, shown, activation):
    L = keras.layers
    conv, end = L.Conv2D(3, 3, activation=activation, padding="same", name="conv"), L.Dense(2, name="end")
    model = network(keras, conv, L.GlobalAveragePooling2D(), end, shape=(8, 8, 3))
    kernel, bias = conv.get_weights()
    kernel[1, 1, 0, 2] = np.nan
    conv.set_weights([kernel, bias])
    screen = inside.screen(shown(model), picture((8, 8, 3)), Look())
    assert screen.maps("conv").nan.tolist() == [False, False, True]
    assert not screen.maps("conv").dead[2]
    assert inside_view.marks(screen.maps("conv"))[2] == "n"
    assert "NaN in 1" in inside_view.legend([screen.maps("conv")])


def test_a_map_that_was_switched_off_is_not_called_dead_or_saturated(keras, inside, shown):
    L = keras.layers
    conv, end = L.Conv2D(3, 3, activation="sigmoid", name="conv"), L.Dense(2, name="end")
    model = network(keras, L.ReLU(name="relu"), conv, L.GlobalAveragePooling2D(), end, shape=(8, 8, 3))
    # all maps flat, the last one saturated
    conv.set_weights([0 * conv.get_weights()[0], np.array([0, 0, 9], np.float32)])
    folder, photo = shown(model), picture((8, 8, 3))
    before = inside.screen(folder, photo, Look()).maps("conv")
    assert (before.dead.tolist(), before.saturated.tolist()) == ([True] * 3, [False, False, True])
    off = inside.screen(folder, photo, Look(off={"conv": [1, 2], "relu": [0]}))
    assert (off.maps("conv").dead.tolist(), off.maps("conv").saturated.tolist()) == ([True, False, False], [False] * 3)
    assert not off.maps("relu").dead.any()


def test_all_masks_share_one_compiled_pass(keras, inside, shown):
    model, _ = dig(keras)
    folder, photo = shown(model), picture((4, 4, 3))
    inside.screen(folder, photo, Look())
    inside.screen(folder, photo, Look(off={"conv": [0]}))
    made = inside.forward.plan(model).made
    passes = [made["plain"], made["switched"]]
    for channel, linear in product(range(4), ((), ("relu",), ("relu", "fused"))):
        inside.screen(folder, photo, Look(off={"conv": [channel]}, linear=linear))
    counts = [one.predict_function.experimental_get_tracing_count() for one in passes]
    assert counts == [1, 1]
    assert [made["plain"], made["switched"]] == passes


# ------------------------------------------------------------------------------------------------ maps, one by one


def test_a_mosaic_shows_each_channel_at_its_place(inside):
    photo = picture((32, 32, 3))
    screen = inside.screen(OBJECTS, photo, Look())
    for order, layer in (("index", "conv_1"), ("mean", "pool_1"), ("max", "relu_1"), ("zeros", "block_2_relu_2")):
        found = inside.mosaic(OBJECTS, photo, Look(), layer, order)
        one = screen.maps(layer)
        sent = screen.levels[one.offset :][: one.channels * one.height * one.width]
        sent = sent.reshape(one.channels, one.height, one.width)
        assert sorted(found.order) == list(range(one.channels))
        keys = {"index": -np.arange(one.channels), "mean": one.mean, "max": one.max, "zeros": one.zeros}[order]
        assert (np.diff(keys[found.order]) <= 0).all()
        for position, channel in enumerate(found.order):
            y, x = position // found.columns * one.height, position % found.columns * one.width
            np.testing.assert_array_equal(found.levels[y : y + one.height, x : x + one.width], sent[channel])
    weighed = inside.mosaic(OBJECTS, photo, Look(chosen=4), "block_5_relu_2", "weight")
    assert (np.diff(weighed.maps.weight[weighed.order]) <= 0).all()


def test_a_range_by_map_reaches_the_mosaic_and_the_tiles(inside):
    photo = picture((32, 32, 3))
    found = inside.mosaic(OBJECTS, photo, Look("map"), "conv_1", cell=4)
    assert found.levels.shape == (16, 16)
    tiles = inside.tiles(OBJECTS, photo, Look("map"), {"conv_1": 5, "dense_1": None}, cell=4)
    np.testing.assert_array_equal(tiles["conv_1"], found.levels[4:8, 4:8])  # channel 5 of four a row
    assert tiles["dense_1"].shape == (3, 4)
    one = found.maps
    assert one.low.shape == one.high.shape == (16,)
    np.testing.assert_allclose(one.high, np.maximum(one.max, -one.min), rtol=1e-6)


def test_a_channel_and_an_array_are_the_layers_own_numbers(inside):
    photo = picture((32, 32, 3))
    values = inside.activations(OBJECTS, photo, Look())
    whole = inside.array(OBJECTS, photo, Look(), "conv_1")
    np.testing.assert_array_equal(whole, values["conv_1"])
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(inside.channel(OBJECTS, photo, Look(), "conv_1", 7), whole[..., 7])
    assert inside.channel(OBJECTS, photo, Look(), "dense_1", 3).tolist() == [[values["dense_1"][3]]]


# ------------------------------------------------------------------------------------------------------------- kernels


def test_the_first_layers_kernels_come_in_color(inside):
    model, _ = inside.at_work.classifier.load(OBJECTS)
    weights = np.asarray(model.get_layer("conv_1").kernel)
    found = inside.kernels(OBJECTS, "conv_1", count=16)
    assert (found.color, found.source, found.bias) == (True, "input", None)
    np.testing.assert_array_equal(found.weights, weights.transpose(3, 0, 1, 2))
    assert found.limit == np.abs(weights).max()
    assert inside.kernels(OBJECTS, "conv_1", count=4).weights.shape == (4, 3, 3, 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda L: L.Conv2D(4, 3, name="layer"),
        lambda L: L.Conv2D(4, (2, 3), 2, "same", name="layer"),
        lambda L: L.Conv2D(4, 3, dilation_rate=2, padding="same", use_bias=False, name="layer"),
        lambda L: L.Conv2D(4, 3, groups=2, name="layer"),
        lambda L: L.DepthwiseConv2D(3, (2, 2), "same", depth_multiplier=2, name="layer"),
        lambda L: L.Dense(4, name="layer"),
    ],
)
def test_the_strongest_inputs_of_a_channel_are_those_with_the_largest_products(keras, inside, shown, make):
    layer = make(keras.layers)
    model = network(keras, keras.layers.Conv2D(6, 1, name="before"), layer, shape=(7, 8, 3))
    folder, photo = shown(model), picture((7, 8, 3))
    given = inside.activations(folder, photo, Look())["before"]
    for channel in (0, 3):
        # the sum of |weight · activation| by Keras itself: weights without sign, one input channel at a time
        expected, kernel = np.zeros(6), np.asarray(layer.kernel)
        twin = type(layer).from_config({**layer.get_config(), "use_bias": False, "name": "twin"})
        twin.build((None, *given.shape))
        twin.kernel.assign(np.abs(kernel))
        for number in range(6):
            alone = np.zeros_like(given)
            alone[..., number] = np.abs(given[..., number])
            expected[number] = np.asarray(twin(alone[None]))[0, ..., channel].sum()
        found = inside.kernels(folder, "layer", channel, photo, Look(), 3)
        strongest = np.argsort(-expected, kind="stable")[: len(found.inputs)]
        assert found.inputs.tolist() == strongest.tolist()
        np.testing.assert_allclose(found.strength, expected[strongest], rtol=1e-4)
        np.testing.assert_allclose(found.rest, expected.sum() - expected[strongest].sum(), rtol=1e-3, atol=1e-3)
        assert found.source == "before"
        assert found.bias is None or found.bias.shape == (1,)
        alone = inside.kernels(folder, "layer", channel, count=99)
        assert (np.diff(alone.strength) <= 0).all()
        np.testing.assert_allclose(alone.strength, np.abs(alone.weights).sum(axis=(1, 2)), rtol=1e-5)


def test_the_planes_of_a_channel_are_its_weights(keras, inside, shown):
    grouped = keras.layers.Conv2D(4, (2, 3), groups=2, name="grouped")
    model = network(keras, keras.layers.Conv2D(6, 1), grouped)
    found = inside.kernels(shown(model), "grouped", 3, count=99)
    assert sorted(found.inputs) == [3, 4, 5]  # the second group's
    for plane, number in zip(found.weights, found.inputs, strict=True):
        np.testing.assert_array_equal(plane, np.asarray(grouped.kernel)[:, :, number - 3, 3])


# -------------------------------------------------------------------------------------------------------- side by side


def test_in_any_two_presets_no_layer_stands_in_two_pairs_and_no_two_pairs_cross(keras):  # noqa: ARG001
    from cnnviz.networks import architectures, forward  # noqa: PLC0415 (they import keras)

    built = {
        name: forward.nodes(architectures.build(preset.layers, preset.preprocessing.shape))
        for name, preset in PRESETS.items()
    }
    for one, other in product(built, repeat=2):
        found = inside_pairs.pairs(built[one], built[other])
        for nodes, names in zip((built[one], built[other]), zip(*found, strict=True), strict=True):
            places = [[node.name for node in nodes].index(name) for name in names]
            assert places == sorted(set(places)), (one, other, found)


# ----------------------------------------------------------------------------------------------------- receptive fields


def seen(model, name, index, keras):
    """The bounding box of the pixels whose change changes a cell, by changing each; None if none does."""
    cell = keras.Model(model.inputs[0], model.get_layer(name).output)
    height, width, channels = model.input_shape[1:]
    batch = np.ones((height * width + 1, height, width, channels), np.float32)
    for at in range(height * width):
        batch[at + 1, at // width, at % width] = 50
    cells = np.asarray(cell(batch))[(slice(None), *index)]
    changed = (cells[1:] != cells[0]).reshape(height, width)
    if not changed.any():
        return None
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def branching(keras, random):
    """A positive network without dead parts: any pixel that a cell can see changes it."""
    layers = keras.layers

    def one(*choices):
        return choices[random.integers(len(choices))]

    def window():
        return one(1, 2, 3, (3, 1), (2, 3))

    def step(x):
        pad, (kernel, pool) = one("same", "valid"), (window(), window())
        if x.shape[1] < 5 or x.shape[2] < 5:
            pad = "same"
        made = one(
            layers.Conv2D(2, kernel, padding=pad),
            layers.Conv2D(2, kernel, one(2, (1, 2)), pad),
            layers.Conv2D(2, 2, dilation_rate=one(2, (1, 2)), padding="same"),
            layers.DepthwiseConv2D(kernel, padding=pad),
            layers.SeparableConv2D(2, kernel, padding=pad),
            layers.MaxPooling2D(pool, one(None, 1, 3), "same"),
            layers.AveragePooling2D(pool, one(None, 1), pad),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.ZeroPadding2D(((1, 0), (2, 1))),
            layers.UpSampling2D((1, 2)),
            layers.Conv2DTranspose(2, one(2, 3), one(1, 2), padding=pad),
        )
        if random.random() < 0.25 and made.name.startswith(("conv", "depthwise")):
            y = layers.Conv2D(x.shape[-1], 3, padding="same")(x)
            return layers.Add()([x, layers.Conv2D(x.shape[-1], (1, 3), padding="same")(y)])
        return made(x)

    x = inputs = keras.Input((int(random.integers(7, 13)), int(random.integers(7, 13)), 1))
    for _ in range(4):
        x = step(x)
    flat = layers.Flatten(name="flat")(layers.ReLU(name="last")(x))
    model = keras.Model(inputs, layers.Dense(2, name="end")(flat))
    for variable in model.weights:
        variable.assign(random.uniform(0.5, 1, variable.shape))
    return model


@pytest.mark.parametrize("seed", range(25))
def test_a_cell_sees_the_pixels_that_change_it(keras, inside, shown, seed):
    random = np.random.default_rng(seed)
    model = branching(keras, random)
    folder = shown(model)
    for layer in model.layers[1:]:
        shape = layer.output.shape[1:]
        fields = inside.fields(folder, layer.name)
        for _ in range(2):
            index = tuple(int(random.integers(side)) for side in shape)
            found = fields.box(*index) if len(index) == 3 else fields.box(0, 0, index[0])
            expected = seen(model, layer.name, index, keras)
            if expected is None:
                assert (found[0] == found[1]) or (found[2] == found[3])
            else:
                assert found == expected, (layer.name, index)


def test_the_field_of_a_residual_network_is_the_union_of_its_branches(inside):
    # conv_1, and two convolutions of 3 × 3 in the block: 1 + 3 · 2 = 7 pixels, cut at the border
    fields = inside.fields(OBJECTS, "block_1_relu_2")
    all_fields = inside.all_fields(OBJECTS)
    assert list(all_fields) == [node.name for node in inside.graph(OBJECTS)]
    np.testing.assert_array_equal(all_fields["block_1_relu_2"].rows, fields.rows)
    assert fields.box(10, 0) == (7, 14, 0, 4)
    assert fields.box(31, 31) == (28, 32, 28, 32)
    # three more of 16 × 16: pooled rows 5 and its neighbors at 2 pixels each
    assert inside.fields(OBJECTS, "pool_1").box(5, 5) == (7, 15, 7, 15)
    assert inside.fields(OBJECTS, "softmax_1").box(0, 0, 9) == (0, 32, 0, 32)


def test_squeezed_channels_let_every_cell_see_the_whole_picture(keras, inside, shown):
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(2, 1, name="near")(inputs)
    gate = layers.Reshape((1, 1, 2))(layers.Dense(2, "sigmoid")(layers.GlobalAveragePooling2D()(x)))
    model = keras.Model(inputs, layers.Multiply(name="far")([x, gate]))
    folder = shown(model)
    assert inside.fields(folder, "near").box(2, 3) == (2, 3, 3, 4)
    assert inside.fields(folder, "far").box(2, 3) == (0, 8, 0, 8)


@pytest.mark.parametrize("axis", [-1, 3, [3], 1, [1, 3], [2, 3], [1, 2, 3], None])
def test_a_normalization_lets_a_cell_see_what_its_mean_is_of(keras, inside, shown, axis):
    layers = keras.layers
    norm = layers.GroupNormalization(2, name="norm") if axis is None else layers.LayerNormalization(axis, name="norm")
    flat = (layers.Flatten(name="flat"), layers.LayerNormalization(name="flat_norm"))
    conv, last = layers.Conv2D(4, (2, 3), padding="same"), layers.Conv2D(2, 2, name="last")
    model = network(keras, conv, norm, last, *flat, shape=(7, 8, 1))
    folder = shown(model)
    for name, index in (("norm", (2, 4, 1)), ("last", (3, 3, 0)), ("flat", (50,)), ("flat_norm", (50,))):
        found = inside.fields(folder, name)
        box = found.box(*index) if len(index) == 3 else found.box(0, 0, index[0])
        assert box == seen(model, name, index, keras), name


@pytest.mark.parametrize("look", [Look(), Look(off={"conv": (2,)}, linear=("relu",))])
def test_the_effective_field_is_the_slope_of_the_cell(keras, inside, shown, look):
    layers = keras.layers
    model = network(
        keras,
        layers.Conv2D(4, 3, padding="same", name="conv"),
        layers.ReLU(name="relu"),
        layers.Conv2D(2, 3, 2, activation="tanh", name="last"),
        shape=(7, 6, 3),
        seed=4,
    )
    for layer in model.layers:  # tanh near its middle, where it has a slope
        layer.set_weights([w * 0.2 for w in layer.get_weights()])
    folder, photo = shown(model), picture((7, 6, 3), 8)
    found = inside.effective(folder, photo, look, "last", 1, 1, 1)
    x = (photo / 255).astype(np.float32)
    expected = np.zeros((7, 6))
    for y, at, c in product(range(7), range(6), range(3)):
        cells = []
        for step in (0.004, -0.004):
            moved = x.copy()
            moved[y, at, c] += step
            cells.append(inside.forward.outputs(model, moved[None], dict(look.off), look.linear)["last"][1, 1, 1])
        expected[y, at] += abs(float(cells[0]) - float(cells[1])) / 0.008
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=2e-3)
    y0, y1, x0, x1 = inside.fields(folder, "last").box(1, 1)
    outside = np.ones((7, 6), bool)
    outside[y0:y1, x0:x1] = False
    assert (found[outside] == 0).all()
    assert found.dtype == np.float32


def test_the_effective_field_lies_in_the_theoretical_one_through_a_shortcut(inside):
    found = inside.effective(OBJECTS, picture((32, 32, 3)), Look(), "block_1_add", 12, 3, 5)
    y0, y1, x0, x1 = inside.fields(OBJECTS, "block_1_add").box(12, 3)
    assert (found[y0:y1, x0:x1] > 0).mean() > 0.9
    found[y0:y1, x0:x1] = 0
    assert not found.any()


@pytest.mark.parametrize("weight", [-1, np.nan])
def test_a_cell_that_nothing_reaches_has_an_effective_field_of_zeros(keras, inside, shown, weight):
    model = network(keras, keras.layers.Conv2D(1, 1, name="conv"), keras.layers.ReLU(name="relu"))
    model.layers[0].set_weights([np.full((1, 1, 3, 1), weight, np.float32), np.zeros(1, np.float32)])
    found = inside.effective(shown(model), picture((6, 6, 3)), Look(), "relu", 2, 2, 0)
    assert (found == 0).all()


# ----------------------------------------------------------------------------------------------------------- bad input


def test_weights_that_are_not_numbers_are_shown_as_what_they_are(keras, inside, shown):
    layers = keras.layers
    model = network(keras, layers.Conv2D(2, 1, name="conv"), layers.Flatten(), layers.Dense(2, "softmax"))
    kernel, bias = model.layers[0].get_weights()
    kernel[..., 0] = np.nan
    model.layers[0].set_weights([kernel, bias])
    folder, photo = shown(model), picture((6, 6, 3))
    screen = inside.screen(folder, photo, Look())
    conv = screen.maps("conv")
    assert np.isnan([conv.mean[0], conv.max[0]]).all()
    assert np.isfinite([conv.mean[1], *conv.low, *conv.high]).all()
    levels = screen.levels[conv.offset :][:72].reshape(2, 36)
    assert (levels[0] == 255).all()
    assert (levels[1] != 255).all()
    assert np.isnan(screen.answer.probabilities).all()
    assert inside.kernels(folder, "conv", 1, photo).limit > 0
    assert inside.kernels(folder, "conv", 0, photo).strength.shape == (3,)
    for rule in ("map", "layer"):
        assert np.isfinite(inside.maps(folder, photo, Look(rule), "conv").high).all()
    for order in ("index", "mean", "max", "zeros"):
        assert inside.mosaic(folder, photo, Look(), "conv", order).order[-1] == (1 if order == "index" else 0) or (
            order == "zeros"
        )


@pytest.mark.parametrize("level", [0, 255])
def test_a_constant_picture_is_a_picture(inside, level):
    screen = inside.screen(OBJECTS, np.full((32, 32, 3), level, np.uint8), Look())
    assert all((one.low < one.high).all() for one in screen.layers)
    assert not screen.layers[0].dead.any()
    np.testing.assert_allclose(screen.answer.probabilities.sum(), 1, rtol=1e-5)


def test_2048_channels_and_maps_of_one_cell_have_a_mosaic(keras, inside, shown):
    layers = keras.layers
    ones = layers.GlobalAveragePooling2D(keepdims=True, name="one")
    model = network(keras, layers.Conv2D(2048, 3, name="wide"), ones, layers.Flatten(), layers.Dense(2))
    folder, photo = shown(model), picture((6, 6, 3))
    wide = inside.mosaic(folder, photo, Look(), "wide", "mean", cell=2)
    assert (wide.tile_height, wide.tile_width, len(wide.order)) == (2, 2, 2048)
    one = inside.mosaic(folder, photo, Look(), "one", "max")
    assert one.levels.shape == (45, 46)
    assert inside.screen(folder, photo, Look()).levels is None


def test_a_layer_of_a_kind_not_known_here_is_still_shown(keras, inside, shown):
    strange = keras.layers.EinsumDense("bhwc,co->bhwo", (6, 6, 3), name="strange")
    model = network(keras, strange, keras.layers.Flatten(), keras.layers.Dense(2))
    folder = shown(model)
    one = inside.screen(folder, picture((6, 6, 3)), Look()).maps("strange")
    assert (one.node.kind, one.node.how, one.node.parameters) == ("EinsumDense", "", 9)
    assert inside.fields(folder, "strange").box(3, 3) == (0, 6, 0, 6)
    with pytest.raises(NetworkError, match="has no kernels"):
        inside.kernels(folder, "strange", 0)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda i, p: i.screen("nowhere", p, Look()), "no longer there"),
        (lambda i, p: i.screen(OBJECTS, p[:9], Look()), "32 × 32 × 3 whole levels, and got an array of 9 × 32 × 3"),
        (lambda i, p: i.screen(OBJECTS, p / 255, Look()), "float64 numbers"),
        (lambda i, p: i.screen(OBJECTS, p, Look("wide")), "no range 'wide'"),
        (lambda i, p: i.screen(OBJECTS, p, Look(chosen=10)), "classes 0 to 9, and class 10"),
        (lambda i, p: i.screen(OBJECTS, p, Look(off={"nobody": [1]})), "no layer 'nobody'"),
        (lambda i, p: i.screen(OBJECTS, p, Look(off={"conv_1": [16]})), "channels 0 to 15, and channel 16"),
        (lambda i, p: i.screen(OBJECTS, p, Look(linear=("pool_1",))), "no non-linearity"),
        (lambda i, p: i.mosaic(OBJECTS, p, Look(), "nobody"), "no layer 'nobody'"),
        (lambda i, p: i.mosaic(OBJECTS, p, Look(), "conv_1", "size"), "sorted by 'size'"),
        (lambda i, p: i.mosaic(OBJECTS, p, Look(), "conv_1", "weight"), "no weight of their own"),
        (lambda i, p: i.tiles(OBJECTS, p, Look(), {"conv_1": 99}), "channels 0 to 15, and channel 99"),
        (lambda i, p: i.maps(OBJECTS, p, Look(), "nobody"), "no layer 'nobody'"),
        (lambda i, p: i.array(OBJECTS, p, Look(), "nobody"), "no layer 'nobody'"),
        (lambda i, p: i.channel(OBJECTS, p, Look(), "conv_1", -1), "channel -1 was asked for"),
        (lambda i, _: i.kernels(OBJECTS, "pool_1", 0), "has no kernels"),
        (lambda i, _: i.kernels(OBJECTS, "block_1_conv_1"), "see 16 channels each"),
        (lambda i, _: i.kernels(OBJECTS, "conv_1", 16), "channel 16 was asked for"),
        (lambda i, _: i.fields(OBJECTS, "nobody"), "no layer 'nobody'"),
        (lambda i, p: i.effective(OBJECTS, p, Look(), "conv_1", 32, 0, 0), r"32 × 32, and the cell \(32, 0\)"),
    ],
)
def test_what_cannot_be_asked_gets_a_sentence(inside, act, words):
    with pytest.raises(NetworkError, match=words) as caught:
        act(inside, picture((32, 32, 3)))
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


# -------------------------------------------------------------------------------------------------------- what is kept


def test_the_same_picture_is_computed_once(inside):
    photo = picture((32, 32, 3), 77)
    first = inside.activations(OBJECTS, photo, Look())
    assert inside.activations(OBJECTS, photo.copy(), Look("map", chosen=3))["conv_1"] is first["conv_1"]
    assert inside.activations(OBJECTS, photo, Look(off={"conv_1": [1]}))["conv_1"] is not first["conv_1"]
    photo[0, 0, 0] ^= 1
    assert inside.activations(OBJECTS, photo, Look())["conv_1"] is not first["conv_1"]


def test_what_is_kept_is_bounded(inside, monkeypatch):
    for seed in range(inside.at_work.MAX_KEPT + 5):
        inside.activations(OBJECTS, picture((32, 32, 3), seed), Look())
    assert len(inside.at_work._kept) == inside.at_work.MAX_KEPT
    monkeypatch.setattr(inside.at_work, "MAX_BYTES", 3_000_000)  # three pictures' of 976,000 bytes
    inside.activations(OBJECTS, picture((32, 32, 3), 999), Look())
    assert len(inside.at_work._kept) == 3
    assert inside.at_work._bytes() <= 3_000_000


def test_after_an_hour_without_use_a_picture_is_forgotten(inside, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(inside.at_work, "_clock", lambda: now[0])
    inside.at_work._kept.clear()
    inside.at_work._used.clear()
    for at, seed in ((0, 1), (10, 2), (20, 1)):
        now[0] = at
        inside.activations(OBJECTS, picture((32, 32, 3), seed), Look())
    for at, left in ((3609, 2), (3611, 1), (3621, 0)):
        now[0] = at
        inside.at_work.forget()
        assert len(inside.at_work._kept) == len(inside.at_work._used) == left
    assert any(one.name == "forget" for one in threading.enumerate())


def test_a_network_that_is_forgotten_leaves_nothing_but_numbers(keras, inside, shown):
    model = network(keras, keras.layers.Conv2D(2, 3, name="conv"), keras.layers.Flatten(), keras.layers.Dense(2))
    folder, photo = shown(model), picture((6, 6, 3))
    inside.screen(folder, photo, Look())
    inside.screen(folder, photo, Look(off={"conv": [1]}))
    inside.effective(folder, photo, Look(), "conv", 0, 0, 0)
    inside.fields(folder, "conv")
    layer = weakref.ref(model.layers[0])
    shown.__closure__[0].cell_contents.clear()
    del model
    gc.collect()  # the model goes,
    gc.collect()  # and then what was kept beside it
    assert layer() is None
