"""The record of a run: states and events survive readers, writers, broken lines and full disks."""

import json
import stat
import threading

import pytest

from cnnviz import files
from cnnviz.training.config import TrainingConfig
from cnnviz.training.record import RecordError, Run, create, find, home, runs


@pytest.fixture
def run(tmp_path) -> Run:
    return create(tmp_path, TrainingConfig("drawn-shapes"), owner="a" * 32)


@pytest.mark.parametrize(("said", "expected"), [(None, "here/runs"), ("", "here/runs"), ("runs/2", "here/runs/2")])
def test_runs_lie_where_the_environment_says(said, expected, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("CNNVIZ_RUNS", raising=False)
    if said is not None:
        monkeypatch.setenv("CNNVIZ_RUNS", said)
    assert home() == tmp_path / expected


def test_a_new_run_is_queued_and_only_its_user_may_look(run):
    assert run.state().state == "queued"
    assert run.state().owner == "a" * 32
    assert run.config() == TrainingConfig("drawn-shapes")
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o700


def test_a_state_changes_in_part_and_keeps_the_rest(run):
    run.set_state(state="running", pid=7)
    run.set_state(paused=True)
    state = run.state()
    assert (state.state, state.pid, state.paused, state.owner) == ("running", 7, True, "a" * 32)
    assert json.loads((run.path / "state.json").read_text())["format"] == 1


def test_events_are_read_on_from_where_a_reader_was(run):
    run.append("step", step=1, loss=2.5)
    first, offset = run.events()
    run.append("step", step=2, loss=2.0)
    second, end = run.events(offset)
    assert [event["step"] for event in first + second] == [1, 2]
    assert run.events(end) == ([], end)
    assert {"format", "time", "kind", "step", "loss"} == set(first[0])


@pytest.mark.parametrize(
    ("tail", "steps"),
    [
        (b'{"format": 1, "kind": "step", "step": 2', [1]),  # half a line: the writer is not done
        (b"not json at all\n", [1]),
        (b'["a", "list"]\n', [1]),
        (b'{"kind": 3}\n', [1]),
        (b'\xff\xfe\n{"kind": "step", "step": 3}\n', [1, 3]),
    ],
)
def test_broken_lines_are_passed_over(run, tail, steps):
    run.append("step", step=1)
    with (run.path / "events.jsonl").open("ab") as file:
        file.write(tail)
    assert [event["step"] for event in run.events()[0]] == steps


def test_half_a_line_of_a_process_that_is_gone_does_not_spoil_the_next(run):
    run.append("step", step=1)
    with (run.path / "events.jsonl").open("ab") as file:
        file.write(b'{"kind": "step", "st')
    run.append("step", step=2)
    run.append("step", step=3)
    assert [event["step"] for event in run.events()[0]] == [1, 2, 3]


def test_half_a_line_is_read_once_it_is_whole(run):
    path = run.path / "events.jsonl"
    path.write_bytes(b'{"kind": "step", ')
    events, offset = run.events()
    assert events == []
    with path.open("ab") as file:
        file.write(b'"step": 1}\n')
    assert run.events(offset)[0] == [{"kind": "step", "step": 1}]


def test_readers_never_see_half_a_state(run):
    seen, over = [], threading.Event()

    def read():
        while not over.is_set():
            seen.append(run.state().message)

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(300):
        run.set_state(message=f"{number}" * 50)
    over.set()
    thread.join()
    assert all(message == "" or message == message[: len(message) // 50] * 50 for message in seen)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"format": 1}', "cannot be read"),
        ('{"format": 2, "state": "running"}', "newer"),
        ('{"format": 1, "state": "flying"}', "flying"),
        ('{"format": "x", "state": "running"}', "cannot be read"),
    ],
)
def test_a_broken_state_is_a_sentence(run, content, word):
    (run.path / "state.json").write_text(content)
    with pytest.raises(RecordError, match=word):
        run.state()


def test_fields_of_later_programs_are_kept(run):
    path = run.path / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "color": "green"}))
    assert run.set_state(state="running").extra == {"color": "green"}
    assert run.state().extra == {"color": "green"}


def test_runs_are_listed_newest_first_and_foreign_files_passed_over(tmp_path):
    for name in ("20260101-000000-00000000", "20270101-000000-00000000", "notes", "20260101-000000-xyz"):
        (tmp_path / name).mkdir()
    (tmp_path / "20280101-000000-00000000").write_text("a file")
    assert [run.id[:4] for run in runs(tmp_path)] == ["2027", "2026"]
    assert list(runs(tmp_path / "nowhere")) == []


@pytest.mark.parametrize("run_id", ["", "..", "../x", "20260101-000000-00000000", "/etc", "a\0b", "x" * 5000])
def test_an_id_from_a_url_finds_runs_only(tmp_path, run_id):
    with pytest.raises(RecordError, match="no such run"):
        find(tmp_path, run_id)


def test_a_directory_with_something_in_it_is_not_taken(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "novel.txt").write_text("chapter one")
    with pytest.raises(RecordError, match="not empty"):
        create(tmp_path, TrainingConfig("digits"), path=tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["novel.txt"]


def test_a_disk_that_fills_up_leaves_the_old_file_whole(run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = (run.path / "state.json").read_bytes()
    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        run.set_state(state="running")
    assert (run.path / "state.json").read_bytes() == before
    assert sorted(path.name for path in run.path.iterdir()) == ["config.json", "snapshots", "state.json"]


def test_delete_removes_everything(run):
    run.append("note", message="hello")
    run.delete()
    assert not run.path.exists()
    with pytest.raises(RecordError, match="gone"):
        run.state()
