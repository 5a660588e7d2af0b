"""Score the face finder on photos with a known face, beside OpenCV's Haar cascade: `python tools/evaluate_faces.py`.

With `--network NAME` a network for faces is scored on the same photos, with faces found here, as its card says or with
`--mirror` or `--no-mirror`; with `--mark` its card is told the score, and which of them show what it was made with, so
that `cnnviz evaluate` leaves these out.

Reads ../shared/data/happysad (manifest.csv: the box of each photo's one face of 40 pixels or more) and, for false
alarms, ../shared/data/catsdogs. A finding is right where it overlaps that box by an IoU of 0.5 or more, or (a second
rule, fairer to square boxes) where each box holds the other's center and neither's longer side is more than twice the
other's. Every other finding counts as false, also on a real face that the manifest leaves out. docs/faces.md explains.
"""

import argparse
import csv
import os
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cnnviz import evaluation
from cnnviz.cards import FILE, find, write_card
from cnnviz.data.fingerprints import digest
from cnnviz.evaluation import wilson
from cnnviz.face import HERE, OFF, Face, allowed, crop, largest
from cnnviz.images import Pixels, decode

PACKS = Path(__file__).resolve().parents[2] / "shared" / "data"
# photos of happysad that are rows of FER2013, as its README says
IN_FER2013 = {
    "happy/happy_032.jpg": "row 35506 of FER2013",
    "happy/happy_112.jpg": "row 3010 of FER2013",
    "sad/sad_012.jpg": "row 1646 of FER2013",
    "sad/sad_024.jpg": "row 32002 of FER2013",
    "sad/sad_081.jpg": "row 22368 of FER2013",
    "sad/sad_125.jpg": "row 26367 of FER2013",
}
ANIMALS = 13  # one in so many photos of cats and dogs: about 300

Box = tuple[float, float, float, float]  # x, y, width, height
Finder = Callable[[Pixels], Sequence[Box]]


@dataclass(frozen=True)
class Known:
    """A photo and the box of its one face."""

    file: str
    pixels: Pixels
    box: Box

    @property
    def chosen_on(self) -> bool:
        """Whether the finder's thresholds were chosen with it: photos of an even number."""
        return int(Path(self.file).stem[-3:]) % 2 == 0


def known_faces(folder: Path, at_most: int | None = None) -> list[Known]:
    """The photos with a single face; at_most of them, evenly spread."""
    with (folder / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "single"]
    rows = rows[:: max(1, len(rows) // at_most)][:at_most] if at_most else rows
    return [
        Known(row["file"], read(folder / row["file"]), tuple(float(row[f"face_{side}"]) for side in "xywh"))  # type: ignore[arg-type]
        for row in rows
    ]


def read(path: Path) -> Pixels:
    return decode(path.read_bytes(), path.name).pixels


def iou(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    wide = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    high = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(wide, 0) * max(high, 0)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def overlaps(found: Box, true: Box) -> bool:
    return iou(found, true) >= 0.5


def is_there(found: Box, true: Box) -> bool:
    """Each box holds the other's center, and neither is more than twice as large."""

    def holds(box: Box, of: Box) -> bool:
        x, y = of[0] + of[2] / 2, of[1] + of[3] / 2
        return box[0] <= x <= box[0] + box[2] and box[1] <= y <= box[1] + box[3]

    sizes = sorted([max(found[2:]), max(true[2:])])
    return holds(found, true) and holds(true, found) and sizes[1] <= 2 * sizes[0]


RULES = {"IoU ≥ 0.5": overlaps, "center and size": is_there}


def score(
    known: Sequence[Known], findings: Sequence[Sequence[Box]], right: Callable[[Box, Box], bool]
) -> tuple[int, int, int]:
    """(faces found, findings that are false, findings). A second box on the same face is false, too."""
    hits = [any(right(box, one.box) for box in boxes) for one, boxes in zip(known, findings, strict=True)]
    count = sum(len(boxes) for boxes in findings)
    return sum(hits), count - sum(hits), count


def found(pixels: Pixels) -> tuple[Face, ...]:
    """The faces of a photo, as the app finds them."""
    from cnnviz.networks import faces  # noqa: PLC0415 - loads keras

    return faces.find(pixels)


def ours() -> Finder:
    return lambda pixels: [face.box for face in found(pixels)]


def haar() -> Finder:
    """OpenCV's cascade that errs least of those it ships, on the same size of picture."""
    folder = Path(cv2.__file__).parent / "data"
    cascade = cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_alt2.xml"))

    def find(pixels: Pixels) -> list[Box]:
        scale = min(1.0, 640 / max(pixels.shape[:2]))
        shown = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        boxes = cascade.detectMultiScale(cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY), 1.1, 3, minSize=(40, 40))
        return [(x / scale, y / scale, w / scale, h / scale) for x, y, w, h in boxes]

    return find


def timed(finder: Finder, pictures: Sequence[Pixels]) -> tuple[list[Sequence[Box]], list[float]]:
    """What it finds in each picture, and the milliseconds of CPU each took, in all threads; the first also warms up."""
    for _ in range(2):
        finder(pictures[0])
    findings, took = [], []
    for pixels in pictures:
        start = time.process_time()
        findings.append(finder(pixels))
        took.append((time.process_time() - start) * 1000)
    return findings, took


def animals() -> list[Pixels]:
    """Photos of cats and dogs, some with people."""
    with zipfile.ZipFile(PACKS / "catsdogs" / "catsdogs_max200.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")][::ANIMALS]
        return [decode(archive.read(name), name).pixels for name in names]


def _share(part: int, whole: int) -> str:
    low, high = wilson(part, whole)
    return f"{part}/{whole} = {100 * part / whole:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


@dataclass(frozen=True)
class Labeled:
    """A photo with its class, and the square round its largest face, or None where none is found."""

    file: str
    kind: str  # single or multi
    label: str
    digest: str
    square: Pixels | None


def labeled(folder: Path) -> Iterator[Labeled]:
    """All photos but those that are in FER2013."""
    with (folder / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        pixels = read(folder / row["file"])
        faces = found(pixels)
        square = crop(pixels, faces[largest([face.box for face in faces])]) if faces else None
        yield Labeled(row["file"], row["kind"], row["label"], digest(pixels), square)


def score_network(name: str, asked: bool | None, mark: bool) -> None:
    """Print a network's scores on whole photos, all of them and the halves; mark: and write its card."""
    from cnnviz.networks import fitting  # noqa: PLC0415 - loads keras
    from cnnviz.networks.predict import probabilities  # noqa: PLC0415

    folder, card = find(name)
    model: Any = fitting.load(folder / "model.keras")
    mirror = card.mirror if asked is None else asked
    photos = list(labeled(PACKS / "happysad"))
    known = {one.digest: f"{one.file}: {IN_FER2013[one.file]}" for one in photos if one.file in IN_FER2013}
    photos = [one for one in photos if one.file not in IN_FER2013]
    print(f"{card.title} on {len(photos)} photos of happysad, less {len(known)} that are in FER2013; mirror: {mirror}")
    halves: dict[str, Callable[[Labeled], bool]] = {
        "all": lambda _: True,
        "odd numbers, on which the finder was not chosen": lambda one: _number(one.file) % 2 == 1,
        "even numbers, on which it was": lambda one: _number(one.file) % 2 == 0,
        "a single face": lambda one: one.kind == "single",
        "several faces, the largest counts": lambda one: one.kind == "multi",
    }
    for half, belongs in halves.items():
        chosen = [one for one in photos if belongs(one)]
        seen = [one for one in chosen if one.square is not None]
        pictures = np.stack([card.preprocessing.picture(one.square) for one in seen if one.square is not None])
        answers = probabilities(model, pictures, card.preprocessing, flip=mirror)
        none = [sum(one.label == label and one.square is None for one in chosen) for label in card.labels]
        scores = evaluation.scores(answers, [card.labels.index(one.label) for one in seen], card.labels, none)
        print(f"{half}:", *scores.lines(), sep="\n  ")
        if half == "all":
            whole = scores
    if mark:
        of_photos = {"name": "happysad", "n": whole.n, "right": whole.right, "majority": whole.majority}
        of_photos["interval"] = list(whole.interval)
        data, card_scores = {**card.data, "not_scored_on": known}, {**card.scores, "photos": of_photos}
        write_card(replace(card, data=data, scores=card_scores), folder / FILE)
        print(f"{folder.name}/{FILE} names the {len(known)} photos, and the score.")


def _number(file: str) -> int:
    return int(Path(file).stem[-3:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="")
    parser.add_argument("--mirror", action=argparse.BooleanOptionalAction, help="else as the card says")
    parser.add_argument("--mark", action="store_true")
    given = parser.parse_args()
    if not allowed(HERE, os.environ):
        raise SystemExit(OFF)
    if not (PACKS / "happysad").is_dir():
        raise SystemExit("There is no pack happysad in ../shared/data beside this project.")
    if given.mirror is not None and given.mark:
        raise SystemExit("The card has the score of the answers that pages give; leave --mirror and --no-mirror out.")
    if given.network:
        score_network(given.network, given.mirror, given.mark)
    else:
        score_finders()


def score_finders() -> None:
    """Print the finder's figures beside the Haar cascade's."""
    known, others = known_faces(PACKS / "happysad"), animals()
    for name, finder in (("ours", ours()), ("OpenCV's Haar cascade", haar())):
        findings, took = timed(finder, [one.pixels for one in known])
        print(f"{name}: {median(took):.0f} ms of CPU a photo, p95 {np.percentile(took, 95):.0f} ms")
        for half in ("all photos", "even numbers, which chose the thresholds", "odd numbers, which did not"):
            pick = [
                (one, boxes)
                for one, boxes in zip(known, findings, strict=True)
                if half.startswith("all") or one.chosen_on == half.startswith("even")
            ]
            for rule, right in RULES.items():
                hits, false, count = score([one for one, _ in pick], [boxes for _, boxes in pick], right)
                print(f"  {half}, {rule}: found {_share(hits, len(pick))}; false {_share(false, count)}")
        alarms = sum(bool(finder(pixels)) for pixels in others)
        print(f"  photos of cats and dogs with a finding: {_share(alarms, len(others))}")


if __name__ == "__main__":
    main()
