"""The engine, with real processes: what it answers, whom it serves first, and how it comes back after every end.

Most tests call tests/in_engine instead of cnnviz.networks: a process without Keras starts at once.
"""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from conftest import open_page, start_server

from cnnviz import engine
from cnnviz.engine import Engine, EngineError, Replaced, State
from cnnviz.networks import NetworkError, stamp

pytestmark = pytest.mark.keras
ROOT = Path(__file__).resolve().parents[1]
OBJECTS = str(ROOT / "models" / "objects")


@pytest.fixture(scope="module")
def tricks() -> Iterator[Engine]:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background is started without
    made = Engine("in_engine", kept_bytes=10_000)
    yield made
    made.close()


@pytest.fixture
def warming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Engine]]:
    """Makes an engine whose starts go as the words say, one after the other, and well from then on."""
    made = []

    def make(words: str, wake_limit: float = 30.0) -> Engine:
        (tmp_path / "warm").write_text(words)
        monkeypatch.setenv("CNNVIZ_TEST_WARM", str(tmp_path / "warm"))
        made.append(Engine("in_engine", wake_limit=wake_limit))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def real() -> Iterator[Engine]:
    made = Engine()
    made.start()
    yield made
    made.close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(50) as pool:
        yield pool


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, 32, 32, 3)).astype(np.uint8)


@dataclass
class Held:
    """The engine is at work on a question of owner x, until `release`."""

    path: Path
    asked: Future[Any]

    def release(self) -> None:
        self.path.touch()


@pytest.fixture
def held(tricks: Engine, threads: ThreadPoolExecutor, tmp_path: Path) -> Iterator[Held]:
    path = tmp_path / "go on"
    made = Held(path, threads.submit(tricks.call, "tricks.until", str(path), turn="x/hold", limit=60))
    wait_for(lambda: tricks._asked is not None)
    yield made
    made.release()


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def in_line(tricks: Engine, count: int) -> None:
    """Wait until so many questions are in the line."""
    wait_for(lambda: len(tricks._line) == count)


# --------------------------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize("count", [1, 2, 16, 65, 0])
def test_answers_are_those_of_the_network_in_this_process(real, count):
    from cnnviz.networks import classifier  # noqa: PLC0415

    found = real.call("classifier.answers", OBJECTS, pictures(count))
    assert found.shape == (count, 10)
    np.testing.assert_allclose(found, classifier.answers(OBJECTS, pictures(count)), atol=1e-6)


def test_a_bare_import_of_the_engine_loads_neither_keras_nor_loky():
    code = "import sys, cnnviz.engine, cnnviz.many; print(sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for heavy in ("keras", "tensorflow", "loky", "psutil", "multiprocessing", "streamlit"):
        assert f"'{heavy}'" not in loaded


def test_no_graphics_card_is_seen_and_the_process_stands_behind_the_server(tricks):
    found = tricks.call("tricks.surroundings")
    assert found["gpu"] == "-1"
    assert found["nice"] == min(19, os.nice(0) + 5)
    assert float(found["grow"]) > 1e15
    assert tricks.call("tricks.devices", limit=120) == ["CPU"]


def test_threads_get_each_their_own_answer(tricks, threads):
    asked = [threads.submit(tricks.call, "tricks.nap", 0.0, n, turn=f"owner {n % 7}/x/{n}") for n in range(50)]
    assert [one.result(30) for one in asked] == list(range(50))


@pytest.mark.parametrize(
    "name", ["os.system", "classifier._read", "..classifier.answers", "answers", "", "Classifier.answers", "a.b.c"]
)
def test_only_public_functions_of_the_package_have_names(tricks, name):
    with pytest.raises((ValueError, EngineError)) as caught:
        tricks.call(name)
    assert not isinstance(caught.value, EngineError) or "ModuleNotFoundError" in str(caught.value)


# ------------------------------------------------------------------------------------------- what goes wrong inside


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("tricks.refuse", NetworkError, "no longer there"),
        ("tricks.fail", EngineError, "could not answer this (KeyError)"),
        ("tricks.unsendable", EngineError, "could not answer this (TypeError)"),
        ("tricks.nowhere", EngineError, "could not answer this (AttributeError)"),
    ],
)
def test_an_exception_is_a_sentence_and_the_process_stays(tricks, name, error, words):
    before = tricks.call("tricks.pid")
    with pytest.raises(error) as caught:
        tricks.call(name)
    assert words in str(caught.value)
    assert tricks.call("tricks.pid") == before


def test_what_cannot_be_sent_is_a_sentence_and_the_process_stays(tricks):
    before = tricks.call("tricks.pid")
    with pytest.raises(EngineError, match="could not answer"):
        tricks.call("tricks.nap", threading.Lock())
    assert tricks.call("tricks.pid") == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tricks.exit_now", "broke down over this"),
        ("tricks.segfault", "broke down over this"),
        ("tricks.kill_self", "memory ran out"),
        ("tricks.hang", "longer than 0.5 seconds"),
        ("tricks.spin", "longer than 0.5 seconds"),
    ],
)
def test_a_question_that_ends_or_holds_the_process_costs_a_sentence_and_the_next_call_works(tricks, name, words):
    before = tricks.call("tricks.pid")
    started = time.monotonic()
    with pytest.raises(EngineError, match=words):
        tricks.call(name, limit=0.5)
    assert time.monotonic() - started < 60  # each of them would go on for ten minutes
    after = tricks.call("tricks.pid")
    assert after != before
    wait_for(lambda: not psutil.pid_exists(before))


def test_only_the_engines_own_process_is_ended(tricks):
    other = subprocess.Popen(["sleep", "60"])
    with pytest.raises(EngineError):
        tricks.call("tricks.hang", limit=0.3)
    assert other.poll() is None
    other.kill()
    other.wait()


def test_ctrl_c_in_the_terminal_does_not_reach_it(tricks):
    before = tricks.call("tricks.pid")
    os.kill(before, signal.SIGINT)
    time.sleep(0.2)
    assert tricks.call("tricks.pid") == before


def test_a_kill_from_outside_during_a_question_is_a_sentence(tricks, held):
    pid = tricks._process.pid
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="memory ran out"):
        held.asked.result(20)
    assert tricks.call("tricks.pid") != pid


def test_a_kill_while_it_is_idle_goes_unnoticed(tricks):
    for _ in range(3):
        pid = tricks.call("tricks.pid")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda pid=pid: gone(pid))
        assert tricks.call("tricks.pid") != pid


def test_a_process_that_died_idle_is_there_again_before_anyone_asks(tricks):
    os.kill(tricks.call("tricks.pid"), signal.SIGKILL)
    wait_for(lambda: not tricks.state().ready)
    wait_for(lambda: tricks.state().ready)


def test_those_who_wait_behind_a_crash_get_their_answers(tricks, threads, held):
    crash = threads.submit(tricks.call, "tricks.exit_now", turn="a/x")
    in_line(tricks, 1)
    others = [threads.submit(tricks.call, "tricks.nap", 0, n, turn=f"b/{n}") for n in range(3)]
    in_line(tricks, 4)
    held.release()
    with pytest.raises(EngineError, match="broke down"):
        crash.result(20)
    assert [one.result(20) for one in others] == [0, 1, 2]


@pytest.mark.parametrize("word", ["exit", "kill", "raise"])
def test_a_start_that_fails_once_is_tried_again_without_a_word(warming, word):
    assert warming(word).call("tricks.nap", 0, "well") == "well"


def test_a_start_that_hangs_is_ended_and_tried_again(warming):
    assert warming("hang", 8.0).call("tricks.nap", 0, "well") == "well"


def test_a_start_that_fails_twice_is_a_sentence_for_all_who_wait_and_the_next_call_tries_again(warming, threads):
    made = warming("exit raise")
    asked = [threads.submit(made.call, "tricks.nap", 0, turn=f"{owner}/x") for owner in "ab"]
    for one in asked:
        with pytest.raises(EngineError, match=r"does not start \(ImportError\)"):
            one.result(30)
    assert made.call("tricks.nap", 0, "well") == "well"
    assert made.state() == State(True, 0, "")


def test_a_page_learns_that_it_does_not_start_without_asking(warming):
    made = warming("raise raise")
    made.start()
    wait_for(lambda: "does not start" in made.state().sentence)
    assert not made.state().ready


def test_a_kill_while_it_starts_costs_nobody_an_answer(warming, threads):
    made = warming("hang")
    asked = threads.submit(made.call, "tricks.nap", 0, "well")
    wait_for(lambda: made._process is not None and made._process._pool._processes)
    wait_for(lambda: not Path(os.environ["CNNVIZ_TEST_WARM"]).read_text())
    os.kill(next(iter(made._process._pool._processes)), signal.SIGKILL)
    assert asked.result(20) == "well"


def test_nothing_is_left_open_after_many_crashes(tricks):
    def crash() -> int:
        with pytest.raises(EngineError):
            tricks.call("tricks.exit_now")
        tricks.call("tricks.pid")
        gc.collect()
        return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

    crash()
    before = crash()
    for _ in range(5):
        after = crash()
    assert after <= before + 2
    ours = [one for one in psutil.Process().children() if "popen_loky" in " ".join(one.cmdline())]
    assert len([one for one in ours if one.status() != psutil.STATUS_ZOMBIE]) <= 2  # of `tricks` and of `real`


def test_the_real_one_comes_back_after_a_kill_and_after_a_hang(real):
    before = real.call("classifier.answers", OBJECTS, pictures(1))
    pid = real._process.pid
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(EngineError, match="longer than 1 seconds"):
        real.call("classifier.answers", OBJECTS, pictures(1), limit=1.0)
    np.testing.assert_allclose(real.call("classifier.answers", OBJECTS, pictures(1)), before)
    pid = real._process.pid
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: gone(pid))
    np.testing.assert_allclose(real.call("classifier.answers", OBJECTS, pictures(1)), before)


# ---------------------------------------------------------------------------------------------------------- the line


def test_a_newer_call_of_the_same_turn_replaces_the_one_that_waits(tricks, threads, held):
    first = threads.submit(tricks.call, "tricks.count", "replaced", turn="a/page/one")
    other = threads.submit(tricks.call, "tricks.nap", 0, "other", turn="a/page/two")
    in_line(tricks, 2)
    second = threads.submit(tricks.call, "tricks.count", "replaced", turn="a/page/one")
    with pytest.raises(Replaced):
        first.result(5)
    assert not held.asked.done()
    held.release()
    assert second.result(10)[0] == 1  # the first was never computed
    assert other.result(10) == "other"


def test_calls_without_a_turn_and_the_one_at_work_are_not_replaced(tricks, threads, held):
    asked = [threads.submit(tricks.call, "tricks.nap", 0, n) for n in range(3)]
    in_line(tricks, 3)
    same = threads.submit(tricks.call, "tricks.nap", 0, "same", turn="x/hold")
    in_line(tricks, 4)
    held.release()
    assert [one.result(10) for one in (*asked, same)] == [0, 1, 2, "same"]
    assert held.asked.result(1) is None


def test_an_answer_that_another_waits_for_too_is_computed_though_its_first_asker_was_replaced(tricks, threads, held):
    first = threads.submit(tricks.cached, ("shared",), "tricks.count", "shared", turn="a/page/one")
    in_line(tricks, 1)
    joined = threads.submit(tricks.cached, ("shared",), "tricks.count", "shared", turn="b/page/one")
    wait_for(lambda: len(tricks._line[0].places) == 2)
    newer = threads.submit(tricks.call, "tricks.nap", 0, "newer", turn="a/page/one")
    with pytest.raises(Replaced):
        first.result(5)
    held.release()
    assert joined.result(10)[0] == 1
    assert newer.result(10) == "newer"


def test_owners_are_served_in_turn_however_much_one_of_them_asks(tricks, threads, held):
    asked = {}
    for name in ("a1", "a2", "a3", "a4", "b1", "c1", "b2"):
        asked[name] = threads.submit(tricks.call, "tricks.when", turn=f"fair {name[0]}/page/{name}")
        in_line(tricks, len(asked))
    held.release()
    moments = {name: one.result(10) for name, one in asked.items()}
    assert sorted(moments, key=moments.__getitem__) == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]


def test_who_was_served_last_comes_last(tricks, threads, tmp_path):
    for owner in ("late", "early", "late"):
        tricks.call("tricks.nap", 0, turn=f"{owner}/x")
    threads.submit(tricks.call, "tricks.until", str(tmp_path / "go on"), turn="x/x")
    wait_for(lambda: tricks._asked is not None)
    late = threads.submit(tricks.call, "tricks.when", turn="late/x")
    in_line(tricks, 1)
    early = threads.submit(tricks.call, "tricks.when", turn="early/x")
    in_line(tricks, 2)
    (tmp_path / "go on").touch()
    assert early.result(10) < late.result(10)


def test_a_call_is_told_how_many_come_first_as_the_line_gets_shorter(tricks, threads, tmp_path):
    tricks.call("tricks.nap", 0, turn="last/x")
    threads.submit(tricks.call, "tricks.until", str(tmp_path / "go on"), turn="x/hold")
    wait_for(lambda: tricks._asked is not None)
    for n in range(3):
        threads.submit(tricks.call, "tricks.nap", 0.6, turn=f"first {n}/x")
    in_line(tricks, 3)
    told: list[State] = []

    def say(state: State) -> None:
        told.append(state)
        (tmp_path / "go on").touch()

    tricks.call("tricks.nap", 0, turn="last/x", say=say)
    ahead = [state.ahead for state in told]
    assert ahead[0] == 4
    assert ahead == sorted(ahead, reverse=True)
    assert len(set(ahead)) > 2
    assert told[0].sentence == "4 requests come first."
    assert all(state.ready for state in told)


def test_one_who_asks_again_is_told_of_others_turns(tricks, threads, held):
    for n in range(3):
        threads.submit(tricks.call, "tricks.nap", 0, turn=f"busy/{n}")
        in_line(tricks, n + 1)
    told: list[State] = []

    def say(state: State) -> None:
        told.append(state)
        held.release()

    tricks.call("tricks.nap", 0, turn="new comer/x", say=say)
    assert told[0].ahead == 2  # what is at work, and the busy one's first; its other two come later
    assert told[0].sentence == "2 requests come first."


def test_nothing_is_said_about_an_answer_that_comes_at_once(tricks):
    told: list[State] = []
    tricks.call("tricks.nap", 0, say=told.append)
    assert told == []


class Rerun(BaseException):
    """As a web framework breaks off a script."""


@pytest.mark.parametrize("error", [Rerun, KeyboardInterrupt, ValueError])
def test_a_script_that_is_broken_off_while_it_waits_leaves_the_line(tricks, held, error):
    def stop(_: State) -> None:
        raise error

    with pytest.raises(error):
        tricks.call("tricks.count", error.__name__, say=stop)
    assert tricks._line == []
    held.release()
    assert tricks.call("tricks.count", error.__name__)[0] == 1


def test_a_script_that_is_broken_off_at_work_leaves_its_answer_to_the_cache(tricks):
    def stop(_: State) -> None:
        raise Rerun

    with pytest.raises(Rerun):
        tricks.cached(("late",), "tricks.nap", 0.5, "late", say=stop)
    wait_for(lambda: tricks._asked is None)
    assert tricks.cached(("late",), "tricks.nap", 0.5, "computed anew") == "late"


def test_the_first_call_is_told_that_the_networks_are_being_loaded(warming):
    told: list[State] = []
    made = warming("hang", 8.0)
    assert made.state() == State(False, 0, "The networks are being loaded, which takes some seconds.")
    made.call("tricks.nap", 0, say=told.append)
    assert not told[0].ready
    assert "being loaded" in told[0].sentence
    assert made.state() == State(True, 0, "")


def test_whoever_waits_when_it_is_closed_is_told(threads):
    made = Engine("in_engine")
    asked = threads.submit(made.call, "tricks.hang")
    wait_for(lambda: made._asked is not None)
    made.close()
    with pytest.raises(EngineError):
        asked.result(5)
    with pytest.raises(EngineError):
        made.call("tricks.pid")


# --------------------------------------------------------------------------------------------------- answers kept


def test_an_answer_is_kept_under_function_and_key(tricks):
    call = tricks.cached
    assert call(("k", 1), "tricks.count", "kept")[0] == 1
    assert call(("k", 1), "tricks.count", "kept")[0] == 1
    assert call(("k", 2), "tricks.count", "kept")[0] == 2
    assert call(("k", 1), "tricks.boxes") == [1, 2, 3]
    assert tricks.call("tricks.count", "kept")[0] == 3  # call computes anew


def test_each_call_gets_a_copy_of_its_own(tricks):
    tricks.cached(("copy",), "tricks.boxes").append(4)
    assert tricks.cached(("copy",), "tricks.boxes") == [1, 2, 3]


def test_what_was_used_longest_ago_goes_first_and_the_bound_holds(tricks):
    for name in ("one", "two", "three"):
        tricks.cached((name,), "tricks.count", name, 3000)
    tricks.cached(("one",), "tricks.count", "one", 3000)  # used again
    tricks.cached(("four",), "tricks.count", "four", 3000)
    assert tricks._kept.size <= 10_000
    counts = {name: tricks.cached((name,), "tricks.count", name, 3000)[0] for name in ("four", "one", "three", "two")}
    assert counts == {"four": 1, "one": 1, "three": 1, "two": 2}


def test_an_answer_larger_than_the_bound_is_given_and_not_kept(tricks):
    tricks.cached(("small",), "tricks.count", "small")
    for n in (1, 2):
        assert tricks.cached(("large",), "tricks.count", "large", 20_000) == (n, bytes(20_000))
    assert tricks.cached(("small",), "tricks.count", "small")[0] == 1


def test_an_idle_engine_forgets_what_was_not_used_for_an_hour(tricks, monkeypatch):
    assert tricks.cached(("hour",), "tricks.count", "hour")[0] == 1
    monkeypatch.setattr(tricks._kept, "_clock", lambda: time.monotonic() + 59 * 60)
    assert tricks.cached(("hour",), "tricks.count", "hour")[0] == 1
    monkeypatch.setattr(tricks._kept, "_clock", lambda: time.monotonic() + 3 * 60 * 60)
    wait_for(lambda: not tuple(tricks._kept))
    assert tricks.cached(("hour",), "tricks.count", "hour")[0] == 2


def test_the_answers_for_a_photo_that_was_let_go_are_forgotten_and_no_others(tricks):
    keys = [("net", "1f2e"), ("net", "1f2e-face2", 3), ("net", "77aa"), ("1f2", 4)]
    for key in keys:
        tricks.cached(key, "tricks.boxes")
    tricks.forget("1f2e")
    assert [key for name, key in tricks._kept if name == "tricks.boxes" and key in keys] == keys[2:]


def test_errors_are_not_kept(tricks):
    for _ in range(2):
        with pytest.raises(NetworkError):
            tricks.cached(("error",), "tricks.refuse")
    assert not any(name == "tricks.refuse" for name, _ in tricks._kept)


def test_who_asks_the_same_at_the_same_time_shares_one_answer(tricks, threads, held):
    asked = [threads.submit(tricks.cached, ("same",), "tricks.count", "same", turn=f"{n}/x") for n in range(20)]
    wait_for(lambda: tricks._line and len(tricks._line[0].places) == 20)
    held.release()
    assert {one.result(10)[0] for one in asked} == {1}


def test_the_stamp_of_a_network_changes_with_its_files(tmp_path):
    for file in ("model.keras", "card.json"):
        (tmp_path / file).write_bytes(b"1")
    before = stamp(tmp_path)
    assert stamp(tmp_path) == before
    (tmp_path / "card.json").write_bytes(b"22")
    assert stamp(tmp_path) != before
    (tmp_path / "model.keras").unlink()
    with pytest.raises(NetworkError, match="no longer there"):
        stamp(tmp_path)


# ------------------------------------------------------------------------------------- the server and the process

SERVER = f"""
import os, sys, time
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}]
with open(sys.argv[1], "a") as file:
    print("run by", os.getpid(), file=file)
from cnnviz.engine import Engine
engine = Engine("in_engine")
how = sys.argv[2]
if how == "starts":
    engine.start()
    while engine._process is None or not engine._process._pool._processes: time.sleep(0.01)
    print(next(iter(engine._process._pool._processes)), flush=True)
else:
    print(engine.call("tricks.pid"), flush=True)
    if how == "hangs":
        import threading
        threading.Thread(target=engine.call, args=("tricks.spin",), daemon=True).start()
        while engine._asked is None: time.sleep(0.01)
        print("hangs", flush=True)
sys.stdin.read()
"""


def serve(tmp_path: Path, how: str) -> tuple[subprocess.Popen[str], int]:
    """A process as a server is one, in whose main module the engine is used without a guard; and the engine's id."""
    script = tmp_path / "app.py"
    script.write_text(SERVER)
    environment = {**os.environ, "CNNVIZ_TEST_WARM": str(tmp_path / "warm")}
    if how == "starts":
        (tmp_path / "warm").write_text("hang")
    server = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "runs"), how],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    pid = int(server.stdout.readline())
    if how == "hangs":
        server.stdout.readline()
    return server, pid


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("how", ["idle", "hangs"])
@pytest.mark.parametrize("end", ["SIGKILL", "SIGTERM", "by itself"])
def test_the_process_is_gone_soon_after_its_server(tmp_path, how, end):
    server, pid = serve(tmp_path, how)
    try:
        assert not gone(pid)
        if end == "by itself":
            server.stdin.close()
            server.stdin = None
        else:
            server.send_signal(getattr(signal, end))
        server.wait(60)
        wait_for(lambda: gone(pid))
    finally:
        server.kill()
        server.communicate()
    assert (tmp_path / "runs").read_text().count("run by") == 1


def test_a_server_that_ends_while_keras_is_loading_does_not_wait_for_it(tmp_path):
    server, pid = serve(tmp_path, "starts")
    _, said = server.communicate("", timeout=60)  # what it starts hangs for ten minutes
    wait_for(lambda: gone(pid))
    assert said == ""


def test_the_main_module_of_the_server_is_not_run_in_the_process(tmp_path):
    server, pid = serve(tmp_path, "idle")
    server.communicate("")
    assert (tmp_path / "runs").read_text() == f"run by {server.pid}\n"
    assert pid != server.pid


@pytest.mark.browser
def test_the_first_visit_of_the_app_starts_one_process_which_goes_with_the_server(tmp_path, page):
    fresh = start_server(tmp_path)

    def engines() -> list[psutil.Process]:
        children = psutil.Process(fresh.process.pid).children()
        return [one for one in children if "popen_loky" in " ".join(one.cmdline())]

    try:
        open_page(page, fresh.url)
        wait_for(engines)
        (one,) = engines()
        wait_for(lambda: one.memory_info().rss > 300e6, 120)  # Keras is being loaded
        assert "keras" not in fresh.report()["modules"]
        assert engines() == [one]
    finally:
        fresh.process.kill()
        fresh.process.wait()
    wait_for(lambda: gone(one.pid))


def test_the_modules_own_engine_is_the_one_that_pages_use():
    assert engine._engine._package == "cnnviz.networks"
    assert engine.call.__self__ is engine._engine
