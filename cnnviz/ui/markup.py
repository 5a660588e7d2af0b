"""Small tables and pictures as HTML, with every text escaped: what st.dataframe and st.image are too heavy for."""

from collections.abc import Sequence
from html import escape

import numpy as np

from cnnviz import display
from cnnviz.display import Pixels


def text(words: object) -> str:
    """Any text, safe to stand between tags and in attributes."""
    return escape(str(words))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = (), caption: str = "") -> str:
    """A table. numbers: the columns (from 0) of figures, set to the right. caption: for screen readers, in words."""
    kinds = [' class="n"' if column in numbers else "" for column in range(len(head))]
    lines = ["<table>"]
    if caption:
        lines.append(f"<caption>{text(caption)}</caption>")
    cells = "".join(f'<th scope="col"{kind}>{text(name)}</th>' for name, kind in zip(head, kinds, strict=True))
    lines.append(f"<thead><tr>{cells}</tr></thead><tbody>")
    for row in rows:
        cells = "".join(f"<td{kind}>{text(cell)}</td>" for cell, kind in zip(row, kinds, strict=True))
        lines.append(f"<tr>{cells}</tr>")
    return "".join([*lines, "</tbody></table>"])


def pairs(rows: Sequence[tuple[str, str]]) -> str:
    """Names and what they stand for, one a line; a value may have several. HTML."""
    shown = ((text(name), text(value).replace("\n", "<br>")) for name, value in rows)
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in shown) + "</dl>"


def picture(pixels: Pixels, room: int, alt: str, smooth: bool = False) -> str:
    """An <img> of RGB pixels, sent as they are and shown at most `room` wide and high.

    A small one is enlarged by a whole factor with sharp pixels; smooth: a photo, which may be scaled to `room`.
    """
    pixels = display.reduce(pixels, room)
    height, width = pixels.shape[:2]
    factor = room / max(height, width) if smooth else room // max(height, width)
    size = f'width="{round(width * factor)}" height="{round(height * factor)}"'
    data = display.data_url(display.webp(pixels), "webp") if smooth else display.data_url(display.png(pixels), "png")
    return f'<img src="{data}" {size} alt="{text(alt)}" title="{text(alt)}"{"" if smooth else SHARP}>'


SHARP = ' class="sharp"'


def rgb(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Pixels:
    """uint8 (h, w, 1 or 3) -> (h, w, 3)."""
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture
