"""The web server round the pages: it opens the browser, loads what pages need meanwhile, and ends in order."""

import asyncio
import importlib
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartParser
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import cli_util, config, delta_generator, net_util
from streamlit.runtime import get_instance
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web.server import server_util

# an upload stays in memory, as Streamlit keeps it: above this Starlette writes it to disk first, and that at 1 MB
MultiPartParser.spool_max_size = 1_000_000_000
MOST_HELD = 600_000_000  # bytes of one tab's files; the pages take 500 MB at most
MOST_COMING = 1_500_000_000  # bytes of everybody's files that are on their way at the same time
SMALL = 20_000_000  # bytes of a file that never waits for the others, such as a photo
# asked of an outside host, to see whether a page of another origin may talk to this server: it may not
net_util.get_external_ip = lambda: None
AFTER = 60.0  # seconds from the server's start, which would take longer with it
# NumPy, Pillow and OpenCV come with these; of all pages the Kernel lab needs most before it can be drawn
_MODULES = ("cnnviz.ui.frame", "cnnviz.ui.strip", "cnnviz.ui.lab_controls", "cnnviz.ui.lab_stages", "cnnviz.recipe")


def _load() -> None:
    for name in _MODULES:
        importlib.import_module(name)


_loader = threading.Thread(target=_load, name="cnnviz imports", daemon=True)


def wait() -> None:
    """Return when what pages need has been imported; at once where no server runs.

    Two first visitors would import it at once, and OpenCV refuses to be loaded by two threads.
    """
    if _loader.ident is not None:
        _loader.join()


def _loading(app: ASGIApp) -> ASGIApp:
    """The app, and the import of what pages need as soon as a first browser has Streamlit's own files.

    It asks for the server's health then, and makes a page of the files before it opens its WebSocket: 0.15 s in which
    the server has nothing to do. Earlier, the import would hold up the files; later, the first visit.
    """

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if _loader.ident is None and (scope["type"] == "websocket" or scope.get("path", "").endswith("/health")):
            _loader.start()
        await app(scope, receive, send)

    return call


def _bounded(app: ASGIApp) -> ASGIApp:
    """The app, but that files on their way, and those that wait for their page, get no more memory than is good."""
    coming: Counter[str] = Counter()  # bytes by session

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        what, session, _ = ["", "", "", *str(scope.get("path", "")).split("/")][-3:]
        if scope.get("method") != "PUT" or what != "upload_file":
            await app(scope, receive, send)
            return
        told = Headers(scope=scope).get("content-length", "")
        size = int(told) if told.isdecimal() else 1_000_000 * int(config.get_option("server.maxUploadSize"))
        sentence = ""
        if _held(session) + coming[session] + size > MOST_HELD:
            sentence = "These files are too many together; drop fewer or smaller ones."
        elif size > SMALL and coming.total() + size > MOST_COMING:
            sentence = "Others are sending much to this server just now; try again in a minute."
        if sentence:
            await PlainTextResponse(sentence, status_code=413)(scope, receive, send)
            return
        coming[session] += size
        try:
            await app(scope, receive, send)
        finally:
            coming[session] -= size
            if not coming[session]:
                del coming[session]

    return call


def _held(session: str) -> int:
    """Bytes of the files that a session has sent and its page has not taken yet."""
    manager = get_instance().uploaded_file_mgr
    files = manager.file_storage.get(session, {}) if isinstance(manager, MemoryUploadedFileManager) else {}
    return sum(len(file.data) for file in list(files.values()))


_listens_on: str | None = None  # as it was when the server started


def address() -> str:
    """What this server listens on, as Streamlit's option server.address has it; "" is every interface, or unknown.

    As it was at the start: Streamlit reads a config.toml anew that somebody edits, and listens where it did.
    """
    if config._server_mode not in (None, "starlette-managed", "starlette-app"):  # None: a test
        return ""  # another ASGI server listens where it was told to, and the option knows nothing of it
    return str(config.get_option("server.address") or "") if _listens_on is None else _listens_on


@asynccontextmanager
async def lifespan(_: Any) -> AsyncIterator[None]:
    """What holds from the server's start to its end."""
    global _listens_on  # noqa: PLW0603 - there is one server in a process
    _listens_on = address()
    # both are asked at the first visit: whether pages/ is a navigation of Streamlit's own making, for which the page
    # runs once too often, and whether Python was started by hand, for which it looks at every module's file
    PagesManager.uses_pages_directory = False
    delta_generator._use_warning_has_been_displayed = True
    _end_in_order()
    over = threading.Event()
    threading.Thread(target=_keep_promises, args=(over,), name="cnnviz promises", daemon=True).start()
    asyncio.get_running_loop().call_soon(_open_browser)
    try:
        yield
    finally:
        over.set()
        _listens_on = None


def _keep_promises(over: threading.Event) -> None:
    """Photos given to Train go after seven days, also where nobody opens Train any more: its queue sees to that."""
    if over.wait(AFTER):
        return
    with suppress(ValueError):  # a folder that cannot be written; Train says so
        importlib.import_module("cnnviz.ui.runs").queue()


def _open_browser() -> None:
    """As `streamlit run` does for a plain script, and does not for an `st.App`."""
    if config._server_mode == "starlette-app" and not config.get_option("server.headless"):
        cli_util.open_browser(server_util.get_url(str(config.get_option("browser.serverAddress"))))


def _end_in_order() -> None:
    """Let a signal end the server and nothing more.

    uvicorn raises it once more after its shutdown, and Python would end without what is registered with atexit: the
    training queue would not write down what waits in it.
    """
    server: Any = getattr(signal.getsignal(signal.SIGINT), "__self__", None)  # uvicorn's, which handles signals so far
    if not hasattr(server, "should_exit"):
        return

    def stop(*_: Any) -> None:
        server.force_exit = server.should_exit  # the second time: do not wait for open connections
        server.should_exit = True

    for name in ("SIGINT", "SIGTERM", "SIGQUIT", "SIGBREAK"):  # the last two not everywhere
        if number := getattr(signal, name, None):
            signal.signal(number, stop)


middleware = [Middleware(_bounded), Middleware(_loading)]
