"""The frame round every page: navigation, style sheet, heading, and the sentence that answers bad input."""

import html
import os
from pathlib import Path
from typing import NoReturn

import streamlit as st
from streamlit.navigation.page import Page

from cnnviz import engine, face
from cnnviz.engine_process import ENVIRONMENT
from cnnviz.ui import history, owner, server

ROOT = Path(__file__).resolve().parents[2]
STYLE = Path(__file__).with_name("frame.css")
ICON = Path(__file__).with_name("icon.svg")
# file in pages/, title, icon, URL (the first page is "/"); a page stands here from the day it exists
PAGES = (
    ("home.py", "Start", "home", ""),
    ("kernels.py", "Kernel lab", "grid_3x3", "kernels"),
    ("inside.py", "Inside the network", "layers", "inside"),
    ("classify.py", "Classify", "image_search", "classify"),
    ("train.py", "Train", "model_training", "train"),
    ("networks.py", "Networks", "inventory_2", "networks"),
)


def go(page: str) -> NoReturn:
    """Open a page by its file's name, with an address of its own."""
    # without query_params Streamlit refuses to go where a widget is bound to a parameter
    st.switch_page(ROOT / "pages" / f"{page}.py", query_params={})


def enter() -> None:
    """Page settings, and the mark that this session came in through app.py (see `page`); the engine warms up."""
    # the icon is a file of ours: a ":material/...:" one would be fetched from an outside host
    st.set_page_config(page_title="cnnviz", page_icon=str(ICON), layout="wide", initial_sidebar_state="collapsed")
    st.session_state["entered"] = True
    # a second wall behind what the pages leave out: the engine refuses, too
    ENVIRONMENT[face.SWITCH] = "on" if faces() else "off"
    engine.start()


def faces() -> bool:
    """Whether this server may look for faces and show networks for them: see `face.allowed`."""
    return face.allowed(server.address(), os.environ)


def navigation() -> Page:
    """The page map: navigation along the top of every page."""
    page = st.navigation(
        [
            st.Page(ROOT / "pages" / file, title=title, icon=f":material/{icon}:", url_path=url, default=url == "")
            for file, title, icon, url in PAGES
        ],
        position="top",
    )
    history.at(page.url_path)
    return page


def page(title: str, lead: str) -> str:
    """Open a page: heading and one line under it. Every page calls this first, or `begin` and `heading`.

    Returns the owner key of this browser (see `cnnviz.ui.owner`).
    """
    key = begin()
    heading(title, lead)
    return key


def begin() -> str:
    """What comes before a page's heading; for a page whose heading depends on its owner. Returns the owner key.

    A folder called pages/ makes Streamlit run a page file without app.py when nobody has said otherwise (see
    `cnnviz.ui.server`). Then `enter` was never called: announce the page map and start over.
    """
    if "entered" not in st.session_state:
        enter()
        navigation()
        st.rerun()
    st.html(STYLE)
    history.tidy()
    return owner.owner()


def heading(title: str, lead: str) -> None:
    """The page's title and one line under it, as Markdown."""
    st.title(title, anchor=False)
    st.markdown(lead)


def problem(sentence: str, key: str) -> None:
    """Answer bad input where it was given: one sentence in ink with an icon, read out by screen readers."""
    with st.container(key=f"problem_{key}"):
        st.markdown(f":material/error: {escape(sentence)}")
        st.html(f'<p class="aloud" role="alert">{html.escape(sentence)}</p>')


def escape(text: str) -> str:
    """Text that came from outside (file names), safe to stand in Markdown as it is."""
    return "".join("\\" + c if c in "\\`*_{}[]()<>#+-.!|~$:&" else c for c in text)
