"""Who is who: a random key per browser, kept in a cookie, so that nobody sees a neighbor's pictures."""

import re
import secrets

import streamlit as st

COOKIE = "cnnviz_owner"
_KEY = re.compile(r"[0-9a-f]{32}")

# The cookie of another tab wins: two tabs opened at once would otherwise be two owners.
_JS = """
export default function ({ data: [key], setStateValue }) {
  const held = document.cookie.match(/(?:^|; )cnnviz_owner=([0-9a-f]{32})(?:;|$)/)
  if (held) {
    if (held[1] !== key) setStateValue("held", held[1])
    return
  }
  const secure = location.protocol === "https:" ? "; Secure" : ""
  document.cookie = `cnnviz_owner=${key}; path=/; max-age=31536000; SameSite=Strict${secure}`
}
"""
_cookie = st.components.v2.component("cnnviz_owner", js=_JS)


def valid(key: object) -> bool:
    """Whether `key` has the form of an owner key: 128 bits as 32 lower-case hex digits."""
    return isinstance(key, str) and _KEY.fullmatch(key) is not None


def owner() -> str:
    """The key of the browser that this script run serves; the first call of a session sets the cookie.

    Where cookies are switched off the key lives as long as the browser tab.
    """
    if "owner" not in st.session_state:
        held = st.context.cookies.get(COOKIE)
        st.session_state["owner"] = held if valid(held) else secrets.token_hex(16)
    # in a list: into other kinds of data Streamlit looks for tables, and imports pandas (0.5 s) to know one
    _cookie(key="owner_component", data=[st.session_state["owner"]], on_held_change=_adopt)
    return str(st.session_state["owner"])


def _adopt() -> None:
    held = st.session_state["owner_component"].held
    if valid(held):
        st.session_state["owner"] = held
