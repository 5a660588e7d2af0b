"""Train after a run: what the network scored, the pictures it got wrong, its card, and what can be done with it."""

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnnviz import face
from cnnviz.cards import FILE, Card
from cnnviz.data.dataset import DataError
from cnnviz.data.sources import FETCHED
from cnnviz.data.split import DIGESTS, Split
from cnnviz.images import ImageError
from cnnviz.training import behind, prepare
from cnnviz.training.config import ConfigError
from cnnviz.training.history import History
from cnnviz.training.record import RecordError, Run, State
from cnnviz.ui import address, charts, confusion, frame, markup, runs, train_settings
from cnnviz.ui import card as card_view

WORDS = {"finished": "Trained", "stopped": "Stopped:", "failed": "Failed:", "interrupted": "Interrupted:"}
_PICTURE = 64  # pixels


def show(run: Run, state: State, past: History) -> None:
    """Heading, what can be done next, and the scores where there are any."""
    all_runs()
    card = runs.card(run)
    name = state.kept or runs.data_title(run, state)
    st.title(f"{WORDS[state.state]} “{frame.escape(name)}”", anchor=False)
    st.markdown(frame.escape(_line(run, state, past)))
    if state.kept:
        st.markdown(f"Kept as “{frame.escape(state.kept)}”: Classify and Inside offer it to you.")
    if state.message:
        frame.problem(state.message, "over") if state.state == "failed" else st.markdown(frame.escape(state.message))
    if past.message:  # why it ended early
        st.markdown(frame.escape(past.message))
    if sentence := st.session_state.pop("steer_problem", ""):
        frame.problem(sentence, "steer")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="next"):
        if card is not None and state.state == "finished":
            _keep(run, state)
        else:
            _go_on(run, past)
        _again(run)
        if past.step:
            _take_away(run, state, past, card)
        _delete(run)
    if card is not None:
        _scores(run, card)


def all_runs() -> bool:
    """The way back to the three steps and the list of runs; whether it was taken."""
    return st.button("All runs", icon=":material/arrow_back:", type="tertiary", key="leave", on_click=leave)


def leave() -> None:
    """Back to the three steps, in a callback."""
    st.session_state["run"] = ""


def _line(run: Run, state: State, past: History) -> str:
    parts = [runs.title(run, state) if state.kept else runs.network_title(run)]
    if past.all_epochs:
        last = past.all_epochs[-1]
        spent = f" in {runs.duration(last.seconds)}" if last.seconds > 0 else ""
        parts.append(f"{last.epoch} of {past.epochs} epochs{spent}{f' on {state.device}' if state.device else ''}")
    parts.append(runs.age(state.changed))
    return " · ".join(parts)


# ---------------------------------------------------------------------- what can be done next


def _keep(run: Run, state: State) -> None:
    """Name the network, which puts it among its owner's."""
    key = f"name_{run.id}"
    name = st.text_input(
        "Name of the network", state.kept, key=key, max_chars=60, width=280, placeholder="for example, faces 1"
    )
    pressed = st.button("Rename" if state.kept else "Keep", type="secondary" if state.kept else "primary", key="keep")
    if state.kept and st.button("See it among the networks", type="tertiary", key="to_networks"):
        st.session_state["card"] = run.id
        frame.go("networks")
    if pressed:
        try:
            runs.keep(run, name or "")
        except ValueError as error:
            frame.problem(str(error), "keep")
            return
        st.rerun()


def _go_on(run: Run, past: History) -> None:
    """What an unfinished run can still become."""
    whole = run.checkpoint.exists() and bool(past.all_epochs)
    if whole and past.all_epochs[-1].epoch < past.epochs:
        st.button("Go on", type="primary", key="resume", on_click=_resume, args=(run,))
    elif not past.all_epochs:
        st.button("Start it again", type="primary", key="resume", on_click=_resume, args=(run,))
    if run.network.exists():
        st.button("Score it as it is", key="score", on_click=_score, args=(run,))


def _resume(run: Run) -> None:
    _ask(run, "resume")


def _score(run: Run) -> None:
    _ask(run, "score")


def _ask(run: Run, what: str) -> None:
    try:
        if run.config().task == "face" and not frame.faces():  # a run from the command line, or of before
            raise ValueError(face.OFF)
        getattr(runs.queue(), what)(run)
    except ValueError as error:  # QueueError, RecordError, ConfigError: each one sentence
        st.session_state["steer_problem"] = str(error)


def _again(run: Run) -> None:
    st.button("Train again with changes", icon=":material/tune:", key="again", on_click=_recall, args=(run,))


def _recall(run: Run) -> None:
    try:
        train_settings.recall(run.config())
    except (RecordError, ConfigError) as error:
        st.session_state["steer_problem"] = str(error)
        return
    leave()


def _take_away(run: Run, state: State, past: History, card: Card | None) -> None:
    popover = st.popover("Take it away", icon=":material/download:", key="take_run", on_change="rerun")
    if not popover.open:
        return
    with popover:
        if card is not None and run.network.exists():
            st.download_button(
                "Network and card, as a zip",
                partial(archive, run),
                f"{state.kept or run.id}.zip",
                "application/zip",
                key="zip_run",
                on_click="ignore",
            )
        st.download_button(
            "History, as CSV", past.csv(), f"{state.kept or run.id}.csv", "text/csv", key="csv_run", on_click="ignore"
        )


def archive(run: Run) -> bytes:
    """Network, card and the digests of its pictures, so that `evaluate` knows them, as one zip made in memory."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as zipped:  # a .keras file is packed already
        zipped.write(run.network, "model.keras")
        zipped.write(run.card, FILE)
        with suppress(DataError):
            zipped.writestr(DIGESTS, json.dumps(Split.load(run.path / "split.json").digests()))
    return file.getvalue()


def _delete(run: Run) -> None:
    with st.popover("Delete", icon=":material/delete:", type="tertiary", key="delete_run"):
        st.markdown("This deletes the run with its network and its stored pictures for good.")
        st.button("Delete for good", key="delete_sure", on_click=_deleted, args=(run,))


def _deleted(run: Run) -> None:
    try:
        runs.queue().delete(run)
    except ValueError as error:
        st.session_state["steer_problem"] = str(error)
        return
    leave()


# ---------------------------------------------------------------------- what it scored


def _scores(run: Run, card: Card) -> None:
    with st.grid(2, min_column_width=400, gap=(24, 40), key="scores"):
        with st.container():
            st.subheader("How often it is right", anchor=False)
            st.html(card_view.score(card))
        if card.test is not None:
            with st.container():
                st.subheader("Class by class", anchor=False)
                st.html(card_view.per_class(card.test))
            matrix = st.container()
            with st.container():
                st.subheader("The pictures behind a cell", anchor=False)
                address.belongs(("truth", "said"), run.id)
                cell = _cell(card.test.confusion, card.labels)
                _behind(run, card, *cell)
            with matrix:
                show_confusion(card, cell, _clicked)


def show_confusion(card: Card, cell: tuple[int, int] | None = None, clicked: Callable[[], None] | None = None) -> None:
    """The confusion matrix of a card that was scored. clicked: runs when a cell was."""
    assert card.test is not None
    table = card.test.confusion
    figure = confusion.figure(table, card.labels, palette(), cell, on_a_phone())
    words = confusion.words(table, card.labels)
    if clicked is None:
        st.plotly_chart(figure, config=charts.CONFIG, theme=None, key="confusion", alt=words)
    else:
        st.plotly_chart(
            figure,
            config=charts.CONFIG,
            theme=None,
            key="confusion",
            alt=words,
            on_select=clicked,
            selection_mode="points",
        )


def palette() -> charts.Palette:
    """The colors of charts in the theme that the browser shows."""
    return charts.PALETTES["dark" if st.context.theme.type == "dark" else "light"]


def on_a_phone() -> bool:
    """Whether the browser says so."""
    return "Mobi" in st.context.headers.get("User-Agent", "")


def _clicked() -> None:
    cell = confusion.cell(st.session_state["confusion"])
    if cell is not None:
        st.session_state["truth"], st.session_state["said"] = map(str, cell)


def _cell(table: Sequence[Sequence[int]], labels: Sequence[str]) -> tuple[int, int]:
    """Choose a true and a predicted class: two selects, which a click in the matrix sets, too."""
    mistakes = np.where(np.eye(len(labels), dtype=bool), -1, np.array(table))
    worst = np.unravel_index(int(mistakes.argmax()), mistakes.shape)
    names = {str(index): label for index, label in enumerate(labels)}
    with st.container(horizontal=True, wrap=False, gap="small"):
        truth = train_settings.choice("It is", "truth", names, str(worst[0]))
        said = train_settings.choice("The network said", "said", names, str(worst[1]))
    return int(truth), int(said)


def _behind(run: Run, card: Card, truth: int, said: int) -> None:
    """The test pictures of one class that were answered so, the surest first."""
    assert card.test is not None
    count = card.test.confusion[truth][said]
    st.markdown(frame.escape(confusion.cell_words(card.test.confusion, card.labels, truth, said)) + ".")
    if not count:
        return
    try:
        rows, sure = _answered(run, truth, said)
        pictures = _pictures(run, rows[: behind.OF_A_CELL])
    except (DataError, ImageError, RecordError, ConfigError) as error:
        frame.problem(str(error), "behind")
        return
    if count > len(pictures):
        st.caption(f"These are the {len(pictures)} that it was surest of.")
    images = (
        markup.picture(one, _PICTURE, f"{card.labels[truth]}, called {card.labels[said]} with p = {p:.2f}", _large(one))
        for one, p in zip(pictures, sure, strict=False)
    )
    st.html(f'<div class="tiles behind">{"".join(images)}</div>')


def _large(pixels: NDArray[np.uint8]) -> bool:
    return bool(max(pixels.shape[:2]) > _PICTURE)


def _answered(run: Run, truth: int, said: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """The test pictures of one cell, surest first, and how sure the network was of each; DataError as read_answers."""
    answers, labels = behind.read_answers(run)
    rows = behind.cell(answers, labels, truth, said)
    return rows, answers[rows, said]


def _pictures(run: Run, rows: NDArray[np.intp]) -> list[NDArray[np.uint8]]:
    """These pictures of the run's test part as the network got them, RGB, the first of them where not all were kept.

    DataError where none is at hand.
    """
    config = run.config()
    if config.data in FETCHED:
        return [markup.rgb(picture) for picture in behind.read(run, rows)]
    dataset = prepare.open_data(config.data, config, run, lambda *_: None)
    test = Split.load(run.path / "split.json").indices(dataset)["test"]
    if len(rows) and int(rows.max()) >= len(test):
        raise DataError("The run's test pictures are no longer those that it was scored on.")
    return [markup.rgb(config.input().picture(dataset.pixels(test[row]))) for row in rows]


def show_card(run: Run) -> None:
    """Everything on the card, at the end."""
    card = runs.card(run)
    if card is not None:
        with st.expander("The card", key="card_of_run"):
            st.html(card_view.facts(card))
