"""Batches for training: pictures chosen, changed at random and scaled, with their targets; numpy and OpenCV."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cnnviz.data.preprocessing import Preprocessing
from cnnviz.images import Pixels
from cnnviz.training.config import Augmentation

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Batches:
    """The training pictures of a run, cut into batches; epoch and number of a batch decide all that is random in it.

    pictures: uint8 (n, h, w, c). truth: int (n,), index of the class. outputs: of the network; 1 or the number of
    classes. weights: one number a class, or None. taught: (n, outputs), what teachers answer, or None; half of every
    target.
    """

    pictures: Pixels
    truth: NDArray[np.int64]
    outputs: int
    batch_size: int
    preprocessing: Preprocessing
    augmentation: Augmentation
    label_smoothing: float = 0.0
    weights: Floats | None = None
    taught: Floats | None = None
    seed: int = 0

    def __len__(self) -> int:
        # what is left over waits for the next epoch's other order; a batch of another size would be compiled anew
        return max(1, len(self.truth) // self.batch_size)

    def batch(self, epoch: int, number: int) -> tuple[Floats, Floats, Floats]:
        """(inputs (b, h, w, c), targets (b, outputs), weights (b,)); the same whenever and in whatever thread."""
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.truth))
        chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
        rng = np.random.default_rng((self.seed, epoch, number))
        levels = augment(self.pictures[chosen], self.augmentation, rng)
        wanted = targets(self.truth[chosen], self.outputs, self.label_smoothing)
        if self.taught is not None:
            wanted = np.float32(0.5) * (wanted + self.taught[chosen])
        if self.augmentation.mixup:
            share = np.float32(rng.beta(self.augmentation.mixup, self.augmentation.mixup))
            share = max(share, np.float32(1) - share)  # the first picture stays the stronger
            partner = rng.permutation(len(chosen))
            levels = share * levels + (1 - share) * levels[partner]
            wanted = share * wanted + (1 - share) * wanted[partner]
        weight = np.ones(len(chosen), np.float32) if self.weights is None else self.weights[self.truth[chosen]]
        return self.preprocessing.scaled(levels), wanted, weight


def targets(truth: NDArray[np.int64], outputs: int, smoothing: float = 0.0) -> Floats:
    """What the outputs should be: (n, outputs) float32. Smoothing takes this share away and spreads it evenly."""
    if outputs == 1:
        wanted = truth[:, np.newaxis].astype(np.float32)
        return wanted * np.float32(1 - smoothing) + np.float32(smoothing / 2)
    wanted = np.zeros((len(truth), outputs), np.float32)
    wanted[np.arange(len(truth)), truth] = 1
    return wanted * np.float32(1 - smoothing) + np.float32(smoothing / outputs)


def class_weights(truth: NDArray[np.int64], classes: int) -> Floats:
    """n / (classes · pictures of the class), so that every class counts the same; 0 for a class without pictures."""
    counts = np.bincount(truth, minlength=classes)
    return np.where(counts > 0, len(truth) / (classes * np.maximum(counts, 1)), 0).astype(np.float32)


def augment(pictures: Pixels, augmentation: Augmentation, rng: np.random.Generator) -> Floats:
    """uint8 (b, h, w, c) -> float32 of the same shape, levels 0..255, each picture changed on its own."""
    count, height, width, _ = pictures.shape
    if augmentation.flip:
        flipped = np.flatnonzero(rng.random(count) < 0.5)
        pictures = pictures.copy()
        pictures[flipped] = pictures[flipped, :, ::-1]
    if augmentation.moves:
        pictures = _moved(pictures, augmentation, rng)
    levels = pictures.astype(np.float32)
    if augmentation.contrast:
        factor = _spread(augmentation.contrast, count, rng) + 1
        middle = levels.mean(axis=(1, 2, 3), keepdims=True)
        levels = (levels - middle) * factor + middle
    if augmentation.brightness:
        levels = levels + 255 * _spread(augmentation.brightness, count, rng)
    if augmentation.contrast or augmentation.brightness:
        np.clip(levels, 0, 255, out=levels)
    if augmentation.cutout:
        tall, wide = max(1, round(height * augmentation.cutout)), max(1, round(width * augmentation.cutout))
        # the middle lies anywhere in the picture, so that the edges are covered as often as the middle
        tops, lefts = rng.integers(0, height, count) - tall // 2, rng.integers(0, width, count) - wide // 2
        for picture, top, left in zip(levels, tops, lefts, strict=True):
            picture[max(top, 0) : max(top + tall, 0), max(left, 0) : max(left + wide, 0)] = picture.mean()
    return levels


def _spread(most: float, count: int, rng: np.random.Generator) -> Floats:
    return rng.uniform(-most, most, (count, 1, 1, 1)).astype(np.float32)


def _moved(pictures: Pixels, augmentation: Augmentation, rng: np.random.Generator) -> Pixels:
    count, height, width, channels = pictures.shape
    angles: Any = np.deg2rad(rng.uniform(-augmentation.rotate, augmentation.rotate, count))
    zooms: Any = 1 + rng.uniform(-augmentation.zoom, augmentation.zoom, count)
    shifts = rng.uniform(-augmentation.shift, augmentation.shift, (count, 2)) * (width, height)
    whole = not (augmentation.rotate or augmentation.zoom)
    if whole:
        shifts = np.round(shifts)  # whole pixels stay sharp
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    moved = np.empty_like(pictures)
    for index in range(count):
        cosine, sine = np.cos(angles[index]) * zooms[index], np.sin(angles[index]) * zooms[index]
        turn = np.array([[cosine, -sine], [sine, cosine]])
        matrix = np.column_stack([turn, middle + shifts[index] - turn @ middle])
        picture: Any = cv2.warpAffine(
            pictures[index],
            matrix,
            (width, height),
            flags=cv2.INTER_NEAREST if whole else cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )
        moved[index] = picture.reshape(height, width, channels)
    return moved
