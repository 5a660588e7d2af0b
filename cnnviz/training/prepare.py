"""From a run's settings to its pictures in memory: opened, checked for copies, split, at the network's input size."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.cards import FILE as CARD
from cnnviz.cards import MAX_NAME, CardError, is_name, read_card
from cnnviz.data.dataset import SPLITS, DataError, Dataset
from cnnviz.data.fingerprints import scan
from cnnviz.data.leave_out import less_left_out
from cnnviz.data.sources import BUILT_IN, FETCHED, open_dataset
from cnnviz.data.split import Split, made_with, make_split
from cnnviz.images import Pixels
from cnnviz.training import pictures
from cnnviz.training.config import TrainingConfig
from cnnviz.training.device import check_pictures
from cnnviz.training.record import Run

Say = Callable[[str, int, int], None]  # what is being done, how many are done, of how many


@dataclass(frozen=True, eq=False)
class Part:
    """One side of a split. pictures: uint8 (n, h, w, c). truth: int64 (n,). names: (n,) as in the data set."""

    pictures: Pixels
    truth: NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a run trains, validates and is scored on."""

    dataset: Dataset
    parts: Mapping[str, Part]
    split: Split


def prepare(run: Run, config: TrainingConfig, say: Say) -> Prepared:
    """Open the run's data, split it (or use the split that the run has already) and read the pictures.

    Raises DataError or ImageError with a sentence. Holds every picture once, at the network's input size.
    """
    dataset = open_data(config.data, config, run, say)
    if config.foreign:  # which is needed at the end only, but a fault is better told now
        open_data(config.foreign, config, None, say)
    saved, check = run.path / "split.json", None
    if saved.exists():
        split = Split.load(saved)
        if config.data:  # own photos are stored at input size, and their digests are of the full size
            check = split.check
    else:
        seen = scan(dataset, lambda done, total: say("looking for copies", done, total))
        split = make_split(dataset, seen, seed=config.seed)
        split.save(saved)
    for path in filter(None, (config.start, *config.teacher_files)):
        _check_unseen(Path(path), split)
    chosen = split.indices(dataset)
    total = sum(len(chosen[name]) for name in SPLITS)
    check_pictures(total, config)
    parts, done = {}, 0
    for name in SPLITS:
        say_ = partial(_say_reading, say, done, total)
        found = pictures.read(dataset, chosen[name], config.input(), say_, check)
        done += len(found)
        truth = np.array([dataset.entries[index].label for index in chosen[name]], np.int64)
        parts[name] = Part(found, truth, tuple(dataset.entries[index].name for index in chosen[name]))
    return Prepared(dataset, parts, split)


def _check_unseen(network: Path, split: Split) -> None:
    """DataError where a network to start or to learn from was made with pictures that are to judge the new one."""
    named: Any = None
    with suppress(CardError):
        named = read_card(network.with_name(CARD)).data.get("not_scored_on")
    known, _ = made_with(network.parent, named)
    for side, files, spoilt in (
        ("test", split.test, ("train", "validation")),
        ("validation", split.validation, ("train",)),
    ):
        seen = sum(known.get(digest) in spoilt for _, digest in files)
        if seen:
            raise DataError(
                f"{seen:,} of the {len(files):,} {side} pictures are ones that the network in "
                f"{str(network.parent)[-40:]} was made with, so that a score on them would say nothing; take the "
                "pictures, classes and seed that it was trained with, or leave it out."
            )


def _say_reading(say: Say, before: int, total: int, done: int, _: int) -> None:
    say("reading", before + done, total)


def open_data(spec: str, config: TrainingConfig, run: Run | None, say: Say) -> Dataset:
    """The data set of a name or path; "" is the pictures stored with `run`. The config's classes only."""
    if spec == "":
        if run is None:
            raise DataError("No data set was named; give a folder, a zip, a csv or a built-in name.")
        dataset = pictures.stored(run)
    elif spec in FETCHED:
        from cnnviz.networks import keras_datasets  # noqa: PLC0415 - imports keras, which other data does not need

        dataset = keras_datasets.open_dataset(spec, lambda done, total: say("fetching", done, total))
    else:
        dataset = open_dataset(spec, number=config.number or None, seed=config.seed)
        if spec not in BUILT_IN:
            dataset, _ = less_left_out(dataset, spec)
    if strange := [label for label in dataset.labels if not is_name(label)]:
        raise DataError(
            f"A class is named {strange[0][:30]!r}, {len(strange[0])} letters; a card has room for names of 1 to "
            f"{MAX_NAME} letters that can be seen."
        )
    return dataset.only(config.labels) if config.labels and spec == config.data else dataset
