"""Networks: every card, those that ship with the app beside the owner's own; one can be opened in full."""

import streamlit as st

from cnnviz import systems
from cnnviz.ui import address, catalog, frame, markup, train_results
from cnnviz.ui import card as card_view
from cnnviz.ui.catalog import Network

STYLE = frame.ROOT / "cnnviz" / "ui" / "train.css"


def brief(network: Network) -> None:
    """A card in short."""
    key, card, whose = network.key, network.card, network.whose
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


def full(network: Network) -> None:
    """A card with everything on it."""
    key, card, whose = network.key, network.card, network.whose
    with st.container(horizontal=True, key="card_head"):
        st.button("All networks", icon=":material/arrow_back:", type="tertiary", key="back", on_click=turn, args=("",))
        if network.own and st.button("Its training", type="tertiary", key="its_run"):
            st.session_state["run"] = key
            frame.go("train")
    frame.heading(frame.escape(card.title), frame.escape(f"{whose} · {card_view.labels(card)}"))
    with st.grid(2, min_column_width=400, gap=(24, 40), key="parts"):
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


def five_systems() -> None:
    """What the networks of five older systems score here, beside ours, and what they had claimed."""
    try:
        table = systems.read(frame.ROOT / "models" / systems.FILE)
    except ValueError as error:
        frame.problem(str(error), "systems")
        return
    tasks = table.tasks(frame.faces())
    if not tasks:
        return
    with st.container(key="systems"):
        st.subheader("Older systems beside ours", anchor=False)
        st.markdown(
            "cnnviz grew from older projects. Here their networks are trained by the same program on the same pictures "
            "as ours, and tested on pictures that none of them had seen."
        )
        for labels, ones in tasks.items():
            st.markdown(f"**{frame.escape(', '.join(labels))}** · {systems.about(ones)}")
            st.html(markup.table(systems.HEAD, list(map(systems.row, ones)), range(1, 9), ", ".join(labels)))
            for one in ones:
                if sentence := systems.note(one):
                    st.caption(frame.escape(sentence))
            claims = [one.claim for one in ones if one.claim is not None]
            st.html(markup.pairs([(one.title, f"It claimed {one.claimed}. {one.rests_on}") for one in claims]))
        st.caption(f"Both speeds were measured in one run: {table.device}.")


def turn(key: str) -> None:
    """Open the card of this key, or with "" the list, in a callback."""
    st.session_state["card"] = key


owner = frame.begin()
st.html(STYLE)
found, faults = catalog.networks(owner)
chosen = address.kept("card")
if chosen in found:
    full(found[chosen])
else:
    frame.heading("Networks", "What each one can do, how often it is right, and what it is not for.")
    if chosen:
        frame.problem(f"There is no network “{chosen[:40]}” here; these are the ones to choose from.", "card")
        catalog.say_hidden(chosen)
    for number, fault in enumerate(faults):
        frame.problem(fault, f"fault_{number}")
    if not found:
        st.markdown("No network yet: train one in a minute, and keep it under a name.")
    with st.grid(3, min_column_width=320, gap=24, key="cards"):
        for network in found.values():
            brief(network)
    if st.button("Train a network", icon=":material/model_training:", key="go_train"):
        frame.go("train")
    five_systems()
