"""Classify, many photos: what is dropped, how far the answers are, the table of them, and files to take away."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cnnviz import display, face
from cnnviz.data.archive import MAX_ARCHIVE_BYTES
from cnnviz.many import Row
from cnnviz.networks import NetworkError, stamp
from cnnviz.ui import address, batches, classify_photo, classify_scores, frame
from cnnviz.ui.batches import BATCHES, Batch
from cnnviz.ui.card import percent
from cnnviz.ui.catalog import Network
from cnnviz.ui.store import forget

EVERY = 0.7  # seconds between two looks while answers come
_ASKED = "many_asked"  # in the session: stamp of the network that this tab last had answer
MOST_LINES = 1000  # in the table: of 200 photos with 40 faces it would else hold 8,000
SORTS = ("file", "name", "answer", "p", "true")
_HERE = Path(__file__).parent
_table = st.components.v2.component(
    "cnnviz_answers",
    html='<div class="holder" tabindex="0" role="region" aria-label="Answers"><table></table></div>',
    css=(_HERE / "classify_table.css").read_text(),
    js=(_HERE / "classify_table.js").read_text(),
)


def show(owner: str, network: Network) -> None:
    """The uploader, and below it what came of the last drop."""
    _uploader(owner)
    about = ", by the largest face of each photo" if network.card.task == "face" else ""
    st.caption(
        f"Up to {batches.MOST} photos, or a zip of them; those in folders named like the network’s classes "
        f"({frame.escape(', '.join(network.card.labels[:3]))} …) are scored, too{about}. They stay in this app’s "
        "memory and are forgotten an hour after you leave."
    )
    if network.card.task == "face":
        st.caption(face.NOTE)
    sure_from = classify_photo.threshold(network.card)
    batch = BATCHES.get(owner)
    if batch is None:
        batch = Batch(owner, batches.start_with())
        BATCHES.put(owner, batch)
    for number, note in enumerate(batch.given.notes):
        frame.problem(note, f"note_{number}")
    if not batch.given.files:
        return
    try:
        now = stamp(network.folder)
    except NetworkError as error:
        frame.problem(str(error), "many")
        return
    # a network chosen in this tab answers at once, but no tab takes another's answers away just by being drawn
    asked = st.session_state.get(_ASKED)
    if not batch.network or (not batch.given.size if asked is None else asked != now):
        batch.answered_by(network, now)
    st.session_state[_ASKED] = now
    live = batch.busy  # before the rows: of one that has ended they are all there
    rows = batch.answers(now)
    if rows is None:
        _elsewhere(batch, network)
        return
    st.fragment(_answers, run_every=EVERY if live else None)(owner, network, sure_from, live)
    if live:
        return
    with st.container(width=320):
        classify_photo.slider(network.card, sure_from)
    classify_scores.show(rows, batch.given, network)


def _uploader(owner: str) -> None:
    turn = st.session_state.setdefault("many_turn", 0)
    with st.container(key="upload_many"):
        # a new widget after each drop: the old one would go on listing files that have long left it
        st.file_uploader(
            "Drop photos or a zip, or pick them",
            accept_multiple_files=True,
            key=f"many_{turn}",
            max_upload_size=MAX_ARCHIVE_BYTES // 1_000_000,
            label_visibility="collapsed",
            on_change=_take,
            args=(owner, f"many_{turn}"),
        )


def _take(owner: str, widget: str) -> None:
    files = [file for file in st.session_state[widget] or () if isinstance(file, UploadedFile)]
    if not files:
        return
    # before a byte of them is copied
    refused = batches.too_large([file.name for file in files], sum(file.size for file in files))
    given = refused or batches.given([(file.name, file.getvalue()) for file in files])
    BATCHES.put(owner, Batch(owner, given))
    st.session_state["many_turn"] += 1
    for key in ("true_class", "said_class"):
        st.session_state[key] = ""
    for file in files:
        forget(file)


def _answers(owner: str, network: Network, sure_from: float, live: bool) -> None:
    """How far it is, with Stop, and the answers so far; the page runs again where that begins or ends."""
    batch = BATCHES.get(owner)
    if batch is None or batch.busy != live:
        st.rerun()
    rows = _rows(batch, network)
    if rows is None:
        st.rerun()
    if batch.busy:
        with st.container(horizontal=True, vertical_alignment="center", key="many_head"):
            st.progress(len(rows) / batch.total, _progress(batch, len(rows)))
            st.button("Stop", key="many_stop", on_click=_stop, args=(owner,))
    else:
        _over(batch, network, rows, sure_from)
    if rows:
        _draw(batch, network, rows, sure_from)
        if any(len(row.faces or ()) == face.MOST for row in rows):
            st.caption(face.MANY)
    elif batch.busy:
        st.skeleton(height=240)


def _rows(batch: Batch, network: Network) -> list[Row] | None:
    """The answers of this network so far; None where it is gone, or another one answers by now."""
    try:
        return batch.answers(stamp(network.folder))
    except NetworkError:
        return None


def _elsewhere(batch: Batch, network: Network) -> None:
    """Say that these are another network's answers, and offer to have this one's instead."""
    frame.problem(elsewhere(batch), "many")
    st.button(
        f"Answer them with {frame.escape(network.card.title)}",
        key="many_here",
        on_click=_answer_here,
        args=(batch.owner, network),
    )


def elsewhere(batch: Batch) -> str:
    return (
        f"These photos are being answered by “{batch.by}” in another tab; go on there, or have them answered anew here."
    )


def _progress(batch: Batch, done: int) -> str:
    if not done and batch.waits:
        return frame.escape(batch.waits)
    return f"{done:,} of {batch.total:,} photos: {frame.escape(batch.given.title)}"


def _over(batch: Batch, network: Network, rows: list[Row], sure_from: float) -> None:
    """What came of it, in a line, and what can be done with it."""
    if batch.problem:
        frame.problem(batch.problem, "many")
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="many_head"):
        st.markdown(frame.escape(summary(batch, rows, sure_from)), width="stretch")
        if batch.stopped:
            st.button(
                "Go on", icon=":material/play_arrow:", key="many_go", on_click=_go_on, args=(batch.owner, network)
            )
        if rows:
            for kind, mime in (("CSV", "text/csv"), ("JSON", "application/json")):
                st.download_button(
                    kind,
                    partial(_file, kind, batch.owner, network, sure_from),
                    f"answers.{kind.lower()}",
                    mime,
                    key=f"{kind.lower()}_many",
                    on_click="ignore",
                    icon=":material/download:",
                    type="tertiary",
                )
        if batch.given.size:
            st.button("Forget them", icon=":material/delete:", type="tertiary", key="many_forget",
                      on_click=BATCHES.drop, args=(batch.owner,))  # fmt: skip


# Streamlit keeps what a button calls as long as the tab is open: names of owners, and no photos


def _stop(owner: str) -> None:
    batch = BATCHES.get(owner)
    if batch is not None:
        batch.stop.set()


def _go_on(owner: str, network: Network) -> None:
    batch = BATCHES.get(owner)
    if batch is not None:
        _with(network, batch.go_on)


def _answer_here(owner: str, network: Network) -> None:
    batch = BATCHES.get(owner)
    if batch is not None:
        _with(network, batch.answered_by)


def _with(network: Network, act: Callable[[Network, tuple[str, ...]], None]) -> None:
    """Do it, unless the network is gone: then the page says so as it runs again."""
    with suppress(NetworkError):
        act(network, stamp(network.folder))


def _file(kind: str, owner: str, network: Network, sure_from: float) -> str:
    """The answers as a file, made when it is asked for."""
    batch = BATCHES.get(owner)
    if batch is None:
        return ""
    rows, true = _rows(batch, network), batches.truths(batch.given, network.card.labels)
    if rows is None:
        return batches.in_its_place(kind, elsewhere(batch))
    return (
        batches.csv_text(rows, network.card, sure_from, true) if kind == "CSV" else batches.json_text(rows, sure_from)
    )


def summary(batch: Batch, rows: list[Row], sure_from: float) -> str:
    """ "12 of 14 photos answered, 9 of them surely; 2 could not be opened", or how many faces were answered."""
    good = [row for row in rows if row.scores is not None or row.faces is not None]
    broken = len(rows) - len(good)
    start = f"Stopped after {len(rows):,} of {batch.total:,}: " if batch.stopped else ""
    done = "looked through" if any(row.faces == () for row in good) else "answered"
    said = f"{start}{_count(len(good), 'photo')} {done}"
    answers = [row.scores[row.label] for row in good if row.scores]
    if any(row.faces is not None for row in good):
        answers = [one.scores[one.label] for row in good for one in row.faces or ()]
        said += f", {_count(len(answers), 'face')} in them"
    of = "the faces" if any(row.faces is not None for row in good) else "them"
    said += f", {sum(p >= sure_from for p in answers):,} of {of} surely"
    if none := sum(row.faces == () for row in good):
        said += f"; in {_count(none, 'photo')} no face was found"
    if broken:
        said += f"; {broken:,} could not be answered and {'is' if broken == 1 else 'are'} listed with the reason"
    return said + "."


def _count(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number:,} {what}s"


# ------------------------------------------------------------------------------------------------ the table


def _draw(batch: Batch, network: Network, rows: list[Row], sure_from: float) -> None:
    by, _, way = address.kept("sort", "file").partition("-")
    labels = network.card.labels
    true, same = batches.truths(batch.given, labels), batches.twins(rows)
    names = ["" if truth is None else labels[truth] for truth in true]
    lines = [
        line | {"same": rows[same[index]].name if index in same else ""}
        for index, row in enumerate(rows)
        for line in _lines(row, names[index], sure_from)
    ]
    data = {
        "sort": [by if by in SORTS else SORTS[0], way == "down"],
        "scored": any(truth is not None for truth in true),
        "rows": lines[:MOST_LINES],
    }
    _table(key="answers", data=[data], on_sort_change=_sorted, height="content")
    if len(lines) > MOST_LINES:
        st.caption(f"The first {MOST_LINES:,} of {len(lines):,} faces are listed; the files hold all of them.")


def _lines(row: Row, truth: str, sure_from: float) -> list[dict[str, object]]:
    """A row as the browser draws it: a line, or of several faces one for each."""
    line = {"name": row.name, "error": row.error, "true": truth, **_src(row.thumbnail)}
    if row.scores is not None:
        return [line | _answer(row.scores, sure_from)]
    if row.faces == ():
        return [line | {"error": "No face was found in this photo."}]
    if row.faces is None:
        return [line]
    about = batches.largest(row.faces)  # the one that the folder's name is taken to be about
    return [
        line
        | _src(one.thumbnail)
        | {"face": f"face {index + 1} of {len(row.faces)}", "true": truth if index == about else ""}
        | _answer(one.scores, sure_from)
        for index, one in enumerate(row.faces)
    ]


def _src(thumbnail: bytes) -> dict[str, object]:
    return {"src": display.data_url(thumbnail, "webp")} if thumbnail else {}


def _answer(scores: dict[str, float], sure_from: float) -> dict[str, object]:
    label = max(scores, key=scores.__getitem__)
    p = scores[label]
    return {"answer": label, "p": p, "text": percent(p), "sure": p >= sure_from}


def _sorted() -> None:
    sort = st.session_state["answers"].sort
    if isinstance(sort, list) and len(sort) == 2 and sort[0] in SORTS:
        st.session_state["sort"] = sort[0] + ("-down" if sort[1] else "")
