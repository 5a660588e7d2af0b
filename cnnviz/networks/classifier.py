"""A trained network in memory, and its answers to pictures; at most three networks are held."""

import os
import threading
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from cnnviz import face
from cnnviz.cards import FILE, Card, CardError, read_card
from cnnviz.networks import MODEL, NetworkError, fitting, stamp
from cnnviz.networks.predict import are_probabilities, probabilities

HELD = 3  # networks
BATCH = 64  # pictures at once, at most

_held: OrderedDict[tuple[str, ...], tuple[Any, Card]] = OrderedDict()
_lock = threading.RLock()


def load(folder: str | Path) -> tuple[Any, Card]:
    """The keras.Model in a folder and its card; from memory if it was used lately and did not change since.

    NetworkError, one sentence: gone, cut off, with code of its own, a card that is no good or of another network, or
    one for faces where these are switched off.
    """
    key = stamp(folder)
    with _lock:
        if key not in _held:
            while len(_held) >= HELD:
                _held.popitem(last=False)
            _held[key] = _read(Path(folder))
        _held.move_to_end(key)
        return _held[key]


def answers(folder: str | Path, pictures: NDArray[Any], scaled: bool = True) -> NDArray[np.float64]:
    """Probabilities (n, classes) for pictures (n, height, width, channels), uint8, as Preprocessing.picture makes them.

    scaled: whether the levels are still to be brought to the range that the card names; if not, the pictures are
    float32 and go in as they are. Rows sum to 1; a network with one output p gives 1 − p and p; one whose card says
    `mirror` the mean of its answers to a picture and to its mirror image. NetworkError as `load`, where the shapes
    differ, or where what the network gives are no probabilities.
    """
    model, card = load(folder)
    pictures, wanted = np.asarray(pictures), card.preprocessing.shape
    kind = np.uint8 if scaled else np.float32
    if pictures.ndim != 4 or pictures.shape[1:] != wanted or pictures.dtype != kind:
        raise NetworkError(
            f"{card.title} takes pictures of {_times(wanted)} as {np.dtype(kind)}, and got {pictures.dtype} of "
            f"{_times(pictures.shape[1:])}; choose the network again."
        )
    preprocessing = card.preprocessing if scaled else replace(card.preprocessing, scale="0..255")
    # two sizes of batches are compiled; from then on TensorFlow uses the second one's graph for every size
    found = probabilities(model, pictures, preprocessing, batch_size=BATCH, flip=card.mirror)
    if not are_probabilities(found):
        raise NetworkError(
            f"{card.title} gives numbers that are no probabilities; its last layer must be a softmax, or a sigmoid for "
            "two classes, and its training must not have run out of range."
        )
    return found


def warm() -> None:
    """Have Keras do once what the first network would have to wait for."""
    import h5py  # noqa: F401 - Keras imports it when it reads the first file

    made = keras.Input((8, 8, 3))
    model = keras.Model(made, keras.layers.Dense(2)(keras.layers.Conv2D(1, 3)(made)))
    model.predict_on_batch(np.zeros((1, 8, 8, 3), np.float32))


def _read(folder: Path) -> tuple[Any, Card]:
    try:
        card = read_card(folder / FILE)
    except CardError as error:
        raise NetworkError(str(error)) from None
    if card.task == "face" and not face.allowed(face.HERE, os.environ):
        raise NetworkError(face.OFF)
    where = f"{folder.name}/{MODEL}"
    try:
        model = fitting.load(folder / MODEL)
    except Exception as error:  # on damaged files Keras raises nearly every exception there is
        raise NetworkError(_why(where, str(error))) from error
    _check(model, card, where)
    return model, card


def _why(where: str, error: str) -> str:
    if "safe_mode" in error or "Could not locate" in error:
        return (
            f"{where} holds program code of its own (a Lambda layer or a class that Keras does not have), which is not "
            "run here; build the network from Keras's own layers."
        )
    return f"{where} cannot be read, it is damaged or cut off; train the network again, or copy it anew."


def _check(model: Any, card: Card, where: str) -> None:
    shape, outputs = model.input_shape, model.output_shape
    if not isinstance(shape, tuple):  # Keras has a list or a dict of shapes where there are several
        raise NetworkError(
            f"{where} is a network that wants {len(shape)} inputs at the same time, and this app shows a network one "
            "picture; choose a network with one input."
        )
    if not isinstance(outputs, tuple):
        raise NetworkError(
            f"{where} is a network that gives {len(outputs)} answers at the same time, and this app reads one; choose "
            "a network with one output."
        )
    if len(shape) != 4:
        raise NetworkError(
            f"{where} is a network that wants {_times(shape[1:])} numbers, and this app shows a network a picture, "
            "which is height × width × colors; choose a network that looks at pictures."
        )
    if len(outputs) != 2:
        raise NetworkError(
            f"{where} is a network that answers with {_times(outputs[1:])} numbers, and this app reads one number for "
            "each class; choose a network whose last layer has one unit for each class."
        )
    if any(has not in (None, is_) for has, is_ in zip(shape[1:], card.preprocessing.shape, strict=True)):
        raise NetworkError(
            f"{where} takes {_times(shape[1:])} pictures, and its card says {_times(card.preprocessing.shape)}; "
            "put the card beside the network that it was written for."
        )
    if outputs[1] != len(card.labels) and not (outputs[1] == 1 and len(card.labels) == 2):
        raise NetworkError(
            f"{where} has {outputs[1]} outputs, and its card names {len(card.labels)} classes; put the card beside the "
            "network that it was written for."
        )


def _times(shape: tuple[Any, ...]) -> str:
    return " × ".join("any" if side is None else str(side) for side in shape)
