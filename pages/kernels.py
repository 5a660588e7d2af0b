"""Kernel lab: the road from a picture through a kernel to its feature map, its ReLU and its pooled map."""

from dataclasses import replace

import streamlit as st

from cnnviz import filters, microscope, recipe, road
from cnnviz.ui import address, frame, lab_controls, lab_stages, lab_words, strip

owner = frame.page(
    "Kernel lab", "A kernel slides over the picture. Move over any stage to see one window’s arithmetic."
)
lab_controls.drop_endless_numbers()
photo = strip.strip(owner)

with st.grid(5, min_column_width=200, gap=(24, 32), key="road"):
    with st.container(key="cell_input", gap="xsmall"):
        input_stage = st.container()
        channel = lab_controls.channel()
        pixels = lab_controls.working_picture(photo)
        size = (pixels.shape[0], pixels.shape[1])
    with st.container(key="cell_kernel", gap="xsmall"):
        kernel_stage = st.container()
        room = lab_controls.room(size, lab_controls.padding_in_hand())
        hand, plane = lab_controls.kernel(3 if channel == "rgb" else 1, room)
        bias = lab_controls.bias()
        kernel_words = st.container()
    with st.container(key="cell_map", gap="xsmall"):
        map_stage = st.container()
        strides = lab_controls.pair("Stride", "stride", (filters.MAX_STRIDE, filters.MAX_STRIDE), 1)
        padding = lab_controls.padding()
        grid, grid_y, combine = lab_controls.grids(hand, channel)
        kernel_size = (grid.shape[0], grid.shape[1])
        dilation = lab_controls.dilation(kernel_size, lab_controls.room(size, padding))
        view = st.segmented_control(
            "Display",
            lab_stages.VIEWS,
            default="Signed",
            required=True,
            key="view",
            bind="query-params",
            width="stretch",
        )
        map_words = st.container()
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
    cells = lab_controls.map_size(settings, size)
    strength = combine != "direction"  # an angle can be neither cut nor pooled
    with st.container(key="cell_relu", gap="xsmall"):
        relu_stage = st.container()
        if strength:
            relu = st.toggle("Cut negative numbers", value=True, key="relu", bind="query-params")
            settings = replace(settings, relu=relu)
        relu_words = st.container()
    with st.container(key="cell_pool", gap="xsmall"):
        pool_stage = st.container()
        if strength:
            pool_size, pool_strides, pool_kind = lab_controls.pool(cells)
            settings = replace(settings, pool_size=pool_size, pool_strides=pool_strides, pool_kind=pool_kind)
        pool_words = st.container()

name = f"{photo.digest}-{max(size)}"
microscope.plane("plane", name, pixels)
with input_stage:
    lab_stages.draw_input(pixels, name, settings, cells is not None)
with kernel_stage:
    lab_stages.draw_kernel(hand, grid_y if grid_y is not None and plane == 1 else grid, plane, grid_y is not None)
try:
    walked = road.walk(pixels, settings)
except ValueError as error:
    with map_stage:
        frame.problem(str(error), "road")
    st.stop()

scale, shown = lab_stages.view(walked, view or "Signed")
with map_stage:
    if not strength:
        lab_stages.draw_direction(walked)
    else:
        operator = lab_words.operator(settings)
        lab_stages.draw_map(
            "stage_map", "map", "Feature map", operator, shown(walked.feature_map), scale, raw=walked.feature_map
        )
with kernel_words, st.popover("Convolution, bias", type="tertiary", key="words_kernel"):
    st.markdown(lab_words.convolution(walked))
    st.markdown(lab_words.bias(walked))
with map_words:
    st.caption(lab_words.map_formula(walked))
    with st.popover("Stride, padding, dilation", type="tertiary", key="words_map"):
        for words in (lab_words.stride, lab_words.padding, lab_words.dilation, lab_words.displays):
            st.markdown(words(walked))
if strength:
    with relu_stage:
        lab_stages.draw_relu(walked, scale, shown)
    with relu_words:
        st.caption(lab_words.relu_share(walked))
        with st.popover("ReLU", type="tertiary", key="words_relu"):
            st.markdown(lab_words.relu(walked))
    with pool_stage:
        lab_stages.draw_pool(walked, scale, shown)
    with pool_words:
        st.caption(lab_words.pool_formula(walked))
        with st.popover("Max and average", type="tertiary", key="words_pool"):
            st.markdown(lab_words.pooling(walked))
else:
    relu_stage.markdown("An angle is no strength: ReLU and pooling rest here. Choose the magnitude to go on.")

microscope.window(
    "window", road.spec(walked, lab_stages.NAME, name) | {"pin": lab_stages.pinned()}, lab_stages.keep_pin
)

if max(size) <= lab_stages.SHEET and strength:
    which = st.segmented_control(
        "Every number of",
        ("Input", "Feature map", "ReLU", "Pooled map"),
        default="Feature map",
        required=True,
        key="sheet",
        bind="query-params",
    )
    lab_stages.draw_sheet(walked, name, which or "Feature map", scale, shown)

with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="more"):
    others = {"": "nothing"} | {key: kernel.label for key, kernel in filters.PRESETS.items()}
    with st.container(width=280):
        compared = address.choice("Compare with", "compare", others, "")
    with st.popover("Take it away", icon=":material/download:", key="take"):
        lab_stages.downloads(walked, scale, shown)
    with st.popover("The same in code", icon=":material/code:", key="code"):
        st.markdown("With Keras")
        st.code(recipe.keras_code(settings, walked.pooled is not None), language="python")
        st.markdown("With NumPy and OpenCV")
        st.code(recipe.opencv_code(settings, walked.pooled is not None), language="python")
    st.button("Reset everything", key="reset", type="tertiary", on_click=lab_controls.reset)
if compared and strength:
    lab_stages.draw_comparison(walked, compared)
