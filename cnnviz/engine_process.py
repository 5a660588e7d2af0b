"""The one process that has Keras loaded, as the engine sees it; and what runs inside it."""

import importlib
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any, NamedTuple
from weakref import WeakSet

from cnnviz.networks import NetworkError

NICE = 5  # behind the web server, before training
ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "-1",  # graphics cards belong to training
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "LOKY_MAX_MEMORY_LEAK_SIZE": "1e18",  # or loky takes three networks in memory for a leak, and starts all over
}
# how a question ends; after the last five there is no process any more
DONE, REFUSED, FAILED = "done", "refused", "failed"
CRASHED, KILLED, HUNG, ABSENT, NO_START = "crashed", "killed", "hung", "absent", "no start"


class Outcome(NamedTuple):
    """How a question ended.

    kind: DONE, with the answer as pickled bytes in `data`; REFUSED, with a sentence in `text`; FAILED by an exception,
    which `text` names and stderr tells in full; CRASHED, KILLED by the system, or HUNG beyond its time, which all end
    the process; ABSENT: the process was gone before it was asked; NO_START: there never was one.
    """

    kind: str
    data: bytes = b""
    text: str = ""


class Process:
    """A process that answers one question after the other. It is no use any more once `alive` is False."""

    def __init__(self, package: str):
        # the import takes 0.1 s, which no page shall wait for
        from loky.process_executor import BrokenProcessPool, ProcessPoolExecutor  # noqa: PLC0415

        self.package, self.alive, self._broken = package, True, BrokenProcessPool
        # said by a third process at the server's end, about locks of a process that was ended by force
        os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
        # loky, and not multiprocessing, which would run Streamlit's app.py once more in the new process
        self._pool = ProcessPoolExecutor(max_workers=1, timeout=None, env=ENVIRONMENT)
        self.pid = 0

    def wake(self, limit: float) -> Outcome:
        """Have it load Keras within so many seconds."""
        outcome = self._ask(limit, _wake, os.getpid(), self.package)
        if outcome.kind == DONE:
            self.pid = pickle.loads(outcome.data)
        return outcome

    def ask(self, name: str, arguments: Sequence[Any], limit: float) -> Outcome:
        """Call a function "module.function" of its package with these arguments, for so many seconds at most."""
        if self.gone():
            self.end()
            return Outcome(ABSENT)
        return self._ask(limit, _answer, self.package, name, tuple(arguments))

    def end(self) -> None:
        """End it at once, whatever it does."""
        self.alive = False
        with suppress(Exception):  # loky may be ending it at this very moment
            self._pool.shutdown(wait=False, kill_workers=True)

    def gone(self) -> bool:
        """Whether it ended while nothing was asked of it."""
        import psutil  # noqa: PLC0415 - loky has loaded it

        try:
            return bool(psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True

    def _ask(self, limit: float, function: Any, *arguments: Any) -> Outcome:
        try:
            future = self._submit(function, arguments)
        except Exception:  # broken, or ended by `end`
            self.end()
            return Outcome(ABSENT)
        if not wait([future], limit).done:
            self.end()
            return Outcome(HUNG)
        try:
            return future.result()
        except self._broken as error:
            self.end()
            return Outcome(KILLED if "SIGKILL" in str(error) else CRASHED)
        except Exception as error:
            if self.alive:  # else `end` was called
                traceback.print_exception(error)  # the question could not be sent, or the answer not be sent back
            return Outcome(FAILED if self.alive else CRASHED, text=type(error).__name__)

    def _submit(self, function: Any, arguments: tuple[Any, ...]) -> "Future[Outcome]":
        if _over.is_set():
            raise RuntimeError("Python ends")
        future: Future[Outcome] = self._pool.submit(function, *arguments)
        if not _living:
            # what is registered after loky's own, so after its first question, is called before it
            threading._register_atexit(_end_all)  # type: ignore[attr-defined]
        _living.add(self)
        return future


_over = threading.Event()  # Python ends
_living: WeakSet[Process] = WeakSet()


def _end_all() -> None:
    """Python waits at its end for loky's process, which may be loading Keras or hang: end it first."""
    _over.set()
    for process in list(_living):
        process.end()


# ------------------------------------------------------------------------------------------------ inside that process


def _wake(parent: int, package: str) -> Outcome:
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the server's terminal is for the server
    if hasattr(os, "nice"):
        os.nice(NICE)
    # some of TensorFlow's log lines come before any of its settings counts
    sys.stderr.flush()
    held, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        importlib.import_module(f"{package}.classifier").warm()
    except Exception as error:
        os.dup2(held, 2)
        traceback.print_exc()
        return Outcome(FAILED, text=type(error).__name__)
    finally:
        os.dup2(held, 2)
        os.close(held)
        os.close(nowhere)
    return Outcome(DONE, pickle.dumps(os.getpid()))


def _end_with(parent: int) -> None:
    """End when the server does, however it ended; nothing else would tell this process."""
    import psutil  # noqa: PLC0415

    with suppress(psutil.Error):
        psutil.Process(parent).wait()
    os._exit(1)


def _answer(package: str, name: str, arguments: tuple[Any, ...]) -> Outcome:
    module, _, function = name.rpartition(".")
    try:
        answer = getattr(importlib.import_module(f"{package}.{module}"), function)(*arguments)
        return Outcome(DONE, pickle.dumps(answer, pickle.HIGHEST_PROTOCOL))
    except NetworkError as error:
        return Outcome(REFUSED, text=str(error))
    except Exception as error:
        traceback.print_exc()
        return Outcome(FAILED, text=type(error).__name__)
