"""What tests share: the real server in a process of its own, and a real browser."""

import gc
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from browser import find
from playwright.sync_api import TimeoutError, sync_playwright

from cnnviz import engine, face
from cnnviz.engine_process import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[1]
PACKS = ROOT.parent / "shared" / "data"
PATIENCE = 180.0  # seconds; all of it is needed only where others use the machine, too
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)
# Notes when the page last asked its server something, and when it last heard from it.
WIRE = """
globalThis.wire = { sent: 0, heard: 0 }
globalThis.WebSocket = class extends WebSocket {
  constructor(...options) {
    super(...options)
    this.addEventListener("message", () => { wire.heard = performance.now() })
  }
  send(data) {
    wire.sent = performance.now()
    super.send(data)
  }
}
"""
# Nothing runs, what was asked is answered (some questions have no answer), and the page has had frames to draw it in:
# frames and not time alone, since a busy machine lets time pass without the page getting on.
AT_REST = """() => {
  const wire = (globalThis.wire ??= { sent: 0, heard: 0 })
  const now = performance.now()
  const rest = document.querySelector("[data-testid=stApp]")?.dataset.testScriptState === "notRunning"
    && !document.querySelector("[data-testid=stSkeleton]")
    && (wire.heard >= wire.sent || now - wire.sent > 10000)
    && now - Math.max(wire.heard, wire.sent) > 150
  wire.frames = rest ? (wire.frames ?? 0) + 1 : 0
  return wire.frames > 12
}"""


@dataclass
class Server:
    """The running app: its address, its process, the file that tests/serve.py writes, and where runs lie."""

    url: str
    process: subprocess.Popen[bytes]
    report_file: Path
    runs: Path

    def report(self) -> dict[str, Any]:
        """A report written after now."""
        asked = time.time()
        while self.report_file.stat().st_mtime <= asked + 0.5:
            time.sleep(0.1)
        return json.loads(self.report_file.read_text())


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where no test with Keras is asked for, the files that hold nothing else are not imported: that takes seconds."""
    return True if collection_path.name.endswith("_keras.py") and "not keras" in config.option.markexpr else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """For two processes: what takes minutes first, a browser's file beside one without, so that both end together."""
    if not hasattr(config, "workerinput"):
        return
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)

    def marked(mark: str) -> list[Path]:
        return [path for path in files if any(item.get_closest_marker(mark) for item in files[path])]

    browser = marked("browser")
    keras = [path for path in marked("keras") if path not in browser]
    first = [path for pair in zip_longest(browser, keras) for path in pair if path]
    items[:] = [item for path in dict.fromkeys((*first, *files)) for item in files[path]]


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is in memory by now stays: it is not looked through again and again for something to let go of."""
    if "not keras" in session.config.option.markexpr and "keras" in sys.modules:
        raise pytest.UsageError("A test file that is not called ..._keras.py imports Keras, and that takes seconds.")
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No page that a quick test opens loads Keras beside it, except by a call that needs it."""
    if request.node.get_closest_marker("keras") is None:
        monkeypatch.setattr(engine, "start", lambda: None)


@pytest.fixture(autouse=True)
def _faces_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine says of faces, and what a page told the engine of them, is nothing to the next test."""
    monkeypatch.delenv(face.SWITCH, raising=False)
    monkeypatch.setitem(ENVIRONMENT, face.SWITCH, "")


@pytest.fixture(autouse=True)
def _page_alone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that runs without a browser (the mark `pages`) does nothing beside itself."""
    if request.node.get_closest_marker("pages") is None:
        return
    monkeypatch.setenv("CNNVIZ_RUNS", str(request.getfixturevalue("tmp_path")))
    monkeypatch.setattr("cnnviz.ui.runs._queue", None)
    monkeypatch.setattr("cnnviz.training.queue.Queue.warm", lambda _: None)  # no worker on a mere visit
    monkeypatch.setattr("cnnviz.ui.faces.warm", lambda: None)  # and no finder of faces
    # it reads the metadata of every installed package (0.2 s); our components are registered on import
    search = "streamlit.components.v2.component_manager.BidiComponentManager.discover_and_register_components"
    monkeypatch.setattr(search, lambda *_, **__: None)
    # where another test has loaded Keras, Streamlit would clear that one's session after each run (0.7 s)
    monkeypatch.setattr("streamlit.runtime.scriptrunner.script_runner._clean_problem_modules", lambda: None)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def start_server(folder: Path, runs: Path | None = None) -> Server:
    """Start the app on a free port with an empty home, and wait until it answers. runs: of a server before it."""
    runs, port = runs or folder / "runs", free_port()
    home = folder / "home"
    home.mkdir()
    report = folder / "report.json"
    log = (folder / "server.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "serve.py"), str(port), str(report)],
        env={**os.environ, "HOME": str(home), "CNNVIZ_RUNS": str(runs)},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(240):
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1):
                return Server(url, process, report, runs)
        except OSError:
            time.sleep(0.25)
    process.kill()
    raise RuntimeError(f"The server did not answer within 60 s; its log: {(folder / 'server.log').read_text()}")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start_server(tmp_path_factory.mktemp("server"))
    yield running
    running.process.terminate()
    running.process.wait(10)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=find(), args=list(QUIET))
        new_context = running.new_context

        def listened(**options: Any) -> Any:
            context = new_context(**options)
            context.add_init_script(WIRE)
            return context

        running.new_context = listened
        yield running
        running.close()


@pytest.fixture
def context(chromium: Any) -> Iterator[Any]:
    """A browser of a new visitor, 1280 wide; `context.foreign` collects requests to anywhere but this machine."""
    opened = chromium.new_context(viewport={"width": 1280, "height": 1000})
    opened.foreign = []
    opened.on(
        "request",
        lambda r: (
            None
            if r.url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:"))
            else opened.foreign.append(r.url)
        ),
    )
    yield opened
    opened.close()


@pytest.fixture
def page(context: Any) -> Any:
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    return opened


def address(page: Any) -> str:
    """What the browser's address bar shows now; page.url lags behind while nothing else is asked."""
    return str(page.evaluate("location.href"))


def until(ask: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Ask until there is an answer; what: was waited for."""
    limit = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > limit:
            raise AssertionError(f"{what} did not come within {seconds:.0f} s")
        time.sleep(0.05)
    return answer


def settle(page: Any) -> None:
    """Wait until what the page asked its server is answered and drawn."""
    page.wait_for_timeout(50)  # what was clicked last is on its way
    page.evaluate("globalThis.wire && (wire.frames = 0)")
    page.wait_for_function(AT_REST)
    page.wait_for_timeout(50)


def downloaded(page: Any, key: str) -> Path:
    """The file behind a download button; a page that is just being drawn anew would know it no more."""
    settle(page)
    with page.expect_download() as download:
        page.locator(f".st-key-{key} button").click()
    return Path(download.value.path())


def choose(page: Any, key: str, option: str, typed: str = "") -> None:
    """Take an option of a list; a part of the page that comes late closes the list, and it is opened again.

    option: the beginning of its label. typed: what finds it where it is so far down that the list does not hold it yet.
    """
    field = page.locator(f".st-key-{key} input")
    listed = page.get_by_role("option", name=re.compile(f"^{re.escape(option)}"))

    def taken() -> bool:
        try:
            if not listed.count():
                field.click(timeout=2000)
                if typed:
                    field.fill(typed, timeout=2000)
            listed.first.click(timeout=2000)
        except TimeoutError:
            return False
        return True

    until(taken, f"the option {option}")
    settle(page)


def open_page(page: Any, url: str) -> None:
    page.goto(url)
    page.locator("[data-testid=stApp]").wait_for()
    page.locator("[data-testid=stHeading]").first.wait_for()
    settle(page)
