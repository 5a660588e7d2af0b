"""Train on own photos: the uploader, the cleaning report in short, what to leave out, and the line of consent."""

from collections.abc import Callable

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cnnviz.data import cleaning
from cnnviz.data.archive import MAX_ARCHIVE_BYTES
from cnnviz.data.dataset import Dataset
from cnnviz.data.split import make_split
from cnnviz.training import prepare
from cnnviz.training.config import TrainingConfig
from cnnviz.training.record import Run
from cnnviz.ui import frame
from cnnviz.ui.uploads import ZIPS, Upload, forget

CONSENT = (
    "Pictures are stored at the network’s input size in this run’s folder on this computer and go with the run, or "
    "after 7 days."
)
_MOST_NAMES = 30  # files named under a finding
_ALWAYS = ("unreadable", "two-labels")  # what the split leaves out by itself


def show(owner: str) -> Dataset | None:
    """Uploader, progress and report; the data set as soon as it can be opened."""
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
    if upload is None:
        st.caption("A zip with one folder of photos per class, such as cats and dogs. It stays in this app’s memory.")
        return None
    if upload.problem:
        frame.problem(upload.problem, "zip")
        return None
    if upload.busy:
        st.fragment(_looking, run_every=0.5)(owner)
    return upload.dataset


def _take(owner: str, widget: str) -> None:
    file = st.session_state[widget]
    if not isinstance(file, UploadedFile):  # None, or the mark of one that has left memory already
        return
    ZIPS.take(owner, file.name, file.getvalue())
    st.session_state["zip_turn"] += 1
    for key in ("consent", *map(_key, cleaning.KINDS)):
        st.session_state.pop(key, None)
    forget(file)


def _looking(owner: str) -> None:
    """How far the scan is; the page runs again once when it is over."""
    upload = ZIPS.get(owner)
    if upload is None or not upload.busy:
        st.rerun()
    share = upload.done / upload.total if upload.total else 0.0
    st.progress(share, f"Looking for copies and broken files: {upload.done:,} of {upload.total:,}")
    st.button("Stop", key="zip_stop", on_click=upload.stop.set)


def report(owner: str) -> None:
    """The findings in short, with a box for what can be left out, and the line of consent."""
    upload = ZIPS.get(owner)
    if upload is None or upload.report is None:
        return
    for finding in upload.report.findings:
        if finding.kind in (*_ALWAYS, *cleaning.WHOLE):
            left = " Left out." if finding.kind in _ALWAYS else ""
            st.caption(frame.escape(finding.sentence + left))
        else:
            st.checkbox(f"Leave out: {frame.escape(finding.sentence)}", key=_key(finding.kind))
    if upload.report.findings:
        which = st.popover("Which files", type="tertiary", key="findings", on_change="rerun")
        if which.open:
            with which:
                _names(upload.report)
    else:
        st.caption("No copies, no broken files: nothing odd was found.")
    st.checkbox(CONSENT, key="consent")


def _names(found: cleaning.Report) -> None:
    for finding in found.findings:
        if finding.files:
            groups = [" = ".join(map(frame.escape, group)) for group in finding.groups[:_MOST_NAMES]]
            more = len(finding.groups) - len(groups)
            st.markdown(f"**{cleaning.KINDS[finding.kind].capitalize()}**")
            st.caption("  \n".join(groups) + (f"  \nand {more:,} more" if more else ""))


def _key(kind: str) -> str:
    return f"leave_out_{kind}"


def missing(owner: str) -> str:
    """What must be done before these photos can be trained on: one sentence, or ""."""
    upload = ZIPS.get(owner)
    if upload is None or upload.problem:
        return "There are no photos yet: drop a zip with one folder of photos per class."
    if upload.busy:
        return "The photos are still being looked through."
    if not st.session_state.get("consent"):
        return "Tick the line on where pictures are stored; without it nothing is."
    return ""


def left_out(upload: Upload) -> set[str]:
    """The names of the files that are not to be used."""
    assert upload.report is not None
    kinds = [one.kind for one in upload.report.findings if st.session_state.get(_key(one.kind))]
    return set(cleaning.suggested(upload.report, kinds))


def store(owner: str, config: TrainingConfig, say: Callable[[int, int], None]) -> Callable[[Run], None]:
    """What writes the owner's pictures into a run's directory. DataError where too little is left of them."""
    upload = ZIPS.get(owner)
    assert upload is not None
    dataset, seen = upload.chosen(left_out(upload))
    split = make_split(dataset, seen, seed=config.seed)

    def write(run: Run) -> None:
        split.save(run.path / "split.json")
        prepare.store_pictures(run.path / "pictures.npz", dataset, config.input(), split, say)
        run.set_state(extra={**run.state().extra, "data": dataset.name})

    return write
