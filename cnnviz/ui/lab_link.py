"""What a link to the Kernel lab, or a hand, asks of a control that cannot be that: one sentence, with what can be.

Streamlit drops such a value of a link without a word; a typed one never leaves the browser.
"""

import math
import re

import streamlit as st

from cnnviz.display import number
from cnnviz.ui import frame, history
from cnnviz.ui.lab_settings import DEFAULTS, VIEWS, Size, limits, value

_ASKED = "lab_asked"  # in the session
WISHED = "lab_wished"  # in the session: sizes that the picture had no room for, by key
_BOUND = [key for key in DEFAULTS if key not in ("kernel", "w", "compare", "cell")]  # whose widgets read the address
_LONGEST = 20  # characters of what a link gives, in a sentence


def read() -> None:
    """Note what the link asks for, before any widget reads it, and take out what no widget may see.

    That is what came along under a name that another page has, too, and "inf" and "1e999", for which a field of whole
    numbers raises OverflowError.
    """
    if st.session_state.get("view") not in VIEWS:
        st.session_state.pop("view", None)
    if history.arrived():
        forget()
    if history.moved():
        st.session_state.pop(WISHED, None)
    new = {key: text for key in _BOUND if (text := st.query_params.get(key)) and key not in st.session_state}
    asked().update({key: text[:100] for key, text in new.items()})
    if endless := [key for key, text in new.items() if type(DEFAULTS[key]) is int and math.isinf(_number(text))]:
        for key in endless:
            del st.query_params[key]
        st.rerun()


def asked() -> dict[str, str]:
    """What the link asks of the controls, by key, as long as it is not what they show."""
    held: dict[str, str] = st.session_state.setdefault(_ASKED, {})
    return held


def forget(*keys: str) -> None:
    """Of these controls, or of all, the link's words count no more: they have been changed by hand."""
    for key in keys or list(asked()):
        asked().pop(key, None)


def refused(key: str, label: str, possible: str) -> str:
    """Where the link asks for what this control cannot be: what came, what it can be, and what it is; else "".

    Call it once the control stands. possible: "can be Max or Average".
    """
    now = value(key)
    shown, given = str(now), asked().get(key)
    if isinstance(now, bool):
        shown, given = shown.lower(), given and given.lower()
    if given is None or given == shown:
        forget(key)
        return ""
    shown = number(now) if type(now) in (int, float) else shown
    return f"The link gives “{asked()[key][:_LONGEST]}” for {label}, which {possible}; {shown} is used."


def refused_number(key: str, label: str, least: float, most: float) -> str:
    """The same of a number from least to most."""
    given, whole = _number(asked().get(key, "")), type(DEFAULTS[key]) is int
    if least <= given <= most and (not whole or given == int(given)):
        forget(key)
    kind = "whole numbers" if whole else "numbers"
    possible = f"takes {kind} from {_text(least)} to {_text(most)}" if least < most else f"can only be {_text(least)}"
    return refused(key, label, f"{possible} here")


def place() -> str:
    """The place in the URL that the window is held at, "map,row,column", or ""."""
    given = str(st.session_state.get("cell") or "")
    return given if re.fullmatch(r"(input|map|relu|pool),\d{1,4},\d{1,4}", given, re.ASCII) else ""


def problem_of_place() -> str:
    """Why no window is held though the link asks for one, "" if it asks for none or for a place."""
    given = str(st.session_state.get("cell") or "")
    if not given or place():
        return ""
    return f"The link gives “{given[:_LONGEST]}” for the window to hold; a place reads “map,3,4”: stage, row, column."


def say(refused: dict[str, str]) -> None:
    """Sentences by key, each where the control is that it is about; no sentence where it is ""."""
    for key, sentence in refused.items():
        if sentence:
            frame.problem(sentence, key)


def ranges(size: Size) -> None:
    """What a field says to a typed number that it cannot be: a style sheet, for a picture of `size`."""
    rules = []
    for key, (least, most) in limits(size).items():
        span = f"{_text(least)} to {_text(most)}" if least < most else _text(least)
        rules.append(f'.st-key-{key}{{--range:"Only {span} here; {_text(value(key))} still counts."}}')
    st.html(f"<style>{''.join(rules)}</style>")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _text(n: float) -> str:
    """A limit as it is meant, in full: "−10,000"."""
    return f"{n:,g}".replace("-", "−")
