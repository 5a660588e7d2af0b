"""Train on own photos: the uploader, the cleaning report in short, what to leave out, and the box of consent."""

from collections.abc import Callable, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cnnviz.data import cleaning
from cnnviz.data.archive import MAX_ARCHIVE_BYTES
from cnnviz.data.dataset import SPLITS
from cnnviz.training import pictures, record
from cnnviz.training.config import TrainingConfig
from cnnviz.training.record import Run
from cnnviz.ui import frame, runs
from cnnviz.ui.store import forget
from cnnviz.ui.uploads import COMPARING, OPENING, READING, ZIPS, Upload

CONSENT = (
    "I agree: the pictures are stored, at the network’s input size, in this run’s folder on the computer that runs "
    "cnnviz. They go with the run, or after 7 days."
)
_UNTIL = "It stays in this app’s memory, and is forgotten when the page has not been used for an hour."
_ASKED_OF = "zip_asked_of"  # in the session: the upload that consent and boxes are for
_MOST_NAMES = 30  # files named under a finding
_REMEDY = " Turn on “Count rare classes more” under More settings, or add pictures."
# what the split leaves out by itself
_ALWAYS = {"unreadable": " Left out.", "two-labels": " Left out, but for test pictures that the zip sets apart."}
_SMALL = "often thumbnails or empty pictures; leave unticked if yours are small on purpose"
# kind of finding -> why one may want to leave such pictures out
_WHY = {
    "small-file": _SMALL,
    "small-picture": _SMALL,
    "constant": "often empty pictures, from which nothing can be learned",
}
_DOING = {
    OPENING: "Opening the zip",
    READING: "Looking for broken files and copies: {done:,} of {total:,}",
    COMPARING: "Comparing all pictures, to find near-copies: {done} %",
}


def show(owner: str) -> Upload | None:
    """Uploader, and what is held for this owner: how far the look at it is, or what is wrong with it."""
    turn = st.session_state.setdefault("zip_turn", 0)
    with st.container(key="upload_zip"):
        # a new widget after each upload: the old one would go on listing a file that has long left it
        st.file_uploader(
            "Drop a zip with one folder of photos per class, or pick one",
            "zip",
            key=f"zip_{turn}",
            max_upload_size=MAX_ARCHIVE_BYTES // 1_000_000,
            label_visibility="collapsed",
            on_change=_take,
            args=(owner, f"zip_{turn}"),
        )
    upload = ZIPS.get(owner)
    if upload is not None and st.session_state.get(_ASKED_OF) != upload.token:  # another one, of another tab perhaps
        st.session_state.update(dict.fromkeys(("consent", *map(_key, cleaning.KINDS)), False))
        st.session_state[_ASKED_OF] = upload.token
    if upload is None:
        st.caption("A zip with one folder of photos per class, such as cats and dogs. " + _UNTIL)
        return None
    st.caption(f"Picked: {frame.escape(upload.name)}")
    if upload.problem:
        frame.problem(upload.problem, "zip")
        _files(upload)
    elif upload.busy:
        st.fragment(_looking, run_every=0.5)(owner)
    return upload


def _take(owner: str, widget: str) -> None:
    file = st.session_state[widget]
    if not isinstance(file, UploadedFile):  # None, or the mark of one that has left memory already
        return
    ZIPS.take(owner, file.name, file.getvalue())
    st.session_state["zip_turn"] += 1
    forget(file)


def _looking(owner: str) -> None:
    """How far the look is; the page runs again once when it is over."""
    upload = ZIPS.get(owner)
    if upload is None or not upload.busy:
        st.rerun()
    share = min(1.0, upload.done / upload.total) if upload.total else 0.0
    st.progress(share, _DOING[upload.doing].format(done=upload.done, total=upload.total))
    st.button("Stop", key="zip_stop", on_click=upload.stop.set)


def report(upload: Upload) -> None:
    """The findings in short, each with a box where it can be left out, and which files they are about."""
    if upload.report is None:
        return
    for finding in upload.report.findings:
        if finding.kind in (*_ALWAYS, *cleaning.WHOLE):
            more = _ALWAYS.get(finding.kind, _REMEDY if finding.kind == "imbalance" else "")
            st.caption(frame.escape(finding.sentence + more))
        else:
            why = f": {_WHY[finding.kind]}." if finding.kind in _WHY else "."
            sentence = frame.escape(finding.sentence.removesuffix("."))
            st.checkbox(f"Leave out: {sentence}{why}", key=_key(finding.kind))
    if not upload.report.findings:
        st.caption("No copies, no broken files: nothing odd was found.")
    _files(upload)


def _files(upload: Upload) -> None:
    """Which files were found odd, and which of the zip were passed over, behind a button."""
    passed_over = () if upload.dataset is None else upload.dataset.passed_over
    if passed_over:
        st.caption("Some of what lies in the zip belongs to no class and was passed over.")
    findings = () if upload.report is None else tuple(one for one in upload.report.findings if one.files)
    if not passed_over and not findings:
        return
    which = st.popover("Which files", type="tertiary", key="findings", on_change="rerun")
    if not which.open:
        return
    with which:
        if passed_over:
            _list("Passed over", passed_over)
        for finding in findings:
            groups = [" = ".join(group) for group in finding.groups]
            _list(cleaning.KINDS[finding.kind].capitalize(), groups)


def _list(title: str, lines: Sequence[str]) -> None:
    more = len(lines) - _MOST_NAMES
    st.markdown(f"**{title}**")
    shown = "  \n".join(map(frame.escape, lines[:_MOST_NAMES]))
    st.caption(shown + (f"  \nand {more:,} more" if more > 0 else ""))


def _key(kind: str) -> str:
    return f"leave_out_{kind}"


def consent(owner: str) -> DeltaGenerator:
    """The box to tick before pictures are stored, where there are any; and the place under it for what is wrong."""
    upload = ZIPS.get(owner)
    if upload is not None and upload.report is not None:
        st.checkbox(CONSENT, key="consent")
    return st.container()


def missing(owner: str) -> str:
    """What must be done before these photos can be trained on: one sentence, or ""."""
    upload = ZIPS.get(owner)
    if upload is None:
        return "There are no photos yet: drop a zip with one folder of photos per class."
    if upload.problem:
        return "This zip cannot be used, for the reason given under Data; drop another one."
    if upload.busy:
        return "The photos are still being looked through."
    if not st.session_state.get("consent"):
        return "Tick this box to say yes; without it nothing is stored and nothing can be trained."
    return ""


def left_out(upload: Upload) -> set[str]:
    """The names of the files that are not to be used."""
    assert upload.report is not None
    kinds = [one.kind for one in upload.report.findings if st.session_state.get(_key(one.kind))]
    return set(cleaning.suggested(upload.report, kinds))


def store(owner: str, config: TrainingConfig, say: Callable[[int, int], None]) -> Callable[[Run], None]:
    """What writes the owner's pictures into a run's directory.

    DataError where too little is left of them, QueueError where they are too many or too large; none is opened here.
    """
    upload = ZIPS.get(owner)
    assert upload is not None
    dataset, split = upload.divided(left_out(upload), config.seed)
    bounds, root = runs.queue().bounds, record.home()
    count = sum(len(getattr(split, side)) for side in SPLITS)
    bounds.own(root, owner, count, pictures.size_of(count, config.input()))

    def write(run: Run) -> None:
        split.save(run.path / "split.json")
        pictures.store(run, dataset, config.input(), split, say, lambda: bounds.free(root))
        run.set_state(extra={**run.state().extra, "data": dataset.name})

    return write
