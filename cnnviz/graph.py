"""A network at work on one picture, as plain values: its layers, maps, answer and kernels; no keras."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Range = Literal["map", "layer", "inherited"]
Order = Literal["index", "mean", "max", "zeros", "weight"]
RANGES: tuple[str, ...] = get_args(Range)
ORDERS: tuple[str, ...] = get_args(Order)
NAN_LEVEL = 255  # as in display.levels: 0..254 run through the scale, 255 is the color of NaN

Floats = NDArray[np.float32]
Levels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Node:
    """One call of one layer, in the order of computation.

    name: the layer's in Keras. A nested model's layers stand in its place as "outer/inner"; the second call of a shared
        layer is "conv@2"; the second output of a layer with several is "split[1]".
    kind: the Keras class, "Conv2D", "InputLayer", "Add"; an Activation layer has the kind of what it does: "ReLU",
        "Sigmoid", "Softmax", "Tanh".
    label: the layer in words, as in layers.Row: "Conv2D 3×3, 16 filters, same, ReLU".
    inputs: names of the nodes whose outputs it takes, in the order of its arguments.
    shape: of its output, without the batch: (height, width, channels) or (units,).
    parameters: all, as Keras counts them; those of a shared layer are counted at its first call.
    how: the arithmetic of `parameters`, "3·3·32·64 + 64"; "" where there are none, or for a kind not known here.
    multiply_adds: of one picture, as in layers.Row; 0 for a kind not known here.
    group: the block or nested model that it is a part of, "block_2"; "" for none.
    activation: the non-linearity it applies, in it or as itself, by Keras's name ("relu"); "" for none.
    """

    name: str
    kind: str
    label: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    parameters: int
    how: str
    multiply_adds: int
    group: str
    activation: str = ""

    @property
    def size(self) -> tuple[int, int, int]:
        """(height, width, channels); a vector counts as that many channels of 1 × 1."""
        return size(self.shape)


def size(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(height, width, channels) of any output: a vector has channels of 1 × 1, (steps, channels) is one row high."""
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    if len(shape) == 2:
        return 1, shape[0], shape[1]
    return 1, 1, int(np.prod(shape, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Look:
    """How a network is looked at: what is switched off in it, which class is followed, how ranges are set. Hashable.

    range: where the ends of the color scale come from: see Maps.
    off: channels whose output is 0, {layer: (channels)} or the same as pairs.
    linear: layers whose non-linearity is taken out, so that they give what it would have been given.
    chosen: number of the class that is followed; None for the likeliest.
    """

    range: Range = "inherited"
    off: tuple[tuple[str, tuple[int, ...]], ...] = ()
    linear: tuple[str, ...] = ()
    chosen: int | None = None

    def __init__(
        self,
        range: Range = "inherited",
        off: Mapping[str, Iterable[int]] | Iterable[tuple[str, Iterable[int]]] = (),
        linear: Iterable[str] = (),
        chosen: int | None = None,
    ) -> None:
        pairs = off.items() if isinstance(off, Mapping) else off
        sorted_off = ((str(name), tuple(sorted({int(channel) for channel in channels}))) for name, channels in pairs)
        object.__setattr__(self, "range", range)
        object.__setattr__(self, "off", tuple(sorted(pair for pair in sorted_off if pair[1])))
        object.__setattr__(self, "linear", tuple(sorted(set(linear))))
        object.__setattr__(self, "chosen", None if chosen is None else int(chosen))

    @property
    def switches(self) -> tuple[tuple[tuple[str, tuple[int, ...]], ...], tuple[str, ...]]:
        """What changes numbers, and not only how they are shown."""
        return self.off, self.linear


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """One layer's maps at work on one picture, in numbers. Arrays are by channel; a vector has 1 × 1 maps.

    node: the layer. height, width, channels: of its maps.
    low, high: the ends of the color scale, one number each, or one a channel with range "map": −m and m where the
        scale is signed, else 0 and the maximum; never equal. Range "layer": m is the largest |value| of the layer;
        "map": of the channel; "inherited": a layer that only passes values on or cuts them (ReLU and its relatives,
        max and average pooling, dropout, zero padding, cropping, upsampling, reshaping) keeps the scale of the layer
        before it, up to the first that does not; sigmoid and softmax have 0..1 and tanh −1..1; every other layer,
        batch norm among them, has its own.
    signed: zero lies in the middle of the scale; some value of the layer (or of the one inherited from) is below 0.
    inherited: name of the layer whose scale it keeps, "" for its own.
    mean, max, min: of each map, NaN where it holds one. zeros: share of cells that are exactly 0.
    dead: maps whose cells are all equal (a 1 × 1 map: 0). saturated: sigmoid maps with 95 % of their cells within .01
        of 0 or 1, tanh maps with 95 % within .02 of ±1. Neither is said of the answer, or of a switched-off map.
    weight: of each channel toward the chosen class, where the last dense layer takes the channels, directly or after
        global pooling; None elsewhere. For class 0 of a one-output network it is turned round.
    parameter_share, multiply_add_share: of the whole network's, 0..1.
    offset: where its levels begin in Screen.levels: map k at offset + k·height·width, rows first; None if not sent.
    nan: maps with a NaN, or made by weights with one: a ReLU within a convolution may turn them into 0. None: none.
    """

    node: Node
    height: int
    width: int
    channels: int
    low: Floats
    high: Floats
    signed: bool
    inherited: str
    mean: Floats
    max: Floats
    min: Floats
    zeros: Floats
    dead: NDArray[np.bool_]
    saturated: NDArray[np.bool_]
    weight: Floats | None
    parameter_share: float
    multiply_add_share: float
    offset: int | None = None
    nan: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the network says. labels: the classes. chosen: number of the class that is followed.

    logits: (outputs,) what the last softmax or sigmoid is given; the output itself where there is none.
    probabilities: (classes,), of a one-output network 1 − p and p; None where no softmax or sigmoid made them.
    activation: "softmax", "sigmoid" or "" as the network ends; "" too where it is switched off.
    """

    labels: tuple[str, ...]
    chosen: int
    logits: Floats
    probabilities: Floats | None
    activation: str


@dataclass(frozen=True, slots=True, eq=False)
class Screen:
    """A whole network at work on one picture.

    layers: in the order of computation, the input first. parameters, multiply_adds: of the whole network.
    levels: uint8, all maps of all layers one after the other (Maps.offset), 0..254 through the layer's scale and 255
        for NaN; None where the network is too large for one screen.
    """

    layers: tuple[Maps, ...]
    answer: Answer
    parameters: int
    multiply_adds: int
    levels: Levels | None

    def maps(self, name: str) -> Maps:
        """The layer of this name; KeyError."""
        for one in self.layers:
            if one.node.name == name:
                return one
        raise KeyError(name)


@dataclass(frozen=True, slots=True, eq=False)
class Mosaic:
    """One layer's channels side by side as one picture, without gaps.

    maps: the layer in numbers. levels: uint8 (rows·tile_height, columns·tile_width) palette indices as in Screen; the
        channel at position p stands in row p // columns and column p % columns, places after the last are 0.
    tile_height, tile_width: at most the map's, less where it was reduced.
    order: the channels by position. by: what they are sorted by.
    """

    maps: Maps
    levels: Levels
    tile_height: int
    tile_width: int
    columns: int
    order: NDArray[np.int32]
    by: Order

    def tile(self, place: int) -> Levels:
        """The channel at a position, uint8 (tile_height, tile_width)."""
        row, column = divmod(place, self.columns)
        tall, wide = self.tile_height, self.tile_width
        return self.levels[row * tall : (row + 1) * tall, column * wide : (column + 1) * wide]


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """Theoretical receptive fields of a layer's cells on the input, in input pixels, as first and one past the last.

    rows, columns: int32. For maps (height, 2) and (width, 2): cell (y, x) sees rows[y] and columns[x]. For a vector
    (units, 2) both: unit i sees rows[i] and columns[i]. Layers of kinds not known here count as seeing all their input.
    """

    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    vector: bool

    def box(self, y: int, x: int, channel: int = 0) -> tuple[int, int, int, int]:
        """(y0, y1, x0, x1) of one cell."""
        (y0, y1), (x0, x1) = (
            (self.rows[channel], self.columns[channel]) if self.vector else (self.rows[y], self.columns[x])
        )
        return int(y0), int(y1), int(x0), int(x1)


@dataclass(frozen=True, slots=True, eq=False)
class Kernels:
    """Weights of a convolution or dense layer.

    weights: (n, kernel height, kernel width): the planes of one output channel toward its strongest inputs; with color
        (n, kh, kw, c): whole kernels over the c ≤ 3 channels of the network's input, one an output channel.
    inputs: (n,) the input channels of the planes, strongest first; with color the output channels.
    strength: (n,) sum over the picture of |weight · activation|; without a picture sum of |weight|.
    rest: together, how strong the inputs are that are not among these. source: the layer that gives the inputs.
    bias: of the output channel, None where the layer has none; with color (n,).
    limit: largest finite |weight| of the whole layer, the end of its scale.
    """

    layer: str
    channel: int | None
    color: bool
    weights: Floats
    inputs: NDArray[np.int32]
    strength: Floats
    rest: float
    source: str
    bias: Floats | None
    limit: float
