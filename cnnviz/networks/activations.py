"""Activations in exact arithmetic: float64 functions for what Keras computes, and their names in words."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

Function = Callable[[float], float]


class Unsupported(ValueError):
    """This app does not know the arithmetic of a layer. The message is one sentence for the user."""


def _relu(x: float) -> float:
    return x if x > 0 or math.isnan(x) else 0.0


def _exp(x: float) -> float:
    return math.inf if x > 709 else math.exp(x)


def _sigmoid(x: float) -> float:
    return 1 / (1 + _exp(-x))


def _elu(x: float, alpha: float = 1.0) -> float:
    return x if not x <= 0 else alpha * math.expm1(x)


def _leaky(x: float, slope: float) -> float:
    return x if not x < 0 else slope * x


def _softplus(x: float) -> float:
    return x if not x < 30 else math.log1p(_exp(x))


def _clipped(x: float, low: float, high: float) -> float:
    return x if math.isnan(x) else min(max(x, low), high)


def _selu(x: float) -> float:
    return 1.0507009873554805 * _elu(x, 1.6732632423543772)  # Klambauer et al. 2017


# name in keras.activations -> (in words, function); those with settings stand at their defaults, as Keras fuses them
_BY_NAME: dict[str, tuple[str, Function]] = {
    "relu": ("ReLU", _relu),
    "relu6": ("ReLU6", lambda x: _clipped(x, 0.0, 6.0)),
    "leaky_relu": ("leaky ReLU", lambda x: _leaky(x, 0.2)),
    "elu": ("ELU", _elu),
    "celu": ("CELU", _elu),
    "selu": ("SELU", _selu),
    "gelu": ("GELU", lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2),
    "silu": ("SiLU", lambda x: x * _sigmoid(x)),
    "hard_silu": ("hard SiLU", lambda x: x * _clipped(x / 6 + 0.5, 0.0, 1.0)),
    "mish": ("Mish", lambda x: x * math.tanh(_softplus(x))),
    "sigmoid": ("sigmoid", _sigmoid),
    "hard_sigmoid": ("hard sigmoid", lambda x: _clipped(x / 6 + 0.5, 0.0, 1.0)),
    "tanh": ("tanh", math.tanh),
    "hard_tanh": ("hard tanh", lambda x: _clipped(x, -1.0, 1.0)),
    "softplus": ("softplus", _softplus),
    "softsign": ("softsign", lambda x: x / (1 + abs(x))),
    "exponential": ("exponential", _exp),
}
OPERATIONS = {"Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "Tanh": "tanh", "Silu": "silu"}  # class -> name


def is_softmax(function: Any) -> bool:
    return getattr(function, "__name__", "") == "softmax"


def of_function(function: Any) -> tuple[str, Function]:
    """(words, function) of what a layer has as its `activation`; ("", identity) for none. Unsupported for others."""
    name = getattr(function, "__name__", type(function).__name__)
    if function is None or name == "linear":
        return "", lambda x: x
    if name not in _BY_NAME or function is not getattr(keras.activations, name, None):
        raise Unsupported(f"This app does not know the arithmetic of the activation {name[:40]}.")
    return _BY_NAME[name]


def of_layer(layer: Any, index: tuple[int, ...]) -> tuple[str, Function] | None:  # noqa: PLR0911 (one for each kind)
    """(words, function) of a layer that is one activation, at this cell; None for other layers."""
    match type(layer).__name__:
        case name if name in OPERATIONS:
            return _BY_NAME[OPERATIONS[name]]
        case "Activation":
            return of_function(layer.activation)
        case "ReLU":
            return _relu_words(layer), lambda x: _relu_with(x, layer)
        case "LeakyReLU":
            slope = float(layer.negative_slope)
            return f"leaky ReLU, slope {slope:g}", lambda x: _leaky(x, slope)
        case "ELU":
            alpha = float(layer.alpha)
            return "ELU", lambda x: _elu(x, alpha)
        case "PReLU":
            slopes = np.asarray(keras.ops.convert_to_numpy(layer.alpha), np.float64)
            slope = float(slopes[tuple(min(i, n - 1) for i, n in zip(index, slopes.shape, strict=True))])
            return f"PReLU, learned slope {slope:.4g}", lambda x: _leaky(x, slope)
    return None


def _relu_words(layer: Any) -> str:
    words = "leaky ReLU" if layer.negative_slope else "ReLU"
    if layer.max_value == 6 and not layer.negative_slope:
        words = "ReLU6"
    elif layer.max_value is not None:
        words += f" up to {float(layer.max_value):g}"
    return words + (f" from {float(layer.threshold):g} on" if layer.threshold else "")


def _relu_with(x: float, layer: Any) -> float:
    if math.isnan(x):
        return x
    if x < layer.threshold:
        x = float(layer.negative_slope) * (x - float(layer.threshold))
    elif x <= 0 and not layer.threshold:
        x = 0.0
    return x if layer.max_value is None else min(x, float(layer.max_value))
