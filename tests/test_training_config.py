"""TrainingConfig: JSON there and back, and one sentence for everything that cannot be trained with."""

import json

import pytest

from cnnviz import layers
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.presets import PRESETS
from cnnviz.training.config import Augmentation, ConfigError, TrainingConfig

OWN = json.loads(json.dumps(layers.to_json(PRESETS["tiny"].layers)))


@pytest.mark.parametrize(
    "config",
    [
        TrainingConfig("digits"),
        TrainingConfig("drawn-faces", "emotions", labels=("a", "b"), augmentation=Augmentation(flip=True, shift=0.1)),
        TrainingConfig("x", OWN, preprocessing=Preprocessing(20, 30, "grey", "letterbox", "-1..1")),
    ],
)
def test_json_there_and_back(config):
    assert TrainingConfig.from_text(json.dumps(config.to_json())) == config


def test_an_older_file_without_newer_settings_is_read():
    assert TrainingConfig.from_json({"data": "digits"}) == TrainingConfig("digits")


def test_every_preset_can_be_named():
    for name, preset in PRESETS.items():
        config = TrainingConfig("digits", name)
        assert config.network() == preset.layers
        assert config.input() == preset.preprocessing


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[1]", "object"),
        ("{}", "which data"),
        ('{"format": 2, "data": "x"}', "newer"),
        ('{"format": "1", "data": "x"}', "newer"),
        ('{"data": "x", "speed": 9}', "speed"),
        ('{"data": 3}', "data"),
        ('{"data": "x", "epochs": 0}', "from 1 to"),
        ('{"data": "x", "epochs": 2.5}', "whole number"),
        ('{"data": "x", "epochs": true}', "whole number"),
        ('{"data": "x", "epochs": 1e99}', "whole number"),
        ('{"data": "x", "learning_rate": 0}', "nothing would be learned"),
        ('{"data": "x", "learning_rate": 1e9}', "from 0 to 10"),
        ('{"data": "x", "learning_rate": NaN}', "number"),
        ('{"data": "x", "learning_rate": -1}', "from 0 to 10"),
        ('{"data": "x", "learning_rate": "fast"}', "number"),
        ('{"data": "x", "batch_size": 0}', "from 1 to 1024"),
        ('{"data": "x", "optimizer": "magic"}', "choose adamw"),
        ('{"data": "x", "optimizer": ["adam"]}', "choose adamw"),
        ('{"data": "x", "optimizer": "sgd"}', "Weight decay"),
        ('{"data": "x", "schedule": null}', "choose cosine"),
        ('{"data": "x", "seed": -1}', "seed"),
        ('{"data": "x", "labels": ["cat"]}', "one class"),
        ('{"data": "x", "labels": ["cat", "cat"]}', "different names"),
        ('{"data": "x", "labels": "cat"}', "list of names"),
        ('{"data": "x", "labels": [1, 2]}', "different names"),
        ('{"data": "x", "architecture": "skynet"}', "skynet"),
        ('{"data": "x", "architecture": 5}', "."),
        ('{"data": "x", "architecture": {"format": 1, "layers": []}}', "."),
        ('{"data": "x", "preprocessing": {"height": 0, "width": 3}}', "height"),
        ('{"data": "x", "preprocessing": 7}', "preprocessing"),
        ('{"data": "x", "augmentation": {"spin": 1}}', "augmentation"),
        ('{"data": "x", "augmentation": 4}', "augmentation"),
        ('{"data": "x", "augmentation": {"rotate": 999}}', "rotate"),
        ('{"data": "x", "class_weights": "yes"}', "true or false"),
        ('{"data": "x", "task": "spy"}', "task"),
    ],
)
def test_settings_that_cannot_be_trained_with_are_a_sentence(text, word):
    with pytest.raises(ConfigError, match=word) as caught:
        TrainingConfig.from_text(text)
    assert str(caught.value).endswith((".", ";")), "one sentence"
    assert "\n" not in str(caught.value)


def test_a_list_of_layers_needs_its_preprocessing():
    with pytest.raises(ConfigError, match="preprocessing"):
        TrainingConfig("digits", OWN)
