"""The controls and stages of the Kernel lab: widgets in, settings out; a walked road in, stages out."""

import re
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnnviz import display, filters, kernels, microscope, road
from cnnviz.images import Photo
from cnnviz.kernels import Weights
from cnnviz.ui import address, frame, weights, words

NAME = "lab"  # of the road, for the microscope
SIZES = ("16", "32", "64", "128", "256", "512", "full")
CHANNELS: dict[str, road.Channel] = {"Grey": "luminance", "R": "red", "G": "green", "B": "blue", "RGB": "rgb"}
VIEWS = ("Signed", "Absolute", "Clipped")
PADDINGS = ("valid", "same", "own")
SIDES = ("top", "bottom", "left", "right")
SHOWN = 416  # pixels a stage picture has at most: 208 on the page, sharp on dense screens


def working_picture(photo: Photo) -> NDArray[np.uint8]:
    """The picture at the working size, with its control."""
    size = st.select_slider("Working size", SIZES, "128", key="size", bind="query-params")
    return photo.pixels if size == "full" else display.reduce(photo.pixels, int(size))


def channel_control() -> road.Channel:
    """Which channel the kernel reads."""
    chosen = st.segmented_control(
        "Channel", list(CHANNELS), default="Grey", required=True, key="channel", bind="query-params", width="stretch"
    )
    return CHANNELS[chosen or "Grey"]


def whole(label: str, key: str, highest: int, default: int, lowest: int = 1) -> int:
    """A whole number from `lowest` to `highest`; a value that has become impossible is lowered, and the page says so."""
    highest = max(lowest, highest)
    if st.session_state.get(key, default) > highest:
        st.session_state[key] = highest
    return int(st.number_input(label, lowest, highest, min(default, highest), 1, key=key, bind="query-params"))


def pair(label: str, key: str, highest: tuple[int, int], default: int) -> tuple[int, int]:
    """Two whole numbers side by side, down (y) and across (x)."""
    down, across = st.columns(2, gap="xsmall", wrap=False)
    with down:
        y = whole(f"{label} ↓", f"{key}_y", highest[0], default)
    with across:
        x = whole(f"{label} →", f"{key}_x", highest[1], default)
    return y, x


def padding_control() -> filters.Padding:
    kind = st.selectbox("Padding", PADDINGS, key="padding", bind="query-params")
    if kind != "own":
        return str(kind)
    first, second = st.columns(2, gap="xsmall", wrap=False), st.columns(2, gap="xsmall", wrap=False)
    amounts = []
    for side, column in zip(SIDES, (*first, *second), strict=True):
        with column:
            amounts.append(whole(side.title(), f"pad_{side}", filters.MAX_PADDING, 1, lowest=0))
    return (amounts[0], amounts[1]), (amounts[2], amounts[3])


def padded(size: tuple[int, int], padding: filters.Padding) -> tuple[int, int]:
    """Rows and columns with their zeros; for "same" no window is too large, so 60 and more."""
    if padding == "same":
        return max(60, size[0]), max(60, size[1])
    if isinstance(padding, tuple):
        return size[0] + sum(padding[0]), size[1] + sum(padding[1])
    return size


def most_dilation(room: tuple[int, int], kernel_size: tuple[int, int]) -> tuple[int, int]:
    """The widest spread that still fits: dilation · (k − 1) + 1 ≤ room."""
    y, x = (min(filters.MAX_DILATION, (n - 1) // max(1, k - 1)) for n, k in zip(room, kernel_size, strict=True))
    return max(1, y), max(1, x)


# ------------------------------------------------------------------------------------------------- the kernel


def kernel_control(channels: int) -> tuple[weights.Hand, int | None]:
    """Choose, resize and change the kernel. Returns it and the plane that the grid of weights shows."""
    address.kept("w")
    address.choice("Kernel", "kernel", weights.CHOICES, weights.DEFAULT, weights.choose_preset)
    hand = weights.hand()
    fixed = weights.pair(hand.choice) is not None
    plane = None
    if fixed:
        plane = ("x", "y").index(
            st.segmented_control(
                "Kernel of the pair", ("x", "y"), default="x", required=True, key="of_pair", width="stretch"
            )
            or "x"
        )
    elif channels == 3:
        plane = ("R", "G", "B").index(
            st.segmented_control("Plane", ("R", "G", "B"), default="R", required=True, key="plane", width="stretch")
            or "R"
        )
    if not fixed:
        _size_controls(weights.weights(hand, channels))
    with st.container(horizontal=True, gap="xxsmall", key="kernel_edits"):
        for name, label, function, why in EDITS:
            st.button(
                label,
                key=f"edit_{name}",
                type="tertiary",
                disabled=fixed,
                help=why,
                on_click=_apply,
                args=(function, channels),
            )
        st.button("Undo", key="edit_undo", type="tertiary", disabled=not weights.can_undo(), on_click=weights.undo)
        st.button(
            "Reset",
            key="edit_reset",
            type="tertiary",
            disabled=hand.edited is None,
            on_click=weights.reset,
            help="Back to the preset’s own weights.",
        )
    return hand, plane


EDITS = (
    ("flip", "Flip", kernels.flip, "Turn the kernel by 180°: correlation becomes the convolution of mathematics."),
    ("negate", "Negate", kernels.negate, "Change every sign."),
    ("transpose", "Transpose", kernels.transpose, "Exchange rows and columns: vertical edges become horizontal ones."),
    (
        "normalize",
        "Normalize",
        kernels.normalize,
        "Divide by the sum of the weights, so that brightness stays. "
        "Where they sum to 0, divide by half the sum of their absolute values.",
    ),
)


def _apply(function: Any, channels: int) -> None:
    weights.change(function(weights.weights(weights.hand(), channels)))


def _size_controls(grid: Weights) -> None:
    for key, side in (("kernel_rows", 0), ("kernel_columns", 1)):
        st.session_state[key] = grid.shape[side]
    rows, columns = st.columns(2, gap="xsmall", wrap=False)
    channels = 1 if grid.ndim == 2 else 3
    rows.number_input("Rows", 1, kernels.MAX_SIDE, key="kernel_rows", on_change=_resize, args=(channels,))
    columns.number_input("Columns", 1, kernels.MAX_SIDE, key="kernel_columns", on_change=_resize, args=(channels,))


def _resize(channels: int) -> None:
    rows, columns = st.session_state["kernel_rows"], st.session_state["kernel_columns"]
    if rows and columns:
        weights.change(kernels.resize(weights.weights(weights.hand(), channels), int(rows), int(columns)))


def kernel_grids(hand: weights.Hand, channel: road.Channel) -> tuple[Weights, Weights | None, Any]:
    """The weights for road.Settings: (weights, weights_y, combine)."""
    of_pair = weights.pair(hand.choice)
    if of_pair:
        x, y, kind = of_pair
        return filters.PRESETS[x].weights, filters.PRESETS[y].weights, kind
    return weights.weights(hand, 3 if channel == "rgb" else 1), None, "sum"


def read_channel(hand: weights.Hand, channel: road.Channel) -> road.Channel:
    """The channel that is read: a gradient of all three at once has no one direction, so it reads luminance."""
    return "luminance" if channel == "rgb" and weights.pair(hand.choice) else channel


def draw_kernel(hand: weights.Hand, grids: tuple[Weights, Weights | None, Any], plane: int | None) -> None:
    """The kernel stage: the grid of weights, one plane of it where there are several."""
    if grids[1] is not None:
        shown, sub = grids[plane or 0], f"{('x', 'y')[plane or 0]} of the pair"
    elif grids[0].ndim == 3:
        shown, sub = grids[0][..., plane or 0], f"plane {('R', 'G', 'B')[plane or 0]} of three"
    else:
        shown, sub = grids[0], "edited" if hand.edited is not None else "click a weight to change it"
    assert shown is not None
    microscope.kernel(
        "kernel_grid",
        {
            "title": "Kernel",
            "sub": sub,
            "weights": [[float(w) for w in row] for row in shown],
            "shape": words.times(shown.shape),
            "range": words.value_range(shown),
            "bar": display.signed_scale(1).css,
            "fixed": grids[1] is not None,
        },
        lambda: weights.edit(plane if grids[0].ndim == 3 else None),
    )
    if sentence := st.session_state.pop("kernel_problem", None):
        frame.problem(sentence, "kernel")


# ------------------------------------------------------------------------------------------------- the stages


def draw_input(pixels: NDArray[np.uint8], plane: str, settings: road.Settings | None) -> None:
    """The input stage: what the kernel reads, its padding hatched, what no window reads cross-hatched."""
    size = (pixels.shape[0], pixels.shape[1])
    read = road.source(pixels, settings.channel) if settings else pixels
    (top, bottom), (left, right) = road.pads(settings, size) if settings else ((0, 0), (0, 0))
    channel: Any = settings.channel if settings else "rgb"
    microscope.stage(
        "stage_input",
        NAME,
        "input",
        "Input",
        size,
        plane=plane,
        channel=road.PLANES.get(channel, channel),
        sub={"luminance": "0.299 R + 0.587 G + 0.114 B", "rgb": "three channels"}.get(channel, f"{channel} channel"),
        shape=words.times(size) + (" × 3" if channel == "rgb" else ""),
        value_range=words.value_range(read),
        bar=display.grey_scale().css,
        alt=f"The picture at working size, {words.times(size)} pixels",
        pads=(top, bottom, left, right),
        uncovered=road.uncovered(settings, size) if settings else None,
        live=settings is not None,
    )


def draw_map(
    key: str,
    role: str,
    title: str,
    sub: str,
    values: NDArray[np.float32],
    scale: display.Scale,
    *,
    note: str = "",
    name: str = NAME,
    live: bool = True,
    arrow: bool = True,
) -> None:
    """One stage with a map, colored on `scale` and reduced by area where it has more cells than it is shown with."""
    shown = display.reduce(values, SHOWN)
    microscope.stage(
        key,
        name,
        role,
        title,
        (values.shape[0], values.shape[1]),
        picture=display.data_url(display.palette_png(shown, scale), "png"),
        sub=sub,
        shape=words.times(values.shape),
        value_range=words.value_range(values),
        bar=scale.css,
        note=note,
        alt=f"{title}, {words.times(values.shape)} cells, values {words.value_range(values)}",
        arrow=arrow,
        live=live,
    )


def draw_maps(walked: road.Road, view: str, map_stage: Any, relu_stage: Any, pool_stage: Any) -> None:
    """Feature map, ReLU and pool, with the range of the feature map kept by the other two."""
    s = walked.settings
    operator = words.operator(s)
    if s.combine == "direction":
        assert walked.magnitude is not None
        with map_stage:
            draw_direction(walked.feature_map, walked.magnitude, operator)
        relu_stage.markdown("An angle is no strength: ReLU and pooling rest here. Choose the magnitude to go on.")
        return
    scale, shape_values = _view(walked, view)
    negative = int((walked.feature_map < 0).sum())
    with map_stage:
        note = "Below 0 is black, above 255 is white: half of the answer is lost." if view == "Clipped" else ""
        draw_map("stage_map", "map", "Feature map", operator, shape_values(walked.feature_map), scale, note=note)
    assert walked.relu is not None
    with relu_stage:
        cut = (
            f"{display.number(100 * negative / walked.feature_map.size, 3)} % of the cells became 0"
            if s.relu
            else "off"
        )
        draw_map(
            "stage_relu",
            "relu",
            "ReLU",
            "max(0, x)" if s.relu else "off: x stays x",
            shape_values(walked.relu),
            scale,
            note=cut,
        )
    with pool_stage:
        title = "Max pool" if s.pool_kind == "max" else "Average pool"
        if walked.pooled is None:
            frame.problem(
                f"A {words.times(s.pool_size)} pool does not fit into {words.times(walked.relu.shape)} cells; "
                "choose a smaller pool.",
                "pool",
            )
        else:
            draw_map(
                "stage_pool",
                "pool",
                title,
                f"{s.pool_size[0]}×{s.pool_size[1]} · stride {s.pool_strides[0]}",
                shape_values(walked.pooled),
                scale,
            )


def _view(walked: road.Road, view: str) -> tuple[display.Scale, Any]:
    limit = display.limit(walked.feature_map)
    if view == "Clipped":
        return display.grey_scale(), lambda values: np.clip(values, 0, 255)
    if view == "Absolute" or walked.settings.combine == "magnitude":
        return display.heat_scale(0, limit), np.abs
    return display.signed_scale(limit), lambda values: values


def draw_door(key: str, title: str, walked: road.Road) -> None:
    """A feature map for the Start page: nothing on it opens, the link under it does."""
    scale = display.signed_scale(display.limit(walked.feature_map))
    draw_map(
        f"door_map_{key}",
        "map",
        title,
        filters.PRESETS[key].label,
        walked.feature_map,
        scale,
        name="doors",
        live=False,
        arrow=False,
    )


def draw_direction(angle: NDArray[np.float32], magnitude: NDArray[np.float32], operator: str) -> None:
    """The map of angles in colors of a wheel."""
    microscope.stage(
        "stage_map",
        NAME,
        "map",
        "Direction",
        (angle.shape[0], angle.shape[1]),
        picture=display.data_url(display.png(display.directions(angle, magnitude)), "png"),
        sub=operator,
        shape=words.times(angle.shape),
        value_range="−180° … 180°",
        bar=display.wheel_css(),
        note="Right, down, left, up, right again; grey where there is no slope.",
        alt=f"Direction of the gradient, {words.times(angle.shape)} cells",
        arrow=True,
        live=True,
    )


def pinned() -> str:
    """The place in the URL that the window is held at, or "": "map,row,column"."""
    place = address.kept("cell")
    stage, *cell = place.split(",")
    good = (
        stage in ("map", "relu", "pool", "input")
        and len(cell) == 2
        and all(re.fullmatch("[0-9]{1,4}", c) for c in cell)
    )
    return place if good else ""


def keep_pin() -> None:
    """The window was held or let go: keep that in the URL."""
    if (place := st.session_state["window"].pin) is not None:
        st.session_state["cell"] = place
