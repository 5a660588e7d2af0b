"""The controls of the Kernel lab: widgets in, settings of the road out; what is impossible cannot be set."""

import math
from typing import Any, Literal

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnnviz import display, filters, kernels, road
from cnnviz.images import Photo
from cnnviz.kernels import Weights
from cnnviz.ui import address, weights

Size = tuple[int, int]
SIZES = ("16", "32", "64", "128", "256", "512", "full")
CHANNELS: dict[str, road.Channel] = {"Grey": "luminance", "R": "red", "G": "green", "B": "blue", "RGB": "rgb"}
PLANES = ("R", "G", "B")
PADDINGS = ("valid", "same", "own")
SIDES = ("top", "bottom", "left", "right")
VIEWS = ("Signed", "Absolute", "Clipped")
SHEETS = ("Input", "Feature map", "ReLU", "Pooled map")
POOLS: dict[str, Literal["max", "average"]] = {"Max": "max", "Average": "average"}
# every widget that "Reset" puts back, with what it starts from
_DEFAULTS: dict[str, Any] = {
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


def drop_endless_numbers() -> None:
    """Take "inf" and "1e999" out of the address: a st.number_input of whole numbers raises OverflowError for them."""
    asked = {key: st.query_params.get(key, "") for key, value in _DEFAULTS.items() if type(value) is int}
    if endless := [key for key, text in asked.items() if _endless(text)]:
        for key in endless:
            del st.query_params[key]
        st.rerun()


def _endless(text: str) -> bool:
    try:
        return math.isinf(float(text))
    except ValueError:
        return False


def reset() -> None:
    """Everything but the picture as it was at the start; the kernel can be had back with Undo."""
    weights.take(weights.Hand(weights.DEFAULT, None))
    for key, value in _DEFAULTS.items():
        st.session_state[key] = value


def channel() -> road.Channel:
    """Which channel the kernel reads."""
    chosen = st.segmented_control(
        "Channel", list(CHANNELS), default="Grey", required=True, key="channel", bind="query-params", width="stretch"
    )
    return CHANNELS[chosen or "Grey"]


def working_picture(photo: Photo) -> NDArray[np.uint8]:
    """The picture at the working size: its long side reduced by area, never enlarged."""
    size = st.select_slider("Working size", SIZES, "128", key="size", bind="query-params")
    return photo.pixels if size == "full" else display.reduce(photo.pixels, int(size))


def kernel(channels: int) -> tuple[weights.Hand, int | None]:
    """Choose the kernel. Returns it, and the plane that its grid shows (None: there is but one)."""
    address.kept("w")
    address.choice("Kernel", "kernel", weights.CHOICES, weights.DEFAULT, weights.choose_preset)
    hand = weights.hand()
    fixed = weights.pair(hand.choice) is not None
    names = ("x", "y") if fixed else PLANES if channels > 1 else ()
    if fixed and channels > 1:
        st.caption("Three channels have no one direction: a gradient reads luminance.")
    if not names:
        return hand, None
    label = "Kernel of the pair" if fixed else "Plane"
    chosen = st.segmented_control(
        label, names, default=names[0], required=True, key=f"plane_{names[0]}", bind="query-params", width="stretch"
    )
    return hand, names.index(chosen or names[0])


def grids(hand: weights.Hand, read: road.Channel) -> tuple[Weights, Weights | None, Any]:
    """The weights as road.Settings takes them: (weights, weights_y, combine)."""
    of_pair = weights.pair(hand.choice)
    if of_pair:
        x, y, kind = of_pair
        return filters.PRESETS[x].weights, filters.PRESETS[y].weights, kind
    return weights.weights(hand, 3 if read == "rgb" else 1), None, "sum"


def read_channel(hand: weights.Hand, read: road.Channel) -> road.Channel:
    """The channel that is read: three at once have no one direction, so a gradient reads luminance instead."""
    return "luminance" if read == "rgb" and weights.pair(hand.choice) else read


def bias(of_angle: bool) -> float:
    """The number added to every sum; an angle has none."""
    value = st.number_input(
        "Bias", -10_000.0, 10_000.0, 0.0, 1.0, "%g", key="bias", bind="query-params", disabled=of_angle
    )
    return float(value)


def pair(label: str, key: str, most: Size, default: int) -> Size:
    """Two whole numbers from 1 side by side: down (y) and across (x)."""
    with st.container(horizontal=True, wrap=False, gap="xsmall"):
        y = _whole(f"{label} ↓", f"{key}_y", 1, most[0], default)
        x = _whole(f"{label} →", f"{key}_x", 1, most[1], default)
    return y, x


def _whole(label: str, key: str, least: int, most: int, default: int) -> int:
    """A whole number; one that has become impossible is lowered to the most that is possible."""
    most = max(least, most)
    if (st.session_state.get(key) or default) > most:
        st.session_state[key] = most
    return int(st.number_input(label, least, most, min(default, most), 1, key=key, bind="query-params"))


def padding() -> filters.Padding:
    """The zeros round the picture."""
    kind = st.selectbox("Padding", PADDINGS, key="padding", bind="query-params")
    if kind != "own":
        return str(kind)
    amounts = []
    for two in (SIDES[:2], SIDES[2:]):
        with st.container(horizontal=True, wrap=False, gap="xsmall"):
            amounts += [_whole(side.title(), f"pad_{side}", 0, filters.MAX_PADDING, 1) for side in two]
    return (amounts[0], amounts[1]), (amounts[2], amounts[3])


def room(size: Size, zeros: filters.Padding) -> Size:
    """Rows and columns that a window may reach over; with "same" every window fits."""
    if zeros == "same":
        widest = filters.MAX_DILATION * (kernels.MAX_SIDE - 1) + 1
        return max(widest, size[0]), max(widest, size[1])
    if isinstance(zeros, tuple):
        return size[0] + sum(zeros[0]), size[1] + sum(zeros[1])
    return size


def dilation(kernel_size: Size, free: Size) -> Size:
    """How far the weights stand apart: dilation · (k − 1) + 1 must not exceed the room."""
    most = [
        min(filters.MAX_DILATION, (n - 1) // (k - 1) if k > 1 else filters.MAX_DILATION)
        for n, k in zip(free, kernel_size, strict=True)
    ]
    chosen = pair("Dilation", "dilation", (most[0], most[1]), 1)
    if min(most) < filters.MAX_DILATION:
        st.caption(f"At most {max(1, min(most))}: wider, the kernel leaves the picture.")
    return chosen


def pool(cells: Size | None) -> tuple[Size, Size, Literal["max", "average"]]:
    """Pool size, stride and kind, for a map of `cells`."""
    free = cells or (filters.MAX_POOL, filters.MAX_POOL)
    size = pair("Pool size", "pool", (min(filters.MAX_POOL, free[0]), min(filters.MAX_POOL, free[1])), 2)
    strides = pair("Pool stride", "pool_stride", (filters.MAX_STRIDE, filters.MAX_STRIDE), 2)
    if min(free) < filters.MAX_POOL:
        st.caption(f"At most {free[0]} × {free[1]}: the map has no more cells.")
    kind = st.segmented_control(
        "Kind", list(POOLS), default="Max", required=True, key="kind", bind="query-params", width="stretch"
    )
    return size, strides, POOLS[kind or "Max"]


def view() -> str:
    """How the maps are colored."""
    chosen = st.segmented_control(
        "Display", VIEWS, default="Signed", required=True, key="view", bind="query-params", width="stretch"
    )
    return chosen or VIEWS[0]


def sheet() -> str:
    """Of which stage every number is shown."""
    chosen = st.segmented_control(
        "Every number of", SHEETS, default="Feature map", required=True, key="sheet", bind="query-params"
    )
    return chosen or SHEETS[1]


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
