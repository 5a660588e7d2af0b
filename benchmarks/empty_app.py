"""The floor of the speed measures: an otherwise empty Streamlit page with the Kernel lab's kinds of control."""

import streamlit as st

KERNELS = [f"Kernel {n}: one label among many others" for n in range(1, 24)]

kernel = st.selectbox("Kernel", KERNELS, key="kernel", bind="query-params")
bias = st.number_input("Bias", -1000.0, 1000.0, 0.0, 1.0, key="bias", bind="query-params")
stride = [st.number_input(f"Stride {axis}", 1, 8, 1, 1, key=f"stride_{axis}", bind="query-params") for axis in "yx"]
st.write(f"{kernel}, bias {bias}, stride {stride}")
