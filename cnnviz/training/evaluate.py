"""Scoring a finished network on any data set: its own test pictures where it is its own, else every picture.

A network for faces learned from pictures that show one face and little else. Scored on whole photos, it gets the face
that is found in each.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz import evaluation, face
from cnnviz.cards import Card, find
from cnnviz.data.dataset import DataError, Dataset
from cnnviz.data.fingerprints import digest
from cnnviz.data.split import FILE, Split, made_with
from cnnviz.images import ImageError, Pixels
from cnnviz.networks import fitting
from cnnviz.networks.predict import probabilities
from cnnviz.training.config import ConfigError, TrainingConfig
from cnnviz.training.prepare import open_data
from cnnviz.training.record import RecordError, Run

_SIZED = 16  # pictures of which the size is looked at to tell whole photos from faces
_WHOLE = 2  # times the network's input: from this size on it is a photo, in which a face is looked for
_PROBES = 5  # pictures of the same names that are looked at before a data set counts as another one


@dataclass(frozen=True)
class Evaluation:
    """A score: of which network, on which pictures ("the 3,589 test pictures" or "all 120 pictures").

    passed_over: what could not be scored, one sentence each. left_out: pictures that it was trained or chosen on.
    faces_found: of whole photos the largest face that was found was answered for. mirror: the answers were the means
    over pictures and their mirror images. sure: what the card's threshold is worth here, as evaluation.accepted_by has
    it; empty where it was set for the other kind of answers.
    """

    card: Card
    data: str
    on: str
    scores: evaluation.Scores
    sure: Mapping[str, float | None]
    passed_over: tuple[str, ...]
    left_out: int = 0
    faces_found: bool = False
    mirror: bool = False


def evaluate(name: str, data: str, say: Callable[[str, int, int], None], mirror: bool | None = None) -> Evaluation:
    """Score a network on a data set. DataError, CardError or ImageError with a sentence; loads Keras.

    mirror: with the mean over a picture and its mirror image, or without; None: as the card says.
    """
    folder, card = find(name)
    dataset = open_data(data, _as_trained(folder, data), None, say)
    missing = [label for label in dataset.labels if label not in card.labels]
    if len(missing) == len(dataset.labels):
        raise DataError(
            f"{dataset.name} has the classes {', '.join(dataset.labels[:8])}, and {card.name} knows "
            f"{', '.join(card.labels[:8])}: none in common."
        )
    known = [label for label in card.labels if label in dataset.labels]
    passed_over = tuple(f"class {label}: {card.name} does not know it" for label in missing)
    dataset = dataset.only(known)
    looked = _looked_at(folder, card, dataset, lambda done, total: say("reading", done, total))
    classes = [card.labels.index(dataset.labels[dataset.entries[index].label]) for index in looked.indices]
    if not classes:
        raise DataError(f"{dataset.name} has no picture that can be read.")
    if not looked.seen.any():
        raise DataError(f"In none of the {len(classes):,} pictures of {dataset.name} a face was found; give others.")
    truth = np.array(classes)[looked.seen]
    missing = np.bincount(np.array(classes)[~looked.seen], minlength=len(card.labels)).tolist()
    try:
        model: Any = fitting.load(folder / "model.keras")
    except Exception:  # on damaged files Keras raises nearly every exception there is
        raise DataError(
            f"{folder.name}/model.keras cannot be read; train the network again, or copy it anew."
        ) from None
    mirror = card.mirror if mirror is None else mirror
    try:
        answers = probabilities(
            model,
            looked.pictures[looked.seen],
            card.preprocessing,
            flip=mirror,
            say=lambda done, total: say("scoring", done, total),
        )
        scores = evaluation.scores(answers, truth, card.labels, missing)
        sure = evaluation.accepted_by(answers, truth, card.sure_from) if mirror == card.mirror else {}
    except ValueError as error:  # its card and its outputs, or its input, do not belong together
        raise DataError(str(error).splitlines()[0][:300]) from None
    passed_over += looked.unreadable
    return Evaluation(card, dataset.name, looked.on, scores, sure, passed_over, looked.left_out, looked.whole, mirror)


def _as_trained(folder: Path, data: str) -> TrainingConfig:
    """The run's settings if this is the data that it was trained on (drawn pictures follow from number and seed)."""
    with suppress(RecordError, ConfigError):
        config = Run(folder).config()
        if config.data == data:
            return config
    return TrainingConfig(data)


@dataclass(frozen=True, eq=False)
class _Looked:
    """The pictures to score: where they stand in the data set, and uint8 (n, h, w, c) as the network gets them.

    seen: bool (n,), False where no face was found. whole: whether faces were looked for.
    """

    on: str
    indices: list[int]
    pictures: Pixels
    seen: NDArray[np.bool_]
    unreadable: tuple[str, ...] = ()
    left_out: int = 0
    whole: bool = False


def _looked_at(folder: Path, card: Card, dataset: Dataset, say: Callable[[int, int], None]) -> _Looked:
    """Open the pictures that the network may be scored on, each of them once."""
    own = _own(folder, dataset)
    if own is not None and (tests := own.indices(dataset)["test"]):
        looked, _ = _opened(dataset, tests, card, say, own.check)
        return replace(looked, on=f"the {len(tests):,} test pictures of its own split")
    given = [index for index, entry in enumerate(dataset.entries) if entry.split == "test"]
    if given and card.data.get("given") and len(given) == card.data["test"]:
        looked, _ = _opened(dataset, given, card, say)
        return replace(looked, on=f"the {len(given):,} test pictures that the data set sets apart")
    whole = card.task == "face" and _are_photos(dataset, card)
    looked, digests = _opened(dataset, list(range(len(dataset))), card, say, cut=_largest_face if whole else None)
    known = made_with(folder, card.data.get("not_scored_on"))
    looked = _without_learned(looked, digests, known, dataset.name)
    return replace(looked, whole=whole)


def _without_learned(looked: _Looked, digests: list[str], known: tuple[dict[str, str], bool], name: str) -> _Looked:
    """Less the pictures that the network was trained or chosen on, as far as it is known which those are."""
    side, whole = known
    more = "" if whole else ", which may contain training pictures"
    of = np.array([side.get(digest, "") for digest in digests], dtype=object)
    learned = np.isin(of, ("train", "validation"))
    if not learned.any():
        return replace(looked, on=f"{looked.on}{more}")
    if learned.all():
        raise DataError(f"All {len(of):,} pictures of {name} are ones that this network was trained on; give others.")
    chosen = np.flatnonzero(~learned)
    on = f"the {chosen.size:,} pictures that it was not trained on" if whole else f"{chosen.size:,} pictures{more}"
    if (tests := np.flatnonzero(of == "test")).size:
        chosen, on = tests, f"the {tests.size:,} test pictures of its own split"
    return replace(
        looked,
        on=on,
        indices=[looked.indices[index] for index in chosen],
        pictures=looked.pictures[chosen],
        seen=looked.seen[chosen],
        left_out=int(learned.sum()),
    )


def _are_photos(dataset: Dataset, card: Card) -> bool:
    """Whether a face is to be found in these, or each is a picture of one face already: told by their size."""
    sizes = []
    for index in range(0, len(dataset), max(1, len(dataset) // _SIZED)):
        with suppress(ImageError, OSError):
            sizes.append(max(dataset.pixels(index).shape[:2]))
    return bool(sizes) and median(sizes) > _WHOLE * max(card.preprocessing.shape[:2])


_finding = Lock()  # the pictures are opened in threads


def _largest_face(pixels: Pixels) -> Pixels | None:
    """The square round a photo's largest face, which its class is taken to be of; None where none is found."""
    from cnnviz.networks import faces  # noqa: PLC0415 - most networks are for whole pictures

    with _finding:
        found = faces.find(pixels)
    if not found:
        return None
    return face.crop(pixels, found[face.largest([one.box for one in found])])


def _own(folder: Path, dataset: Dataset) -> Split | None:
    """The network's split if this is the data set that was split, told by names and the first picture that has one."""
    if not (folder / FILE).exists():
        return None
    split = Split.load(folder / FILE)
    place = {entry.name: index for index, entry in enumerate(dataset.entries)}
    for name, _ in [file for file in (*split.train, *split.test) if file[0] in place][:_PROBES]:
        try:
            split.check(name, dataset.pixels(place[name]))
        except (DataError, ImageError, OSError):
            continue
        return split
    return None


def _opened(
    dataset: Dataset,
    indices: list[int],
    card: Card,
    say: Callable[[int, int], None],
    check: Callable[[str, Pixels], None] = lambda *_: None,
    cut: Callable[[Pixels], Pixels | None] | None = None,
) -> tuple[_Looked, list[str]]:
    """These pictures less those that cannot be read, and their digests at full size. cut: what of a picture goes in."""
    pictures = np.zeros((len(indices), *card.preprocessing.shape), np.uint8)
    seen = np.zeros(len(indices), bool)
    digests = [""] * len(indices)
    errors: dict[int, str] = {}

    def one(position: int) -> None:
        entry = dataset.entries[indices[position]]
        try:
            pixels = dataset.pixels(indices[position])
        except (ImageError, OSError) as error:
            errors[position] = f"{entry.name}: {error}"
            return
        check(entry.name, pixels)
        digests[position] = digest(pixels)
        shown = pixels if cut is None else cut(pixels)
        if shown is not None:
            pictures[position], seen[position] = card.preprocessing.picture(shown), True

    with ThreadPoolExecutor(2) as pool:
        for done, _ in enumerate(pool.map(one, range(len(indices))), 1):
            if done % 64 == 0 or done == len(indices):
                say(done, len(indices))
    good = [position for position in range(len(indices)) if position not in errors]
    looked = _Looked(
        f"all {len(good):,} pictures",
        [indices[position] for position in good],
        pictures[good] if errors else pictures,
        seen[good],
        tuple(errors[position] for position in sorted(errors)),
    )
    return looked, [digests[position] for position in good]
