"""The browser's history: one entry for each thing that a visitor does, and whether Back or Forward led here.

Streamlit makes an entry of every parameter that it puts into the address, on a page change under the old page's name.
"""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

# The first change of the address after a click, a touch or a key makes an entry; what follows belongs to the same act.
_JS = """
export default function () {
  if (globalThis.cnnvizHistory) return
  globalThis.cnnvizHistory = true
  const push = history.pushState
  let made = true // a page that opens has its entry
  for (const act of ["pointerdown", "click", "keydown"]) addEventListener(act, () => { made = false }, true)
  history.pushState = function (...entry) {
    if (made) return history.replaceState(...entry)
    made = true
    return push.apply(history, entry)
  }
}
"""
_tidy = st.components.v2.component("cnnviz_history", js=_JS)
_PAGE, _ARRIVED, _OPENED = "history_page", "history_arrived", "history_opened"


def at(page: str) -> None:
    """Note which page the browser is on; `page`: its URL path."""
    st.session_state[_ARRIVED] = page != st.session_state.get(_PAGE)
    st.session_state[_PAGE] = page


def tidy() -> None:
    """Keep the history tidy from here on; every page calls it."""
    _tidy(key="history")


def opened() -> None:
    """Note that a page has come to its end, so that the browser keeps its history tidy."""
    st.session_state[_OPENED] = True


def is_tidy() -> bool:
    """Whether what is put into the address makes no entry of its own; not yet while a session's first page opens."""
    return _OPENED in st.session_state


def moved() -> bool:
    """Whether Back or Forward led here, so that the address counts and not what the page held."""
    return bool(getattr(get_script_run_ctx(), "is_history_navigation", False))


def arrived() -> bool:
    """Whether the page before was another one; holds in full runs."""
    return bool(st.session_state.get(_ARRIVED))
