"""Kernel lab: the road from a picture through a kernel to its feature map, its ReLU and its pooled map."""

from typing import Any

import streamlit as st

from cnnviz import microscope, recipe, road
from cnnviz.ui import frame, lab_controls, lab_link, lab_settings, lab_stages, lab_words, strip, weights

STAGES = ("input", "kernel", "map", "relu", "pool")
WORDS = {
    "kernel": ("Convolution, bias", (lab_words.convolution, lab_words.bias)),
    "map": ("Stride, padding, dilation", (lab_words.stride, lab_words.padding, lab_words.dilation, lab_words.displays)),
    "relu": ("ReLU", (lab_words.relu,)),
    "pool": ("Max and average", (lab_words.pooling,)),
}


@st.fragment
def lab(owner: str, digest: str) -> None:
    """All but the picture strip: the controls, and places for the stages to stand in.

    It is given no photo, since Streamlit keeps a fragment's arguments as long as the tab is open. digest: of the
    picture that the strip shows.
    """
    photo = strip.in_hand(owner)
    if photo.digest != digest:  # the owner was away for an hour: the strip has to say so, too
        st.rerun()
    popovers: dict[str, Any] = {}

    def words(name: str) -> None:
        """A closed popover for short texts; they are written only while it is open."""
        popovers[name] = st.popover(
            WORDS[name][0], type="tertiary", icon=":material/help:", key=f"words_{name}", on_change="rerun"
        )

    kept()
    strength = lab_settings.strength()
    with st.grid(5, min_column_width=190, gap=(24, 32), key="road"):
        # all five at once, so that the first ones do not stand wider until the last has come
        cells = {name: st.container(key=f"cell_{name}", gap="xsmall") for name in STAGES}
        with cells["input"]:
            microscope.stage("stage_input", lab_stages.NAME, "input")
            lab_controls.channel()
            lab_controls.size()
        with cells["kernel"]:
            microscope.kernel("kernel_grid", lab_stages.NAME, lab_controls.edit)
            if problem := weights.problem():
                frame.problem(problem, "kernel")
                weights.forget_problem()
            lab_controls.kernel()
            lab_controls.bias()
            words("kernel")
        size = lab_settings.in_hand(photo).size
        with cells["map"]:
            map_place = st.container()
            lab_controls.strides()
            lab_controls.padding()
            lab_controls.dilation(size)
            if strength:
                lab_controls.view()
            words("map")
        relu_place, pool_place = cells["relu"].container(), cells["pool"].container()
        if strength:
            with cells["relu"]:
                lab_controls.relu()
                words("relu")
            with cells["pool"]:
                lab_controls.pool(size)
                words("pool")

    now = lab_settings.in_hand(photo)
    settings = now.settings
    name = f"{photo.digest}-{max(size)}"
    microscope.plane("plane", name, now.pixels)
    fits = lab_settings.map_size(settings, size) is not None
    if not fits:
        with map_place:
            st.markdown("**Feature map**")
            frame.problem(lab_stages.problem_of_road(now.pixels, settings), "road")
        relu_place.markdown("**ReLU**")
        pool_place.markdown("**Pool**")
        stages(owner, digest)
        lab_controls.reset_buttons()
        lab_controls.drawn(photo, only_stages_depend=False)
        return

    with map_place:
        microscope.stage("stage_map", lab_stages.NAME, "map")
        if not strength:
            lab_stages.draw_wheel()
    if strength:
        with relu_place:
            microscope.stage("stage_relu", lab_stages.NAME, "relu")
        with pool_place:
            microscope.stage("stage_pool", lab_stages.NAME, "pool")
    else:
        relu_place.markdown("An angle is no strength: ReLU and pooling rest here. Choose the magnitude to go on.")
    microscope.window("window", lab_stages.NAME, lab_stages.keep_pin)
    lab_link.say({"cell": lab_link.problem_of_place()})
    stages(owner, digest)

    sheet_place = st.container() if max(size) <= lab_stages.SHEET and strength else None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="more"):
        compared = lab_controls.compare() if strength else ""
        popovers["take"] = st.popover("Take it away", icon=":material/download:", key="take", on_change="rerun")
        popovers["code"] = st.popover("The same in code", icon=":material/code:", key="code", on_change="rerun")
        lab_controls.reset_buttons()
    opened = {key: popover for key, popover in popovers.items() if popover.open}
    alone = not (opened or compared or sheet_place or problem)
    lab_controls.drawn(photo, only_stages_depend=alone)
    if alone:
        return
    walked = road.walk(now.pixels, settings)
    for key, popover in opened.items():
        with popover:
            if key == "take":
                lab_stages.downloads(walked, now.view)
            elif key == "code":
                for library, code in (("Keras", recipe.keras_code), ("NumPy and OpenCV", recipe.opencv_code)):
                    st.markdown(f"With {library}")
                    st.code(code(settings, walked.pooled is not None), language="python")
            else:
                st.markdown("\n\n".join(text(walked) for text in WORDS[key][1][: 3 + strength]))
    if sheet_place:
        with sheet_place:
            lab_stages.draw_sheet(walked, name, lab_controls.sheet(), now.view)
    if compared:
        lab_stages.draw_comparison(walked, compared)


@st.fragment(key=lab_controls.KEPT)
def kept() -> None:
    """The part of the address that no visible widget keeps; it comes before the widgets that show it."""
    lab_controls.kept()


@st.fragment(key=lab_controls.STAGES)
def stages(owner: str, digest: str) -> None:
    """What all stages, the kernel and the window show; most controls run only this, and leave the page alone."""
    photo = strip.in_hand(owner)
    if photo.digest != digest:
        st.rerun()
    now = lab_settings.in_hand(photo)
    name = f"{photo.digest}-{max(now.size)}"
    fits = lab_settings.map_size(now.settings, now.size) is not None
    parts = {"input": lab_stages.input_stage(now.pixels, name, now.settings, fits)}
    window = None
    lab_link.ranges(now.size)
    if fits:
        walked = road.walk(now.pixels, now.settings)
        parts |= lab_stages.road_stages(walked, now.view)
        window = road.spec(walked, lab_stages.NAME, name) | {"pin": lab_link.place()}
    grid = lab_stages.kernel_grid(now.hand, now.settings, now.plane, lab_settings.room(now.size, now.settings.padding))
    microscope.draw("drawn_lab", lab_stages.NAME, parts, grid, window, lab_stages.refine)


owner = frame.page(
    "Kernel lab",
    "A small grid of weights slides over the picture. Move over it to see how one number is made.",
)
lab_link.read()
lab(owner, strip.strip(owner).digest)
