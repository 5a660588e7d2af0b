"""The stages of the Kernel lab: a walked road in, pictures with their ranges out."""

import io
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnnviz import display, filters, kernels, microscope, road
from cnnviz.filters import Floats
from cnnviz.ui import address, frame, lab_words, weights

NAME = "lab"  # of the road, for the microscope
SHOWN = 416  # pixels a stage picture has at most: 208 on the page, sharp on dense screens
SHEET = 32  # cells a side up to which every number is shown


def draw_kernel(hand: weights.Hand, grid: Floats, plane: int | None, fixed: bool, room: tuple[int, int]) -> None:
    """The kernel stage: the grid of weights, one plane of it where there are several, and what can be done to it.

    room: the rows and columns that the picture has for a window.
    """
    most = [max(have, min(kernels.MAX_SIDE, free)) for have, free in zip(grid.shape[:2], room, strict=True)]
    why = "" if min(most) == kernels.MAX_SIDE else f"At most {most[0]} × {most[1]}: larger ones leave the picture."
    shown = grid if grid.ndim == 2 else grid[..., plane or 0]
    if fixed:
        sub = f"{('x', 'y')[plane or 0]} of the pair, fixed"
    elif grid.ndim == 3:
        sub = f"plane {('R', 'G', 'B')[plane or 0]}; all three are summed"
    else:
        preset = weights.CHOICES[hand.choice].partition(":")[0]
        sub = "click a weight to change it" if hand.edited is None else f"edited, was {preset}"
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
            "most": most,
            "why": why,
            "edited": hand.edited is not None,
            "canUndo": weights.can_undo(),
            "problem": problem,
            "turn": st.session_state.get("kernel_turn", 0),
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
        sub="Choose one channel to read its numbers."
        if sheet and channel == "rgb"
        else {"luminance": "0.299 R + 0.587 G + 0.114 B", "rgb": "three channels"}.get(channel, f"{channel} channel"),
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
    note: str = "",
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
        note=note,
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
        note=lab_words.map_formula(walked),
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
    if walked.settings.combine == "sum" and walked.settings.weights.min() >= 0 and walked.settings.bias >= 0:
        return display.grey_scale(0, limit), lambda values: values  # no cell can be negative: still a picture
    if name == "Absolute" or walked.settings.combine == "magnitude":
        return display.heat_scale(0, limit), np.abs
    return display.signed_scale(limit), lambda values: values


def draw_feature_map(walked: road.Road, scale: display.Scale, shown: Callable[[Floats], Floats]) -> None:
    """The feature map itself."""
    values, operator = walked.feature_map, lab_words.operator(walked.settings)
    note = lab_words.map_formula(walked)
    draw_map("stage_map", "map", "Feature map", operator, shown(values), scale, raw=values, note=note)


def draw_relu(walked: road.Road, scale: display.Scale, shown: Callable[[Floats], Floats]) -> None:
    """The map after ReLU, in the colors of the map before it, so that the negative cells are seen to vanish."""
    assert walked.relu is not None
    sub = "max(0, x)" if walked.settings.relu else "off: x stays x"
    note = lab_words.relu_share(walked)
    draw_map("stage_relu", "relu", "ReLU", sub, shown(walked.relu), scale, raw=walked.relu, note=note)


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
    note = lab_words.pool_formula(walked)
    draw_map("stage_pool", "pool", title, sub, shown(walked.pooled), scale, raw=walked.pooled, note=note)


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
    other = kernel.weights if s.weights.ndim == 2 else np.repeat(kernel.weights[..., None], 3, axis=2)
    # with zeros round it, up to one odd size, a kernel computes the same and both windows stand on the same pixels
    side = [max(a, b) + 1 - max(a, b) % 2 for a, b in zip(s.kernel_size, other.shape[:2], strict=True)]
    try:
        first, second = (
            road.walk(walked.pixels, replace(s, **weights_of)).feature_map
            for weights_of in (
                {"weights": kernels.resize(s.weights, *side)}
                | ({} if s.weights_y is None else {"weights_y": kernels.resize(s.weights_y, *side)}),
                {"weights": kernels.resize(other, *side), "weights_y": None, "combine": "sum"},
            )
        )
    except ValueError as error:
        frame.problem(str(error), "compare")
        return
    scale = display.signed_scale(max(display.limit(first), display.limit(second)))
    difference = first - second
    maps = (
        ("one", "This kernel", "", first, scale),
        ("two", kernel.label, "", second, scale),
        ("difference", "Difference", "this − other", difference, display.signed_scale(display.limit(difference))),
    )
    with st.grid(3, min_column_width=200, gap=(24, 32), key="comparison"):
        for role, title, sub, values, colors in maps:
            draw_map(f"compare_{role}", role, title, sub, values, colors, name="compare", live=False, arrow=False)


def pinned() -> str:
    """The place in the URL that the window is held at, "map,row,column", or ""."""
    place = address.kept("cell")
    return place if re.fullmatch(r"(input|map|relu|pool),\d{1,4},\d{1,4}", place, re.ASCII) else ""


def keep_pin() -> None:
    """The window was held or let go: keep that in the URL."""
    if (place := st.session_state["window"].pin) is not None:
        st.session_state["cell"] = place


def downloads(walked: road.Road, scale: display.Scale, shown: Callable[[Floats], Floats]) -> None:
    """Each map as a PNG of one pixel a cell, and as the float32 array itself; of the input, the array that is read."""
    read = road.source(walked.pixels, walked.settings.channel)
    maps = {"input": read, "feature_map": walked.feature_map, "relu": walked.relu, "pooled": walked.pooled}
    for name, values in maps.items():
        if values is None:
            continue
        label = {"feature_map": "Feature map", "relu": "ReLU"}.get(name, name.capitalize())
        files = {"npy": ("application/octet-stream", _npy_of(values))}
        if name != "input":
            files = {"png": ("image/png", _png_of(shown(values), scale))} | files
        with st.container(horizontal=True, gap="small"):
            for kind, (mime, write) in files.items():
                st.download_button(
                    f"{label} .{kind}",
                    write,
                    f"{name}.{kind}",
                    mime,
                    key=f"{kind}_{name}",
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
