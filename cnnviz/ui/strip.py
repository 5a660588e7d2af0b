"""The picture strip: upload, camera and samples; it decides which picture is in hand on every page."""

from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cnnviz import display, images, samples
from cnnviz.ui import address, camera, frame
from cnnviz.ui.store import PHOTOS, forget

OWN = "own"  # value of ?picture= for a photo that only its owner can see
_HERE = Path(__file__).parent
_THUMB = 88  # pixels: 44 on the page, sharp on dense screens
_thumbnails = st.components.v2.component(
    "cnnviz_strip",
    html='<div class="strip" role="group" aria-label="Pictures to start with"></div>\n',
    css=(_HERE / "strip.css").read_text(),
    js=(_HERE / "strip.js").read_text(),
)


def strip(owner: str) -> images.Photo:
    """Show the strip and return the picture in hand.

    The choice is the URL's (`?picture=`), else the one this owner made last, else the first sample. A link to a photo
    of one's own opens on a sample for everybody else, and says so.
    """
    own = PHOTOS.get(owner)
    keys = [s.key for s in samples.samples()]
    if own is not None and "picture" not in st.session_state and "picture" not in st.query_params:
        st.session_state["picture"] = OWN
    choice = address.kept("picture", keys[0])
    sentence = st.session_state.pop("picture_problem", None)
    if choice == OWN and own is None:
        sentence = sentence or "Your own photo goes here: drop one on the strip. Until then you see a sample."
        choice = keys[0]
    elif choice not in (*keys, OWN):
        sentence = sentence or f"There is no sample called “{choice[:40]}”, so you see the first one. Pick any above."
        choice = keys[0]

    with st.container(key="strip", horizontal=True, vertical_alignment="center", gap="small"):
        _thumbnails(
            key="samples", data=[_strip_data(own, choice)], width="content", on_pick_change=_pick, height="content"
        )
        # a new widget after each upload: the old one would go on listing a file that has long left it
        turn = st.session_state.setdefault("upload_turn", 0)
        with st.container(key="upload", width=230):
            st.file_uploader(
                "Drop a photo, or pick one",
                key=f"upload_{turn}",
                max_upload_size=images.MAX_BYTES // 1_000_000,
                label_visibility="collapsed",
                on_change=_take,
                args=(owner, f"upload_{turn}"),
            )
        if st.button("Camera", key="camera_open", icon=":material/photo_camera:", type="tertiary"):
            camera.take(partial(_take, owner))
    if sentence:
        frame.problem(sentence, "picture")
    photo = own if choice == OWN and own else samples.photo(choice)
    with st.container(key="in_hand", horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(caption(photo), width="content")
        if photo is own:
            words = "Turn the photo clockwise by a quarter"
            st.button(
                "Turn",
                key="turn",
                icon=":material/rotate_right:",
                type="tertiary",
                help=words,
                on_click=_turn,
                args=(owner,),
            )
    return photo


def in_hand(owner: str) -> images.Photo:
    """The picture in hand once the strip has been shown; asking counts as being there (see `cnnviz.ui.store`)."""
    return chosen(owner, st.session_state.get("picture"))


def chosen(owner: str, choice: object) -> images.Photo:
    """The picture of this value of `?picture=`, else the first sample; for threads that know no session."""
    own = PHOTOS.get(owner)
    if choice == OWN and own is not None:
        return own
    known = [s.key for s in samples.samples()]
    return samples.photo(str(choice) if choice in known else known[0])


def own(owner: str) -> images.Photo | None:
    """The owner's own photo, if there is one."""
    return PHOTOS.get(owner)


def caption(photo: images.Photo) -> str:
    """One line that says which picture this is and what was done to it, as Markdown."""
    height, width = photo.pixels.shape[:2]
    return " · ".join(frame.escape(part) for part in (photo.name, f"{width} pixels wide, {height} high", *photo.notes))


def _strip_data(own: images.Photo | None, choice: str) -> dict[str, Any]:
    entries = [
        {"key": s.key, "title": s.title, "alt": s.alt, "src": display.data_url(samples.thumbnail(s.key), "webp")}
        for s in samples.samples()
    ]
    if own is not None:
        alt = f"Your photo {own.name}"
        entries.insert(0, {"key": OWN, "title": "Your photo", "alt": alt, "src": _thumbnail(own)})
    return {"entries": entries, "choice": choice}


def _thumbnail(photo: images.Photo) -> str:
    square = display.center_square(photo.pixels)
    return display.data_url(display.webp(display.reduce(square, _THUMB)), "webp")


def _pick() -> None:
    key = st.session_state["samples"].pick
    if key:
        _choose(key)


def _turn(owner: str) -> None:
    """Callback: the owner's photo is turned."""
    if (photo := PHOTOS.get(owner)) is not None:
        PHOTOS.put(owner, images.turned(photo))


def _choose(key: str) -> None:
    st.session_state["picture"] = key


def _take(owner: str, widget: str) -> None:
    """Decode what came from the uploader or the camera and put it in the owner's hand."""
    file = st.session_state[widget]
    if not isinstance(file, UploadedFile):  # None, or the mark of one that has left memory already
        return
    try:
        PHOTOS.put(owner, images.decode(file.getvalue(), "Camera picture" if widget == "camera" else file.name))
        _choose(OWN)
    except images.ImageError as error:
        st.session_state["picture_problem"] = str(error)
    finally:
        st.session_state["upload_turn"] += 1
        forget(file)
