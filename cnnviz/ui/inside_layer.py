"""/inside below the network: the opened layer with its channels, one of them enlarged, and what made it."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from cnnviz.graph import Look, Maps, Screen
from cnnviz.microscope import network as parts
from cnnviz.ui import (
    address,
    frame,
    inside_ask,
    inside_pairs,
    inside_parts,
    inside_sides,
    inside_state,
    inside_take,
    inside_view,
    inside_words,
    markup,
)
from cnnviz.ui.classify_photo import fitting
from cnnviz.ui.inside_ask import Subject
from cnnviz.ui.inside_state import MAPS, OPENED
from cnnviz.ui.inside_words import Place, percent, times

BLOCK, BESIDE = "inside_layer", "inside_layer_beside"
NETWORK = "inside"  # block of the network on one screen
EFFECTIVE = "effective"  # value of ?reach=

Callback = Callable[[], None]


def head(maps: Maps) -> str:
    """The opened layer's facts. HTML."""
    node = maps.node
    parameters = f"{node.parameters:,}"
    if node.parameters:
        how = f" = {node.how}" if node.how else ""
        parameters += f"{how}, {percent(maps.parameter_share)} of all"
    work = f"{node.multiply_adds:,}"
    if node.multiply_adds:
        work += f", {percent(maps.multiply_add_share)} of all"
    rows = [
        ("Kind", node.label),
        ("Output", f"{times(node.shape)} numbers"),
        ("Parameters", parameters),
        ("Multiply-adds", work),
        ("Gets", ", ".join(inside_view.name(one) for one in node.inputs) or "the picture"),
        ("Range", inside_parts.range_words(maps)),
    ]
    return '<div class="facts">' + markup.pairs(rows) + "</div>"


def controls(maps: Maps) -> None:
    """Sorting and color range of the channels, and the layer's non-linearity."""
    words = {key: text for key, text in inside_state.ORDER_WORDS.items() if key != "weight" or maps.weight is not None}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="layer_controls"):
        address.choice(
            "Sort by",
            "order",
            words,
            "index",
            _nothing,
            lambda: st.rerun([inside_state.KEPT, OPENED]),
            width=190,
            said=inside_state.order() == "index",  # another layer may have been sorted by what this one lacks
        )
        address.choice(
            "Range",
            "range",
            inside_state.RANGE_WORDS,
            "inherited",
            _nothing,
            lambda: st.rerun([inside_state.KEPT, MAPS, OPENED]),
            width=170,
        )
        if maps.node.activation and maps.node.inputs:
            out = maps.node.name in inside_state.linear()
            st.session_state["bend_shown"] = not out
            label = {"relu": "ReLU", "softmax": "softmax", "sigmoid": "sigmoid"}.get(
                maps.node.activation, maps.node.activation
            )
            st.toggle(f"{label} on", key="bend_shown", on_change=_bend, args=(maps.node.name,))
        if maps.node.inputs:
            st.session_state["reach_shown"] = inside_state.value("reach") == EFFECTIVE
            st.toggle("What a cell really depends on", key="reach_shown", on_change=_reach)


def _nothing() -> None:
    """Nothing else changes."""


def _bend(layer: str) -> None:
    inside_state.bend(layer, not st.session_state["bend_shown"])
    st.rerun([inside_state.KEPT, MAPS, OPENED, inside_state.TRACE])


def _reach() -> None:
    st.session_state["reach"] = EFFECTIVE if st.session_state["reach_shown"] else ""
    st.rerun([inside_state.KEPT, OPENED])


def show(subject: Subject, look: Look, screen: Screen, beside: tuple[Subject, Look, Screen] | None) -> None:
    """The opened layer, all of it; beside: the other picture or network that it is compared with."""
    layer, _ = inside_state.opened(screen)
    maps = screen.maps(layer)
    number = inside_state.channel(screen, maps)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="layer_head"):
        st.subheader(frame.escape(inside_view.name(layer).capitalize()), anchor=False, width="content")
        popover = st.popover(inside_words.title(maps), type="tertiary", key="words_layer", on_change="rerun")
        if popover.open:
            popover.markdown(inside_words.words(Place(screen, maps)))
        take = st.popover("Take it away", icon=":material/download:", type="tertiary", key="take", on_change="rerun")
    st.html(head(maps))
    controls(maps)
    here, there = inside_sides.places(beside is not None)
    with here:
        if beside is not None:
            _which(subject, maps)
        parts.mosaic("layer_mosaic", BLOCK, NETWORK, open_from("layer_mosaic"), switch_from("layer_mosaic"))
        parts.channel("layer_channel", BLOCK, NETWORK, trace_from("layer_channel"))
    try:
        data = block(BLOCK, subject, look, screen, maps, number)
        if take.open:
            with take:
                inside_take.show(subject, look, maps, number)
    except inside_ask.Problem as error:
        frame.problem(str(error), "layer")
        return
    parts.draw("drawn_layer", data)
    if inside_state.value("reach") == EFFECTIVE and maps.node.inputs:
        _reached(subject, look, maps, number)
    if beside is not None:
        with there:
            _beside(maps, number, screen, *beside)


def _reached(subject: Subject, look: Look, maps: Maps, number: int) -> None:
    """How much the held cell, else the strongest, depends on each pixel: a block of its own, since it takes longest."""
    layer = maps.node.name
    values = np.abs(np.nan_to_num(inside_ask.channel(subject, look, layer, number)))
    row, column = (int(one) for one in np.unravel_index(int(values.argmax()), values.shape))
    if (held := _held(maps, number)) is not None:
        row, column = held
    body = parts.Body()
    try:
        found = inside_ask.effective(subject, look, layer, (row, column), number)
    except inside_ask.Problem as error:
        frame.problem(str(error), "reach")
        return
    effective = inside_parts.reach_part(body, maps, number, (row, column), found)
    parts.draw("drawn_reach", body.block(f"{BLOCK}_reach", effective=effective))


def _held(maps: Maps, number: int) -> tuple[int, int] | None:
    """The cell that is held, if it lies on this channel."""
    held = inside_state.trace()
    if held is None or (held[0], held[3]) != (maps.node.name, number):
        return None
    return (held[1], held[2]) if held[1] < maps.height and held[2] < maps.width else None


def _beside(maps: Maps, number: int, screen: Screen, subject: Subject, look: Look, other: Screen) -> None:
    """The layer of the other side that is most like the opened one."""
    column = () if inside_sides.whole() else inside_pairs.rows(screen, other)[1]
    name = inside_pairs.counterpart(column, maps.node.name) or comparable(maps, screen, other)
    there = other.maps(name)
    _which(subject, there)
    parts.mosaic("beside_mosaic", BESIDE, "inside_beside", open_from("beside_mosaic"), lambda: None)
    parts.channel("beside_channel", BESIDE, "inside_beside", lambda: None)
    same = there.node == maps.node
    channel = number if same and number < there.channels else inside_state.strongest(there)
    try:
        data = block(BESIDE, subject, look, other, there, channel, switchable=False)
    except inside_ask.Problem as error:
        frame.problem(str(error), "beside_layer")
        return
    parts.draw("drawn_layer_beside", data)


def _which(subject: Subject, maps: Maps) -> None:
    """What stands in a column: a layer, of which network, on what."""
    st.markdown(f"{inside_sides.side(subject)}: {frame.escape(inside_view.name(maps.node.name))}")
    st.caption(frame.escape(f"{maps.node.label} · {times(maps.node.shape)}"))


def comparable(maps: Maps, screen: Screen, other: Screen) -> str:
    """The layer of another network that a layer is best compared with: of the same name, else of the same kind and as
    far from input to answer, else simply as far."""
    names = [one.node.name for one in other.layers]
    here = next(n for n, one in enumerate(screen.layers) if one.node.name == maps.node.name)
    far = here / max(1, len(screen.layers) - 1)
    kinds = [n for n, one in enumerate(other.layers) if one.node.kind == maps.node.kind]
    alike = [n for n in kinds if other.layers[n].node.name == maps.node.name]
    same_size = [n for n in kinds if other.layers[n].node.size == maps.node.size]
    places = alike or same_size or kinds or list(range(len(names)))
    return names[min(places, key=lambda n: abs(n / max(1, len(names) - 1) - far))]


def block(
    name: str, subject: Subject, look: Look, screen: Screen, maps: Maps, number: int, switchable: bool = True
) -> bytes:
    """What the parts of the opened layer show."""
    layer = maps.node.name
    order = inside_state.order()
    mosaic = inside_ask.mosaic(subject, look, layer, "index" if order == "weight" and maps.weight is None else order)
    values = inside_ask.channel(subject, look, layer, number)
    kernels = inside_ask.kernels(subject, look, maps, number)
    body = parts.Body()
    pin = _held(maps, number) if switchable else None
    off = dict(look.off).get(layer, ())
    _, explicit = inside_state.opened(screen)
    first = inside_ask.colored_kernels(subject, maps, Place(screen, maps).source)
    level = None if inside_sides.whole() else False  # one below the other, nothing needs to stay on one line
    return body.block(
        name,
        opened={"opened": layer, "channel": number, "explicit": explicit},
        mosaic=inside_parts.mosaic_part(
            body,
            mosaic,
            number,
            off,
            first,
            (switchable or level) if maps.node.inputs else None,
            inside_view.unit_names(screen, maps),
        ),
        channel=inside_parts.channel_part(
            body,
            mosaic.maps,
            number,
            values,
            subject.picture,
            _goes_in(subject),
            inside_ask.fields(subject, layer),
            None if kernels is None else inside_parts.kernel_part(body, kernels, Place(screen, maps).source),
            pin,
            inside_view.unit_names(screen, maps),
        ),
    )


def _goes_in(subject: Subject) -> str:
    """What happens to the photo on its way in."""
    preprocessing = subject.network.card.preprocessing
    _, _, height, width = preprocessing.window(*subject.photo.pixels.shape[:2])
    small = height < preprocessing.height or width < preprocessing.width
    more = " It is smaller than what the network takes, so it is enlarged; that adds nothing to see." * small
    what = "All of the square round the face goes in." if subject.face else fitting(subject.photo, preprocessing)
    return f"{what}{more}{' It is mirrored.' * subject.mirrored}"


# ------------------------------------------------------------------------------------- what the parts answer with


def open_from(key: str) -> Callback:
    """Callback of the parts that open a layer or a channel."""

    def opened() -> None:
        asked = st.session_state[key].open
        if not asked:
            return
        st.session_state["layer"] = str(asked["layer"])
        if asked["channel"] is not None:
            st.session_state["map"] = str(int(asked["channel"]))
        elif not asked["layer"]:
            st.session_state["map"] = ""
        st.rerun([inside_state.KEPT, OPENED])

    return opened


def switch_from(key: str) -> Callback:
    """Callback of the part that switches channels."""

    def switched() -> None:
        asked = st.session_state[key].switch
        if not asked:
            return
        inside_state.switch(str(asked["layer"]), int(asked["channel"]), bool(asked["off"]))
        st.rerun([inside_state.KEPT, MAPS, OPENED, inside_state.TRACE])

    return switched


def trace_from(key: str) -> Callback:
    """Callback of the part that holds a cell."""

    def traced() -> None:
        if (place := st.session_state[key].trace) is None:
            return
        st.session_state["trace"] = str(place)
        again = [OPENED] if inside_state.value("reach") == EFFECTIVE else []
        st.rerun([inside_state.TRACE, *again, inside_state.KEPT])

    return traced
