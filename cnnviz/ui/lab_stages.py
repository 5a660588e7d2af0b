"""The stages of the Kernel lab: a walked road in, pictures with their ranges out."""

import io
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnnviz import display, filters, microscope, road
from cnnviz.filters import Floats
from cnnviz.ui import address, frame, lab_words, weights

NAME = "lab"  # of the road, for the microscope
VIEWS = ("Signed", "Absolute", "Clipped")
SHOWN = 416  # pixels a stage picture has at most: 208 on the page, sharp on dense screens
SHEET = 32  # cells a side up to which every number is shown


def draw_kernel(hand: weights.Hand, grid: Floats, plane: int | None, fixed: bool) -> None:
    """The kernel stage: the grid of weights, one plane of it where there are several."""
    shown = grid if grid.ndim == 2 else grid[..., plane or 0]
    if fixed:
        sub = f"{('x', 'y')[plane or 0]} of the pair, fixed"
    elif grid.ndim == 3:
        sub = f"plane {('R', 'G', 'B')[plane or 0]}; all three are summed"
    else:
        sub = "edited" if hand.edited is not None else "click a weight to change it"
    problem = st.session_state.pop("kernel_problem", "")
    microscope.kernel(
        "kernel_grid",
        {
            "title": "Kernel",
            "sub": sub,
            "weights": [[float(w) for w in row] for row in shown],
            "shape": lab_words.times(grid.shape),
            "range": lab_words.value_range(shown),
            "bar": display.signed_scale(1).css,
            "fixed": fixed,
            "problem": problem,
        },
        lambda: weights.edit(plane if grid.ndim == 3 else None),
    )
    if problem:
        frame.problem(problem, "kernel")


def draw_input(
    pixels: NDArray[np.uint8],
    plane: str,
    settings: road.Settings,
    fits: bool,
    key: str = "stage_input",
    sheet: bool = False,
) -> None:
    """The input stage: what the kernel reads, its padding hatched, what no window reads cross-hatched."""
    size = (pixels.shape[0], pixels.shape[1])
    channel = settings.channel
    read = road.source(pixels, channel)
    (top, bottom), (left, right) = road.pads(settings, size) if fits else ((0, 0), (0, 0))
    microscope.stage(
        key,
        NAME,
        "input",
        "Input",
        size,
        plane=plane,
        channel=road.PLANES.get(channel, channel),
        sub={"luminance": "0.299 R + 0.587 G + 0.114 B", "rgb": "three channels"}.get(channel, f"{channel} channel"),
        shape=lab_words.times(size) + (" × 3" if channel == "rgb" else ""),
        value_range=lab_words.value_range(read),
        bar=display.grey_scale().css if channel != "rgb" else "",
        alt=f"The picture at working size, {lab_words.times(size)} pixels",
        pads=(top, bottom, left, right),
        uncovered=road.uncovered(settings, size) if fits else None,
        numbers=_numbers(read) if sheet and read.ndim == 2 else None,
        live=fits,
        sheet=sheet,
    )


def draw_map(
    key: str,
    role: str,
    title: str,
    sub: str,
    values: Floats,
    scale: display.Scale,
    *,
    name: str = NAME,
    live: bool = True,
    arrow: bool = True,
    sheet: bool = False,
    raw: Floats | None = None,
) -> None:
    """One stage with a map, colored on `scale`, reduced by area where it has more cells than it is shown with.

    raw: the numbers, where `values` is only how they are displayed (absolute, clipped).
    """
    numbers = values if raw is None else raw
    text = lab_words.value_range(numbers)
    microscope.stage(
        key,
        name,
        role,
        title,
        (values.shape[0], values.shape[1]),
        picture=display.data_url(display.palette_png(display.reduce(values, SHOWN), scale), "png"),
        sub=sub,
        shape=lab_words.times(values.shape),
        value_range=text,
        bar=scale.css,
        alt=f"{title}, {lab_words.times(values.shape)} cells, values {text}",
        arrow=arrow,
        live=live,
        numbers=_numbers(numbers) if sheet else None,
        sheet=sheet,
    )


def _numbers(values: Floats) -> list[list[str]]:
    return [[display.number(float(v)) for v in row] for row in values]


def draw_direction(walked: road.Road) -> None:
    """The map of angles in the colors of a wheel."""
    assert walked.magnitude is not None
    angle = walked.feature_map
    step = -(-max(angle.shape) // SHOWN)  # angles have no mean: where there are too many, every nth is shown
    shown, strength = angle[::step, ::step], walked.magnitude[::step, ::step]
    microscope.stage(
        "stage_map",
        NAME,
        "map",
        "Direction",
        (angle.shape[0], angle.shape[1]),
        picture=display.data_url(display.png(display.directions(shown, strength)), "png"),
        sub=lab_words.operator(walked.settings),
        shape=lab_words.times(angle.shape),
        value_range="−180° … 180°",
        bar=display.wheel_css(),
        alt=f"Direction of the gradient, {lab_words.times(angle.shape)} cells",
        arrow=True,
        live=True,
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.image(display.wheel(56), width=56, output_format="PNG", alt="A wheel: each direction in its color")
        with st.container(width=136):
            st.caption("It gets brighter this way. Grey: no slope.")


def view(walked: road.Road, name: str) -> tuple[display.Scale, Callable[[Floats], Floats]]:
    """The color scale that all maps of the road share, and what is done to values before they are colored."""
    limit = display.limit(walked.feature_map)
    if name == "Clipped":
        return display.grey_scale(), lambda values: np.clip(values, 0, 255)
    if name == "Absolute" or walked.settings.combine == "magnitude":
        return display.heat_scale(0, limit), np.abs
    return display.signed_scale(limit), lambda values: values


def draw_relu(walked: road.Road, scale: display.Scale, shown: Callable[[Floats], Floats]) -> None:
    """The map after ReLU, in the colors of the map before it, so that the negative cells are seen to vanish."""
    assert walked.relu is not None
    sub = "max(0, x)" if walked.settings.relu else "off: x stays x"
    draw_map("stage_relu", "relu", "ReLU", sub, shown(walked.relu), scale, raw=walked.relu)


def draw_pool(walked: road.Road, scale: display.Scale, shown: Callable[[Floats], Floats]) -> None:
    """The pooled map, or the sentence why there is none."""
    assert walked.relu is not None
    s = walked.settings
    if walked.pooled is None:
        size, cells = lab_words.times(s.pool_size), lab_words.times(walked.relu.shape)
        frame.problem(f"A pool of {size} does not fit into {cells} cells; choose a smaller pool.", "pool")
        return
    title = "Max pool" if s.pool_kind == "max" else "Average pool"
    sub = f"{s.pool_size[0]}×{s.pool_size[1]} · stride {lab_words.both(s.pool_strides)}"
    draw_map("stage_pool", "pool", title, sub, shown(walked.pooled), scale, raw=walked.pooled)


def draw_sheet(
    walked: road.Road, plane: str, which: str, scale: display.Scale, shown: Callable[[Floats], Floats]
) -> None:
    """One stage over the full width, with every number in its cell."""
    if which == "Input":
        draw_input(walked.pixels, plane, walked.settings, True, "sheet_input", sheet=True)
        return
    role, values = {
        "Feature map": ("map", walked.feature_map),
        "ReLU": ("relu", walked.relu),
        "Pooled map": ("pool", walked.pooled),
    }[which]
    if values is None:
        frame.problem("There is no such map at these settings; choose another.", "sheet")
        return
    draw_map(f"sheet_{role}", role, which, "", shown(values), scale, raw=values, arrow=False, sheet=True)


def draw_comparison(walked: road.Road, choice: str) -> None:
    """The feature map beside that of another kernel, and their difference, all on the same scale."""
    s = walked.settings
    kernel = filters.PRESETS[choice]
    grid = kernel.weights if s.weights.ndim == 2 else np.repeat(kernel.weights[..., None], 3, axis=2)
    try:
        other = road.walk(walked.pixels, replace(s, weights=grid, weights_y=None, combine="sum"))
    except ValueError as error:
        frame.problem(str(error), "compare")
        return
    first, second = walked.feature_map, other.feature_map
    scale = display.signed_scale(max(display.limit(first), display.limit(second)))
    rows, columns = (min(a, b) for a, b in zip(first.shape, second.shape, strict=True))
    with st.grid(3, min_column_width=200, gap=(24, 32), key="comparison"):
        draw_map(
            "compare_one",
            "one",
            "This kernel",
            lab_words.operator(s),
            first,
            scale,
            name="compare",
            live=False,
            arrow=False,
        )
        draw_map(
            "compare_two",
            "two",
            kernel.label,
            lab_words.operator(other.settings),
            second,
            scale,
            name="compare",
            live=False,
            arrow=False,
        )
        difference = _middle(first, rows, columns) - _middle(second, rows, columns)
        draw_map(
            "compare_difference",
            "difference",
            "Difference",
            "this − other",
            difference,
            display.signed_scale(display.limit(difference)),
            name="compare",
            live=False,
            arrow=False,
        )


def _middle(values: Floats, rows: int, columns: int) -> Floats:
    """The middle of a map: with "valid", maps of kernels of different size differ by a border."""
    top, left = (values.shape[0] - rows) // 2, (values.shape[1] - columns) // 2
    return values[top : top + rows, left : left + columns]


def pinned() -> str:
    """The place in the URL that the window is held at, "map,row,column", or ""."""
    place = address.kept("cell")
    return place if re.fullmatch(r"(input|map|relu|pool),\d{1,4},\d{1,4}", place, re.ASCII) else ""


def keep_pin() -> None:
    """The window was held or let go: keep that in the URL."""
    if (place := st.session_state["window"].pin) is not None:
        st.session_state["cell"] = place


def downloads(walked: road.Road, scale: display.Scale, shown: Callable[[Floats], Floats]) -> None:
    """Each map as a PNG of one pixel a cell, and as the float32 array itself."""
    for name, values in (("feature_map", walked.feature_map), ("relu", walked.relu), ("pooled", walked.pooled)):
        if values is None:
            continue
        with st.container(horizontal=True, gap="small"):
            label = name.replace("_", " ").replace("relu", "ReLU").capitalize()
            st.download_button(
                f"{label} .png",
                _png_of(shown(values), scale),
                f"{name}.png",
                "image/png",
                key=f"png_{name}",
                type="tertiary",
                on_click="ignore",
            )
            st.download_button(
                f"{label} .npy",
                _npy_of(values),
                f"{name}.npy",
                "application/octet-stream",
                key=f"npy_{name}",
                type="tertiary",
                on_click="ignore",
            )


def _png_of(values: Floats, scale: display.Scale) -> Callable[[], bytes]:
    return lambda: display.palette_png(values, scale)


def _npy_of(values: Floats) -> Callable[[], bytes]:
    def write() -> bytes:
        file = io.BytesIO()
        np.save(file, values)
        return file.getvalue()

    return write
