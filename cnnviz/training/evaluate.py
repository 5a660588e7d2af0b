"""Scoring a finished network on any data set: its own test pictures where it is its own, else every picture."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnviz import evaluation
from cnnviz.cards import FILE, Card, read_card
from cnnviz.data.dataset import DataError, Dataset
from cnnviz.data.split import Split
from cnnviz.images import ImageError
from cnnviz.networks import fitting
from cnnviz.networks.predict import probabilities
from cnnviz.training.config import ConfigError, TrainingConfig
from cnnviz.training.prepare import open_data, read
from cnnviz.training.record import RecordError, Run

MODELS = Path("models")


@dataclass(frozen=True)
class Evaluation:
    """A score: of which network, on which pictures ("the 3,589 test pictures" or "all 120 pictures")."""

    card: Card
    data: str
    on: str
    scores: evaluation.Scores
    passed_over: tuple[str, ...]


def find_network(name: str) -> Path:
    """The directory of a network: a path, or a name under models/; DataError with a sentence if there is none."""
    for path in (Path(name), MODELS / name):
        if (path / "model.keras").exists() or (path / FILE).exists():
            return path
    shipped = sorted(path.parent.name for path in MODELS.glob(f"*/{FILE}"))
    raise DataError(f"There is no network {name}; give a run's directory, or {' or '.join(shipped)}.")


def evaluate(name: str, data: str, say: Callable[[str, int, int], None], flip: bool = False) -> Evaluation:
    """Score a network on a data set. DataError, CardError or ImageError with a sentence; loads Keras."""
    folder = find_network(name)
    card = read_card(folder / FILE)
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
    indices, on = _own_test(folder, card, dataset)
    good, unreadable = _readable(dataset, indices)
    pictures = read(dataset, good, card.preprocessing, lambda done, total: say("reading", done, total))
    truth = [card.labels.index(dataset.labels[dataset.entries[index].label]) for index in good]
    if not truth:
        raise DataError(f"{dataset.name} has no picture that can be read.")
    try:
        model: Any = fitting.load(folder / "model.keras")
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(
            f"{folder.name}/model.keras cannot be read; train the network again, or copy it anew."
        ) from None
    try:
        answers = probabilities(
            model, pictures, card.preprocessing, flip=flip, say=lambda done, total: say("scoring", done, total)
        )
        scores = evaluation.scores(answers, truth, card.labels)
    except ValueError as error:  # its card and its outputs, or its input, do not belong together
        raise DataError(str(error).splitlines()[0][:300]) from None
    return Evaluation(card, dataset.name, on, scores, (*passed_over, *unreadable))


def _as_trained(folder: Path, data: str) -> TrainingConfig:
    """The run's settings if this is the data that it was trained on (drawn pictures follow from number and seed)."""
    with suppress(RecordError, ConfigError):
        config = Run(folder).config()
        if config.data == data:
            return config
    return TrainingConfig(data)


def _own_test(folder: Path, card: Card, dataset: Dataset) -> tuple[list[int], str]:
    """The test pictures that the network never saw if this is its own data set, else all."""
    if (folder / "split.json").exists():
        split = Split.load(folder / "split.json")
        names = {entry.name for entry in dataset.entries}
        if any(name in names and _same(split, dataset, name) for name, _ in (*split.train, *split.test)[:50]):
            # its own data: pictures that it was trained on must not be scored, so whatever is missing is an error
            indices = split.indices(dataset)["test"]
            for index in indices:
                split.check(dataset.entries[index].name, dataset.pixels(index))
            if indices:
                return indices, f"the {len(indices):,} test pictures of its own split"
    given = [index for index, entry in enumerate(dataset.entries) if entry.split == "test"]
    if given and card.data.get("given") and len(given) == card.data["test"]:
        return given, f"the {len(given):,} test pictures that the data set sets apart"
    return list(range(len(dataset))), f"all {len(dataset):,} pictures"


def _same(split: Split, dataset: Dataset, name: str) -> bool:
    """Whether the picture of this name is the one that was split."""
    index = next(index for index, entry in enumerate(dataset.entries) if entry.name == name)
    try:
        split.check(name, dataset.pixels(index))
    except (DataError, ImageError, OSError):
        return False
    return True


def _readable(dataset: Dataset, indices: list[int]) -> tuple[list[int], tuple[str, ...]]:
    good, bad = [], []
    for index in indices:
        try:
            if dataset.data is not None:
                dataset.pixels(index)
            good.append(index)
        except (ImageError, OSError) as error:
            bad.append(f"{dataset.entries[index].name}: {error}")
    return good, tuple(bad)
