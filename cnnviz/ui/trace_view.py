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
from cnnviz.ui import address, asking, face_choice, frame, inside_ask, strip
from cnnviz.ui.asking import Say
from cnnviz.ui.catalog import Network

PARAM, STEP = "trace", "trace_step"
KEY, BLOCK = "trace_view", "trace"  # of the component


def show(owner: str, network: Network, photo: Photo, look: Look, mirrored: bool = False) -> None:
    """The trace at `?trace=`, which is kept here; nothing there: the classes to start from.

    photo: the picture in hand as the network takes it, its face or the whole; mirrored: its mirror image goes in. What
    stands here is sent once; a step runs only `_step`.
    """
    st.subheader("Trace a number", anchor=False)
    picture = inside_ask.prepared(network, photo, mirrored)
    plane = f"trace-{photo.digest}-{'-'.join(map(str, picture.shape))}{'-mirrored' * mirrored}"
    with st.container(key="plane"):
        microscope.plane("trace_plane", plane, picture)
    tracing.trace(KEY, BLOCK, _went)
    _step(owner, photo.digest, network, look, plane, mirrored)


def _went() -> None:
    """Callback: a step was chosen."""
    if (asked := st.session_state[KEY].go) is None:
        return
    st.session_state[PARAM] = str(asked["trail"])
    st.rerun(STEP)


@st.fragment(key=STEP)
def _step(owner: str, digest: str, network: Network, look: Look, plane: str, mirrored: bool) -> None:
    """What the trace shows. It is given no photo, since Streamlit keeps a fragment's arguments."""
    try:
        photo, _ = face_choice.taken(strip.in_hand(owner), network.card)
        if photo.digest != digest:
            st.rerun()
        with asking.telling() as say:
            found = walk(owner, network, photo, look, steps.read(address.kept(PARAM)), say, mirrored)
    except (EngineError, NetworkError) as error:
        frame.problem(str(error), "trace")
        return
    parts.draw("drawn_trace", tracing.message(BLOCK, found, plane))


def walk(
    owner: str,
    network: Network,
    photo: Photo,
    look: Look,
    trail: tuple[Place, ...],
    say: Say | None = None,
    mirrored: bool = False,
) -> Walk:
    """The trail on this photo, from the engine; EngineError or NetworkError, one sentence. say: as in asking."""
    folder = str(network.folder)
    key = (*stamp(folder), photo.digest, mirrored, look.switches, look.chosen, trail)
    picture = inside_ask.prepared(network, photo, mirrored)
    turn = asking.turn(owner, "trace")
    found: Walk = engine.cached(key, "trace.walk", folder, picture, look, trail, turn=turn, say=say)
    return found
