"""The engine: one warm Keras process beside the web server, asked in turn; the server's only door to networks/.

`call("classifier.answers", folder, pictures)` runs that function of cnnviz.networks there and waits for its answer. A
call takes half a second at most on an idle machine; long work is a loop of calls. Questions wait in a line; owners take
turns. What hangs or crashes is ended, and costs its asker a sentence and the others a new start.
"""

import pickle
import re
import threading
import traceback
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from cnnviz.engine_process import ABSENT, CRASHED, DONE, FAILED, HUNG, KILLED, NO_START, REFUSED, Outcome, Process
from cnnviz.kept import Kept
from cnnviz.networks import NetworkError

PACKAGE = "cnnviz.networks"
LIMIT = 20.0  # seconds that one question may take
WAKE_LIMIT = 180.0  # seconds that Keras may take to load, on a machine that does much else
KEPT_BYTES = 512_000_000  # of answers
_HEAD_START = 1.0  # seconds that the first page has for itself before Keras is loaded
_PATIENCE = 0.15  # seconds before a page says that it waits
_LOOK = 0.4  # seconds between two looks at those who wait
_IDLE_LOOK = 3.0  # seconds between two looks at an idle process
_OWNERS = 1000  # of whom it is known when they were served
_PAUSE = 60.0  # seconds until a process that did not start is tried again, if nobody asks before
_NAME = re.compile(r"[a-z][a-z_0-9]*\.[a-z][a-z_0-9]*")
_AGAIN = "it is being started again. Try once more"
_NOT_STARTED = "The program that runs the networks does not start ({text}); what it said stands in the server's log."
_SENTENCES = {
    CRASHED: f"The program that runs the networks broke down over this; {_AGAIN}, with another picture or network if "
    "it happens again.",
    ABSENT: f"The program that runs the networks has ended; {_AGAIN} in a few seconds.",
    KILLED: "The system ended the program that runs the networks, most likely because memory ran out; "
    f"{_AGAIN}, with a smaller network if it happens again.",
    FAILED: "The network could not answer this ({text}); choose another network, or train this one again.",
    NO_START: _NOT_STARTED,
}
_HUNG = (
    "This took longer than {limit:g} seconds and was ended; try once more, with a smaller network if it happens again."
)


class EngineError(RuntimeError):
    """There is no answer. The message is one sentence for the user; the next call gets a fresh process."""


class Replaced(EngineError):
    """A newer call of the same turn took this one's place in the line."""


@dataclass(frozen=True)
class State:
    """ready: whether Keras is loaded. ahead: how many questions come first. sentence: what to say while one waits."""

    ready: bool
    ahead: int
    sentence: str


@dataclass(eq=False)
class _Place:
    """Someone who waits for an answer."""

    turn: str
    replaced: bool = False


@dataclass(eq=False)
class _Question:
    """What is asked, and all who wait for the answer: those who ask the same share one."""

    name: str
    arguments: tuple[Any, ...]
    owner: str
    limit: float
    key: Hashable = None
    places: list[_Place] = field(default_factory=list)
    outcome: Outcome | None = None


class Engine:
    """One process and its line. Every method may be called from any thread.

    package: where the functions lie that it may call, and `classifier.warm`, which it calls first. Another than PACKAGE
        is for tests of crashes: a process of the app has none but the one below.
    """

    def __init__(self, package: str = PACKAGE, kept_bytes: int = KEPT_BYTES, wake_limit: float = WAKE_LIMIT):
        self._package, self._wake_limit, self._kept = package, wake_limit, Kept(kept_bytes)
        self._changed = threading.Condition()
        self._line: list[_Question] = []
        self._asked: _Question | None = None  # the one that is being answered
        self._served: dict[str, int] = {}  # owner -> when last, as a count
        self._process: Process | None = None
        self._ready = self._closed = False
        self._trouble = ""  # why it does not start
        self._started: threading.Thread | None = None

    # -------------------------------------------------------------------------------------------- what pages call

    def start(self) -> None:
        """Begin to load Keras in the background, a moment later; does nothing the second time."""
        with self._changed:
            if self._started is None and not self._closed:
                self._started = threading.Thread(target=self._serve, name="cnnviz engine", daemon=True)
                self._started.start()

    def state(self) -> State:
        """What a new call would find."""
        with self._changed:
            return self._state(len(self._line) + (self._asked is not None))

    def call(
        self,
        name: str,
        *arguments: Any,
        turn: str = "",
        limit: float = LIMIT,
        say: Callable[[State], None] | None = None,
    ) -> Any:
        """The answer of the function `name` ("module.function" in cnnviz.networks) to these arguments.

        turn: "owner/page/what". Owners are served in turn; a newer call of the same turn replaces one that still waits,
            which raises Replaced. limit: seconds of work before it is ended.
        say: is told the State some times a second while the call waits; what it raises takes the call out of the line.
        Raises EngineError or NetworkError, each with one sentence.
        """
        return self._ask(None, name, arguments, turn, limit, say)

    def cached(
        self,
        key: tuple[Hashable, ...],
        name: str,
        *arguments: Any,
        turn: str = "",
        limit: float = LIMIT,
        say: Callable[[State], None] | None = None,
    ) -> Any:
        """Like `call`; the answer is kept under name and key, which must hold all that it depends on.

        For the network that is `networks.stamp(folder)`, for a picture its digest. Each call gets a copy of its own.
        What was not used for an hour is forgotten, and `forget` what belongs to a photo: it may show the picture.
        """
        return self._ask((name, key), name, arguments, turn, limit, say)

    def forget(self, digest: str) -> None:
        """Let go of the answers that are kept under a key with this in it, or what begins with it: a photo's digest."""

        def of_photo(key: Any) -> bool:
            return any(isinstance(part, str) and part.startswith(digest) for part in key[1])

        with self._changed:
            self._kept.drop(of_photo)

    def close(self) -> None:
        """End the process; whoever waits gets an EngineError."""
        with self._changed:
            self._closed = True
            process = self._process
            self._changed.notify_all()
        if process is not None:
            process.end()

    # ------------------------------------------------------------------------------------------------ one who asks

    def _ask(
        self,
        key: Hashable,
        name: str,
        arguments: tuple[Any, ...],
        turn: str,
        limit: float,
        say: Callable[[State], None] | None,
    ) -> Any:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} names no function of {self._package}; expected 'module.function'.")
        place = _Place(turn)
        with self._changed:
            kept = None if key is None else self._kept.get(key)
            if kept is None:
                question = self._same(key) or _Question(name, arguments, turn.partition("/")[0], limit, key)
                self._replace(turn)
                if not question.places and question is not self._asked:
                    self._line.append(question)
                question.places.append(place)
                self._changed.notify_all()
        if kept is not None:
            return pickle.loads(kept)
        self.start()
        try:
            outcome = self._wait(question, place, say)
        finally:  # also where a web framework breaks a script off
            with self._changed:
                self._leave(question, place)
        if outcome is None:
            raise Replaced("A newer request took the place of this one.")
        return _answer(outcome, limit)

    def _wait(self, question: _Question, place: _Place, say: Callable[[State], None] | None) -> Outcome | None:
        """The outcome, or None where a newer call has taken the place."""

        def over() -> bool:
            return question.outcome is not None or place.replaced or self._closed

        with self._changed:
            self._changed.wait_for(over, _PATIENCE if say is not None else None)
        while True:
            with self._changed:
                if over():
                    return question.outcome or (None if place.replaced else Outcome(ABSENT))
                state = self._state(self._ahead(question))
            if say is not None:
                say(state)
            with self._changed:
                self._changed.wait_for(over, _LOOK)

    def _state(self, ahead: int) -> State:
        before = "" if not ahead else "1 request comes first. " if ahead == 1 else f"{ahead} requests come first. "
        if self._ready:
            return State(True, ahead, before.strip())
        why = self._trouble or "The networks are being loaded, which takes some seconds."
        return State(False, ahead, f"{why} {before}".strip())

    def _same(self, key: Hashable) -> _Question | None:
        """The question under this key that is already asked."""
        if key is None:
            return None
        asked = (*self._line, *([self._asked] if self._asked is not None else []))
        return next((one for one in asked if one.key == key), None)

    def _replace(self, turn: str) -> None:
        for question in self._line.copy() if turn else ():
            for place in [one for one in question.places if one.turn == turn]:
                place.replaced = True
                self._leave(question, place)

    def _leave(self, question: _Question, place: _Place) -> None:
        if place in question.places:
            question.places.remove(place)
        if not question.places and question in self._line:
            self._line.remove(question)

    # --------------------------------------------------------------------------------------------------- the line

    def _next(self) -> _Question | None:
        """The owner who was served longest ago comes next; each owner's questions in the order of asking."""
        return min(self._line, key=lambda one: self._served.get(one.owner, 0), default=None)

    def _ahead(self, question: _Question) -> int:
        """How many are served before it, if nobody else comes."""
        if question not in self._line:
            return 0
        line, served, count = self._line.copy(), self._served.copy(), 0
        while (first := min(line, key=lambda one: served.get(one.owner, 0))) is not question:
            line.remove(first)
            served[first.owner] = 1 + max(served.values(), default=0)
            count += 1
        return count + (self._asked is not None)

    # ------------------------------------------------------------------------------- the thread that serves the line

    def _serve(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._line or self._closed, _HEAD_START)
        while not self._closed:
            with self._changed:
                self._kept.forget()
            try:
                if self._ready or self._wake():
                    self._serve_next()
            except Exception as error:  # a system without processes or files to spare; nobody shall wait forever
                traceback.print_exc()
                self._give_up(type(error).__name__)

    def _serve_next(self) -> None:
        with self._changed:
            question = self._next()
            if question is None:
                self._changed.wait_for(lambda: self._line or self._closed, _IDLE_LOOK)
                if not self._line and self._process is not None and self._process.gone():
                    self._drop_process()
                return
            self._line.remove(question)
            self._asked = question
            self._served[question.owner] = 1 + max(self._served.values(), default=0)
            if len(self._served) > _OWNERS:
                del self._served[min(self._served, key=self._served.__getitem__)]
        self._settle(question)

    def _settle(self, question: _Question) -> None:
        """Have a question answered, or know why not."""
        process = self._process
        assert process is not None
        outcome = process.ask(question.name, question.arguments, question.limit)
        with self._changed:
            self._asked = None
            if not process.alive:
                self._drop_process()
            if outcome.kind == ABSENT and question.places and not self._closed:  # it had ended before it was asked
                self._line.insert(0, question)
                return
            if outcome.kind == DONE and question.key is not None:
                self._kept.put(question.key, outcome.data)
            question.outcome = outcome
            self._changed.notify_all()

    def _wake(self) -> bool:
        """Get a process with Keras in it. Where two in a row fail, those who wait are told, or the next one is."""
        outcome = Outcome(ABSENT)
        for _ in range(2):
            process = Process(self._package)
            with self._changed:
                self._process = process
            outcome = process.wake(self._wake_limit) if not self._closed else Outcome(ABSENT)
            if outcome.kind == DONE:
                with self._changed:
                    self._ready, self._trouble = True, ""
                    self._changed.notify_all()
                return True
            process.end()
            if self._closed:
                return False
        self._give_up(outcome.text or outcome.kind)
        return False

    def _give_up(self, why: str) -> None:
        """Tell all who wait, or else the next who comes, that there is no process."""
        with self._changed:
            self._drop_process()
            self._trouble = _NOT_STARTED.format(text=why)
            if self._asked is None:
                self._changed.wait_for(lambda: self._line or self._closed, _PAUSE)
            for question in (*self._line, *([self._asked] if self._asked is not None else [])):
                question.outcome = Outcome(NO_START, text=why)
            self._line.clear()
            self._asked = None
            self._changed.notify_all()

    def _drop_process(self) -> None:
        if self._process is not None:
            self._process.end()
        self._process, self._ready = None, False


def _answer(outcome: Outcome, limit: float) -> Any:
    if outcome.kind == DONE:
        return pickle.loads(outcome.data)
    if outcome.kind == REFUSED:
        raise NetworkError(outcome.text)
    if outcome.kind == HUNG:
        raise EngineError(_HUNG.format(limit=limit))
    raise EngineError(_SENTENCES[outcome.kind].format(text=outcome.text))


_engine = Engine()
start, state, call, cached, forget = _engine.start, _engine.state, _engine.call, _engine.cached, _engine.forget
