"""The web server round the pages, as a process: what it loads before a visit, that it opens a browser, how it ends."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Server, free_port, start_server

pytestmark = pytest.mark.pages
PATIENCE = 60  # seconds


def until(found: Callable[[], Any], what: str) -> Any:
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        if value := found():
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {PATIENCE} s: {what}")


@contextmanager
def ended(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        server.process.terminate()
        server.process.wait(PATIENCE)


def test_what_pages_need_is_loaded_before_the_first_visit(tmp_path: Path) -> None:
    with ended(start_server(tmp_path)) as server:  # which asks for the server's health, as a browser does, and no more
        needed = {"numpy", "cv2", "PIL.Image", "cnnviz.ui.frame", "cnnviz.ui.lab_stages"}
        modules = until(lambda: (held := set(server.report()["modules"])) >= needed and held, "the modules")
    assert not modules & {"keras", "tensorflow"}


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
            until(opened.exists, "a browser")
            assert opened.read_text().split() == [f"http://127.0.0.1:{port}"]
    finally:
        process.send_signal(signal.SIGINT)  # Ctrl+C
        process.wait(PATIENCE)


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1):
            return True
    except OSError:
        return False
