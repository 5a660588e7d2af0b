"""A Keras layer in words and numbers: what it is, its parameters and how they come about, its multiply-adds."""

from math import prod
from typing import Any

import keras

Shape = tuple[int, ...]  # without the batch

_WORDS = {"relu": "ReLU", "sigmoid": "Sigmoid", "softmax": "Softmax", "tanh": "Tanh"}  # by Keras's name
# layers and operations that are nothing but a non-linearity, by class
_ALONE = {
    **{"ReLU": "relu", "LeakyReLU": "leaky_relu", "PReLU": "prelu", "ELU": "elu", "Softmax": "softmax"},
    **{"Relu": "relu", "Relu6": "relu6", "LeakyRelu": "leaky_relu", "Elu": "elu", "Selu": "selu", "Silu": "silu"},
    **{"Gelu": "gelu", "Sigmoid": "sigmoid", "HardSigmoid": "hard_sigmoid", "HardSilu": "hard_silu", "Tanh": "tanh"},
    **{"Softplus": "softplus", "Softsign": "softsign", "LogSoftmax": "log_softmax", "LogSigmoid": "log_sigmoid"},
}
_NORMALIZATIONS = ("BatchNormalization", "LayerNormalization", "GroupNormalization")
_RECURRENT = ("RNN", "LSTM", "GRU", "Bidirectional")


def kind(operation: Any) -> str:
    """The class of a layer or operation; of an Activation what it does, "ReLU", "Sigmoid", "Softmax", "Tanh"."""
    name = type(operation).__name__
    if name == "Activation" or not isinstance(operation, keras.layers.Layer):
        return _WORDS.get(activation(operation), name)
    return name


def activation(operation: Any) -> str:
    """Keras's name of the non-linearity that it applies, in it or as itself; "" for none."""
    name = type(operation).__name__
    if name not in _ALONE and not fused(operation):
        return ""
    if name not in _ALONE:
        function = operation.activation
        name = getattr(function, "__name__", type(function).__name__)
    return _ALONE.get(name, name)


def fused(operation: Any) -> bool:
    """Whether its non-linearity stands in an attribute `activation` that can be left out: also of Activation itself."""
    function, name = getattr(operation, "activation", None), type(operation).__name__
    known = type(operation).__module__.startswith("keras.") and not any(word in name for word in _RECURRENT)
    return known and callable(function) and getattr(function, "__name__", "") != "linear"


def label(operation: Any) -> str:
    """In words, as layers.label has them: "Conv2D 3×3, 16 filters, same, ReLU"."""
    name, what, done = type(operation).__name__, kind(operation), activation(operation)
    pool, strides = getattr(operation, "pool_size", None), getattr(operation, "strides", None)
    dilation, groups = getattr(operation, "dilation_rate", 1), getattr(operation, "groups", 1)
    words = [f"{what}{_size(operation, name)}", *_settings(operation, name)]
    if "Conv2D" in name and dilation not in (1, (1, 1)):
        words.append(f"dilation {_times(dilation)}")
    if name == "Conv2D" and groups > 1:
        words.append(f"{groups} groups")
    if isinstance(strides, tuple) and set(strides) != {1} and strides != pool:
        words.append(f"stride {strides[0]}" if len(set(strides)) == 1 else f"strides {_times(strides)}")
    if getattr(operation, "padding", "valid") == "same":
        words.append("same")
    if done and name not in _ALONE and what != _WORDS.get(done):
        words.append("ReLU" if done == "relu" else done)
    return ", ".join(words)


def _size(operation: Any, name: str) -> str:
    """What stands behind the kind at once: " 3×3", " 128", " 0.4"."""
    if "Conv2D" in name:
        filters = getattr(operation, "filters", 0)
        return f" {_times(operation.kernel_size)}" + f", {filters} filter{'s' * (filters > 1)}" * bool(filters)
    if name in ("MaxPooling2D", "AveragePooling2D"):
        return f" {_times(operation.pool_size)}"
    if name == "Dense":
        return f" {operation.units}"
    return f" {operation.rate:g}" if "Dropout" in name else ""


def _settings(operation: Any, name: str) -> list[str]:
    """What else changes the arithmetic of a kind."""
    if name == "ReLU":
        most, slope, threshold = operation.max_value, operation.negative_slope, operation.threshold
        found = {"at most": most, "slope": slope or None, "from": threshold or None}
        return [f"{word} {value:g}" for word, value in found.items() if value is not None]
    if name == "LeakyReLU":
        return [f"slope {operation.negative_slope:g}"]
    if name == "DepthwiseConv2D" and operation.depth_multiplier > 1:
        return [f"{operation.depth_multiplier} a channel"]
    return []


def parameters(operation: Any) -> int:
    """All weights of a layer, as Keras counts them."""
    return int(operation.count_params()) if isinstance(operation, keras.layers.Layer) else 0


def how(operation: Any, inputs: Shape) -> str:
    """The arithmetic of `parameters`, "3·3·32·64 + 64"; "" for a kind not known here."""
    name, text = type(operation).__name__, ""
    if name == "Conv2D":
        text = _product(*operation.kernel_size, inputs[-1] // operation.groups, operation.filters)
    elif name == "Conv2DTranspose":
        text = _product(*operation.kernel_size, inputs[-1], operation.filters)
    elif name in ("DepthwiseConv2D", "SeparableConv2D"):
        text = _product(*operation.kernel_size, inputs[-1], operation.depth_multiplier)
        if name == "SeparableConv2D":
            text += f" + {_product(inputs[-1] * operation.depth_multiplier, operation.filters)}"
    elif name == "Dense":
        text = _product(inputs[-1], operation.units)
    elif name == "BatchNormalization":
        return _product(2 + operation.scale + operation.center, inputs[operation.axis - (operation.axis > 0)])
    elif name in _NORMALIZATIONS:
        own = [one.shape for one in (operation.gamma, operation.beta) if one is not None]
        return _product(len(own), *own[0]) if own else ""
    elif name == "PReLU":
        return _product(*operation.alpha.shape)
    return f"{text} + {operation.bias.shape[0]:,}" if text and operation.use_bias else text


def multiply_adds(operation: Any, inputs: Shape, output: Shape) -> int:
    """Products of one picture in use, as layers.Row counts them; 0 for a kind not known here."""
    name, products = type(operation).__name__, 0
    if name == "Conv2D":
        products = prod(output) * prod(operation.kernel_size) * (inputs[-1] // operation.groups)
    elif name == "Conv2DTranspose":
        products = prod(inputs) * prod(operation.kernel_size) * operation.filters
    elif name == "DepthwiseConv2D":
        products = prod(output) * prod(operation.kernel_size)
    elif name == "SeparableConv2D":
        middle = inputs[-1] * operation.depth_multiplier
        products = prod(output[:-1]) * middle * (prod(operation.kernel_size) + operation.filters)
    elif name == "Dense":
        products = prod(output) * inputs[-1]
    elif name in (*_NORMALIZATIONS, "Multiply", "Rescaling"):
        products = prod(output)
    return products


def _product(*numbers: int) -> str:
    return "·".join(f"{number:,}" for number in numbers)


def _times(sides: Any) -> str:
    return "×".join(str(side) for side in (sides if isinstance(sides, list | tuple) else (sides,)))
