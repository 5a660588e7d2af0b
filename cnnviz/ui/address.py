"""What a page keeps in its URL beside the values of visible widgets, under short keys that outlive any label.

Streamlit's `bind="query-params"` is for visible widgets of one page: it writes the label that a selectbox shows, drops
a link's values on a page change, and on Back drops those that two pages share.
"""

from collections.abc import Callable, Container, Mapping
from typing import Literal

import streamlit as st

from cnnviz.ui import frame, history

_CHANGED = "changed"  # key of the entry that stands for what the page has made of a choice


def kept(param: str, default: str = "", known: Container[str] | None = None) -> str:
    """The value of `?param=`; change it by assigning to st.session_state[param] before this call, or in a callback.

    It goes along from page to page, and stands in the address of those that call this, unless it is the default.
    known: where another page has a parameter of this name, too: the values that may come along from there.
    """
    asked = st.query_params.get(param)
    held = st.session_state.get(param)
    if known is not None and held != asked and held not in known:
        held = None
    if held is None or history.moved():
        held = asked
    value = str(held or default)
    st.session_state[param] = value
    same = value == (default if asked is None else asked)  # the default may stand there, too
    history.put(param, asked or "" if same else "" if value == default else value)
    return value


def belongs(params: tuple[str, ...], to: str) -> None:
    """Give up the values of these parameters that were chosen for another one; it comes before their `kept`.

    to: the run or the network that they belong to by now. What a link says, or Back, stays.
    """
    key = f"{params[0]}_belongs_to"
    if st.session_state.get(key, to) != to and not history.moved():
        for param in params:
            st.session_state[param] = ""
            history.put(param, "")
    st.session_state[key] = to


def choice(
    label: str,
    param: str,
    options: Mapping[str, str],
    default: str,
    on_change: Callable[[], None],
    then: Callable[[], None],
    width: int | Literal["stretch"] = "stretch",
    changed_to: str = "",
    said: bool = True,
) -> str:
    """A selectbox over `options` (key -> label) for the key in `?param=`; an unknown key counts as the default.

    The page calls `kept(param, default)` before it. After a change by hand `on_change` runs, then the new key is put
    where `kept` finds it, then `then` runs, which may name the fragment to run again. changed_to: what the box shows,
    as one entry more, where the page has changed what was chosen so that its label is no longer true. said: whether a
    sentence says that the key is unknown.
    """
    asked = str(st.session_state.get(param) or default)
    known = asked if asked in options else default
    labels = ({_CHANGED: changed_to} if changed_to else {}) | dict(options)
    st.session_state[f"{param}_shown"] = _CHANGED if changed_to else known

    def changed() -> None:
        if st.session_state[f"{param}_shown"] not in options:  # it is what it was, or of a list that is gone
            return
        on_change()
        st.session_state[param] = st.session_state[f"{param}_shown"]
        then()

    st.selectbox(
        label, list(labels), format_func=labels.__getitem__, key=f"{param}_shown", on_change=changed, width=width
    )
    if asked != known and said:
        used = frame.escape(changed_to or options[known])
        st.caption(f"The link asks for “{frame.escape(asked[:30])}”, which is not in this list; “{used}” is used.")
    return known
