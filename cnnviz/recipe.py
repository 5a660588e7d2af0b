"""The road as code to copy: the Keras lines and the NumPy and OpenCV lines that compute the same numbers."""

from cnnviz import road
from cnnviz.filters import Floats


def keras_code(settings: road.Settings, pooled: bool = True) -> str:
    """A Keras program from `picture`, uint8 RGB (H, W, 3), to the last map of the road, `y`.

    pooled: whether the pool fits; else the program ends before it.
    """
    s = settings
    lines = ["import keras", "import numpy as np", "", *_source(s), *_weights(s), *_own_padding(s)]
    color = s.channel == "rgb" and s.weights_y is None
    axes = "" if color else "[..., None]"
    own = not isinstance(s.padding, str)
    dilation = s.dilation_rate
    if max(s.strides) > 1 and max(dilation) > 1:
        lines += ["# Keras takes no stride together with a dilation: put zeros between the weights instead"]
        lines += _spread(s)
        dilation = (1, 1)
    place = f'strides={s.strides}, padding="{"valid" if own else s.padding}", dilation_rate={dilation}'
    picture = "padded" if own else "x"
    for name in _names(s):
        shaped = f"{name}[..., None]" if color else f"{name}[..., None, None]"
        out = "y" if s.weights_y is None else f"g{name[-1]}"
        lines.append(f"{out} = keras.ops.conv({picture}[None]{axes}, {shaped}, {place})[0, ..., 0]")
    if s.weights_y is not None:
        lines.append(
            "y = keras.ops.arctan2(gy, gx)" if s.combine == "direction" else "y = keras.ops.sqrt(gx**2 + gy**2)"
        )
    if s.combine != "direction":
        lines.append(f"y = y + {s.bias!r}")
        if s.relu:
            lines.append("y = keras.ops.relu(y)")
    if pooled and s.combine != "direction":
        lines.append(
            f'y = keras.ops.{s.pool_kind}_pool(y[None, ..., None], {s.pool_size}, {s.pool_strides}, "valid")[0, ..., 0]'
        )
    return "\n".join(lines)


def opencv_code(settings: road.Settings, pooled: bool = True) -> str:
    """The same with NumPy and OpenCV alone; arguments as in `keras_code`."""
    s = settings
    lines = ["import cv2", "import numpy as np", "", *_source(s), *_weights(s)]
    if max(s.dilation_rate) > 1:
        lines += _spread(s)
    if s.padding == "same":
        lines += [
            "pads = []",
            f"for n, k, s in zip(x.shape, {_names(s)[0]}.shape, {s.strides}):",
            "    total = max((-(-n // s) - 1) * s + k - n, 0)",
            "    pads.append((total // 2, total - total // 2))",
            "padded = np.pad(x, pads + [(0, 0)] * (x.ndim - 2))",
        ]
    else:
        lines += _own_padding(s)
    picture = "x" if s.padding == "valid" else "padded"
    color = s.channel == "rgb" and s.weights_y is None
    lines += [
        "def conv(x, w):  # the window hangs to the right of and below its cell",
        "    y = cv2.filter2D(x, cv2.CV_32F, w, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)",
        f"    return y[: len(x) - len(w) + 1 : {s.strides[0]}, : x.shape[1] - w.shape[1] + 1 : {s.strides[1]}]",
        "",
    ]
    if s.weights_y is not None:
        lines.append(f"gx, gy = conv({picture}, wx), conv({picture}, wy)")
        lines.append("y = np.arctan2(gy, gx)" if s.combine == "direction" else "y = np.hypot(gx, gy)")
    elif color:
        lines.append(f"y = sum(conv(np.ascontiguousarray({picture}[..., c]), w[..., c].copy()) for c in range(3))")
    else:
        lines.append(f"y = conv({picture}, w)")
    if s.combine != "direction":
        lines.append(f"y = y + {s.bias!r}")
        if s.relu:
            lines.append("y = np.maximum(y, 0)")
    if pooled and s.combine != "direction":
        lines.append(
            f"windows = np.lib.stride_tricks.sliding_window_view(y, {s.pool_size})"
            f"[:: {s.pool_strides[0]}, :: {s.pool_strides[1]}]"
        )
        lines.append(f"y = windows.{'max' if s.pool_kind == 'max' else 'mean'}((2, 3))")
    return "\n".join(lines)


def _source(s: road.Settings) -> list[str]:
    channel = road.PLANES.get(s.channel)
    if channel is not None:
        x = f"picture[..., {channel}]"
    else:
        x = "picture" if s.channel == "rgb" else "(picture @ [299, 587, 114]) / 1000"
    return ["# picture: uint8 RGB of shape (rows, columns, 3)", f"x = np.float32({x})"]


def _names(s: road.Settings) -> list[str]:
    return ["w"] if s.weights_y is None else ["wx", "wy"]


def _weights(s: road.Settings) -> list[str]:
    grids = [s.weights] if s.weights_y is None else [s.weights, s.weights_y]
    return [f"{name} = np.array({_text(grid)}, np.float32)" for name, grid in zip(_names(s), grids, strict=True)]


def _text(grid: Floats) -> str:
    """Nested lists of the shortest texts that read back to the same float32."""
    if grid.ndim:
        return "[" + ", ".join(_text(part) for part in grid) + "]"
    return str(grid).removesuffix(".0")


def _spread(s: road.Settings) -> list[str]:
    """Dilation as a larger kernel with zeros between the weights."""
    y, x = s.dilation_rate
    size = tuple(d * (k - 1) + 1 for d, k in zip(s.dilation_rate, s.kernel_size, strict=True)) + s.weights.shape[2:]
    lines = []
    for name in _names(s):
        lines += [f"spread = np.zeros({size}, np.float32)", f"spread[::{y}, ::{x}] = {name}", f"{name} = spread"]
    return lines


def _own_padding(s: road.Settings) -> list[str]:
    if isinstance(s.padding, str):
        return []
    return [f"padded = np.pad(x, {s.padding} + ((0, 0),) * (x.ndim - 2))"]
