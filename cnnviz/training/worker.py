"""The worker: one process that trains one run, `python -m cnnviz.training.worker RUN`, told what to do on stdin.

It stops when stdin closes, so that it ends with whoever started it. With --spare the run is not among the arguments:
it imports Keras and takes a line from stdin with the run's directory and its options, separated by tabs.
"""

import errno
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

from cnnviz.cards import CardError
from cnnviz.data.dataset import DataError
from cnnviz.images import ImageError
from cnnviz.training.config import ConfigError
from cnnviz.training.control import Control, listen
from cnnviz.training.endings import FULL, INTERRUPTED, MEMORY, STOPPED, ending
from cnnviz.training.lock import take
from cnnviz.training.record import RecordError, Run, writing

READY = "ready"  # what a spare worker prints once it could start
NICE = 10  # how far behind everything else on this machine it stands
OUT_OF_MEMORY = (  # what faults of TensorFlow, JAX, C++ and Python have in their text where memory ran out
    *("ResourceExhausted", "RESOURCE_EXHAUSTED", "OOM", "out of memory"),
    *("bad_alloc", "MemoryError", "Cannot allocate memory", "can't start new thread"),
)
_TALK = 0.3  # seconds between two notes about the same work
_ROOM = 16_384  # bytes set aside for the last words on a full disk


def work(run: Run, command: str, control: Control | None = None, resume: bool = False, score: bool = False) -> str:
    """Train a run from its directory to its card, in this process, and return its final state.

    resume: go on from the last whole epoch. score: train no further, only score and write the card. Every fault ends
    in the state "failed" with a sentence. RecordError if another process works on this run; else nothing is raised but
    KeyboardInterrupt.
    """
    try:
        held = take(run.lock)
    except OSError as error:
        return _end(run, "failed", _disk(run, error))
    if held is None:
        raise RecordError("This run is being trained already; wait until it is over, or stop it first.")
    with held:
        try:
            run.set_state(state="running", message="", pid=os.getpid(), paused=False)
            (run.path / ".room").write_bytes(bytes(_ROOM))
            _train(run, command, control, resume, score)
        except (CardError, ConfigError, DataError, ImageError, RecordError) as error:
            return _end(run, "failed", str(error))
        except MemoryError:
            return _end(run, "failed", MEMORY)
        except OSError as error:
            return _end(run, "failed", _disk(run, error))
        except Exception as error:
            return _end(run, "failed", _fault(run, error))
        return _end(run, "finished", "")


def stopped(run: Run) -> None:
    """The last word on a run that its user stopped."""
    _end(run, "stopped", ending(run, STOPPED))


def _train(run: Run, command: str, control: Control | None, resume: bool, score: bool) -> None:
    say = _notes(run)
    config = run.config()
    say("starting TensorFlow", 0, 0)
    from cnnviz.training import device, loop, prepare, scoring  # noqa: PLC0415 - the faults above must be sayable first

    where = device.use()
    run.set_state(device=where)
    prepared = prepare.prepare(run, config, say)
    device.check_memory(config, len(prepared.dataset.labels))
    if score:
        loop.recovered(run)
    else:
        say("building the network", 0, 0)
        loop.fit(run, config, prepared, control or Control(), resume, say)
    if not run.network.exists():
        raise RecordError("No epoch was finished, so there is no network to score; train it further.")
    scoring.finish(run, config, prepared, command, where, say)


def _end(run: Run, state: str, message: str) -> str:
    """Say what became of the run, as far as its directory is still there."""
    with writing:
        global _over  # noqa: PLW0603 - one run a process
        _over = True
        # files half written: on a full disk they are in the way of the last words
        for path in (*run.path.glob(".*"), *run.snapshots.glob(".*")):
            with suppress(OSError):
                path.unlink()
        with suppress(OSError, RecordError):
            run.set_state(state=state, message=message, pid=0, paused=False)
        with suppress(OSError):
            run.append("end", state=state, message=message)
    return state


_over = False


def _notes(run: Run) -> Callable[[str, int, int], None]:
    """Notes in the record on work that takes a while: what, and how many of how many."""
    said: dict[str, float] = {}  # what -> when

    def say(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - said.get(what, -_TALK) >= _TALK or done == total:
            said[what] = now
            run.append("note", doing=what, done=done, total=total)

    return say


def _disk(run: Run, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ending(run, FULL)
    return f"A file could not be read or written: {error.strerror or error}."


def _fault(run: Run, error: Exception) -> str:
    """One sentence for a fault of Keras or of ours; the whole of it goes to worker.log."""
    if type(error).__name__ == "TrainingError":  # of loop.py, which may be what could not be imported
        return str(error)
    with suppress(OSError):
        traceback.print_exc()
    text = f"{type(error).__name__} {error}"
    if any(word in text for word in OUT_OF_MEMORY):
        return MEMORY
    if "No space left" in text:
        return ending(run, FULL)
    return f"Training broke off: {type(error).__name__}. The details are in {run.id}/worker.log."


def _stop(run: Run, asked: bool) -> None:
    """End this process at once: files are replaced whole, so that it may end at any moment."""
    with writing:  # until the end: the training thread says nothing after this
        if not _over:
            stopped(run) if asked else _end(run, "interrupted", ending(run, INTERRUPTED))
        os._exit(0)


def _follow(order: str, control: Control, orders: "SimpleQueue[str]") -> None:
    """Read stdin to its end: the order first, unless the arguments were it, then the wishes."""
    order = order or sys.stdin.readline()
    if not order.strip():
        os._exit(0)  # whoever kept this spare worker has no work for it
    orders.put(order)
    run = Run(Path(order.split("\t")[0].strip()))
    listen(control, lambda asked: _stop(run, asked))


def main(arguments: list[str]) -> int:
    """Run as a process. Arguments: --spare, or RUN [--resume] [--score]."""
    with suppress(AttributeError, OSError):  # Windows has no nice
        os.nice(NICE)
    control, orders = Control(), SimpleQueue[str]()
    order = "" if "--spare" in arguments else "\t".join(arguments)
    threading.Thread(target=_follow, args=(order, control, orders), daemon=True).start()
    if not order:
        from cnnviz.training import loop, scoring  # noqa: F401, PLC0415 - what takes the time

        print(READY, flush=True)  # noqa: T201 - for whoever started it
    path, *options = (word.strip() for word in orders.get().split("\t"))
    run = Run(Path(path))
    with suppress(OSError):
        log = os.open(run.path / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
    state = work(run, "the page Train", control, "--resume" in options, "--score" in options)
    return 0 if state == "finished" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
