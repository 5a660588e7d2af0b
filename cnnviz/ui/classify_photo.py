"""Classify, one photo: the picture with what is cut off, the array that goes in, and the answer as bars."""

import re
from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from cnnviz import display, engine, evaluation
from cnnviz.cards import Card
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.engine import EngineError
from cnnviz.images import Photo, Pixels
from cnnviz.networks import NetworkError, stamp
from cnnviz.ui import address, asking, frame, markup
from cnnviz.ui.card import percent, reach
from cnnviz.ui.catalog import Network
from cnnviz.ui.markup import text

ROOM = 320  # px of the photo and of the input
BARS = 5  # of the likeliest classes, where there are more than ALL
ALL = 7
ANSWER_HEIGHT = 244  # px of headline and five bars, so that what is below hardly jumps when they come
_CUT = 0.005  # share of a side that may be missing without a word
_ENLARGED = 4  # times: beyond it nearly all of what the network gets was made up between pixels

Answer = NDArray[np.float64]  # (classes,)


# ------------------------------------------------------------------------------------------------ what goes in


def picture(photo: Photo, preprocessing: Preprocessing) -> str:
    """The photo with a veil over what the network does not get, and a line on it. HTML."""
    height, width = photo.pixels.shape[:2]
    top, left, tall, wide = preprocessing.window(height, width)
    veils = [
        (0, 0, top, width),
        (top + tall, 0, height - top - tall, width),
        (top, 0, tall, left),
        (top, left + wide, tall, width - left - wide),
    ]
    shown = "".join(
        f'<i style="top:{100 * y / height:.2f}%;left:{100 * x / width:.2f}%;'
        f'height:{100 * h / height:.2f}%;width:{100 * w / width:.2f}%"></i>'
        for y, x, h, w in veils
        if h > 0 and w > 0
    )
    image = markup.picture(photo.pixels, ROOM, f"The photo {photo.name}", smooth=True)
    return f'<div class="veiled">{image}{shown}</div><p class="quiet">{text(fitting(photo, preprocessing))}</p>'


def fitting(photo: Photo, preprocessing: Preprocessing) -> str:
    """What happens to the photo's shape on its way in, in a sentence."""
    height, width = photo.pixels.shape[:2]
    _, _, tall, wide = preprocessing.window(height, width)
    gone_y, gone_x = 1 - tall / height, 1 - wide / width
    if max(gone_y, gone_x) > _CUT:
        sides = "left and right" if gone_x > gone_y else "above and below"
        return f"Cropped: {percent(max(gone_y, gone_x))} of it, {sides}, is not seen by this network."
    same = abs(height / width * preprocessing.width / preprocessing.height - 1) < _CUT
    if preprocessing.fit == "letterbox" and not same:
        return "All of it goes in; black bars fill the rest of the frame."
    if preprocessing.fit == "stretch" and not same:
        return "All of it goes in, squashed into the network’s frame."
    return "All of it goes in."


def enlarged(height: int, width: int, preprocessing: Preprocessing) -> str:
    """A sentence where so small a picture goes in that it says little, else ""; height, width: of the picture."""
    _, _, tall, wide = preprocessing.window(height, width)
    times = (preprocessing.height / tall, preprocessing.width / wide)
    if (min(times) if preprocessing.fit == "letterbox" else max(times)) <= _ENLARGED:  # bars fill the rest
        return ""
    return (
        f"It was enlarged from {wide} × {tall} to {preprocessing.width} × {preprocessing.height} pixels, so the answer "
        "means little; give it a larger picture."
    )


def array(pixels: Pixels, alt: str, room: int = ROOM) -> str:
    """The input uint8 (h, w, 1 or 3), enlarged by a whole factor, each value a sharp cell. HTML."""
    return markup.picture(markup.rgb(pixels), max(room, *pixels.shape[:2]), alt)


def seen(pixels: Pixels, card: Card, square: bool = False) -> str:
    """The array that goes in, and what it is in words; square: it was cut out round a face. HTML."""
    count, words = pixels.size, card.preprocessing.words(square=square)
    twice = " They go in twice, the second time mirrored, and the answer is the mean." if card.mirror else ""
    return (
        f'<div class="input">{array(pixels, "What the network sees")}</div>'
        f'<p class="quiet">{text(words)}. These {count:,} numbers are all it gets.{twice}</p>'
    )


def way(title: str, shown: str, seen: str, card: Card, sure_from: float) -> DeltaGenerator:
    """The road of one picture in three stages: as it is, as the network gets it, and a place for what the network says.

    title, shown: of the first stage; seen: of the second; both HTML. Gives the place.
    """
    with st.grid(3, min_column_width=300, gap=(24, 32), key="way"):
        with st.container(key="stage_photo"):
            st.subheader(title, anchor=False)
            st.html(shown)
        with st.container(key="stage_seen"):
            st.subheader("What the network sees", anchor=False)
            st.html(seen)
        with st.container(key="stage_answer"):
            st.subheader("What it says", anchor=False)
            with st.container(key="answer"):
                place = st.container()
            slider(card, sure_from)
            if st.button("Every map that led to it", icon=":material/arrow_forward:", type="tertiary", key="go_inside"):
                frame.go("inside")
    return place


# ------------------------------------------------------------------------------------------------ how sure is sure


def threshold(card: Card) -> float:
    """The confidence from which on an answer is sure: the card's, or what was set by hand, in `?sure=` (percent).

    What was set for one network says nothing of another, and is forgotten with it.
    """
    address.belongs(("sure",), card.name)
    asked = address.kept("sure")
    return min(float(asked), 100) / 100 if re.fullmatch(r"\d{1,4}(\.\d)?", asked, re.ASCII) else card.sure_from


def slider(card: Card, now: float) -> None:
    """The threshold by hand; its own value stays the card's, which is finer than what is shown."""
    own = card.sure_from
    st.session_state["sure_shown"] = round(100 * now, 1)

    def changed() -> None:
        value = round(float(st.session_state["sure_shown"]), 1)
        st.session_state["sure"] = "" if value == round(100 * own, 1) else f"{value:g}"

    st.slider("Sure from", 0.0, 100.0, step=0.1, format="%.1f %%", key="sure_shown", on_change=changed)
    if card.threshold is None:
        st.caption("The card names no value; 50 % is a guess.")
    else:
        st.caption(f"The card’s own value is {percent(own)}{reach(card) or ', chosen in validation'}.")


# ------------------------------------------------------------------------------------------------ the answer


def ask(
    network: Network, pictures: NDArray[np.uint8] | NDArray[np.float32], key: tuple[object, ...], turn: str
) -> NDArray[np.float64] | str:
    """Probabilities (n, classes) for pictures (n, h, w, c), or in one sentence why there are none.

    pictures: uint8 as Preprocessing.picture makes them, or float32 to go in as they are. key: what they depend on.
    turn: what they are for. While others are served first, a line says so.
    """
    folder = str(network.folder)
    place = asking.turn(st.session_state["owner"], f"classify/{turn}")
    try:
        with asking.telling() as say:
            found: NDArray[np.float64] = engine.cached(
                (*stamp(folder), *key),
                "classifier.answers",
                folder,
                pictures,
                pictures.dtype == np.uint8,
                turn=place,
                say=say,
            )
    except (EngineError, NetworkError) as error:
        return str(error)
    return found


def says(
    card: Card, answer: Answer, sure_from: float, beside: str = "", note: str = "", size: tuple[int, int] | None = None
) -> str:
    """The answer: headline, bars, and what it is worth. beside, note: HTML beside the headline and below it. HTML.

    size: height and width of the picture that was answered, for a word where it is too small.
    """
    head = headline(card.labels, answer, sure_from)
    if beside:
        head = f'<div class="beside">{beside}<div>{head}</div></div>'
    if size is not None and (small := enlarged(*size, card.preprocessing)):
        note = f'<p class="why">{text(small)}</p>{note}'
    shares = bars(card.labels, answer, sure_from)
    return f'{head}{note}{shares}<p class="quiet">{worth(card, answer, float(answer.max()) >= sure_from)}</p>'


def headline(labels: Sequence[str], answer: Answer, sure_from: float) -> str:
    """What the network says, or that it is not sure. HTML."""
    best = int(answer.argmax())
    p = percent(float(answer[best]))
    if answer[best] >= sure_from:
        return f'<p class="said">{text(labels[best])} <span>{p}</span></p>'
    why = f"Most likely “{text(labels[best])}” with {p}; sure begins at {percent(sure_from)}."
    return f'<p class="said unsure">Not sure</p><p class="why">{why}</p>'


def bars(labels: Sequence[str], answer: Answer, sure_from: float, order: Sequence[int] | None = None) -> str:
    """The likeliest classes as bars from 0 to 100 % with their numbers, and a tick where sure begins. HTML.

    order: the classes to show, else the likeliest.
    """
    best = int(answer.argmax())
    chosen = ranked(answer) if order is None else order
    lines = [
        f'<li{" class=top" if index == best else ""}><span class="label">{text(labels[index])}</span>'
        f'<span class="rail" style="--sure:{100 * sure_from:.1f}%">'
        f'<b style="width:{100 * answer[index]:.1f}%"></b></span>'
        f'<span class="n">{percent(float(answer[index]))}</span></li>'
        for index in chosen
    ]
    rest = len(labels) - len(lines)
    share = max(0.0, 1 - float(sum(answer[index] for index in chosen)))
    more = f'<p class="quiet">{_others(rest)} {percent(share)}.</p>' if rest > 0 else ""
    return f'<ol class="bars" aria-label="Answer">{"".join(lines)}</ol>{more}'


def _others(rest: int) -> str:
    return "The other class has" if rest == 1 else f"The {rest:,} others share"


def ranked(answer: Answer) -> list[int]:
    """The classes, the likeliest first and of equals the first: up to ALL of them, or BARS of more."""
    return [int(index) for index in np.argsort(-answer, kind="stable")[: len(answer) if len(answer) <= ALL else BARS]]


def worth(card: Card, answer: Answer, sure: bool) -> str:
    """How often this very answer was right in the test, if it is a sure one; and that the classes are all there is."""
    must = f"It has to call every picture one of its {len(card.labels)} classes, whatever it is shown."
    if card.test is None or not sure:
        return must
    best = int(answer.argmax())
    called = sum(row[best] for row in card.test.confusion)
    label = card.labels[best]
    if not called:
        return f"In its test it never said “{label}”. {must}"
    right = card.test.confusion[best][best]
    low, high = evaluation.wilson(right, called)
    return (
        f"In its test it said “{label}” {called:,} times and was right in {percent(right / called)} of them "
        f"(95 % interval {display.number(100 * low, 3)} to {display.number(100 * high, 3)}). {must}"
    )
