"""Networks: every card, those that ship with the app beside the owner's own; one can be opened in full."""

import streamlit as st

from cnnviz import cards
from cnnviz.cards import Card
from cnnviz.ui import address, frame, runs, train_results
from cnnviz.ui import card as card_view

STYLE = frame.ROOT / "cnnviz" / "ui" / "train.css"
SHIPPED, YOURS = "Comes with cnnviz", "Yours"


def networks(owner: str) -> tuple[dict[str, tuple[Card, str]], tuple[str, ...]]:
    """Key -> card and whose it is, the owner's first; and a sentence for each shipped card that cannot be read."""
    shipped, faults = cards.listed(frame.ROOT / "models")
    own = {one.run.id: (one.card, YOURS) for one in runs.kept(owner) if one.card is not None}
    return own | {name: (card, SHIPPED) for name, card in shipped.items()}, faults


def brief(key: str, card: Card, whose: str) -> None:
    """A card in short."""
    with st.container(border=True, key=f"card_{key}", height="stretch"):
        st.subheader(frame.escape(card.title), anchor=False)
        st.caption(frame.escape(f"{whose} · {card_view.labels(card)}"))
        st.html(card_view.score(card) + card_view.facts(card, brief=True))
        st.button(
            "Open its card",
            icon=":material/arrow_forward:",
            type="tertiary",
            key=f"open_{key}",
            on_click=turn,
            args=(key,),
        )


def full(key: str, card: Card, whose: str) -> None:
    """A card with everything on it."""
    with st.container(horizontal=True, key="card_head"):
        st.button("All networks", icon=":material/arrow_back:", type="tertiary", key="back", on_click=turn, args=("",))
        if whose == YOURS and st.button("Its training", type="tertiary", key="its_run"):
            st.session_state["run"] = key
            st.switch_page(frame.ROOT / "pages" / "train.py")
    frame.heading(frame.escape(card.title), frame.escape(f"{whose} · {card_view.labels(card)}"))
    with st.grid(2, min_column_width=300, gap=(24, 40), key="parts"):
        with st.container():
            st.subheader("How often it is right", anchor=False)
            st.html(card_view.score(card))
        with st.container():
            st.subheader("Where it comes from", anchor=False)
            st.html(card_view.facts(card))
        if card.test is not None:
            with st.container():
                train_results.show_confusion(card)
            with st.container():
                st.subheader("Class by class", anchor=False)
                st.html(card_view.per_class(card.test))


def turn(key: str) -> None:
    """Open the card of this key, or with "" the list, in a callback."""
    st.session_state["card"] = key


owner = frame.begin()
st.html(STYLE)
found, faults = networks(owner)
chosen = address.kept("card")
if chosen in found:
    full(chosen, *found[chosen])
else:
    frame.heading("Networks", "What each one can do, how often it is right, and what it is not for.")
    if chosen:
        frame.problem(f"There is no network “{chosen[:40]}” here; these are the ones to choose from.", "card")
    for number, fault in enumerate(faults):
        frame.problem(fault, f"fault_{number}")
    if not found:
        st.markdown("No network yet: train one in a minute, and keep it under a name.")
    with st.grid(3, min_column_width=320, gap=24, key="cards"):
        for key, (card, whose) in found.items():
            brief(key, card, whose)
    if st.button("Train a network", icon=":material/model_training:", key="go_train"):
        st.switch_page(frame.ROOT / "pages" / "train.py")
