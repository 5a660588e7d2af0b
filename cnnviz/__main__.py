"""The command line: python -m cnnviz models | classify | data | train | evaluate."""

import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from cnnviz import face
from cnnviz.cards import MODELS, CardError, allowed, find, listed, read_card
from cnnviz.data import cleaning
from cnnviz.data.dataset import DataError
from cnnviz.data.fingerprints import scan
from cnnviz.data.leave_out import less_left_out, require_place, write_leave_out
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.data.sources import FETCHED, open_dataset
from cnnviz.images import MAX_BYTES, ImageError, Pixels
from cnnviz.layer_kinds import FORMAT
from cnnviz.many import Row, classify_many
from cnnviz.networks import NetworkError
from cnnviz.training import record
from cnnviz.training.config import TO_DRAW, Augmentation, ConfigError, TrainingConfig, lines, usual
from cnnviz.training.record import RecordError, Run

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow is talkative, and stderr is for our sentences
_SIDE = 32  # of the input of a network that is given as a list of layers, where --size says nothing
_FAULTS = (CardError, ConfigError, DataError, ImageError, RecordError, OSError)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
def main() -> None:
    """A CNN laboratory: data sets judged, networks trained and scored. The pages start with: streamlit run app.py"""
    for stream in (sys.stdout, sys.stderr):  # a file's name may be no text, or none that this terminal can show
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def models(as_json: bool) -> None:
    """List the networks that ship with the app, each with its score."""
    cards, faults = listed(MODELS)
    for card in sorted(cards.values(), key=lambda card: card.task == "face"):  # those for faces after the others
        if not allowed(card):
            continue
        if as_json:
            click.echo(_json(card.to_json()))
        else:
            score = card.test.words() if card.test else "not scored"
            click.echo(f"{card.name}: {card.title}. {card.parameters:,} parameters. {score}")
    _end(faults)


@main.command()
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@click.option("--model", "name", required=True, help="The name of a shipped network, or a run's directory.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the probability of every class.")
def classify(photos: tuple[str, ...], name: str, as_json: bool) -> None:
    """Say what a network takes photos for. PHOTO is a file, or a folder, of which every picture is taken."""
    good, advised, most = True, False, 0
    try:
        folder, card = find(name)
        _load_keras()
        from cnnviz.networks import classifier, faces  # noqa: PLC0415

        classifier.load(folder)
        files = [(file, partial(_picture, file)) for photo in photos for file in _pictures(photo)]

        def faces_in(pixels: Pixels, _: str) -> tuple[face.Face, ...]:
            return faces.find(pixels)

        for row in classify_many(files, card, partial(classifier.answers, folder), thumbnail=0, find=faces_in):
            good = good and not row.error
            if as_json:
                click.echo(_json({"file": row.name, **_answer(row)}))
            elif row.error:
                click.echo(_in_folder(row.name, row.error), err=True)
            else:
                click.echo("\n".join(_answer_lines(row, brief=advised)))
                advised, most = advised or row.faces == (), max(most, len(row.faces or ()))
        if most:
            click.echo(f"{face.NOTE}{f' {face.MANY}' * (most == face.MOST)}", err=True)
    except (*_FAULTS, NetworkError) as error:
        raise SystemExit(_sentence(error, as_json, name)) from None
    raise SystemExit(0 if good else 1)


def _answer(row: Row) -> dict[str, Any]:
    """A row as it stands in its JSON line, after the file's name."""
    if row.error:
        return {"error": row.error}
    if row.faces is None:
        return {"scores": row.scores, "sure": row.sure}
    return {"faces": [{"box": one.box, "scores": one.scores, "sure": one.sure} for one in row.faces]}


def _json(values: Any) -> str:
    """As one line of JSON, with letters as they are where this terminal can show all of them."""
    return json.dumps(values, ensure_ascii=(sys.stdout.encoding or "").lower() not in ("utf-8", "utf8"))


def _in_folder(file: str, sentence: str) -> str:
    """The sentence with the file's folder, which it may lack; files of the same name can lie in several."""
    last = Path(file).name
    if sentence.startswith(file):
        return sentence
    return file.removesuffix(last) + sentence if sentence.startswith(last) else sentence


def _answer_lines(row: Row, brief: bool) -> list[str]:
    """A row in words: a line for the photo, or one for each of its faces. brief: without what to try."""
    if row.faces is None:
        return [f"{row.name}: {_said(row.scores or {}, row.sure)}"]
    if not row.faces:
        return [f"{row.name}: {face.NONE_FOUND.partition(';')[0] + '.' if brief else face.NONE_FOUND}"]
    number = f" of {len(row.faces)}" if len(row.faces) > 1 else ""
    return [
        f"{row.name}, face {count}{number} at {one.box[0]}, {one.box[1]}: {_said(one.scores, one.sure)}"
        for count, one in enumerate(row.faces, 1)
    ]


def _said(scores: Mapping[str, float], sure: bool) -> str:
    """The three best classes, or that it is not sure and these."""
    best = sorted(scores.items(), key=lambda one: one[1], reverse=True)[:3]
    said = ", ".join(f"{label} {share:.1%}" for label, share in best)
    return said if sure else f"not sure; {said}"


@main.command()
@click.argument("path")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--min-bytes", default=cleaning.MIN_BYTES, show_default=True, help="Files below this are listed.")
@click.option("--min-pixels", default=cleaning.MIN_PIXELS, show_default=True, help="Pictures below this are listed.")
@click.option("--leave-out", multiple=True, metavar="KIND", help="Add these findings to PATH.leave-out.json.")
def data(path: str, as_json: bool, min_bytes: int, min_pixels: int, leave_out: tuple[str, ...]) -> None:
    """Report what is wrong with a data set: a folder per class, a zip, or fer2013.csv. Nothing is changed.

    KIND is a word such as exact-copies, near-copies or unreadable; docs/data.md explains all. What is on the list
    PATH.leave-out.json is neither reported nor trained with; delete the list to have all back.
    """
    say = _progress()
    try:
        cleaning.check_kinds(leave_out)
        if leave_out:
            require_place(path)
        dataset, gone = less_left_out(open_dataset(path), path)
        seen = scan(dataset, lambda done, total: say("reading", done, total))
        report = cleaning.report(dataset, seen, min_bytes, min_pixels, gone)
        if leave_out:
            suggested = cleaning.suggested(report, leave_out)
            written = write_leave_out(path, suggested)
            names = "1 name" if len(suggested) == 1 else f"{len(suggested):,} names"
            click.echo(f"{written.name}: {names} added", err=True)
    except _FAULTS as error:
        raise SystemExit(_sentence(error, as_json, path)) from None
    click.echo("\n".join(report.json_lines()) if as_json else report.text())


_USUAL = {"number": f"{TO_DRAW:,} drawn, else all", "learning_rate": "by network", "weight_decay": "0.0001 with adamw"}


def _settings(command: Callable[..., None]) -> Callable[..., None]:
    """An option for every setting of TrainingConfig and Augmentation, so that none is forgotten here."""
    skip = ("data", "architecture", "preprocessing", "augmentation", "labels")
    for of in (Augmentation, TrainingConfig):
        whats = lines(of)
        for one in reversed(fields(of)):
            if one.name in skip:
                continue
            name, what = f"--{one.name.replace('_', '-')}", whats[one.name]
            if isinstance(one.default, bool):
                command = click.option(name, is_flag=True, default=None, help=what)(command)
            else:
                shown = f" [{_USUAL.get(one.name, one.default)}]" if one.default or one.name in _USUAL else ""
                command = click.option(name, type=type(one.default), help=what + shown)(command)
    return command


@main.command()
@click.option("--architecture", default="tiny", show_default=True, help="A preset's name, or a file with its layers.")
@click.option("--data", "source", default="", help="A folder, a zip, a csv, or a built-in name such as drawn-faces.")
@click.option("--out", default="", help="The run's directory; otherwise a new one in runs/, or where CNNVIZ_RUNS says.")
@click.option("--labels", default="", help="Only these classes, in this order, with commas between.")
@click.option("--size", type=int, help="Side of the network's input in pixels; else the preset's, or 32 for a file.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out from its last whole epoch.")
@_settings
def train(architecture: str, source: str, out: str, labels: str, size: int | None, resume: bool, **given: Any) -> None:
    """Train a network in the foreground and write its card. Ctrl-C stops; --resume goes on."""
    from cnnviz.training import worker  # noqa: PLC0415

    try:
        if resume:
            run = _to_go_on(out, {"size": size, **given})
        elif not source:
            raise ConfigError("No data set was named; say --data with a folder, a zip, a csv or a built-in name.")
        else:
            given = {name: value for name, value in given.items() if value is not None}
            if source in FETCHED and given.get("number"):
                raise ConfigError(f"{source} is taken as a whole; leave --number out.")
            changes = {one.name for one in fields(Augmentation)}
            augmentation = Augmentation(**{name: given.pop(name) for name in changes & set(given)})
            layers = _layers(architecture)
            names = tuple(name.strip() for name in labels.split(",") if name.strip())
            given = usual(source, layers, given.get("optimizer", "adamw")) | given
            if not isinstance(layers, str):
                given["preprocessing"] = Preprocessing(_SIDE, _SIDE)
            config = TrainingConfig(source, layers, labels=names, augmentation=augmentation, **given)
            if size is not None:
                config = config.changed(preprocessing=_sized(config.input(), size))
            _allowed(config)
            run = record.create(record.home(), config, path=Path(out) if out else None)
    except _FAULTS as error:
        raise SystemExit(_sentence(error, False, source)) from None
    click.echo(f"Run: {run.path}")
    _load_keras()
    say = _Printer(run)
    try:
        with say:
            command = " ".join(["cnnviz", *_shown(sys.argv[1:])])
            state = worker.work(run, command, resume=resume)
    except KeyboardInterrupt:
        worker.stopped(run)
        state = "stopped"
    except RecordError as error:  # another process trains this run
        raise SystemExit(_sentence(error, False, out)) from None
    with suppress(RecordError):
        if run.state().message:
            click.echo(run.state().message, err=state == "failed")
    if state == "failed" and not resume and not run.checkpoint.exists():
        run.delete()  # there is nothing to go on from, and its name is wanted again
    if state == "finished":
        score = read_card(run.card).test
        click.echo(
            f"Kept: the epoch with the last *. {score.words() if score else 'There was nothing to test it with.'}"
        )
    raise SystemExit(0 if state == "finished" else 1)


@main.command()
@click.option("--model", "name", required=True, help="The name of a shipped network, or a run's directory.")
@click.option("--data", "source", required=True, help="A folder, a zip, a csv, or a built-in name.")
@click.option(
    "--mirror/--no-mirror",
    "--flip/--no-flip",
    "mirror",
    default=None,
    help="With the mean over a picture and its mirror image, or without; else as its card says.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def evaluate(name: str, source: str, mirror: bool | None, as_json: bool) -> None:
    """Score a network: on its own data set's test pictures, or on every picture of another."""
    try:
        find(name)
        _load_keras()
        from cnnviz.training.evaluate import evaluate as score  # noqa: PLC0415

        result = score(name, source, _progress(), mirror)
    except _FAULTS as error:
        raise SystemExit(_sentence(error, as_json, source)) from None
    if as_json:
        values = {"model": result.card.name, "data": result.data, "on": result.on, "left_out": result.left_out}
        values |= {"mirror": result.mirror, "sure": dict(result.sure)}
        values |= {"faces_found": True} if result.faces_found else {}
        click.echo(_json({**values, **result.scores.to_json()}))
    else:
        both = ", each with its mirror image" if result.mirror else ""
        click.echo(f"{result.card.title} on {result.data}, {result.on}{both}:")
        if result.left_out:
            click.echo(f"Pictures left out, since it was made with them: {result.left_out:,}")
        if result.faces_found:
            click.echo("These are whole photos: of each the largest face that is found is answered for.")
        click.echo("\n".join(result.scores.lines()))
        shares = [
            f"{100 * share:.1f} % of the {what} answers" for what, share in result.sure.items() if share is not None
        ]
        if shares:
            click.echo(f"sure, from {100 * result.card.sure_from:.1f} % on: {', '.join(shares)}")
    _end(result.passed_over)


_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".heic", ".heif")


def _pictures(photo: str) -> list[str]:
    """A file as it is named; of a folder the pictures, hidden ones left out; itself if it has none."""
    every = Path(photo).rglob("*") if Path(photo).is_dir() else ()
    inside = [path for path in every if not _hidden(path.relative_to(photo))]
    return sorted(str(path) for path in inside if path.suffix.lower() in _ENDINGS and path.is_file()) or [photo]


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _picture(file: str) -> bytes:
    """The bytes of a picture's file; ImageError with a sentence."""
    try:
        with open(file, "rb") as opened:
            return opened.read(MAX_BYTES + 1)  # one too many is refused when it is decoded
    except FileNotFoundError:
        raise ImageError(f"{file} is not there; check the name and the folder.") from None
    except IsADirectoryError:
        raise ImageError(f"{file} is a folder without a picture in it; name a folder with photos, or a file.") from None
    except OSError as error:
        raise ImageError(f"{file} cannot be read ({error.strerror}); check who may read it.") from None


def _allowed(config: TrainingConfig) -> None:
    """ConfigError where this makes a network for faces, and these are switched off."""
    if config.task == "face" and not face.allowed(face.HERE, os.environ):
        raise ConfigError(face.OFF)


def _to_go_on(out: str, given: dict[str, Any]) -> Run:
    """The run in this directory, if it can go on; else RecordError or ConfigError."""
    if not out or not (Path(out) / "config.json").exists():
        raise RecordError(f"There is no run in {out or 'no directory'}; name the directory of one with --out.")
    if changed := [name for name, value in given.items() if value is not None]:
        raise ConfigError(
            f"A run goes on with its own settings; leave --{changed[0].replace('_', '-')} out, or start anew."
        )
    run = Run(Path(out))
    _allowed(run.config())
    if run.card.exists():
        raise RecordError("This run is finished and scored, and test pictures are used once; start a new one.")
    return run


def _load_keras() -> None:
    """Import Keras and wake the device without TensorFlow's log lines, some of which no setting keeps from stderr."""
    sys.stderr.flush()
    held, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        from cnnviz.training import device  # noqa: PLC0415

        device.use()
    finally:
        os.dup2(held, 2)
        os.close(held)
        os.close(nowhere)


class _Printer:
    """Prints a run's new events while it goes, one line an epoch."""

    def __init__(self, run: Run):
        import threading  # noqa: PLC0415

        self.run, self.over, self.seen = run, threading.Event(), run.events()[1]
        self.thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def _follow(self) -> None:
        going = True
        while going:
            going = not self.over.wait(0.5)
            events, self.seen = self.run.events(self.seen)
            for event in events:
                if event["kind"] == "epoch":
                    click.echo(
                        f"epoch {event['epoch']:>3}  {event['seconds']:7.0f} s  "
                        f"loss {event['loss']:.4f}  accuracy {event['accuracy']:.4f}  "
                        f"validation {event['val_loss']:.4f} {event['val_accuracy']:.4f}{' *' if event['best'] else ''}"
                    )
                elif event["kind"] == "note" and "message" in event:
                    click.echo(event["message"])


def _layers(architecture: str) -> str | dict[str, Any]:
    """A preset's name stays; a .json file becomes the layers in it."""
    if not architecture.endswith(".json"):
        return architecture
    try:
        content = json.loads(Path(architecture).read_text("utf-8"))
    except (ValueError, RecursionError):
        raise ConfigError(f"{Path(architecture).name} is no JSON; a list of layers was expected.") from None
    if isinstance(content, list):
        return {"format": FORMAT, "layers": content}
    if not isinstance(content, dict):
        raise ConfigError(f"{Path(architecture).name} holds no list of layers.")
    return content


def _sized(preprocessing: Preprocessing, side: int) -> Preprocessing:
    try:
        return replace(preprocessing, height=side, width=side)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _shown(arguments: list[str]) -> list[str]:
    """The arguments for the card: of paths the last part only, since a card is shown to others."""

    def last(word: str) -> str:
        return Path(word).name if "/" in word or "\\" in word else word

    before = ["", *arguments]
    return [
        ",".join(map(last, word.split(","))) if option == "--teachers" else last(word)
        for option, word in zip(before, arguments, strict=False)
    ]


def _progress() -> Callable[[str, int, int], None]:
    """A counter on stderr where someone is watching."""

    def say(what: str, done: int, total: int) -> None:
        if sys.stderr.isatty() and total:
            click.echo(f"\r{what} {done:,} of {total:,}", err=True, nl=done == total)

    return say


def _sentence(error: Exception, as_json: bool, file: str) -> int:
    """Say what was wrong, as JSON where that was asked for; 1 is the exit status."""
    text = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    if as_json:
        click.echo(_json({"file": file, "error": text}))
    else:
        click.echo(text, err=True)
    return 1


def _end(faults: tuple[str, ...]) -> None:
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        raise SystemExit(1)


if __name__ == "__main__":
    main(prog_name="python -m cnnviz")
