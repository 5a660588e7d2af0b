"""The bounds of a server that others use too: memory, and how much of the own one may bring."""

import shutil
import sys

import numpy as np
import pytest

from cnnviz import layers
from cnnviz.training import device, record
from cnnviz.training.bounds import Bounds, QueueError, fits
from cnnviz.training.config import TrainingConfig
from cnnviz.training.device import Device

GB = 10**9
TINY = TrainingConfig("drawn-shapes", batch_size=200)


def needs(classes: int, batch: int = 200) -> int:
    network = layers.with_classes(TINY.network(), classes) if classes else TINY.network()
    return layers.memory(network, TINY.input().shape, batch, 2).total


@pytest.mark.parametrize(
    ("kind", "memory", "free", "classes", "proposed"),
    [
        ("gpu", GB + needs(5) + 3 * GB, GB, 5, None),
        ("gpu", 16 * GB, 0, 5, None),  # what others take now is no reason: it can wait
        ("gpu", 16 * GB, 0, 0, None),  # the classes of own photos are not known yet
        ("gpu", (4 * needs(5) + 2) // 3 + 4, GB, 5, None),  # a quarter stays on a small card
        ("gpu", (4 * needs(5)) // 3 - 4, GB, 5, "choose a batch of 128."),
        ("cpu", 4 * GB, 0, 5, None),
        ("cpu", 1_000_000_000, GB, 5, "choose smaller pictures or a smaller network."),  # TensorFlow alone takes 800 MB
        ("gpu", 16 * GB, GB, 1, "at least two"),
    ],
)
def test_a_network_is_refused_by_what_the_device_has_in_all(monkeypatch, kind, memory, free, classes, proposed):
    monkeypatch.delitem(sys.modules, "keras", raising=False)  # as in the web server
    sentence = fits(TINY, classes, Device(kind, 0, "card", memory, free, "GPU-a"))
    assert (proposed or "") in sentence
    assert bool(sentence) == bool(proposed)


def test_the_refusal_tells_the_arithmetic(monkeypatch):
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    config = TrainingConfig("drawn-shapes", architecture="system-a", batch_size=256)
    whole = layers.memory(layers.with_classes(config.network(), 2), (256, 256, 3), 256)
    sentence = fits(config, 2, Device("cpu", 0, "CPU, 2 cores", 2 * GB, 2 * GB))
    start, end = sentence.split(whole.how)
    assert start == f"This network needs {(whole.total + device.FRAMEWORK) / GB:.1f} GB for a batch of 256 pictures ("
    assert end.startswith(
        ", and 800 MB for TensorFlow), but of the 2.0 GB of CPU, 2 cores at most 1.5 GB can be used for it; choose "
    )


def own(root, owner: str, number: int) -> record.Run:
    """A run of this owner with so many stored pictures of 100 bytes."""
    run = record.create(root, TINY.changed(data=""), owner)
    np.save(run.path / "pictures.npy", np.zeros((number, 10, 10, 1), np.uint8))
    return run


@pytest.mark.parametrize(
    ("held", "count", "size", "sentence"),
    [
        (0, 1000, 100_000, None),
        (0, 1001, 100_100, "These are 1,001 pictures, and a run here takes at most 1,000; give fewer."),
        (500, 995, 49_000, None),
        (500, 995, 50_500, "and your runs hold 0.1 MB of the 0.1 MB of pictures that are allowed"),
        (0, 10, 10**18, "These pictures take 1,000,000,000,000.0 MB at the network’s input size"),
    ],
)
def test_own_pictures_are_counted_and_weighed_before_any_is_looked_at(tmp_path, held, count, size, sentence):
    bounds = Bounds(pictures=1000, photos=100_000, room=0)
    if held:
        own(tmp_path, "a", held)
    own(tmp_path, "b", 900)  # of another owner
    if sentence is None:
        bounds.own(tmp_path, "a", count, size)
        return
    with pytest.raises(QueueError) as refused:
        bounds.own(tmp_path, "a", count, size)
    assert sentence in str(refused.value)


def test_own_pictures_that_would_fill_the_disk_are_refused(tmp_path):
    with pytest.raises(QueueError, match=r"The disk has .* MB left, and these pictures take 1 MB; .* must stay free"):
        Bounds(room=shutil.disk_usage(tmp_path).free - 500_000).own(tmp_path, "a", 10, 1_000_000)


@pytest.mark.parametrize(("number", "sentence"), [(1000, None), (1001, "1,001 pictures"), (999, "your runs hold")])
def test_what_was_stored_is_weighed_once_more(tmp_path, number, sentence):
    bounds = Bounds(pictures=1000, photos=150_000, room=0)
    if sentence == "your runs hold":  # another tab was storing at the same time
        own(tmp_path, "a", 900)
    run = own(tmp_path, "a", number)
    if sentence is None:
        bounds.stored(tmp_path, run)
        return
    with pytest.raises(QueueError, match=sentence):
        bounds.stored(tmp_path, run)
