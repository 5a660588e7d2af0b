"""How a page asks the engine: its place in line, the line that tells of waiting, Stop, an outline until it is ready."""

import html
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from cnnviz import engine
from cnnviz.engine import EngineError
from cnnviz.ui import frame, history

EVERY = 0.5  # seconds between two looks at an engine that is not ready
STOP = "stop_waiting"  # key of the button
_LONG = 1.0  # seconds of waiting after which Stop stands there
_PRESSED, _STOPPED = "stop_pressed", "stop_stopped"

Say = Callable[[engine.State], None]


def turn(owner: str, part: str) -> str:
    """The place in the engine's line of one part of a page in one tab, of which a newer question replaces an older one.

    Another tab has its own, so that two of them do not take each other's answers away.
    """
    tab = st.session_state.setdefault("tab", secrets.token_hex(4))
    return f"{owner}/{part}/{tab}"


class Stopped(EngineError):
    """Somebody pressed Stop while the page waited."""


def stop() -> None:
    """A place for Stop, which is to be seen once the page has waited for a second.

    For the page's own run, before its fragments: what is pressed in a fragment waits for the run that it is to end.
    """
    st.session_state[_STOPPED] = st.session_state.pop(_PRESSED, False)
    st.button("Stop", key=STOP, on_click=_press)


def _press() -> None:
    st.session_state[_PRESSED] = True


@contextmanager
def telling() -> Iterator[Say]:
    """What to give the engine as `say`: while others are served first, a line says so; it goes with the block.

    `say` raises Stopped in the page's run that follows a press of Stop, and not in what a choice runs after that.
    """
    place, began = st.empty(), time.monotonic()

    def say(state: engine.State) -> None:
        if st.session_state.get(_STOPPED) and not history.in_fragment():
            raise Stopped("You stopped this; choose a picture, a network or a layer, and it goes on.")
        long = " long" if time.monotonic() - began > _LONG else ""
        sentence = html.escape(state.sentence or "The network is at work.")
        place.html(f'<p class="telling{long}" role="status">{sentence}</p>')

    try:
        yield say
    finally:
        place.empty()


def watch(draw: Callable[[engine.State], object]) -> None:
    """Draw what stands until the engine is ready, from its state; then the page runs anew."""

    def look() -> None:
        state = engine.state()
        if state.ready:
            st.rerun()
        draw(state)

    st.fragment(look, run_every=EVERY)()


def waiting(height: int) -> None:
    """What stands until the engine is ready: an outline of so many pixels, and why; then the page runs anew."""

    def draw(state: engine.State) -> None:
        st.markdown(f":material/hourglass_top: {frame.escape(state.sentence)}")
        st.skeleton(height=height - 40)

    watch(draw)
