"""The networks of the five systems that this project grew from, trained by our program, beside ours: one table."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cnnviz.evaluation import Interval, wilson
from cnnviz.presets import PRESETS

FORMAT = 1
FILE = "systems.json"  # under models/; tools/systems.py writes it


@dataclass(frozen=True, slots=True)
class Claim:
    """What a system said of its own network, and what that rested on."""

    system: str
    claimed: str
    rests_on: str

    @property
    def title(self) -> str:
        """The system as people read it: "System D, cats and dogs", "Systems B and E, happy or sad"."""
        letters = self.system.partition(",")[0]
        return f"System{'s' * (' and ' in letters)} {self.system}"


CLAIMS: Mapping[str, Claim] = {
    "system-a": Claim(
        "A, convolution study",
        "95.5 % right, precision 95.6 %, recall 94.6 %, n = 398",
        "One split drawn by chance and without a seed; of the author’s own photos 12 of 16 were right.",
    ),
    "system-a-small": Claim("A, the small one", "64.8 % right", "The same split, drawn by chance and without a seed."),
    "system-b": Claim(
        "B and E, happy or sad",
        "100 % right: B in its training charts, E on 21 pictures",
        "The pictures were shuffled anew in each epoch, so that those of validation and test had been trained on. "
        "Split honestly, B has 75 ± 4 %, and E 63 ± 8 %, which is about chance.",
    ),
    "system-c": Claim(
        "C, face to emoji",
        "nothing of its own; the program that it was taken from says 63.2 % right",
        "As published it does not run to its end.",
    ),
    "system-d": Claim(
        "D, cats and dogs",
        "81.8 % right",
        "Its test pictures were its validation pictures, too, and it had 8,000 to train on.",
    ),
}


@dataclass(frozen=True, slots=True)
class Result:
    """One network on the test pictures of one task.

    network: a preset's or shipped network's name. title: for people. labels: the task's classes. face: whether they are
    about people's faces. train, validation, n: pictures. right: of n, one a seed. majority: share of the largest class.
    colors: what three numbers of a picture score (see networks/baseline.py), None where it was not measured.
    training_rate: pictures a second. milliseconds: one picture's answer, median.
    started_from: how the weights were made that training began with; "" where they were drawn by chance.
    alone: of n, right without the mean over the mirror image, which right is with; None where it is without, too.
    """

    network: str
    title: str
    labels: tuple[str, ...]
    face: bool
    parameters: int
    epochs: int
    train: int
    validation: int
    n: int
    right: tuple[int, ...]
    majority: float
    colors: float | None
    training_rate: float
    milliseconds: float
    started_from: str = ""
    alone: int | None = None

    @property
    def accuracy(self) -> float:
        """The share that is right; of several seeds their mean."""
        return sum(self.right) / len(self.right) / self.n

    @property
    def interval(self) -> Interval:
        """95 % Wilson interval of one seed's accuracy; with several, of the mean of them on the same n pictures."""
        return wilson(round(sum(self.right) / len(self.right)), self.n)

    @property
    def claim(self) -> Claim | None:
        """What its system claimed; None for ours."""
        return CLAIMS.get(self.network)


@dataclass(frozen=True, slots=True)
class Table:
    """All results. device: on what the two speeds were measured, in one run of tools/systems.py."""

    device: str
    results: tuple[Result, ...]

    def tasks(self, faces: bool = True) -> dict[tuple[str, ...], tuple[Result, ...]]:
        """Labels -> the networks that were given this task, best first. faces: False leaves out those about faces."""
        found: dict[tuple[str, ...], list[Result]] = {}
        for one in sorted(self.results, key=lambda one: (one.face, -one.accuracy)):
            if faces or not one.face:
                found.setdefault(one.labels, []).append(one)
        return {labels: tuple(ones) for labels, ones in found.items()}


def read(path: Path) -> Table:
    """The table of a file; empty where there is none. ValueError with a sentence for a file that is no such table."""
    if not path.exists():
        return Table("", ())
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["format"] > FORMAT:
            raise ValueError(f"{path.name} has format {content['format']}, newer than {FORMAT}; update cnnviz.")
        results = tuple(_result(one) for one in content["results"])
        return Table(str(content["device"]), results)
    except (OSError, KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError(f"{path.name} cannot be read; write it again with tools/systems.py.") from None


def text(table: Table) -> str:
    """The file of a table."""
    content = {"format": FORMAT, "device": table.device, "results": [asdict(one) for one in table.results]}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _result(fields: Mapping[str, Any]) -> Result:
    one = Result(**{**fields, "labels": tuple(fields["labels"]), "right": tuple(fields["right"])})
    if not one.right or not all(type(right) is int and 0 <= right <= one.n for right in one.right) or one.n < 1:
        raise TypeError(one.right)
    return one


HEAD = (
    "Network", "Parameters", "Right, %", "95 % interval", "Brightness, color, contrast alone, %", "Trained on",
    "Epochs", "Pictures a second, training", "ms a picture",
)  # fmt: skip


def about(ones: Sequence[Result]) -> str:
    """The line over the networks of one task: on what they were tested, and what guessing would score."""
    one = ones[0]
    return f"{one.n:,} test pictures, the same for all; always saying the commonest class: {_percent(one.majority)} %"


def row(one: Result) -> tuple[str, ...]:
    """A line under HEAD."""
    low, high = one.interval
    runs = ""
    if len(one.right) > 1:
        worst, best = (_percent(of(one.right) / one.n) for of in (min, max))
        runs = f" (mean of {len(one.right)} runs, {worst} to {best})"
    return (
        one.title + runs,
        f"{one.parameters:,}",
        _percent(one.accuracy),
        f"{_percent(low)} to {_percent(high)}",
        "–" if one.colors is None else _percent(one.colors),
        f"{one.train:,}",
        f"{one.epochs}",
        f"{one.training_rate:,.0f}",
        f"{one.milliseconds:.1f}",
    )


def note(one: Result) -> str:
    """What makes a line unlike the others: a head start, mirror images, fewer epochs than its author gave it; or ""."""
    said = []
    if one.started_from:
        said.append(f"{one.title} had a head start: its training began with {one.started_from.partition(':')[0]}.")
    if one.alone is not None:
        said.append(
            f"{'It' if said else one.title} answers with the mean over a picture and its mirror image; without that, "
            f"{_percent(one.alone / one.n)} % are right."
        )
    if said:
        return " ".join(said)
    meant = PRESETS[one.network].settings.get("epochs", 0) if one.network in PRESETS else 0
    if one.claim is not None and int(meant) > one.epochs:
        return f"{one.title}: made to be trained for {meant} epochs; here it had {one.epochs}."
    return ""


def markdown(table: Table) -> str:
    """The table for docs/models.md."""
    parts = []
    for labels, ones in table.tasks().items():
        parts += [
            "",
            f"**{', '.join(labels)}**: {about(ones)}.",
            "",
            _line(HEAD),
            _line(["---", *["---:"] * (len(HEAD) - 1)]),
        ]
        parts += [_line(row(one)) for one in ones]
        parts += [f"\n{sentence}" for one in ones if (sentence := note(one))]
    claims = [one.claim for one in table.results if one.claim is not None]
    parts += ["", "| system | it claimed | what that rested on |", "| --- | --- | --- |"]
    parts += [_line((one.system, one.claimed, one.rests_on)) for one in sorted(claims, key=lambda one: one.system)]
    return "\n".join(parts[1:]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
