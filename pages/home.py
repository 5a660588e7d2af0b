"""Start: the picture in hand and four doors into the laboratory, each with this picture already through it."""

from typing import Literal

import streamlit as st

from cnnviz import display, engine, filters, microscope, road
from cnnviz.images import Photo
from cnnviz.ui import asking, catalog, doors, frame, inside_ask, lab_stages, strip, weights
from cnnviz.ui.catalog import Network

STYLES = ("train.css", "classify.css", "doors.css")
KERNEL = "sobel_x"
PAGES = ("kernels", "inside", "classify", "train")


def kernels(photo: Photo) -> None:
    """Edges, by three times three weights."""
    pixels = display.reduce(photo.pixels, 208)
    weights_of = filters.PRESETS[KERNEL].weights
    # zeros round the picture would look like edges; a picture too small for one window has to have them
    padding: Literal["valid", "same"] = "valid" if min(pixels.shape[:2]) >= len(weights_of) else "same"
    walked = road.walk(pixels, road.Settings("luminance", weights_of, padding=padding))
    scale, _ = lab_stages.view(walked, "Signed")
    label = filters.PRESETS[KERNEL].label
    stage = lab_stages.map_stage(
        "door", "Where are the edges?", label, walked.feature_map, scale, name="doors", live=False, arrow=False
    )
    microscope.stage("door_map", "doors", "door")
    microscope.draw("drawn_doors", "doors", {"door": stage})


def inside(owner: str, photo: Photo, network: Network) -> None:
    """The first maps of a network."""
    question, what = "What does a network see in it?", "Maps of its first convolution"
    if not engine.state().ready:
        asking.watch(lambda state: st.html(doors.waiting(question, what, state.sentence)))
        return
    try:
        with asking.telling() as say:
            st.html(doors.door(question, what, *doors.maps(network, photo, owner, say)))
    except inside_ask.Problem as error:
        frame.problem(str(error), "door_inside")


def classify(photo: Photo, network: Network) -> None:
    """What it takes the picture for."""
    question, what = "What is it?", network.card.title
    if not engine.state().ready:
        asking.watch(lambda state: st.html(doors.waiting(question, what, state.sentence)))
        return
    st.html(doors.door(question, what, *doors.answer(network, photo)))


def train(photo: Photo) -> None:
    """What learning makes of one photo."""
    note = "<p><span>The first is the photo itself</span></p>"
    st.html(doors.door("How does a network learn?", "One photo, changed at random", doors.variants(photo), note))


def words(page: str, sentence: str, label: str, network: Network | None = None) -> None:
    """What is behind a door, and its handle."""
    st.markdown(sentence)
    if st.button(label, key=f"open_{page}", icon=":material/arrow_forward:", type="tertiary"):
        if page == "kernels":
            weights.take(weights.Hand(KERNEL, None))
        elif network is not None:
            st.session_state[catalog.PARAM] = network.key
        frame.go(page)


def show(owner: str, photo: Photo, network: Network | None) -> None:
    """The four doors."""
    with st.grid(4, min_column_width=200, gap=(24, 32), key="doors"):
        cells = {page: st.container(key=f"door_{page}") for page in PAGES}
    with cells["kernels"]:
        kernels(photo)
        words("kernels", "Nine weights slide over it. Change them, and open every product.", "Kernel lab")
    with cells["train"]:
        train(photo)
        words("train", "A small network learns in a minute, also from your own photos.", "Train")
    # what a network has to say comes last, so that nothing else waits for it
    with cells["inside"]:
        if network is None:
            st.html(doors.door("What does a network see in it?", "There is no network here yet", "", ""))
        else:
            inside(owner, photo, network)
        words("inside", "Every layer at work. Follow any number back to the pixels.", "Inside the network", network)
    with cells["classify"]:
        if network is None:
            st.html(doors.door("What is it?", "There is no network here yet", "", ""))
        else:
            classify(photo, network)
        words("classify", "How sure is it? Blur the picture or cover it, and see.", "Classify", network)


owner = frame.begin()
for name in STYLES:
    st.html(frame.ROOT / "cnnviz" / "ui" / name)
asking.stop()
frame.heading(
    "A laboratory for convolutional networks",
    "Give it a picture, and open every number down to the multiply-adds that made it.",
)
show(owner, strip.strip(owner), catalog.for_pictures(owner))
