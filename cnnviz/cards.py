"""Cards: what is known of a trained network, as card.json beside it; reading, writing and listing them."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from cnnviz import face
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.evaluation import Scores

FORMAT = 1
FILE = "card.json"
MODELS = Path("models")  # the networks that ship, where the program is called
TASKS = ("picture", "face")  # classifies whole pictures, or each face that is found
MAX_BYTES = 20_000_000  # a confusion matrix of 1,000 classes takes 3 to 7 million
MAX_NAME = 80  # characters of a name, title or label
_MAX_CLASSES = 10_000


class CardError(ValueError):
    """This is no card that can be used. The message is one sentence for the user."""


@dataclass(frozen=True)
class Card:
    """A network's card. Checked when made: CardError with one sentence.

    name, title: short for the command line, and as people read it.
    task: "picture" or "face".
    labels: the classes, at least two, in the order of the outputs; a network with one output p has two: 1 − p and p.
    architecture: a preset's name, or the layers as JSON (a list or an object), kept as they are.
    parameters: how many weights the network has.
    data: JSON object with name, licence, and the numbers of pictures in train, validation and test.
    scores: JSON object; "test" as evaluation.Scores.to_json gives it, None or absent where there was nothing to test
        with; "baseline", "references" and others as their writers want them.
    threshold: confidence from which on the network is sure, 0..1; None where there is none.
    training: JSON object with command, seed (None if unknown) and device.
    not_for: what the network must not be used for, in words.
    mirror: whether it answers with the mean over a picture and its mirror image; not in the file where it does not.
    extra: further fields of the file, kept as they are. So are further fields inside data, scores and training.
    """

    name: str
    title: str
    task: str
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    architecture: Any
    parameters: int
    data: Mapping[str, Any]
    scores: Mapping[str, Any]
    threshold: float | None
    training: Mapping[str, Any]
    not_for: str
    mirror: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for what in ("name", "title"):
            value = getattr(self, what)
            _expect(is_name(value), what, value, f"one line of 1 to {MAX_NAME} characters")
        _expect(self.task in TASKS, "task", self.task, " or ".join(f"'{task}'" for task in TASKS))
        _expect(_are_labels(self.labels), "labels", self.labels, "at least two names, each of them once")
        _expect(
            isinstance(self.architecture, str | list | dict) and bool(self.architecture),
            "architecture",
            self.architecture,
            "the name of a network or a list of layers",
        )
        _expect(_is_count(self.parameters), "parameters", self.parameters, "a whole number from 0 on")
        _expect(isinstance(self.not_for, str), "not_for", self.not_for, "a text")
        _expect(isinstance(self.mirror, bool), "mirror", self.mirror, "true or false")
        _expect(
            self.threshold is None or _is_share(self.threshold),
            "threshold",
            self.threshold,
            "a number from 0 to 1, or null",
        )
        self._check_data()
        self._check_training()
        _expect(isinstance(self.scores, Mapping), "scores", self.scores, "an object")
        _ = self.test  # which checks it
        if taken := [name for name in self.extra if name in _NAMES or name == "format"]:
            raise CardError(f"The card's extra fields hold {', '.join(taken)}, which the card has itself; rename them.")

    def _check_data(self) -> None:
        counts = ("train", "validation", "test")
        _expect_fields(self.data, "data", ("name", "licence", *counts))
        for what in ("name", "licence"):
            _expect(isinstance(self.data[what], str), f"data.{what}", self.data[what], "a text")
        for what in counts:
            _expect(_is_count(self.data[what]), f"data.{what}", self.data[what], "a number of pictures")

    def _check_training(self) -> None:
        _expect_fields(self.training, "training", ("command", "seed", "device"))
        for what in ("command", "device"):
            _expect(isinstance(self.training[what], str), f"training.{what}", self.training[what], "a text")
        seed = self.training["seed"]
        _expect(seed is None or _is_count(seed), "training.seed", seed, "a whole number from 0 on, or null")

    @property
    def sure_from(self) -> float:
        """The confidence from which on the network is sure, 0..1, also where it has no threshold."""
        return sure_from(self.threshold)

    @cached_property
    def test(self) -> Scores | None:
        """The score on the test pictures, or None if there is none."""
        if self.scores.get("test") is None:
            return None
        try:
            return Scores.from_json(self.scores["test"], self.labels)
        except ValueError as error:
            raise CardError(str(error)) from None

    def to_json(self) -> dict[str, Any]:
        known = {name: getattr(self, name) for name in _NAMES}
        known |= {"labels": list(self.labels), "preprocessing": self.preprocessing.to_json()}
        if not self.mirror:
            del known["mirror"]
        return {"format": FORMAT, **known, **self.extra}

    @classmethod
    def from_json(cls, content: Any) -> "Card":
        """The card that to_json wrote, this format or an older one; CardError with a sentence for anything else."""
        if not isinstance(content, Mapping):
            raise CardError(f"The card is {_shown(content)}; an object with the card's fields was expected.")
        version: Any = content.get("format")
        _expect(_is_count(version) and version != 0, "format", version, f"the number {FORMAT}")
        if version > FORMAT:
            raise CardError(
                f"The card has format {version}, and this program reads up to format {FORMAT}; "
                "it was written by a newer program: update this one."
            )
        content = {"mirror": False, **content}
        if missing := [name for name in _NAMES if name not in content]:
            raise CardError(f"The card lacks {', '.join(missing)}; add what is missing, or write the card again.")
        known = {name: content[name] for name in _NAMES}
        _expect(_are_labels(known["labels"]), "labels", known["labels"], "at least two names, each of them once")
        try:
            known["preprocessing"] = Preprocessing.from_json(known["preprocessing"])
        except ValueError as error:
            raise CardError(str(error)) from None
        known["labels"] = tuple(known["labels"])
        extra = {name: value for name, value in content.items() if name not in _NAMES and name != "format"}
        return cls(**known, extra=extra)


def sure_from(threshold: float | None) -> float:
    """The threshold, or a half where there is none: more than all other classes have together."""
    return 0.5 if threshold is None else threshold


_NAMES = tuple(one.name for one in fields(Card) if one.name != "extra")


class Listing(NamedTuple):
    """The networks of a folder: folder name -> card, sorted by it, and a sentence for each card that is no good."""

    cards: dict[str, Card]
    faults: tuple[str, ...]


def read_card(path: str | Path) -> Card:
    """The card in a file; CardError with one sentence that names folder and file, and no more of the path."""
    path = Path(path)
    where = f"{path.absolute().parent.name}/{path.name}"
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise CardError(
            f"{where} is not there; a network needs its card beside it: train it again, or copy both."
        ) from None
    except OSError as error:
        raise CardError(f"{where} cannot be read: {error.strerror or type(error).__name__}.") from None
    if len(data) > MAX_BYTES:
        raise CardError(f"{where} is larger than {MAX_BYTES // 1_000_000} MB; a card is a text of some kilobytes.")
    return _parsed(data, where)


def find(name: str) -> tuple[Path, Card]:
    """A network's directory and card, for the command line: by a path, or by a name under models/.

    CardError with a sentence where there is none, or one for faces and these are switched off.
    """
    for folder in (Path(name), MODELS / name):
        if (folder / "model.keras").exists() or (folder / FILE).exists():
            break
    else:
        shipped = [name for name, card in listed(MODELS).cards.items() if allowed(card)]
        raise CardError(f"There is no network {name}; give a run's directory, or {' or '.join(shipped)}.")
    card = read_card(folder / FILE)
    if not allowed(card):
        raise CardError(face.OFF)
    return folder, card


def allowed(card: Card) -> bool:
    """Whether the command line may use this network: those for faces can be switched off."""
    return card.task != "face" or face.allowed(face.HERE, os.environ)


def write_card(card: Card, path: str | Path) -> None:
    """Write the card; its folder must be there. The file is replaced as a whole or stays as it was.

    CardError if something in the card cannot be JSON; OSError if the disk is full or the folder cannot be written to.
    """
    path = Path(path)
    try:
        data = _written(card.to_json())
    except (ValueError, TypeError, RecursionError) as error:
        raise CardError(f"The card of {card.name} holds something that JSON cannot: {error}.") from None
    # a name of its own, in the same folder: two writers do not meet, and os.replace stays on one disk
    half = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with half.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, path)
    except BaseException:
        half.unlink(missing_ok=True)
        raise


def listed(folder: str | Path) -> Listing:
    """The cards at folder/<name>/card.json. Folders without one, and hidden ones, are passed over; so is no folder."""
    cards: dict[str, Card] = {}
    faults: list[str] = []
    try:
        inside = sorted(Path(folder).iterdir())
    except FileNotFoundError:
        return Listing({}, ())
    except OSError as error:
        return Listing({}, (f"The folder {Path(folder).name} cannot be read: {error.strerror}.",))
    for one in inside:
        if one.name.startswith(".") or not os.path.lexists(one / FILE):
            continue
        try:
            cards[one.name] = read_card(one / FILE)
        except CardError as error:
            faults.append(str(error))
    return Listing(cards, tuple(faults))


def _parsed(data: bytes, where: str) -> Card:
    try:
        content = json.loads(data.decode("utf-8-sig"))  # Windows' editor puts a mark in front
    except UnicodeDecodeError:
        raise CardError(f"{where} is no text in UTF-8; a card in JSON was expected.") from None
    except json.JSONDecodeError as error:
        raise CardError(
            f"{where} is not whole: it is cut off or goes wrong in line {error.lineno}; "
            "put back a copy, or write the card again."
        ) from None
    except (ValueError, RecursionError):  # a number of thousands of digits, a thousand brackets
        raise CardError(f"{where} holds numbers or brackets beyond measure; a card in JSON was expected.") from None
    try:
        _written(content)
    except (ValueError, RecursionError):  # NaN, Infinity and half characters are no JSON, but Python reads them
        raise CardError(f"{where} holds NaN, Infinity or half a character; write null or plain text instead.") from None
    try:
        return Card.from_json(content)
    except CardError as error:
        raise CardError(f"{where}: {error}") from None


def _written(content: Any) -> bytes:
    return (json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()


def _expect(right: bool, what: str, value: Any, expected: str) -> None:
    if not right:
        raise CardError(f"The card's {what} is {_shown(value)}; it must be {expected}.")


def _expect_fields(value: Any, what: str, names: tuple[str, ...]) -> None:
    _expect(isinstance(value, Mapping), what, value, f"an object with {', '.join(names)}")
    if missing := [name for name in names if name not in value]:
        raise CardError(f"The card's {what} lacks {', '.join(missing)}; add what is missing, or write the card again.")


def is_name(value: Any) -> bool:
    """Whether this can be a name, title or label on a card: one line of letters that can be seen, not too long."""
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable() and not value.isspace()


def _are_labels(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and 2 <= len(value) <= _MAX_CLASSES
        and all(is_name(label) for label in value)
        and len(set(value)) == len(value)
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
