"""The law, on the real server in a real browser: where faces are off none is there, and no photo is left behind."""

import io
import json
import os
import shutil
from base64 import b64decode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Server, settle, start_server, until
from PIL import Image

from cnnviz import face, images
from cnnviz.cards import FILE, read_card
from cnnviz.training import record
from cnnviz.training.config import TrainingConfig

pytestmark = [pytest.mark.browser, pytest.mark.keras]
ROOT = Path(__file__).resolve().parents[1]
OWNER = "a" * 32
NAME = "never-to-be-left-behind"


def with_own_network(folder: Path) -> tuple[Path, str]:
    """A folder of runs in which the owner keeps a network for faces; and its key."""
    run = record.create(folder / "runs", TrainingConfig("drawn-faces", number=60, epochs=1, task="face"), OWNER)
    shipped = ROOT / "models" / "objects"
    card = json.loads((shipped / "card.json").read_text())
    run.card.write_text(json.dumps(card | {"task": "face", "title": "Whose face is it"}))
    shutil.copy(shipped / "model.keras", run.network)
    run.set_state(state="finished", kept="Whose face is it")
    return folder / "runs", run.id


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start servers of its own, each with these environment variables; all that it writes stays below tmp_path."""
    running: list[Server] = []
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.delenv(face.SWITCH, raising=False)

    def start(**environment: str) -> tuple[Server, str]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        runs, key = with_own_network(tmp_path)
        running.append(start_server(tmp_path, runs))
        return running[-1], key

    yield start
    for one in running:
        one.process.terminate()
        one.process.wait(10)


def visit(page: Any, server: Server, path: str) -> str:
    """The words of a page, drawn for the owner."""
    page.context.add_cookies([{"name": "cnnviz_owner", "value": OWNER, "url": server.url}])
    page.set_default_timeout(120_000)
    page.goto(f"{server.url}/{path}")
    page.locator("[data-testid=stHeading]").first.wait_for()
    settle(page)
    return words(page)


def words(page: Any) -> str:
    return str(page.locator("[data-testid=stMain]").inner_text()).replace("\u00a0", " ")


def offered(page: Any) -> list[str]:
    """The networks in the box."""
    page.locator(".st-key-network_shown input").click()
    page.get_by_role("option").first.wait_for()
    found = [str(text) for text in page.get_by_role("option").all_inner_texts()]
    page.keyboard.press("Escape")
    return found


@pytest.mark.parametrize(
    ("environment", "there"),
    [
        ({"STREAMLIT_SERVER_ADDRESS": "0.0.0.0"}, False),
        ({face.SWITCH: "off"}, False),
        ({"STREAMLIT_SERVER_ADDRESS": "0.0.0.0", face.SWITCH: "on"}, True),
        ({}, True),
    ],
)
def test_a_server_shows_networks_for_faces_where_they_are_allowed_and_nowhere_else(
    page: Any, serve: Any, environment: dict[str, str], there: bool
) -> None:
    server, key = serve(**environment)
    for path in (f"classify?network={key}", f"inside?network={key}"):
        assert (face.OFF in visit(page, server, path)) is not there, path
        networks = offered(page)
        assert ("Whose face is it (yours)" in networks) is there
        assert "face" not in networks[0]
    assert ("Whose face is it" in visit(page, server, "networks")) is there
    assert "keras" not in server.report()["modules"]


def marks(data: bytes, pixels: np.ndarray) -> list[bytes]:
    """What would give a photo away: its name, digests, parts of its file, rows of its pixels."""
    digest = sha256(data).hexdigest()
    middle = len(data) // 2
    rows = [np.ascontiguousarray(pixels[y, 20:60]).tobytes() for y in range(5, len(pixels) - 5, 7)]
    return [NAME.encode(), digest[:32].encode(), bytes.fromhex(digest[:32]), data[middle : middle + 40], *rows]


def marks_of(pixels: np.ndarray) -> list[bytes]:
    """What would give a square away, a face or what a network gets of it: middles of its rows."""
    side = pixels.shape[1]
    rows = [np.ascontiguousarray(pixels[y, side // 4 : 3 * side // 4]) for y in range(1, len(pixels) - 1, 5)]
    return [row.tobytes() for row in rows if len(np.unique(row)) > 8]


def marks_shown(page: Any) -> list[bytes]:
    """What would give away the pictures that the page shows: middles of their files, as they are and as text."""
    shown = page.evaluate("Array.from(document.images, (image) => image.src)")
    texts = [source.partition("base64,")[2] for source in shown if source.startswith("data:image")]
    middles = [text[len(text) // 8 * 4 :][:80] for text in texts if len(text) > 400]
    return [mark for text in middles for mark in (text.encode(), b64decode(text))]


def left_behind(folders: list[Path], given_away: list[bytes]) -> list[str]:
    """The files that hold one of these."""
    found = []
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                found += [str(path) for mark in given_away if mark in content][:1]
    return found


def test_a_photo_with_faces_is_left_in_no_file_and_no_log(page: Any, serve: Any, tmp_path: Path) -> None:
    from cnnviz.networks import faces  # noqa: PLC0415 - loads keras

    server, key = serve()
    astronaut = images.decode((ROOT / "sample_images" / "astronaut.jpg").read_bytes()).pixels
    noise = np.random.default_rng(5).integers(0, 24, (200, 400, 3), dtype=np.uint8)
    group = np.concatenate([astronaut[30:230, 130:330], astronaut[30:230, 330:130:-1]], axis=1) // 2 + noise
    file = io.BytesIO()
    Image.fromarray(group).save(file, "PNG")
    data = file.getvalue()
    visit(page, server, f"classify?network={key}")
    page.locator(".st-key-upload input[type=file]").set_input_files(
        {"name": f"{NAME}.png", "mimeType": "image/png", "buffer": data}
    )
    until(lambda: "2 faces" in words(page) and page.locator(".said").count(), "an answer for each face")
    pixels = images.decode(data).pixels
    given_away = marks(data, pixels) + marks_shown(page)
    squares = [face.crop(pixels, one) for one in faces.find(pixels)]
    preprocessing = read_card(ROOT / "models" / "objects" / FILE).preprocessing
    assert len(squares) == 2
    for square in squares:
        given_away += marks_of(square) + marks_of(preprocessing.picture(square))
    # the same face in Inside, and the photo among many
    assert "The square round face 2 of 2" in visit(page, server, f"inside?network={key}&picture=own&face=2")
    page.locator("[data-testid=class]").first.wait_for()
    given_away += marks_shown(page)
    visit(page, server, f"classify?network={key}&view=many")
    page.locator(".st-key-upload_many input[type=file]").set_input_files(
        {"name": f"{NAME}-2.png", "mimeType": "image/png", "buffer": data}
    )
    until(lambda: "2 faces" in words(page), "an answer among many")
    given_away += marks_shown(page)
    assert server.process.poll() is None
    places = [tmp_path, Path("/dev/shm")] if Path("/dev/shm").is_dir() else [tmp_path]
    places += [ROOT / name for name in ("runs", "models", "sample_images", ".streamlit") if (ROOT / name).is_dir()]
    assert left_behind(places, given_away) == []
    log = (tmp_path / "server.log").read_text()
    assert "Traceback" not in log
    # the search would have found each of them
    for number, mark in enumerate(given_away):
        (tmp_path / "temporary" / f"{number}").write_bytes(os.urandom(99) + mark + b"end")
    assert len(left_behind([tmp_path], given_away)) == len(given_away)
