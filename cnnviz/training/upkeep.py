"""What is put right among the runs on disk: those whose process is gone, and photos that were stored long enough."""

import re
import time
from collections.abc import Container
from contextlib import suppress
from pathlib import Path

from cnnviz.training import lock, pictures, record
from cnnviz.training.endings import INTERRUPTED, WAITED, ending
from cnnviz.training.record import RecordError, Run

PHOTOS = 7 * 86_400.0  # seconds that a user's own pictures are stored
_TOKEN = re.compile(r"[0-9a-f]{16}")
_NEW = 5.0  # seconds in which a run made by the command line has surely locked its directory


def queue_lock(root: Path, token: str) -> Path:
    """The file that the queue with this token keeps locked while it lives."""
    return root / f".queue-{token}.lock"


def settle(root: Path, ours: str = "", known: Container[str] = ()) -> None:
    """Give every run that claims to wait or to be at work, but has nobody who works for it, the state "interrupted".

    A run is somebody's if its process holds its lock, or if the queue that it is in lives. ours: the token of the
    calling queue, which knows its runs by these ids.
    """
    for run in record.runs(root):
        with suppress(RecordError, OSError):
            if run.id in known or not _open(run) or lock.taken(run.lock):
                continue
            token = str(run.state().extra.get("queue", ""))
            if _TOKEN.fullmatch(token):
                if token != ours and lock.taken(queue_lock(root, token)):
                    continue
            elif not token and time.time() - run.state().changed < _NEW:
                continue
            if _open(run):  # it may have ended between the looks
                message = WAITED if run.state().state == "queued" else ending(run, INTERRUPTED)
                run.set_state(state="interrupted", message=message, pid=0, paused=False)
    for path in root.glob(".queue-*.lock"):
        if not lock.taken(path):
            with suppress(OSError):
                path.unlink()


def forget_photos(root: Path, known: Container[str] = (), now: float | None = None) -> None:
    """Delete a user's own pictures, and what in the snapshots shows them, seven days after they were stored.

    Record, network and card stay, kept or not, and so does a run that this program cannot read. known: runs that are
    waiting or at work. now: seconds since 1970.
    """
    for run in record.runs(root):
        with suppress(OSError):
            old = pictures.age(run, time.time() if now is None else now) >= PHOTOS
            if old and run.id not in known and not lock.taken(run.lock):
                pictures.forget(run)


def _open(run: Run) -> bool:
    return run.state().state in ("queued", "running")
