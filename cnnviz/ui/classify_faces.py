"""Classify, a network for faces: the photo with numbered boxes, every face answered, and the road of the chosen one."""

from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from cnnviz import engine, face
from cnnviz.cards import Card
from cnnviz.face import Face
from cnnviz.images import Photo
from cnnviz.ui import asking, avatar, classify_mistakes, classify_photo, face_choice, faces, frame, markup, strip
from cnnviz.ui.card import percent
from cnnviz.ui.catalog import Network
from cnnviz.ui.classify_photo import ROOM, Answer

ROAD = "face_road"  # key of the fragment
PHOTO_ROOM = (760, 440)  # px of the photo with its boxes
AVATAR = 72  # px, beside the answer
AROUND = 0.75  # of the square's side: what is shown round the chosen face on each side


def show(owner: str, photo: Photo, network: Network, sure_from: float) -> None:
    """All faces of a photo answered, and the three stages of the chosen one."""
    face_choice.kept(photo)
    if not engine.state().ready:
        with _without(photo, "waiting"):
            asking.waiting(classify_photo.ANSWER_HEIGHT)
        return
    found = faces.find(photo, face_choice.PART)
    if isinstance(found, str) or not found:
        with _without(photo, "nobody"):
            frame.problem(found if isinstance(found, str) else face.NONE_FOUND, "answer")
        return
    if len(found) > 1:
        _, answers = _ask(photo, found, network)
        if not isinstance(answers, str):
            _all(photo, found, network.card, answers, sure_from)
    _road(owner, photo.digest, network, sure_from)


def _ask(
    photo: Photo, found: tuple[Face, ...], network: Network
) -> tuple[NDArray[np.uint8], NDArray[np.float64] | str]:
    """The input for each face, and the answers to all of them in one call, or a sentence."""
    square = network.card.preprocessing.picture
    pictures = np.stack([square(face.subject(photo, one, number).pixels) for number, one in enumerate(found, 1)])
    return pictures, classify_photo.ask(network, pictures, ("faces", photo.digest), "faces")


@st.fragment(key=ROAD)
def _road(owner: str, digest: str, network: Network, sure_from: float) -> None:
    """The chosen face: another choice runs this alone. It is given no photo, which Streamlit would keep."""
    photo, card = strip.in_hand(owner), network.card
    if photo.digest != digest or classify_photo.threshold(card) != sure_from:  # the list above is to change, too
        st.rerun()
    face_choice.kept(photo)
    found = faces.find(photo, face_choice.PART)
    if isinstance(found, str):  # the engine has ended since: the page says so
        st.rerun()
    pictures, answers = _ask(photo, found, network)
    if sentence := face_choice.missing(len(found)):
        st.caption(frame.escape(sentence))
    number, several = face_choice.number(len(found)), len(found) > 1
    title = f"Face {number} of {len(found)}" if several else "The face in the photo"
    shown = cut(photo, found[number - 1], AROUND if several else None)
    seen = classify_photo.seen(pictures[number - 1], card, square=True)
    place = classify_photo.way(title, shown, seen, card, sure_from)
    with place:
        if isinstance(answers, str):
            frame.problem(answers, "answer")
            return
        answer = answers[number - 1]
        note = f'<p class="quiet">{face.NOTE}</p>'
        side = face.within(found[number - 1]).box[2]
        shown_as = _avatar(card, answer, sure_from)
        st.html(classify_photo.says(card, answer, sure_from, shown_as, note, (side, side)))
    classify_mistakes.drawer(owner, face.digest(photo, number), network, sure_from)


def _without(photo: Photo, key: str) -> DeltaGenerator:
    """The photo without an answer; gives the place for what stands there instead."""
    with st.grid(3, min_column_width=300, gap=(24, 32), key=key):
        with st.container(key="stage_photo"):
            st.subheader("The photo", anchor=False)
            st.html(markup.picture(photo.pixels, ROOM, f"The photo {photo.name}", smooth=True))
        if key == "waiting":
            with st.container(key="stage_seen"):
                st.subheader("What the network sees", anchor=False)
                st.skeleton(height=ROOM, width=ROOM)
        with st.container(key="stage_answer"):
            st.subheader("What it says", anchor=False)
            return st.container(key="answer")


def _all(photo: Photo, found: tuple[Face, ...], card: Card, answers: NDArray[np.float64], sure_from: float) -> None:
    """The photo with its numbered boxes, and a line for each face."""
    st.subheader(f"{len(found)} faces", anchor=False)
    lines = [_line(card, answer, sure_from) for answer in answers]
    face_choice.chooser("faces", photo, found, ROAD, lines, PHOTO_ROOM)
    if len(found) == face.MOST:
        st.caption(face.MANY)


def _line(card: Card, answer: Answer, sure_from: float) -> dict[str, Any]:
    """What stands beside a face in the list."""
    best = int(answer.argmax())
    line = {"label": card.labels[best], "sure": bool(answer[best] >= sure_from), "p": percent(float(answer[best]))}
    shown = _expression(card, answer, sure_from)
    return line | ({"avatar": avatar.source(shown), "expression": shown} if shown else {})


def _expression(card: Card, answer: Answer, sure_from: float) -> str | None:
    """Which avatar stands beside an answer; None for networks whose classes are not what avatars show."""
    best = int(answer.argmax())
    expression = avatar.of(card.labels[best])
    return expression and (expression if answer[best] >= sure_from else avatar.NOT_SURE)


def _avatar(card: Card, answer: Answer, sure_from: float) -> str:
    """The avatar of the answer, "" where there is none. HTML."""
    shown = _expression(card, answer, sure_from)
    if shown is None:
        return ""
    return f'<img src="{avatar.source(shown, AVATAR)}" width="{AVATAR}" height="{AVATAR}" alt="Avatar: {shown}">'


def cut(photo: Photo, one: Face, around: float | None) -> str:
    """The photo with a veil over what is not cut out round a face, and a line on the square. HTML.

    around: only the face and so much on each side, as a share of the square; None: all of the photo.
    """
    rows, columns = photo.pixels.shape[:2]
    corners = face.corners(one)
    left, right = min(x for x, _ in corners), max(x for x, _ in corners)
    top, bottom = min(y for _, y in corners), max(y for _, y in corners)
    side = face.within(one).box[2]
    x0, y0, x1, y1 = 0, 0, columns, rows
    if around is not None:
        margin = around * side
        x0, y0 = max(0, int(left - margin)), max(0, int(top - margin))
        x1, y1 = min(columns, int(right + margin) + 1), min(rows, int(bottom + margin) + 1)
    shown = photo.pixels[y0:y1, x0:x1]
    across, down = 100 / (x1 - x0), 100 / (y1 - y0)  # percent a pixel
    x, y = (left + right - side) / 2, (top + bottom - side) / 2  # of its corner before it is turned about its middle
    square = (
        f"left:{across * (x - x0):.2f}%;top:{down * (y - y0):.2f}%;"
        f"width:{across * side:.2f}%;height:{down * side:.2f}%;rotate:{one.turn:.2f}deg"
    )
    image = markup.picture(shown, ROOM, f"The photo {photo.name}, the face marked", smooth=True)
    line = f"The square round the face goes in, {side} × {side} pixels; the rest of the photo is not seen."
    line += face_choice.leveled(one)
    if left < 0 or top < 0 or right > columns or bottom > rows:
        line += " Where it reaches beyond the photo, the photo’s edge is repeated."
    return f'<div class="veiled">{image}<b style="{square}"></b></div><p class="quiet">{line}</p>'
