"""Start: the picture in hand and four doors into the laboratory, each with this picture already through it."""

import streamlit as st

from cnnviz import display, filters, microscope, road
from cnnviz.ui import frame, lab_stages, strip, weights

DOORS = (
    ("sobel_x", "Where are the edges?", "Sobel x finds places that get brighter or darker from left to right."),
    ("gaussian_blur_5", "What does blurring do?", "A Gaussian kernel replaces each pixel by a weighted mean."),
    ("laplacian_8", "What stands out?", "A Laplacian answers where a pixel differs from its neighbors."),
    ("emboss", "Can numbers make a relief?", "An emboss kernel subtracts one corner from the other."),
)

owner = frame.page(
    "A laboratory for convolutional networks",
    "Give it a picture, and open every number down to the multiply-adds that made it.",
)
pixels = display.reduce(strip.strip(owner).pixels, 208)
size = (pixels.shape[0], pixels.shape[1])

stages = {}
with st.grid(4, min_column_width=200, gap=(24, 32), key="doors"):
    for key, question, answer in DOORS:
        with st.container(key=f"door_{key}"):
            try:
                walked = road.walk(pixels, road.Settings("luminance", filters.PRESETS[key].weights, padding="same"))
            except ValueError as error:
                frame.problem(str(error), key)
                continue
            scale, _ = lab_stages.view(walked, "Signed")
            stages[key] = lab_stages.map_stage(
                "door",
                question,
                filters.PRESETS[key].label,
                walked.feature_map,
                scale,
                name="doors",
                live=False,
                arrow=False,
            )
            microscope.stage(f"door_map_{key}", "doors", key)
            st.markdown(answer)
            if st.button("Open it", key=f"open_{key}", icon=":material/arrow_forward:", type="tertiary"):
                weights.take(weights.Hand(key, None))
                st.switch_page(frame.ROOT / "pages" / "kernels.py")
microscope.draw("drawn_doors", "doors", stages)
