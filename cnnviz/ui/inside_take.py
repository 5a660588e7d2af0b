"""/inside, "Take it away": mosaics and maps as PNG, arrays as .npy and .npz, made when they are asked for."""

import io
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from cnnviz import display
from cnnviz.graph import Look, Maps, Mosaic
from cnnviz.networks import NetworkError
from cnnviz.ui import catalog, face_choice, frame, inside_ask, inside_state, inside_view, strip
from cnnviz.ui.inside_ask import Subject

EVERY = 1.0  # seconds between two looks for a sentence
_PNG, _NPY = "image/png", "application/octet-stream"


@dataclass(frozen=True)
class Taken:
    """What a file is made of, by name: Streamlit keeps what a button calls as long as the tab is open.

    picture: value of `?picture=`. digest: of that photo, or of its face. network: its key. said: one sentence, or
    empty; the session's.
    """

    owner: str
    picture: str
    digest: str
    network: str
    turn: str
    look: Look
    layer: str
    number: int
    order: Any
    mirrored: bool
    said: list[str] = field(default_factory=list)

    def subject(self) -> Subject:
        """The photo in the network; NetworkError where one of them is gone."""
        network = catalog.networks(self.owner)[0].get(self.network)
        if network is None:
            raise NetworkError("This network is no longer there, so that no file can be made; choose another one.")
        photo = face_choice.again(strip.chosen(self.owner, self.picture), self.digest, f"{self.turn}/faces")
        if photo is None:
            raise NetworkError("This photo is no longer in memory, so that no file can be made; put it there again.")
        return Subject.at(network, photo, self.turn, mirrored=self.mirrored)


def show(subject: Subject, look: Look, maps: Maps, number: int) -> None:
    """Buttons for the opened layer, its channel, and everything at once."""
    layer, key = maps.node.name, subject.network.key
    mirrored = "-mirrored" * subject.mirrored
    stem = f"{key}-{layer}{mirrored}".replace("/", "-")
    order, picture = inside_state.order(), str(st.session_state.get("picture"))
    order = "index" if order == "weight" and maps.weight is None else order
    about = (subject.photo.digest, key)
    if st.session_state.get("take_about") != about:  # what was said of another photo or network
        st.session_state["take_about"], st.session_state["take_said"] = about, []
    said: list[str] = st.session_state["take_said"]
    turn = f"{subject.turn}/take"  # of its own: a file is not given up for the next look at the page
    owner, digest = st.session_state["owner"], subject.photo.digest
    taken = Taken(owner, picture, digest, key, turn, look, layer, number, order, subject.mirrored, said)
    with st.container(gap=None):
        _button("All channels .png", taken, f"{stem}.png", _PNG, "png_mosaic")
        _button(f"Channel {number} .png", taken, f"{stem}-{number}.png", _PNG, "png_channel")
        _button("This layer .npy", taken, f"{stem}.npy", _NPY, "npy_layer")
        _button("All layers .npz", taken, f"{key}{mirrored}.npz", _NPY, "npz_all")
        _button("The input .npy", taken, f"input{mirrored}.npy", _NPY, "npy_input")
    st.caption(
        "PNG: in the colors shown, a pixel a cell; all channels together are made smaller where they are larger than "
        "96 × 96. Arrays: float32 (height, width, channels); the input in levels."
    )
    _problem()


@st.fragment(run_every=EVERY)
def _problem() -> None:
    """Why the last file could not be made: it is made in a thread that cannot draw."""
    for sentence in st.session_state.get("take_said", [])[-1:]:
        frame.problem(sentence, "take")


def _button(label: str, taken: Taken, name: str, mime: str, key: str) -> None:
    st.download_button(label, partial(file, key, taken), name, mime, key=key, type="tertiary", on_click="ignore")


def file(what: str, taken: Taken) -> bytes:
    """The file behind the button of this key; one of Problem, whose sentence is left in `taken.said`."""
    taken.said.clear()
    try:
        return _made(what, taken.subject(), taken)
    except inside_ask.Problem as error:
        taken.said.append(str(error))
        raise


def _made(what: str, subject: Subject, taken: Taken) -> bytes:
    look, layer, number = taken.look, taken.layer, taken.number
    match what:
        case "png_mosaic":
            return mosaic_png(inside_ask.mosaic(subject, look, layer, taken.order))
        case "png_channel":
            maps = inside_ask.screen(subject, look).maps(layer)
            at = number if maps.low.size > 1 else 0
            scale = display.Scale(inside_view.palette(maps), float(maps.low.flat[at]), float(maps.high.flat[at]))
            return display.palette_png(inside_ask.channel(subject, look, layer, number), scale)
        case "npy_layer":
            return npy(inside_ask.array(subject, look, layer))
        case "npz_all":
            names = [node.name for node in inside_ask.nodes(subject)]
            return npz({name: inside_ask.array(subject, look, name) for name in names})
    return npy(subject.picture)


def mosaic_png(mosaic: Mosaic) -> bytes:
    """The mosaic as a PNG of 256 colors with a pixel of air between the tiles."""
    high, wide, across = mosaic.tile_height, mosaic.tile_width, mosaic.columns
    rows = mosaic.levels.shape[0] // high
    picture = np.full((rows * (high + 1) - 1, across * (wide + 1) - 1, 3), 255, np.uint8)
    table = inside_view.palette(mosaic.maps)
    for position in range(len(mosaic.order)):
        row, column = divmod(position, across)
        top, left = row * (high + 1), column * (wide + 1)
        picture[top : top + high, left : left + wide] = table[mosaic.tile(position)]
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
