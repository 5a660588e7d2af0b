"""Where networks for faces are listed and where not: by the switch, by the address, on every page that has networks."""

import asyncio
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit import config, delta_generator
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext
from streamlit.testing.v1 import AppTest

from cnnviz import engine, face
from cnnviz.cards import FILE, Card, read_card, write_card
from cnnviz.engine import State
from cnnviz.engine_process import ENVIRONMENT
from cnnviz.images import Photo
from cnnviz.training import record
from cnnviz.training.config import TrainingConfig
from cnnviz.ui import catalog, faces, frame, server

pytestmark = pytest.mark.pages
ROOT = Path(__file__).resolve().parents[1]
OWNER = "0" * 32
OBJECTS = read_card(ROOT / "models" / "objects" / FILE)
WARM = faces.warm  # pages get a stand-in
OF_FACES = Card.from_json(OBJECTS.to_json() | {"task": "face", "title": "Seven expressions"})


class Engine:
    """Not ready, so that pages draw all but answers; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.ready = False

    def state(self) -> State:
        return State(self.ready, 0, "The networks are being loaded.")

    def call(self, name: str, *_: Any, **__: Any) -> Any:
        self.asked.append(name)
        return ()

    def cached(self, _: Any, name: str, *__: Any, **___: Any) -> Any:
        return self.call(name)


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    made = Engine()
    monkeypatch.setenv("CNNVIZ_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv(face.SWITCH, raising=False)
    monkeypatch.setattr(faces, "warm", lambda: None)
    monkeypatch.setitem(ENVIRONMENT, face.SWITCH, "")
    for name in ("state", "call", "cached"):
        monkeypatch.setattr(engine, name, getattr(made, name))
    return made


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have Streamlit say that it listens on an address."""
    real = config.get_option

    def on(address: str | None) -> None:
        monkeypatch.setattr(config, "get_option", lambda key: address if key == "server.address" else real(key))

    return on


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped networks, and before all of them by name one for faces that is called like an architecture."""
    models = tmp_path / "shipped" / "models"
    for name in ("objects", "second"):
        shutil.copytree(ROOT / "models" / "objects", models / name)
    for name in ("emotions", "a-first"):
        shutil.copytree(ROOT / "models" / "objects", models / name)
        write_card(OF_FACES, models / name / FILE)
    listed = catalog.cards.listed
    monkeypatch.setattr(catalog.cards, "listed", lambda _: listed(models))


def own(tmp_path: Path, card: Card, kept: str) -> str:
    """A kept network of the owner; its key."""
    run = record.create(tmp_path / "runs", TrainingConfig("drawn-faces", number=60, epochs=1), OWNER)
    write_card(card, run.card)
    run.set_state(state="finished", kept=kept)
    return run.id


def opened(page: str, **query: Any) -> AppTest:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=20)
    app.query_params.update(query)
    app.session_state["owner"] = OWNER
    return app.switch_page(page).run()


def text(app: AppTest) -> str:
    parts = [one.value for kind in (app.title, app.markdown, app.caption, app.subheader) for one in kind]
    return "\n".join([*parts, *(one.proto.body for one in app.get("html"))]).replace("\\", "")


WHERE = [
    ("127.0.0.1", None, True),
    ("localhost", None, True),
    ("0.0.0.0", None, False),
    ("192.168.1.7", None, False),
    ("", None, False),
    (None, None, False),  # no address set: every interface
    ("127.0.0.1", "off", False),
    ("0.0.0.0", "on", True),
]


@pytest.mark.parametrize(("address", "said", "there"), WHERE)
def test_networks_for_faces_are_listed_after_all_others_or_not_at_all(
    address: str | None, said: str | None, there: bool, listening: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    listening(address)
    if said is not None:
        monkeypatch.setenv(face.SWITCH, said)
    mine, plain = own(tmp_path, OF_FACES, "My faces"), own(tmp_path, OBJECTS, "My things")
    found, faults = catalog.networks(OWNER)
    assert list(found) == [plain, "objects", "second", *([mine, "a-first", "emotions"] if there else [])]
    assert faults == ()
    assert frame.faces() is there


def test_streamlit_still_has_the_switches_that_the_server_sets_and_faces_ask() -> None:
    assert hasattr(PagesManager, "uses_pages_directory")
    assert hasattr(delta_generator, "_use_warning_has_been_displayed")
    assert hasattr(config, "_server_mode")
    assert {"is_history_navigation", "fragment_ids_this_run"} <= set(ScriptRunContext.__dataclass_fields__)


@pytest.mark.parametrize(
    ("mode", "there"),
    [
        (None, True),  # no server: a test
        ("starlette-app", True),  # streamlit run
        ("asgi-server", False),  # uvicorn app:app --host ..., of which server.address knows nothing
        ("asgi-mounted", False),
        ("something new", False),
    ],
)
def test_faces_are_off_where_another_server_listens_nobody_knows_where(
    mode: str | None, there: bool, listening: Any, monkeypatch: Any
) -> None:
    listening("127.0.0.1")
    monkeypatch.setattr("streamlit.config._server_mode", mode)
    assert frame.faces() is there


def test_a_server_whose_settings_are_edited_goes_on_listening_where_it_did(listening: Any, monkeypatch: Any) -> None:
    async def edited(before: str, after: str) -> bool:
        listening(before)
        monkeypatch.setattr(server, "_listens_on", None)
        async with server.lifespan(None):
            listening(after)
            return frame.faces()

    for before, after, there in (("0.0.0.0", "127.0.0.1", False), ("127.0.0.1", "0.0.0.0", True)):
        with ThreadPoolExecutor(1) as thread:  # in this one the browser's driver may hold a loop already
            assert thread.submit(asyncio.run, edited(before, after)).result() is there


@pytest.mark.parametrize(("address", "there"), [("127.0.0.1", True), ("0.0.0.0", False)])
@pytest.mark.parametrize("page", ["pages/classify.py", "pages/inside.py", "pages/networks.py", "pages/train.py"])
def test_no_page_shows_a_network_for_faces_where_there_are_none(
    page: str, address: str, there: bool, listening: Any, fake: Engine
) -> None:
    listening(address)
    fake.ready = not there  # where there are none, even an engine that is ready is asked nothing of faces
    app = opened(page)
    options = [option for box in app.selectbox for option in box.options]
    shown = "\n".join([*options, text(app)])
    assert ("Seven expressions" in shown) is there
    # in the table of older systems, and among the architectures
    assert ("System C, face to emoji" in shown) is (there and ("networks" in page or "train" in page))
    if "classify" in page or "inside" in page:
        assert app.selectbox(key="network_shown").value == "objects"
    assert ENVIRONMENT[face.SWITCH] == ("on" if there else "off")  # the engine hears the same
    assert not any(name.startswith("faces.") for name in fake.asked)


@pytest.mark.parametrize("page", ["pages/classify.py", "pages/inside.py"])
@pytest.mark.parametrize("which", ["emotions", "a-first", "own"])
def test_a_link_to_a_hidden_network_says_why_it_is_not_there(
    page: str, which: str, listening: Any, tmp_path: Path
) -> None:
    listening("0.0.0.0")
    key = own(tmp_path, OF_FACES, "My faces") if which == "own" else which
    app = opened(page, network=key)
    for _ in range(2):  # also when the page runs again
        assert face.OFF in text(app)
        assert app.selectbox(key="network_shown").value == "objects"
        app.run()
    assert app.query_params["network"] in (key, [key])  # the link stays, and works where faces are on
    app.selectbox(key="network_shown").select("second").run()
    assert face.OFF not in text(app)


def test_two_networks_of_one_name_can_both_be_chosen(tmp_path: Path, listening: Any) -> None:
    listening("127.0.0.1")
    keys = [own(tmp_path, OF_FACES, "Mine") for _ in range(2)]
    app = opened("pages/classify.py")
    for key in (*keys, *reversed(keys), "emotions", "a-first"):
        app.selectbox(key="network_shown").select(key).run()
        assert app.selectbox(key="network_shown").value == key
        assert app.session_state["network"] == key
    assert len(set(app.selectbox(key="network_shown").options)) == 6


def test_a_link_to_no_network_at_all_is_not_blamed_on_the_switch(listening: Any) -> None:
    listening("0.0.0.0")
    app = opened("pages/classify.py", network="nobody")
    assert face.OFF not in text(app)
    assert "“nobody”, which is not in this list" in text(app)


def test_an_architecture_of_the_train_page_is_no_link_to_a_network(listening: Any) -> None:
    """`?network=` is the architecture there, and comes along to Classify."""
    listening("0.0.0.0")
    app = AppTest.from_file(ROOT / "app.py", default_timeout=20)
    app.session_state["owner"] = OWNER
    app.session_state["network"] = "emotions"
    app.switch_page("pages/classify.py").run()
    assert face.OFF not in text(app)
    assert app.selectbox(key="network_shown").value == "objects"


def test_a_card_of_a_hidden_network_does_not_open(listening: Any) -> None:
    listening("0.0.0.0")
    assert "There is no network “emotions” here" in text(opened("pages/networks.py", card="emotions"))
    listening("127.0.0.1")
    assert "Seven expressions" in text(opened("pages/networks.py", card="emotions"))


def test_where_faces_are_off_nothing_is_asked_and_the_answer_is_the_sentence(listening: Any, fake: Engine) -> None:
    photo = Photo("a.jpg", np.zeros((4, 4, 3), np.uint8), "00" * 16, ())
    fake.ready = True
    listening("0.0.0.0")
    assert faces.find(photo, "test") == face.OFF
    assert fake.asked == []


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_the_finder_is_made_ready_once_after_the_engine_and_only_where_it_may_be_used(
    address: str, listening: Any, fake: Engine, monkeypatch: Any
) -> None:
    listening(address)
    monkeypatch.setattr(faces, "_AFTER", 0.01)
    monkeypatch.setattr(faces, "_warming", threading.Lock())
    WARM()
    WARM()
    running = [one for one in threading.enumerate() if one.name == "cnnviz faces"]
    time.sleep(0.1)
    assert fake.asked == []  # not before the engine is ready
    fake.ready = True
    for one in running:
        one.join(10)
    assert fake.asked == (["faces.warm"] * 3 if address == "127.0.0.1" else [])


@pytest.mark.parametrize(("held", "title"), [("emotions", "Ten everyday things"), ("second", "Another")])
def test_start_shows_the_network_in_hand_unless_that_is_for_faces(held: str, title: str, tmp_path: Path) -> None:
    card = tmp_path / "shipped" / "models" / "second" / FILE
    write_card(Card.from_json(OBJECTS.to_json() | {"title": "Another"}), card)
    app = AppTest.from_file(ROOT / "app.py", default_timeout=20)
    app.session_state["owner"] = OWNER
    app.session_state["network"] = held
    app.switch_page("pages/home.py").run()
    assert not app.exception
    assert title in text(app)
    assert "The networks are being loaded." in text(app)


@pytest.mark.parametrize("key", ["objects", "second", "emotions", "nowhere"])
def test_only_a_network_for_faces_is_said_to_be_hidden_with_them(key: str, listening: Any) -> None:
    listening("0.0.0.0")
    app = opened("pages/inside.py", beside=f"network:{key}")
    assert not app.exception
    assert (face.OFF in text(app)) == (key == "emotions")


def test_a_door_of_start_leads_to_the_network_that_it_showed() -> None:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=20)
    app.session_state["owner"] = OWNER
    app.session_state["network"] = "emotions"
    app.switch_page("pages/home.py").run()
    app.run()
    app.button(key="open_inside").click().run()
    assert app.session_state["network"] == "objects"


def test_start_says_what_the_engine_says_until_it_is_ready(fake: Engine) -> None:
    said = "The program that runs the networks does not start <b>."
    fake.state = lambda: State(False, 0, said)  # type: ignore[method-assign]
    engine.state = fake.state  # type: ignore[assignment]
    shown = text(opened("pages/home.py"))
    assert shown.count("does not start &lt;b&gt;.") == 2
