"""The queue: whose run trains next on which device, and what runs are told; the web server's way to training."""

import errno
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
from cnnviz.training.bounds import Bounds, QueueError, fits
from cnnviz.training.config import ConfigError, TrainingConfig
from cnnviz.training.device import FRAMEWORK, Device, at_present, devices, in_words, memory, shortage
from cnnviz.training.endings import (
    FULL,
    GAVE_WAY,
    NEEDS_MEMORY,
    NOT_BEGUN,
    STOPPED,
    TOO_LONG,
    WAITED,
    ending,
    last_words,
)
from cnnviz.training.order import Order, turns
from cnnviz.training.process import Worker
from cnnviz.training.record import OVER, RecordError, Run

__all__ = ["Bounds", "Queue", "QueueError"]

_T = TypeVar("_T")
AGAIN = 2.0  # seconds in which the same Start pressed again is the same run
SPARE = 10 * 60.0  # seconds that a spare worker waits after the last visit
SPARE_MEMORY = 2_000_000_000  # bytes that must be free before a worker is started on the mere chance of work
LACKS = 10.0  # seconds in which a process that was ended has surely given its memory back
PAUSE = 10 * 60.0  # seconds that a paused run keeps its device while others wait
_SETTLED = 15.0  # seconds after which a run is past its own start, so that warming the next worker disturbs it least
_LOOK = 5.0  # seconds between two looks at the workers
_TIDY = 60.0  # seconds between two looks at all runs on disk


class Queue:
    """Trains the runs under `root`: one at a time on each device, owners in turn, each owner's in the order of asking.

    Every method may be called from any thread. python: what runs the workers. slots: the devices, otherwise all that
    there are; a run that asks for none gets a graphics card, or the CPU where there is none. What a method cannot do
    is a QueueError.
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
        self.slots = found
        self._usual = [device for device in found if device.kind == "gpu"] or found
        self._token = secrets.token_hex(8)
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._held = lock.take(upkeep.queue_lock(self.root, self._token))
        except OSError as error:
            raise QueueError(
                f"Training needs a folder for its runs, and the one here cannot be written ({error.strerror}); whoever "
                "starts the app can name another with CNNVIZ_RUNS."
            ) from None
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

    def submit(
        self, config: TrainingConfig, owner: str, store: Callable[[Run], None] | None = None, device: str = ""
    ) -> Run:
        """A new run, at work or in line. The same Start pressed again within two seconds returns the same run.

        store: called with the new run, to write the user's own pictures into its directory; where it raises, the run
        is deleted again. device: "cpu", "gpu" or a card's uuid, where it shall be such a one.
        """
        config = self.bounds.config(config)
        if not self._may(device):
            raise QueueError(f"The device {device[:60]!r} is not here; choose another.")
        with self._lock:
            for order in (*self._arriving, *self._line, *self._working.values()):
                fresh = order in self._arriving or time.monotonic() - order.pressed < AGAIN
                if fresh and not order.option and (order.owner, order.config, order.device) == (owner, config, device):
                    order.pressed = time.monotonic()
                    return order.run
            self._check(owner, config, device)
            run = _said(lambda: record.create(self.root, config, owner))
            order = Order(run, owner, config, device=device)
            self._arriving.append(order)
        try:
            _said(lambda: run.set_state(extra={"queue": self._token, "device": device}))
            if store is not None:
                _said(lambda: store(run))
            _said(lambda: self.bounds.stored(self.root, run))
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
        if run.epochs_done() >= config.epochs:
            raise QueueError("All epochs of this run are done; score it, or start a new run with more epochs.")
        self._again(run, "--resume")

    def score(self, run: Run) -> None:
        """Put a run that is over in line, to score its best network and write the card."""
        if not run.network.exists():
            raise QueueError("No epoch was finished, so there is no network to score; train it further.")
        self._again(run, "--score")

    def finish(self, run: Run) -> None:
        """End training after this step, or the first epoch, and score; one that is over is scored if it was not yet."""
        state = _said(run.state).state
        if state == "finished":  # by itself, in the moment before
            return
        if state in OVER:
            self.score(run)
        else:
            self._tell(run, "finish").go()

    def pause(self, run: Run) -> None:
        """Let the run wait before its next step. It keeps its device, for ten minutes if others wait for it."""
        self._tell(run, "pause").pause()

    def go(self, run: Run) -> None:
        """Let a paused run go on."""
        self._tell(run, "go").go()

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

    def before(self, owner: str, device: str = "") -> int:
        """The place that a new run of this owner would have now: 0 where it would begin at once."""
        with self._lock:
            may, busy = self._may(device), [worker.device for worker in self._working]
            ahead = [order for order in self._line if set(self._may(order.device)) & set(may)]
            if not ahead and any(one not in busy for one in may):
                return 0
            new = Order(Run(self.root), owner, TrainingConfig(""), device=device)
            return turns([*self._line, new], self._served).index(new) + 1

    def wait(self, run: Run) -> float | None:
        """About how many seconds until this run's turn; None where it is not in line or nobody can know yet.

        Runs at work are taken to end at their last epoch, and runs in line to last as long as the one at work.
        """
        with self._lock:
            place = self.place(run)
            if not place:
                return place
            if self.held_up_by(run) is not None:
                return None
            left = [order.seconds_left() for order in self._working.values()]
            known = [seconds for seconds in left if seconds is not None]
            if len(known) < len(left) or not known:
                return None
            orders = self._working.values()
            lengths = [seconds + order.worked() for seconds, order in zip(known, orders, strict=True)]
            free = sorted(known)
            for _ in range(place - 1):
                free = sorted([free[0] + sum(lengths) / len(lengths), *free[1:]])
            return free[0]

    def held_up_by(self, run: Run) -> Run | None:
        """The paused run of the same owner that this one waits behind; None where the end of another frees a device."""
        with self._lock:
            order = next((order for order in self._line if order.run.id == run.id), None)
            if order is None:
                return None
            at = {worker.device: ahead for worker, ahead in self._working.items()}
            ahead = [at.get(device) for device in self._may(order.device)]
            paused = [one.run for one in ahead if one is not None and one.paused and one.owner == order.owner]
            return paused[0] if paused and len(paused) == len(ahead) else None

    def device(self, run: Run) -> Device | None:
        """The device that this run is at work on, or None."""
        with self._lock:
            return next((worker.device for worker, order in self._working.items() if order.run.id == run.id), None)

    def warm(self) -> None:
        """Keep a worker ready, with Keras imported, for the next ten minutes; called at each visit of the page."""
        with self._lock:
            self._warm_until = time.monotonic() + SPARE
            self._keep_spare()

    def close(self) -> None:
        """End all workers started here; their runs and those in line can be gone on with later."""
        with self._lock:
            if self._closing.is_set():
                return
            self._closing.set()
            workers = [*self._working, *self._spares]
            for order in self._line:
                last_words(order.run, "interrupted", WAITED)
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
            if run.card.exists() and state.state == "finished":
                raise QueueError("This run is scored, and test pictures are used once; start a new one.")
            config = self.bounds.config(_said(run.config))
            device = str(state.extra.get("device", ""))
            device = device if self._may(device) else ""
            self._check(state.owner, config, device)
            extra = {**state.extra, "queue": self._token}
            _said(lambda: run.card.unlink(missing_ok=True))  # it was ended between the card and its last word
            _said(lambda: run.set_state(state="queued", message="", pid=0, paused=False, extra=extra))
            self._line.append(Order(run, state.owner, config, option, device))
            self._start_next()

    def _check(self, owner: str, config: TrainingConfig, device: str) -> None:
        """With the lock: QueueError where this owner may not have this run in line, or it could never begin."""
        if self._closing.is_set():
            raise QueueError("The program is about to end; start the run when it is back.")
        self.bounds.line(sum(order.owner == owner for order in (*self._arriving, *self._line)))
        self.bounds.space(self.root, owner)
        self.bounds.start(config, self.root, owner)
        refusals = [fits(config, 0, one) for one in self._may(device)]
        if all(refusals):
            raise QueueError(refusals[0])

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
                    last_words(run, "stopped", NOT_BEGUN)
            self._line = [order for order in self._line if not order.dropped]
        if worker is not None:
            worker.end("stop")
            if message != STOPPED:
                last_words(run, "stopped", ending(run, message))
        elif lock.taken(run.lock):
            raise QueueError(self._why_not(run))

    def _why_not(self, run: Run) -> str:
        if lock.taken(run.lock):
            return "This run was started by another program; end it there."
        return "This run is not at work now."

    def _sequence(self) -> list[Order]:
        return turns(self._line, self._served)

    def _may(self, device: str) -> list[Device]:
        """The devices that a run which asked for this one may have."""
        return [one for one in self.slots if device in (one.uuid, one.kind)] if device else self._usual

    def _start_next(self) -> None:
        """With the lock: give the free devices to those whose turn it is, and keep a spare worker if one is wanted."""
        for order in self._sequence():
            busy = [worker.device for worker in self._working]
            free = [device for device in self._may(order.device) if device not in busy]
            if not free or self._closing.is_set():
                continue
            lacks = [self._lacks(order, device) for device in free]
            order.lacked = 0.0 if busy else order.lacked or time.monotonic()
            if all(lacks) and (busy or time.monotonic() - order.lacked < LACKS):
                with suppress(RecordError, OSError):
                    if order.run.state().message != NEEDS_MEMORY:
                        order.run.set_state(message=NEEDS_MEMORY)
                continue
            self._line.remove(order)
            if all(lacks):
                last_words(order.run, "failed", lacks[0])
            else:
                self._begin(order, [device for device, lack in zip(free, lacks, strict=True) if not lack])
        if not self._line:  # who trained long ago is as good as new
            self._served = {order.owner: self._served.get(order.owner, 0) for order in self._working.values()}
        self._keep_spare()

    def _begin(self, order: Order, free: Sequence[Device]) -> None:
        """With the lock: start the run on one of these devices, in its spare worker or a new one."""
        self._served[order.owner] = max(self._served.values(), default=0) + 1
        try:
            order.run.set_state(state="running", message="", pid=0, paused=False)
            order.run.append("note", doing="starting TensorFlow", done=0, total=0)
            self._hand(order, free)
        except RecordError:
            return  # deleted while it waited
        except OSError as error:
            full = error.errno == errno.ENOSPC
            text = FULL if full else f"The training program cannot be started: {error.strerror}."
            last_words(order.run, "failed", text)

    def _lacks(self, order: Order, device: Device) -> str:
        """With the lock: what is said where the run does not fit into what is free on this device now, or ""."""
        now = at_present(device)
        waits = device.kind == "cpu" and any(spare.ready for spare in self._spares if spare.device == device)
        room = now.free + FRAMEWORK * waits  # which the spare worker has taken already
        lacks = shortage(order.config, 0, device, room, f"{in_words(now.free)} are free now")
        return lacks and f"{lacks.removesuffix('.')}, or start it again when other programs take less."

    def _hand(self, order: Order, free: Sequence[Device]) -> None:
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
        for device in self._usual:
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
        while not self._closing.wait(_LOOK):
            try:
                with self._lock:
                    self._start_next()
                    now, late = time.monotonic(), list[tuple[Run, str]]()
                    for worker, order in self._working.items():
                        others = any(
                            waiting.owner != order.owner and worker.device in self._may(waiting.device)
                            for waiting in self._line
                        )
                        if order.paused and others and now - order.paused > PAUSE:
                            late.append((order.run, GAVE_WAY))
                        elif order.worked() > 1.5 * 60 * self.bounds.minutes:
                            late.append((order.run, TOO_LONG))
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


def _conclude(worker: Worker, run: Run) -> None:
    """See that a run whose worker is gone ends in a state, or that nothing is left of it if it was deleted."""
    try:
        if run.state().state not in OVER:
            last_words(run, *worker.last_words())
    except RecordError:
        if not (run.path / "config.json").exists():
            run.delete()
