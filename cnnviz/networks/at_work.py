"""A network at work on one picture: what every layer gives, computed once and kept for all that is asked of it."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz import maps as measure
from cnnviz.cards import Card
from cnnviz.graph import Floats, Look
from cnnviz.kept import IDLE_SECONDS
from cnnviz.networks import NetworkError, classifier, forward

MAX_BYTES = 256 * 2**20  # of activations that are kept; one picture's may be more
MAX_KEPT = 32  # pictures at most, so that photo after photo does not fill the memory
_SWEEP_SECONDS = 60

Pixels = NDArray[np.uint8]


@dataclass(eq=False)
class Work:
    """A network at work on one picture. values: what every node gives. numbers: by node, made when first asked for."""

    found: forward.Plan
    card: Card
    look: Look
    values: dict[str, Floats]
    numbers: dict[str, measure.Statistics]


# of a Work only what does not hold the network in memory
_kept: OrderedDict[Any, tuple[dict[str, Floats], dict[str, measure.Statistics]]] = OrderedDict()
_used: dict[Any, float] = {}  # when, by _clock
_lock = threading.Lock()  # round both
_clock = time.monotonic
_numbers = count()


def network(folder: str | Path) -> tuple[Any, forward.Plan, Card]:
    """The keras.Model in a folder, its calls in order, its card; NetworkError as classifier.load and forward.plan."""
    model, card = classifier.load(folder)
    return model, forward.plan(model, card.preprocessing.shape), card


def checked(picture: Pixels, card: Card) -> Pixels:
    """The picture, if the network takes such; else NetworkError."""
    picture = np.asarray(picture)
    shape = card.preprocessing.shape
    if picture.shape != shape or picture.dtype != np.uint8:
        raise NetworkError(
            f"{card.title} takes a picture of {' × '.join(map(str, shape))} whole levels, and got an array of "
            f"{' × '.join(map(str, picture.shape))} {picture.dtype} numbers; prepare it with the card's preprocessing."
        )
    return picture


def on(folder: str | Path, picture: Pixels, look: Look) -> Work:
    """The network in a folder at work on a picture; its arrays are not to be written to. NetworkError, one sentence."""
    model, found, card = network(folder)
    picture = checked(picture, card)
    # a number for the network: a new one in the same folder, or one read again, gets another
    number = forward.beside(found, "number", lambda: next(_numbers))
    key = (number, blake2b(picture.tobytes(), digest_size=16).digest(), look.switches)
    with _lock:
        held = _kept.get(key)
    if held is None:
        x = card.preprocessing.scaled(picture)[np.newaxis]
        held = (forward.outputs(model, x, dict(look.off), look.linear), {})
    with _lock:
        _kept[key], _used[key] = held, _clock()
        _kept.move_to_end(key)
        while len(_kept) > MAX_KEPT or (len(_kept) > 1 and _bytes() > MAX_BYTES):
            del _used[_kept.popitem(last=False)[0]]
    _forget_often()
    return Work(found, card, look, *held)


def forget() -> None:
    """Let go of what was not used for an hour: with the input, it is somebody's photo."""
    with _lock:
        limit = _clock() - IDLE_SECONDS
        while _kept and _used[next(iter(_kept))] <= limit:
            del _used[_kept.popitem(last=False)[0]]


@cache
def _forget_often() -> None:
    """Begin to forget each minute, in a thread of its own: an idle process is asked nothing."""

    def often() -> None:
        while True:
            time.sleep(_SWEEP_SECONDS)
            forget()

    threading.Thread(target=often, name="forget", daemon=True).start()


def _bytes() -> int:
    return sum(value.nbytes for values, _ in _kept.values() for value in values.values())
