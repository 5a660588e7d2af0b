"""Compares the arithmetic of lists of layers with the Keras models built from them, and looks into these models."""

import os
import subprocess
import sys
from dataclasses import asdict
from math import prod

import numpy as np
import pytest

from cnnviz.layer_kinds import (
    KINDS,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    LayerError,
    MaxPooling2D,
    ReLU,
    ResidualBlock,
    Sigmoid,
    Softmax,
)
from cnnviz.layers import summary
from cnnviz.presets import PRESETS

pytestmark = pytest.mark.keras

PLAIN = {
    *("InputLayer", "Conv2D", "BatchNormalization", "ReLU", "MaxPooling2D", "AveragePooling2D", "Dropout", "Flatten"),
    *("GlobalAveragePooling2D", "Dense", "Softmax", "Activation", "Add", "Multiply", "Reshape"),
}
BLOCK = (ResidualBlock(6, 2, 3),)


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import keras

    return keras


@pytest.fixture(scope="module")
def build(keras):  # noqa: ARG001 (keras is imported quietly first)
    from cnnviz.networks import architectures  # noqa: PLC0415 (it imports keras)

    return architectures.build


def assert_equal_numbers(model, rows):
    """Each row against the Keras layers of its name: shape of the last one, parameters and trainable parameters."""
    assert len({layer.name for layer in model.layers}) == len(model.layers)
    assert {type(layer).__name__ for layer in model.layers} <= PLAIN
    named = 1
    for row in rows:
        block = row.kind == "ResidualBlock"
        own = [layer for layer in model.layers if layer.name == row.name or layer.name.startswith(f"{row.name}_")]
        named += len(own)
        last = model.get_layer(f"{row.name}_relu_2" if block else row.name)
        assert last.output.shape[1:] == row.output_shape, row
        assert sum(layer.count_params() for layer in own) == row.parameters, row
        assert sum(prod(v.shape) for layer in own for v in layer.trainable_variables) == row.trainable, row
    assert named == len(model.layers)
    assert model.count_params() == sum(row.parameters for row in rows)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_the_shapes_and_parameters_that_keras_counts(build, name):
    preset = PRESETS[name]
    rows = summary(preset.layers, preset.preprocessing.shape)
    assert_equal_numbers(build(preset.layers, preset.preprocessing.shape), rows)


def draw(random):
    """A network of up to 9 layers of all kinds and an input for it: layers that do not fit are drawn again."""

    def one(*choices):
        return choices[random.integers(len(choices))]

    def pair(highest):
        return one(int(random.integers(1, highest + 1)), tuple(int(n) for n in random.integers(1, highest + 1, 2)))

    def layer():
        strided = random.random() < 0.5
        padding = one("valid", "same")
        settings = (pair(4), pair(3) if strided else 1, padding, one(None, "relu", "sigmoid", "tanh"))
        dilation, groups = 1 if strided else pair(3), one(1, 1, 2, 3)
        return one(
            Conv2D(int(random.integers(1, 7)) * groups, *settings, bool(random.integers(2)), dilation, groups),
            *(BatchNormalization(), ReLU(), Dropout(0.3), Flatten(), GlobalAveragePooling2D(), Softmax(), Sigmoid()),
            MaxPooling2D(pair(3), one(None, pair(3)), padding),
            AveragePooling2D(pair(3), one(None, pair(3)), padding),
            Dense(int(random.integers(1, 9)), one(None, "relu", "softmax")),
            ResidualBlock(int(random.integers(1, 9)), pair(2), one(0, 1, 4, 16)),
        )

    shape = (*(int(n) for n in random.integers(3, 20, 2)), one(1, 2, 3, 6))
    layers = ()
    for _ in range(40):
        candidate = (*layers, layer())
        try:
            summary(candidate, shape)
        except LayerError:
            continue
        layers = candidate
        if len(layers) == 9:
            break
    return layers, shape


@pytest.mark.parametrize("seed", range(60))
def test_a_random_network_has_the_shapes_and_parameters_that_keras_counts(build, seed):
    layers, shape = draw(np.random.default_rng(seed))
    assert_equal_numbers(build(layers, shape), summary(layers, shape))


def test_the_random_networks_hold_every_kind():
    drawn = [type(layer).__name__ for seed in range(60) for layer in draw(np.random.default_rng(seed))[0]]
    assert min(drawn.count(kind) for kind in KINDS) >= 5


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ((Conv2D(4), MaxPooling2D(), Conv2D(4), MaxPooling2D()), (8, 8, 1)),
        ((Conv2D(4, (5, 1)),), (4, 9, 3)),
        ((Conv2D(2, 3, 2, dilation_rate=2),), (8, 8, 3)),
        ((Conv2D(4, groups=2),), (8, 8, 3)),
        ((Conv2D(4, groups=3),), (8, 8, 3)),
        ((Flatten(), Conv2D(2)), (8, 8, 3)),
        ((Flatten(), MaxPooling2D()), (8, 8, 3)),
        ((Flatten(), GlobalAveragePooling2D()), (8, 8, 3)),
    ],
)
def test_what_summary_refuses_keras_refuses_and_build_says_it_in_our_words(keras, build, layers, shape):
    with pytest.raises(LayerError, match=f"Layer {len(layers)}, "):
        build(layers, shape)
    x = keras.Input(shape)
    for layer in layers[:-1]:
        x = getattr(keras.layers, type(layer).__name__)(**asdict(layer))(x)
    with pytest.raises((ValueError, IndexError)):
        getattr(keras.layers, type(layers[-1]).__name__)(**asdict(layers[-1]))(x)


def test_a_network_s_layers_have_names_that_last(build):
    layers = (Conv2D(6), BatchNormalization(), ReLU(), *BLOCK, ResidualBlock(6), GlobalAveragePooling2D(), Dense(2))
    model = build(layers, (9, 9, 3), "faces")
    assert model.name == "faces"
    assert {layer.name for layer in model.layers} == {
        *("input", "conv_1", "bn_1", "relu_1", "global_average_1", "dense_1"),
        *("block_1_conv_1", "block_1_bn_1", "block_1_relu_1", "block_1_conv_2", "block_1_bn_2"),
        *("block_1_global_average", "block_1_dense_1", "block_1_dense_2", "block_1_reshape", "block_1_multiply"),
        *("block_1_shortcut_conv", "block_1_shortcut_bn", "block_1_add", "block_1_relu_2"),
        *("block_2_conv_1", "block_2_bn_1", "block_2_relu_1", "block_2_conv_2", "block_2_bn_2"),
        *("block_2_add", "block_2_relu_2"),
    }


def test_a_block_adds_its_squeezed_branch_to_its_input(build):
    model = build((ResidualBlock(3, 1, 1),), (4, 5, 3))
    values = {"gamma": np.zeros(3), "beta": np.array([1, -2, 4])}
    for variable, value in values.items():
        getattr(model.get_layer("block_1_bn_2"), variable).assign(value)
    dense = model.get_layer("block_1_dense_2")
    dense.set_weights([np.zeros((3, 3)), np.log([1, 1, 3])])  # sigmoid of the bias: ½, ½, ¾
    x = np.random.default_rng(0).normal(0, 2, (2, 4, 5, 3)).astype(np.float32)
    expected = np.maximum(x + np.array([0.5, -1, 3]), 0)
    np.testing.assert_allclose(np.asarray(model(x, training=False)), expected, atol=1e-6)


def test_a_block_of_another_shape_adds_its_projected_input(build):
    model = build((ResidualBlock(2, 2),), (4, 5, 3))
    model.get_layer("block_1_bn_2").gamma.assign(np.zeros(2))
    conv, norm = model.get_layer("block_1_shortcut_conv"), model.get_layer("block_1_shortcut_bn")
    norm.beta.assign([0.5, -0.5])
    x = np.random.default_rng(0).normal(0, 2, (2, 4, 5, 3)).astype(np.float32)
    projected = x[:, ::2, ::2] @ np.asarray(conv.kernel)[0, 0] / np.sqrt(1.001) + [0.5, -0.5]
    np.testing.assert_allclose(np.asarray(model(x, training=False)), np.maximum(projected, 0), atol=1e-5)


LAYERS = (Conv2D(64, use_bias=False), BatchNormalization(), ReLU(), Conv2D(64), *BLOCK, Flatten(), Dense(9))


def test_start_weights_come_from_the_seed(build):
    first, again, other = (build(LAYERS, (9, 9, 3), seed=seed).get_weights() for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    random = [a.size for a, b in zip(first, other, strict=True) if not np.array_equal(a, b)]
    assert len(random) == 8  # the kernels of two convolutions, of a block's three and of three dense layers


def test_start_weights_are_he_s_before_a_relu_and_glorot_s_elsewhere(build):
    layers = (Conv2D(64, use_bias=False), BatchNormalization(), ReLU(), Conv2D(64), ResidualBlock(64, 1, 1))
    model = build((*layers, Flatten(), Dense(9, "relu"), Dense(9)), (9, 9, 3), seed=1)
    he = {"conv_1": 27, "block_1_conv_2": 576, "block_1_dense_1": 64, "dense_1": 1600}
    glorot = {"conv_2": 576 + 576, "block_1_dense_2": 64 + 64, "dense_2": 9 + 9}
    deviations = {name: (2 / n) ** 0.5 for name, n in (he | glorot).items()}
    found = {name: float(np.asarray(model.get_layer(name).kernel).std()) for name in deviations}
    assert found == pytest.approx(deviations, rel=0.15)


def test_a_network_is_the_same_after_saving(keras, build, tmp_path):
    model = build((Conv2D(4, 3, 1, "same", "relu"), *BLOCK, GlobalAveragePooling2D(), Dense(2), Softmax()), (9, 9, 3))
    model.save(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(2, 9, 9, 3)).astype(np.float32)
    found = np.asarray(keras.models.load_model(tmp_path / "model.keras")(x, training=False))
    np.testing.assert_array_equal(found, np.asarray(model(x, training=False)))


@pytest.mark.parametrize("end", [(Dense(2), Softmax()), (Dense(2, "softmax"),), (Dense(1), Sigmoid())])
def test_answers_are_float32_under_mixed_precision(keras, build, end):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = build((Conv2D(2), GlobalAveragePooling2D(), *end), (8, 8, 1))
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert (model.get_layer("conv_1").compute_dtype, model.layers[-1].compute_dtype) == ("bfloat16", "float32")


def test_it_builds_on_jax_where_there_is_jax():
    pytest.importorskip("jax")
    code = """
import numpy, keras
from cnnviz.presets import PRESETS
from cnnviz.networks.architectures import build
print(keras.backend.backend(), build(PRESETS["emotions"].layers, (48, 48, 1))(numpy.zeros((2, 48, 48, 1))).shape)
"""
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "jax (2, 7)\n"
