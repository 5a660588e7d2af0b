"""The browser's history: one entry for each thing that a visitor does, and whether Back or Forward led here.

Streamlit makes an entry of every parameter that it puts into the address, on a page change under the old page's name.
"""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

# The first change of the address after a click, a touch or a key makes an entry; what follows belongs to the same act.
_JS = """
export default function ({ data: late, parentElement }) {
  if (!globalThis.cnnvizHistory) tidy()
  if (!late || parentElement.told) return // once more, since the theme has changed
  parentElement.told = true
  const address = new URL(location)
  for (const [param, value] of Object.entries(late)) {
    if (value) address.searchParams.set(param, value)
    else address.searchParams.delete(param)
  }
  history.pushState(history.state, "", address)
}
function tidy() {
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
_PAGE, _ARRIVED, _OPENED, _PUT = "history_page", "history_arrived", "history_opened", "history_put"


def at(page: str) -> None:
    """Note which page the browser is on; `page`: its URL path."""
    st.session_state[_ARRIVED] = page != st.session_state.get(_PAGE)
    st.session_state[_PAGE] = page


def tidy() -> None:
    """Keep the history tidy from here on; every page calls it."""
    st.session_state[_PUT] = {}
    _tidy(key="history")


def put(param: str, value: str) -> None:
    """Put a value into the address; "" takes the parameter out.

    While a session's first page opens, nothing keeps its history tidy yet: then this waits for `opened`.
    """
    put_since = st.session_state.setdefault(_PUT, {})  # the last full run began
    put_since[param] = value
    if _OPENED not in st.session_state:
        return
    # A fragment's run starts from the address that the browser had at the click, and what was put in the run before
    # may still have been on its way there.
    for each, text in put_since.items():
        if text == st.query_params.get(each, ""):
            continue
        if text:
            st.query_params[each] = text
        else:
            del st.query_params[each]


def opened() -> None:
    """Note that a page has come to its end, so that the browser keeps its history tidy; it puts what has waited."""
    if _OPENED not in st.session_state and st.session_state.get(_PUT):
        _tidy(key="history_late", data=st.session_state[_PUT])
    st.session_state[_OPENED] = True


def moved() -> bool:
    """Whether Back or Forward led here, so that the address counts and not what the page held."""
    return bool(getattr(get_script_run_ctx(), "is_history_navigation", False))


def arrived() -> bool:
    """Whether the page before was another one; holds in full runs."""
    return bool(st.session_state.get(_ARRIVED))
