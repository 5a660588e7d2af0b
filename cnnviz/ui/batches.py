"""Many photos of an owner, only in memory: what came, and the thread that has them answered one batch after another."""

import csv
import io
import json
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from cnnviz import engine, face, many, samples
from cnnviz.cards import Card
from cnnviz.data.archive import open_archive
from cnnviz.data.arrangement import beside, natural, shown
from cnnviz.data.dataset import DataError
from cnnviz.engine import EngineError, State
from cnnviz.many import FaceAnswer, Row
from cnnviz.networks import NetworkError
from cnnviz.ui.catalog import Network
from cnnviz.ui.store import Store

MOST = 200  # photos at once
MAX_BYTES = 500_000_000  # of all files that are dropped at once
_ZIP = (b"PK\3\4", b"PK\5\6", b"PK\7\x08")
_NAMED = 3  # files named in a sentence


@dataclass(frozen=True)
class File:
    """A file as it came. name: as the user knows it. data: its bytes, or what reads them. folder: it lies in, or ""."""

    name: str
    data: bytes | Callable[[], bytes]
    folder: str = ""


@dataclass(frozen=True)
class Given:
    """What was dropped: files to answer, sentences on what was left out, and the bytes that it all takes."""

    title: str
    files: tuple[File, ...]
    notes: tuple[str, ...]
    size: int


def given(dropped: Sequence[tuple[str, bytes]]) -> Given:
    """Photos and zips (name, bytes) as at most MOST files; of a zip that holds more, MOST spread evenly over it."""
    files: list[File] = []
    notes: list[str] = []
    size = sum(len(data) for _, data in dropped)
    if refused := too_large([name for name, _ in dropped], size):
        return refused
    for name, data in dropped:
        name = shown(name)  # noqa: PLW2901
        if not (name.lower().endswith(".zip") or data.startswith(_ZIP)):
            files.append(File(name, data))
            continue
        try:
            files += _unpacked(name, data, notes)
        except DataError as error:
            notes.append(str(error))
    if len(files) > MOST:
        kept = _spread(files) if len(dropped) == 1 else files[:MOST]
        how = "spread evenly over the zip" if len(dropped) == 1 else f"the first {MOST}"
        left = [file.name for file in files if file not in kept] if len(files) <= MOST + _NAMED else []
        notes.append(
            f"{len(files):,} photos came, and at most {MOST} are answered at once; these are {how}"
            + (f", without {' and '.join(left)}." if left else ".")
        )
        files = kept
    return Given(_title([name for name, _ in dropped]), tuple(files), tuple(notes), size)


def too_large(names: Sequence[str], size: int) -> Given | None:
    """The sentence in place of files of so many bytes together, or None where they may be held."""
    if size <= MAX_BYTES:
        return None
    note = (
        f"These files have {size / 1e6:,.0f} MB together, and at most {MAX_BYTES / 1e6:.0f} MB can be held; "
        "drop fewer or smaller ones."
    )
    return Given(_title(names), (), (note,), 0)


def start_with() -> Given:
    """The pictures that ship with the app, to begin with."""
    files = tuple(File(one.title, partial(samples.data, one.key)) for one in samples.samples())
    return Given("the sample pictures", files, (), 0)


def _title(names: Sequence[str]) -> str:
    return shown(names[0]) if len(names) == 1 else f"{len(names):,} files"


def _spread(files: list[File]) -> list[File]:
    """MOST of them at even distances, the first among them."""
    return [files[index * len(files) // MOST] for index in range(MOST)]


def _unpacked(name: str, data: bytes, notes: list[str]) -> list[File]:
    if not data.startswith(_ZIP):
        raise DataError(f"{name} is no zip, whatever its name says; make a new one with your photos in it.")
    archive = open_archive(data, name)
    notes += [f"{shown(path)} in {name} {reason}." for path, reason in archive.passed_over[:_NAMED]]
    members = {member.path: member for member in archive.members}
    files = []
    for path in natural(members):
        parts = path.split("/")
        if any(beside(part, is_folder=True) for part in parts[:-1]) or beside(parts[-1], is_folder=False):
            continue
        member = members[path]
        folder = parts[-2] if len(parts) > 1 else ""
        files.append(File(shown(path), lambda member=member: archive.read(member), shown(folder)))  # type: ignore[misc]
    if not files:
        raise DataError(f"{name} holds no photos; make a zip with JPEG or PNG files in it.")
    return files


class _Stopped(Exception):
    """Stop was pressed while the batch stood in the engine's line."""


@dataclass(eq=False)
class Batch:
    """An owner's files and a network's answers to them. rows: one a file, in their order, as far as it has come.

    problem: one sentence where a network cannot answer, or "". waits: what it waits for, in a sentence, or "".
    network, by: networks.stamp and title of the one that answers. stop: set to end the work; `go_on` takes it up again.
    All tabs of the owner share it, whatever network each of them shows: each method names the network by its stamp.
    """

    owner: str
    given: Given
    rows: list[Row] = field(default_factory=list)
    problem: str = ""
    waits: str = ""
    network: tuple[str, ...] = ()
    by: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)  # round what says whose rows these are

    @property
    def total(self) -> int:
        return len(self.given.files)

    @property
    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def stopped(self) -> bool:
        """Whether it ended before the last file."""
        return not self.busy and len(self.rows) < self.total

    def answers(self, now: tuple[str, ...]) -> list[Row] | None:
        """The rows so far, if they are those of the network with this stamp, else None."""
        with self._lock:
            return list(self.rows) if self.network == now else None

    def answered_by(self, network: Network, now: tuple[str, ...]) -> None:
        """Have this network, with this stamp, answer, from the first file on, unless it did or does already."""
        with self._lock:
            if now != self.network:
                self.end()
                self.network, self.by, self.rows = now, network.card.title, []
                self._go(network)

    def go_on(self, network: Network, now: tuple[str, ...]) -> None:
        """Answer the files that have no row yet, in a thread; nothing, where another network answers by now."""
        with self._lock:
            if now == self.network and not self.busy:
                self._go(network)

    def end(self) -> None:
        """Have the thread leave off; what it still answers goes nowhere."""
        with self._lock:
            self.stop.set()
            self._thread = None

    def _go(self, network: Network) -> None:
        self.problem, self.waits, self.stop = "", "", threading.Event()
        arguments = (network, self.rows, self.stop)
        self._thread = threading.Thread(target=self._work, args=arguments, name="many photos", daemon=True)
        self._thread.start()

    def _work(self, network: Network, rows: list[Row], stop: threading.Event) -> None:
        files = ((file.name, file.data) for file in self.given.files[len(rows) :])
        problem = ""

        def say(state: State) -> None:
            if stop.is_set():
                raise _Stopped
            self.waits = state.sentence

        try:
            turn = f"{self.owner}/classify/many/{id(rows)}"
            answer, find = many.through_engine(network.folder, turn, say), many.faces_through_engine(turn, say)
            for row in many.classify_many(files, network.card, answer, find=find):
                if stop.is_set():
                    return
                rows.append(row)
        except _Stopped:
            return
        except (NetworkError, EngineError) as error:
            problem = str(error)
        except Exception:  # this thread's last chance to say that it ends
            traceback.print_exc()
            problem = "These photos could not all be answered; try it with fewer of them."
        finally:
            with self._lock:
                if rows is self.rows:
                    self.problem, self.waits = problem, ""


def _let_go(batch: Batch) -> None:
    """End it, and forget what was found in its photos."""
    batch.end()
    for row in list(batch.rows):
        if row.digest:
            engine.forget(row.digest)


BATCHES = Store[Batch](lambda batch: batch.given.size, let_go=_let_go)
BATCHES.sweep_for_ever()


# ------------------------------------------------------------------------------------------------ what became of it


def twins(rows: Sequence[Row]) -> dict[int, int]:
    """Index of each row whose file is the same as an earlier one's -> index of that one."""
    first: dict[str, int] = {}
    found: dict[int, int] = {}
    for index, row in enumerate(rows):
        if row.digest and (at := first.setdefault(row.digest, index)) != index:
            found[index] = at
    return found


def truths(given: Given, labels: Sequence[str]) -> list[int | None]:
    """The class that each file’s folder names, as an index into labels, or None.

    "Cats" names "cat" and the reverse, unless there are classes that differ in nothing else.
    """
    exact = {label: index for index, label in enumerate(labels)}
    folded = [label.strip().casefold() for label in labels]
    plural = [name[:-1] if name.endswith("s") else f"{name}s" for name in folded]

    def class_of(folder: str) -> int | None:
        if folder in exact:
            return exact[folder]
        name = folder.strip().casefold()
        for names in (folded, plural):
            if name and names.count(name):  # a file in no folder has no class
                return names.index(name) if names.count(name) == 1 else None
        return None

    return [class_of(file.folder) for file in given.files]


def strange_folders(given: Given, labels: Sequence[str]) -> tuple[str, ...]:
    """Folders that name no class of the network, those with the most files first."""
    found = zip(given.files, truths(given, labels), strict=True)
    counts = Counter(file.folder for file, truth in found if truth is None and file.folder)
    return tuple(name for name, _ in counts.most_common())


def largest(faces: Sequence[FaceAnswer]) -> int:
    """Which of a photo's faces its folder's name is taken to be about: see `cnnviz.face.largest`."""
    return face.largest([one.box for one in faces])


def csv_text(rows: Sequence[Row], card: Card, sure_from: float, true: Sequence[int | None]) -> str:
    """A line a file: file, answer, probability, sure, true class, error, then the probability of each class.

    Of a network for faces a line a face, with its number in the photo and its box after the file, in the pixels of
    the file's upright picture; a photo without a face has one, with the number 0. The true class stands with the
    largest face.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    labels = [_cell(label) for label in card.labels]
    place = ["face", "x", "y", "width", "height"] if card.task == "face" else []
    writer.writerow(["file", *place, "answer", "probability", "sure", "true class", "error", *labels])
    for row, truth in zip(rows, true, strict=False):
        known, start = "" if truth is None else labels[truth], _cell(row.name)
        why = "no face found" if row.faces == () else row.error
        nothing = ["", "", "", known, _cell(why), *("" for _ in labels)]
        if row.scores is not None:
            writer.writerow([start, *_values(row.scores, card, sure_from, known)])
        elif not row.faces:
            number = "" if row.faces is None else "0"
            writer.writerow([start, *([number, "", "", "", ""] if place else []), *nothing])
        else:
            about = largest(row.faces)
            for index, one in enumerate(row.faces):
                values = _values(one.scores, card, sure_from, known if index == about else "")
                writer.writerow([start, index + 1, *one.box, *values])
    return file.getvalue()


def _values(scores: Mapping[str, float], card: Card, sure_from: float, known: str) -> list[str]:
    """What follows an answered file or face in its line."""
    label = max(scores, key=scores.__getitem__)
    sure = "yes" if scores[label] >= sure_from else "no"
    return [_cell(label), f"{scores[label]:.6f}", sure, known, "", *(f"{scores[label]:.6f}" for label in card.labels)]


def _cell(text: str) -> str:
    """A text as no spreadsheet takes it for a formula."""
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) or text[:1] in ("\t", "\r") else text


def in_its_place(kind: str, sentence: str) -> str:
    """A CSV or JSON file that holds a sentence, where there is nothing else to give."""
    return f"error\n{_cell(sentence)}\n" if kind == "CSV" else json.dumps([{"error": sentence}], ensure_ascii=False)


def json_text(rows: Sequence[Row], sure_from: float) -> str:
    """A list of objects such as `python -m cnnviz classify --json` gives, one a line."""
    lines = []
    for row in rows:
        found: dict[str, object] = {"file": row.name}
        if row.faces is not None:
            found["faces"] = [
                {"box": list(one.box), "scores": one.scores, "sure": one.scores[one.label] >= sure_from}
                for one in row.faces
            ]
        elif row.scores is None:
            found["error"] = row.error
        else:
            found |= {"scores": row.scores, "sure": row.scores[row.label] >= sure_from}
        lines.append(json.dumps(found, ensure_ascii=False))
    return "[\n" + ",\n".join(lines) + "\n]\n"
