"""How a page asks the engine: its place in line, the line that tells of waiting, the outline until it is ready."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from cnnviz import engine
from cnnviz.ui import frame

EVERY = 0.5  # seconds between two looks at an engine that is not ready

Say = Callable[[engine.State], None]


def turn(owner: str, part: str) -> str:
    """The place in the engine's line of one part of a page in one tab, of which a newer question replaces an older one.

    Another tab has its own, so that two of them do not take each other's answers away.
    """
    tab = st.session_state.setdefault("tab", secrets.token_hex(4))
    return f"{owner}/{part}/{tab}"


@contextmanager
def telling() -> Iterator[Say]:
    """What to give the engine as `say`: while others are served first, a line says so; it goes with the block."""
    place = st.empty()

    def say(state: engine.State) -> None:
        place.caption(state.sentence or "The network is at work.")

    try:
        yield say
    finally:
        place.empty()


def waiting(height: int) -> None:
    """What stands until the engine is ready: an outline of so many pixels, and why; then the page runs anew."""

    def look() -> None:
        state = engine.state()
        if state.ready:
            st.rerun()
        st.markdown(f":material/hourglass_top: {frame.escape(state.sentence)}")
        st.skeleton(height=height - 40)

    st.fragment(look, run_every=EVERY)()
