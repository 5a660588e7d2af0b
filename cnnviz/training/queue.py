"""The queue: whose run trains next on which device, and what runs are told; the web server's way to training."""

import errno
import json
import secrets
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from cnnviz.training import lock, record, upkeep
from cnnviz.training.bounds import Bounds, QueueError
from cnnviz.training.config import ConfigError, TrainingConfig
from cnnviz.training.device import Device, devices, memory
from cnnviz.training.order import Order
from cnnviz.training.process import Worker
from cnnviz.training.record import OVER, RecordError, Run
from cnnviz.training.worker import FULL, STOPPED

__all__ = ["Bounds", "Queue", "QueueError"]

_T = TypeVar("_T")
AGAIN = 2.0  # seconds in which the same Start pressed again is the same run
SPARE = 10 * 60.0  # seconds that a spare worker waits after the last visit
SPARE_MEMORY = 2_000_000_000  # bytes that must be free before a worker is started on the mere chance of work
PAUSE = 10 * 60.0  # seconds that a paused run keeps its device while others wait
_SETTLED = 15.0  # seconds after which a run is past its own start, so that warming the next worker disturbs it least
_LOOK = 5.0  # seconds between two looks at the workers
_TIDY = 60.0  # seconds between two looks at all runs on disk
_NOT_BEGUN = "Taken out of the line before its turn; it can be started again."
_GAVE_WAY = "Stopped after ten paused minutes because others were waiting. Go on from the last whole epoch."
_TOO_LONG = "Stopped because it took much longer than allowed here. Go on from the last whole epoch."


class Queue:
    """Trains the runs under `root`: one at a time on each device, owners in turn, each owner's in the order of asking.

    Every method may be called from any thread. python: what runs the workers. slots: the devices; otherwise the
    graphics cards, or the CPU where there is none. What a method cannot do is a QueueError.
    """

    def __init__(
        self,
        root: Path,
        python: str = sys.executable,
        slots: Sequence[Device] | None = None,
        bounds: Bounds | None = None,
    ):
        self.root, self.python, self.bounds = root.absolute(), python, bounds or Bounds()
        found = devices() if slots is None else list(slots)
        self.slots = [device for device in found if device.kind == "gpu"] or found
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._token = secrets.token_hex(8)
        self._held = lock.take(upkeep.queue_lock(self.root, self._token))
        self._lock = threading.RLock()
        self._arriving: list[Order] = []  # their pictures are being stored
        self._line: list[Order] = []
        self._working: dict[Worker, Order] = {}
        self._spares: list[Worker] = []
        self._served: dict[str, int] = {}  # owner -> when last, as a count
        self._warm_until = 0.0
        self._closing = threading.Event()
        upkeep.settle(self.root)
        upkeep.forget_photos(self.root)
        threading.Thread(target=self._look_after, name="cnnviz queue", daemon=True).start()

    def submit(self, config: TrainingConfig, owner: str, store: Callable[[Run], None] | None = None) -> Run:
        """A new run, at work or in line. The same Start pressed again within two seconds returns the same run.

        store: called with the new run, to write the user's own pictures into its directory; where it raises, the run
        is deleted again.
        """
        config = self.bounds.config(config)
        with self._lock:
            for order in (*self._arriving, *self._line, *self._working.values()):
                fresh = order in self._arriving or time.monotonic() - order.pressed < AGAIN
                if fresh and not order.option and (order.owner, order.config) == (owner, config):
                    order.pressed = time.monotonic()
                    return order.run
            self._check(owner)
            run = _said(lambda: record.create(self.root, config, owner))
            order = Order(run, owner, config)
            self._arriving.append(order)
        try:
            _said(lambda: run.set_state(extra={"queue": self._token}))
            if store is not None:
                _said(lambda: store(run))
            self.bounds.stored(run)
        except BaseException:  # also what a web framework breaks a script off with
            with self._lock:
                self._arriving.remove(order)
            run.delete()
            raise
        with self._lock:
            self._arriving.remove(order)
            if not order.dropped:
                self._line.append(order)
                self._start_next()
        return run

    def resume(self, run: Run) -> None:
        """Put a run that is over in line again, to go on from its last whole epoch."""
        config = _said(run.config)
        if _epochs_done(run) >= config.epochs:
            raise QueueError("All epochs of this run are done; score it, or start a new run with more epochs.")
        self._again(run, "--resume")

    def score(self, run: Run) -> None:
        """Put a run that is over in line, to score its best network and write the card."""
        if not run.network.exists():
            raise QueueError("No epoch was finished, so there is no network to score; train it further.")
        self._again(run, "--score")

    def finish(self, run: Run) -> None:
        """End training after this step, or after the first epoch, and score; a run that is over is scored."""
        if _said(run.state).state in OVER:
            self.score(run)
        else:
            self._tell(run, "finish")

    def pause(self, run: Run) -> None:
        """Let the run wait before its next step. It keeps its device, for ten minutes if others wait for it."""
        self._tell(run, "pause").paused = time.monotonic()

    def go(self, run: Run) -> None:
        """Let a paused run go on."""
        self._tell(run, "go").paused = 0.0

    def stop(self, run: Run) -> None:
        """End the run within a second; its device is free when this returns. What is over stays as it is."""
        self._end(run, STOPPED)

    def delete(self, run: Run) -> None:
        """End the run if it is at work, and remove its directory."""
        self._end(run, STOPPED)
        run.delete()

    def place(self, run: Run) -> int | None:
        """0 for a run at work, 1 for the next in line, and so on; None for one that is neither."""
        with self._lock:
            if any(order.run.id == run.id for order in self._working.values()):
                return 0
            line = [*self._sequence(), *self._arriving]
            return next((place for place, order in enumerate(line, 1) if order.run.id == run.id), None)

    def wait(self, run: Run) -> float | None:
        """About how many seconds until this run's turn; None where it is not in line or nobody can know yet.

        Runs at work are taken to end at their last epoch, and runs in line to last as long as the one at work.
        """
        with self._lock:
            place = self.place(run)
            if not place:
                return place
            left = [order.seconds_left() for order in self._working.values()]
            known = [seconds for seconds in left if seconds is not None]
            if len(known) < len(left) or not known:
                return None
            lengths = [
                seconds + time.monotonic() - order.started
                for seconds, order in zip(known, self._working.values(), strict=True)
            ]
            free = sorted(known)
            for _ in range(place - 1):
                free = sorted([free[0] + sum(lengths) / len(lengths), *free[1:]])
            return free[0]

    def device(self, run: Run) -> Device | None:
        """The device that this run is at work on, or None."""
        with self._lock:
            return next((worker.device for worker, order in self._working.items() if order.run.id == run.id), None)

    def warm(self) -> None:
        """Keep a worker ready, with Keras imported, for the next ten minutes; called at each visit of the page."""
        with self._lock:
            self._warm_until = time.monotonic() + SPARE
            self._keep_spare()

    def ready(self) -> bool:
        """Whether a spare worker is there that could start at once."""
        with self._lock:
            return any(worker.ready for worker in self._spares)

    def close(self) -> None:
        """End all workers started here; their runs and those in line can be gone on with later."""
        with self._lock:
            if self._closing.is_set():
                return
            self._closing.set()
            workers = [*self._working, *self._spares]
            for order in self._line:
                _last_words(order.run, "interrupted", upkeep.WAITED)
            self._line.clear()
        for worker in workers:
            worker.ask("close")
        for worker in workers:
            worker.end("close")
        if self._held is not None:
            self._held.close()
            with suppress(OSError):
                upkeep.queue_lock(self.root, self._token).unlink()

    def _again(self, run: Run, option: str) -> None:
        with self._lock:
            state = _said(run.state)
            if self.place(run) is not None or lock.taken(run.lock):
                raise QueueError("This run is waiting or at work already.")
            config = self.bounds.config(_said(run.config))
            self._check(state.owner)
            extra = {**state.extra, "queue": self._token}
            _said(lambda: run.set_state(state="queued", message="", pid=0, paused=False, extra=extra))
            self._line.append(Order(run, state.owner, config, option))
            self._start_next()

    def _check(self, owner: str) -> None:
        """With the lock: QueueError where this owner may not have one more run in line."""
        if self._closing.is_set():
            raise QueueError("The program is about to end; start the run when it is back.")
        self.bounds.line(sum(order.owner == owner for order in (*self._arriving, *self._line)))
        self.bounds.space(self.root, owner)

    def _tell(self, run: Run, word: str) -> Order:
        with self._lock:
            for worker, order in self._working.items():
                if order.run.id == run.id and worker.tell(word):
                    return order
        raise QueueError(self._why_not(run))

    def _end(self, run: Run, message: str) -> None:
        """End a run wherever it stands. Never called with the lock: the end of a worker needs it."""
        with self._lock:
            worker = next((worker for worker, order in self._working.items() if order.run.id == run.id), None)
            for line in (self._line, self._arriving):
                for order in [order for order in line if order.run.id == run.id]:
                    order.dropped = True
                    _last_words(run, "stopped", _NOT_BEGUN)
            self._line = [order for order in self._line if not order.dropped]
        if worker is not None:
            worker.end("stop")
            if message != STOPPED:
                _last_words(run, "stopped", message)
        elif lock.taken(run.lock):
            raise QueueError(self._why_not(run))

    def _why_not(self, run: Run) -> str:
        if lock.taken(run.lock):
            return "This run was started by another program; end it there."
        return "This run is not at work now."

    def _sequence(self) -> list[Order]:
        """With the lock: the line in the order of turns. The owner served longest ago is next."""
        served, line, sequence = dict(self._served), list(self._line), list[Order]()
        turn = max(served.values(), default=0)
        while line:
            order = min(line, key=lambda order: served.get(order.owner, 0))  # the first of equals
            line.remove(order)
            turn += 1
            served[order.owner] = turn
            sequence.append(order)
        return sequence

    def _start_next(self) -> None:
        """With the lock: give the free devices to those whose turn it is, and keep a spare worker if one is wanted."""
        while self._line and not self._closing.is_set():
            busy = [worker.device for worker in self._working]
            free = [device for device in self.slots if device not in busy]
            if not free:
                break
            order = self._sequence()[0]
            self._line.remove(order)
            self._served[order.owner] = max(self._served.values(), default=0) + 1
            try:
                order.run.set_state(state="running", message="", pid=0, paused=False)
                order.run.append("note", doing="starting TensorFlow", done=0, total=0)
                self._begin(order, free)
            except RecordError:
                continue  # deleted while it waited
            except OSError as error:
                text = (
                    FULL
                    if error.errno == errno.ENOSPC
                    else f"The training program cannot be started: {error.strerror}."
                )
                _last_words(order.run, "failed", text)
        if not self._line:  # who trained long ago is as good as new
            self._served = {order.owner: self._served.get(order.owner, 0) for order in self._working.values()}
        self._keep_spare()

    def _begin(self, order: Order, free: Sequence[Device]) -> None:
        """With the lock: start the run in a spare worker of a free device, or in a new one."""
        order.begin()
        for worker in [worker for worker in self._spares if worker.device in free]:
            self._spares.remove(worker)
            if worker.hand(order.run, order.option):
                self._working[worker] = order
                return
            worker.run = None
        worker = Worker(self.python, free[0], self._ended)
        self._working[worker] = order
        worker.hand(order.run, order.option)

    def _keep_spare(self) -> None:
        """With the lock: start a spare worker where the next run would come, or let one go that nobody wants."""
        now = time.monotonic()
        if self._closing.is_set() or (now > self._warm_until and not self._line):
            for worker in self._spares:
                worker.ask("release")
            return
        if self._spares:
            return
        for device in self.slots:
            order = next((order for worker, order in self._working.items() if worker.device == device), None)
            wanted = bool(self._line) and now - order.started > _SETTLED if order else now <= self._warm_until
            if wanted and memory()[1] > SPARE_MEMORY:
                with suppress(OSError):
                    self._spares.append(Worker(self.python, device, self._ended))
                return

    def _ended(self, worker: Worker) -> None:
        """In the worker's thread, once its process is gone."""
        with self._lock:
            order = self._working.pop(worker, None)
            if order is not None:
                _conclude(worker, order.run)
            elif worker in self._spares:
                self._spares.remove(worker)
                if not worker.wish:
                    self._warm_until = 0.0  # it cannot start here: the next run will say why
            self._start_next()

    def _look_after(self) -> None:
        tidied = time.monotonic()
        while not self._closing.wait(_LOOK if self._working or self._spares else _TIDY):
            try:
                with self._lock:
                    self._keep_spare()
                    now, late = time.monotonic(), list[tuple[Run, str]]()
                    for order in self._working.values():
                        others = any(waiting.owner != order.owner for waiting in self._line)
                        if order.paused and others and now - order.paused > PAUSE:
                            late.append((order.run, _GAVE_WAY))
                        elif now - order.started > 1.5 * 60 * self.bounds.minutes:
                            late.append((order.run, _TOO_LONG))
                    if now - tidied >= _TIDY:
                        tidied = now
                        known = {order.run.id for order in (*self._arriving, *self._line, *self._working.values())}
                        upkeep.settle(self.root, self._token, known)
                        upkeep.forget_photos(self.root, known)
                for run, message in late:
                    self._end(run, message)
            except Exception:  # one odd run must not end the looking after all others
                traceback.print_exc()


def _said(action: Callable[[], _T]) -> _T:
    """What the action returns; its faults with a sentence become a QueueError."""
    try:
        return action()
    except (RecordError, ConfigError) as error:
        raise QueueError(str(error)) from None
    except OSError as error:
        text = FULL if error.errno == errno.ENOSPC else f"The run's files cannot be written: {error.strerror}."
        raise QueueError(text) from None


def _last_words(run: Run, state: str, message: str) -> None:
    """What became of a run that no process works on, as far as its directory is there."""
    with suppress(RecordError, OSError):
        run.set_state(state=state, message=message, pid=0, paused=False)
        run.append("end", state=state, message=message)


def _conclude(worker: Worker, run: Run) -> None:
    """See that a run whose worker is gone ends in a state, or that nothing is left of it if it was deleted."""
    try:
        if run.state().state not in OVER:
            _last_words(run, *worker.last_words())
    except RecordError:
        if not (run.path / "config.json").exists():
            run.delete()


def _epochs_done(run: Run) -> int:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return int(json.loads((run.path / "progress.json").read_text("utf-8"))["epoch"])
    return 0
