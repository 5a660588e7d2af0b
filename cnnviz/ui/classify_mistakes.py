"""Classify, the drawer of classic mistakes: each a switch, with what goes in and what comes out before and after."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from cnnviz import display, mistakes
from cnnviz.face import Face
from cnnviz.images import Photo, Pixels
from cnnviz.mistakes import Mistake, Place
from cnnviz.networks import NetworkError
from cnnviz.ui import address, classify_photo, face_choice, frame, history, markup, strip
from cnnviz.ui.card import percent
from cnnviz.ui.catalog import Network
from cnnviz.ui.classify_photo import Answer
from cnnviz.ui.markup import text

BOTH = "This network looks at the mirror image, too, and answers with the mean of both: this {can} change the answer."
ROOM, TILE = 224, 96  # px of a picture before and after, and of one on a switch
_HERE = Path(__file__).parent
_patch = st.components.v2.component(
    "cnnviz_patch",
    html='<div class="frame"><img alt=""><button type="button" data-testid="patch"></button></div>'
    '<p class="where" aria-live="polite"></p>',
    css=(_HERE / "classify_patch.css").read_text(),
    js=(_HERE / "classify_patch.js").read_text(),
)


@dataclass(frozen=True, eq=False)
class _Subject:
    """What the mistakes are made on: a photo, or one face in it; and the network that answers.

    digest: of the photo as the network takes it, its face or the whole.
    """

    photo: Photo
    face: Face | None
    digest: str
    network: Network

    @property
    def kinds(self) -> tuple[Mistake, ...]:
        return mistakes.of(self.network.card.preprocessing, self.face is not None)

    def picture(self, made: Collection[str] = (), place: Place = mistakes.MIDDLE) -> Pixels:
        """The network's input with these mistakes made."""
        return mistakes.picture(self.photo.pixels, self.network.card.preprocessing, made, place, self.face)


def drawer(owner: str, digest: str, network: Network, sure_from: float) -> None:
    """The drawer, closed unless `?mistakes=true`; what is in it runs only while it is open.

    digest: of the photo as the network takes it, as face_choice.taken gives it.
    """
    cover = "eyes or mouth" if network.card.task == "face" else "a patch"
    first = "swap colors" if network.card.preprocessing.color == "rgb" else "make it darker"
    label = f"**Classic mistakes**: {first}, turn the photo, cover {cover} … and see what becomes of the answer"
    place = st.expander(label, key="mistakes", bind="query-params")
    if place.open:
        with place:
            _inside(owner, digest, network, sure_from)


@st.fragment
def _inside(owner: str, digest: str, network: Network, sure_from: float) -> None:
    """It is given no photo, which Streamlit would keep as long as the tab is open."""
    history.again()  # the switches below tell the browser the whole address
    photo = strip.in_hand(owner)
    try:
        taken, face = face_choice.taken(photo, network.card)
    except NetworkError as error:
        frame.problem(str(error), "mistakes")
        return
    if taken.digest != digest:
        st.rerun()
    subject = _Subject(photo, face, digest, network)
    comparison = st.container()
    with comparison:
        place = _place()
    preprocessing, kinds = network.card.preprocessing, subject.kinds
    singles = {one.key: subject.picture((one.key,)) for one in kinds}
    fed = [mistakes.fed(subject.picture(), preprocessing)]
    fed += [mistakes.fed(singles[one.key], preprocessing, (one.key,)) for one in kinds]
    answers = classify_photo.ask(network, np.stack(fed), ("mistakes", digest), "mistakes")
    if isinstance(answers, str):
        frame.problem(answers, "mistakes")
        return
    labels = network.card.labels
    height, width = preprocessing.height, preprocessing.width

    covers = "the patch" if face is None else "what covers"
    st.caption(
        f"JPEG, dark, blur, noise and {covers} are put on the {width} × {height} pixels that go in, where no resizing "
        "can hide them; on the whole photo JPEG, blur and noise would do less."
    )
    with st.grid(5, min_column_width=180, gap=24, key="switches"):
        for one, answer in zip(kinds, answers[1:], strict=True):
            with st.container(key=f"mistake_{one.key}", gap="xsmall"):
                st.html(_tile(singles[one.key], _short(labels, answers[0], answer, sure_from)))
                st.toggle(one.label, key=one.key, bind="query-params")
                # of a whole photo the mirror image may be cut half a pixel further left or right
                both = BOTH.format(can="can hardly" if face is None else "cannot")
                st.caption(both if one.key == "mirrored" and network.card.mirror else one.why)
    chosen = tuple(one.key for one in kinds if st.session_state.get(one.key))
    with comparison:
        _compare(subject, chosen, place, answers[0], sure_from)


def _tile(pixels: Pixels, line: str) -> str:
    return f"{classify_photo.array(pixels, 'The input with this mistake', TILE)}<p>{line}</p>"


def _short(labels: tuple[str, ...], before: Answer, after: Answer, sure_from: float) -> str:
    """An answer in a few words, against the one without the mistake. HTML."""
    best = int(after.argmax())
    word = "still" if best == int(before.argmax()) else "now"
    mark = "b" if word == "now" else "span"
    doubt = "" if after[best] >= sure_from else ", not sure"
    return f"{word} <{mark}>{text(labels[best])}</{mark}> {percent(float(after[best]))}{doubt}"


def _compare(subject: _Subject, chosen: Collection[str], place: Place, before: Answer, sure_from: float) -> None:
    """What goes in and what comes out without and with the chosen mistakes, side by side."""
    network, card, preprocessing = subject.network, subject.network.card, subject.network.card.preprocessing
    after = before
    if chosen:
        made = subject.picture(chosen, place)
        patch = mistakes.patch(preprocessing, place) if "covered" in chosen else ()
        key = ("chosen", subject.digest, *chosen, *patch)
        found = classify_photo.ask(network, mistakes.fed(made, preprocessing, chosen)[None], key, "chosen")
        if isinstance(found, str):
            frame.problem(found, "chosen")
            return
        after = found[0]
    order = classify_photo.ranked(before)
    if (best := int(after.argmax())) not in order:
        order = [*order[:-1], best]
    with st.grid(2, min_column_width=300, gap=(24, 40), key="sides"):
        with st.container(key="before"):
            st.subheader("Before", anchor=False)
            with st.container(horizontal=True, gap="medium"):
                with st.container(width=ROOM):
                    st.html(_side(subject.picture(), "The input as it should be"))
                _says(card.labels, before, sure_from, order)
        with st.container(key="after"):
            st.subheader(_title(subject.kinds, chosen), anchor=False)
            with st.container(horizontal=True, gap="medium"):
                with st.container(width=ROOM):
                    bare = subject.picture(set(chosen) - {"covered"})
                    if "covered" in chosen:
                        _draggable(bare, network, place)
                    else:
                        st.html(_side(bare, "The input with the mistakes"))
                _says(card.labels, after, sure_from, order)


def _title(kinds: tuple[Mistake, ...], chosen: Collection[str]) -> str:
    labels = [one.label for one in kinds if one.key in chosen]
    names = [label if label.startswith("JPEG") else label[0].lower() + label[1:] for label in labels]
    return f"After: {', '.join(names)}" if names else "After: nothing is wrong yet"


def _side(pixels: Pixels, alt: str) -> str:
    return f'<div class="input">{classify_photo.array(pixels, alt, ROOM)}</div>'


def _says(labels: tuple[str, ...], answer: Answer, sure_from: float, order: list[int]) -> None:
    with st.container(width="stretch"):
        st.html(
            classify_photo.headline(labels, answer, sure_from) + classify_photo.bars(labels, answer, sure_from, order)
        )


# ------------------------------------------------------------------------------------------------ the patch


def _place() -> Place:
    """Where the patch is, from `?at=` (y,x as shares of the input), else the middle."""
    try:
        y, x = (float(share) for share in address.kept("at").split(","))
    except ValueError:
        return mistakes.MIDDLE
    return (y, x) if 0 <= y <= 1 and 0 <= x <= 1 else mistakes.MIDDLE


def _draggable(bare: Pixels, network: Network, place: Place) -> None:
    """The input with the patch on it, which pointer, finger and arrow keys move; its place comes on release."""
    preprocessing = network.card.preprocessing
    top, left, side = mistakes.patch(preprocessing, place)
    height, width = preprocessing.height, preprocessing.width
    factor = max(1, ROOM // max(height, width))
    data = {
        "src": display.data_url(display.png(markup.rgb(bare)), "png"),
        "rows": height,
        "columns": width,
        "factor": factor,
        "top": top,
        "left": left,
        "side": side,
        "grey": mistakes.GREY,
    }
    _patch(key="patch", data=[data], on_move_change=_moved, height="content")


def _moved() -> None:
    move = st.session_state["patch"].move
    try:
        y, x = (float(share) for share in move)
    except (TypeError, ValueError):
        return
    st.session_state["at"] = f"{y:.4g},{x:.4g}"
