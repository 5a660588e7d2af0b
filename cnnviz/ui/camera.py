"""The camera: a still, shown as in a mirror and taken as it is; where a browser has none, the file button and why."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from cnnviz import images
from cnnviz.ui import frame

WHY = {
    "insecure": "Browsers lend the camera to https pages and to this very computer only; take a photo with your camera "
    "app and pick it here.",
    "none": "This device has no camera that the browser can use; pick a photo instead.",
    "denied": "The browser does not let this page use the camera; allow it beside the address, or pick a photo.",
}
_watch = st.components.v2.component("cnnviz_camera", js=Path(__file__).with_name("camera.js").read_text())


@st.dialog("Take a picture")
def take(taken: Callable[[str], None]) -> None:
    """Ask for a picture; `taken` gets the key of the widget that has it, in a callback, and the dialog closes."""
    # in the browser it turns the picture of a front camera round, and tells why there is none
    why = _watch(key="camera_watch", data=[""], default={"why": ""}, on_why_change=_nothing).why
    if why in WHY:
        frame.problem(WHY[why], "camera")
        st.file_uploader(
            "Photo",
            key="camera_file",
            max_upload_size=images.MAX_BYTES // 1_000_000,
            label_visibility="collapsed",
            on_change=taken,
            args=("camera_file",),
        )
    else:
        st.markdown("You see yourself as in a mirror; the picture is taken as others see you.")
        st.camera_input("Camera", key="camera", label_visibility="collapsed", on_change=taken, args=("camera",))
    st.caption("The picture stays in this app’s memory and is forgotten an hour after you leave.")
    if st.session_state.get("picture_problem") or any(st.session_state.get(key) for key in ("camera", "camera_file")):
        st.rerun()


def _nothing() -> None:
    """The dialog runs again, and that is all there is to do."""
