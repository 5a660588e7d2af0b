"""From a run's settings to its pictures: nothing that a network has learned from judges the next one."""

import json
from pathlib import Path
from typing import Any

import pytest

from cnnviz.data.dataset import DataError
from cnnviz.data.split import Split
from cnnviz.training import prepare, record
from cnnviz.training.config import TrainingConfig
from cnnviz.training.record import Run

DIGITS = TrainingConfig("digits", number=500, seed=1)


def prepared(root: Path, config: TrainingConfig) -> Run:
    run = record.create(root, config)
    prepare.prepare(run, config, lambda *_: None)
    return run


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that was divided by seed 1, and might have been trained since."""
    return prepared(tmp_path_factory.mktemp("before"), DIGITS)


@pytest.mark.parametrize("as_", ["start", "teachers"])
@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({}, ""),  # the same pictures on the same sides
        ({"seed": 2}, r"of the \d+ test pictures are ones that the network in .* was made with"),
        ({"number": 350}, "test pictures are ones"),
        ({"data": "drawn-shapes"}, ""),  # none of them
    ],
)
def test_a_network_to_start_or_learn_from_was_made_without_the_pictures_of_the_test(
    before: Run, tmp_path: Path, as_: str, settings: dict[str, Any], refused: str
) -> None:
    config = DIGITS.changed(**settings, **{as_: str(before.network)})
    if refused:
        with pytest.raises(DataError, match=refused):
            prepared(tmp_path, config)
    else:
        prepared(tmp_path, config)


def test_it_counts_them_and_looks_at_the_validation_pictures_too(before: Run, tmp_path: Path) -> None:
    def side(run: Run, *names: str) -> set[str]:
        split = Split.load(run.path / "split.json")
        return {digest for name in names for _, digest in getattr(split, name)}

    other = prepared(tmp_path, DIGITS.changed(seed=2))
    seen = len(side(other, "test") & side(before, "train", "validation"))
    assert seen > 2
    with pytest.raises(DataError, match=rf"^{seen} of the \d+ test pictures"):
        prepared(tmp_path, DIGITS.changed(seed=2, start=str(before.network)))
    # with the test part of the other as one that was not seen, what is left to judge is the choice of the epoch
    folder = tmp_path / "apart"
    folder.mkdir()
    learned = sorted(side(other, "validation"))[:3]
    apart = {"format": 1, "train": learned, "validation": [], "test": []}
    (folder / "digests.json").write_text(json.dumps(apart))
    with pytest.raises(DataError, match=r"^3 of the \d+ validation pictures"):
        prepared(tmp_path, DIGITS.changed(seed=2, start=str(folder / "model.keras")))


def test_a_network_of_which_nothing_is_known_may_be_started_from(tmp_path: Path) -> None:
    assert prepared(tmp_path, DIGITS.changed(start=str(tmp_path / "alone" / "model.keras"))).path.exists()
