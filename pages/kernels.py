"""Kernel lab: the road from a picture through a kernel to its feature map, its ReLU and its pooled map."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from cnnviz import filters, microscope, recipe, road
from cnnviz.ui import address, frame, lab_controls, lab_stages, lab_words, strip

STAGES = ("input", "kernel", "map", "relu", "pool")
OTHERS = {"": "nothing"} | {key: kernel.label for key, kernel in filters.PRESETS.items()}


def words(label: str, key: str, texts: tuple[Callable[[road.Road], str], ...]) -> tuple[Any, Any]:
    """A closed popover for short texts; they are written once there are numbers to put in, and only if it is open."""
    popover = st.popover(label, type="tertiary", key=f"words_{key}", on_change="rerun")
    return popover, texts


@st.fragment
def lab(owner: str, digest: str) -> None:
    """All but the picture strip: a changed control runs, sends and draws only this part again.

    It is given no photo, since Streamlit keeps a fragment's arguments as long as the tab is open. digest: of the
    picture that the strip shows.
    """
    photo = strip.in_hand(owner)
    if photo.digest != digest:  # the owner was away for an hour: the strip has to say so, too
        st.rerun()
    texts = []
    with st.grid(5, min_column_width=200, gap=(24, 32), key="road"):
        # all five at once, so that the first ones do not stand wider until the last has come
        cells = {name: st.container(key=f"cell_{name}", gap="xsmall") for name in STAGES}
        with cells["input"]:
            input_stage = st.container()
            channel = lab_controls.channel()
            pixels = lab_controls.working_picture(photo)
            size = (pixels.shape[0], pixels.shape[1])
        with cells["kernel"]:
            kernel_stage = st.container()
            hand, plane = lab_controls.kernel(3 if channel == "rgb" else 1)
            bias = lab_controls.bias(hand.choice.endswith("_direction"))
            texts.append(words("Convolution, bias", "kernel", (lab_words.convolution, lab_words.bias)))
        with cells["map"]:
            map_stage = st.container()
            strides = lab_controls.pair("Stride", "stride", (filters.MAX_STRIDE, filters.MAX_STRIDE), 1)
            padding = lab_controls.padding()
            room = lab_controls.room(size, padding)
            grid, grid_y, combine = lab_controls.grids(hand, channel)
            dilation = lab_controls.dilation((grid.shape[0], grid.shape[1]), room)
            strength = combine != "direction"  # an angle can be neither clipped nor cut nor pooled
            view = lab_controls.view() if strength else ""
            on_map = (lab_words.stride, lab_words.padding, lab_words.dilation)
            texts.append(words("Stride, padding, dilation", "map", (*on_map, lab_words.displays)[: 3 + strength]))
        settings = road.Settings(
            channel=lab_controls.read_channel(hand, channel),
            weights=grid,
            weights_y=grid_y,
            combine=combine,
            bias=bias,
            strides=strides,
            padding=padding,
            dilation_rate=dilation,
        )
        with cells["relu"]:
            relu_stage = st.container()
            if strength:
                settings = replace(
                    settings, relu=st.toggle("Cut negative numbers", True, key="relu", bind="query-params")
                )
                texts.append(words("ReLU", "relu", (lab_words.relu,)))
        with cells["pool"]:
            pool_stage = st.container()
            map_size = lab_controls.map_size(settings, size)
            if strength:
                pool_size, pool_strides, pool_kind = lab_controls.pool(map_size)
                settings = replace(settings, pool_size=pool_size, pool_strides=pool_strides, pool_kind=pool_kind)
                texts.append(words("Max and average", "pool", (lab_words.pooling,)))

    name = f"{photo.digest}-{max(size)}"
    microscope.plane("plane", name, pixels)
    with input_stage:
        lab_stages.draw_input(pixels, name, settings, map_size is not None)
    with kernel_stage:
        shown_grid = grid_y if grid_y is not None and plane == 1 else grid
        lab_stages.draw_kernel(hand, shown_grid, plane, grid_y is not None, room)
    try:
        walked = road.walk(pixels, settings)
    except ValueError as error:
        with map_stage:
            frame.problem(str(error), "road")
        relu_stage.markdown("**ReLU**")
        pool_stage.markdown("**Pool**")
        return

    for popover, lines in texts:
        if popover.open:
            popover.markdown("\n\n".join(line(walked) for line in lines))
    scale, shown = lab_stages.view(walked, view)
    with map_stage:
        if strength:
            lab_stages.draw_feature_map(walked, scale, shown)
        else:
            lab_stages.draw_direction(walked)
    if strength:
        with relu_stage:
            lab_stages.draw_relu(walked, scale, shown)
        with pool_stage:
            lab_stages.draw_pool(walked, scale, shown)
    else:
        relu_stage.markdown("An angle is no strength: ReLU and pooling rest here. Choose the magnitude to go on.")
    pin = {"pin": lab_stages.pinned()}
    microscope.window("window", road.spec(walked, lab_stages.NAME, name) | pin, lab_stages.keep_pin)

    if max(size) <= lab_stages.SHEET and strength:
        lab_stages.draw_sheet(walked, name, lab_controls.sheet(), scale, shown)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="more"):
        compared = address.choice("Compare with", "compare", OTHERS, "", width=280) if strength else ""
        take = st.popover("Take it away", icon=":material/download:", key="take", on_change="rerun")
        code = st.popover("The same in code", icon=":material/code:", key="code", on_change="rerun")
        st.button("Reset everything", key="reset", type="tertiary", on_click=lab_controls.reset)
    if take.open:
        with take:
            lab_stages.downloads(walked, scale, shown)
    if code.open:
        with code:
            st.markdown("With Keras")
            st.code(recipe.keras_code(settings, walked.pooled is not None), language="python")
            st.markdown("With NumPy and OpenCV")
            st.code(recipe.opencv_code(settings, walked.pooled is not None), language="python")
    if compared:
        lab_stages.draw_comparison(walked, compared)


owner = frame.page(
    "Kernel lab", "A kernel slides over the picture. Move over any stage to see one window’s arithmetic."
)
lab_controls.drop_endless_numbers()
lab(owner, strip.strip(owner).digest)
