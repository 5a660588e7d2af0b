"""The trace on a page: the step at the end of `?trace=`, and the way on from every term of it."""

import secrets
from collections.abc import Callable

import streamlit as st

from cnnviz import engine, microscope, steps
from cnnviz.engine import EngineError
from cnnviz.graph import Look
from cnnviz.images import Photo
from cnnviz.microscope import network as parts
from cnnviz.microscope import tracing
from cnnviz.networks import NetworkError, stamp
from cnnviz.steps import Place, Walk
from cnnviz.ui import frame, inside_state
from cnnviz.ui.catalog import Network

PARAM = "trace"
KEY, BLOCK = "trace_view", "trace"  # of the component


def _again() -> None:
    st.rerun([inside_state.KEPT, inside_state.TRACE])


def show(
    owner: str, network: Network, photo: Photo, look: Look, place: str, again: Callable[[], None] = _again
) -> None:
    """The trace at `place`, the value of `?trace=`; nothing there: the classes to start from.

    again: called after a step was chosen and st.session_state[PARAM] was set, to run what keeps it and what shows it.
    """
    st.subheader("Trace a number", anchor=False)
    picture = network.card.preprocessing.picture(photo.pixels)
    plane = f"trace-{photo.digest}-{'-'.join(map(str, picture.shape))}"
    with st.container(key="plane"):
        microscope.plane("trace_plane", plane, picture)

    def went() -> None:
        asked = st.session_state[KEY].go
        if asked is None:
            return
        st.session_state[PARAM] = str(asked["trail"])
        again()

    tracing.trace(KEY, BLOCK, went)
    try:
        found = walk(owner, network, photo, look, steps.read(place))
    except (EngineError, NetworkError) as error:
        frame.problem(str(error), "trace")
        return
    parts.draw("drawn_trace", tracing.message(BLOCK, found, plane))


def walk(owner: str, network: Network, photo: Photo, look: Look, trail: tuple[Place, ...]) -> Walk:
    """The trail on this picture, from the engine; EngineError or NetworkError, one sentence."""
    folder = str(network.folder)
    # a tab of its own: its newer question replaces its older one, and not another tab's
    tab = st.session_state.setdefault("tab", secrets.token_hex(4))
    key = (*stamp(folder), photo.digest, look.switches, look.chosen, trail)
    picture = network.card.preprocessing.picture(photo.pixels)
    found: Walk = engine.cached(
        key, "trace.walk", folder, picture, look, trail, turn=f"{owner}/trace/{tab}", limit=engine.LIMIT
    )
    return found


def at(node: str, index: tuple[int, ...]) -> str:
    """What `?trace=` is for one cell: to be put into st.session_state[PARAM] in a callback."""
    return steps.written([Place(node, index)])
