"""Builds the Keras model of a network's list of layers, each layer under a name that pages can show and trace."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from zlib import crc32

import keras

from cnnviz.layer_kinds import BatchNormalization, Conv2D, Dense, Dropout, Layer, ReLU, ResidualBlock, Sigmoid
from cnnviz.layers import block_parts, names, summary


def build(layers: Sequence[Layer], input_shape: tuple[int, int, int], name: str = "", seed: int = 0) -> keras.Model:
    """The functional keras.Model of these layers, for input (batch, height, width, channels), not compiled.

    Its layers are plain keras.layers, named "input", then as in layers.summary: "conv_1", "block_2", whose parts are
    "block_2_conv_1" ... "block_2_relu_2". Start weights depend on seed, name and shape alone: He et al. 2015 before a
    ReLU, Glorot and Bengio 2010 elsewhere. The last layer computes in float32 under any precision. LayerError, one
    sentence, for layers that do not fit one after the other.
    """
    summary(layers, input_shape)
    made = keras.Input(input_shape, name="input")
    x = made
    for number, (layer_name, layer) in enumerate(zip(names(layers), layers, strict=True)):
        if isinstance(layer, ResidualBlock):
            x = _block(x, layer, layer_name, seed)
        else:
            last = {"dtype": "float32"} if number == len(layers) - 1 else {}
            x = _layer(layer, layer_name, seed, _feeds_relu(layers, number), **last)(x)
    return keras.Model(made, x, name=name or None)


def _layer(layer: Layer, name: str, seed: int, he: bool, **more: Any) -> keras.layers.Layer:
    settings = {**asdict(layer), "name": name, **more}
    match layer:
        case Sigmoid():
            return keras.layers.Activation("sigmoid", **settings)
        case Conv2D() | Dense():
            start = keras.initializers.HeNormal if he else keras.initializers.GlorotUniform
            settings["kernel_initializer"] = start(seed=_seed(seed, name))
        case Dropout():
            settings["seed"] = _seed(seed, name)
    return getattr(keras.layers, type(layer).__name__)(**settings)


def _block(x: Any, block: ResidualBlock, name: str, seed: int) -> Any:
    """The block's layers on a symbolic tensor (batch, height, width, channels)."""
    paths = block_parts(block, x.shape[-1])

    def follow(path: str, y: Any) -> Any:
        for part, layer in paths[path]:
            y = _layer(layer, f"{name}_{part}", seed, he=getattr(layer, "activation", None) != "sigmoid")(y)
        return y

    y = follow("main", x)
    if paths["squeeze"]:
        weights = keras.layers.Reshape((1, 1, block.filters), name=f"{name}_reshape")(follow("squeeze", y))
        y = keras.layers.Multiply(name=f"{name}_multiply")([y, weights])
    y = keras.layers.Add(name=f"{name}_add")([y, follow("shortcut", x)])
    return keras.layers.ReLU(name=f"{name}_relu_2")(y)


def _feeds_relu(layers: Sequence[Layer], number: int) -> bool:
    """Whether a ReLU takes what this layer gives, at once or after batch norm."""
    if getattr(layers[number], "activation", None):
        return getattr(layers[number], "activation", None) == "relu"
    after = next((layer for layer in layers[number + 1 :] if not isinstance(layer, BatchNormalization)), None)
    return isinstance(after, ReLU)


def _seed(seed: int, name: str) -> int:
    return crc32(f"{seed} {name}".encode())
