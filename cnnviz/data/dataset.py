"""A data set: labeled pictures that are read one at a time, wherever they come from."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from cnnviz.images import Pixels

SPLITS = ("train", "validation", "test")


class DataError(ValueError):
    """This is no data set that can be used. The message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture of a data set.

    name: unique in its data set, with its folders and "/" between them, as the user knows it ("cats/12.jpg", "row 17").
    label: index into the data set's labels.
    split: "train", "validation" or "test" where the source itself says so, else "".
    """

    name: str
    label: int
    split: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """A line that a score of this data set can be compared with: what it is, and its lowest and highest accuracy."""

    what: str
    lowest: float
    highest: float


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labeled pictures. Nothing is held in memory but names: pictures are read when asked for.

    name: short, for the card ("fer2013", the folder's name).
    labels: the classes, in the order of a network's outputs; unique.
    pixels: index -> uint8 (H, W, 3) RGB, upright, at full size; raises images.ImageError. May be called in threads.
    data: index -> the file's bytes, or raises OSError; None where the pictures are not files (drawn, csv, arrays).
    licence: what is known of the rights, one short line.
    passed_over: what lay in the source and is not part of it, one short line each ("notes.txt: no picture").
    """

    name: str
    labels: tuple[str, ...]
    entries: tuple[Entry, ...]
    pixels: Callable[[int], Pixels]
    data: Callable[[int], bytes] | None = None
    licence: str = "not stated"
    references: tuple[Reference, ...] = ()
    passed_over: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.entries)

    def select(self, indices: Sequence[int]) -> "Dataset":
        """The same data set with these entries only, in this order."""
        chosen = tuple(int(index) for index in indices)
        pixels, data = self.pixels, self.data
        return replace(
            self,
            entries=tuple(self.entries[index] for index in chosen),
            pixels=lambda index: pixels(chosen[index]),
            data=None if data is None else lambda index: data(chosen[index]),
        )

    def without(self, names: Iterable[str]) -> "Dataset":
        """The same data set less the entries of these names."""
        left_out = frozenset(names)
        return self.select([index for index, entry in enumerate(self.entries) if entry.name not in left_out])

    def only(self, labels: Sequence[str]) -> "Dataset":
        """The entries of these classes alone, with labels in this order; DataError for a class that is not there.

        What others reach on all classes says nothing of fewer.
        """
        if missing := [label for label in labels if label not in self.labels]:
            raise DataError(f"{self.name} has no class {', '.join(missing)}; it has {', '.join(self.labels)}.")
        new = {self.labels.index(label): position for position, label in enumerate(labels)}
        kept = self.select([index for index, entry in enumerate(self.entries) if entry.label in new])
        entries = tuple(replace(entry, label=new[entry.label]) for entry in kept.entries)
        references = self.references if len(labels) == len(self.labels) else ()
        return replace(kept, labels=tuple(labels), entries=entries, references=references)
