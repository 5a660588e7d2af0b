"""The list of an owner's runs under the three steps of Train: each opens with a click."""

import streamlit as st

from cnnviz.ui import card, frame, runs
from cnnviz.ui.runs import Listed

SHOWN = 8  # runs, before "Show all"
_STATES = {
    "queued": "waiting in line",
    "running": "training now",
    "finished": "trained",
    "stopped": "stopped",
    "failed": "failed",
    "interrupted": "interrupted",
}


def show(owner: str) -> None:
    """The owner's runs, newest first; nothing where there are none."""
    found = runs.of_owner(owner)
    if not found:
        return
    every = len(found) <= SHOWN or st.session_state.get("all_runs", False)
    with st.container(key="run_list", gap="xsmall"):
        st.subheader("Your runs", anchor=False)
        for one in found if every else found[:SHOWN]:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.button(
                    frame.escape(one.state.kept or one.title),
                    type="tertiary",
                    key=f"open_{one.run.id}",
                    on_click=_open,
                    args=(one.run.id,),
                    width=300,
                )
                st.caption(frame.escape(line(one)))
    if not every:
        st.button(f"Show all {len(found)}", type="tertiary", key="all_runs_shown", on_click=_show_all)


def line(one: Listed) -> str:
    """State, score and age of a run in a line."""
    parts = ["paused" if one.state.state == "running" and one.state.paused else _STATES[one.state.state]]
    if one.state.kept:
        parts.append(one.title)
    if one.card is not None and one.card.test is not None:
        parts.append(f"{card.percent(one.card.test.accuracy)} of {one.card.test.n:,} test pictures right")
    parts.append(runs.age(one.state.created))
    return " · ".join(parts)


def _open(run_id: str) -> None:
    st.session_state["run"] = run_id


def _show_all() -> None:
    st.session_state["all_runs"] = True
