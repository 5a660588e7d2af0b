"""The networks that a browser may use: its owner's kept ones and those that ship, and the box to choose one from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from cnnviz import cards, face
from cnnviz.cards import Card, CardError, read_card
from cnnviz.presets import PRESETS
from cnnviz.ui import address, frame, runs

PARAM = "network"
FIRST = "objects"  # what a link without a network opens: the same for everybody
_REFUSED = "network_refused"  # in the session: a face network that a link asked for
SHIPPED, YOURS = "Comes with cnnviz", "Yours"


@dataclass(frozen=True)
class Network:
    """A trained network. key: in URLs; folder: holds model.keras and card.json; own: trained by this owner."""

    key: str
    card: Card
    folder: Path
    own: bool

    @property
    def whose(self) -> str:
        return YOURS if self.own else SHIPPED


def networks(owner: str) -> tuple[dict[str, Network], tuple[str, ...]]:
    """Key -> network, and a sentence for each card that cannot be read.

    The owner's kept ones come first, newest first; networks for faces after all others, and not at all where this
    server may not have them.
    """
    found, faults = _all(owner)
    faces = {key: one for key, one in found.items() if one.card.task == "face"}
    others = {key: one for key, one in found.items() if key not in faces}
    return others | (faces if frame.faces() else {}), faults


def _all(owner: str) -> tuple[dict[str, Network], tuple[str, ...]]:
    shipped, faults = cards.listed(frame.ROOT / "models")
    own: dict[str, Network] = {}
    broken: list[str] = []
    for one in runs.of_owner(owner):
        if one.state.kept and one.card is not None:
            own[one.run.id] = Network(one.run.id, one.card, one.run.path, True)
        elif one.state.kept and one.run.card.exists():
            try:
                read_card(one.run.card)
            except CardError as error:
                broken.append(f"Your network “{one.state.kept}” cannot be used: {error}")
    found = {name: Network(name, card, frame.ROOT / "models" / name, False) for name, card in shipped.items()}
    return own | found, (*broken, *faults)


def choose(known: Mapping[str, Network]) -> Network:
    """The quiet box to choose a network from, bound to `?network=`; without one there it is FIRST.

    known: as `networks` gives it, not empty. The choice goes along from page to page.
    """
    first = _first(known)
    held = st.session_state.get(PARAM)
    # on Train `?network=` names an architecture, which came along from there; one may be called like a face network
    if held not in known and held in PRESETS and held != st.session_state.get(_REFUSED):
        st.session_state[PARAM] = first
    asked = address.kept(PARAM, first)
    chosen = known[address.choice("Network", PARAM, _titles(known), first, _nothing, _nothing)]
    if asked not in known and say_hidden(asked):
        st.session_state[_REFUSED] = asked
    return chosen


def say_hidden(key: str) -> bool:
    """Say so, if it is a network for faces that is not in the list since these are switched off here."""
    one = _all(st.session_state.get("owner", ""))[0].get(key)
    hidden = one is not None and one.card.task == "face" and not frame.faces()
    if hidden:
        st.caption(frame.escape(face.OFF))
    return hidden


def _titles(known: Mapping[str, Network]) -> dict[str, str]:
    """Key -> what the box shows, each of them once: Streamlit tells the browser's choice by it."""
    titles: dict[str, str] = {}
    for key, one in known.items():
        title = f"{one.card.title} (yours)" if one.own else one.card.title
        titles[key] = title if title not in titles.values() else f"{title}, {key}"
    return titles


def in_hand(known: Mapping[str, Network]) -> Network:
    """The network that `choose` shows, for fragments that run without it."""
    return known.get(str(st.session_state.get(PARAM) or "")) or known[_first(known)]


def _first(known: Mapping[str, Network]) -> str:
    return FIRST if FIRST in known else next(iter(known))


def for_pictures(owner: str) -> Network | None:
    """The network in hand, if it looks at whole pictures, else the first that does; None where there is none."""
    known = {key: one for key, one in networks(owner)[0].items() if one.card.task != "face"}
    return in_hand(known) if known else None


def _nothing() -> None:
    """After a change the whole page runs again, and that is all there is to do."""
