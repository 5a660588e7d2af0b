"""What a run can train on: processor and graphics cards, listed without TensorFlow; free memory and load."""

import importlib
import os
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from cnnviz import layers
from cnnviz.training.config import ConfigError, TrainingConfig

FRAMEWORK = 800_000_000  # bytes that TensorFlow and its graph take before the first batch (measured: 0.7 to 1.0 GB)
_SLOTS = {"adamw": 2, "adam": 2, "rmsprop": 1, "sgd": 1}  # numbers that the optimizer keeps for each weight
_SAMPLE = 0.5  # seconds over which the processor's load is taken at least


@dataclass(frozen=True, slots=True)
class Device:
    """A processor or a graphics card. memory and free are bytes; uuid names a card for CUDA and is "" for the CPU."""

    kind: Literal["cpu", "gpu"]
    index: int
    name: str
    memory: int
    free: int
    uuid: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the machine is; None where it cannot be known here.

    cpu: share of all cores, 0..1, over the last half second or more. memory: bytes of one process. gpu: share of the
    last moments in which the card computed, 0..1. gpu_memory: bytes of the process on the card, or of all on it where
    the driver does not tell them apart.
    """

    cpu: float | None = None
    memory: int | None = None
    gpu: float | None = None
    gpu_memory: int | None = None


def devices() -> list[Device]:
    """The graphics cards that this process may use (CUDA_VISIBLE_DEVICES), then the CPU; never an exception."""
    found: list[Device] = []
    driver = _driver()
    if driver is not None:
        for index, (handle, uuid) in enumerate(_cards(driver)):
            with suppress(driver.NVMLError):
                memory = driver.nvmlDeviceGetMemoryInfo(handle)
                name = _text(driver.nvmlDeviceGetName(handle))
                found.append(Device("gpu", index, name, int(memory.total), int(memory.free), uuid))
    return [*found, _cpu()]


def at_present(device: Device) -> Device:
    """The same device with the memory that is free now; as it was where it cannot be asked."""
    if device.kind == "cpu":
        return replace(device, free=memory()[1])
    return next((found for found in devices() if found.uuid == device.uuid), device)


def environment(device: Device) -> dict[str, str]:
    """The environment of a worker that trains on this device and sees no other."""
    root = str(Path(__file__).resolve().parents[2])
    path = os.environ.get("PYTHONPATH", "")
    return {
        **os.environ,
        "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root,
        "PYTHONSAFEPATH": "1",  # a keras.py where the server was started is not Keras
        "PYTHONUNBUFFERED": "1",
        "CUDA_VISIBLE_DEVICES": device.uuid or "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # JAX otherwise takes three quarters of the card at once
    }


def use() -> str:
    """Prepare the device in this process, before Keras' first tensor, and return it in words.

    "NVIDIA H200", or "CPU, 2 cores", also where a card is there that this installation cannot use. TensorFlow takes a
    card's memory as it needs it; for JAX the starter has to say so in the environment.
    """
    import keras

    found = _in_use(keras.config.backend())
    if found:
        return found
    cpu, cards = _cpu().name, devices()[:-1]
    if cards:
        return f"{cpu} ({cards[0].name} is there, but this {keras.config.backend()} was installed without it)"
    return cpu


def check_memory(config: TrainingConfig, classes: int, device: Device | None = None) -> None:
    """ConfigError with the arithmetic where a batch of this network does not fit into the device's free memory.

    classes: how many, or 0 where that is not known yet. device: otherwise the one that Keras computes on, or the first
    where Keras is not loaded. An estimate in float32: see layers.memory.
    """
    device = device or _own()
    if sentence := shortage(config, classes, device, device.free, f"{in_words(device.free)} are free"):
        raise ConfigError(sentence)


def shortage(config: TrainingConfig, classes: int, device: Device, room: int, there: str) -> str:
    """What is said where a batch of this network takes more than `room` bytes on the device; "" where it fits.

    there: how much room there is, in words. ConfigError where these layers cannot be.
    """
    batch = min(config.batch_size, config.number or config.batch_size)
    shape = config.input().shape
    # in a worker the framework has its memory already
    base = FRAMEWORK if device.kind == "cpu" and "keras" not in sys.modules else 0

    def need(size: int) -> layers.Memory:
        return layers.memory(network, shape, size, _SLOTS[config.optimizer])

    try:
        network = layers.with_classes(config.network(), classes) if classes else config.network()
        whole = need(batch)
    except layers.LayerError as error:
        raise ConfigError(str(error)) from None
    if whole.total + base <= room:
        return ""
    how = whole.how + (f", and {in_words(base)} for TensorFlow" if base else "")
    smaller = [2**power for power in range(9, -1, -1) if 2**power < batch]
    fitting = next((size for size in smaller if need(size).total + base <= room), 0)
    advice = f"choose a batch of {fitting}" if fitting else "choose smaller pictures or a smaller network"
    needs = f"This network needs {in_words(whole.total + base)} for a batch of {batch:,} pictures ({how})"
    return f"{needs}, but {there}; {advice}."


def check_pictures(count: int, config: TrainingConfig) -> None:
    """ConfigError with the arithmetic where so many pictures at the network's input size do not fit into memory."""
    height, width, channels = config.input().shape
    need, free = count * height * width * channels, _cpu().free
    if need > free:
        raise ConfigError(
            f"{count:,} pictures of {height} × {width} × {channels} take {in_words(need)}, but {in_words(free)} are "
            "free; choose a network with a smaller input, or fewer pictures."
        )


def load(pid: int = 0, device: Device | None = None) -> Load:
    """How busy the machine is, and what the process with this id takes; quick, and safe to call from many threads."""
    used, share, on_card = None, None, None
    if pid:
        with suppress(OSError, ValueError, IndexError):
            pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
            used = pages * os.sysconf("SC_PAGE_SIZE")
    driver = _driver()
    if driver is not None and device is not None and device.kind == "gpu":
        handle = next((handle for handle, uuid in _cards(driver) if uuid == device.uuid), None)
        if handle is not None:
            with suppress(driver.NVMLError):
                share = driver.nvmlDeviceGetUtilizationRates(handle).gpu / 100
            with suppress(driver.NVMLError):
                on_card = int(driver.nvmlDeviceGetMemoryInfo(handle).used)
                for process in driver.nvmlDeviceGetComputeRunningProcesses(handle):
                    if process.pid == pid and process.usedGpuMemory is not None:
                        on_card = int(process.usedGpuMemory)
    return Load(_busy(), used, share, on_card)


@cache
def _driver() -> Any:
    """The NVIDIA driver's library, ready to be asked, or None where there is none."""
    try:
        driver = importlib.import_module("pynvml")
        driver.nvmlInit()
    except Exception:  # a machine without the package, the driver or the rights has no card that we can use
        return None
    return driver


def _cards(driver: Any) -> list[tuple[Any, str]]:
    """Handle and UUID of each card that CUDA_VISIBLE_DEVICES leaves visible, in the driver's order."""
    cards = []
    with suppress(driver.NVMLError):
        for index in range(driver.nvmlDeviceGetCount()):
            handle = driver.nvmlDeviceGetHandleByIndex(index)
            cards.append((handle, _text(driver.nvmlDeviceGetUUID(handle))))
    asked = os.environ.get("CUDA_VISIBLE_DEVICES")
    if asked is None:
        return cards
    words = [word.strip() for word in asked.split(",") if word.strip()]
    return [
        (handle, uuid)
        for index, (handle, uuid) in enumerate(cards)
        if any(word == str(index) or (not word.isdigit() and uuid.startswith(word)) for word in words)
    ]


def _text(given: str | bytes) -> str:
    return given.decode("utf-8", "replace") if isinstance(given, bytes) else given


def _cpu() -> Device:
    cores = _cores()
    total, free = memory()
    return Device("cpu", 0, f"CPU, {cores} core{'s' * (cores > 1)}", total, free)


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory() -> tuple[int, int]:
    """Bytes of memory that this process could have at most, and those of them that are free now.

    A container's limit counts where it is lower. Where the system does not tell what is free, all of it is taken as
    free; where it tells nothing, 4 GB are assumed.
    """
    total = free = 4_000_000_000
    if sys.platform == "win32":
        total, free = _windows_memory()
    else:
        with suppress(OSError, ValueError):
            total = free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError, KeyError):
        lines = (line.split() for line in Path("/proc/meminfo").read_text("ascii").splitlines())
        known = {words[0]: 1024 * int(words[1]) for words in lines if len(words) > 1}
        total, free = known["MemTotal:"], known["MemAvailable:"]
    for folder, limit, used, cached in _GROUPS:
        with suppress(OSError, ValueError, KeyError):
            most = int((folder / limit).read_text("ascii"))  # "max" is no number: no limit
            lines = (line.split() for line in (folder / "memory.stat").read_text("ascii").splitlines())
            files = {words[0]: int(words[1]) for words in lines}[cached]  # the system gives these back when asked
            left = most - int((folder / used).read_text("ascii")) + files
            total, free = min(total, most), max(0, min(free, left))
    return total, free


_GROUPS = (
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"),
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def _windows_memory() -> tuple[int, int]:
    """GlobalMemoryStatusEx: total and available physical memory."""
    import ctypes  # noqa: PLC0415 - needed on Windows only

    names = ("total", "free", "page", "free_page", "virtual", "free_virtual", "extended")

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in names),
        )

    status = Status()
    status.length = ctypes.sizeof(Status)
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return int(status.total), int(status.free)


@dataclass
class _Sample:
    """The processor's counters when they were last read, and the share of busy time that followed from them."""

    time: float = float("-inf")
    busy: int = 0
    all: int = 0
    share: float | None = None


_sample = _Sample()
_sampling = threading.Lock()


def _busy() -> float | None:
    """Share of busy time of all cores since the sample before; None at the first call and where it is not known."""
    with _sampling, suppress(OSError, ValueError, IndexError):
        now = time.monotonic()
        if now - _sample.time < _SAMPLE:
            return _sample.share
        # user, nice, system, idle, iowait, irq, softirq, steal
        counts = [int(word) for word in Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:9]]
        busy, every = sum(counts) - counts[3] - counts[4], sum(counts)
        if _sample.all and every > _sample.all:
            _sample.share = (busy - _sample.busy) / (every - _sample.all)
        _sample.time, _sample.busy, _sample.all = now, busy, every
    return _sample.share


def _own() -> Device:
    """The device of this process."""
    if "keras" in sys.modules and not _in_use(sys.modules["keras"].config.backend()):
        return _cpu()
    return devices()[0]


@cache
def _in_use(backend: str) -> str:
    """The card that Keras will compute on, or nothing."""
    with suppress(Exception):  # a backend that stumbles over its card computes on the CPU
        if backend == "tensorflow":
            import tensorflow

            cards = tensorflow.config.list_physical_devices("GPU")
            for card in cards:
                tensorflow.config.experimental.set_memory_growth(card, True)
            if cards:
                return str(tensorflow.config.experimental.get_device_details(cards[0]).get("device_name", "GPU"))
        elif backend == "jax":
            import jax  # noqa: PLC0415

            if jax.default_backend() == "gpu":
                return str(jax.devices()[0].device_kind)
    return ""


def in_words(size: float) -> str:
    """Bytes in words: "9.3 GB", "120 MB"."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
