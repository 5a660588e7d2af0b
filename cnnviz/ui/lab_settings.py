"""The Kernel lab's settings: what its controls say, as settings of the road, and what they can be set to.

Widgets keep their values in st.session_state; `in_hand` reads them there, so that the stages can be drawn without
running the controls.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnnviz import display, filters, kernels, road
from cnnviz.images import Photo
from cnnviz.ui import weights

Size = tuple[int, int]
SIZES = ("16", "32", "64", "128", "256", "512", "full")
CHANNELS: dict[str, road.Channel] = {"Grey": "luminance", "R": "red", "G": "green", "B": "blue", "RGB": "rgb"}
PLANES = ("R", "G", "B")
PADDINGS = ("valid", "same", "own")
SIDES = ("top", "bottom", "left", "right")
VIEWS = ("Signed", "Absolute", "Clipped")
SHEETS = ("Input", "Feature map", "ReLU", "Pooled map")
POOLS: dict[str, Literal["max", "average"]] = {"Max": "max", "Average": "average"}
BIAS = (-10_000.0, 10_000.0)
# every widget that "Reset" puts back, with what it starts from
DEFAULTS: dict[str, Any] = {
    "channel": "Grey",
    "size": "128",
    "kernel": weights.DEFAULT,
    "w": "",
    "bias": 0.0,
    "stride_y": 1,
    "stride_x": 1,
    "padding": "valid",
    **{f"pad_{side}": 1 for side in SIDES},
    "dilation_y": 1,
    "dilation_x": 1,
    "view": "Signed",
    "relu": True,
    "pool_y": 2,
    "pool_x": 2,
    "pool_stride_y": 2,
    "pool_stride_x": 2,
    "kind": "Max",
    "plane_R": "R",
    "plane_x": "x",
    "sheet": "Feature map",
    "compare": "",
    "cell": "",
}


# ------------------------------------------------------------------------------------------- what the controls say


class InHand(NamedTuple):
    """What the controls say; `plane` is the one that the grid of weights shows, None where there is but one."""

    pixels: NDArray[np.uint8]
    hand: weights.Hand
    plane: int | None
    settings: road.Settings
    view: str

    @property
    def size(self) -> Size:
        return self.pixels.shape[0], self.pixels.shape[1]


def in_hand(photo: Photo) -> InHand:
    """The settings in hand, and the photo at its working size: the long side reduced by area, never enlarged."""
    side = str(value("size"))
    pixels = photo.pixels if side == "full" else display.reduce(photo.pixels, int(side))
    return InHand(pixels, weights.hand(), plane(), settings(), str(value("view")))


def settings() -> road.Settings:
    """The settings of the road."""
    hand, read = weights.hand(), CHANNELS[value("channel")]
    of_pair = weights.pair(hand.choice)
    combine: Any = "sum"
    grid, grid_y = None, None
    if of_pair:
        x, y, combine = of_pair
        grid, grid_y = filters.PRESETS[x].weights, filters.PRESETS[y].weights
        read = "luminance" if read == "rgb" else read  # three channels at once have no one direction
    padding = value("padding")
    if padding == "own":
        top, bottom, left, right = (int(value(f"pad_{side}")) for side in SIDES)
        padding = (top, bottom), (left, right)
    return road.Settings(
        channel=read,
        weights=weights.weights(hand, None if read == "rgb" else _own_plane()) if grid is None else grid,
        weights_y=grid_y,
        combine=combine,
        bias=float(value("bias")),
        strides=_two("stride"),
        padding=padding,
        dilation_rate=_two("dilation"),
        relu=bool(value("relu")),
        pool_size=_two("pool"),
        pool_strides=_two("pool_stride"),
        pool_kind=POOLS[value("kind")],
    )


def plane() -> int | None:
    """Which plane of the kernel the grid of weights shows; None where there is but one."""
    names = planes()
    return names.index(value(f"plane_{names[0]}")) if names else None


def edited_plane() -> int | None:
    """Which plane an edit of the grid changes: the one it shows; None where the kernel is flat."""
    if weights.pair(weights.hand().choice):
        return None
    return plane() if value("channel") == "RGB" else _own_plane() if weights.has_planes() else None


def _own_plane() -> int:
    """The plane that one channel is read with; luminance with the first."""
    return PLANES.index(value("channel")) if value("channel") in PLANES else 0


def value(key: str) -> Any:
    value = st.session_state.get(key)
    return DEFAULTS[key] if value is None else value


def _two(key: str) -> Size:
    return int(value(f"{key}_y")), int(value(f"{key}_x"))


def planes() -> tuple[str, ...]:
    if weights.pair(weights.hand().choice):
        return "x", "y"
    return PLANES if value("channel") == "RGB" else ()


def strength() -> bool:
    """Whether the map holds strengths; an angle can be neither clipped nor cut nor pooled."""
    return not weights.hand().choice.endswith("_direction")


# ---------------------------------------------------------------------------------------------- what is possible


def room(size: Size, zeros: filters.Padding) -> Size:
    """Rows and columns that a window may reach over; with "same" every window fits."""
    if zeros == "same":
        widest = filters.MAX_DILATION * (kernels.MAX_SIDE - 1) + 1
        return max(widest, size[0]), max(widest, size[1])
    if isinstance(zeros, tuple):
        return size[0] + sum(zeros[0]), size[1] + sum(zeros[1])
    return size


def map_size(settings: road.Settings, size: Size) -> Size | None:
    """Rows and columns of the feature map, or None where the kernel does not fit."""
    try:
        (top, bottom), (left, right) = road.pads(settings, size)
        return (
            filters.output_size(size[0], settings.reach[0], settings.strides[0], (top, bottom)),
            filters.output_size(size[1], settings.reach[1], settings.strides[1], (left, right)),
        )
    except ValueError:
        return None


def limits(size: Size) -> dict[str, tuple[float, float]]:
    """The least and the most that each field for a number can be, for a picture of `size`."""
    found: dict[str, tuple[float, float]] = {"bias": BIAS}
    found |= {f"pad_{side}": (0, filters.MAX_PADDING) for side in SIDES}
    most = (filters.MAX_STRIDE, filters.MAX_STRIDE)
    pairs = {"stride": most, "dilation": most_dilation(size), "pool": most_pool(size), "pool_stride": most}
    for key, (y, x) in pairs.items():
        found |= {f"{key}_y": (1, y), f"{key}_x": (1, x)}
    return found


def most_dilation(size: Size) -> Size:
    """The widest spread that fits: dilation · (k − 1) + 1 must not exceed the room."""
    now = settings()
    y, x = (
        max(1, min(filters.MAX_DILATION, (n - 1) // (k - 1) if k > 1 else filters.MAX_DILATION))
        for n, k in zip(room(size, now.padding), now.kernel_size, strict=True)
    )
    return y, x


def most_pool(size: Size) -> Size:
    """The largest pool that fits into the feature map."""
    cells = map_size(settings(), size) or (filters.MAX_POOL, filters.MAX_POOL)
    return min(filters.MAX_POOL, cells[0]), min(filters.MAX_POOL, cells[1])
