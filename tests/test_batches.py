"""Batches: augmentation stays in range and where it should, targets and weights by hand, the same in any order."""

import numpy as np
import pytest

from cnnviz.data.preprocessing import Preprocessing
from cnnviz.training.batches import Batches, augment, class_weights, targets
from cnnviz.training.config import Augmentation, ConfigError

PICTURES = np.random.default_rng(0).integers(0, 256, (12, 10, 8, 3)).astype(np.uint8)
TRUTH = np.array([0, 1, 2] * 4)


NONE = Augmentation()


def batches(augmentation: Augmentation = NONE, **changes) -> Batches:
    values = {"outputs": 3, "batch_size": 5, "preprocessing": Preprocessing(10, 8), "augmentation": augmentation}
    return Batches(PICTURES, TRUTH, **{**values, **changes})


def test_every_picture_comes_at_most_once_an_epoch_and_in_another_order_the_next():
    made = batches(batch_size=4)
    epochs = [np.concatenate([made.batch(epoch, number)[0] for number in range(len(made))]) for epoch in (0, 1)]
    assert len(made) == 3
    for inputs in epochs:
        assert {one.tobytes() for one in inputs} == {one.tobytes() for one in PICTURES.astype(np.float32) / 255}
    assert not np.array_equal(*epochs)


def test_a_remainder_waits_and_a_batch_never_exceeds_the_pictures():
    assert [len(batches(batch_size=size)) for size in (5, 12, 100)] == [2, 1, 1]
    assert len(batches(batch_size=100).batch(0, 0)[0]) == 12


def test_a_batch_is_the_same_whenever_it_is_made():
    strong = Augmentation(True, 0.2, 20, 0.2, 0.3, 0.3, 0.4, 0.4)
    first = [batches(strong).batch(2, number) for number in (0, 1)]
    again = [batches(strong).batch(2, number) for number in (1, 0)][::-1]
    for one, other in zip(first, again, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("outputs", "smoothing", "expected"),
    [
        (3, 0, [[1, 0, 0], [0, 0, 1]]),
        (3, 0.3, [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]),
        (1, 0, [[0], [1]]),
        (1, 0.2, [[0.1], [0.9]]),
    ],
)
def test_targets(outputs, smoothing, expected):
    truth = np.array([0, 2 if outputs == 3 else 1])
    np.testing.assert_allclose(targets(truth, outputs, smoothing), expected, atol=1e-7)


def test_class_weights_make_every_class_count_the_same():
    weights = class_weights(np.array([0, 0, 0, 1]), 3)
    np.testing.assert_allclose(weights, [4 / 9, 4 / 3, 0])


@pytest.mark.parametrize(
    "changes",
    [
        {"flip": True},
        {"shift": 0.3},
        {"rotate": 45},
        {"zoom": 0.3},
        {"brightness": 0.5},
        {"contrast": 0.5},
        {"cutout": 0.5},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_augmentation_changes_pictures_and_keeps_shape_and_range(changes):
    made = augment(PICTURES, Augmentation(**changes), np.random.default_rng(3))
    assert made.shape == PICTURES.shape
    assert made.dtype == np.float32
    assert made.min() >= 0
    assert made.max() <= 255
    assert not np.array_equal(made, PICTURES)


def test_no_augmentation_changes_nothing():
    assert np.array_equal(augment(PICTURES, Augmentation(), np.random.default_rng(0)), PICTURES)


def test_flip_gives_the_picture_or_its_mirror_image():
    made = augment(PICTURES, Augmentation(flip=True), np.random.default_rng(1))
    kinds = [
        "same" if np.array_equal(new, old) else "mirrored" if np.array_equal(new, old[:, ::-1]) else "?"
        for new, old in zip(made, PICTURES, strict=True)
    ]
    assert set(kinds) == {"same", "mirrored"}


def test_a_shift_alone_moves_by_whole_pixels():
    picture = np.zeros((1, 21, 21, 1), np.uint8)
    picture[0, 10, 10] = 200
    moved = {
        tuple(np.argwhere(augment(picture, Augmentation(shift=0.2), np.random.default_rng(seed))[0, ..., 0] == 200)[0])
        for seed in range(200)
    }
    assert {value for place in moved for value in place} == set(range(6, 15))  # 10 ± 4


def test_turning_and_zooming_leave_the_middle_where_it_is():
    picture = np.zeros((1, 21, 21, 1), np.uint8)
    picture[0, 9:12, 9:12] = 240
    for seed in range(20):
        turned = augment(picture, Augmentation(rotate=180, zoom=0.2), np.random.default_rng(seed))
        ys, xs = np.indices((21, 21))
        mass = turned[0, ..., 0]
        assert (ys * mass).sum() / mass.sum() == pytest.approx(10, abs=0.1)
        assert (xs * mass).sum() / mass.sum() == pytest.approx(10, abs=0.1)


def test_cutout_covers_at_most_its_share_with_the_mean():
    picture = np.tile(np.arange(100, dtype=np.uint8).reshape(1, 10, 10, 1), (50, 1, 1, 1))
    made = augment(picture, Augmentation(cutout=0.4), np.random.default_rng(0))
    changed = (made != picture).sum(axis=(1, 2, 3))
    assert changed.max() == 16
    assert changed.min() >= 1
    np.testing.assert_allclose(made[made != picture], 49.5)


@pytest.mark.parametrize(
    ("outputs", "truth", "answer", "smoothing", "expected"),
    [
        (3, 0, [0.5, 0.25, 0.25], 0, [0.75, 0.125, 0.125]),
        (3, 1, [1, 0, 0], 0.3, [0.55, 0.4, 0.05]),  # 0.8 for the class and 0.1 for the others, before
        (1, 1, [0.5], 0, [0.75]),
    ],
)
def test_what_teachers_answer_is_half_of_each_target(outputs, truth, answer, smoothing, expected):
    taught = np.tile(np.float32(answer), (3, 1))
    made = Batches(PICTURES[:3], np.full(3, truth), outputs, 3, Preprocessing(10, 8), NONE, smoothing, taught=taught)
    np.testing.assert_allclose(made.batch(0, 0)[1], [expected] * 3, atol=1e-7)


def test_each_picture_keeps_its_own_teachers_answer():
    taught = np.linspace(0, 1, 36, dtype=np.float32).reshape(12, 3)
    inputs, wanted, _ = batches(batch_size=12, taught=taught).batch(3, 0)
    for one, target in zip(inputs, wanted, strict=True):
        index = next(i for i, old in enumerate(PICTURES) if np.allclose(one, old.astype(np.float32) / 255))
        np.testing.assert_allclose(target, (np.eye(3)[TRUTH[index]] + taught[index]) / 2, atol=1e-6)


def test_mixup_mixes_pictures_and_targets_by_the_same_share():
    made = batches(Augmentation(mixup=1.0), batch_size=12)
    inputs, wanted, _ = made.batch(0, 0)
    plain, unmixed, _ = batches(batch_size=12).batch(0, 0)
    np.testing.assert_allclose(wanted.sum(axis=1), 1, atol=1e-6)
    share = wanted[unmixed == 1]  # of the first picture, at least half
    assert share.min() >= 0.5
    assert np.abs(inputs - plain).max() > 0.01
    order = np.linalg.lstsq(plain.reshape(12, -1).T, inputs.reshape(12, -1).T, rcond=None)[0].T  # mixing matrix
    np.testing.assert_allclose(order @ unmixed, wanted, atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"flip": 1}, "flip"),
        ({"shift": 0.6}, "shift"),
        ({"rotate": -1}, "rotate"),
        ({"zoom": float("nan")}, "zoom"),
        ({"mixup": "much"}, "mixup"),
        ({"cutout": True}, "cutout"),
    ],
)
def test_impossible_augmentation_is_a_sentence(changes, word):
    with pytest.raises(ConfigError, match=word):
        Augmentation(**changes)
