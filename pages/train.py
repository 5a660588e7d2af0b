"""Train: choose data, network and settings, watch the run, and read what came of it."""

import streamlit as st

from cnnviz.training.config import ConfigError
from cnnviz.training.queue import QueueError
from cnnviz.ui import address, frame, run_list, runs, train_run, train_settings, train_setup

STYLE = frame.ROOT / "cnnviz" / "ui" / "train.css"


def setup(owner: str) -> None:
    """The three steps before a run."""
    frame.heading("Train", "Teach a network and watch it learn. The settings are good to start with: press Train.")
    with st.grid(3, min_column_width=300, gap=(24, 40), key="setup"):
        data_step, network_step, settings_step = (st.container(key=f"step_{name}") for name in ("data", "net", "set"))
    wrong: list[str] = []  # what has to be mended before the start
    with data_step:
        st.subheader("Data", anchor=False)
        name, number = train_setup.data(wrong)
        below_data = st.container()
    with network_step:
        st.subheader("Network", anchor=False)
        architecture = train_settings.network(owner)
        below_network = st.container()
    with settings_step:
        st.subheader("Settings", anchor=False)
        place = train_setup.where()
        try:
            config = train_settings.settings(name, number, architecture, place[0].kind == "gpu", wrong)
        except ConfigError as error:
            frame.problem(str(error), "settings")
            return
    with below_data:
        labels = train_setup.show_data(owner, config, wrong)
    with below_network:
        train_setup.show_network(config, labels)
    with settings_step:
        train_setup.start(owner, config, labels, place, wrong)
    run_list.show(owner)


owner = frame.begin()
st.html(STYLE)
try:
    runs.queue().warm()
except QueueError as error:
    frame.problem(str(error), "runs")
    st.stop()
if "open_run" in st.session_state:
    st.session_state["run"] = st.session_state.pop("open_run")
run_id = address.kept("run")
if run_id:
    train_run.show(owner, run_id)
else:
    setup(owner)
