"""Kernel lab: the road from a picture through a kernel to its feature map, its ReLU and its pooled map."""

import streamlit as st

from cnnviz import filters, microscope, road
from cnnviz.ui import frame, lab, strip

owner = frame.page(
    "Kernel lab", "A kernel slides over the picture. Move over any stage to see one window’s arithmetic."
)
photo = strip.strip(owner)

with st.grid(5, min_column_width=200, gap=(24, 32), key="road"):
    with st.container(key="cell_input"):
        input_stage = st.container()
        channel = lab.channel_control()
        pixels = lab.working_picture(photo)
        size = (pixels.shape[0], pixels.shape[1])
    with st.container(key="cell_kernel"):
        kernel_stage = st.container()
        hand, plane = lab.kernel_control(3 if channel == "rgb" else 1)
        bias = st.number_input("Bias", -1000.0, 1000.0, 0.0, 1.0, key="bias", bind="query-params")
    with st.container(key="cell_map"):
        map_stage = st.container()
        strides = lab.pair("Stride", "stride", (filters.MAX_STRIDE, filters.MAX_STRIDE), 1)
        padding = lab.padding_control()
        grid = lab.kernel_grids(hand, channel)
        dilation = lab.pair("Dilation", "dilation", lab.most_dilation(lab.padded(size, padding), grid[0].shape), 1)
        view = (
            st.segmented_control(
                "Display", lab.VIEWS, default="Signed", required=True, key="view", bind="query-params", width="stretch"
            )
            or "Signed"
        )
    with st.container(key="cell_relu"):
        relu_stage = st.container()
        relu = st.toggle("ReLU", value=True, key="relu", bind="query-params")
    with st.container(key="cell_pool"):
        pool_stage = st.container()
        pool_size = lab.pair("Pool size", "pool", (filters.MAX_POOL, filters.MAX_POOL), 2)
        pool_strides = lab.pair("Pool stride", "pool_stride", (filters.MAX_STRIDE, filters.MAX_STRIDE), 2)
        pool_kind = st.segmented_control(
            "Kind",
            ("max", "average"),
            default="max",
            required=True,
            key="kind",
            format_func=str.capitalize,
            bind="query-params",
            width="stretch",
        )

settings = road.Settings(
    channel=lab.read_channel(hand, channel),
    weights=grid[0],
    weights_y=grid[1],
    combine=grid[2],
    bias=bias,
    strides=strides,
    padding=padding,
    dilation_rate=dilation,
    relu=relu,
    pool_size=pool_size,
    pool_strides=pool_strides,
    pool_kind=pool_kind or "max",
)
name = f"{photo.digest}-{max(size)}"
microscope.plane("plane", name, pixels)
with kernel_stage:
    lab.draw_kernel(hand, grid, plane)
try:
    walked = road.walk(pixels, settings)
except ValueError as error:
    with input_stage:
        lab.draw_input(pixels, name, None)
    with map_stage:
        frame.problem(str(error), "road")
    st.stop()

with input_stage:
    lab.draw_input(pixels, name, settings)
lab.draw_maps(walked, view, map_stage, relu_stage, pool_stage)
microscope.window("window", road.spec(walked, lab.NAME, name) | {"pin": lab.pinned()}, lab.keep_pin)
