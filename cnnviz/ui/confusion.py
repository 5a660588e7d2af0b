"""The confusion matrix as a chart (Plotly) whose cells can be clicked, and its cells in words.

Show it with st.plotly_chart(figure, config=charts.CONFIG, theme=None, alt=words(...), on_select=...).
"""

import html
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnviz.display import heat_scale
from cnnviz.ui import charts

_NAMED = 24  # classes, up to which every row is high enough for its name
_LINE = 14  # px: the height of a name
_LETTER, _DIGIT = 7.2, 6.4  # px: the usual width of a letter of 14 px, the width of a digit of 12 px


def figure(
    matrix: ArrayLike,
    labels: Sequence[str],
    palette: charts.Palette,
    chosen: tuple[int, int] | None = None,
    narrow: bool = False,
) -> charts.Figure:
    """The confusion matrix: true classes are rows, predicted ones columns, colored by the share of their row.

    matrix: counts (classes, classes), as evaluation.Scores.confusion. chosen: the cell (true, predicted) to outline.
    narrow: for a phone. With on_select= the chart answers clicks (see `cell`). Keep the cell in hand elsewhere, as in
    the URL: a chart with another outline is a new chart to Streamlit, in which nothing is selected.
    """
    counts = np.asarray(matrix, np.int64)
    classes = len(labels)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    scale = heat_scale(0, 1)
    names = [_short(label) for label in labels]
    longest = round(_LETTER * max(map(len, names)))
    # names stand side by side where a phone has room for them, else on a slope, on a phone upright
    angle = 0 if longest * classes < 220 else -90 if narrow else -45
    row = int(min(56, max(22, 320 / classes)) if classes <= _NAMED else max(6, 480 / classes))
    left, top = longest + 16, 74 + {0: 16, -90: longest, -45: round(0.72 * longest) + 8}[angle]
    right = max(8, round(0.72 * _LETTER * len(names[-1])) - 8) if angle == -45 else 8
    ticks: dict[str, list[Any]] = {
        "tickvals": list(range(classes)),
        "ticktext": [html.escape(name, quote=False) for name in names],
    }
    cell_width = ((328 if narrow else 560) - left - right) / classes
    rows, columns = (at.tolist() for at in np.divmod(np.arange(classes**2), classes))
    heat = {
        "type": "heatmap",
        "z": shares.astype(np.float32),
        "zmin": 0,
        "zmax": 1,
        "colorscale": [
            [at / 8, _hex(color)] for at, color in enumerate(scale.table[np.linspace(0, 254, 9, dtype=int)])
        ],
        "xgap": int(classes <= 20),
        "ygap": int(classes <= 20),
        "hoverinfo": "skip",
        "colorbar": _color_bar(palette, 144 if narrow else 208),
    }
    # Plotly's heat maps tell Streamlit nothing of clicks; markers that nobody sees do
    hits = {
        "type": "scatter",
        "mode": "markers",
        "x": columns,
        "y": rows,
        "customdata": list(zip(rows, columns, strict=True)),
        "hovertext": [_wrapped(cell_words(counts, labels, *pair)) for pair in zip(rows, columns, strict=True)],
        "hoverinfo": "text",
        "marker": {"symbol": "square", "size": max(4, row - 2), "opacity": 0},
        "selected": {"marker": {"opacity": 0}},
        "unselected": {"marker": {"opacity": 0}},
    }
    numbers = [
        {
            "x": column,
            "y": line,
            "text": f"{counts[line, column]:,}",
            "showarrow": False,
            "captureevents": False,
            "font": {
                "size": 14 if classes <= 7 else 12,
                "color": readable(scale.table[round(254 * shares[line, column])]),
            },
        }
        for line, column in zip(rows, columns, strict=True)
        if _DIGIT * len(f"{counts.max():,}") <= cell_width and row >= _LINE
    ]
    axis = {
        "ticklabelstandoff": 4,
        "tickfont": {"size": 14 if row >= 28 else 12, "color": palette.ink},
        "ticks": "",
        "ticklabeloverflow": "allow",
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
    }
    # names that would lie on each other are left out; hovering tells them all
    across, down = (
        {name: values[:: math.ceil(_LINE / side)] for name, values in ticks.items()} for side in (cell_width, row)
    )
    margin = {"l": left, "r": right, "t": top, "b": 56}
    below = "row: true class · column: predicted class"
    drawing = charts.layout("Confusion matrix", palette, top + classes * row + 56, margin, below) | {
        "annotations": numbers,
        "xaxis": {**axis, **across, "side": "top", "range": [-0.5, classes - 0.5], "tickangle": angle},
        "yaxis": {**axis, **down, "range": [classes - 0.5, -0.5]},
        "shapes": _outline(*chosen) if chosen is not None else [],
        "hovermode": "closest",
        "hoverdistance": -1,  # the pointer anywhere in a cell is on the cell's marker
        "dragmode": False,
        "clickmode": "event+select",
    }
    return charts.figure([heat, hits], drawing)


def cell_words(matrix: ArrayLike, labels: Sequence[str], true: int, predicted: int, what: str = "pictures") -> str:
    """A cell of the confusion matrix in words: "3 of 50 pictures of “cat” were taken for “dog” (6 %)".

    what: was counted; where some pictures got no answer, those that did.
    """
    counts = np.asarray(matrix, np.int64)
    count, total = int(counts[true, predicted]), int(counts[true].sum())
    if not total:
        return f"There are no {what} of “{labels[true]}”"
    became = "recognized" if true == predicted else f"taken for “{labels[predicted]}”"
    return f"{count:,} of {total:,} {what} of “{labels[true]}” were {became} ({charts.percent(count / total)})"


def words(matrix: ArrayLike, labels: Sequence[str], what: str = "pictures") -> str:
    """The confusion matrix in one sentence, for screen readers (`alt`): how many are right, and the largest mistake."""
    counts = np.asarray(matrix, np.int64)
    wrong = counts - np.diag(np.diag(counts))
    counted = f"{int(np.trace(counts)):,} of {int(counts.sum()):,} {what if what != 'pictures' else ''}".rstrip()
    said = f"Confusion matrix of {len(labels)} classes: {counted} right"
    if not wrong.any():
        return f"{said}."
    true, predicted = divmod(int(wrong.argmax()), len(labels))
    return f"{said}; most often wrong: {cell_words(counts, labels, true, predicted, what)}."


def cell(selected: Mapping[str, Any]) -> tuple[int, int] | None:
    """The cell (true, predicted) that a click chose, from what st.plotly_chart returns; None if there was none."""
    points = selected.get("selection", {}).get("points", [])
    pair = points[0].get("customdata") if points else None
    return (int(pair[0]), int(pair[1])) if isinstance(pair, Sequence) and len(pair) == 2 else None


def _color_bar(palette: charts.Palette, length: int) -> dict[str, Any]:
    return {
        "orientation": "h",
        "lenmode": "pixels",
        "len": length,
        "thickness": 8,
        "x": 0,
        "xanchor": "left",
        "y": 0,
        "yanchor": "top",
        "xpad": 0,
        "ypad": 12,
        "outlinewidth": 0,
        "tickvals": [0, 1],
        "ticktext": ["0 %", "100 % of the row"],
        "ticklabeloverflow": "allow",
        "tickfont": {"size": 14, "color": palette.muted},
    }


def _outline(true: int, predicted: int) -> list[dict[str, Any]]:
    """A cell's outline: 2 px of ink between 1 px of white, in both themes, so that it shows on every color."""
    box = {"type": "rect", "x0": predicted - 0.5, "x1": predicted + 0.5, "y0": true - 0.5, "y1": true + 0.5}
    white = {**box, "line": {"color": "#FFFFFF", "width": 4}}
    return [white, {**box, "line": {"color": charts.PALETTES["light"].ink, "width": 2}}]


def _short(label: str) -> str:
    return label if len(label) <= 14 else f"{label[:13]}…"


def _wrapped(sentence: str) -> str:
    return html.escape("\n".join(textwrap.wrap(sentence, 36)), quote=False).replace("\n", "<br>")


def _hex(color: NDArray[np.uint8]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


def readable(background: NDArray[np.uint8]) -> str:
    """Black or white, whichever stands out more (relative luminance of WCAG 2.2): at least 4.5 : 1 on any color."""
    share = background / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#FFFFFF"
