"""Snapshots of a network in training: its first kernels, one picture's maps and the confusion, one .npz an epoch."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from cnnviz.data.preprocessing import Preprocessing
from cnnviz.training.record import MAX_SNAPSHOTS

MOST_MAPS = 32  # of a layer, in a snapshot
_LARGEST = 500_000  # values of one layer's maps: 1 MB as float16


class Camera:
    """Takes snapshots of one network at work on one pinned picture.

    model: a Keras network. picture: uint8 (h, w, c), as the preprocessing made it.
    A snapshot holds kernels (kh, kw, in, out) float32, names of the layers drawn, maps_0.. (h, w, channels) float16,
    picture, and confusion (classes, classes) where there is one; of many kernels and maps the first, and in filters and
    channels (one a layer) how many there are.
    """

    def __init__(self, folder: Path, model: Any, picture: NDArray[np.uint8], preprocessing: Preprocessing):
        import keras

        self.folder, self.picture = folder, picture
        self.input = preprocessing.scaled(picture[np.newaxis])
        convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
        self.first = convolutions[0] if convolutions else None
        maps = [layer for layer in model.layers if len(layer.output.shape) == 4][1:]
        active = [layer for layer in maps if "relu" in layer.name or "pool" in layer.name] or maps
        self.layers = active[:1] + active[-1:] if len(active) > 1 else active
        self.look = keras.Model(model.inputs, [layer.output for layer in self.layers]) if self.layers else None

    def take(self, epoch: int, confusion: NDArray[np.int64] | None) -> None:
        """Write the snapshot of this epoch; 0 is before training."""
        values: dict[str, Any] = {"picture": self.picture, "names": np.array([layer.name for layer in self.layers])}
        if self.first is not None:
            kernels = np.asarray(self.first.get_weights()[0], np.float32)
            values |= {"kernels": kernels[..., :MOST_MAPS], "filters": np.array(kernels.shape[-1])}
        if self.look is not None:
            found = self.look.predict_on_batch(self.input)
            outputs = found if isinstance(found, list) else [found]
            values["channels"] = np.array([output.shape[-1] for output in outputs])
            for index, output in enumerate(outputs):
                maps = np.asarray(output)[0, ..., :MOST_MAPS]
                channels = max(1, _LARGEST // (2 * maps.shape[0] * maps.shape[1]))
                values[f"maps_{index}"] = np.clip(maps[..., :channels], -65504, 65504).astype(np.float16)
        if confusion is not None:
            values["confusion"] = confusion
        temporary = self.folder / ".new.npz"
        np.savez_compressed(temporary, **values)
        os.replace(temporary, self.folder / f"{epoch:05d}.npz")
        thin(self.folder)


def thin(folder: Path, most: int = MAX_SNAPSHOTS) -> None:
    """Keep at most this many snapshots: the first, the newest, and the rest evenly by leaving out every other."""
    found = sorted(folder.glob("[0-9]*.npz"))
    if len(found) > most:
        for path in found[1:-1:2]:
            with suppress(OSError):
                path.unlink()


def epochs(folder: Path) -> list[int]:
    """The epochs of which there is a snapshot, oldest first; 0 is before training."""
    return sorted(int(path.stem) for path in folder.glob("[0-9]*.npz") if path.stem.isdecimal())


def read(folder: Path, epoch: int) -> dict[str, NDArray[Any]] | None:
    """The arrays of one snapshot, or None if it is gone or broken."""
    with (
        suppress(OSError, ValueError, KeyError, EOFError, BadZipFile),
        np.load(folder / f"{epoch:05d}.npz", allow_pickle=False) as arrays,
    ):
        return {name: arrays[name] for name in arrays.files}
    return None
