"""Inside the network: every map of every layer at work on the picture in hand, from input to answer."""

from collections.abc import Callable

import streamlit as st

from cnnviz import engine, samples
from cnnviz.graph import Look, Screen
from cnnviz.microscope import network as parts
from cnnviz.ui import (
    address,
    asking,
    catalog,
    frame,
    inside_answer,
    inside_ask,
    inside_layer,
    inside_state,
    inside_view,
    strip,
    trace_view,
)
from cnnviz.ui import card as card_view
from cnnviz.ui.asking import Say
from cnnviz.ui.catalog import Network
from cnnviz.ui.inside_ask import Subject
from cnnviz.ui.inside_state import KEPT, MAPS, OPENED, TRACE
from cnnviz.ui.store import PHOTOS

STYLE = frame.ROOT / "cnnviz" / "ui" / "inside.css"
HEIGHT = 520  # px of the skeleton


@st.fragment
def inside(owner: str, digest: str) -> None:
    """All but the picture strip."""
    photo = strip.in_hand(owner)
    if photo.digest != digest:  # the owner was away for an hour: the strip has to say so, too
        st.rerun()
    known, faults = catalog.networks(owner)
    for number, fault in enumerate(faults):
        frame.problem(fault, f"fault_{number}")
    if not known:
        st.markdown("There is no network yet to look into: train one in a minute, and keep it under a name.")
        if st.button("Train a network", icon=":material/model_training:", key="go_train"):
            st.switch_page(frame.ROOT / "pages" / "train.py")
        return
    inside_state.kept()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="choice"):
        with st.container(width=260):
            network = catalog.choose(known)
        with st.container(width=260):
            beside = address.choice("Beside it", "beside", sides(owner, network, known), "", _nothing, _nothing)
        st.caption(worth(network))
    if not engine.state().ready:
        asking.waiting(HEIGHT)
        return
    if beside:
        st.markdown(side(pair(owner, None)[0]))
    parts.network("network_maps", inside_layer.NETWORK, inside_layer.open_from("network_maps"))
    parts.answer("network_answer", "inside_answer", pick_from("network_answer"))
    if beside and (other := pair(owner, None)[1]) is not None:
        st.markdown(side(other))
        parts.network("beside_maps", "inside_beside", inside_layer.open_from("beside_maps"))
        parts.answer("beside_answer", "inside_beside_answer", pick_from("beside_answer"))
    maps(owner, digest)
    opened(owner, digest)
    trace(owner, digest)


def _nothing() -> None:
    """The fragment runs again, and that is all there is to do."""


def worth(network: Network) -> str:
    """One line on the network: how large it is, and what it scored. Markdown."""
    card = network.card
    line = f"{card.parameters:,} parameters"
    if (test := card.test) is None:
        return f"{line} · never tested"
    low, high = (card_view.percent(one) for one in test.interval)
    return (
        f"{line} · {card_view.percent(test.accuracy)} of {test.n:,} test pictures right [{low}, {high}], "
        f"majority {card_view.percent(test.majority)}"
    )


def sides(owner: str, network: Network, known: dict[str, Network]) -> dict[str, str]:
    """What can stand beside: another picture through this network, or this picture through another network."""
    found = {"": "nothing"}
    here = str(st.session_state.get("picture") or samples.samples()[0].key)
    if PHOTOS.get(owner) is not None and here != strip.OWN:
        found[f"picture:{strip.OWN}"] = "picture: your photo"
    found |= {f"picture:{one.key}": f"picture: {one.title}" for one in samples.samples() if one.key != here}
    for key, other in known.items():
        if key != network.key:
            found[f"network:{key}"] = f"network: {other.card.title}"
    return found


def side(subject: Subject) -> str:
    """What is at work on what, where there are two of them. Markdown."""
    return f"**{frame.escape(subject.photo.name)}** in **{frame.escape(subject.network.card.title)}**"


def pair(owner: str, say: Say | None) -> tuple[Subject, Subject | None]:
    """The picture in the network, and what stands beside."""
    photo = strip.in_hand(owner)
    known, _ = catalog.networks(owner)
    network = catalog.in_hand(known)
    what, _, key = inside_state.value("beside").partition(":")
    other = None
    if what == "network" and key in known and key != network.key:
        other = Subject.of(known[key], photo, owner, "beside", say)
    elif what == "picture":
        second = PHOTOS.get(owner) if key == strip.OWN else samples.photo(key) if _sample(key) else None
        if second is not None:
            other = Subject.of(network, second, owner, "beside", say)
    return Subject.of(network, photo, owner, "", say), other


def _sample(key: str) -> bool:
    return key in [one.key for one in samples.samples()]


def looked(subject: Subject, switches: bool = True) -> tuple[Look, Screen]:
    """How the network is looked at, and what is seen. switches: with what is switched off."""
    look = inside_state.fitting(inside_state.look(), inside_ask.nodes(subject), len(subject.network.card.labels))
    if not switches:
        look = Look(look.range, chosen=look.chosen)
    return look, inside_ask.screen(subject, look)


@st.fragment(key=MAPS)
def maps(owner: str, digest: str) -> None:
    """The network on one screen and its answer: the blocks, and the line that says what is switched off."""
    if strip.in_hand(owner).digest != digest:
        st.rerun()
    look = inside_state.look()
    with asking.telling() as say:
        subject, other = pair(owner, say)
        try:
            look = draw(subject, inside_layer.NETWORK, "inside_answer", "maps")
            if other is not None:
                draw(other, "inside_beside", "inside_beside_answer", "maps_beside", same(subject, other))
        except inside_ask.Problem as error:
            frame.problem(str(error), "network")
    switched(look)


def same(subject: Subject, other: Subject) -> bool:
    """Whether two pictures are in one network; what is switched off in it is so in no other."""
    return subject.network.key == other.network.key


def draw(subject: Subject, block: str, answer_block: str, key: str, switches: bool = True) -> Look:
    """Send a network's maps and its answer; gives how it is looked at."""
    look, screen = looked(subject, switches)
    tiles = inside_ask.tiles(subject, look, screen) if screen.levels is None else None
    layer, explicit = inside_state.opened(screen)
    seen = Look(look.range, look.off, look.linear)  # the class is not to be seen on the maps
    opened_now = (layer, explicit, inside_state.channel(screen, screen.maps(layer)))
    identity = f"{hash((subject.identity, seen)):x}"
    parts.draw(f"drawn_{key}", inside_view.network_block(block, screen, identity, opened_now, dict(look.off), tiles))
    before = None
    if any(look.switches):
        before = inside_ask.screen(subject, Look(look.range, chosen=look.chosen)).answer
    answer = inside_answer.answer_part(screen.answer, before, subject.network.card.threshold)
    parts.draw(f"drawn_{key}_answer", parts.Body().block(answer_block, answer=answer))
    return look


def switched(look: Look) -> None:
    """What is switched off, in a line, and the way back."""
    if not any(look.switches):
        return
    words = [
        f"{inside_view.name(name)} channel{'s' * (len(which) > 1)} {', '.join(map(str, which))}"
        for name, which in look.off
    ]
    words += [f"the non-linearity of {inside_view.name(name)}" for name in look.linear]
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="switched"):
        st.markdown(f":material/power_settings_new: Switched off: {frame.escape('; '.join(words))}", width="content")
        st.button("Switch all on", key="reset", type="tertiary", on_click=on_again)


def on_again() -> None:
    """Callback: everything is switched on."""
    inside_state.reset()
    st.rerun([KEPT, MAPS, OPENED, TRACE])


def pick_from(key: str) -> Callable[[], None]:
    """Callback of the answer: a class was chosen."""

    def picked() -> None:
        if (number := st.session_state[key].pick) is not None:
            st.session_state["toward"] = str(int(number))
        st.rerun([KEPT, MAPS, OPENED, TRACE])

    return picked


@st.fragment(key=OPENED)
def opened(owner: str, digest: str) -> None:
    """The opened layer."""
    if strip.in_hand(owner).digest != digest:
        st.rerun()
    with asking.telling() as say:
        subject, other = pair(owner, say)
        try:
            look, screen = looked(subject)
            beside = None if other is None else (other, *looked(other, same(subject, other)))
        except inside_ask.Problem:
            return  # the sentence stands above
        inside_layer.show(subject, look, screen, beside)


@st.fragment(key=TRACE)
def trace(owner: str, digest: str) -> None:
    """One cell down to its multiply-adds: the place that a click on the enlarged channel holds, or the URL."""
    if strip.in_hand(owner).digest != digest:
        st.rerun()
    with asking.telling() as say:
        subject, _ = pair(owner, say)
        try:
            nodes = inside_ask.nodes(subject)
        except inside_ask.Problem:
            return  # the sentence stands above
    look = inside_state.fitting(inside_state.look(), nodes, len(subject.network.card.labels))
    trace_view.show(owner, subject.network, subject.photo, look)


owner = frame.page("Inside the network", "Every map of every layer, at work on your picture.")
st.html(STYLE)
engine.start()
inside(owner, strip.strip(owner).digest)
