"""A worker as its starter sees it: a process that is handed a run, told what to do, ended, and heard when it ends."""

import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from cnnviz.training.device import Device, environment
from cnnviz.training.endings import INTERRUPTED, KILLED, MEMORY, STOPPED, ending
from cnnviz.training.record import Run
from cnnviz.training.worker import OUT_OF_MEMORY, READY

ASKED = 0.6  # seconds between asking a worker to stop and ending it
_LINES = 60  # kept of what it prints before it has a run
_TAIL = 4000  # bytes of its log that are searched for the reason of its end


class Worker:
    """One worker process. It imports Keras as soon as it is made, and trains the run that it is then handed.

    on_end(worker) is called in a thread of its own when the process is gone; afterwards `over` is set. wish: what the
    process was told to end for, "" if it ended by itself. OSError where no process can be started.
    """

    def __init__(self, python: str, device: Device, on_end: Callable[["Worker"], None]):
        self.device, self.wish, self.ready = device, "", False
        self.run: Run | None = None
        self.born = time.monotonic()
        self.over = threading.Event()
        self._said: deque[str] = deque(maxlen=_LINES)
        self._talking = threading.Lock()
        # Ctrl-C in the server's terminal is for the server, whose end the worker notices
        group: dict[str, Any] = {"creationflags": 0x200} if sys.platform == "win32" else {"process_group": 0}
        self.process = subprocess.Popen(
            [python, "-m", "cnnviz.training.worker", "--spare"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env=environment(device),
            **group,
        )
        threading.Thread(target=self._attend, args=(on_end,), name="cnnviz worker", daemon=True).start()

    def hand(self, run: Run, option: str) -> bool:
        """Give it its run, with "--resume", "--score" or ""; False where it is gone."""
        self.run = run
        return self.tell("\t".join(filter(None, (str(run.path.absolute()), option))))

    def tell(self, line: str) -> bool:
        """Write a line on its stdin; False where it is gone."""
        stdin = self.process.stdin
        assert stdin is not None
        with self._talking:
            try:
                stdin.write(line + "\n")
                stdin.flush()
            except (OSError, ValueError):
                return False
        return True

    def ask(self, wish: str) -> None:
        """Ask it to end: "stop" if the user stopped its run, anything else if its starter does not need it any more."""
        self.wish = self.wish or wish
        if wish == "stop" and self.run is not None:
            self.tell("stop")
            return
        stdin = self.process.stdin
        assert stdin is not None
        with self._talking, suppress(OSError, ValueError):
            stdin.close()

    def end(self, wish: str) -> None:
        """End it within a second: ask, wait a little, then by force. Returns when on_end has been called."""
        self.ask(wish)
        if not self.over.wait(ASKED):
            self.process.kill()
            self.over.wait()

    def last_words(self) -> tuple[str, str]:
        """The state and the sentence for a run whose process ended before it could say one."""
        assert self.run is not None
        if self.wish == "stop":
            return "stopped", ending(self.run, STOPPED)
        if self.wish:
            return "interrupted", ending(self.run, INTERRUPTED)
        return self._cause(self.process.returncode, self._log(self.run))

    def _cause(self, code: int, log: str) -> tuple[str, str]:
        assert self.run is not None
        if any(word in log for word in OUT_OF_MEMORY):
            return "failed", MEMORY
        if code == -9:
            return "interrupted", ending(self.run, KILLED)
        if code < 0:
            return "interrupted", ending(self.run, f"This run's process was ended by signal {-code}.")
        if not self.ready:
            return "failed", f"The training program could not start. The details are in {self.run.id}/worker.log."
        return "failed", f"Training broke off without a word. The details are in {self.run.id}/worker.log."

    def _attend(self, on_end: Callable[["Worker"], None]) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:  # they end when it opens its run's log instead
            for line in lines:
                self.ready = self.ready or line.strip() == READY
                self._said.append(line)
        self.process.wait()
        try:
            on_end(self)
        finally:
            self.over.set()

    def _log(self, run: Run) -> str:
        """The end of what it printed; if it never came to open its log, that is written now."""
        path = run.path / "worker.log"
        with suppress(OSError):
            if not path.exists():
                path.write_text("".join(self._said), "utf-8")
            return path.read_bytes()[-_TAIL:].decode("utf-8", "replace")
        return ""
