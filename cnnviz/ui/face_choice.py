"""Which face of a photo is looked at: `?face=`, the same on Classify and Inside; and the photo as networks take it."""

import re
from pathlib import Path
from typing import Any

import streamlit as st

from cnnviz import display, face, many
from cnnviz.cards import Card
from cnnviz.face import Face
from cnnviz.images import Photo, Pixels
from cnnviz.networks import NetworkError
from cnnviz.ui import address, faces, frame, strip

PARAM = "face"
PART = "faces"  # of a page, in the engine's line
_OF = "face_of"  # in the session: digest of the photo that the choice is for, or OWN where that is not there yet
_CROP = 96  # pixels of a face in a list: 48 on the page, sharp on dense screens
_HERE = Path(__file__).parent
_faces = st.components.v2.component(
    "cnnviz_faces",
    html='<div class="faces"><div class="photo"><img alt=""><div class="boxes" aria-hidden="true"></div></div>'
    '<div class="list" role="radiogroup"></div></div>',
    css=(_HERE / "classify_faces.css").read_text(),
    js=(_HERE / "classify_faces.js").read_text(),
)


def kept(photo: Photo) -> None:
    """Keep `?face=`; it comes before all that asks for `number`. Another photo begins with its first face again.

    The face of a link to one's own photo waits until that is there.
    """
    own = st.session_state.get("picture") == strip.OWN
    held = st.session_state.get(_OF, photo.digest)
    if held != photo.digest and not (held == strip.OWN and own):
        st.session_state[PARAM] = ""
    st.session_state[_OF] = strip.OWN if own and strip.own(st.session_state.get("owner", "")) is None else photo.digest
    address.kept(PARAM)


def number(count: int) -> int:
    """The chosen face of so many, from 1; what the address says wrongly counts as the first."""
    asked = str(st.session_state.get(PARAM) or "")
    return int(asked) if re.fullmatch(r"[1-9]\d{0,2}", asked, re.ASCII) and int(asked) <= count else 1


def missing(count: int) -> str:
    """A sentence where the address asks for a face that is not there, or ""."""
    asked = str(st.session_state.get(PARAM) or "")
    if asked in ("", str(number(count))) or st.session_state.get(_OF) == strip.OWN:  # of that the strip says it all
        return ""
    there = "1 face was" if count == 1 else f"{count} faces were"
    return f"The link asks for face {asked[:20]}, and {there} found in this photo; this is the first."


def taken(photo: Photo, card: Card, chosen: bool = True) -> tuple[Photo, Face | None]:
    """The photo as a network with this card takes it, and its face: the square round one, or the photo as a whole.

    chosen: the face of `?face=`, else the first. As a whole where it is no network for faces and where none is found.
    NetworkError with a sentence where nobody can say whether there is one.
    """
    if card.task == "face":
        found = faces.find(photo, PART)
        if isinstance(found, str):
            raise NetworkError(found)
        if found:
            one = number(len(found)) if chosen else 1
            return face.subject(photo, found[one - 1], one), found[one - 1]
    return photo, None


def again(photo: Photo, digest: str, turn: str) -> Photo | None:
    """What `taken` gave of this photo, by its digest, or None if it was another's; for threads that know no session.

    Raises EngineError or NetworkError.
    """
    if photo.digest == digest or not digest.startswith(photo.digest):
        return photo if photo.digest == digest else None
    found = many.faces_through_engine(turn)(photo.pixels, photo.digest)
    places = [place for place in range(1, len(found) + 1) if face.digest(photo, place) == digest]
    return face.subject(photo, found[places[0] - 1], places[0]) if places else None


def row(photo: Photo, into: str) -> None:
    """The faces of a photo in a row to choose from, or why the photo as a whole goes in.

    into: the titles of the networks that get one.
    """
    found = faces.find(photo, PART)
    if isinstance(found, str):
        frame.problem(found, "face")
        return
    if not found:
        frame.problem(f"{face.NONE_FOUND} Until then the whole picture goes in, and the answer means nothing.", "face")
        return
    if len(found) > 1:
        chooser("face_row", photo, found)
    if sentence := missing(len(found)):
        st.caption(frame.escape(sentence))
    which = f"face {number(len(found))} of {len(found)}" if len(found) > 1 else "the face"
    turned = leveled(found[number(len(found)) - 1])
    st.caption(frame.escape(f"The square round {which} goes into {into}.{turned} {face.NOTE}"))


def leveled(one: Face) -> str:
    """A sentence where the square round a face is turned, or ""."""
    return f" It is turned by {abs(one.turn):.0f}°, so that eyes and mouth lie level." if one.turn else ""


def chooser(
    key: str,
    photo: Photo,
    found: tuple[Face, ...],
    part: str = "",
    lines: list[dict[str, Any]] | None = None,
    room: tuple[int, int] = (0, 0),
) -> None:
    """Every face to choose from, by pointer or arrow keys.

    part: key of the fragment that a choice runs; "": the one that this stands in. lines: what stands beside each face;
    None: the faces alone, in a row. room: width and height of the photo with its numbered boxes, in px; zero: without.
    """
    data: dict[str, Any] = {
        "chosen": number(len(found)),
        "faces": [
            {"src": _src(face.crop(photo.pixels, one), _CROP)} | (lines[place] if lines else {})
            for place, one in enumerate(found)
        ],
        "row": lines is None,
        # a choice runs `part` alone, so that the browser knows it and these data do not: after Back they must differ
        "picks": st.session_state.get(f"{key}_picks", 0),
    }
    if min(room) > 0:
        height, width = photo.pixels.shape[:2]
        scale = min(room[0] / width, room[1] / height)
        across, down = max(1, round(width * scale)), max(1, round(height * scale))
        data["photo"] = {
            "src": _src(photo.pixels, max(across, down)),
            "alt": f"The photo {photo.name}",
            "width": across,
            "height": down,
            "boxes": [
                [100 * x / width, 100 * y / height, 100 * w / width, 100 * h / height]
                for x, y, w, h in (one.box for one in found)
            ],
        }

    def picked() -> None:
        if (asked := st.session_state[key].pick) is not None:
            st.session_state[f"{key}_picks"] = data["picks"] + 1
            st.session_state[PARAM] = str(asked)  # what is no number of a face here counts as the first
            if part:
                st.rerun(part)

    _faces(key=key, data=[data], on_pick_change=picked, height="content")


def _src(pixels: Pixels, room: int) -> str:
    return display.data_url(display.webp(display.reduce(pixels, room)), "webp")
