"""The queue with a stand-in for the worker that trains nothing: turns, bounds, wishes, ends, spare workers, upkeep."""

import json
import os
import random
import shutil
import stat
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cnnviz import layers
from cnnviz.training import lock, process, queue, record, upkeep
from cnnviz.training.bounds import disk
from cnnviz.training.config import TrainingConfig
from cnnviz.training.device import Device
from cnnviz.training.order import Order
from cnnviz.training.pictures import count
from cnnviz.training.queue import Bounds, Queue, QueueError
from cnnviz.training.record import OVER, Run, create

ROOT = Path(__file__).resolve().parents[1]
CPU = Device("cpu", 0, "CPU, 2 cores", 8 * 10**9, 8 * 10**9)
CARDS = [Device("gpu", index, "card", 10**10, 10**10, f"GPU-{index}") for index in range(2)]
CONFIG = TrainingConfig("drawn-shapes")

# obeys the same words as the worker and writes the same files; imports nothing that takes time
STAND_IN = """#!{python} -S
import fcntl, json, os, sys, time
mode = os.environ.get("STAND_IN", "")
if mode == "unable":
    sys.exit("No module named keras")
print("ready", flush=True)
line = sys.stdin.readline()
if not line:
    sys.exit()
path, *options = line.rstrip("\\n").split("\\t")
held = open(path + "/worker.lock", "ab")
fcntl.flock(held, fcntl.LOCK_EX)
def state(**changes):
    values = json.load(open(path + "/state.json"))
    with open(path + "/new", "w") as file:
        json.dump({{**values, **changes}}, file)
    os.replace(path + "/new", path + "/state.json")
def note(**values):
    with open(path + "/events.jsonl", "a") as file:
        file.write(json.dumps({{"time": time.time(), "kind": "note", **values}}) + "\\n")
state(state="running", pid=os.getpid())
note(message="options " + " ".join(options), cards=os.environ["CUDA_VISIBLE_DEVICES"])
if mode == "short":
    state(state="finished", pid=0)
    sys.exit()
if mode.startswith("exit"):
    os.write(2, b"")
    open(path + "/worker.log", "w").write(mode.partition(":")[2])
    os._exit(int(mode.split()[1].split(":")[0]))
if mode.startswith("signal"):
    os.kill(os.getpid(), int(mode.split()[1]))
for line in sys.stdin:
    word = line.strip()
    note(message=word)
    if mode == "deaf":
        time.sleep(60)
    if word in ("stop", "finish"):
        state(state="stopped" if word == "stop" else "finished", pid=0)
        sys.exit()
state(state="interrupted", message="alone", pid=0)
"""


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Makes queues over tmp_path/runs whose workers are the stand-in; they are closed in the end."""
    program = tmp_path / "stand-in"
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(0o700)
    made = []

    def start(*slots, mode="", **bounds):
        monkeypatch.setenv("STAND_IN", mode)
        bounds.setdefault("room", 0)
        made.append(Queue(tmp_path / "runs", str(program), slots or [CPU], Bounds(**bounds)))
        return made[-1]

    start.root = tmp_path / "runs"
    yield start
    for one in made:
        one.close()


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """The seconds that orders go by; they stand still until a test puts them forward."""
    now = [1000.0]
    monkeypatch.setattr("cnnviz.training.order.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def until(condition, seconds=60.0):
    """Wait until it is true, and fail if it never is."""
    give_up = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.01)
    return found


def config(number: int) -> TrainingConfig:
    return CONFIG.changed(seed=number)


def words(run: Run) -> list[str]:
    return [event["message"] for event in run.events()[0] if "message" in event]


def at_work(run: Run) -> int:
    """The process that works on this run, once it does."""
    return until(lambda: run.state().pid)


def ready(line: Queue) -> bool:
    """Whether a spare worker is there that could start at once."""
    return any(worker.ready for worker in line._spares)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("asked", "trained"),
    [
        ("a1", "a1"),
        ("a1 b1 c1", "a1 b1 c1"),
        ("a1 a2 a3", "a1 a2 a3"),
        ("a1 a2 a3 b1", "a1 b1 a2 a3"),
        ("a1 a2 a3 b1 b2 c1", "a1 b1 c1 a2 b2 a3"),
        ("a1 b1 b2 a2 a3", "a1 b1 a2 b2 a3"),
    ],
)
def test_owners_take_turns_and_each_keeps_the_own_order(make, asked, trained):
    line = make()
    runs = {name: line.submit(config(int(name[1])), name[0]) for name in asked.split()}
    assert {name: line.place(run) for name, run in runs.items()} == {
        name: place for place, name in enumerate(trained.split())
    }
    for name in trained.split():
        until(lambda name=name: line.place(runs[name]) == 0)
        at_work(runs[name])
        line.finish(runs[name])
        until(lambda name=name: line.place(runs[name]) is None)
        assert runs[name].state().state == "finished"


def test_each_device_has_one_run_and_sees_no_other_device(make):
    line = make(*CARDS)
    runs = [line.submit(config(number), "a") for number in range(3)]
    assert [line.place(run) for run in runs] == [0, 0, 1]
    for run in runs[:2]:
        at_work(run)
    line.stop(runs[1])
    until(lambda: line.place(runs[2]) == 0)
    at_work(runs[2])
    cards = [until(lambda run=run: [e["cards"] for e in run.events()[0] if "cards" in e]) for run in runs]
    assert cards == [["GPU-0"], ["GPU-1"], ["GPU-1"]]
    assert [getattr(line.device(run), "uuid", None) for run in runs] == ["GPU-0", None, "GPU-1"]


@pytest.mark.parametrize(
    ("asked", "begun"),
    [
        ("", "0"),
        (" , , ", "0 1 -"),
        ("cpu, ,cpu", "cpu 0 -"),
        ("GPU-1,GPU-1, ", "1 - 0"),
        ("GPU-0,GPU-0,GPU-0, ,cpu", "0 - - 1 cpu"),  # who waits for a device holds nobody else up
    ],
)
def test_a_run_may_ask_for_a_device_and_otherwise_gets_a_card(make, asked, begun):
    line = make(*CARDS, CPU, waiting=9)
    runs = [line.submit(config(n), "a", device=device.strip()) for n, device in enumerate(asked.split(","))]
    names = {None: "-", "GPU-0": "0", "GPU-1": "1", "": "cpu"}
    found = [line.device(run) for run in runs]
    assert " ".join(names[device and device.uuid] for device in found) == begun


def test_a_run_that_goes_on_has_the_device_that_it_asked_for(make):
    line = make(*CARDS, CPU)
    run = line.submit(CONFIG, "a", device="cpu")
    at_work(run)
    line.stop(run)
    line.resume(run)
    assert line.device(run) == CPU
    line.stop(run)
    line.close()
    again = make(CARDS[0])  # a machine without that device, or a server with others
    again.resume(run)
    assert again.device(run) == CARDS[0]


@pytest.mark.parametrize("device", ["GPU-9", "tpu", "../..", "CPU"])
def test_a_device_that_is_not_there_is_refused(make, device):
    line = make(*CARDS, CPU)
    with pytest.raises(QueueError, match="is not here; choose another"):
        line.submit(CONFIG, "a", device=device)
    assert list(record.runs(line.root)) == []


@pytest.mark.parametrize(
    ("asked", "owner", "device", "before"),
    [
        ("", "a", "", 0),
        ("a1", "b", "", 1),
        ("a1", "b", "cpu", 0),
        ("a1 a2 a3", "a", "", 3),
        ("a1 a2 a3", "b", "", 1),  # owners take turns
        ("a1 b1 a2 b2", "c", "", 2),
        ("a1 a2 a3", "b", "GPU-0", 1),
    ],
)
def test_a_new_run_is_told_how_many_would_stand_before_it(make, asked, owner, device, before):
    line = make(CARDS[0], CPU)
    for name in asked.split():
        line.submit(config(int(name[1])), name[0])
    assert line.before(owner, device) == before
    run = line.submit(config(9), owner, device=device)
    assert line.place(run) == before or not before


def test_a_run_on_the_cpu_sees_no_card_and_no_keys(make):
    run = make().submit(CONFIG, "a")
    assert os.getpgid(at_work(run)) != os.getpgid(0)  # Ctrl-C in the terminal is not for the worker
    assert until(lambda: [event["cards"] for event in run.events()[0] if "cards" in event]) == ["-1"]


@pytest.mark.parametrize(
    ("changes", "bounds", "sentence"),
    [
        ({"epochs": 200}, {}, None),
        ({"epochs": 201}, {}, "These are 201 epochs, and a run here has at most 200; set fewer."),
        ({"minutes": 60.0}, {}, None),
        ({"minutes": 60.5}, {}, "These are 60.5 minutes, and a run here has at most 60; set fewer."),
        ({"data": "/etc"}, {}, "The page does not offer the data '/etc'; for files on the server"),
        ({"foreign": "../secret.zip"}, {}, "The page does not offer the data '../secret.zip'; for files"),
        ({"data": "mnist", "foreign": "digits"}, {}, None),
        ({}, {"room": 10**18}, "and 1,000,000,000,000 MB must stay free; delete runs that you need no more."),
        ({}, {"disk": 99}, "Your runs take 0 MB, and 0 MB are allowed; delete some of them."),
    ],
)
def test_what_is_too_much_is_refused_in_one_sentence(make, changes, bounds, sentence):
    line = make(**bounds)
    other = create(line.root, CONFIG, "a")  # on disk: more than 99 bytes
    assert disk(line.root, "a") > 99 > disk(line.root, "b")
    if sentence is None:
        line.submit(CONFIG.changed(**changes), "a")
        return
    with pytest.raises(QueueError) as refused:
        line.submit(CONFIG.changed(**changes), "a")
    assert sentence in str(refused.value)
    assert list(record.runs(line.root)) == [other]


def kept_network(root: Path, owner: str, name: str = "mine") -> Path:
    run = create(root, CONFIG, owner)
    run.set_state(state="finished", kept=name)
    run.network.write_bytes(b"network")
    return run.network


@pytest.mark.parametrize(
    ("start", "allowed"),
    [
        (lambda _: "", True),
        (lambda root: str(kept_network(root, "a")), True),
        (lambda root: str(kept_network(root, "a").parent / ".." / "gone" / "model.keras"), False),
        (lambda _: str(ROOT / "models" / "objects" / "model.keras"), True),
        (lambda _: "models/objects/model.keras", True),
        (lambda root: str(kept_network(root, "b")), False),
        (lambda root: str(kept_network(root, "a", name="")), False),
        (lambda root: str(kept_network(root, "a").with_name("last.keras")), False),
        (lambda _: "/etc/passwd", False),
        (lambda _: "../../secret.keras", False),
        (lambda root: str(linked(root)), False),
        (lambda _: "a\0b", False),
        (lambda _: "x" * 9999, False),
    ],
)
def test_a_run_starts_only_from_a_network_that_its_owner_kept_or_that_ships(make, monkeypatch, start, allowed):
    monkeypatch.chdir(ROOT)
    line = make()
    config = CONFIG.changed(start=start(line.root))
    before = len(list(record.runs(line.root)))
    if allowed:
        assert line.submit(config, "a").config().start == config.start
        return
    with pytest.raises(QueueError, match=r"The page does not start from .*; choose one that you kept or that ships"):
        line.submit(config, "a")
    taught = CONFIG.changed(teachers=f"models/objects/model.keras, {config.start}")
    with pytest.raises(QueueError, match=r"The page does not learn from .*; choose one that you kept or that ships"):
        line.submit(taught, "a")
    assert len(list(record.runs(line.root))) == before
    run = create(line.root, config, "a")  # edited by hand
    run.set_state(state="stopped")
    with pytest.raises(QueueError, match="The page does not start from"):
        line.resume(run)


def linked(root: Path) -> Path:
    """A kept network that is a link to something else on this computer."""
    network = kept_network(root, "a")
    network.unlink()
    network.symlink_to("/etc/passwd")
    return network


def test_a_network_that_fits_no_device_is_refused_when_it_is_asked_for(make):
    small = Device("gpu", 1, "small card", 2 * 10**6, 2 * 10**6, "GPU-s")
    with pytest.raises(QueueError, match=r"This network needs .* of the 2 MB of small card at most 2 MB can be used"):
        make(small).submit(CONFIG, "a")
    assert make(small, CARDS[0]).submit(CONFIG, "a")
    run = create(make.root, CONFIG, "a")
    run.set_state(state="stopped")
    with pytest.raises(QueueError, match="This network needs"):
        make(small).resume(run)


def test_a_run_waits_for_the_memory_of_the_one_at_work_and_begins_without_anybody_asking(make, monkeypatch):
    free = {"GPU-0": 10**10, "GPU-1": 10**10}
    monkeypatch.setattr(queue, "at_present", lambda device: replace(device, free=free[device.uuid]))
    line = make(*CARDS)
    first = line.submit(config(1), "a")
    at_work(first)
    free["GPU-1"] = 10**5
    second = line.submit(config(2), "b")  # which is not refused
    assert (line.place(second), second.state().state) == (1, "queued")
    assert "waits until others are done" in second.state().message
    line.stop(first)
    at_work(second)
    assert line.device(second).uuid == "GPU-0"
    assert second.state().message == ""


def test_memory_that_others_give_back_is_seen_while_a_run_is_at_work(make, monkeypatch):
    monkeypatch.setattr(queue, "_LOOK", 0.05)
    monkeypatch.setattr(queue, "_TIDY", 0.05)
    free = {"GPU-0": 10**10, "GPU-1": 10**5}
    monkeypatch.setattr(queue, "at_present", lambda device: replace(device, free=free[device.uuid]))
    line = make(*CARDS)
    at_work(line.submit(config(1), "a"))
    second = line.submit(config(2), "b")
    assert line.place(second) == 1
    free["GPU-1"] = 10**10
    at_work(second)


def test_where_no_run_is_at_work_too_little_memory_is_said_and_the_next_one_has_its_turn(make, monkeypatch):
    monkeypatch.setattr(queue, "_LOOK", 0.05)
    line = make(CARDS[0])
    first = line.submit(config(1), "a")
    at_work(first)
    large, small = line.submit(config(2).changed(batch_size=1024), "a"), line.submit(config(3), "a")
    enough = layers.memory(CONFIG.network(), CONFIG.input().shape, CONFIG.batch_size).total
    monkeypatch.setattr(queue, "at_present", lambda device: replace(device, free=enough))
    line.stop(first)
    at_work(small)  # which fits
    line.stop(small)
    assert (
        "waits until others are done" in large.state().message
    )  # what has just ended may hold its memory for a moment
    assert large.state().state == "queued"
    monkeypatch.setattr(queue, "LACKS", 0.1)
    until(lambda: large.state().state == "failed")
    assert line.place(large) is None
    assert large.state().state == "failed"
    assert "for a batch of 1,024 pictures (" in large.state().message
    assert (
        "are free now; choose a batch of 32, or start it again when other programs take less." in large.state().message
    )


def test_a_run_without_a_time_gets_the_longest_allowed(make):
    line = make(minutes=7.0)
    assert line.submit(CONFIG, "a").config().minutes == 7
    assert line.submit(CONFIG.changed(minutes=2.0), "a").config().minutes == 2


def test_no_more_than_three_of_an_owners_runs_wait(make):
    line = make()
    runs = [line.submit(config(number), "a") for number in range(4)]
    with pytest.raises(QueueError, match="3 of your runs are waiting already, and no more than 3 may"):
        line.submit(config(4), "a")
    line.submit(config(4), "b")
    line.stop(runs[1])
    line.submit(config(4), "a")
    with pytest.raises(QueueError, match="3 of your runs"):
        line.resume(runs[1])


@pytest.mark.parametrize(
    ("second", "owner", "again", "number"),
    [
        (CONFIG, "a", 60, 1),
        (CONFIG, "b", 60, 2),
        (CONFIG.changed(seed=9), "a", 60, 2),
        (CONFIG, "a", 0.1, 2),  # on purpose, later
    ],
)
def test_start_pressed_again_at_once_is_the_same_run(make, monkeypatch, second, owner, again, number):
    monkeypatch.setattr(queue, "AGAIN", again)
    line = make()
    first = line.submit(CONFIG, "a")
    time.sleep(0.2)
    assert (line.submit(second, owner) == first) == (number == 1)
    assert len(list(record.runs(line.root))) == number


def test_start_pressed_five_times_at_the_same_moment_is_one_run(make):
    line, found, together = make(), [], threading.Barrier(5)

    def press():
        together.wait()
        found.append(line.submit(CONFIG, "a", lambda _: time.sleep(0.1)))

    threads = [threading.Thread(target=press) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1 == len(list(record.runs(line.root)))
    assert line.place(found[0]) == 0


def pictures(number: int):
    def store(run: Run) -> None:
        np.savez(run.path / "pictures.npz", pictures=np.zeros((number, 4, 4, 3), np.uint8), truth=np.zeros(number))

    return store


def fails(error: BaseException):
    def store(run: Run) -> None:
        pictures(3)(run)
        raise error

    return store


class Broken(BaseException):
    """As a web framework breaks a script off."""


@pytest.mark.parametrize(
    ("store", "error", "sentence"),
    [
        (pictures(10), None, ""),
        (pictures(11), QueueError, "These are 11 pictures, and a run here takes at most 10; give fewer."),
        (fails(OSError(28, "No space left on device")), QueueError, "The disk is full"),
        (fails(ValueError("This is no picture.")), ValueError, "This is no picture."),
        (fails(Broken("rerun")), Broken, "rerun"),
    ],
)
def test_pictures_that_cannot_be_stored_leave_nothing_behind(make, store, error, sentence):
    line = make(pictures=10)
    if error is None:
        run = line.submit(CONFIG.changed(data=""), "a", store)
        assert count(run) == 10
        at_work(run)
        return
    with pytest.raises(error, match=sentence):
        line.submit(CONFIG.changed(data=""), "a", store)
    assert list(record.runs(line.root)) == []
    assert line.submit(CONFIG.changed(data=""), "a") is not None


@pytest.mark.parametrize("mode", ["", "deaf"])
def test_stop_ends_the_process_within_a_second_and_the_next_run_begins(make, mode):
    line = make(mode=mode)
    run, other = line.submit(config(1), "a"), line.submit(config(2), "b")
    pid = at_work(run)
    began = time.monotonic()
    line.stop(run)
    assert process.ASKED < 1
    assert time.monotonic() - began < 30, "the worker that does not listen would go on for a minute"
    assert not alive(pid)
    assert run.state().state == "stopped"
    assert run.state().pid == 0
    assert line.place(run) is None
    assert at_work(other) != pid
    line.stop(run)  # once more does no harm
    assert run.state().state == "stopped"


def test_a_run_in_line_can_be_stopped_and_gone_on_with(make):
    line = make()
    runs = [line.submit(config(number), "a") for number in range(3)]
    line.stop(runs[1])
    assert runs[1].state().state == "stopped"
    assert "before its turn" in runs[1].state().message
    assert [line.place(run) for run in runs] == [0, None, 1]
    line.resume(runs[1])
    assert runs[1].state().state == "queued"
    assert [line.place(run) for run in runs] == [0, 2, 1]


@pytest.mark.parametrize(
    ("mode", "state", "sentence"),
    [
        ("signal 9", "interrupted", "most likely because memory ran out"),
        ("signal 9", "interrupted", " No epoch was whole yet: start it again."),
        ("signal 11", "interrupted", "was ended by signal 11. No epoch was whole yet: start it again."),
        ("exit 134:terminate called after throwing std::bad_alloc", "failed", "The memory was not enough"),
        ("exit 1:MemoryError", "failed", "The memory was not enough"),
        ("exit 3:something else", "failed", "Training broke off without a word. The details are in "),
        ("unable", "failed", "The training program could not start. The details are in "),
        ("short", "finished", ""),
    ],
)
def test_a_worker_that_ends_leaves_a_state_with_a_sentence(make, mode, state, sentence):
    line = make(mode=mode)
    run = line.submit(CONFIG, "a")
    until(lambda: line.place(run) is None)
    assert run.state().state == state
    assert sentence in run.state().message
    assert run.state().pid == 0
    if mode == "unable":
        assert "No module named keras" in (run.path / "worker.log").read_text()


def test_wishes_reach_the_worker_and_only_while_it_is_there(make):
    line = make()
    run, other = line.submit(config(1), "a"), line.submit(config(2), "b")
    at_work(run)
    for wish in (line.pause, line.go, line.finish):
        wish(run)
    until(lambda: run.state().state == "finished" and line.place(run) is None)
    assert words(run)[-3:] == ["pause", "go", "finish"]
    for wish in (line.pause, line.go):
        with pytest.raises(QueueError, match="not at work"):
            wish(run)
    line.finish(run)  # the wish came as it ended by itself: what was wished for is done
    assert line.place(run) is None
    run.set_state(state="stopped")
    with pytest.raises(QueueError, match="No epoch was finished"):
        line.finish(run)
    line.stop(other)
    run.network.write_bytes(b"a network")
    for wish, option in ((line.finish, "--score"), (line.score, "--score"), (line.resume, "--resume")):
        wish(run)
        until(lambda option=option: run.state().pid and words(run)[-1] == f"options {option}")
        with pytest.raises(QueueError, match="waiting or at work already"):
            line.resume(run)
        line.stop(run)


def test_a_run_is_scored_once_and_a_card_without_its_last_word_goes_with_what_follows(make):
    line = make()
    run = create(line.root, CONFIG, "a")
    for path in (run.network, run.card):
        path.write_bytes(b"{}")
    run.set_state(state="finished")
    for wish in (line.score, line.resume):
        with pytest.raises(QueueError, match="test pictures are used once"):
            wish(run)
    run.set_state(state="interrupted")  # between the card and its last word
    with pytest.raises(QueueError):
        make(waiting=0).resume(run)
    assert run.card.exists()
    line.resume(run)
    at_work(run)
    assert not run.card.exists()
    line.stop(run)


def test_a_run_whose_epochs_are_all_done_is_not_trained_again(make):
    line = make()
    run = create(line.root, CONFIG, "a")
    run.set_state(state="finished")
    (run.path / "progress.json").write_text(json.dumps({"epoch": CONFIG.epochs}))
    with pytest.raises(QueueError, match="All epochs of this run are done"):
        line.resume(run)
    (run.path / "progress.json").write_text(json.dumps({"epoch": CONFIG.epochs - 1}))
    line.resume(run)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "settings cannot be read"),
        ("{", "The settings are no JSON"),
        ('{"data": "digits", "epochs": "many"}', "epochs is 'many'"),
        ('{"data": "/etc/passwd"}', "does not offer the data"),
        ('{"data": "digits", "epochs": 999}', "999 epochs"),
    ],
)
def test_settings_edited_by_hand_are_refused_in_a_sentence(make, content, sentence):
    line = make()
    run = create(line.root, CONFIG, "a")
    run.set_state(state="stopped")
    (run.path / "config.json").unlink() if content is None else (run.path / "config.json").write_text(content)
    with pytest.raises(QueueError, match=sentence):
        line.resume(run)
    assert run.state().state == "stopped"


def test_delete_removes_runs_wherever_they_stand(make):
    line = make()
    runs = [line.submit(config(number), "a") for number in range(3)]
    pid = at_work(runs[0])
    line.delete(runs[1])
    line.delete(runs[0])
    assert not alive(pid)
    at_work(runs[2])
    line.stop(runs[2])
    line.delete(runs[2])
    assert list(record.runs(line.root)) == []
    assert all(line.place(run) is None for run in runs)


def test_a_directory_deleted_behind_the_queues_back_holds_nothing_up(make):
    line = make()
    runs = [line.submit(config(number), "a") for number in range(3)]
    at_work(runs[0])
    runs[1].delete()
    runs[0].delete()
    line.stop(runs[0])
    at_work(runs[2])
    assert line.place(runs[2]) == 0
    assert list(record.runs(line.root)) == [runs[2]]


def test_a_spare_worker_is_handed_the_next_run(make):
    line = make()
    line.warm()
    until(lambda: ready(line))
    spare = line._spares[0].process.pid
    assert at_work(line.submit(CONFIG, "a")) == spare
    assert not ready(line)


def test_after_a_run_the_next_spare_worker_waits_while_the_page_is_open(make):
    line = make()
    line.warm()
    run = line.submit(CONFIG, "a")
    at_work(run)
    assert line._spares == []
    line.stop(run)
    until(lambda: ready(line))


def test_a_spare_worker_is_let_go_when_nobody_came(make, monkeypatch):
    monkeypatch.setattr(queue, "_LOOK", 0.05)
    monkeypatch.setattr(queue, "_TIDY", 0.05)
    line = make()
    line.warm()
    until(lambda: ready(line))
    pid = line._spares[0].process.pid
    monkeypatch.setattr(queue, "SPARE", 0.2)
    line.warm()
    until(lambda: not line._spares)
    assert not alive(pid)


def test_a_spare_worker_that_cannot_start_is_not_tried_for_ever(make):
    line = make(mode="unable")
    line.warm()
    until(lambda: not line._spares)
    time.sleep(0.2)
    assert not line._spares
    run = line.submit(CONFIG, "a")  # and a run says why
    until(lambda: line.place(run) is None)
    assert run.state().state == "failed"


def test_a_spare_worker_that_was_killed_does_not_take_a_run_with_it(make):
    line = make()
    line.warm()
    until(lambda: ready(line))
    spare = line._spares[0].process
    with line._lock:  # the queue has not heard of its end yet
        spare.kill()
        until(lambda: spare.returncode is not None)
        run = line.submit(CONFIG, "a")
    assert at_work(run) != spare.pid


def test_with_little_memory_free_no_spare_worker_is_started(make, monkeypatch):
    monkeypatch.setattr(queue, "memory", lambda: (8 * 10**9, 10**9))
    line = make()
    line.warm()
    assert not line._spares
    at_work(line.submit(CONFIG, "a"))


def test_a_paused_run_gives_way_after_a_while_if_others_wait(make, monkeypatch):
    monkeypatch.setattr(queue, "PAUSE", 0.2)
    monkeypatch.setattr(queue, "_LOOK", 0.05)
    monkeypatch.setattr(queue, "_TIDY", 0.05)
    line = make()
    run, own = line.submit(config(1), "a"), line.submit(config(2), "a")
    at_work(run)
    line.pause(run)
    time.sleep(0.4)
    assert [line.place(run), line.place(own)] == [0, 1]  # only the same owner waits
    other = line.submit(config(3), "b")
    until(lambda: line.place(other) == 0)
    assert "because others were waiting" in until(lambda: run.state().message)
    assert run.state().state == "stopped"


def test_a_paused_run_need_not_give_way_to_one_that_waits_for_another_device(make, monkeypatch):
    monkeypatch.setattr(queue, "PAUSE", 0.1)
    monkeypatch.setattr(queue, "_LOOK", 0.02)
    line = make(CARDS[0], CPU)
    run, busy = line.submit(config(1), "a", device="gpu"), line.submit(config(2), "c", device="cpu")
    at_work(run)
    at_work(busy)
    line.pause(run)
    other = line.submit(config(3), "b", device="cpu")
    time.sleep(0.4)
    assert (run.state().state, line.place(other)) == ("running", 1)
    line.submit(config(4), "b", device="gpu")
    assert "because others were waiting" in until(lambda: run.state().message)


@pytest.mark.parametrize("tidied_away", [False, True])
def test_runs_that_have_no_folder_get_a_new_one_or_a_sentence(make, tmp_path, tidied_away):
    line = make()
    if tidied_away:
        shutil.rmtree(line.root)
        line.bounds.free(line.root)
        assert line.root.is_dir()
    else:
        (tmp_path / "file").write_text("")
        with pytest.raises(QueueError, match="CNNVIZ_RUNS"):
            Queue(tmp_path / "file" / "runs")
        with pytest.raises(QueueError, match="cannot be written"):
            line.bounds.free(tmp_path / "file" / "runs")


@pytest.mark.parametrize(
    ("slots", "paused", "owner", "held_up_by"),
    [
        ([CPU], [0], "a", 0),
        ([CPU], [], "a", None),
        ([CPU], [0], "b", None),  # it gives way to others by itself
        (CARDS, [0, 1], "a", 0),
        (CARDS, [1], "a", None),  # the other card will be free
    ],
)
def test_a_run_behind_its_owners_paused_run_is_held_up_and_nobody_knows_how_long(
    make, slots, paused, owner, held_up_by
):
    line = make(*slots)
    runs = [line.submit(config(number), "a") for number in range(len(slots))]
    for run in runs:
        at_work(run)
        with (run.path / "events.jsonl").open("a") as file:
            for kind, at, step in (("start", 0, 0), ("step", 10, 100)):
                file.write(json.dumps({"kind": kind, "seconds": at, "step": step, "epochs": 4, "steps": 100}) + "\n")
    waiting = line.submit(config(9), owner)
    assert line.wait(waiting) == pytest.approx(30, abs=1)
    for index in paused:
        line.pause(runs[index])
    assert line.held_up_by(waiting) == (None if held_up_by is None else runs[held_up_by])
    assert (line.wait(waiting) is None) == (held_up_by is not None)
    assert line.held_up_by(runs[0]) is None
    for index in paused:
        line.go(runs[index])
    assert line.held_up_by(waiting) is None


def test_a_pause_is_no_time_at_work(make, monkeypatch, clock):
    monkeypatch.setattr(queue, "_LOOK", 0.05)
    monkeypatch.setattr(queue, "_TIDY", 0.05)
    line = make(minutes=1)  # 90 seconds are too long
    run = line.submit(CONFIG, "a")
    at_work(run)
    clock[0] += 60
    line.pause(run)
    clock[0] += 100
    time.sleep(0.5)  # the queue looks often
    assert run.state().state == "running"
    line.go(run)
    assert next(iter(line._working.values())).worked() == 60
    clock[0] += 29
    time.sleep(0.5)
    assert run.state().state == "running"
    clock[0] += 2
    until(lambda: "took much longer" in run.state().message)


def test_finish_ends_a_pause(make):
    line = make(mode="deaf")
    run = line.submit(CONFIG, "a")
    at_work(run)
    line.pause(run)
    line.finish(run)
    assert next(iter(line._working.values())).paused == 0


@pytest.mark.parametrize(
    ("done", "sentence"),
    [
        (0, "Stopped. No epoch was whole yet: start it again."),
        (3, "Stopped. Go on from the last whole epoch, or score the network as it is."),
        (CONFIG.epochs, "Stopped. All epochs are done: score the network as it is."),
    ],
)
def test_a_stopped_run_says_what_can_be_done_with_it(make, done, sentence):
    line = make(mode="deaf")
    run = line.submit(CONFIG, "a")
    at_work(run)
    if done:
        (run.path / "progress.json").write_text(json.dumps({"epoch": done}))
    line.stop(run)
    assert run.state().message == sentence


def test_a_run_that_goes_on_far_beyond_its_time_is_stopped(make, monkeypatch, clock):
    monkeypatch.setattr(queue, "_LOOK", 0.05)
    monkeypatch.setattr(queue, "_TIDY", 0.05)
    line = make(mode="deaf", minutes=1)
    run = line.submit(CONFIG, "a")
    at_work(run)
    clock[0] += 91
    until(lambda: "took much longer" in run.state().message)
    assert run.state().state == "stopped"


def test_closing_ends_every_worker_and_leaves_runs_that_can_go_on(make):
    line = make()
    runs = [line.submit(config(number), "a") for number in range(2)]
    pid = at_work(runs[0])
    line.close()
    assert not alive(pid)
    assert [run.state().state for run in runs] == ["interrupted", "interrupted"]
    assert "turn had not come" in runs[1].state().message
    with pytest.raises(QueueError, match="about to end"):
        line.submit(CONFIG, "a")
    again = make()
    for run in runs:
        again.resume(run)
    at_work(runs[0])


SERVER = """
import subprocess, sys, time
from pathlib import Path
from cnnviz.training.config import TrainingConfig
from cnnviz.training.device import Device
from cnnviz.training.queue import Bounds, Queue
line = Queue(Path(sys.argv[1]), sys.argv[2], [Device("cpu", 0, "CPU", 8 * 10**9, 0)], Bounds(room=0))
runs = [line.submit(TrainingConfig("digits", seed=seed), "a") for seed in (1, 2)]
line._keep_spare()
while not runs[0].state().pid:
    time.sleep(0.01)
other = subprocess.Popen(["sleep", "60"])  # a child made after the worker must not keep its stdin open
print(*(run.id for run in runs), runs[0].state().pid, other.pid, flush=True)
time.sleep(60)
"""


def test_a_killed_server_leaves_no_worker_and_no_run_that_seems_to_go_on(make, tmp_path):
    root = tmp_path / "runs"
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(root), str(tmp_path / "stand-in")],
        cwd=ROOT,
        env={**os.environ, "STAND_IN": ""},
        stdout=subprocess.PIPE,
        text=True,
    )
    first, second, pid, other = server.stdout.readline().split()
    server.kill()
    server.wait()
    server.stdout.close()
    try:
        until(lambda: not lock.taken(record.find(root, first).lock))
        until(lambda: not alive(int(pid)))
        assert alive(int(other))
        assert record.find(root, first).state().state == "interrupted"  # by the worker's own last word
        assert record.find(root, second).state().state == "queued"
        line = make()
        assert record.find(root, second).state().state == "interrupted"
        line.resume(record.find(root, second))
        at_work(record.find(root, second))
    finally:
        os.kill(int(other), 9)


@pytest.mark.parametrize(
    ("state", "somebody", "after", "sentence"),
    [
        ("running", "nobody", "interrupted", "The program that had started this run ended."),
        ("queued", "nobody", "interrupted", "This run's turn had not come"),
        ("running", "a worker", "running", ""),
        ("queued", "a queue", "queued", ""),
        ("running", "a queue", "running", ""),
        ("queued", "../../etc", "interrupted", "This run's turn had not come"),
        ("finished", "nobody", "finished", ""),
        ("stopped", "nobody", "stopped", ""),
        ("failed", "nobody", "failed", ""),
    ],
)
def test_at_the_start_runs_of_nobody_are_interrupted_and_others_left_alone(make, state, somebody, after, sentence):
    first = make()
    run = create(first.root, CONFIG, "a")
    held = lock.take(run.lock) if somebody == "a worker" else None
    token = {"a queue": first._token, "nobody": "0" * 16}.get(somebody, somebody)
    run.set_state(state=state, pid=os.getpid(), extra={"queue": token})
    make()
    assert run.state().state == after
    assert sentence in run.state().message
    if held:
        held.close()


def test_what_the_queue_itself_lost_is_settled_while_it_lives(make):
    line = make()
    run, waiting = line.submit(config(1), "a"), line.submit(config(2), "a")
    lost = create(line.root, CONFIG, "a")  # as after a disk so full that no last word could be said
    lost.set_state(state="running", extra={"queue": line._token})
    at_work(run)
    upkeep.settle(line.root, line._token, {run.id, waiting.id})
    assert [one.state().state for one in (run, waiting, lost)] == ["running", "queued", "interrupted"]


def test_a_run_of_another_program_is_neither_stopped_nor_deleted_from_here(make):
    line = make()
    run = create(line.root, CONFIG, "a")
    run.set_state(state="running")
    with lock.take(run.lock):
        for wish in (line.stop, line.delete, line.pause, line.resume):
            with pytest.raises(QueueError, match=r"another program|at work already"):
                wish(run)
        assert lock.take(run.lock) is None
    assert not lock.taken(run.lock)
    line.delete(run)
    assert not run.path.exists()


def shown(run: Run) -> set[str]:
    """What there is of a run, and what its only snapshot shows."""
    there = {"run": run.path, "card": run.card, "network": run.network, "pictures": run.path / "pictures.npz"}
    with np.load(run.snapshots / "00001.npz") as arrays:
        return {name for name, path in there.items() if path.exists()} | set(arrays.files)


def with_photos(root: Path, state: str = "finished", **values: object) -> Run:
    run = create(root, CONFIG, "a")
    run.set_state(state=state, **values)
    np.savez(run.snapshots / "00001.npz", picture=np.ones(3), maps_0=np.ones(3), kernels=np.ones(3))
    run.card.write_text("{}")
    run.network.write_bytes(b"network")
    pictures(3)(run)
    return run


RECORD = {"run", "card", "network", "kernels"}
SHOWN = {"pictures", "picture", "maps_0"}


@pytest.mark.parametrize(
    ("days", "own", "kept", "left"),
    [
        (6.9, True, "", RECORD | SHOWN),
        (7.1, True, "", RECORD),
        (7.1, True, "mine", RECORD),
        (7.1, False, "", RECORD | {"picture", "maps_0"}),
    ],
)
def test_photos_and_what_shows_them_are_stored_for_seven_days_and_the_run_stays(tmp_path, days, own, kept, left):
    run = with_photos(tmp_path, kept=kept)
    if not own:
        (run.path / "pictures.npz").unlink()
    upkeep.forget_photos(tmp_path, now=time.time() + days * 86_400)
    assert shown(run) == left


@pytest.mark.parametrize(
    "harm",
    [
        lambda run: (run.path / "state.json").write_text('{"format": 99, "state": "sleeping"}'),
        lambda run: (run.path / "state.json").write_text("{"),
        lambda run: (run.path / "state.json").unlink(),
        lambda run: (run.snapshots / "00001.npz").chmod(0o000),
        lambda run: run.path.rename(run.path.with_name("20269999-999999-00000000")),
    ],
    ids=["newer", "cut off", "gone", "closed", "odd name"],
)
def test_an_odd_record_is_never_deleted_and_does_not_keep_the_photos_of_others(tmp_path, harm):
    runs = [with_photos(tmp_path) for _ in range(3)]
    names = [path.name for path in sorted(tmp_path.iterdir())]
    odd = record.find(tmp_path, names[1])
    harm(odd)
    upkeep.forget_photos(tmp_path, now=time.time() + 8 * 86_400)
    left = [path for path in tmp_path.iterdir() if path.name not in (names[0], names[2])]
    assert len(left) == 1
    assert (left[0] / "model.keras").exists()
    for name in (names[0], names[2]):
        assert shown(record.find(tmp_path, name)) == RECORD
    assert len(runs) == 3


def test_the_photos_of_a_run_at_work_or_known_to_wait_stay(tmp_path):
    runs = [with_photos(tmp_path) for _ in range(2)]
    with lock.take(runs[0].lock):
        upkeep.forget_photos(tmp_path, {runs[1].id}, time.time() + 8 * 86_400)
    assert [shown(run) for run in runs] == [RECORD | SHOWN] * 2


def test_the_runs_are_for_the_servers_eyes_only(make):
    line = make()
    assert stat.S_IMODE(line.root.stat().st_mode) == 0o700


# a run of 4 epochs of 100 steps; the clock is that of training
@pytest.mark.parametrize(
    ("events", "minutes", "left"),
    [
        ([], 60, None),
        ([("start", 0, 0)], 60, None),
        ([("start", 0, 0), ("step", 10, 100)], 60, 30),  # 0.1 s a step, 300 to go
        ([("start", 0, 0), ("step", 2, 10), ("epoch", 9, 99), ("step", 40, 200)], 60, 40),
        ([("start", 0, 0), ("step", 100, 50)], 3, 80),  # the time allowed is over before
        ([("start", 120, 50), ("step", 150, 60)], 3, 30),  # and the time before counts
        ([("start", 0, 0), ("step", 50, 50), ("start", 500, 100), ("step", 510, 200)], 60, 20),  # resumed
        ([("start", 0, 0), ("step", "soon", None)], 60, None),
        ([("start", 0, 0), ("step", 40, 400)], 60, 0),
    ],
)
def test_the_time_left_follows_from_the_pace(tmp_path, events, minutes, left):
    run = create(tmp_path, CONFIG, "a")
    order = Order(run, "a", CONFIG.changed(minutes=minutes))
    order.begin()
    with (run.path / "events.jsonl").open("w") as file:
        for kind, at, step in events:
            file.write(json.dumps({"kind": kind, "seconds": at, "step": step, "epochs": 4, "steps": 100}) + "\n")
    assert order.seconds_left() == (None if left is None else pytest.approx(left, abs=0.5))


def test_the_wait_is_the_rest_of_this_run_and_the_length_of_those_before(make, clock):
    line = make()
    run, second, third = (line.submit(config(1), owner) for owner in "abc")
    at_work(run)
    clock[0] += 10
    assert [line.wait(run), line.wait(second)] == [0, None]
    for kind, at, step in (("start", 0, 0), ("step", 10, 100)):
        with (run.path / "events.jsonl").open("a") as file:
            file.write(json.dumps({"kind": kind, "seconds": at, "step": step, "epochs": 4, "steps": 100}) + "\n")
    assert line.wait(second) == pytest.approx(30)
    assert line.wait(third) == pytest.approx(30 + 40)  # at work for 10 so far
    line.stop(run)
    assert line.wait(run) is None


def test_many_sessions_at_once_leave_nothing_behind(make):
    line, faults = make(mode="short", waiting=50), []

    def session(owner: str) -> None:
        choose = random.Random(owner)
        try:
            for number in range(6):
                run = line.submit(config(number), owner)
                line.warm()
                for _ in range(3):
                    wish = choose.choice([line.stop, line.pause, line.finish, line.place, line.wait, line.delete])
                    with suppress(QueueError):
                        wish(run)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=session, args=(owner,)) for owner in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not faults

    def idle():
        with line._lock:
            return not line._working and not line._line

    until(idle, 120)
    assert {run.state().state for run in record.runs(line.root)} <= set(OVER)


def test_the_queue_never_imports_keras():
    code = "import sys, cnnviz.training.queue; print({'keras', 'tensorflow', 'streamlit'} & set(sys.modules) or 'none')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "none\n"
