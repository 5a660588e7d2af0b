"""The road of the Kernel lab: picture, kernel, feature map, ReLU, pooled map, as arrays and as the browser's spec."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cnnviz import display, filters
from cnnviz.filters import Floats

Channel = Literal["luminance", "red", "green", "blue", "rgb"]
PLANES = {"red": 0, "green": 1, "blue": 2}
_INITIALS = ("R", "G", "B")


@dataclass(frozen=True)
class Settings:
    """Everything that decides the numbers on the road. Pairs are (y, x); limits as in `filters`.

    weights: (kh, kw), or (kh, kw, 3) with channel "rgb". weights_y: the second kernel of a gradient, else None;
    combine then says what the pair gives: its "magnitude" or its "direction".
    padding: "valid", "same" or ((top, bottom), (left, right)).
    """

    channel: Channel
    weights: Floats
    weights_y: Floats | None = None
    combine: Literal["sum", "magnitude", "direction"] = "sum"
    bias: float = 0.0
    strides: tuple[int, int] = (1, 1)
    padding: filters.Padding = "valid"
    dilation_rate: tuple[int, int] = (1, 1)
    relu: bool = True
    pool_size: tuple[int, int] = (2, 2)
    pool_strides: tuple[int, int] = (2, 2)
    pool_kind: Literal["max", "average"] = "max"

    @property
    def kernel_size(self) -> tuple[int, int]:
        return self.weights.shape[0], self.weights.shape[1]

    @property
    def reach(self) -> tuple[int, int]:
        """Rows and columns between the first and the last pixel of a window: dilation · (k − 1) + 1."""
        y, x = (d * (k - 1) + 1 for d, k in zip(self.dilation_rate, self.kernel_size, strict=True))
        return y, x


@dataclass(frozen=True, eq=False)
class Road:
    """What one walk gave. `pixels` is the working picture; the maps are float32.

    Where settings.combine is "direction", feature_map is the angle in radians, and relu and pooled are None, since an
    angle is no strength. magnitude is set for both gradient kinds. pooled is None also where the pool does not fit.
    """

    settings: Settings
    pixels: NDArray[np.uint8]
    feature_map: Floats
    relu: Floats | None
    pooled: Floats | None
    magnitude: Floats | None = None


def source(pixels: NDArray[np.uint8], channel: Channel) -> Floats:
    """The plane or planes that the kernel reads: (H, W), or (H, W, 3) for "rgb", float32 in 0..255."""
    if channel == "luminance":
        return filters.luminance(pixels)
    if channel == "rgb":
        return pixels.astype(np.float32)
    return pixels[..., PLANES[channel]].astype(np.float32)


def walk(pixels: NDArray[np.uint8], settings: Settings) -> Road:
    """Compute every stage; pooled is None where the pool does not fit. ValueError where the kernel does not."""
    plane = source(pixels, settings.channel)
    place = (settings.strides, settings.padding, settings.dilation_rate)
    magnitude = None
    if settings.weights_y is None:
        feature_map = filters.conv2d(plane, settings.weights, *place) + np.float32(settings.bias)
    else:
        magnitude, angle = filters.gradient(plane, settings.weights, settings.weights_y, *place)
        if settings.combine == "direction":
            return Road(settings, pixels, angle, None, None, magnitude)
        feature_map = magnitude + np.float32(settings.bias)
    relu = np.maximum(feature_map, 0) if settings.relu else feature_map
    pooled = None
    if all(p <= n for p, n in zip(settings.pool_size, relu.shape, strict=True)):
        pooled = filters.pool2d(relu, settings.pool_size, settings.pool_strides, kind=settings.pool_kind)
    return Road(settings, pixels, feature_map, relu, pooled, magnitude)


def pads(settings: Settings, size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """The zeros round a picture of `size`: ((top, bottom), (left, right))."""
    padding = settings.padding
    sides = padding if isinstance(padding, tuple) else (padding, padding)
    rows, columns = (
        filters.pad_amounts(*axis) for axis in zip(size, settings.reach, settings.strides, sides, strict=True)
    )
    return rows, columns


def uncovered(settings: Settings, size: tuple[int, int]) -> dict[str, list[list[int]]]:
    """Runs [from, to) of rows and of columns that no window reads."""
    masks = filters.uncovered(size, settings.kernel_size, settings.strides, settings.padding, settings.dilation_rate)
    return {name: _runs(mask) for name, mask in zip(("rows", "columns"), masks, strict=True)}


def _runs(mask: NDArray[np.bool_]) -> list[list[int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [[int(a), int(b)] for a, b in edges.reshape(-1, 2)]


def rounding(settings: Settings) -> float:
    """What float32 may leave of a sum that is 0: a millionth of the largest that these weights make of a picture."""
    weights = np.abs(settings.weights).sum() + (0 if settings.weights_y is None else np.abs(settings.weights_y).sum())
    return 1e-6 * (255 * float(weights) + abs(settings.bias))


def limit(road: Road) -> float:
    """The end of the scale that the maps of a road are colored on; what rounding left of zeros is no pattern."""
    return max(display.limit(road.feature_map), rounding(road.settings))


def spec(road: Road, name: str, plane: str) -> dict[str, Any]:
    """What the microscope needs to compute any one window (see cnnviz.microscope for the fields)."""
    s = road.settings
    channel: Any = PLANES.get(s.channel, "luminance")
    if s.weights_y is not None:
        parts = [_part("x", channel, s.weights), _part("y", channel, s.weights_y)]
    elif s.channel == "rgb":
        parts = [_part(_INITIALS[c], c, s.weights[..., c]) for c in range(3)]
    else:
        parts = [_part("", channel, s.weights)]
    pooled = road.pooled
    return {
        "road": name,
        "plane": plane,
        "parts": parts,
        "combine": s.combine,
        "bias": 0.0 if s.combine == "direction" else float(s.bias),
        "kernelSize": list(s.kernel_size),
        "strides": list(s.strides),
        "padding": [list(p) for p in pads(s, road.pixels.shape[:2])],
        "dilation": list(s.dilation_rate),
        "output": list(road.feature_map.shape),
        "relu": s.relu and road.relu is not None,
        "limit": limit(road),
        "pool": None
        if pooled is None
        else {
            "kind": s.pool_kind,
            "size": list(s.pool_size),
            "strides": list(s.pool_strides),
            "padding": [[0, 0], [0, 0]],
            "output": list(pooled.shape),
        },
    }


def _part(name: str, channel: Any, weights: Floats) -> dict[str, Any]:
    return {"name": name, "channel": channel, "weights": [[float(w) for w in row] for row in weights]}
