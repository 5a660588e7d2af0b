"""The web server round the pages, as a process: what it loads before a visit, that it opens a browser, how it ends."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import ROOT, Server, free_port, open_page, settle, start_server, until
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from streamlit import net_util
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.web.server.starlette import starlette_websocket

from cnnviz.ui import server

pytestmark = pytest.mark.browser
ENDS_WITHIN = 30  # seconds


@contextmanager
def ended(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        server.process.terminate()
        server.process.wait(ENDS_WITHIN)


def test_what_pages_need_is_loaded_before_the_first_visit(tmp_path: Path) -> None:
    with ended(start_server(tmp_path)) as running:  # which asks for the server's health, as a browser does, and no more
        needed = {"numpy", "cv2", "PIL.Image", "cnnviz.ui.frame", "cnnviz.ui.lab_stages"}
        modules = until(lambda: (held := set(running.report()["modules"])) >= needed and held, "the modules")
    assert not modules & {"keras", "tensorflow"}


def in_a_thread(work: Coroutine[Any, Any, Any]) -> Any:
    """What it returns; in this one the browser's driver may hold a loop already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def test_an_upload_is_never_written_to_disk_on_its_way() -> None:
    async def parsed() -> Any:
        photo = b"x" * 3_000_000  # Starlette's own bound is 1 MB
        head = b'--a\r\nContent-Disposition: form-data; name="f"; filename="p.jpg"\r\n\r\n'
        sent = iter([{"type": "http.request", "body": head + photo + b"\r\n--a--\r\n", "more_body": False}])

        async def receive() -> Any:
            return next(sent)

        headers = [(b"content-type", b"multipart/form-data; boundary=a")]
        form = await Request({"type": "http", "method": "PUT", "headers": headers}, receive).form()
        return form["f"]

    upload = in_a_thread(parsed())
    assert upload.size == 3_000_000
    assert not upload.file._rolled


@pytest.mark.parametrize(
    ("method", "path", "told", "refused"),
    [
        ("PUT", "/_stcore/upload_file/full/1", "400", "too many together"),
        ("PUT", "/lab/_stcore/upload_file/full/1", "400", "too many together"),
        ("PUT", "/_stcore/upload_file/full/1", "300", ""),
        ("PUT", "/_stcore/upload_file/other/1", "1500", ""),
        ("PUT", "/_stcore/upload_file/other/1", "1501", "too many together"),
        ("PUT", "/_stcore/upload_file/other/1", "", "too many together"),  # it may be as long as the server allows
        ("DELETE", "/_stcore/upload_file/full/1", "400", ""),
        ("GET", "/", "", ""),
    ],
)
@pytest.mark.usefixtures("waiting")
def test_a_tab_that_sends_more_than_its_page_can_take_is_refused(
    method: str, path: str, told: str, refused: str
) -> None:
    status, sentence = in_a_thread(sent(server._bounded(taken), method, path, told))
    assert (status, refused in sentence) == (413 if refused else 200, True)


@pytest.mark.parametrize(
    ("session", "size", "refused"),
    [
        ("one", 900, "too many together"),  # 700 are on their way, and this tab may have 1,500
        ("one", 800, ""),
        ("two", 1300, ""),
        ("two", 1301, "Others are sending"),  # and all tabs together 2,000, but for small files
    ],
)
@pytest.mark.usefixtures("waiting")
def test_what_is_on_its_way_counts_and_is_forgotten_once_it_is_there(session: str, size: int, refused: str) -> None:
    async def both() -> Any:
        arrived = asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"].endswith("first"):
                await arrived.wait()
            await taken(scope, receive, send)

        app = server._bounded(slow)
        first = asyncio.create_task(sent(app, "PUT", "/_stcore/upload_file/one/first", "700"))
        await asyncio.sleep(0)
        second = await sent(app, "PUT", f"/_stcore/upload_file/{session}/second", str(size))
        arrived.set()
        await first
        return second, await sent(app, "PUT", "/_stcore/upload_file/one/third", "1500")

    (status, sentence), later = in_a_thread(both())
    assert (status, refused in sentence) == (413 if refused else 200, True)
    assert later[0] == 200


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the session "full" 1,200 bytes wait for their page; a tab may send 1,500, all together 2,000."""
    files = MemoryUploadedFileManager("/_stcore/upload_file")
    for number in range(3):
        files.add_file("full", UploadedFileRec(str(number), "photo.jpg", "image/jpeg", b"x" * 400))
    monkeypatch.setattr(server, "get_instance", lambda: SimpleNamespace(uploaded_file_mgr=files))
    monkeypatch.setattr(server, "MOST_HELD", 1500)
    monkeypatch.setattr(server, "MOST_COMING", 2000)
    monkeypatch.setattr(server, "SMALL", 1300)


taken = PlainTextResponse("taken")


async def sent(app: Any, method: str, path: str, told: str) -> tuple[int, str]:
    """Status and text of the answer to a request that says that it is so long."""
    heard: list[Any] = []

    async def send(message: Any) -> None:
        heard.append(message)

    headers = [(b"content-length", told.encode())] if told else []
    await app({"type": "http", "method": method, "path": path, "headers": headers}, None, send)
    return heard[0]["status"], heard[1]["body"].decode()


@pytest.mark.parametrize("origin", ["http://elsewhere.example", "http://203.0.113.5:8501"])
def test_a_page_of_another_origin_is_refused_without_asking_an_outside_host(
    origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(net_util, "_make_blocking_http_get", lambda url, **_: asked.append(url))
    assert not starlette_websocket._is_origin_allowed(origin, "127.0.0.1:8501")
    assert starlette_websocket._is_origin_allowed("http://127.0.0.1:8501", "127.0.0.1:8501")
    assert asked == []


@pytest.mark.skipif(os.name == "nt", reason="The browser that notes its address is a shell script.")
@pytest.mark.parametrize("headless", [False, True])
def test_a_browser_is_opened_where_there_is_one(tmp_path: Path, headless: bool) -> None:
    opened, port = tmp_path / "opened", free_port()
    for name in ("xdg-open", "open"):  # Linux, macOS
        command = tmp_path / name
        command.write_text(f'#!/bin/sh\necho "$1" >> "{opened}"\n')
        command.chmod(0o755)
    options = ["--server.headless", str(headless).lower(), "--server.port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", *options],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        if headless:
            until(lambda: answers(port), "an answer")
            time.sleep(1)
            assert not opened.exists()
        else:
            # the file is there a moment before the line in it
            assert until(lambda: opened.exists() and opened.read_text().split(), "a browser") == [
                f"http://127.0.0.1:{port}"
            ]
    finally:
        process.send_signal(signal.SIGINT)  # Ctrl+C
        process.wait(ENDS_WITHIN)


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1):
            return True
    except OSError:
        return False


def test_a_page_that_is_opened_first_of_all_runs_once(tmp_path: Path, page: Any) -> None:
    kinds: list[str] = []

    def note(frame: bytes | str) -> None:
        message = ForwardMsg.FromString(frame if isinstance(frame, bytes) else frame.encode())
        kinds.append(message.delta.new_element.WhichOneof("type") or message.WhichOneof("type"))

    page.on("websocket", lambda socket: socket.on("framereceived", note))
    with ended(start_server(tmp_path)) as running:
        open_page(page, f"{running.url}/networks")
    assert kinds[: kinds.index("heading")].count("new_session") == 1


def test_under_a_server_in_a_thread_signals_stay_as_they_are() -> None:
    async def start_and_end() -> None:
        async with server.lifespan(None):
            pass

    before = signal.getsignal(signal.SIGINT)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, start_and_end()).result()
    assert signal.getsignal(signal.SIGINT) is before


def test_two_who_come_first_of_all_are_both_served(tmp_path: Path, chromium: Any) -> None:
    contexts = [chromium.new_context() for _ in range(2)]
    try:
        pages = [context.new_page() for context in contexts]
        with ended(start_server(tmp_path)) as running:
            for page, path in zip(pages, ("kernels", "classify"), strict=True):
                page.goto(f"{running.url}/{path}", wait_until="commit")
            for page, title in zip(pages, ("Kernel lab", "Classify"), strict=True):
                page.get_by_role("heading", name=title, exact=True).wait_for()
                settle(page)
                assert page.locator("[data-testid=stException]").count() == 0
    finally:
        for context in contexts:
            context.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals.")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGQUIT"])
def test_a_signal_ends_the_server_in_order(tmp_path: Path, page: Any, name: str) -> None:
    running = start_server(tmp_path)
    try:
        open_page(page, f"{running.url}/train")  # whose queue locks its folder, and unlocks it at the end
        assert list(running.runs.glob(".queue-*.lock"))
        running.process.send_signal(getattr(signal, name))
        assert running.process.wait(ENDS_WITHIN) == 0
    finally:
        running.process.kill()
        running.process.wait(ENDS_WITHIN)
    assert not list(running.runs.glob(".queue-*.lock"))
    said = (tmp_path / "server.log").read_text()
    assert "Traceback" not in said
    assert "Aborted" not in said
