"""A network's card on the page: what it scored and what that is worth, class by class, and where it comes from."""

from typing import Any

from cnnviz.cards import Card
from cnnviz.display import number
from cnnviz.evaluation import Scores
from cnnviz.ui import markup
from cnnviz.ui.markup import text

TASKS = {"picture": "Whole pictures", "face": "Faces"}
_MOST_CLASSES = 100  # lines of the table
_BRIEF = ("Looks at", "Parameters", "Data", "Rights in the data", "Not for")  # of `facts`


def percent(share: float | None) -> str:
    """A share as "97.3 %", which no line breaks; "–" where there is none."""
    return "–" if share is None else f"{figure(share)}\u00a0%"


def figure(share: float | None) -> str:
    """The same without its sign; 0.0 and 100.0 only where they are exact."""
    if share is None:
        return "–"
    if 0 < share < 0.001:
        return "<\u00a00.1"
    if 0.999 < share < 1:
        return ">\u00a099.9"
    return f"{100 * share:.1f}"


def labels(card: Card, most: int = 12) -> str:
    """The classes in a line: "happy, sad"."""
    names = ", ".join(card.labels[:most])
    return names if len(card.labels) <= most else f"{names} and {len(card.labels) - most} more"


def score(card: Card) -> str:
    """The test score and what it is measured against: an honest sentence each, over a line from 0 to 100 %. HTML."""
    test = card.test
    if test is None:
        return (
            '<div class="score"><p>There were no test pictures, so nothing is known of how often it is right.</p></div>'
        )
    lines = [_against(sentence, share) for sentence, share in _baselines(card)]
    return measured(test, "test pictures", "".join(lines))


def measured(scores: Scores, what: str, more: str = "") -> str:
    """A score of `what` was looked at, as sentences over lines from 0 to 100 %; more: further ones. HTML."""
    low, high = scores.interval
    luck = ""
    if low <= scores.majority <= high and scores.majority < 1:  # with one class there is nothing to guess
        luck = " Guessing lies inside this range, so this may be luck."
    lines = [
        _against(
            f"<strong>{percent(scores.accuracy)}</strong> of {scores.n:,} {what} right; with 95 % confidence it is "
            f"{percent(low)} to {percent(high)} of all such pictures.{luck}",
            scores.accuracy,
            (low, high),
        ),
        _against(
            f"Always saying “{text(scores.majority_label)}” would be right for {percent(scores.majority)}.",
            scores.majority,
        ),
    ]
    return f'<div class="score">{"".join(lines)}{more}</div>'


def _baselines(card: Card) -> list[tuple[str, float]]:
    baseline, foreign = card.scores.get("baseline"), card.scores.get("foreign")
    found = []
    if (share := _share(baseline, "accuracy")) is not None:
        found.append((f"Brightness, color and contrast alone, without looking closer, give {percent(share)}.", share))
    if (share := _share(foreign, "accepted")) is not None and isinstance(foreign, dict):
        shown = text(foreign.get("name", "other data"))
        found.append((f"Shown what belongs to no class ({shown}), it is still sure for {percent(share)}.", share))
    return found


def _share(values: Any, name: str) -> float | None:
    value = values.get(name) if isinstance(values, dict) else None
    return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else None


def reach(card: Card) -> str:
    """What the threshold is worth: how many of the right answers reach it, and how many of the wrong ones; or ""."""
    right, wrong = (_share(card.scores.get("sure"), what) for what in ("right", "wrong"))
    if right is None or wrong is None:
        return ""
    return f"; in the test {percent(right)} of the right answers reached it, and {percent(wrong)} of the wrong ones"


def references(card: Card) -> str:
    """What others reach on the same data: "people: 65.0 % to 68.0 %"; "" where nothing is known."""
    found = card.scores.get("references")
    lines = []
    for one in found if isinstance(found, list) else ():
        low, high = _share(one, "lowest"), _share(one, "highest")
        if low is not None and high is not None:
            reach = percent(low) if low == high else f"{percent(low)} to {percent(high)}"
            lines.append(f"{one.get('what', 'others')}: {reach}")
    return "; ".join(lines)


def _photos(card: Card) -> str:
    """How a network for faces does on whole photos, where its faces have to be found first; or ""."""
    found = card.scores.get("photos")
    if not isinstance(found, dict) or not isinstance(found.get("n"), int) or not found["n"] > 0:
        return ""
    right, n, interval, majority = found.get("right"), found["n"], found.get("interval"), _share(found, "majority")
    if not isinstance(right, int) or majority is None:
        return ""
    if not isinstance(interval, list) or [type(end) for end in interval] != [float, float]:
        return ""
    low, high = map(percent, interval)
    return (
        f"{percent(right / n)} of {n:,} right ({low} to {high}), {found.get('name', 'another data set')}, the largest "
        f"face of each; one that is not found counts as wrong; always the commonest class: {percent(majority)}"
    )


def _looks(card: Card) -> str:
    """Each time that a score was taken on the test pictures, so that everybody can see whether they chose anything."""
    found = card.scores.get("looks")
    lines = [
        f"{one.get('date', '')}: {percent(share)}, {one.get('what', '')}"
        for one in (found if isinstance(found, list) else ())
        if isinstance(one, dict) and (share := _share(one, "accuracy")) is not None
    ]
    return "\n".join(lines)


def _against(sentence: str, share: float, interval: tuple[float, float] | None = None) -> str:
    bar = ""
    if interval is not None:
        low, high = interval
        bar = f'<i style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></i>'
    dot = "own" if interval else "other"
    return f'<p>{sentence}</p><div class="track">{bar}<b class="{dot}" style="left:{100 * share:.1f}%"></b></div>'


def per_class(scores: Scores) -> str:
    """A table with a line a class: how many there are, how many of them are found, how often a claim is right. HTML."""
    rows = []
    for label, one in list(scores.per_class.items())[:_MOST_CLASSES]:
        interval = "–"
        if one.recall_interval is not None:
            interval = " … ".join(map(figure, one.recall_interval))
        found, right = figure(one.recall), figure(one.precision)
        rows.append((label, f"{one.n:,}", found, interval, right, "–" if one.f1 is None else f"{one.f1:.3f}"))
    head = ("Class", "Pictures", "Found, %", "95 % interval", "Right when said, %", "F1")
    return markup.table(head, rows, (1, 2, 3, 4, 5), "Test score of each class")


def facts(card: Card, brief: bool = False) -> str:
    """The rest of the card as names and values: everything, or in brief what tells it from other networks. HTML."""
    counts = " + ".join(f"{card.data[part]:,}" for part in ("train", "validation", "test"))
    rows = [
        ("Looks at", TASKS[card.task]),
        ("Classes", labels(card, 40)),
        ("Input", card.preprocessing.words()),
        ("Answers with", _mirror(card)),
        ("Parameters", f"{card.parameters:,}"),
        ("Network", card.architecture if isinstance(card.architecture, str) else "layers of its own"),
        ("Data", f"{card.data['name']}: {counts} pictures to train, validate and test"),
        ("Rights in the data", card.data["licence"]),
        ("Left out of the data", _left_out(card)),
        ("Sure from", "–" if card.threshold is None else f"a probability of {number(card.threshold, 3)}{reach(card)}"),
        ("Others on this data", references(card)),
        ("Looked at the test pictures", _looks(card)),
        ("Whole photos", _photos(card)),
        ("Calibration error", _calibration(card)),
        ("Trained by", card.training["command"] + _stopped(card)),
        ("Started from", str(card.training.get("started_from", ""))),
        ("Trained on", card.training["device"]),
        ("Seed", "unknown" if card.training["seed"] is None else str(card.training["seed"])),
        ("Not for", card.not_for),
    ]
    return markup.pairs([(name, value) for name, value in rows if value and (not brief or name in _BRIEF)])


def _calibration(card: Card) -> str:
    if card.test is None:
        return ""
    scaled = card.training.get("temperature")
    how = "; they were scaled so that they fit the validation pictures" if isinstance(scaled, float) else ""
    return f"{number(card.test.calibration_error, 3)}: how far probabilities are from the share that is right{how}"


def _stopped(card: Card) -> str:
    epochs = card.training.get("stopped_after")
    return f" (stopped by hand after {epochs} epochs)" if isinstance(epochs, int) else ""


def _mirror(card: Card) -> str:
    """What a network that looks at mirror images, too, gains by that; or ""."""
    if not card.mirror:
        return ""
    share = _share(card.scores.get("without_mirror"), "accuracy")
    without = "" if share is None else f"; with the picture alone {percent(share)} are right"
    return f"the mean over a picture and its mirror image{without}"


def _left_out(card: Card) -> str:
    count = card.data.get("left_out")
    return f"{count:,} pictures: copies, or files that cannot be used" if isinstance(count, int) and count > 0 else ""
