"""Inside the network: every map of every layer at work on the picture in hand, from input to answer."""

from collections.abc import Callable, Sequence

import streamlit as st

from cnnviz import engine
from cnnviz.graph import Look, Node, Screen
from cnnviz.microscope import network as parts
from cnnviz.ui import (
    address,
    asking,
    catalog,
    face_choice,
    faces,
    frame,
    inside_answer,
    inside_ask,
    inside_layer,
    inside_pairs,
    inside_sides,
    inside_state,
    inside_view,
    strip,
    trace_view,
)
from cnnviz.ui import card as card_view
from cnnviz.ui.catalog import Network
from cnnviz.ui.inside_ask import Subject
from cnnviz.ui.inside_pairs import Row
from cnnviz.ui.inside_state import KEPT, MAPS, OPENED, TRACE

STYLE = frame.ROOT / "cnnviz" / "ui" / "inside.css"
HEIGHT = 520  # px of the skeleton
# on a narrow screen the network is long, and what comes after it far away
JUMPS = (
    '<p class="jumps">Down to <a href="#answer">the answer</a> · <a href="#layer">the opened layer</a> · '
    '<a href="#trace">the trace</a></p>'
)
ANCHOR = '<span class="anchor" id="{}"></span>'


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
            frame.go("train")
        return
    if any(one.card.task == "face" for one in known.values()):
        faces.warm()
    choice = st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="choice")
    with choice, st.container(width=260):
        network = catalog.choose(known)
    inside_state.of_network(network.key)
    inside_sides.part_twins(network.key)
    inside_state.kept()
    with choice:
        with st.container(width=260):
            asked = inside_state.value("beside")
            beside = address.choice(
                "Beside it", "beside", inside_sides.sides(owner, network, known), "", _nothing, _nothing
            )
            if asked != beside and asked.startswith("network:"):
                catalog.say_hidden(asked.removeprefix("network:"))
        inside_sides.choose_mirrored()
        with st.container(width=420):
            st.caption(worth(network))
    of_faces = inside_sides.of_faces(network, beside, known)
    if of_faces:
        face_choice.kept(photo)
    if not engine.state().ready:
        asking.waiting(HEIGHT)
        return
    if of_faces:
        face_choice.row(photo, of_faces)
    try:
        subject, other = inside_sides.pair(owner, None)
    except inside_ask.Problem:  # without its face nothing of the photo may go in; why, stands above
        return
    if beside == inside_sides.OWN and other is None:
        frame.problem(inside_sides.EMPTY, "beside")
    st.html(JUMPS)
    if other is not None:
        inside_sides.choose_whole()
    here, there = inside_sides.places(other is not None)
    with here:
        if other is not None:
            st.markdown(inside_sides.heading(subject))
        parts.network("network_maps", inside_layer.NETWORK, inside_layer.open_from("network_maps"))
        st.html(ANCHOR.format("answer"))
        parts.answer("network_answer", "inside_answer", pick_from("network_answer"))
    if other is not None:
        with there:
            st.markdown(inside_sides.heading(other))
            parts.network("beside_maps", "inside_beside", inside_layer.open_from("beside_maps"))
            parts.answer("beside_answer", "inside_beside_answer", pick_from("beside_answer"))
    maps(owner, digest)
    st.html(ANCHOR.format("layer"))
    opened(owner, digest)
    st.html(ANCHOR.format("trace"))
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
        f"always the commonest class: {card_view.percent(test.majority)}"
    )


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
        nodes: tuple[Node, ...] = ()
        try:
            subject, other = inside_sides.pair(owner, say)
            nodes = inside_ask.nodes(subject)
            look, screen = looked(subject)
            here: Sequence[Row] = ()
            if other is not None:
                there: Sequence[Row] = ()
                other_look, other_screen = looked(other, same(subject, other))
                if not inside_sides.whole():
                    here, there = inside_pairs.rows(screen, other_screen, same(subject, other))
            draw(subject, look, screen, inside_layer.NETWORK, "inside_answer", "maps", here)
            if other is not None:
                at = inside_pairs.counterpart(there, inside_state.opened(screen)[0])
                blocks = ("inside_beside", "inside_beside_answer", "maps_beside")
                draw(other, other_look, other_screen, *blocks, there, at, not same(subject, other))
                alone((subject, screen, here), (other, other_screen, there))
        except inside_ask.Problem as error:
            frame.problem(str(error), "network")
    switched(look)
    if not nodes:
        return
    network = subject.network
    # what another network lacks, when that was chosen by hand, was given up with the choice
    linked = network.key == st.session_state.setdefault("inside_linked", network.key)
    if linked and (sentence := inside_state.missing(nodes, len(network.card.labels), network.card.title)):
        frame.problem(sentence, "link")


def alone(*sides: tuple[Subject, Screen, Sequence[Row]]) -> None:
    """Which maps of either network stand beside none of the other's."""
    titles = [subject.network.card.title for subject, _, _ in sides]
    for (_, screen, rows), title, other in zip(sides, titles, titles[::-1], strict=True):
        nodes = [maps.node for maps in screen.layers]
        if rows and (said := inside_pairs.unmatched(nodes, rows, title, other)):
            st.caption(frame.escape(said))


def same(subject: Subject, other: Subject) -> bool:
    """Whether two pictures are in one network; what is switched off in it is so in no other."""
    return subject.network.key == other.network.key


def draw(
    subject: Subject,
    look: Look,
    screen: Screen,
    block: str,
    answer_block: str,
    key: str,
    rows: Sequence[Row] = (),
    at: str | None = None,
    second: bool = False,
) -> None:
    """Send a network's maps and its answer.

    rows: the layers that stand in its column. at: the opened one, if known. second: it is another network beside ours.
    """
    layer, explicit = inside_state.opened(screen)
    layer = at or layer
    seen = Look(look.range, look.off, look.linear)  # the class is not to be seen on the maps
    opened_now = (layer, explicit, inside_state.channel(screen, screen.maps(layer)))
    identity = f"{hash((subject.identity, seen, tuple(rows))):x}"
    if rows:
        data = inside_pairs.column(block, subject, look, screen, rows, opened_now, identity, second)
    else:
        fits = screen.levels is not None
        tiles = None if fits else inside_ask.tiles(subject, look, screen)
        fields = inside_ask.all_fields(subject) if fits else None
        data = inside_view.network_block(block, screen, identity, opened_now, dict(look.off), tiles, fields)
    parts.draw(f"drawn_{key}", data)
    before = None
    if any(look.switches):
        before = inside_ask.screen(subject, Look(look.range, chosen=look.chosen)).answer
    card = subject.network.card
    # one pass is not judged by what was set for the mean of two
    threshold = None if card.mirror else card.threshold
    answer = inside_answer.answer_part(screen.answer, before, threshold, subject.faceless)
    if card.mirror and not subject.faceless and before is None:
        said = inside_answer.mean(
            card, inside_ask.mean_answer(subject), subject.mirrored, block == inside_layer.NETWORK
        )
        answer["note"] = f"{said} {answer['note']}"
    parts.draw(f"drawn_{key}_answer", parts.Body().block(answer_block, answer=answer))


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
        try:
            subject, other = inside_sides.pair(owner, say)
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
        try:
            subject, _ = inside_sides.pair(owner, say)
            nodes = inside_ask.nodes(subject)
        except inside_ask.Problem:
            return  # the sentence stands above
    look = inside_state.fitting(inside_state.look(), nodes, len(subject.network.card.labels))
    trace_view.show(owner, subject.network, subject.photo, look, subject.mirrored)


owner = frame.page("Inside the network", "Every map of every layer, at work on your picture.")
st.html(STYLE)
engine.start()
asking.stop()
inside(owner, strip.strip(owner).digest)
