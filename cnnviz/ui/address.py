"""What a page keeps in its URL beside the values of visible widgets, under short keys that outlive any label.

Streamlit's `bind="query-params"` handles links, reloads, the back button and page changes, but only for widgets, and it
writes the label that a selectbox shows. So what needs a key of its own lives in a hidden, bound text field.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import streamlit as st

from cnnviz.ui import frame


def kept(param: str, default: str = "") -> str:
    """The value of `?param=`; change it by assigning to st.session_state[param] before this call, or in a callback."""
    held = st.session_state.get(param, st.query_params.get(param))
    if held is not None:
        # said again, or Streamlit forgets on a page change what came with a link and was not touched since
        st.session_state[param] = held
    return str(st.text_input(param, default, key=param, bind="query-params", label_visibility="collapsed") or "")


def choice(
    label: str,
    param: str,
    options: Mapping[str, str],
    default: str,
    on_change: Callable[[], None],
    then: Callable[[], None],
    width: int | Literal["stretch"] = "stretch",
) -> str:
    """A selectbox over `options` (key -> label) for the key in `?param=`; an unknown key counts as the default.

    The page calls `kept(param, default)` before it. After a change by hand `on_change` runs, then the new key is put
    where `kept` finds it, then `then` runs, which may name the fragment to run again.
    """
    asked = str(st.session_state.get(param) or default)
    known = asked if asked in options else default
    st.session_state[f"{param}_shown"] = known

    def changed() -> None:
        on_change()
        st.session_state[param] = st.session_state[f"{param}_shown"]
        then()

    st.selectbox(
        label, list(options), format_func=options.__getitem__, key=f"{param}_shown", on_change=changed, width=width
    )
    if asked != known:
        st.caption(f"The link asks for “{frame.escape(asked[:30])}”, which is not in this list.")
    return known
