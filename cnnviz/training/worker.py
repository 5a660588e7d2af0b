"""The worker: one process that trains one run, `python -m cnnviz.training.worker RUN`, told what to do on stdin.

It stops when stdin closes, so that it ends with whoever started it. With --spare it imports Keras first and then waits
for a line with the run's directory and its options, separated by tabs.
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

from cnnviz.data.dataset import DataError
from cnnviz.images import ImageError
from cnnviz.training.config import ConfigError
from cnnviz.training.control import Control, listen
from cnnviz.training.record import RecordError, Run

READY = "ready"  # what a spare worker prints once it could start
STOPPED = "Stopped. Go on from the last whole epoch, or score the network as it is."
INTERRUPTED = "The program that had started this run ended. Go on from the last whole epoch."
_TALK = 0.3  # seconds between two notes about the same work


def work(run: Run, command: str, control: Control | None = None, resume: bool = False, score: bool = False) -> str:
    """Train a run from its directory to its card, in this process, and return its final state.

    resume: go on from the last whole epoch. score: train no further, only score and write the card. Every fault ends
    in the state "failed" with a sentence; nothing is raised but KeyboardInterrupt.
    """
    try:
        try:
            run.set_state(state="running", message="", pid=os.getpid(), paused=False)
            _train(run, command, control, resume, score)
        except (ConfigError, DataError, ImageError, RecordError) as error:
            return _end(run, "failed", str(error))
        except MemoryError:
            return _end(run, "failed", "The memory was not enough; choose a smaller network, batch or picture size.")
        except OSError as error:
            return _end(run, "failed", _disk(error))
        except Exception as error:
            return _end(run, "failed", _fault(run, error))
        return _end(run, "finished", "")
    except (RecordError, OSError):
        return "failed"  # the directory is gone or the disk is full: there is no place for a last word


def stopped(run: Run) -> None:
    """Note that the user stopped a run that trains in this process."""
    with suppress(OSError, RecordError):
        _end(run, "stopped", STOPPED)


def _train(run: Run, command: str, control: Control | None, resume: bool, score: bool) -> None:
    say = _notes(run)
    config = run.config()
    say("starting TensorFlow", 0, 0)
    from cnnviz.training import device, loop, prepare, scoring  # noqa: PLC0415 - the faults above must be sayable first

    where = device.use()
    run.set_state(device=where)
    prepared = prepare.prepare(run, config, say)
    device.check_memory(config, len(prepared.dataset.labels))
    if not score:
        say("building the network", 0, 0)
        loop.fit(run, config, prepared, control or Control(), resume)
    if not run.network.exists():
        raise RecordError("No epoch was finished, so there is no network to score; train it further.")
    scoring.finish(run, config, prepared, command, where, say)


def _end(run: Run, state: str, message: str) -> str:
    with _ending:
        _over.set()
        run.append("end", state=state, message=message)
        run.set_state(state=state, message=message, pid=0, paused=False)
    return state


_ending = threading.Lock()
_over = threading.Event()


def _notes(run: Run) -> Callable[[str, int, int], None]:
    """Notes in the record on work that takes a while: what, and how many of how many."""
    said: dict[str, float] = {}  # what -> when

    def say(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - said.get(what, -_TALK) >= _TALK or done == total:
            said[what] = now
            run.append("note", doing=what, done=done, total=total)

    return say


def _disk(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "The disk is full; free some space and go on from the last whole epoch."
    return f"A file could not be read or written: {error.strerror or error}."


def _fault(run: Run, error: Exception) -> str:
    """One sentence for a fault of Keras or of ours; the whole of it goes to worker.log."""
    from cnnviz.training.loop import TrainingError  # noqa: PLC0415

    if isinstance(error, TrainingError):
        return str(error)
    traceback.print_exc()
    text = f"{type(error).__name__} {error}"
    if any(word in text for word in ("ResourceExhausted", "RESOURCE_EXHAUSTED", "OOM", "out of memory")):
        return "The memory was not enough; choose a smaller network, batch or picture size."
    if "No space left" in text:
        return "The disk is full; free some space and go on from the last whole epoch."
    return f"Training broke off: {type(error).__name__}. The details are in {run.id}/worker.log."


def _stop(run: Run, asked: bool) -> None:
    """End this process at once: files are replaced whole, so that it may end at any moment."""
    with _ending:
        if not _over.is_set():
            state, message = ("stopped", STOPPED) if asked else ("interrupted", INTERRUPTED)
            with suppress(OSError, RecordError):
                run.append("end", state=state, message=message)
                run.set_state(state=state, message=message, pid=0, paused=False)
        os._exit(0)


def main(arguments: list[str]) -> int:
    """Run as a process. Arguments: [--spare] [RUN] [--resume] [--score]."""
    options = {word for word in arguments if word.startswith("--")}
    paths = [word for word in arguments if not word.startswith("--")]
    if "--spare" in options:
        from cnnviz.training import loop  # noqa: F401, PLC0415 - what takes the time

        print(READY, flush=True)  # noqa: T201 - the parent waits for it
        order = sys.stdin.readline().split("\t")
        paths, options = [order[0].strip()], options | {word.strip() for word in order[1:]}
        if not paths[0]:
            return 0
    run = Run(Path(paths[0]))
    with suppress(OSError):
        log = os.open(run.path / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
    control = Control()
    threading.Thread(target=listen, args=(control, lambda asked: _stop(run, asked)), daemon=True).start()
    state = work(run, "the page Train", control, "--resume" in options, "--score" in options)
    return 0 if state == "finished" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
