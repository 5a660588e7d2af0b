"""Checks what Train is made of without the page: how far its fields go, HTML, how sure a score is, photos in memory."""

from dataclasses import replace

import numpy as np
import pytest
from test_cards import CARD
from test_pages_train import OWNER, PETS, zipped

from cnnviz import evaluation
from cnnviz.data.dataset import DataError
from cnnviz.data.sources import open_dataset
from cnnviz.training.config import Augmentation, ConfigError, TrainingConfig
from cnnviz.training.history import history
from cnnviz.training.queue import Bounds, QueueError
from cnnviz.ui import card, markup, snapshot, train_run, train_settings
from cnnviz.ui.uploads import UploadStore


@pytest.mark.parametrize("key", train_settings.FIELDS)
def test_the_fields_go_as_far_as_the_settings_do(key: str):
    """The bounds that a field names are those that TrainingConfig and the server have."""
    names = {"batch": "batch_size", "rate": "learning_rate", "shift": "shift", "brightness": "brightness"}
    name, share = names.get(key, key), 100 if key in ("shift", "brightness") else 1
    field = train_settings.FIELDS[key]

    def made(value: float) -> None:
        number = int(value) if field.whole else value / share
        changes = {name: number}
        config = (
            TrainingConfig("digits", augmentation=Augmentation(**changes))
            if hasattr(Augmentation(), name)
            else (TrainingConfig("digits", **changes))
        )
        Bounds().config(config)
        if key == "number":
            open_dataset("drawn-shapes", number)

    made(field.low)
    made(field.high)
    with pytest.raises((ConfigError, QueueError, DataError)):
        made(field.high + (1 if field.whole else 0.01))
    with pytest.raises((ConfigError, QueueError, DataError)):
        made(field.low - 1)


@pytest.mark.parametrize(
    ("filters", "channels", "expected"),
    [
        (None, None, ["16 kernels, 3 × 3 × 3, the first 16<", "a: 8 maps, 5 × 5", "b: 3 maps, 5 × 5"]),
        (32, (32, 3), ["the first 16 of 32<", "a: 8 of 32 maps, 5 × 5", "b: 3 maps, 5 × 5"]),
        (1024, (128, 192), ["the first 16 of 1,024<", "a: 8 of 128 maps, 5 × 5", "b: 3 of 192 maps, 5 × 5"]),
    ],
)
def test_a_snapshot_says_how_many_kernels_and_maps_there_are_and_not_how_many_it_holds(filters, channels, expected):
    arrays = {"kernels": np.ones((3, 3, 3, 32), np.float32), "names": np.array(["a", "b"])}
    arrays |= {"maps_0": np.ones((5, 5, 32), np.float16), "maps_1": np.ones((5, 5, 3), np.float16)}
    arrays |= {} if filters is None else {"filters": np.array(filters), "channels": np.array(channels)}
    shown = snapshot.kernels(arrays) + snapshot.maps(arrays)
    for words in expected:
        assert words in shown


@pytest.mark.parametrize("interval", [["0.3", "0.7"], [0.3], None, 5, [0.3, None]])
def test_a_card_with_an_odd_score_on_photos_is_shown_without_it(interval):
    made = replace(
        CARD, scores={**CARD.scores, "photos": {"n": 10, "right": 5, "majority": 0.5, "interval": [0.3, 0.7]}}
    )
    assert "Whole photos" in card.facts(made)
    made.scores["photos"]["interval"] = interval
    assert "Whole photos" not in card.facts(made)


def test_text_in_tables_lists_and_pictures_is_escaped():
    evil = '<script>"x"</script>'
    pixels = np.zeros((2, 2, 3), np.uint8)
    for html in (
        markup.table((evil,), ((evil,),), (), evil),
        markup.pairs(((evil, evil),)),
        markup.picture(pixels, 8, evil),
    ):
        assert "<script" not in html
        assert html.count("&lt;script&gt;&quot;x&quot;&lt;/script&gt;") >= 2


@pytest.mark.parametrize(("side", "shown"), [(2, 64), (24, 48), (64, 64), (100, 64)])
def test_a_small_picture_is_enlarged_by_a_whole_factor_and_a_large_one_reduced(side: int, shown: int):
    assert f'width="{shown}" height="{shown}"' in markup.picture(np.zeros((side, side, 3), np.uint8), 64, "")


def test_a_zip_leaves_memory_after_an_idle_hour_and_only_then():
    clock = [0.0]
    store = UploadStore(lambda: clock[0])
    store.take(OWNER, "pets.zip", zipped(PETS))
    clock[0] = 3599
    assert store.get(OWNER) is not None
    clock[0] = 3599 + 3600
    assert store.get(OWNER) is None


@pytest.mark.parametrize(
    ("right", "luck"),
    [
        (15, True),  # 50 % of 30, 33.2 to 66.8
        (20, True),  # 48.8 to 80.8
        (21, False),  # 52.1 to 83.3
        (9, False),  # 16.7 to 47.9: worse than guessing
    ],
)
def test_a_score_that_may_be_guessing_says_so(right: int, luck: bool):
    truth = np.arange(30) % 2
    said = np.where(np.arange(30) < right, truth, 1 - truth)
    answers = np.where(np.arange(2) == said[:, np.newaxis], 0.9, 0.1)
    words = card.measured(evaluation.scores(answers, truth, ("a", "b")), "photos")
    assert ("Guessing lies inside this range, so this may be luck." in words) == luck


@pytest.mark.parametrize(
    ("accuracy", "majority", "said"),
    [(0.467, 0.5, "No better than guessing yet"), (0.5, 0.5, "No better than guessing yet"), (0.51, 0.5, "Nothing is")],
)
def test_a_run_that_learned_nothing_is_not_called_fine(accuracy: float, majority: float, said: str):
    def event(kind: str, **more: object) -> dict[str, object]:
        return {"format": 1, "time": 1.0, "kind": kind, **more}

    start = event("start", majority=majority, labels=["a", "b"], epochs=2, steps=1)
    epoch = event("epoch", epoch=1, loss=0.69, accuracy=0.5, val_loss=0.7, val_accuracy=accuracy, best=True)
    assert said in train_run._quiet(history([start, epoch]))
