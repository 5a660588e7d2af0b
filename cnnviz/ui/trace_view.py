"""The trace on a page: the step at the end of `?trace=`, and the way on from every term of it."""

import streamlit as st

from cnnviz import engine, microscope, steps
from cnnviz.engine import EngineError
from cnnviz.graph import Look
from cnnviz.images import Photo
from cnnviz.microscope import network as parts
from cnnviz.microscope import tracing
from cnnviz.networks import NetworkError, stamp
from cnnviz.steps import Place, Walk
from cnnviz.ui import address, asking, face_choice, frame, strip
from cnnviz.ui.asking import Say
from cnnviz.ui.catalog import Network

PARAM, STEP = "trace", "trace_step"
KEY, BLOCK = "trace_view", "trace"  # of the component


def show(owner: str, network: Network, photo: Photo, look: Look) -> None:
    """The trace at `?trace=`, which is kept here; nothing there: the classes to start from.

    photo: the picture in hand as the network takes it, its face or the whole. What stands here is sent once; a step
    runs only `_step`.
    """
    st.subheader("Trace a number", anchor=False)
    picture = network.card.preprocessing.picture(photo.pixels)
    plane = f"trace-{photo.digest}-{'-'.join(map(str, picture.shape))}"
    with st.container(key="plane"):
        microscope.plane("trace_plane", plane, picture)
    tracing.trace(KEY, BLOCK, _went)
    _step(owner, photo.digest, network, look, plane)


def _went() -> None:
    """Callback: a step was chosen."""
    if (asked := st.session_state[KEY].go) is None:
        return
    st.session_state[PARAM] = str(asked["trail"])
    st.rerun(STEP)


@st.fragment(key=STEP)
def _step(owner: str, digest: str, network: Network, look: Look, plane: str) -> None:
    """What the trace shows. It is given no photo, since Streamlit keeps a fragment's arguments."""
    try:
        photo, _ = face_choice.taken(strip.in_hand(owner), network.card)
        if photo.digest != digest:
            st.rerun()
        with asking.telling() as say:
            found = walk(owner, network, photo, look, steps.read(address.kept(PARAM)), say)
    except (EngineError, NetworkError) as error:
        frame.problem(str(error), "trace")
        return
    parts.draw("drawn_trace", tracing.message(BLOCK, found, plane))


def walk(
    owner: str, network: Network, photo: Photo, look: Look, trail: tuple[Place, ...], say: Say | None = None
) -> Walk:
    """The trail on this photo, from the engine; EngineError or NetworkError, one sentence. say: as in asking."""
    folder = str(network.folder)
    key = (*stamp(folder), photo.digest, look.switches, look.chosen, trail)
    picture = network.card.preprocessing.picture(photo.pixels)
    turn = asking.turn(owner, "trace")
    found: Walk = engine.cached(key, "trace.walk", folder, picture, look, trail, turn=turn, say=say)
    return found
