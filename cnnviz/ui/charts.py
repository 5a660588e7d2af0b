"""The charts of a training run (Plotly): loss and accuracy over the epochs, with what all our charts share.

Show them with st.plotly_chart(figure, config=CONFIG, theme=None, alt=...); they bring their own heading.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.display import number
from cnnviz.training.history import Curve, History

CONFIG = {"displayModeBar": False, "scrollZoom": False, "doubleClick": "reset"}
HEIGHT = 320  # px
_TOP, _BOTTOM, _LEFT = 60, 52, 48  # px round the lines; heading and the line under it stand above
_PLOT = HEIGHT - _TOP - _BOTTOM
_FONT = '"Source Sans", sans-serif'

Floats = NDArray[np.float64]
Figure = Any  # of Plotly, which has no types


@dataclass(frozen=True, slots=True)
class Palette:
    """The colors of one theme."""

    page: str
    surface: str
    ink: str
    muted: str
    line: str
    accent: str


PALETTES = {
    "light": Palette("#FBFAF7", "#FFFFFF", "#1F2430", "#5B6472", "#E3E0D8", "#0F766E"),
    "dark": Palette("#14171C", "#1C2026", "#E8E6E1", "#9AA3AF", "#2C323A", "#2DD4BF"),
}


def loss(history: History, palette: Palette, narrow: bool = False, live: bool = False) -> Figure:
    """Training and validation loss over the epochs; the baseline is the loss of guessing, ln(classes).

    narrow: for a phone: labels of two lines, and a finger on the chart scrolls the page instead of zooming. live: the
    next one comes soon, and takes a zoom with it (Streamlit 1.67 makes a new chart of each update): there is none.
    """
    return _figure(history, _loss(history), palette, narrow, live)


def accuracy(history: History, palette: Palette, narrow: bool = False, live: bool = False) -> Figure:
    """Training and validation accuracy over the epochs; the baseline is always naming the largest class."""
    return _figure(history, _accuracy(history), palette, narrow, live)


def loss_words(history: History) -> str:
    """The loss chart in one sentence, for screen readers (`alt`)."""
    return _words(history, _loss(history))


def accuracy_words(history: History) -> str:
    """The accuracy chart in one sentence, for screen readers (`alt`)."""
    return _words(history, _accuracy(history))


def smooth(curve: Curve, values: Floats, steps: int) -> Floats:
    """The running mean at each point, float64 (n,) like values, with each point weighted by the steps it covers.

    It reaches back over half an epoch of `steps` steps, at the start over half of what there is, so that it does not
    lag behind the first quick fall; the point itself always counts.
    """
    if not len(curve):
        return values
    weight = np.diff(curve.step, prepend=0).astype(np.float64)
    known = np.isfinite(values)
    sums = np.concatenate([[0], np.cumsum(np.where(known, values, 0) * weight)])
    weights = np.concatenate([[0], np.cumsum(known * weight)])
    ends = np.arange(len(curve)) + 1
    # the first point all of whose steps lie within reach
    starts = np.searchsorted(curve.step - weight, curve.step - np.minimum(steps, curve.step) / 2)
    starts = np.minimum(starts, ends - 1)
    covered = weights[ends] - weights[starts]
    means: Floats = np.divide(sums[ends] - sums[starts], covered, out=np.full(len(curve), np.nan), where=covered > 0)
    return means


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near to the wanted ones as can be, in squares, but `gap` apart, in the same order, from low to high.

    Without the gaps it is isotonic regression, here by pooling adjacent violators. Raises nothing: where there is no
    room for all, they leave at `high`.
    """
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    blocks: list[tuple[float, int]] = []  # mean of the wanted places less their gaps, and how many
    for place, index in enumerate(order):
        mean, count = wanted[index] - gap * place, 1
        while blocks and blocks[-1][0] > mean:
            before, many = blocks.pop()
            mean, count = (mean * count + before * many) / (count + many), count + many
        blocks.append((mean, count))
    flat = [mean for mean, count in blocks for _ in range(count)]
    last = max(low, high - gap * (len(wanted) - 1))
    places = [0.0] * len(wanted)
    for place, index in enumerate(order):
        places[index] = min(max(flat[place], low), last) + gap * place
    return places


def percent(share: float) -> str:
    """A share as text: "78.2 %"; 0 % and 100 % only where it is exactly that."""
    if not math.isfinite(share):
        return number(share)
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    if share < 0.001:
        return "< 0.1 %"
    return "> 99.9 %" if share > 0.999 else f"{100 * share:.1f} %"


def loss_text(value: float) -> str:
    """A loss as text, with three decimals where it has room for them, so that it keeps its width while it changes."""
    return f"{value:.3f}" if 0.001 <= value < 10 else number(value, 3)


def figure(data: list[dict[str, Any]], layout: dict[str, Any]) -> Figure:
    """A Plotly figure. Only here is Plotly imported by us; where it is installed, Streamlit does so at its start."""
    from plotly.graph_objects import Figure  # type: ignore[import-untyped]  # noqa: PLC0415

    return Figure({"data": data, "layout": layout})


def layout(title: str, palette: Palette, height: int, margin: dict[str, int], below: str = "") -> dict[str, Any]:
    """What the charts share: a heading and a line below it, no background, no legend; height and margin in px."""
    return {
        "template": {},  # Plotly's own is 7 KB a chart
        "height": height,
        "margin": {**margin, "pad": 0},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": _FONT, "size": 14, "color": palette.ink},
        "showlegend": False,
        "title": {
            "text": f"<b>{title}</b>",
            "x": 0,
            "xref": "container",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 2},
            "font": {"size": 16, "color": palette.ink},
            "subtitle": {"text": below, "font": {"size": 14, "color": palette.muted}},
        },
        "hoverlabel": {
            "bgcolor": palette.surface,
            "bordercolor": palette.line,
            "font": {"family": _FONT, "size": 14, "color": palette.ink},
            "align": "left",
        },
    }


@dataclass(frozen=True, slots=True)
class _Lines:
    """What one chart draws, in the units of its y axis, which runs from 0 to `top`.

    raw, trained: training at each point of the curve, as recorded and as its running mean. validated: at each epoch.
    baseline: NaN for none. text: a value in words. unit: behind the numbers at the axis.
    """

    title: str
    raw: Floats
    trained: Floats
    validated: Floats
    baseline: float
    baseline_name: str
    top: float
    text: Callable[[float], str]
    unit: str = ""

    def y(self, value: float) -> float:
        """How many px a value stands below the upper end of the axis; values beyond its ends count as the end."""
        return _PLOT * (1 - min(max(value, 0.0), self.top) / self.top)


def _loss(history: History) -> _Lines:
    raw = history.curve.loss
    trained, validated = smooth(history.curve, raw, history.steps), history.column("val_loss")
    guessing = math.log(len(history.labels)) if len(history.labels) > 1 else math.nan
    known = raw[np.isfinite(raw)]
    # not the highest: a first peak may be a thousand times as high as all the rest
    usual = float(np.percentile(known, 98)) if known.size else math.nan
    top = max((value for value in (usual, guessing, _newest(trained), *validated) if math.isfinite(value)), default=1)
    return _Lines("Loss", raw, trained, validated, guessing, "guessing", 1.06 * max(top, 1e-3), loss_text)


def _accuracy(history: History) -> _Lines:
    raw = 100 * history.curve.accuracy
    trained, validated = smooth(history.curve, raw, history.steps), 100 * history.column("val_accuracy")
    majority = 100 * history.majority if history.majority > 0 else math.nan
    return _Lines(
        "Accuracy", raw, trained, validated, majority, "majority", 103, lambda value: percent(value / 100), " %"
    )


def _figure(history: History, lines: _Lines, palette: Palette, narrow: bool, live: bool) -> Figure:
    per_epoch = max(1, history.steps)
    x, epochs = history.curve.step / per_epoch, history.column("step") / per_epoch
    end = max([0.02, *x[-1:].tolist(), *epochs[-1:].tolist()])
    common = {"type": "scatter", "mode": "lines", "connectgaps": True}
    hover = f"%{{y:{'.1f' if lines.unit else '.3f'}}}{lines.unit}<extra></extra>"
    training: dict[str, Any] = {**common, "x": _small(x), "line": {"color": palette.accent, "width": 2}}
    traces: list[dict[str, Any]] = [
        # every recorded point, thin; the solid line is their running mean
        {
            **training,
            "y": _small(lines.raw),
            "hoverinfo": "skip",
            "opacity": 0.3,
            "line": {**training["line"], "width": 1},
        },
        {**training, "y": _small(lines.trained), "hovertemplate": f"training {hover}"},
        {
            **common,
            "x": _small(epochs),
            "y": _small(lines.validated),
            "hovertemplate": f"validation {hover}",
            "line": {"color": palette.ink, "width": 1.5, "dash": "5px 3px"},
        },
    ]
    best, below = history.best, ""
    if best is not None and math.isfinite(value := float(lines.validated[history.all_epochs.index(best)])):
        dot = {"size": 10, "color": palette.ink, "line": {"width": 2, "color": palette.page}}
        traces.append(
            {
                **common,
                "mode": "markers",
                "cliponaxis": False,
                "x": [best.step / per_epoch],
                "y": [value],
                "marker": dot,
                "hoverinfo": "skip",
            }
        )
        if len(epochs) > 1:
            below = f"● best: epoch {best.epoch}"  # at the dot itself it would lie on one of the lines
    axis = {"showgrid": False, "zeroline": False, "fixedrange": narrow or live, "ticklabelstandoff": 6}
    ticks = {"tickfont": {"size": 14, "color": palette.muted}}
    right = 76 if narrow else 124
    return figure(
        traces,
        layout(lines.title, palette, HEIGHT, {"l": _LEFT, "r": right, "t": _TOP, "b": _BOTTOM}, below)
        | {
            "annotations": _end_labels(lines, palette, narrow),
            "shapes": _baseline(lines.baseline, palette),
            "xaxis": axis | ticks | _epoch_ticks(end, palette),
            "yaxis": axis
            | ticks
            | {"showgrid": True, "gridcolor": palette.line, "range": [0, lines.top], "nticks": 6}
            | {"ticksuffix": lines.unit},
            "hovermode": "x unified",
            "dragmode": False if narrow or live else "zoom",
        },
    )


def _baseline(at: float, palette: Palette) -> list[dict[str, Any]]:
    line = {"color": palette.muted, "width": 1.5, "dash": "1.5px 3px"}
    across = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": at, "y1": at, "layer": "below", "line": line}
    return [across] if math.isfinite(at) else []


def _end_labels(lines: _Lines, palette: Palette, narrow: bool) -> list[dict[str, Any]]:
    """The newest value and the name of each line, right of its end, pushed apart where two would touch."""
    ends = [
        (_newest(lines.trained), "training", palette.accent),
        (_newest(lines.validated), "validation", palette.ink),
        (lines.baseline, lines.baseline_name, palette.muted),
    ]
    ends = [one for one in ends if math.isfinite(one[0])]
    wanted = [lines.y(value) for value, _, _ in ends]
    places = apart(wanted, 40 if narrow else 18, 0, _PLOT)
    return [
        {
            "xref": "paper",
            "x": 1,
            "xanchor": "left",
            "xshift": 8,
            "y": min(max(value, 0), lines.top),
            "yshift": want - place,
            "text": f"{lines.text(value)}{'<br>' if narrow else ' '}{name}",
            "align": "left",
            "showarrow": False,
            "font": {"size": 14, "color": color},
        }
        for (value, name, color), want, place in zip(ends, wanted, places, strict=True)
    ]


def _epoch_ticks(end: float, palette: Palette) -> dict[str, Any]:
    """At most seven whole epochs under the axis, or parts of the first one while it lasts."""
    least = end / 6
    ten = 10.0 ** math.floor(math.log10(least))
    step = next(factor * ten for factor in (1, 2, 5, 10) if factor * ten >= least)
    return {
        "range": [0, end],
        "spikecolor": palette.muted,
        "spikethickness": 1,
        "spikedash": "solid",
        "dtick": step if end < 1 else max(1, round(step)),
        "tick0": 0,
        "title": {"text": "epoch", "standoff": 4, "font": {"size": 14, "color": palette.muted}},
        "unifiedhovertitle": {"text": "epoch %{x:.2f}"},
    }


def _words(history: History, lines: _Lines) -> str:
    if not len(lines.trained):
        return f"{lines.title}: no points yet."
    said = f"{lines.title} in epoch {history.epoch} of {history.epochs}: training {lines.text(_newest(lines.trained))}"
    if len(lines.validated):
        said += f", validation {lines.text(_newest(lines.validated))}"
    if math.isfinite(lines.baseline):
        said += f", {lines.baseline_name} {lines.text(lines.baseline)}"
    best = history.best
    if best is not None:
        said += f"; best epoch {best.epoch} with {lines.text(float(lines.validated[history.all_epochs.index(best)]))}"
    return f"{said}."


def _newest(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known[-1]) if known.size else math.nan


def _small(values: Floats) -> NDArray[np.float32]:
    return values.astype(np.float32)  # half the bytes to the browser
