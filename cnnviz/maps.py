"""Feature maps in numbers and as levels of a color scale: statistics, ranges, mosaics; numpy, no keras."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from cnnviz.graph import NAN_LEVEL, Floats, Levels, Node, Range, size

_TOP = NAN_LEVEL - 1  # the last level of the scale; odd many, so that 0 of a signed scale has one of its own
MAX_PIXELS = 2_000_000  # of a mosaic
SATURATED = 0.95  # share of a map's cells
_END = 0.01  # of sigmoid's range; tanh x = 2 sigmoid 2x − 1, so that twice as much is the same for it
_FIXED = {"sigmoid": (0.0, 1.0), "hard_sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0)}
# standing alone, their |output| is never above their |input|
_CUTS = {"relu", "relu6", "leaky_relu", "elu", "silu", "hard_silu", "gelu"}
_PASSES = {
    *("MaxPooling2D", "AveragePooling2D", "GlobalMaxPooling2D", "ZeroPadding2D", "Cropping2D", "UpSampling2D"),
    *("Flatten", "Reshape", "Permute", "Dropout", "SpatialDropout2D", "AlphaDropout", "GaussianNoise"),
    *("GaussianDropout", "ActivityRegularization", "Identity"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Of each map of a layer, arrays (channels,): NaN where a map holds one. ends: lowest and highest finite value."""

    mean: Floats
    max: Floats
    min: Floats
    zeros: Floats
    dead: NDArray[np.bool_]
    ends: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """The ends of a layer's color scale, (1,) or with range "map" (channels,); see graph.Maps."""

    low: Floats
    high: Floats
    signed: bool
    inherited: str = ""

    def of(self, channel: int) -> "Ends":
        """Of one channel."""
        at = slice(channel, channel + 1) if len(self.low) > 1 else slice(None)
        return Ends(self.low[at], self.high[at], self.signed, self.inherited)


def by_channel(values: Floats) -> Floats:
    """A layer's output -> (channels, height·width), contiguous."""
    _, _, channels = size(values.shape)
    return np.ascontiguousarray(values.reshape(-1, channels).T)


def statistics(layers: Sequence[Floats]) -> list[Statistics]:
    """The maps of each layer, given as by_channel, in numbers; one sweep for all layers."""
    flat = np.concatenate([maps.ravel() for maps in layers])
    cells = np.concatenate([np.full(len(maps), maps.shape[1]) for maps in layers])
    starts = np.concatenate([[0], np.cumsum(cells)[:-1]])
    with np.errstate(invalid="ignore", over="ignore"):
        mean = (np.add.reduceat(flat, starts) / cells).astype(np.float32)
        highest, lowest = np.maximum.reduceat(flat, starts), np.minimum.reduceat(flat, starts)
    zeros = (np.add.reduceat(flat == 0, starts, dtype=np.int32) / cells).astype(np.float32)
    dead = (highest == lowest) & np.isfinite(mean) & ((cells > 1) | (highest == 0))
    found, first = [], 0
    for maps in layers:
        at = slice(first, first + len(maps))
        ends = (float(lowest[at].min()), float(highest[at].max()))
        if not np.isfinite(ends).all():
            finite = maps[np.isfinite(maps)]
            ends = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
        found.append(Statistics(mean[at], highest[at], lowest[at], zeros[at], dead[at], ends))
        first += len(maps)
    return found


def saturated(maps: Floats, activation: str) -> NDArray[np.bool_]:
    """(channels,): maps of a sigmoid or tanh with 95 % of their cells at an end; False for any other activation."""
    if activation not in ("sigmoid", "tanh"):
        return np.zeros(len(maps), np.bool_)
    from_middle = np.abs(maps) if activation == "tanh" else np.abs(2 * maps - 1)
    found: NDArray[np.bool_] = (from_middle >= 1 - 2 * _END).mean(axis=1) >= SATURATED
    return found


def ranges(
    nodes: Sequence[Node],
    found: Mapping[str, Statistics],
    rule: Range,
    scale: tuple[float, float],
    linear: Collection[str] = (),
) -> dict[str, Ends]:
    """The scale of each layer by the rule of graph.Maps. scale: the range of the input's levels. linear: as in Look."""
    chosen: dict[str, Ends] = {}
    for node in nodes:
        low, high = found[node.name].ends
        activation = "" if node.name in linear else node.activation
        source = node.inputs[0] if node.inputs else ""
        if rule == "map":
            chosen[node.name] = _by_map(found[node.name])
        elif not node.inputs:
            chosen[node.name] = _ends(*scale)
        elif rule == "inherited" and activation in _FIXED:
            chosen[node.name] = _ends(*_FIXED[activation])
        elif rule == "inherited" and len(node.inputs) == 1 and _passes(node):
            kept = chosen[source]
            chosen[node.name] = Ends(kept.low, kept.high, kept.signed, kept.inherited or source)
        else:
            chosen[node.name] = _ends(low, high)
    return chosen


def _passes(node: Node) -> bool:
    """Whether its values are among those that it is given, or nearer to 0."""
    alone = node.kind in (
        "ReLU",
        "LeakyReLU",
        "ELU",
        "Activation",
        "Relu6",
        "Silu",
        "HardSilu",
        "Gelu",
        "LeakyRelu",
        "Elu",
    )
    return node.kind in _PASSES or (alone and node.activation in _CUTS)


def _ends(low: float, high: float) -> Ends:
    signed = low < 0
    most = max(abs(low), abs(high)) or 1.0
    return Ends(np.array([-most if signed else 0], np.float32), np.array([most], np.float32), signed)


def _by_map(one: Statistics) -> Ends:
    signed = one.ends[0] < 0
    most = np.maximum(np.abs(one.max), np.abs(one.min))
    most = np.where(np.isfinite(most) & (most > 0), most, max(abs(one.ends[0]), abs(one.ends[1])) or 1.0)
    return Ends((-most if signed else 0 * most).astype(np.float32), most.astype(np.float32), signed)


def levels(maps: Sequence[Floats], ends: Sequence[Ends]) -> Levels:
    """The maps of layers, each (channels, cells), through their scales: uint8, all one after the other.

    0..254 from the low to the high end, beyond them the end; 255 for NaN. As display.levels, for many at once.
    """
    into = np.empty(sum(one.size for one in maps), np.float32)
    first = 0
    with np.errstate(invalid="ignore", over="ignore"):
        for one, scale in zip(maps, ends, strict=True):
            place = into[first : first + one.size].reshape(one.shape)
            np.subtract(one, scale.low[:, None], out=place)
            place *= (_TOP / (scale.high.astype(np.float64) - scale.low)).astype(np.float32)[:, None]
            first += one.size
        np.rint(into, out=into)
        nan = np.isnan(into)
        np.clip(into, 0, _TOP, out=into)
    if nan.any():
        into[nan] = NAN_LEVEL
    return into.astype(np.uint8)


def order(by: str, found: Statistics, weight: Floats | None) -> NDArray[np.int32]:
    """Channel numbers, by index or the largest first; NaN comes last, equals stay in their order."""
    keys = {"mean": found.mean, "max": found.max, "zeros": found.zeros, "weight": weight}.get(by)
    if keys is None:
        return np.arange(len(found.mean), dtype=np.int32)
    return np.argsort(-keys, kind="stable").astype(np.int32)


def tiles(values: Floats, cell: int) -> Floats:
    """A layer's output -> (channels, height, width), reduced by area to at most `cell` a side, and less for so many
    channels that the whole would be above MAX_PIXELS; never enlarged."""
    height, width, channels = size(values.shape)
    maps = by_channel(values).reshape(channels, height, width)
    side = max(1, min(cell, int(sqrt(MAX_PIXELS / channels))))
    factor = side / max(height, width)
    if factor >= 1:
        return maps
    shape = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.stack([cv2.resize(one, shape, interpolation=cv2.INTER_AREA) for one in maps])


def mosaic(tiled: Levels) -> tuple[Levels, int]:
    """Tiles (n, height, width) side by side as nearly a square: (picture, columns)."""
    n, height, width = tiled.shape
    columns = max(1, min(n, ceil(sqrt(n * height / width))))
    rows = ceil(n / columns)
    full = np.zeros((rows * columns, height, width), np.uint8)
    full[:n] = tiled
    picture = full.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)
    return np.ascontiguousarray(picture), columns
