"""A snapshot of a network in training, for the eye: its first kernels, and one picture with its maps. HTML."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz import display
from cnnviz.display import Pixels, Scale, number
from cnnviz.ui import markup
from cnnviz.ui.markup import text

KERNEL, MAP, PICTURE = 60, 64, 96  # pixels on the page
MOST_KERNELS = 16
MOST_MAPS = 8  # of each layer

Arrays = Mapping[str, NDArray[Any]]


def kernels(arrays: Arrays) -> str:
    """The kernels of the first convolution, or a sentence where the network has none.

    Three channels are shown as colors about mid-grey, which stands for 0; one channel on the signed scale.
    """
    weights = arrays.get("kernels")
    if weights is None or weights.ndim != 4 or not weights.size:
        return "<p>This network begins without a convolution, so there are no kernels to see.</p>"
    height, width, channels, count = weights.shape
    limit = display.limit(weights)
    scale = display.signed_scale(limit)
    tiles = [_kernel(weights[..., index], limit, scale) for index in range(min(count, MOST_KERNELS))]
    images = "".join(markup.picture(tile, KERNEL, f"Kernel {index + 1}") for index, tile in enumerate(tiles))
    more = f", the first {len(tiles)}{_of(arrays.get('filters'))}" if count > MOST_KERNELS else ""
    what = f"{len(tiles)} kernels, {height} × {width} × {channels}{more}"
    legend = bar(scale)
    if channels == 3:
        legend = (
            '<p class="quiet">Grey is 0. More red than grey is a positive weight on red, less a negative one; so green '
            f"and blue. The ends are ±{number(limit, 2)}.</p>"
        )
    tiles_ = f'<div class="tiles" role="group" aria-label="First-layer kernels">{images}</div>'
    return f'<p class="quiet">{what}</p>{tiles_}{legend}'


def _kernel(weights: NDArray[np.float32], limit: float, scale: Scale) -> Pixels:
    if weights.shape[2] == 3:
        levels: Pixels = np.rint(127.5 + 127.5 * np.clip(weights / limit, -1, 1)).astype(np.uint8)
        return levels
    return display.colored(weights.mean(axis=2), scale)


def maps(arrays: Arrays) -> str:
    """The pinned picture and what two layers make of it: a row of maps each, with its scale."""
    pinned, rows = "", []
    if "picture" in arrays and arrays["picture"].ndim == 3:
        pixels = markup.rgb(arrays["picture"])
        side = max(pixels.shape[:2])
        pinned = markup.picture(pixels, PICTURE, "The pinned picture as the network gets it", smooth=side > PICTURE)
    for index, name in enumerate(str(one) for one in arrays.get("names", ())):
        values = arrays.get(f"maps_{index}")
        if values is not None and values.ndim == 3 and values.size:
            channels = arrays.get("channels")
            known = None if channels is None or index >= channels.size else channels.flat[index]
            rows.append(_layer(name, values.astype(np.float32), known))
    if not pinned and not rows:
        return '<p class="quiet">The picture and its maps are no longer stored.</p>'
    return f'<div class="maps"><figure>{pinned}</figure><div>{"".join(rows)}</div></div>'


def _of(known: Any) -> str:
    """Of how many; "" for snapshots of older programs, which do not say."""
    return "" if known is None else f" of {int(known):,}"


def _layer(name: str, values: NDArray[np.float32], known: Any) -> str:
    height, width, count = values.shape
    low = float(values.min())
    scale = display.heat_scale(0, display.limit(values)) if low >= 0 else display.signed_scale(display.limit(values))
    shown = range(min(count, MOST_MAPS))
    images = "".join(
        markup.picture(display.colored(values[..., one], scale), MAP, f"{name}, map {one + 1}") for one in shown
    )
    more = count > len(shown) or (known is not None and int(known) > len(shown))
    some = f"{len(shown)}{_of(known)} maps" if more else f"{count} maps"
    return (
        f"<figure><figcaption>{text(name)}: {some}, {height} × {width}</figcaption>"
        f'<div class="tiles">{images}</div>{bar(scale)}</figure>'
    )


def bar(scale: Scale) -> str:
    """A color scale with the values at its ends."""
    return (
        f'<div class="bar"><span>{number(scale.low, 3)}</span>'
        f'<i style="background:linear-gradient(to right, {scale.css})"></i><span>{number(scale.high, 3)}</span></div>'
    )
