"""Devices, free memory and load, on made-up drivers and machines; the arithmetic by hand."""

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from cnnviz.layers import memory as network_memory
from cnnviz.training import device
from cnnviz.training.config import ConfigError, TrainingConfig
from cnnviz.training.device import Device, Load, check_memory, devices, environment, load
from cnnviz.training.queue import Queue

GB = 10**9
CARD = Device("gpu", 0, "NVIDIA H200", 140 * GB, 139 * GB, "GPU-aaaa")
CPU = Device("cpu", 0, "CPU, 2 cores", 8 * GB, 6 * GB)


class NVMLError(Exception):
    pass


def driver(*uuids, fault=(), text=str):
    """A stand-in for nvidia-ml-py with these cards; the calls named in `fault` fail, as old drivers' do."""

    def call(name, value):
        def answer(*_):
            if name in fault:
                raise NVMLError("Not Supported")
            return value(*_) if callable(value) else value

        return answer

    processes = [SimpleNamespace(pid=7, usedGpuMemory=2 * GB), SimpleNamespace(pid=8, usedGpuMemory=None)]
    values = {
        "nvmlDeviceGetCount": len(uuids),
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetUUID": lambda index: text(uuids[index]),
        "nvmlDeviceGetName": lambda _: text("NVIDIA H200"),
        "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=140 * GB, free=135 * GB, used=5 * GB),
        "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=73),
        "nvmlDeviceGetComputeRunningProcesses": lambda _: processes,
    }
    return SimpleNamespace(NVMLError=NVMLError, **{name: call(name, value) for name, value in values.items()})


@pytest.fixture
def cards(monkeypatch):
    """Puts a made-up driver in place of the machine's."""

    def put(found, visible=None):
        monkeypatch.setattr(device, "_driver", lambda: found)
        if visible is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return put


@pytest.mark.parametrize(
    ("found", "visible", "uuids"),
    [
        (None, None, []),
        (driver(), None, []),
        (driver("GPU-a", "GPU-b"), None, ["GPU-a", "GPU-b"]),
        (driver("GPU-a", text=lambda word: word.encode()), None, ["GPU-a"]),  # older versions answer in bytes
        (driver("GPU-a", "GPU-b"), "1", ["GPU-b"]),
        (driver("GPU-a", "GPU-b"), "GPU-b", ["GPU-b"]),
        (driver("GPU-a", "GPU-b"), "0, 1", ["GPU-a", "GPU-b"]),
        (driver("GPU-a", "GPU-b"), "", []),
        (driver("GPU-a", "GPU-b"), "-1", []),
        (driver("GPU-a", fault=["nvmlDeviceGetCount"]), None, []),
        (driver("GPU-a", fault=["nvmlDeviceGetMemoryInfo"]), None, []),
    ],
)
def test_cards_are_listed_before_the_cpu_as_far_as_they_may_be_used(cards, found, visible, uuids):
    cards(found, visible)
    *gpus, cpu = devices()
    assert [card.uuid for card in gpus] == uuids
    assert all(
        (card.kind, card.name, card.memory, card.free) == ("gpu", "NVIDIA H200", 140 * GB, 135 * GB) for card in gpus
    )
    assert (cpu.kind, cpu.uuid) == ("cpu", "")
    assert cpu.name.startswith("CPU, ")
    assert 0 < cpu.free <= cpu.memory


def test_runs_go_to_the_cards_and_to_the_cpu_only_where_there_is_none(cards, tmp_path):
    for found, kinds in ((driver("GPU-a", "GPU-b"), ["gpu", "gpu"]), (None, ["cpu"])):
        cards(found)
        line = Queue(tmp_path / "runs")
        assert [slot.kind for slot in line._may("")] == kinds
        assert [slot.kind for slot in line._may("cpu")] == ["cpu"]
        line.close()


def test_what_is_free_is_asked_anew(cards, monkeypatch):
    cards(driver("GPU-a", "GPU-b"))
    monkeypatch.setattr(device, "memory", lambda: (8 * GB, GB))
    for where, free in (
        (Device("gpu", 1, "card", 140 * GB, 7, "GPU-b"), 135 * GB),
        (Device("gpu", 2, "gone", 140 * GB, 7, "GPU-c"), 7),
        (CPU, GB),
    ):
        now = device.at_present(where)
        assert (now.free, now.uuid, now.memory) == (free, where.uuid, where.memory)


@pytest.mark.parametrize("missing", ["package", "library", "driver"])
def test_a_machine_without_a_driver_has_no_cards_and_no_fault(monkeypatch, missing):
    def unable(*_):
        raise {"package": ModuleNotFoundError, "library": OSError, "driver": NVMLError}[missing](missing)

    module = SimpleNamespace(nvmlInit=unable)
    monkeypatch.setattr(device.importlib, "import_module", unable if missing == "package" else lambda _: module)
    assert device._driver.__wrapped__() is None


@pytest.mark.parametrize(("where", "seen"), [(CARD, "GPU-aaaa"), (CPU, "-1")])
def test_a_worker_sees_its_device_only_and_takes_memory_as_it_needs_it(where, seen, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    found = environment(where)
    assert found["CUDA_VISIBLE_DEVICES"] == seen
    assert found["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    assert found["TF_CPP_MIN_LOG_LEVEL"] == "2"
    assert found["PYTHONPATH"].split(os.pathsep)[1] == "/elsewhere"
    assert found["PATH"] == os.environ["PATH"]


def needs(config: TrainingConfig, batch: int, slots: int = 2) -> int:
    return network_memory(device.layers.with_classes(config.network(), 5), config.input().shape, batch, slots).total


TINY = TrainingConfig("drawn-shapes", batch_size=200)


@pytest.mark.parametrize(
    ("config", "where", "free", "proposed"),
    [
        (TINY, "gpu", needs(TINY, 200), None),
        (TINY, "gpu", needs(TINY, 200) - 1, "choose a batch of 128."),
        (TINY, "gpu", needs(TINY, 128), "choose a batch of 128."),
        (TINY, "gpu", needs(TINY, 128) - 1, "choose a batch of 64."),
        (TINY, "gpu", needs(TINY, 1), "choose a batch of 1."),
        (TINY, "gpu", needs(TINY, 1) - 1, "choose smaller pictures or a smaller network."),
        (TINY.changed(batch_size=1), "gpu", needs(TINY, 1) - 1, "choose smaller pictures or a smaller network."),
        (TINY.changed(number=100), "gpu", needs(TINY, 100), None),  # there are no more pictures than that
        (TINY.changed(number=100), "gpu", needs(TINY, 100) - 1, "choose a batch of 64."),
        (TINY.changed(optimizer="sgd", weight_decay=0.0), "gpu", needs(TINY, 200, slots=1), None),
        (TINY, "cpu", needs(TINY, 200), "choose smaller pictures or a smaller network."),
        (TINY, "cpu", needs(TINY, 200) + device.FRAMEWORK, None),
    ],
)
def test_a_network_too_large_for_memory_is_refused_with_a_batch_that_fits(monkeypatch, config, where, free, proposed):
    monkeypatch.delitem(sys.modules, "keras", raising=False)  # as in the web server
    where = Device(where, 0, "device", 8 * GB, free, "GPU-a")
    if proposed is None:
        check_memory(config, 5, where)
        return
    with pytest.raises(ConfigError, match=proposed):
        check_memory(config, 5, where)


def test_the_refusal_tells_the_arithmetic(monkeypatch):
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    config = TrainingConfig("drawn-shapes", architecture="system-a", batch_size=1024)
    with pytest.raises(ConfigError) as refused:
        check_memory(config, 2, CPU)
    whole = network_memory(device.layers.with_classes(config.network(), 2), (256, 256, 3), 1024)
    start, end = str(refused.value).split(whole.how)
    assert start == f"This network needs {whole.total / 1e9 + 0.8:.1f} GB for a batch of 1,024 pictures ("
    assert end.startswith(", and 800 MB for TensorFlow), but 6.0 GB are free; choose a batch of ")


def test_layers_that_cannot_be_are_refused_as_settings():
    with pytest.raises(ConfigError, match="at least two"):
        check_memory(TINY, 1, CPU)


def test_on_a_card_the_framework_has_its_memory_elsewhere():
    config = TrainingConfig("drawn-shapes")
    check_memory(config, 5, Device("gpu", 0, "card", GB, 10**8, "GPU-a"))


@pytest.mark.parametrize(
    ("pid", "where", "fault", "share", "used"),
    [
        (7, CARD, [], 0.73, 2 * GB),
        (8, CARD, [], 0.73, 5 * GB),  # this driver does not say how much is whose
        (9, CARD, [], 0.73, 5 * GB),
        (7, CARD, ["nvmlDeviceGetComputeRunningProcesses"], 0.73, 5 * GB),
        (7, CARD, ["nvmlDeviceGetUtilizationRates"], None, 2 * GB),
        (7, CPU, [], None, None),
        (7, None, [], None, None),
        (7, Device("gpu", 1, "gone", 0, 0, "GPU-x"), [], None, None),
    ],
)
def test_the_load_of_a_card_is_told_as_far_as_it_is_known(cards, pid, where, fault, share, used):
    cards(driver("GPU-aaaa", fault=fault))
    found = load(pid, where)
    assert (found.gpu, found.gpu_memory) == (share, used)


def test_the_memory_of_a_process_is_that_of_the_process(cards):
    cards(None)
    code = "import sys; block = bytearray(200_000_000); print(len(block), flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert 200_000_000 < load(process.pid).memory < 240_000_000
        process.stdin.close()
    assert load(process.pid).memory is None
    assert load().memory is None


def test_the_processors_load_is_that_between_two_looks(cards, monkeypatch):
    cards(None)
    monkeypatch.setattr(device, "_sample", device._Sample())
    # user nice system idle iowait irq softirq steal guest guest_nice
    lines = ["cpu 100 0 0 900 0 0 0 0 0 0", "cpu 130 20 10 960 20 0 0 0 30 20", "cpu 130 20 10 960 20 0 0 0 0 0"]
    monkeypatch.setattr(device.Path, "read_text", lambda *_: lines[0] + "\ncpu0 1 2 3\n")
    monkeypatch.setattr(device, "_SAMPLE", 0.1)
    assert load().cpu is None
    assert load().cpu is None  # too early to tell
    time.sleep(0.12)
    lines.pop(0)
    assert load().cpu == pytest.approx(60 / 140)
    assert load().cpu == pytest.approx(60 / 140)


def test_where_nothing_is_known_nothing_is_said(cards, monkeypatch):
    def unable(*_):
        raise OSError("no such file")

    cards(None)
    monkeypatch.setattr(device, "_sample", device._Sample())
    monkeypatch.setattr(device.Path, "read_text", unable)
    assert load(1) == Load()
    total, free = device.memory()
    assert total == free == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    monkeypatch.setattr(device.os, "sysconf", unable)
    assert device.memory() == (4 * GB, 4 * GB)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, (16 * GB, 10 * GB)),
        ({"memory.max": "max", "memory.current": "5", "memory.stat": "inactive_file 0"}, (16 * GB, 10 * GB)),
        (
            {"memory.max": f"{4 * GB}", "memory.current": f"{3 * GB}", "memory.stat": f"anon 1\ninactive_file {GB}"},
            (4 * GB, 2 * GB),
        ),
        (
            {"memory.max": f"{15 * GB}", "memory.current": f"{GB}", "memory.stat": "inactive_file 0"},
            (15 * GB, 10 * GB),
        ),
        ({"memory.max": f"{4 * GB}"}, (16 * GB, 10 * GB)),
    ],
)
def test_a_containers_limit_counts(monkeypatch, tmp_path, files, expected):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "meminfo").write_text("MemTotal: 15625000 kB\nMemFree: 1 kB\nMemAvailable: 9765625 kB\n")
    whole = device.Path

    def path(name):
        return whole(tmp_path / "meminfo") if name == "/proc/meminfo" else whole(name)

    monkeypatch.setattr(device, "Path", path)
    monkeypatch.setattr(device, "_GROUPS", [(tmp_path, "memory.max", "memory.current", "inactive_file")])
    assert device.memory() == expected
