"""/inside, "Take it away": mosaics and maps as PNG, arrays as .npy and .npz, made when they are asked for."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from cnnviz import display
from cnnviz.graph import Look, Maps, Mosaic, Screen
from cnnviz.ui import inside_ask, inside_state, inside_view
from cnnviz.ui.inside_ask import Subject

_PNG, _NPY = "image/png", "application/octet-stream"


def show(subject: Subject, look: Look, screen: Screen, maps: Maps, number: int) -> None:
    """Buttons for the opened layer, its channel, and everything at once."""
    layer = maps.node.name
    stem = f"{subject.network.key}-{layer}".replace("/", "-")
    order = inside_state.order()

    def mosaic() -> bytes:
        return mosaic_png(inside_ask.mosaic(subject, look, layer, order))

    def enlarged() -> bytes:
        at = number if maps.low.size > 1 else 0
        scale = display.Scale(inside_view.palette(maps), float(maps.low.flat[at]), float(maps.high.flat[at]))
        return display.palette_png(inside_ask.channel(subject, look, layer, number), scale)

    def everything() -> bytes:
        return npz({one.node.name: inside_ask.array(subject, look, one.node.name) for one in screen.layers})

    def own() -> bytes:
        return npy(inside_ask.array(subject, look, layer))

    with st.container(gap=None):
        _button("All channels .png", mosaic, f"{stem}.png", _PNG, "png_mosaic")
        _button(f"Channel {number} .png", enlarged, f"{stem}-{number}.png", _PNG, "png_channel")
        _button("This layer .npy", own, f"{stem}.npy", _NPY, "npy_layer")
        _button("All layers .npz", everything, f"{subject.network.key}.npz", _NPY, "npz_all")
        _button("The input .npy", lambda: npy(subject.picture), "input.npy", _NPY, "npy_input")
    st.caption(
        "PNG: a pixel a cell, in the colors shown. Arrays: float32 (height, width, channels); the input in levels."
    )


def _button(label: str, write: Callable[[], bytes], file: str, mime: str, key: str) -> None:
    st.download_button(label, write, file, mime, key=key, type="tertiary", on_click="ignore")


def mosaic_png(mosaic: Mosaic) -> bytes:
    """The mosaic as a PNG of 256 colors with a pixel of air between the tiles."""
    high, wide, across = mosaic.tile_height, mosaic.tile_width, mosaic.columns
    rows = mosaic.levels.shape[0] // high
    picture = np.full((rows * (high + 1) - 1, across * (wide + 1) - 1, 3), 255, np.uint8)
    table = inside_view.palette(mosaic.maps)
    for position in range(len(mosaic.order)):
        row, column = divmod(position, across)
        tile = mosaic.levels[row * high : (row + 1) * high, column * wide : (column + 1) * wide]
        picture[row * (high + 1) : row * (high + 1) + high, column * (wide + 1) : column * (wide + 1) + wide] = table[
            tile
        ]
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", compress_level=1)
    return file.getvalue()


def npy(values: NDArray[Any]) -> bytes:
    """An array as a .npy file."""
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def npz(arrays: dict[str, Any]) -> bytes:
    """Arrays by layer as a compressed .npz file; "/" in names becomes "."."""
    file = io.BytesIO()
    np.savez_compressed(file, **{name.replace("/", "."): values for name, values in arrays.items()})
    return file.getvalue()
