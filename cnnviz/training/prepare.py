"""From a run's settings to its pictures in memory: opened, checked for copies, split, at the network's input size."""

import zipfile
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.data.dataset import SPLITS, DataError, Dataset, Entry
from cnnviz.data.fingerprints import scan
from cnnviz.data.leave_out import less_left_out
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.data.sources import BUILT_IN, open_dataset
from cnnviz.data.split import Split, make_split
from cnnviz.images import Pixels
from cnnviz.training.config import TrainingConfig
from cnnviz.training.device import check_pictures
from cnnviz.training.record import Run

MAX_LABEL = 80  # letters, as on a card
KERAS_NAMES = ("mnist", "fashion_mnist", "cifar10")
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
    dataset = open_data(config.data, config, run.path / "pictures.npz", say)
    saved, check = run.path / "split.json", None
    if saved.exists():
        split = Split.load(saved)
        if config.data:  # own photos are stored at input size, and their digests are of the full size
            check = split.check
    else:
        seen = scan(dataset, lambda done, total: say("looking for copies", done, total))
        split = make_split(dataset, seen, seed=config.seed)
        split.save(saved)
    chosen = split.indices(dataset)
    total = sum(len(chosen[name]) for name in SPLITS)
    check_pictures(total, config)
    parts, done = {}, 0
    for name in SPLITS:
        pictures = read(dataset, chosen[name], config.input(), partial(_say_reading, say, done, total), check)
        done += len(pictures)
        truth = np.array([dataset.entries[index].label for index in chosen[name]], np.int64)
        parts[name] = Part(pictures, truth, tuple(dataset.entries[index].name for index in chosen[name]))
    return Prepared(dataset, parts, split)


def _say_reading(say: Say, before: int, total: int, done: int, _: int) -> None:
    say("reading", before + done, total)


def open_data(spec: str, config: TrainingConfig, stored: Path | None, say: Say) -> Dataset:
    """The data set of a name or path; "" is the pictures stored with the run. The config's classes only."""
    if spec == "":
        if stored is None or not stored.exists():
            raise DataError("The pictures of this run are gone; start a new one with them.")
        dataset = stored_pictures(stored)
    elif spec in KERAS_NAMES:
        from cnnviz.networks import keras_datasets  # noqa: PLC0415 - imports keras, which other data does not need

        dataset = keras_datasets.open_dataset(spec, lambda done, total: say("fetching", done, total))
    else:
        dataset = open_dataset(spec, number=config.number or None, seed=config.seed)
        if spec not in BUILT_IN:
            dataset, _ = less_left_out(dataset, spec)
    if too_long := [label for label in dataset.labels if len(label) > MAX_LABEL]:
        raise DataError(
            f"The class {too_long[0][:30]}… has a name of {len(too_long[0])} letters; at most {MAX_LABEL} fit a card."
        )
    return dataset.only(config.labels) if config.labels and spec == config.data else dataset


def read(
    dataset: Dataset,
    indices: list[int],
    preprocessing: Preprocessing,
    say: Callable[[int, int], None] | None = None,
    check: Callable[[str, Pixels], None] | None = None,
) -> Pixels:
    """The pictures of these entries, uint8 (n, h, w, c); ImageError for one that cannot be read.

    check: called with name and full-size pixels of each, to raise where they are not what they were (Split.check).
    """
    pictures = np.empty((len(indices), *preprocessing.shape), np.uint8)

    def one(position: int) -> None:
        index = indices[position]
        pixels = dataset.pixels(index)
        if check is not None:
            check(dataset.entries[index].name, pixels)
        pictures[position] = preprocessing.picture(pixels)

    with ThreadPoolExecutor(2) as pool:
        for done, _ in enumerate(pool.map(one, range(len(indices))), 1):
            if say is not None and (done % 256 == 0 or done == len(indices)):
                say(done, len(indices))
    return pictures


def store_pictures(
    path: Path,
    dataset: Dataset,
    preprocessing: Preprocessing,
    split: Split,
    say: Callable[[int, int], None] | None = None,
) -> None:
    """Write a user's pictures, at input size, into a run's directory, so that its worker needs nothing else."""
    chosen = split.indices(dataset)
    indices = sorted(index for name in SPLITS for index in chosen[name])
    pictures = read(dataset, indices, preprocessing, say)
    names = np.array([dataset.entries[index].name for index in indices])
    truth = np.array([dataset.entries[index].label for index in indices], np.int64)
    values: dict[str, Any] = {"labels": np.array(dataset.labels), "name": np.array(dataset.name)}
    np.savez(path, pictures=pictures, truth=truth, names=names, **values)


def stored_pictures(path: Path) -> Dataset:
    """The data set that store_pictures wrote; DataError if it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            pictures, truth, names = arrays["pictures"], arrays["truth"], arrays["names"]
            labels, name = tuple(map(str, arrays["labels"])), str(arrays["name"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        raise DataError("The pictures of this run cannot be read any more; start a new run with them.") from None
    entries = tuple(Entry(str(one), int(label)) for one, label in zip(names, truth, strict=True))

    def pixels(index: int) -> Pixels:
        picture = pictures[index]
        return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture

    return Dataset(name, labels, entries, pixels, licence="the user's own pictures")
