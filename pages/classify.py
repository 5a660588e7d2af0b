"""Classify: one photo or many through a network; what goes in, what comes out, and how sure it may be."""

import streamlit as st

from cnnviz import engine
from cnnviz.images import Photo
from cnnviz.ui import (
    address,
    asking,
    catalog,
    classify_faces,
    classify_many,
    classify_mistakes,
    classify_photo,
    faces,
    frame,
    strip,
)
from cnnviz.ui import card as card_view
from cnnviz.ui.catalog import Network

STYLES = ("train.css", "classify.css")
VIEWS = {"one": "One photo", "many": "Many photos"}


def view() -> str:
    """One photo or many, kept in `?view=`."""
    held = address.kept("view", "one", VIEWS)
    st.session_state["view_shown"] = held if held in VIEWS else "one"
    st.segmented_control(
        "How many", list(VIEWS), format_func=VIEWS.__getitem__, key="view_shown", required=True, on_change=turn,
        label_visibility="collapsed",
    )  # fmt: skip
    return str(st.session_state["view_shown"])


def turn() -> None:
    """The other view, in a callback."""
    st.session_state["view"] = st.session_state["view_shown"]


def choice(known: dict[str, Network]) -> Network:
    """One photo or many, which network, and its card."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="choice"):
        with st.container(width=280):
            network = catalog.choose(known)
        if st.button(worth(network), icon=":material/info:", type="tertiary", key="card_open"):
            whole_card(network)
    return network


def worth(network: Network) -> str:
    """The button that opens the card, with what matters most on it."""
    test = network.card.test
    if test is None:
        return "Never tested · its card"
    return f"Right in {card_view.percent(test.accuracy)} of {test.n:,} test pictures · its card"


@st.dialog("How good is this network?", width="medium")
def whole_card(network: Network) -> None:
    """Everything that is known of a network."""
    card = network.card
    st.markdown(f"**{frame.escape(card.title)}** · {network.whose.lower()} · {frame.escape(card_view.labels(card))}")
    st.html(card_view.score(card))
    if card.test is not None:
        st.html(card_view.per_class(card.test))
    st.html(card_view.facts(card))


def one(owner: str, photo: Photo, network: Network) -> None:
    """The road of one photo, or of each face in it: as it is, as the network gets it, and what the network says."""
    card = network.card
    sure_from = classify_photo.threshold(card)
    if card.task == "face":
        classify_faces.show(owner, photo, network, sure_from)
        return
    seen = card.preprocessing.picture(photo.pixels)
    shown = classify_photo.picture(photo, card.preprocessing)
    put_in = classify_photo.seen(seen, card)
    place = classify_photo.way("The photo", shown, put_in, card, sure_from)
    if not engine.state().ready:
        with place:
            asking.waiting(classify_photo.ANSWER_HEIGHT)
        return
    with place:
        answers = classify_photo.ask(network, seen[None], ("one", photo.digest), "one")
        if isinstance(answers, str):
            frame.problem(answers, "answer")
            return
        st.html(classify_photo.says(card, answers[0], sure_from, size=photo.pixels.shape[:2]))
    classify_mistakes.drawer(owner, photo.digest, network, sure_from)


owner = frame.begin()
for name in STYLES:
    st.html(frame.ROOT / "cnnviz" / "ui" / name)
asking.stop()
frame.heading("Classify", "Give it a picture, and see what a network takes it for, and how sure it may be.")
networks, faults = catalog.networks(owner)
for number, fault in enumerate(faults):
    frame.problem(fault, f"fault_{number}")
if any(one.card.task == "face" for one in networks.values()):
    faces.warm()
if networks:
    if view() == "many":
        classify_many.show(owner, choice(networks))
    else:
        # no name for the photo here: callbacks keep this page's names as long as the tab is open
        one(owner, strip.strip(owner), choice(networks))
else:
    st.markdown("There is no network yet to classify with: train one in a minute, and keep it under a name.")
    if st.button("Train a network", icon=":material/model_training:", key="go_train"):
        frame.go("train")
