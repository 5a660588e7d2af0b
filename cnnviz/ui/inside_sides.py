"""What is at work on what on /inside: the picture in hand in the chosen network, and what is compared with it."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import streamlit as st

from cnnviz import samples
from cnnviz.images import Photo
from cnnviz.ui import asking, catalog, face_choice, frame, inside_ask, inside_pairs, inside_state, strip
from cnnviz.ui.asking import Say
from cnnviz.ui.catalog import Network
from cnnviz.ui.inside_ask import Subject
from cnnviz.ui.store import PHOTOS

OWN = f"picture:{strip.OWN}"  # value of ?beside= for a photo that only its owner can see
COMPARED = (
    "Side by side stand the picture that goes in, the first convolution, and from then on the layers whose maps are "
    f"most alike in size. Of each you see the {inside_pairs.MOST} strongest maps. Click a layer to see all of them "
    "below."
)
EMPTY = "Your own photo goes beside it: drop one on the strip. Until then nothing stands there."


def sides(owner: str, network: Network, known: dict[str, Network]) -> dict[str, str]:
    """What can stand beside: another picture through this network, or this picture through another network."""
    found = {"": "nothing"}
    here = in_hand()
    if here != strip.OWN and (PHOTOS.get(owner) is not None or inside_state.value("beside") == OWN):
        found[OWN] = "picture: your photo"
    found |= {f"picture:{one.key}": f"picture: {one.title}" for one in samples.samples() if one.key != here}
    for key, other in known.items():
        if key != network.key:
            found[f"network:{key}"] = f"network: {other.card.title}"
    return found


def in_hand() -> str:
    """The key of the picture in hand on the strip."""
    return str(st.session_state.get("picture") or samples.samples()[0].key)


def part_twins(network: str) -> None:
    """Nothing stands beside any more where that is the picture or the network in hand by now.

    network: the key of the one in hand. It comes before `inside_state.kept`.
    """
    if st.session_state.get("beside") in (f"picture:{in_hand()}", f"network:{network}"):
        st.session_state["beside"] = ""


def whole() -> bool:
    """Whether all layers of both are to be seen, below each other, in place of those that compare."""
    return inside_state.value("whole") == "1"


def choose_whole() -> None:
    """The switch for it, kept in `?whole=1`, and what is seen without it."""
    st.session_state["whole_shown"] = whole()
    st.toggle("All layers, one below the other", key="whole_shown", on_change=_choose_whole)
    if not whole():
        st.caption(COMPARED)


def _choose_whole() -> None:
    st.session_state["whole"] = "1" if st.session_state["whole_shown"] else ""


def places(two: bool) -> tuple[Any, Any]:
    """Where the one stands and where the other, if there are two: side by side, on a phone below each other."""
    if two and not whole():
        here, there = st.columns(2, gap="medium")
        return here, there
    return st.container(), st.container()


def side(subject: Subject) -> str:
    """What is at work on what, where there are two of them. Markdown."""
    mirrored = ", mirrored" * subject.mirrored
    return f"**{frame.escape(subject.photo.name)}**{mirrored} in **{frame.escape(subject.network.card.title)}**"


def heading(subject: Subject) -> str:
    """The same over its maps, with what is to be known of it first. Markdown."""
    return f"{side(subject)} · no face was found in it" if subject.faceless else side(subject)


def pair(owner: str, say: Say | None) -> tuple[Subject, Subject | None]:
    """The picture in the network, and what stands beside.

    Raises one of inside_ask.Problem where nobody can say whether a network for faces has one to look at; where that
    concerns another network alone, that stands beside no longer.
    """
    photo = strip.in_hand(owner)
    known, _ = catalog.networks(owner)
    network = catalog.in_hand(known)
    what, _, key = inside_state.value("beside").partition(":")
    other = None
    if what == "network" and key in known and key != network.key:
        with suppress(*inside_ask.Problem):
            other = _subject(owner, photo, known[key], "beside", say, inside_state.mirrored())
    elif what == "picture" and key != in_hand():
        second = PHOTOS.get(owner) if key == strip.OWN else samples.photo(key) if _sample(key) else None
        if second is not None:
            other = _subject(owner, second, network, "beside", say, chosen=False)
    return _subject(owner, photo, network, "", say, inside_state.mirrored()), other


def of_faces(network: Network, beside: str, known: Mapping[str, Network]) -> str:
    """The titles of those networks, this and the one beside, that get a face; "" where none does."""
    what, _, key = beside.partition(":")
    seen = [network, *([known[key]] if what == "network" and key in known else [])]
    return " and ".join(dict.fromkeys(f"“{one.card.title}”" for one in seen if one.card.task == "face"))


def choose_mirrored() -> None:
    """The switch between the picture and its mirror image, kept in `?mirror=1`."""
    st.session_state["mirror_shown"] = inside_state.mirrored()
    st.toggle("Mirrored", key="mirror_shown", on_change=_choose_mirrored)


def _choose_mirrored() -> None:
    st.session_state["mirror"] = "1" if st.session_state["mirror_shown"] else ""


def _subject(
    owner: str,
    photo: Photo,
    network: Network,
    part: str,
    say: Say | None,
    mirrored: bool = False,
    chosen: bool = True,
) -> Subject:
    """What of a photo this network is given: of one for faces the chosen face, or the first."""
    taken, face = face_choice.taken(photo, network.card, chosen)
    return Subject.at(network, taken, asking.turn(owner, f"inside{part}"), say, face, mirrored)


def _sample(key: str) -> bool:
    return key in [one.key for one in samples.samples()]
