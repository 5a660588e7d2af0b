"""Runs with the real worker: wishes, and every fault that a run can meet, each in processes of its own."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from cnnviz.training import lock, record
from cnnviz.training.config import TrainingConfig
from cnnviz.training.device import Device
from cnnviz.training.endings import FULL, INTERRUPTED, MEMORY, STOPPED
from cnnviz.training.queue import Bounds, Queue, QueueError
from cnnviz.training.record import Run, create

pytestmark = [pytest.mark.keras, pytest.mark.skipif(sys.platform != "linux", reason="ends processes as Linux does")]

ROOT = Path(__file__).resolve().parents[1]
CPU = Device("cpu", 0, "CPU", 8 * 10**9, 8 * 10**9)
ENDLESS = TrainingConfig("drawn-shapes", number=60, batch_size=8, epochs=1000)
ON = "Go on from the last whole epoch, or score the network as it is."
PATIENCE = 300.0  # seconds, on a machine that has other things to do


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    made = Queue(tmp_path_factory.mktemp("runs"), slots=[CPU], bounds=Bounds(epochs=1000, room=0))
    yield made
    made.close()


def until(condition, seconds=PATIENCE):
    give_up = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.01)
    return found


def events(run: Run, kind: str) -> list[dict]:
    return [event for event in run.events()[0] if event["kind"] == kind]


def trains(run: Run, time: int = 1) -> int:
    """The process of the run, once it has a whole epoch since it was started for this time."""

    def done():
        state = run.state()
        assert state.state in ("queued", "running"), state.message
        seen = [event["kind"] for event in run.events()[0] if event["kind"] in ("start", "epoch")]
        return state.pid if seen.count("start") == time and seen[-1] == "epoch" else 0

    return until(done)


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def idle(line: Queue, run: Run) -> bool:
    return line.place(run) is None


def test_a_run_is_paused_stopped_gone_on_with_killed_gone_on_with_and_scored(line):
    run = line.submit(ENDLESS, "a")
    pid = trains(run)
    assert line.place(run) == 0
    assert lock.taken(run.lock)
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, 10 + os.getpriority(os.PRIO_PROCESS, 0))

    line.pause(run)
    until(lambda: run.state().paused)
    steps = len(events(run, "step"))
    time.sleep(0.6)
    assert len(events(run, "step")) <= steps + 1
    line.go(run)
    until(lambda: not run.state().paused and len(events(run, "step")) > steps + 1)

    began = time.monotonic()
    line.stop(run)
    seconds = time.monotonic() - began
    print(f"stopped in {seconds:.3f} s")
    assert seconds < 1
    assert not alive(pid)
    assert not lock.taken(run.lock)
    assert (run.state().state, run.state().message, run.state().pid) == ("stopped", f"{STOPPED} {ON}", 0)
    assert events(run, "end")[-1]["state"] == "stopped"
    assert run.events()[0][-1]["kind"] == "end"
    whole = events(run, "epoch")[-1]["epoch"]
    assert run.checkpoint.exists()
    assert not list(run.path.glob(".*"))

    line.resume(run)
    pid = trains(run, 2)
    assert events(run, "start")[-1]["resumed"] == whole
    assert events(run, "epoch")[-1]["epoch"] > whole
    os.kill(pid, signal.SIGKILL)
    until(lambda: idle(line, run))
    assert run.state().state == "interrupted"
    assert "most likely because memory ran out" in run.state().message
    assert run.state().message.endswith(ON)
    whole = json.loads((run.path / "progress.json").read_text())["epoch"]

    line.resume(run)
    trains(run, 3)
    assert events(run, "start")[-1]["resumed"] == whole
    line.finish(run)
    until(lambda: idle(line, run))
    assert (run.state().state, run.state().message) == ("finished", "")
    assert json.loads(run.card.read_text())["scores"]["test"]["n"] > 0


def test_a_spare_worker_trains_at_once_and_a_run_deleted_at_work_leaves_nothing(line):
    line.warm()
    until(lambda: any(worker.ready for worker in line._spares))
    spare = line._spares[0].process.pid
    began = time.monotonic()
    run = line.submit(ENDLESS.changed(seed=2), "a")
    until(lambda: events(run, "step"))
    print(f"first step after {time.monotonic() - began:.2f} s")
    assert run.state().pid == spare
    began = time.monotonic()
    line.delete(run)
    assert time.monotonic() - began < 30
    assert not alive(spare)
    assert not run.path.exists()
    line._warm_until = 0.0  # the page is closed again
    line._keep_spare()


def test_a_run_can_be_stopped_while_its_worker_still_imports(line):
    run = line.submit(ENDLESS.changed(seed=3), "a")
    time.sleep(1)
    worker = next(iter(line._working)).process
    began = time.monotonic()
    line.stop(run)
    assert time.monotonic() - began < 30
    assert worker.poll() is not None
    assert (run.state().state, run.state().message) == ("stopped", f"{STOPPED} No epoch was whole yet: start it again.")
    line.delete(run)


def test_a_run_whose_directory_disappears_ends_and_leaves_nothing(line):
    run = line.submit(ENDLESS.changed(seed=4), "a")
    pid = trains(run)
    run.delete()
    until(lambda: idle(line, run))
    assert not alive(pid)
    assert not run.path.exists()


def test_a_worker_that_gets_no_more_memory_says_so(line):
    run = line.submit(ENDLESS.changed(seed=5, architecture="system-b", batch_size=32), "a")
    pid = until(lambda: events(run, "start") and run.state().pid)
    size = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(pid, resource.RLIMIT_AS, (size + 10_000_000, size + 10_000_000))
    until(lambda: idle(line, run))
    assert (run.state().state, run.state().message) == ("failed", MEMORY)
    assert not alive(pid)
    line.delete(run)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 8 MB."""
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("only root may mount a small disk")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_full_disk_is_said_and_the_last_whole_epoch_is_there(small_disk):
    line = Queue(small_disk, slots=[CPU], bounds=Bounds(epochs=1000, room=0))
    run = line.submit(ENDLESS, "a")
    pid = trains(run)
    with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    until(lambda: idle(line, run))
    assert not alive(pid)
    assert (run.state().state, run.state().message) == ("failed", f"{FULL} {ON}")
    assert events(run, "end")[-1]["message"] == f"{FULL} {ON}"
    with zipfile.ZipFile(run.checkpoint) as checkpoint:
        assert checkpoint.testzip() is None
    assert not list(run.path.glob(".*"))
    line.bounds = Bounds(epochs=1000)
    with pytest.raises(QueueError, match="must stay free"):
        line.resume(run)
    line.close()


SERVER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from cnnviz.training.config import TrainingConfig
from cnnviz.training.queue import Bounds, Queue
line = Queue(Path(sys.argv[1]), bounds=Bounds(epochs=1000, room=0))
run = line.submit(TrainingConfig("drawn-shapes", number=60, batch_size=8, epochs=1000), "a")
print(run.id, flush=True)
time.sleep(600)
"""


def test_the_worker_of_a_killed_server_ends_and_the_run_can_go_on(tmp_path):
    (tmp_path / "keras.py").write_text(
        "raise SystemExit('Not Keras, but a file that lies where the server was started.')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path / "runs"), str(ROOT)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            run = record.find(tmp_path / "runs", server.stdout.readline().strip())
            pid = trains(run)
        finally:
            server.kill()
        began = time.monotonic()
    until(lambda: not alive(pid))
    print(f"ended {time.monotonic() - began:.3f} s after its server")
    assert (run.state().state, run.state().message, run.state().pid) == ("interrupted", f"{INTERRUPTED} {ON}", 0)
    assert run.checkpoint.exists()


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ("{", "The settings are no JSON"),
        ('{"data": "drawn-shapes", "epochs": -5}', "epochs"),
        ('{"data": ""}', "The pictures of this run are gone"),
        ('{"data": "/no/such/folder"}', "/no/such/folder"),
    ],
)
def test_a_run_that_cannot_be_trained_ends_in_a_sentence(tmp_path, config, sentence):
    from cnnviz.training import worker  # noqa: PLC0415

    run = create(tmp_path, ENDLESS)
    (run.path / "config.json").write_text(config)
    assert worker.work(run, "test") == "failed"
    assert run.state().state == "failed"
    assert sentence in run.state().message
    assert "Error" not in run.state().message


def test_two_processes_never_work_on_the_same_run(tmp_path):
    from cnnviz.training import worker  # noqa: PLC0415

    run = create(tmp_path, ENDLESS)
    with lock.take(run.lock), pytest.raises(record.RecordError, match="being trained already"):
        worker.work(run, "test")
    assert run.state().state == "queued"
