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
  for (const act of ["pointerdown", "click", "keydown", "drop"]) addEventListener(act, () => { made = false }, true)
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
    if moved() or arrived() or _OPENED not in st.session_state:
        st.session_state[_PUT] = {}
    _tidy(key="history")


def put(param: str, value: str) -> None:
    """See that the address has this value; "" is to be without the parameter.

    While a session's first page opens, nothing keeps its history tidy yet: then this waits for `opened`.
    """
    put_so_far = st.session_state.setdefault(_PUT, {})
    other = put_so_far.get(param, value) != value  # another value may be on its way to the browser
    put_so_far[param] = value
    again(param if other else "")


def again(sure: str = "") -> None:
    """Put what was put on this page once more, where the address does not have it.

    A run starts from the address that the browser had at the click, and what was put in the run before may still have
    been on its way there. sure: of this parameter the browser is told in any case.
    """
    if _OPENED not in st.session_state:
        return
    now = st.query_params.to_dict()
    for param, value in st.session_state.get(_PUT, {}).items():
        if value == now.get(param, "") and param != sure:
            continue
        if value or param not in now:
            st.query_params[param] = value or "-"
        if not value:
            del st.query_params[param]


def opened() -> None:
    """Note that a page has come to its end, so that the browser keeps its history tidy; it puts what has waited."""
    if _OPENED not in st.session_state:
        now = st.query_params.to_dict()
        put_so_far: dict[str, str] = st.session_state.get(_PUT, {})
        if late := {param: value for param, value in put_so_far.items() if value != now.get(param, "")}:
            _tidy(key="history_late", data=late)
    st.session_state[_OPENED] = True


def moved() -> bool:
    """Whether Back or Forward led here, so that the address counts and not what the page held."""
    return bool(getattr(get_script_run_ctx(), "is_history_navigation", False))


def in_fragment() -> bool:
    """Whether this is the run of a fragment and not of a page."""
    return bool(getattr(get_script_run_ctx(), "fragment_ids_this_run", None))


def arrived() -> bool:
    """Whether the page before was another one; holds in full runs."""
    return bool(st.session_state.get(_ARRIVED))
