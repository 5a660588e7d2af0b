"""A network as a plain list of layers: output shapes, parameters and how they come about, cost, memory; no keras."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from cnnviz.filters import output_size
from cnnviz.layer_kinds import (
    MAX_UNITS,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Layer,
    LayerError,
    MaxPooling2D,
    Padding,
    Pair,
    ReLU,
    ResidualBlock,
    Sigmoid,
    Softmax,
    check_length,
    from_json,
    is_whole,
    shown,
    to_json,
)

__all__ = ["Layer", "LayerError", "Row", "from_json", "label", "memory", "names", "summary", "to_json", "with_classes"]

MAX_PARAMETERS = 100_000_000
MAX_INPUT_SIDE = 4096

Shape = tuple[int, ...]  # (height, width, channels) of a map, (units,) of a vector; the batch is left out
_STEMS = {
    "Conv2D": "conv",
    "BatchNormalization": "bn",
    "MaxPooling2D": "pool",
    "AveragePooling2D": "pool",
    "GlobalAveragePooling2D": "global_average",
    "ResidualBlock": "block",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One layer in numbers.

    name: the layer's in Keras ("conv_2"; the layers of "block_1" are "block_1_conv_1" and so on).
    label: the layer in words, "MaxPooling2D 2×2". output_shape: without the batch.
    parameters: all, as Keras counts them. trainable: those that gradients change: batch norm's moving mean and variance
    are not among them. how: the arithmetic of `parameters`, "3·3·32·64 + 64", or "".
    multiply_adds: of one picture in use. Counted are products in convolutions, dense layers, batch norm (one a number)
    and excitation; comparisons, plain sums and exponentials are not.
    kept: numbers a picture leaves in memory until the backward pass.
    """

    name: str
    kind: str
    label: str
    output_shape: Shape
    parameters: int
    trainable: int
    how: str
    multiply_adds: int
    kept: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that training takes at its peak, in float32: see `memory`."""

    activations: int
    parameters: int
    gradients: int
    optimizer: int
    how: str

    @property
    def total(self) -> int:
        return self.activations + self.parameters + self.gradients + self.optimizer


def summary(layers: Sequence[Layer], input_shape: Shape) -> tuple[Row, ...]:
    """One Row a layer, for an input (height, width, channels).

    LayerError, one sentence with the layer's number and label, where a layer cannot take what it gets, and where the
    network has none, more than MAX_LAYERS, or more than MAX_PARAMETERS parameters.
    """
    check_length(layers)
    _check_input(input_shape)
    rows: list[Row] = []
    shape, parameters = input_shape, 0
    for number, (name, layer) in enumerate(zip(names(layers), layers, strict=True), start=1):
        try:
            row = _row(name, layer, shape)
            parameters += row.parameters
            if parameters > MAX_PARAMETERS:
                raise LayerError(
                    f"its {row.parameters:,} parameters bring the network to {parameters:,}, more than the "
                    f"{MAX_PARAMETERS:,} allowed; pool more before it or make it smaller."
                )
        except LayerError as error:
            raise LayerError(f"Layer {number}, {label(layer)}: {error}") from None
        rows.append(row)
        shape = row.output_shape
    return tuple(rows)


def memory(layers: Sequence[Layer], input_shape: Shape, batch_size: int, slots: int = 2) -> Memory:
    """What training with batches of this size keeps in memory; an estimate, without the framework itself.

    4 bytes · (batch · (input + numbers kept by each layer + 2 · largest layer, whose gradients are under way)
    + parameters + gradients of the trainable ones + slots · trainable ones); Adam has 2 slots, momentum 1, SGD 0.
    """
    rows = summary(layers, input_shape)
    numbers = prod(input_shape) + sum(row.kept for row in rows)
    largest = max(prod(input_shape), *(prod(row.output_shape) for row in rows))
    parameters, trainable = sum(row.parameters for row in rows), sum(row.trainable for row in rows)
    how = (
        f"4 bytes · ({batch_size:,} pictures · ({numbers:,} + 2·{largest:,} numbers) + {parameters:,} parameters + "
        f"{trainable:,} gradients + {slots}·{trainable:,} of the optimizer)"
    )
    return Memory(4 * batch_size * (numbers + 2 * largest), 4 * parameters, 4 * trainable, 4 * slots * trainable, how)


def names(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Each layer's name in Keras: its kind in short and its number among its kind, "conv_2", "block_1"."""
    seen: Counter[str] = Counter()
    found = []
    for layer in layers:
        stem = _STEMS.get(type(layer).__name__, type(layer).__name__.lower())
        seen[stem] += 1
        found.append(f"{stem}_{seen[stem]}")
    return tuple(found)


def label(layer: Layer) -> str:
    """The layer in words: "Conv2D 3×3, 32 filters, stride 2", "Dense 128"."""
    words = [type(layer).__name__]
    match layer:
        case Conv2D():
            words[0] += f" {_times(layer.kernel_size)}, {layer.filters} filter{'s' * (layer.filters > 1)}"
            words += [f"dilation {_times(layer.dilation_rate)}"] * (layer.dilation_rate != (1, 1))
            words += [f"{layer.groups} groups"] * (layer.groups > 1)
        case MaxPooling2D() | AveragePooling2D():
            words[0] += f" {_times(layer.pool_size)}"
        case ResidualBlock():
            words[0] += f" {layer.filters}"
            words += [f"squeeze {layer.squeeze}"] * (layer.squeeze > 0)
        case Dense():
            words[0] += f" {layer.units}"
        case Dropout():
            words[0] += f" {layer.rate:g}"
    strides = getattr(layer, "strides", None)
    if strides not in (None, (1, 1)) and strides != getattr(layer, "pool_size", None):
        words.append(f"stride {strides[0]}" if strides[0] == strides[1] else f"strides {_times(strides)}")
    if getattr(layer, "padding", "valid") == "same":
        words.append("same")
    if activation := getattr(layer, "activation", None):
        words.append("ReLU" if activation == "relu" else activation)
    return ", ".join(words)


def block_parts(block: ResidualBlock, channels: int) -> dict[str, tuple[tuple[str, Layer], ...]]:
    """The named layers of a block that gets this many channels: "main", then "squeeze" and "shortcut", maybe empty.

    After them come the product with the squeeze, the sum with the shortcut, and a ReLU.
    """
    f = block.filters
    main: tuple[tuple[str, Layer], ...] = (
        ("conv_1", Conv2D(f, 3, block.strides, "same", use_bias=False)),
        ("bn_1", BatchNormalization()),
        ("relu_1", ReLU()),
        ("conv_2", Conv2D(f, 3, 1, "same", use_bias=False)),
        ("bn_2", BatchNormalization()),
    )
    squeeze: tuple[tuple[str, Layer], ...] = (
        ("global_average", GlobalAveragePooling2D()),
        ("dense_1", Dense(max(1, f // (block.squeeze or 1)), "relu")),
        ("dense_2", Dense(f, "sigmoid")),
    )
    shortcut: tuple[tuple[str, Layer], ...] = (
        ("shortcut_conv", Conv2D(f, 1, block.strides, "same", use_bias=False)),
        ("shortcut_bn", BatchNormalization()),
    )
    changes = channels != f or block.strides != (1, 1)
    return {"main": main, "squeeze": squeeze if block.squeeze else (), "shortcut": shortcut if changes else ()}


def with_classes(layers: Sequence[Layer], n: int) -> tuple[Layer, ...]:
    """The same layers with an end for n classes: the last Dense, and the activation in it or after it.

    A sigmoid over one output stays one output for two classes; every other end gets n outputs and softmax, in the Dense
    or as a layer of its own, as the activation was. LayerError where the network does not end so, or n < 2.
    """
    if isinstance(n, bool) or not isinstance(n, int) or not 2 <= n <= MAX_UNITS:
        raise LayerError(f"The number of classes is {shown(n)}; a network needs at least two to tell apart.")
    check_length(layers)
    at = max((index for index, layer in enumerate(layers) if isinstance(layer, Dense)), default=-1)
    after = layers[at + 1 :]
    if at < 0 or not all(isinstance(layer, Softmax | Sigmoid) for layer in after):
        raise LayerError(
            "The network must end with a Dense layer, which has one output a class, and at most Softmax or Sigmoid "
            "after it; add GlobalAveragePooling2D, Dense and Softmax."
        )
    head = layers[at]
    assert isinstance(head, Dense)
    sigmoid = isinstance(after[-1], Sigmoid) if after else head.activation == "sigmoid"
    one = sigmoid and head.units == 1 and n == 2
    units = 1 if one else n
    if not after and head.activation:
        return (*layers[:at], Dense(units, "sigmoid" if one else "softmax"))
    return (*layers[:at], Dense(units), Sigmoid() if one else Softmax())


def _row(name: str, layer: Layer, shape: Shape) -> Row:
    """The layer in numbers, for an input of this shape; LayerError with the reason alone where it cannot take it."""
    if isinstance(layer, ResidualBlock):
        return _block_row(name, layer, shape)
    output = _output_shape(layer, shape)
    cells = prod(output)
    parameters, trainable, how, multiply_adds, kept = 0, 0, "", 0, cells
    match layer:
        case Conv2D():
            (kh, kw), channels = layer.kernel_size, shape[2] // layer.groups  # type: ignore[misc]
            weights = kh * kw * channels * layer.filters
            how = f"{kh}·{kw}·{channels:,}·{layer.filters:,}" + f" + {layer.filters:,}" * layer.use_bias
            parameters = trainable = weights + layer.filters * layer.use_bias
            multiply_adds = output[0] * output[1] * weights
        case Dense():
            how = f"{shape[0]:,}·{layer.units:,} + {layer.units:,}"
            parameters = trainable = (shape[0] + 1) * layer.units
            multiply_adds = shape[0] * layer.units
        case BatchNormalization():
            how = f"4·{shape[-1]:,}"
            parameters, trainable = 4 * shape[-1], 2 * shape[-1]
            multiply_adds = cells
        case Dropout():
            kept = 2 * cells
        case Flatten():
            kept = 0
    if getattr(layer, "activation", None):
        kept += cells
    return Row(name, type(layer).__name__, label(layer), output, parameters, trainable, how, multiply_adds, kept)


def _block_row(name: str, block: ResidualBlock, shape: Shape) -> Row:
    _need_map(shape)
    rows: dict[str, list[Row]] = {}
    parts = block_parts(block, shape[2])
    for path, layers in parts.items():
        inner = rows["main"][-1].output_shape if path == "squeeze" else shape
        rows[path] = []
        for part, layer in layers:
            rows[path].append(_row(f"{name}_{part}", layer, inner))
            inner = rows[path][-1].output_shape
    every = [row for path in rows.values() for row in path]
    output = rows["main"][-1].output_shape
    products = prod(output) if block.squeeze else 0
    return Row(
        name,
        "ResidualBlock",
        label(block),
        output,
        sum(row.parameters for row in every),
        sum(row.trainable for row in every),
        " + ".join(row.how for row in every if row.how),
        sum(row.multiply_adds for row in every) + products,
        sum(row.kept for row in every) + products + 2 * prod(output),
    )


def _output_shape(layer: Layer, shape: Shape) -> Shape:
    match layer:
        case Conv2D():
            _need_map(shape)
            if layer.strides != (1, 1) and layer.dilation_rate != (1, 1):
                raise LayerError(
                    "it has strides and dilation_rate above 1, which Keras cannot do; set one of them to 1."
                )
            for what, number in (("input channels", shape[2]), ("filters", layer.filters)):
                if number % layer.groups:
                    raise LayerError(
                        f"{number} {what} cannot be shared out to {layer.groups} groups; change one of them."
                    )
            taps = zip(_two(layer.kernel_size), _two(layer.dilation_rate), strict=True)
            window = tuple(d * (k - 1) + 1 for k, d in taps)
            return (*_slide(shape, window, _two(layer.strides), layer.padding), layer.filters)
        case MaxPooling2D() | AveragePooling2D():
            _need_map(shape)
            pool = _two(layer.pool_size)
            return (*_slide(shape, pool, _two(layer.strides or pool), layer.padding), shape[2])
        case GlobalAveragePooling2D():
            _need_map(shape)
            return (shape[2],)
        case Flatten():
            return (prod(shape),)
        case Dense() | Softmax() | Sigmoid():
            if len(shape) != 1:
                raise LayerError(
                    f"its input is a map of {_times(shape)}, not a vector; put Flatten or a global average before it."
                )
            return (layer.units,) if isinstance(layer, Dense) else shape
    return shape


def _slide(shape: Shape, window: Shape, strides: Shape, padding: Padding) -> Shape:
    """Height and width of what a sliding window gives."""
    if padding == "valid" and (window[0] > shape[0] or window[1] > shape[1]):
        raise LayerError(
            f"its input is {_times(shape[:2])}, smaller than its window of {_times(window)}; use padding same, pool "
            "less before it or take larger pictures."
        )
    return tuple(output_size(size, w, s, padding) for size, w, s in zip(shape[:2], window, strides, strict=True))


def _need_map(shape: Shape) -> None:
    if len(shape) != 3:
        raise LayerError(
            f"its input is a vector of {shape[0]:,}, not a map; put it before Flatten or the global average."
        )


def _check_input(shape: Any) -> None:
    sides = shape if isinstance(shape, tuple) else ()
    if len(sides) != 3 or not all(is_whole(side) and 1 <= side <= MAX_INPUT_SIDE for side in sides):
        raise LayerError(
            f"The network's input is {shown(shape)}; expected (height, width, channels), each from 1 to "
            f"{MAX_INPUT_SIDE:,}."
        )


def _two(pair: Pair) -> tuple[int, int]:
    return (pair, pair) if isinstance(pair, int) else pair


def _times(sides: Any) -> str:
    return "×".join(str(side) for side in sides)
