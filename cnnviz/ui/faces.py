"""Faces on a page: where they are in a photo, and the finder made ready for it."""

import threading
import time

import streamlit as st

from cnnviz import engine, face, many
from cnnviz.engine import EngineError
from cnnviz.face import Face
from cnnviz.images import Photo
from cnnviz.networks import NetworkError
from cnnviz.ui import asking, frame

_NETWORKS = 3  # of the finder
_AFTER = 1.0  # seconds that the first questions have for themselves once the engine is ready

_warming = threading.Lock()


def find(photo: Photo, part: str) -> tuple[Face, ...] | str:
    """The faces of a photo, left to right, in its own pixels, or in one sentence why nobody can say.

    part: of the page that asks, as in asking.turn. Kept for the photo, so that every part of a page may ask. While
    others are served first, a line says so.
    """
    if not frame.faces():
        return face.OFF
    try:
        with asking.telling() as say:
            ask = many.faces_through_engine(asking.turn(st.session_state["owner"], part), say)
            return ask(photo.pixels, photo.digest)
    except (EngineError, NetworkError) as error:
        return str(error)


def warm() -> None:
    """Have the finder made ready once the engine is, in the background and in short turns; nothing the second time.

    For pages where a photo with faces may come: the first one would else wait for about a second (docs/faces.md).
    """
    if frame.faces() and _warming.acquire(blocking=False):  # never given back: once a server
        threading.Thread(target=_warm, name="cnnviz faces", daemon=True).start()


def _warm() -> None:
    while not engine.state().ready:
        time.sleep(_AFTER)
    time.sleep(_AFTER)
    try:
        for number in range(_NETWORKS):
            engine.call("faces.warm", number, turn="faces//warm")
    except (EngineError, NetworkError):
        return  # the first photo will say it
