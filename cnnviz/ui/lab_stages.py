"""The stages of the Kernel lab: a walked road in, what the microscope's parts show out."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnnviz import display, filters, kernels, microscope, road
from cnnviz.filters import Floats
from cnnviz.ui import frame, lab_controls, lab_link, lab_words, weights

NAME = "lab"  # of the road, for the microscope
SHOWN = 208  # pixels a stage is wide on the page; dense screens and phones ask for FINE
FINE = 416
SHEET = 32  # cells a side up to which every number is shown
COMPARED = ("one", "two", "difference")
_STOPS = 17  # of a color bar


def kernel_grid(
    hand: weights.Hand, settings: road.Settings, plane: int | None, room: tuple[int, int]
) -> dict[str, Any]:
    """What the grid of weights shows: one plane of it where there are several, and what can be done to it.

    room: the rows and columns that the picture has for a window.
    """
    fixed = settings.weights_y is not None
    grid = settings.weights_y if settings.weights_y is not None and plane == 1 else settings.weights
    most = [max(have, min(kernels.MAX_SIDE, free)) for have, free in zip(grid.shape[:2], room, strict=True)]
    why = "" if min(most) == kernels.MAX_SIDE else f"At most {most[0]} × {most[1]}: larger ones leave the picture."
    if any(have > free for have, free in zip(grid.shape[:2], room, strict=True)):
        why = f"The picture has room for {max(room[0], 0)} × {max(room[1], 0)} at most."
    shown = grid if grid.ndim == 2 else grid[..., plane or 0]
    if fixed:
        sub = f"{('x', 'y')[plane or 0]} of the pair, fixed"
    elif grid.ndim == 3:
        sub = f"plane {('R', 'G', 'B')[plane or 0]}; all three are summed"
    else:
        sub = "click a weight to change it" if hand.edited is None else weights.name(hand)
    return {
        "title": "Kernel",
        "sub": sub,
        "weights": [[float(w) for w in row] for row in shown],
        "shape": lab_words.times(grid.shape),
        "range": lab_words.value_range(shown),
        "bar": display.signed_scale(display.limit(shown)).bar(_from_least_to_most(shown)),
        "fixed": fixed,
        "most": most,
        "why": why,
        "edited": hand.edited is not None,
        "canUndo": weights.can_undo(),
        "turn": st.session_state.get("kernel_turn", 0),
    }


def input_stage(
    pixels: NDArray[np.uint8], plane: str, settings: road.Settings, fits: bool, sheet: bool = False
) -> microscope.Stage:
    """What the kernel reads, its padding hatched, what no window reads cross-hatched."""
    size = (pixels.shape[0], pixels.shape[1])
    channel = settings.channel
    read = road.source(pixels, channel)
    (top, bottom), (left, right) = road.pads(settings, size) if fits else ((0, 0), (0, 0))
    return microscope.Stage(
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
        bar=display.grey_scale().bar(_from_least_to_most(read)) if channel != "rgb" else "",
        alt=f"The picture at working size, {lab_words.times(size)} pixels",
        pads=(top, bottom, left, right),
        uncovered=road.uncovered(settings, size) if fits else None,
        numbers=_numbers(read) if sheet and read.ndim == 2 else None,
        note=lab_words.border(settings, size) if fits and not sheet else "",
        live=fits,
        sheet=sheet,
    )


def map_stage(
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
    shown: Callable[[Floats], Floats] | None = None,
    note: str = "",
) -> microscope.Stage:
    """A map, colored on `scale`, reduced by area where it has more cells than it is shown with.

    shown: what is done to the values before they are colored (absolute, clipped).
    """
    text = lab_words.value_range(values)
    to_color = shown or (lambda numbers: numbers)
    return microscope.Stage(
        name,
        role,
        title,
        (values.shape[0], values.shape[1]),
        display.levels(display.reduce(to_color(values), _side()), scale),
        scale.table,
        sub=sub,
        shape=lab_words.times(values.shape),
        value_range=text,
        bar=scale.bar(to_color(_from_least_to_most(values))),
        alt=f"{title}, {lab_words.times(values.shape)} cells, values {text}",
        arrow=arrow,
        live=live,
        numbers=_numbers(values) if sheet else None,
        sheet=sheet,
        note=note,
    )


def _from_least_to_most(values: NDArray[Any]) -> Floats:
    return np.linspace(float(values.min()), float(values.max()), _STOPS, dtype=np.float32)


def _side() -> int:
    return FINE if st.session_state.get("fine") else SHOWN


def refine() -> None:
    """Callback: the browser's screen has room for more pixels than it was sent."""
    st.session_state["fine"] = True


def _numbers(values: Floats) -> list[list[str]]:
    return [[display.number(float(v)) for v in row] for row in values]


def road_stages(walked: road.Road, name: str) -> dict[str, microscope.Stage]:
    """Feature map, ReLU and pool as far as there are any; `name` of the display."""
    if walked.relu is None:
        return {"map": _direction_stage(walked)}
    s = walked.settings
    scale, shown = view(walked, name)
    stages = {
        "map": map_stage(
            "map",
            "Feature map",
            lab_words.operator(s),
            walked.feature_map,
            scale,
            shown=shown,
            note=f"{lab_words.map_formula(walked)}\n{lab_words.evenness(walked)}".rstrip(),
        ),
        # in the colors of the map before it, so that the negative cells are seen to vanish
        "relu": map_stage(
            "relu",
            "ReLU",
            "max(0, x)" if s.relu else "off: x stays x",
            walked.relu,
            scale,
            shown=shown,
            note=lab_words.relu_share(walked),
        ),
    }
    if walked.pooled is not None:
        stages["pool"] = map_stage(
            "pool",
            "Max pool" if s.pool_kind == "max" else "Average pool",
            f"{s.pool_size[0]}×{s.pool_size[1]} · stride {lab_words.both(s.pool_strides)}",
            walked.pooled,
            scale,
            shown=shown,
            note=lab_words.pool_formula(walked),
        )
    return stages


def _direction_stage(walked: road.Road) -> microscope.Stage:
    """The map of angles in the colors of a wheel."""
    assert walked.magnitude is not None
    angle = walked.feature_map
    step = -(-max(angle.shape) // _side())  # angles have no mean: where there are too many, every nth is shown
    shown, strength = angle[::step, ::step], walked.magnitude[::step, ::step]
    return microscope.Stage(
        NAME,
        "map",
        "Direction",
        (angle.shape[0], angle.shape[1]),
        display.directions(shown, strength, road.rounding(walked.settings)),
        sub=lab_words.operator(walked.settings),
        shape=lab_words.times(angle.shape),
        value_range="−180° … 180°",
        bar=display.wheel_css(),
        alt=f"Direction of the gradient, {lab_words.times(angle.shape)} cells",
        arrow=True,
        live=True,
        note=lab_words.map_formula(walked),
    )


def draw_wheel() -> None:
    """The legend of a map of angles."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.image(display.wheel(56), width=56, output_format="PNG", alt="A wheel: each direction in its color")
        with st.container(width=136):
            st.caption("It gets brighter this way. Grey: no slope.")


def problem_of_road(pixels: NDArray[np.uint8], settings: road.Settings) -> str:
    """Why there is no feature map: the sentence with which the arithmetic refuses."""
    try:
        road.walk(pixels, settings)
    except ValueError as error:
        return str(error)
    return ""


def view(walked: road.Road, name: str) -> tuple[display.Scale, Callable[[Floats], Floats]]:
    """The color scale that all maps of the road share, and what is done to values before they are colored."""
    limit, s = road.limit(walked), walked.settings
    if name == "Clipped":
        return display.grey_scale(), lambda values: np.clip(values, 0, 255)
    if s.combine == "sum" and s.weights.min() >= 0 and s.bias >= 0:
        # no cell can be negative: still a picture, and as bright as that
        # a kernel of zeros gives zeros, which are black
        return display.grey_scale(0, max(limit, 255 * float(s.weights.sum()) + s.bias)), lambda values: values
    if name == "Absolute" or (s.combine == "magnitude" and s.bias >= 0):
        return display.heat_scale(0, limit), np.abs
    return display.signed_scale(limit), lambda values: values


def draw_sheet(walked: road.Road, plane: str, which: str, display_name: str) -> None:
    """One stage over the full width, with every number in its cell."""
    roles = {"Feature map": "map", "ReLU": "relu", "Pooled map": "pool"}
    if which == "Input":
        role, stage = "input", input_stage(walked.pixels, plane, walked.settings, True, sheet=True)
    else:
        role = roles[which]
        values = {"map": walked.feature_map, "relu": walked.relu, "pool": walked.pooled}[role]
        if values is None:
            frame.problem("There is no such map at these settings; choose another.", "sheet")
            return
        scale, shown = view(walked, display_name)
        stage = map_stage(role, which, "", values, scale, shown=shown, arrow=False, sheet=True)
    microscope.stage(f"sheet_{role}", "sheet", role)
    microscope.draw("drawn_sheet", "sheet", {role: stage})


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
        ("This kernel", weights.name(weights.hand()), first, scale),
        (kernel.label, "", second, scale),
        ("Difference", "this − other", difference, display.signed_scale(display.limit(difference))),
    )
    if s.kernel_size != other.shape[:2]:
        st.caption(
            f"Both kernels are written as {lab_words.times(tuple(side))}, with zeros round the smaller one, so that "
            "their cells lie on the same pixels."
        )
    with st.grid(3, min_column_width=200, gap=(24, 32), key="comparison"):
        for name in COMPARED:
            microscope.stage(f"compare_{name}", "compare", name)
    stages = {
        name: map_stage(name, title, sub, values, colors, name="compare", live=False, arrow=False)
        for name, (title, sub, values, colors) in zip(COMPARED, maps, strict=True)
    }
    microscope.draw("drawn_compare", "compare", stages, on_coarse=refine)


def keep_pin() -> None:
    """Callback: the window was held or let go. Only the address changes, so only its fragment runs.

    Where a sentence about the link's place stands, all runs, so that it goes.
    """
    refused = lab_link.problem_of_place()
    if (place := st.session_state["window"].pin) is not None:
        st.session_state["cell"] = place
    if not refused:
        st.rerun(lab_controls.KEPT)


def downloads(walked: road.Road, display_name: str) -> None:
    """Each map as a PNG of one pixel a cell, and as the float32 array itself; of the input, the array that is read."""
    scale, shown = view(walked, display_name)
    read = road.source(walked.pixels, walked.settings.channel)
    maps = {"input": read, "feature_map": walked.feature_map, "relu": walked.relu, "pooled": walked.pooled}
    angles = walked.settings.combine == "direction"
    labels = {"feature_map": "Direction" if angles else "Feature map", "relu": "ReLU"}
    for name, values in maps.items():
        if values is None:
            continue
        label = labels.get(name, name.capitalize())
        files = {"npy": ("application/octet-stream", _npy_of(values))}
        if name != "input":
            picture = _wheel_of(walked) if angles else _png_of(shown(values), scale)
            files = {"png": ("image/png", picture)} | files
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


def _wheel_of(walked: road.Road) -> Callable[[], bytes]:
    """The map of angles in the colors of the wheel, as it is shown."""
    angle, magnitude, least = walked.feature_map, walked.magnitude, road.rounding(walked.settings)
    assert magnitude is not None
    return lambda: display.png(display.directions(angle, magnitude, least))


def _npy_of(values: Floats) -> Callable[[], bytes]:
    def write() -> bytes:
        file = io.BytesIO()
        np.save(file, values)
        return file.getvalue()

    return write
