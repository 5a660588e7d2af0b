"""The controls of the Kernel lab: widgets, what they say as settings of the road, and what a change draws again.

Widgets keep their values in st.session_state; `in_hand` reads them there, so that the stages can be drawn without
running the controls. What is impossible cannot be set.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnnviz import display, filters, kernels, road
from cnnviz.images import Photo
from cnnviz.ui import address, weights

Size = tuple[int, int]
STAGES, KEPT = "stages", "kept"  # keys of the fragments that draw the stages and that keep the address
SIZES = ("16", "32", "64", "128", "256", "512", "full")
CHANNELS: dict[str, road.Channel] = {"Grey": "luminance", "R": "red", "G": "green", "B": "blue", "RGB": "rgb"}
PLANES = ("R", "G", "B")
PADDINGS = ("valid", "same", "own")
SIDES = ("top", "bottom", "left", "right")
VIEWS = ("Signed", "Absolute", "Clipped")
SHEETS = ("Input", "Feature map", "ReLU", "Pooled map")
POOLS: dict[str, Literal["max", "average"]] = {"Max": "max", "Average": "average"}
OTHERS = {"": "nothing"} | {key: kernel.label for key, kernel in filters.PRESETS.items()}
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


def drop_what_cannot_be() -> None:
    """Forget what came along under a name that another page has, too, and take "inf" and "1e999" out of the address.

    A st.number_input of whole numbers raises OverflowError for the latter.
    """
    if st.session_state.get("view") not in VIEWS:
        st.session_state.pop("view", None)
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
    side = str(_value("size"))
    pixels = photo.pixels if side == "full" else display.reduce(photo.pixels, int(side))
    return InHand(pixels, weights.hand(), plane(), settings(), str(_value("view")))


def settings() -> road.Settings:
    """The settings of the road."""
    hand, read = weights.hand(), CHANNELS[_value("channel")]
    of_pair = weights.pair(hand.choice)
    combine: Any = "sum"
    grid, grid_y = None, None
    if of_pair:
        x, y, combine = of_pair
        grid, grid_y = filters.PRESETS[x].weights, filters.PRESETS[y].weights
        read = "luminance" if read == "rgb" else read  # three channels at once have no one direction
    padding = _value("padding")
    if padding == "own":
        top, bottom, left, right = (int(_value(f"pad_{side}")) for side in SIDES)
        padding = (top, bottom), (left, right)
    return road.Settings(
        channel=read,
        weights=weights.weights(hand, 3 if read == "rgb" else 1) if grid is None else grid,
        weights_y=grid_y,
        combine=combine,
        bias=float(_value("bias")),
        strides=_two("stride"),
        padding=padding,
        dilation_rate=_two("dilation"),
        relu=bool(_value("relu")),
        pool_size=_two("pool"),
        pool_strides=_two("pool_stride"),
        pool_kind=POOLS[_value("kind")],
    )


def plane() -> int | None:
    """Which plane of the kernel the grid of weights shows; None where there is but one."""
    names = _planes()
    return names.index(_value(f"plane_{names[0]}")) if names else None


def _value(key: str) -> Any:
    value = st.session_state.get(key)
    return _DEFAULTS[key] if value is None else value


def _two(key: str) -> Size:
    return int(_value(f"{key}_y")), int(_value(f"{key}_x"))


def _planes() -> tuple[str, ...]:
    if weights.pair(weights.hand().choice):
        return "x", "y"
    return PLANES if _value("channel") == "RGB" else ()


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


def _most_dilation(size: Size) -> Size:
    """The widest spread that fits: dilation · (k − 1) + 1 must not exceed the room."""
    now = settings()
    y, x = (
        max(1, min(filters.MAX_DILATION, (n - 1) // (k - 1) if k > 1 else filters.MAX_DILATION))
        for n, k in zip(room(size, now.padding), now.kernel_size, strict=True)
    )
    return y, x


def _most_pool(size: Size) -> Size:
    """The largest pool that fits into the feature map."""
    cells = map_size(settings(), size) or (filters.MAX_POOL, filters.MAX_POOL)
    return min(filters.MAX_POOL, cells[0]), min(filters.MAX_POOL, cells[1])


# ------------------------------------------------------------------------------------- what a change draws again


def layout(photo_size: Size) -> tuple[Any, ...]:
    """All that decides which controls and sentences there are and what can be set, so that any change of it shows."""
    side = str(_value("size"))
    size = photo_size if side == "full" else display.reduced_size(photo_size, int(side))
    cells = map_size(settings(), size)
    return (
        photo_size,
        size,
        _planes(),
        _value("channel") == "RGB",
        strength(),
        _value("padding") == "own",
        _most_dilation(size),
        _most_pool(size),
        cells is not None,
        weights.problem(),
        _value("kernel") in weights.CHOICES,
        _value("compare"),
    )


def drawn(photo: Photo, only_stages_depend: bool) -> None:
    """Note what the page was drawn for; `only_stages_depend`: that nothing but its stages shows numbers of the road."""
    size = (photo.pixels.shape[0], photo.pixels.shape[1])
    st.session_state["lab_drawn"] = (size, layout(size)) if only_stages_depend else None


def redraw(*also: str) -> None:
    """Callback: run the stages' fragment alone, and those in `also`, where the rest of the page can stay as it is."""
    if (last := st.session_state.get("lab_drawn")) and layout(last[0]) == last[1]:
        st.rerun([*also, STAGES])


def redraw_kept() -> None:
    """The same after a change of what stands in the address beside the widgets' own values."""
    redraw(KEPT)


# ------------------------------------------------------------------------------------------------- the controls


def kept() -> None:
    """What stands in the address beside the visible widgets' values."""
    for param in ("kernel", "w", "compare", "cell"):
        address.kept(param, _DEFAULTS[param])


def channel() -> None:
    """Which channel the kernel reads."""
    _segments("Channel", list(CHANNELS), "channel")


def size() -> None:
    """The working size."""
    _segments("Working size", SIZES, "size")
    st.caption("At 16 and 32 every number can be read.")


def kernel() -> None:
    """Which kernel, and which plane of it the grid shows."""
    address.choice("Kernel", "kernel", weights.CHOICES, weights.DEFAULT, weights.choose_preset, redraw_kept)
    fixed = weights.pair(weights.hand().choice) is not None
    if fixed and _value("channel") == "RGB":
        st.caption("Three channels have no one direction: a gradient reads luminance.")
    if names := _planes():
        _segments("Kernel of the pair" if fixed else "Plane", names, f"plane_{names[0]}", redraw)


def edit() -> None:
    """Callback: the kernel stage sent a change."""
    weights.edit(None if weights.pair(weights.hand().choice) else plane())
    redraw_kept()


def bias() -> None:
    """The number added to every sum; an angle has none."""
    st.number_input(
        "Bias",
        -10_000.0,
        10_000.0,
        0.0,
        1.0,
        "%g",
        key="bias",
        bind="query-params",
        disabled=not strength(),
        on_change=redraw,
    )


def strides() -> None:
    """How far the window moves."""
    _pair("Stride", "stride", (filters.MAX_STRIDE, filters.MAX_STRIDE))


def padding() -> None:
    """The zeros round the picture."""
    st.selectbox("Padding", PADDINGS, key="padding", bind="query-params", on_change=redraw)
    if _value("padding") == "own":
        for two in (SIDES[:2], SIDES[2:]):
            with st.container(horizontal=True, wrap=False, gap="xsmall"):
                for side in two:
                    _whole(side.title(), f"pad_{side}", 0, filters.MAX_PADDING)


def dilation(size: Size) -> None:
    """How far the weights stand apart, in a picture of `size`."""
    most = _most_dilation(size)
    _pair("Dilation", "dilation", most)
    if min(most) < filters.MAX_DILATION:
        st.caption(f"At most {min(most)}: wider, the kernel leaves the picture.")


def view() -> None:
    """How the maps are colored."""
    _segments("Display", VIEWS, "view", redraw)


def relu() -> None:
    """Whether negative cells become 0."""
    st.toggle("Cut negative numbers", True, key="relu", bind="query-params", on_change=redraw)


def pool(size: Size) -> None:
    """Pool size, stride and kind, for a picture of `size`."""
    most = _most_pool(size)
    _pair("Pool size", "pool", most)
    _pair("Pool stride", "pool_stride", (filters.MAX_STRIDE, filters.MAX_STRIDE))
    if min(most) < filters.MAX_POOL:
        st.caption(f"At most {most[0]} × {most[1]}: the map has no more cells.")
    _segments("Kind", list(POOLS), "kind", redraw)


def sheet() -> str:
    """Of which stage every number is shown."""
    _segments("Every number of", SHEETS, "sheet", width="content")
    return str(_value("sheet"))


def compare() -> str:
    """Which other kernel the map is compared with, "" for none."""
    return address.choice("Compare with", "compare", OTHERS, "", lambda: None, lambda: None, width=280)


def _segments(
    label: str,
    options: Any,
    key: str,
    on_change: Callable[[], None] | None = None,
    width: Literal["stretch", "content"] = "stretch",
) -> None:
    st.segmented_control(
        label,
        options,
        default=_DEFAULTS[key],
        required=True,
        key=key,
        bind="query-params",
        width=width,
        on_change=on_change,
    )


def _pair(label: str, key: str, most: Size) -> None:
    """Two whole numbers from 1 side by side: down (y) and across (x)."""
    with st.container(horizontal=True, wrap=False, gap="xsmall"):
        _whole(f"{label} ↓", f"{key}_y", 1, most[0])
        _whole(f"{label} →", f"{key}_x", 1, most[1])


def _whole(label: str, key: str, least: int, most: int) -> None:
    """A whole number; one that has become impossible is lowered to the most that is possible."""
    if _value(key) > most:
        st.session_state[key] = most
    default = min(_DEFAULTS[key], most)
    st.number_input(label, least, most, default, 1, key=key, bind="query-params", on_change=redraw)
