"""Checks the charts of a run: what lines and labels hold, that labels keep apart, contrast, words, clicks."""

import math
import subprocess
import sys

import numpy as np
import pytest

from cnnviz.display import heat_scale
from cnnviz.training.history import Curve, History, history
from cnnviz.ui import charts, confusion
from cnnviz.ui.charts import PALETTES, apart, loss_text, percent, smooth

LIGHT, DARK = PALETTES["light"], PALETTES["dark"]
NAN = math.nan


def run(epochs=2, steps=10, labels=("cat", "dog"), majority=0.6, tail=5, first=0.7):
    """Epoch e ends with training loss 0.7 − 0.1·e and validation loss 0.75 − 0.1·e; the accuracies mirror them."""
    told = {"epochs": 4, "steps": steps, "batch_size": 8, "labels": list(labels), "majority": majority}
    events = [{"kind": "start", "resumed": 0, "step": 0, **told}]
    for step in range(1, epochs * steps + tail + 1):
        loss = first if step == 1 else 0.7 - 0.1 * (step / steps)
        events.append({"kind": "step", "step": step, "loss": loss, "accuracy": 1 - loss})
        if step % steps == 0 and step <= epochs * steps:
            number, validated = step // steps, 0.75 - 0.1 * (step // steps)
            figures = {"val_loss": validated, "val_accuracy": 1 - validated, "best": True}
            events.append({"kind": "epoch", "epoch": number, "step": step, **figures})
    return history(events)


def below(figure):
    return figure.layout.title.subtitle.text


def texts(figure):
    return [one.text for one in figure.layout.annotations]


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_the_lines_have_the_data_and_the_look(palette):
    figure = charts.loss(run(), palette)
    raw, trained, validated, best = figure.data
    assert len(raw.x) == len(trained.x) == 25
    assert raw.x[-1] == pytest.approx(2.5)  # epochs
    assert validated.x.tolist() == [1, 2]
    assert validated.y.tolist() == pytest.approx([0.65, 0.55])
    assert (best.x[0], best.y[0]) == pytest.approx((2, 0.55))
    assert (trained.line.color, trained.line.dash) == (palette.accent, None)
    assert (validated.line.color, validated.line.dash) == (palette.ink, "5px 3px")
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert figure.layout.showlegend is False
    baseline = figure.layout.shapes[0]
    assert (baseline.y0, baseline.y1, baseline.line.color) == (math.log(2), math.log(2), palette.muted)


def test_accuracy_is_drawn_in_percent_with_the_majority():
    figure = charts.accuracy(run(), LIGHT)
    assert figure.data[2].y.tolist() == pytest.approx([35, 45])
    assert figure.layout.shapes[0].y0 == 60
    assert figure.layout.yaxis.range == (0, 103)
    assert texts(figure)[1:] == ["45.0 % validation", "60.0 % majority"]
    assert below(figure) == "● best: epoch 2"


@pytest.mark.parametrize(
    ("told", "narrow", "expected", "best"),
    [
        (run(), False, ["0.550 validation", "0.693 guessing"], "● best: epoch 2"),
        (run(), True, ["0.550<br>validation", "0.693<br>guessing"], "● best: epoch 2"),
        (run(1), False, ["0.650 validation", "0.693 guessing"], ""),  # the only epoch is no choice
        (run(0), False, ["0.693 guessing"], ""),
        (run(0, labels=()), False, [], ""),
    ],
)
def test_lines_are_labelled_at_their_ends_and_the_best_epoch_above_them(told, narrow, expected, best):
    figure = charts.loss(told, LIGHT, narrow)
    assert texts(figure)[1:] == expected
    assert below(figure) == best


@pytest.mark.parametrize("make", [charts.loss, charts.accuracy])
@pytest.mark.parametrize(
    ("narrow", "live", "zooms"), [(False, False, True), (True, False, False), (False, True, False)]
)
def test_a_chart_that_is_about_to_be_replaced_offers_no_zoom(make, narrow, live, zooms):
    layout = make(run(), LIGHT, narrow, live).layout
    assert (layout.dragmode == "zoom", not layout.xaxis.fixedrange, not layout.yaxis.fixedrange) == (zooms,) * 3


@pytest.mark.parametrize("make", [charts.loss, charts.accuracy])
@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize(
    "told", [History(), run(0, tail=1), run(0, tail=0), run(1, steps=1), run(labels=(), majority=0)]
)
def test_a_run_that_has_hardly_begun_is_drawn_too(make, narrow, told):
    figure = make(told, DARK, narrow)
    assert figure.layout.xaxis.range[1] > 0
    assert figure.layout.yaxis.range[1] > 0
    assert figure.layout.xaxis.fixedrange is narrow  # a finger scrolls the page


def test_one_high_peak_does_not_flatten_the_rest():
    assert charts.loss(run(10, first=1e6), LIGHT).layout.yaxis.range[1] == pytest.approx(1.06 * 0.75, rel=0.1)


@pytest.mark.parametrize("end", [0.001, 0.04, 0.3, 0.999, 1, 1.5, 2, 6, 7, 13.4, 60, 999, 1000])
def test_the_epoch_axis_has_few_ticks_at_whole_epochs(end):
    told = history(
        [
            {"kind": "start", "resumed": 0, "step": 0, "steps": 1000, "epochs": 1000},
            {"kind": "step", "step": round(1000 * end), "loss": 1.0, "accuracy": 0.5},
        ]
    )
    axis = charts.loss(told, LIGHT).layout.xaxis
    assert 1 <= axis.range[1] // axis.dtick <= 7
    if axis.range[1] >= 1:
        assert axis.dtick == int(axis.dtick)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([], []),
        ([50], [50]),
        ([10, 80, 50], [10, 80, 50]),
        ([50, 50], [40, 60]),  # both go half the way
        ([50, 60], [45, 65]),
        ([60, 50], [65, 45]),  # the order stays
        ([50, 50, 50], [30, 50, 70]),
        ([40, 50, 90], [35, 55, 90]),
        ([5, 6, 50], [0, 20, 50]),  # the upper end holds
        ([100, 100, 99], [80, 100, 60]),
        ([-30, 400], [0, 100]),
        ([0] * 7, [0, 20, 40, 60, 80, 100, 120]),  # no room for all
    ],
)
def test_places_are_pushed_apart_as_little_as_can_be(wanted, expected):
    assert apart(wanted, 20, 0, 100) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_no_other_places_are_nearer(seed):
    random = np.random.default_rng(seed)
    wanted = random.uniform(0, 100, 4)
    places = np.array(apart(wanted.tolist(), 20, 0, 100))
    order = np.argsort(wanted)
    assert (np.diff(places[order]) >= 20 - 1e-9).all()
    assert (places >= 0).all()
    assert (places <= 100).all()
    for _ in range(2000):
        others = np.sort(random.uniform(0, 100, 4))
        if (np.diff(others) >= 20).all():
            assert ((places[order] - wanted[order]) ** 2).sum() <= ((others - wanted[order]) ** 2).sum() + 1e-9


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("gap", [0.0, 0.001, 0.02, 0.3])
def test_labels_of_lines_that_end_together_do_not_touch(narrow, gap):
    told = {"epochs": 4, "steps": 1, "labels": ["a", "b"], "majority": 0.5, "batch_size": 1}
    figures = {"val_loss": 0.693 + gap, "val_accuracy": 0.5 + gap, "best": True}
    events = [
        {"kind": "start", "resumed": 0, "step": 0, **told},
        {"kind": "step", "step": 1, "loss": 0.693, "accuracy": 0.5},
        {"kind": "epoch", "epoch": 1, "step": 1, **figures},
    ]
    for make in (charts.loss, charts.accuracy):
        figure = make(history(events), LIGHT, narrow)
        margin, top = figure.layout.margin, figure.layout.yaxis.range[1]
        plot = figure.layout.height - margin.t - margin.b
        px = sorted(one.y / top * plot + one.yshift for one in figure.layout.annotations)
        assert len(px) == 3
        assert min(np.diff(px)) >= (40 if narrow else 18) - 1e-6
        assert px[0] >= -1e-6
        assert px[-1] <= plot + 1e-6


@pytest.mark.parametrize(
    ("step", "values", "steps", "expected"),
    [
        ([], [], 10, []),
        ([1, 2, 3, 4], [4.0, 2.0, 6.0, 8.0], 2, [4, 2, 6, 8]),  # half an epoch is one step
        ([1, 2, 3, 4], [4.0, 2.0, 6.0, 8.0], 4, [4, 2, 6, 7]),  # at the start half of what there is: 1.5 steps
        ([2, 8, 10], [9.0, 1.0, 5.0], 100, [9, 1, 5]),
        # at the last point six steps: (5 + 2·2 + 7) / 4
        ([4, 8, 9, 11, 12], [9.0, 1.0, 5.0, 2.0, 7.0], 100, [9, 1, 5, 3, 4]),
        ([10, 20, 30], [1.0, NAN, 5.0], 40, [1, NAN, 5]),
    ],
)
def test_the_running_mean_reaches_back_half_an_epoch(step, values, steps, expected):
    curve = Curve(np.array(step, np.int64), np.ones(len(step), np.int64), np.array(values), np.array(values))
    assert smooth(curve, curve.loss, steps) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.7816, "78.2 %"), (1, "100 %"), (0, "0 %"), (0.99996, "> 99.9 %"), (0.00001, "< 0.1 %"), (NAN, "NaN"),
    ],
)  # fmt: skip
def test_percentages_reach_the_ends_only_where_they_are_exact(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.1, "0.100"), (2.30258, "2.303"), (12.345, "12.3"), (0.0, "0"), (4e-7, "4e−7"), (NAN, "NaN")]
)
def test_losses_keep_their_width(value, text):
    assert loss_text(value) == text


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (History(), "Loss: no points yet."),
        (run(0), "Loss in epoch 1 of 4: training 0.655, guessing 0.693."),
        (run(), "Loss in epoch 3 of 4: training 0.470, validation 0.550, guessing 0.693; best epoch 2 with 0.550."),
    ],
)
def test_the_chart_in_words(told, expected):
    assert charts.loss_words(told) == expected


def test_the_accuracy_chart_in_words():
    assert charts.accuracy_words(run()).endswith("validation 45.0 %, majority 60.0 %; best epoch 2 with 45.0 %.")


# ------------------------------------------------------------------ the confusion matrix

LABELS = ("cat", "dog", "<b>bird</b>")
COUNTS = ((40, 10, 0), (3, 1200, 0), (0, 0, 0))


def test_true_classes_are_rows_and_predicted_ones_columns():
    figure = confusion.figure(COUNTS, LABELS, LIGHT)
    heat, hits = figure.data
    assert heat.z.tolist() == pytest.approx(np.array([[0.8, 0.2, 0], [3 / 1203, 1200 / 1203, 0], [0, 0, 0]]))
    assert figure.layout.yaxis.range == (2.5, -0.5)  # the first class on top
    one = [index for index, pair in enumerate(hits.customdata) if tuple(pair) == (0, 1)]
    assert [(hits.x[index], hits.y[index]) for index in one] == [(1, 0)]
    assert hits.hovertext[one[0]] == "10 of 50 pictures of “cat” were<br>taken for “dog” (20.0 %)"
    assert sorted((note.y, note.x, note.text) for note in figure.layout.annotations)[:5] == [
        (0, 0, "40"), (0, 1, "10"), (0, 2, "0"), (1, 0, "3"), (1, 1, "1,200"),
    ]  # fmt: skip


def test_names_from_folders_are_no_markup():
    figure = confusion.figure(COUNTS, LABELS, LIGHT)
    assert figure.layout.yaxis.ticktext[2] == "&lt;b&gt;bird&lt;/b&gt;"
    assert not [text for text in figure.data[1].hovertext if "<b>" in text]


def test_numbers_stand_out_from_every_color_of_the_scale():
    def luminance(color):
        share = np.array(color) / 255
        return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    for color in heat_scale(0, 1).table[:255]:
        text = confusion.readable(color)
        high, low = sorted(
            [luminance([int(text[at : at + 2], 16) for at in (1, 3, 5)]), luminance(color)], reverse=True
        )
        assert (high + 0.05) / (low + 0.05) >= 4.5


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize(
    ("classes", "largest", "numbers"), [(2, 9, True), (10, 999, True), (10, 99_999, None), (43, 99, False)]
)
def test_numbers_stand_in_the_cells_where_they_fit(classes, largest, numbers, narrow):
    figure = confusion.figure(np.full((classes, classes), largest), ["name"] * classes, DARK, (0, 1), narrow)
    expected = not narrow if numbers is None else numbers
    assert bool(figure.layout.annotations) == expected
    assert len(figure.layout.shapes) == 2  # the outline of the cell in hand


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize(("classes", "highest"), [(2, 56), (10, 32), (24, 22), (43, 12), (100, 6)])
def test_many_classes_stay_on_a_screen_and_their_names_apart(classes, highest, narrow):
    names = [f"{index} butterflies" for index in range(classes)]
    layout = confusion.figure(np.eye(classes, dtype=int), names, LIGHT, None, narrow).layout
    plot = layout.height - layout.margin.t - layout.margin.b
    row = plot / classes
    assert highest / 2 < row <= highest
    assert plot <= 640
    shown = np.array(layout.yaxis.tickvals)
    assert len(shown) == len(layout.yaxis.ticktext)
    assert (np.diff(shown) * row >= 12).all(), "12 px is the height of the smaller names"
    width = (328 if narrow else 560) - layout.margin.l - layout.margin.r
    assert (np.diff(layout.xaxis.tickvals) * width / classes >= 12).all()
    assert width > (164 if narrow else 300)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ((0, 1), "10 of 50 pictures of “cat” were taken for “dog” (20.0 %)"),
        ((1, 1), "1,200 of 1,203 pictures of “dog” were recognized (99.8 %)"),
        ((2, 0), "There are no pictures of “<b>bird</b>”"),
    ],
)
def test_a_cell_in_words(cell, expected):
    assert confusion.cell_words(COUNTS, LABELS, *cell) == expected


def test_where_some_got_no_answer_the_words_say_what_the_matrix_holds():
    faces = "photos with a face"
    assert confusion.cell_words(COUNTS, LABELS, 0, 1, faces).startswith("10 of 50 photos with a face of “cat” were")
    assert confusion.cell_words(COUNTS, LABELS, 2, 0, faces) == "There are no photos with a face of “<b>bird</b>”"
    assert "5 of 5 photos with a face right" in confusion.words(np.diag([2, 2, 1]), LABELS, faces)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (COUNTS, "1,240 of 1,253 right; most often wrong: 10 of 50 pictures of “cat” were taken for “dog” (20.0 %)."),
        (np.diag([5, 6, 7]), "18 of 18 right."),
    ],
)
def test_the_matrix_in_words(counts, expected):
    assert confusion.words(counts, LABELS) == f"Confusion matrix of 3 classes: {expected}"


@pytest.mark.parametrize(
    ("selected", "expected"),
    [
        ({"selection": {"points": [{"customdata": [3, 5]}]}}, (3, 5)),
        ({"selection": {"points": []}}, None),
        ({"selection": {"points": [{"x": 1}]}}, None),
        ({}, None),
    ],
)
def test_a_click_names_its_cell(selected, expected):
    assert confusion.cell(selected) == expected


def test_plotly_is_not_imported_before_the_first_chart():
    code = "import sys; from cnnviz.ui import charts, confusion; assert 'plotly' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
