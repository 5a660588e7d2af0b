"""Checks Train and Networks without a browser and without a worker: setup, bad input, others' runs, results, cards.

The queue is the real one with its workers taken away; runs are written by hand into a directory of their own.
"""

import io
import json
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PATIENCE, until
from PIL import Image
from streamlit.testing.v1 import AppTest

from cnnviz import cards, evaluation, face
from cnnviz.cards import Card, write_card
from cnnviz.data import fingerprints
from cnnviz.data.fingerprints import scan
from cnnviz.data.sources import open_dataset
from cnnviz.data.split import make_split
from cnnviz.training import behind, queue, record
from cnnviz.training.config import Augmentation, TrainingConfig
from cnnviz.training.device import Device
from cnnviz.training.queue import Bounds, Queue, QueueError
from cnnviz.training.record import Run
from cnnviz.ui import markup, runs, train_photos, train_results, train_settings
from cnnviz.ui.uploads import COMPARING, UploadStore

pytestmark = pytest.mark.pages
ROOT = Path(__file__).resolve().parents[1]
TRAIN, NETWORKS = "pages/train.py", "pages/networks.py"
OWNER, OTHER = "0" * 32, "1" * 32
LONG = 10_000


@pytest.fixture(autouse=True)
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """No worker is started; the runs that were submitted, with their pictures where they have any."""
    found: list[Run] = []

    def submit(line: Queue, config: TrainingConfig, owner: str, store: Any = None, device: str = "") -> Run:
        run = record.create(line.root, line.bounds.config(config), owner)
        run.set_state(extra={"asked for": device})
        if store is not None:
            store(run)
        found.append(run)
        return run

    monkeypatch.setattr(Queue, "submit", submit)
    monkeypatch.setattr(train_photos, "ZIPS", UploadStore())
    return found


def opened(page: str, owner: str = OWNER, **query: Any) -> AppTest:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=PATIENCE)
    app.query_params.update(query)
    app.session_state["owner"] = owner
    return app.switch_page(page).run()


def sentences(app: AppTest) -> list[str]:
    return [m.value.replace("\\", "") for m in app.markdown if m.value.startswith(":material/error:")]


def text(app: AppTest) -> str:
    """All words on the page, Markdown and HTML as they were sent."""
    parts = [one.value for kind in (app.title, app.markdown, app.caption, app.subheader) for one in kind]
    words = "\n".join([*parts, *(one.proto.body for one in app.get("html"))])
    return words.replace("\\", "").replace("\u00a0", " ")


def keys(app: AppTest) -> set[str]:
    return {str(one.key) for one in (*app.button, *app.selectbox, *app.checkbox, *app.file_uploader)}


def finished(tmp_path: Path, owner: str = OWNER, kept: str = "", number: int = 60) -> Run:
    """A run of drawn faces whose network answered "happy" to every tenth sad test picture."""
    config = TrainingConfig("drawn-faces", number=number, epochs=3)
    run = record.create(tmp_path, config, owner)
    dataset = open_dataset("drawn-faces", number, config.seed)
    split = make_split(dataset, scan(dataset), (0.4, 0.1, 0.5), seed=config.seed)
    split.save(run.path / "split.json")
    truth = np.array([dataset.entries[index].label for index in split.indices(dataset)["test"]])
    said = truth.copy()
    said[np.flatnonzero(truth == 1)[::10]] = 0
    answers = np.where(np.arange(2) == said[:, np.newaxis], 0.9, 0.1).astype(np.float32)
    np.savez(run.path / "answers.npz", answers=answers, truth=truth)
    pictures = {"train": 24, "validation": 6, "test": len(truth)}
    run.append(
        "start", resumed=0, step=0, epochs=3, steps=2, batch_size=12, parameters=7, labels=dataset.labels,
        pictures=pictures, majority=0.5,
    )  # fmt: skip
    for epoch in (1, 2, 3):
        for step in (2 * epoch - 1, 2 * epoch):
            run.append("step", epoch=epoch, step=step, loss=1 / step, accuracy=1 - 1 / (1 + step), rate=100.0)
        run.append(
            "epoch", epoch=epoch, step=2 * epoch, best=True, loss=0.5, accuracy=0.8, val_loss=0.5 / epoch,
            val_accuracy=0.8, val_predicted=[3, 3], val_sure_mistakes=0.0, learning_rate=0.01, seconds=float(epoch),
        )  # fmt: skip
    scores = evaluation.scores(answers, truth, dataset.labels).to_json()
    card = Card(
        name=run.id,
        title=kept or "drawn faces: happy, sad",
        task="picture",
        labels=dataset.labels,
        preprocessing=config.input(),
        architecture="tiny",
        parameters=7434,
        data={"name": "drawn-faces", "licence": "drawn by this program; free to use", **pictures},
        scores={"test": scores, "baseline": {"accuracy": 0.625}},
        threshold=0.75,
        training={"command": "the page Train", "seed": 1, "device": "CPU, 2 cores"},
        not_for="Decisions about people.",
    )
    write_card(card, run.card)
    run.network.write_bytes(b"network")
    run.checkpoint.write_bytes(b"network")
    run.set_state(state="finished", device="CPU, 2 cores", kept=kept)
    return run


# ---------------------------------------------------------------------------------------------------- setup


def test_train_opens_with_everything_set_and_one_primary_button(submitted: list[Run]):
    app = opened(TRAIN)
    assert not app.exception
    assert sentences(app) == []
    assert [b.label for b in app.button if b.proto.type == "primary"] == ["Train"]
    assert "3,000 pictures: happy: 1,500 · sad: 1,500" in text(app)
    app.button(key="train").click().run()
    assert not app.exception
    assert [run.config().data for run in submitted] == ["drawn-faces"]
    assert app.query_params["run"] == submitted[0].id
    assert app.title[0].value == "In line: “drawn faces”"
    assert submitted[0].state().owner == app.session_state["owner"]


def test_a_link_carries_every_setting(submitted: list[Run]):
    query = {
        "data": "drawn-shapes", "number": "600", "network": "objects", "epochs": "5", "batch": "64", "rate": "0.1",
        "optimizer": "sgd", "shift": "10", "rotate": "15", "brightness": "20", "flip": "true", "patience": "3",
        "balance": "true", "mixed": "true", "seed": "7",
    }  # fmt: skip
    app = opened(TRAIN, **query)
    assert app.query_params == query
    app.button(key="train").click().run()
    config = submitted[0].config()
    assert (config.data, config.number, config.architecture) == ("drawn-shapes", 600, "objects")
    assert (config.epochs, config.batch_size, config.learning_rate, config.optimizer) == (5, 64, 0.1, "sgd")
    assert (config.patience, config.class_weights, config.mixed_precision, config.seed) == (3, True, True, 7)
    changes = config.augmentation
    assert (changes.shift, changes.rotate, changes.brightness, changes.flip) == (0.1, 15, 0.2, True)
    assert config.weight_decay == 0, "SGD has none"


@pytest.mark.parametrize(
    "query",
    [
        {"data": "<script>alert(1)</script>", "network": "../../etc/passwd", "epochs": "9" * LONG},
        {"number": "inf", "epochs": "nan", "batch": "-", "rate": "1e999", "seed": "\x00"},
        {"optimizer": "x" * LONG, "flip": "maybe", "mixed": "2", "device": "gpu"},
        {"data": ["own", "digits"], "network": ["tiny", ""], "rate": ["", "0.1"]},
        {"data": "%00" * LONG, "patience": "\x00", "card": "x", "owner": OTHER, "truth": "99", "said": "-1"},
        {"data": "![](//host.example/a.png)", "network": "[a](b)"},
    ],
)
def test_no_link_breaks_the_setup(query: dict[str, Any], submitted: list[Run]):
    app = opened(TRAIN, **query)
    assert not app.exception
    assert not any("![](" in caption.value or "[a](" in caption.value for caption in app.caption)
    assert len(text(app)) < 60_000
    app.button(key="train").click().run()
    assert not app.exception
    assert len(submitted) == 1, "what the link says that is no number and in no list counts as the default"


@pytest.mark.parametrize(
    ("key", "typed", "name", "value"),
    [
        ("epochs", 77, "epochs", 77),
        ("epochs", 200, "epochs", 200),
        ("batch", 1024, "batch_size", 1024),
        ("rate", 0.0007, "learning_rate", 0.0007),
        ("number", 777, "number", 777),
        ("seed", 2**31 - 1, "seed", 2**31 - 1),
        ("patience", 7, "patience", 7),
    ],
)
def test_any_possible_number_can_be_typed(submitted: list[Run], key: str, typed: float, name: str, value: float):
    app = opened(TRAIN)
    app.number_input(key=key).set_value(typed).run()
    app.button(key="train").click().run()
    assert getattr(submitted[0].config(), name) == value


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize(
    ("key", "typed", "said"),
    [
        ("epochs", 201, "201 cannot be used here; choose a whole number from 1 to 200."),
        ("epochs", 0, "0 cannot be used here; choose a whole number from 1 to 200."),
        ("epochs", 2.5, "2.5 cannot be used here; choose a whole number from 1 to 200."),
        ("batch", -1, "-1 cannot be used here; choose a whole number from 1 to 1,024."),
        ("rate", 0, "0 cannot be used here; choose a number from 0.000001 to 10."),
        ("rate", 1e9, "1e+09 cannot be used here; choose a number from 0.000001 to 10."),
        ("number", 20_001, "20001 cannot be used here; choose a whole number from 2 to 20,000."),
        ("shift", 51, "51 cannot be used here; choose a number from 0 to 50."),
        ("seed", 2**31, "2.14748e+09 cannot be used here; choose a whole number from 0 to 2,147,483,647."),
    ],
)
def test_an_impossible_number_gets_a_sentence_and_nothing_starts(linked: bool, key: str, typed: float, said: str):
    app = opened(TRAIN, **({key: str(typed)} if linked else {}))
    if not linked:
        app.number_input(key=key).set_value(typed).run()
    assert not app.exception
    assert sentences(app) == [f":material/error: {said}"]
    assert app.button(key="train").disabled
    assert f"To be mended first: {train_settings.FIELDS[key].label}." in text(app)
    app.number_input(key=key).set_value(5).run()
    assert sentences(app) == [] or key == "number"
    assert app.button(key="train").disabled == (key == "number"), "five pictures are too few"


@pytest.mark.parametrize(
    ("rate", "then"), [(None, 0.003), (0.01, 0.003), (0.5, 0.5)], ids=["untouched", "the usual one", "an own one"]
)
def test_a_usual_learning_rate_gives_way_to_that_of_the_new_network(rate: float | None, then: float):
    app = opened(TRAIN)
    if rate is not None:
        app.number_input(key="rate").set_value(rate).run()
    app.selectbox(key="network_shown").set_value("objects").run()
    assert app.number_input(key="rate").value == then


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"number": "5"}, "Each of the 2 classes needs 3 pictures"),
        ({"data": "drawn-shapes", "number": "14"}, "draw 15 or more"),
        ({"number": "6"}, ""),
    ],
)
def test_too_few_drawn_pictures_are_counted_before_the_start(query: dict[str, str], said: str):
    app = opened(TRAIN, **query)
    assert said in " ".join(sentences(app))
    assert bool(sentences(app)) == bool(said)
    assert app.button(key="train").disabled == bool(said)


def test_how_the_pictures_are_divided_is_said():
    assert "About 2,100 to learn from, 600 to choose the best epoch, 300 for the test." in text(opened(TRAIN))
    assert "3 for the test. A score on so few test pictures says little." in text(opened(TRAIN, number="30"))


def test_a_network_that_never_fits_says_so_with_the_arithmetic_and_cannot_be_started(monkeypatch):
    small = Device("cpu", 0, "CPU, 2 cores", 2_000_000_000, 1_000_000_000)
    monkeypatch.delitem(sys.modules, "keras", raising=False)  # other tests may have loaded it; the server never has
    monkeypatch.setattr(queue, "devices", lambda: [small])
    app = opened(TRAIN, network="system-a", batch="256")
    assert app.button(key="train").disabled
    (sentence,) = sentences(app)
    assert "of the 2.0 GB of CPU, 2 cores at most 1.5 GB can be used" in sentence
    assert "256 pictures ·" in sentence
    app.selectbox(key="network_shown").set_value("tiny").run()
    assert sentences(app) == []
    assert not app.button(key="train").disabled


def test_memory_that_others_take_now_is_no_reason_not_to_start(monkeypatch, submitted: list[Run]):
    busy = Device("cpu", 0, "CPU, 2 cores", 16_000_000_000, 10_000_000)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setattr(queue, "devices", lambda: [busy])
    app = opened(TRAIN)
    assert sentences(app) == []
    app.button(key="train").click().run()
    assert len(submitted) == 1


CPU = Device("cpu", 0, "CPU, 16 cores", 64 * 10**9, 10**9)
CARDS = tuple(Device("gpu", index, f"Card {index}", (24 + index) * 10**9, 10**9, f"GPU-{index}") for index in (0, 1))


@pytest.mark.parametrize(
    ("slots", "offered", "chosen", "asked_for"),
    [
        ([CPU], [], "", ""),
        ([CARDS[0], CPU], ["Card 0, 24 GB", "CPU, 16 cores, slower"], "", ""),
        ([CARDS[0], CPU], ["Card 0, 24 GB", "CPU, 16 cores, slower"], "cpu", "cpu"),
        (
            [*CARDS, CPU],
            ["The graphics card that is free first", "Card 0, 24 GB", "Card 1, 25 GB", "CPU, 16 cores, slower"],
            "gpu-1",
            "GPU-1",
        ),
        ([*CARDS, CPU], None, "gpu", ""),
        ([CARDS[0], CPU], None, "gpu-7", ""),  # a link from another machine
    ],
)
def test_the_device_is_a_choice_where_there_is_one(
    monkeypatch, submitted: list[Run], slots: list[Device], offered: list[str] | None, chosen: str, asked_for: str
):
    monkeypatch.setattr(queue, "devices", lambda: slots)
    app = opened(TRAIN, **({"device": chosen} if chosen else {}))
    assert not app.exception
    boxes = [box for box in app.selectbox if box.key == "device_shown"]
    if offered is not None:
        assert [box.options for box in boxes] == ([offered] if offered else [])
    on_cpu = asked_for == "cpu" or not boxes
    assert ("Trains on CPU, 16 cores" in text(app)) == on_cpu
    assert ("there is no graphics card (GPU) here" in text(app)) == (not boxes)
    assert [box.key for box in app.toggle if box.key == "mixed"] == ([] if on_cpu else ["mixed"])
    app.button(key="train").click().run()
    assert submitted[0].state().extra["asked for"] == asked_for


def test_mixed_precision_that_a_link_asks_for_is_seen_on_a_processor_too(monkeypatch):
    monkeypatch.setattr(queue, "devices", lambda: [CPU])
    assert opened(TRAIN, mixed="true").toggle(key="mixed").value


@pytest.mark.parametrize(("before", "said"), [(0, ""), (1, "will be next in line"), (3, "will be number 3 in line")])
def test_who_would_have_to_wait_knows_before_the_start(monkeypatch, before: int, said: str):
    monkeypatch.setattr(Queue, "before", lambda *_: before)
    app = opened(TRAIN)
    assert said in text(app)
    assert ("in line" in text(app)) == bool(said)
    assert not app.button(key="train").disabled


def test_what_the_queue_refuses_is_said_under_the_button(monkeypatch):
    def full(*_: Any) -> Run:
        raise QueueError("3 of your runs are waiting already.")

    app = opened(TRAIN)
    monkeypatch.setattr(Queue, "submit", full)
    app.button(key="train").click().run()
    assert sentences(app) == [":material/error: 3 of your runs are waiting already."]
    assert app.title[0].value == "Train"


def test_data_that_must_be_fetched_says_so():
    assert "fetched from the Internet" in text(opened(TRAIN, data="cifar10"))


def test_changes_are_shown_on_the_same_pictures_each_time():
    def strip(**query: str) -> str:
        bodies = [one.proto.body for one in opened(TRAIN, number="300", **query).get("html")]
        return next(body for body in bodies if 'class="strip"' in body)

    plain, changed = strip(), strip(shift="20", flip="true")
    assert plain.count("<img") == 5
    assert changed.count("<img") == 10
    assert changed == strip(shift="20", flip="true")


# ---------------------------------------------------------------------------------------------------- own photos


def photo(number: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 255, (40, 50, 3), np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


PETS = {f"{kind}/{n:02}.png": photo(n + 100 * (kind == "dogs")) for kind in ("cats", "dogs") for n in range(12)}


def with_zip(data: bytes, name: str = "pets.zip") -> AppTest:
    """The page with this zip dropped, once it has been looked through."""
    app = opened(TRAIN, data="own")
    app.file_uploader(key="zip_0").set_value((name, data, "application/zip")).run()
    until(lambda: (held := train_photos.ZIPS.get(OWNER)) is not None and not held.busy, "the look through the zip")
    return app.run()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"these are only words", "is no zip"),
        (zipped(PETS)[:-30], "cut off"),
        (zipped({}), "holds no pictures"),
        (zipped({"cats/a.png": photo(1), "cats/b.png": photo(2)}), "one class only (cats)"),
        (zipped({"cats/a.png": photo(1), "dogs/b.png": photo(2)}), "cats has 1"),
        (zipped({f"{n}/a.png": photo(1) for n in range(101)}), "has 101 classes, and a run here has at most 100;"),
        (
            zipped({f"{name}.png": photo(n) for n, name in enumerate(("cats/1", "cats/2", "dogs/1", "dogs/2"))}),
            "Each class of “my_[pets](x)” needs 3 pictures or more, but cats has 2, dogs has 2; add",
        ),
        (
            zipped({"../../evil.png": photo(1), "/etc/x.png": photo(2)}),
            "holds no pictures (../../evil.png: has a name that leads out of the zip; /etc/x.png: has a name that "
            "leads out of the zip); put one folder of pictures per class into it",
        ),
    ],
)
def test_a_bad_zip_gets_a_sentence_where_it_was_dropped(data: bytes, sentence: str):
    app = with_zip(data, "my_[pets](x).zip")
    assert not app.exception
    (said,) = sentences(app)
    assert sentence in said
    assert "give a folder" not in said, "a zip was given, and another one is what helps"
    assert "consent" not in keys(app)
    app.button(key="train").click().run()
    assert "drop another one" in sentences(app)[-1]


@pytest.mark.parametrize("more", [{}, {"fish/only.png": photo(3)}], ids=["a good zip", "a zip that cannot be used"])
def test_what_was_passed_over_in_a_zip_is_listed_with_the_reasons(more: dict[str, bytes]):
    app = with_zip(zipped(PETS | more | {"../../evil.png": photo(1), "notes.txt": b"x", "a_[b](c)/x.txt": b"y"}))
    assert bool(sentences(app)) == bool(more)
    assert "belongs to no class and was passed over" in text(app)
    app.session_state["findings"] = True
    app.run()
    words = text(app)
    for line in (
        "../../evil.png: has a name that leads out of the zip",
        "notes.txt: lies in no folder of a class",
        "a_[b](c): is a folder without pictures",
    ):
        assert line in words
    assert "a\\_\\[b\\]\\(c\\)" in " ".join(caption.value for caption in app.caption), "no name becomes markup"


def test_what_cannot_be_used_is_not_counted():
    same = {"cats/same.png": photo(777), "dogs/same.png": photo(777), "dogs/broken.png": b"no picture"}
    app = with_zip(zipped(PETS | same))
    words = text(app)
    assert "24 of 27 pictures are used: cats: 12 · dogs: 12" in words
    assert "18 to learn from, 4 to choose the best epoch, 2 for the test. A score on so few" in words
    assert not app.button(key="train").disabled


@pytest.mark.parametrize(
    ("files", "leave_out", "bounds", "sentence"),
    [
        (PETS, [], {"photos": 73_000}, "take 0.1 MB at the network’s input size"),
        (PETS, [], {"pictures": 23}, "These are 24 pictures, and a run here takes at most 23; give fewer."),
        (
            {f"cats/{n}.png": photo(n % 2) for n in range(3)} | {f"dogs/{n}.png": photo(n + 9) for n in range(3)},
            [],
            {},
            "The class cats has 2 different pictures only to learn from, and 3 are needed",
        ),
        (
            {f"{kind}/{n}.png": photo(n + kind) for kind in (10, 20) for n in range(3)} | {"10/again.png": photo(10)},
            [],
            {},
            "",
        ),
        (PETS, ["small-file"], {}, "is left"),
    ],
    ids=["too large", "too many", "too few", "just enough", "all left out"],
)
def test_own_pictures_are_counted_before_the_start(monkeypatch, files, leave_out, bounds, sentence: str):
    app = with_zip(zipped({str(name): data for name, data in files.items()}))
    monkeypatch.setattr(runs.queue(), "bounds", Bounds(**bounds))
    for kind in leave_out:
        app.checkbox(key=f"leave_out_{kind}").check()
    app.run()
    assert not app.exception
    said = sentences(app)
    assert bool(said) == bool(sentence), said
    assert sentence in " ".join(said) or sentence == "is left"
    assert app.button(key="train").disabled == bool(sentence)


def test_near_copies_are_looked_for_once_in_the_background(monkeypatch, submitted: list[Run]):
    threads: list[str] = []
    search = fingerprints.near_copies

    def watched(*arguments: Any) -> Any:
        threads.append(threading.current_thread().name)
        return search(*arguments)

    monkeypatch.setattr(fingerprints, "near_copies", watched)
    app = with_zip(zipped(PETS | {"cats/again.png": PETS["cats/00.png"]}))
    app.checkbox(key="leave_out_exact-copies").check()
    app.checkbox(key="consent").check().run()
    app.button(key="train").click().run()
    assert len(submitted) == 1
    assert threads == ["upload"]


def test_the_look_through_a_zip_says_what_it_does_and_can_be_stopped(monkeypatch):
    going_on = threading.Event()

    def slow(_: Any, look: Any = None) -> Any:
        while not going_on.wait(0.01):
            look(0.42)
        return []

    monkeypatch.setattr(fingerprints, "near_copies", slow)
    app = opened(TRAIN, data="own")
    app.file_uploader(key="zip_0").set_value(("pets.zip", zipped(PETS), "application/zip")).run()
    upload = train_photos.ZIPS.get(OWNER)
    try:
        until(lambda: upload.doing == COMPARING and upload.done, "the comparison")
        app.run()
        assert "near-copies: 42 %" in app.get("progress")[0].proto.text
        app.button(key="train").click().run()
        assert "still being looked through" in sentences(app)[0]
        app.button(key="zip_stop").click().run()
        until(lambda: not upload.busy, "the end of it")
        assert "Stopped" in upload.problem
    finally:
        going_on.set()


def test_the_box_of_consent_stands_above_the_button_and_its_sentence_between_them():
    app = with_zip(zipped(PETS))
    app.button(key="train").click().run()
    seen = [str(getattr(one, "key", None) or getattr(one, "value", "")) for one in app.main]
    box, button = seen.index("consent"), seen.index("train")
    (said,) = (place for place, words in enumerate(seen) if words.startswith(":material/error: Tick this box"))
    assert box < said < button
    assert button - box <= 5, "with nothing else between them but their containers"


def test_consent_to_one_zip_is_none_to_the_next_that_another_tab_dropped(submitted: list[Run]):
    app = with_zip(zipped(PETS | {"cats/again.png": PETS["cats/00.png"]}))
    app.checkbox(key="consent").check()
    app.checkbox(key="leave_out_exact-copies").check().run()
    later = train_photos.ZIPS.take(OWNER, "other.zip", zipped(PETS | {"cats/again.png": PETS["cats/00.png"]}))
    until(lambda: not later.busy, "the look through the other zip")
    app.button(key="train").click().run()
    assert "Tick this box" in sentences(app)[0]
    assert not app.checkbox(key="consent").value
    assert not app.checkbox(key="leave_out_exact-copies").value
    assert submitted == []


def test_nothing_is_stored_without_consent(submitted: list[Run], tmp_path: Path):
    assert "It stays in this app’s memory, and is forgotten" in text(opened(TRAIN, data="own"))
    app = with_zip(zipped(PETS))
    assert "Picked: pets.zip" in text(app)
    assert "24 pictures: cats: 12 · dogs: 12" in text(app)
    assert app.checkbox(key="consent").label == train_photos.CONSENT
    app.button(key="train").click().run()
    assert "Tick this box" in sentences(app)[0]
    assert submitted == []
    assert list(tmp_path.glob("2*")) == []
    app.checkbox(key="consent").check().run()
    app.button(key="train").click().run()
    assert not app.exception
    (run,) = submitted
    assert app.title[0].value == "In line: “pets”"
    stored = np.load(run.path / "pictures.npy", mmap_mode="r")
    assert stored.shape == (24, 32, 32, 3), "at the network's input size"
    assert sorted(path.name for path in run.path.iterdir() if path.suffix == ".png") == []


def test_findings_can_be_left_out(submitted: list[Run]):
    copies = {"cats/again.png": PETS["cats/00.png"], "dogs/<b>broken_[x](y).png": b"no picture"}
    app = with_zip(zipped(PETS | copies))
    assert not app.exception
    assert "1 picture cannot be read. Left out." in text(app)
    app.checkbox(key="leave_out_exact-copies").check()
    app.checkbox(key="consent").check().run()
    app.button(key="train").click().run()
    names = json.loads((submitted[0].path / "pictures.json").read_text())["names"]
    assert "cats/00.png" in names
    assert "cats/again.png" not in names
    assert len(names) == 24


def test_findings_say_what_to_do_about_them():
    more = {f"cats/more{n}.png": photo(n + 500) for n in range(30)}
    app = with_zip(zipped(PETS | more))
    assert "3.5 times as many as dogs. Turn on “Count rare classes more”" in text(app)
    label = app.checkbox(key="leave_out_small-file").label.replace("\\", "")
    assert label == (
        "Leave out: 54 pictures take less than 10,000 bytes each: often thumbnails or empty pictures; leave unticked "
        "if yours are small on purpose."
    )


def test_names_from_a_zip_cannot_become_markup():
    evil = {name.replace("cats", "<b>x").replace("dogs", "[y](z)"): data for name, data in PETS.items()}
    app = with_zip(zipped(evil), "my_[pets](x)<i>.zip")
    assert any("\\<b\\>x: 12 · \\[y\\]\\(z\\): 12" in caption.value for caption in app.caption)
    strip = next(one.proto.body for one in app.get("html") if 'class="strip"' in one.proto.body)
    assert "&lt;b&gt;x" in strip
    assert "<b>" not in strip
    app.checkbox(key="consent").check().run()
    app.button(key="train").click().run()
    assert app.title[0].value == "In line: “my\\_\\[pets\\]\\(x\\)\\<i\\>”"


def test_photos_of_another_owner_are_not_there():
    with_zip(zipped(PETS))
    theirs = opened(TRAIN, OTHER, data="own")
    assert "cats" not in text(theirs).replace("such as cats and dogs", "")
    theirs.button(key="train").click().run()
    assert "There are no photos yet" in sentences(theirs)[0]


# ---------------------------------------------------------------------------------------------------- runs


@pytest.mark.parametrize("run_id", ["20260101-000000-0123abcd", "../../etc", "x" * LONG, "\x00", "<b>", "theirs"])
def test_a_run_that_is_not_there_or_not_yours_gets_the_same_sentence(run_id: str, tmp_path: Path):
    theirs = finished(tmp_path, OTHER).id
    app = opened(TRAIN, run=theirs if run_id == "theirs" else run_id)
    assert not app.exception
    assert sentences(app) == [
        ":material/error: This run is not here: it was started in another browser, or it has been deleted. “All runs” "
        "shows your own."
    ]
    assert [one.value for one in app.markdown if "material/error" not in one.value] == [], "nothing else is said"
    assert theirs not in text(app)
    app.button(key="leave").click().run()
    assert "train" in keys(app)


def test_a_finished_run_shows_its_score_with_interval_and_baselines(tmp_path: Path):
    run = finished(tmp_path)
    run.append("note", message="No better for 3 epochs, so training ended early.")
    app = opened(TRAIN, run=run.id)
    assert not app.exception
    words = text(app)
    assert "No better for 3 epochs" in words
    assert app.title[0].value == "Trained “drawn faces”"
    # 28 of 30 right; Wilson: 78.7 to 98.2
    assert "<strong>93.3 %</strong> of 30 test pictures right; with 95 % confidence it is 78.7 % to 98.2 %" in words
    assert "Always saying “happy” would be right for 50.0 %" in words
    assert "give 62.5 %" in words
    assert "3 of 3 epochs in 3 seconds on CPU, 2 cores" in words
    assert "2 of 15 pictures of “sad” were taken for “happy”" in words, "the largest mistake is chosen"
    tiles = next(one.proto.body for one in app.get("html") if "behind" in one.proto.body)
    assert tiles.count("<img") == 2
    app.selectbox(key="said_shown").set_value("1").run()
    tiles = next(one.proto.body for one in app.get("html") if "behind" in one.proto.body)
    assert tiles.count("<img") == 13
    assert app.query_params["said"] == "1"


def test_pictures_that_only_the_worker_can_open_are_shown_from_what_it_kept(tmp_path: Path):
    run = finished(tmp_path)
    config = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps(config | {"data": "mnist", "number": 0}))
    app = opened(TRAIN, run=run.id)
    assert "were not kept with this run; train it again" in sentences(app)[0]
    with np.load(run.path / "answers.npz") as saved:
        answers, truth = saved["answers"], saved["truth"]
    pictures = np.repeat(np.arange(len(truth), dtype=np.uint8), 28 * 28).reshape(-1, 28, 28, 1)
    behind.store(run, pictures, answers, truth)
    app.run()
    assert sentences(app) == []
    tiles = next(one.proto.body for one in app.get("html") if "behind" in one.proto.body)
    assert tiles.count("<img") == 2
    rows = np.flatnonzero((truth == 1) & (answers.argmax(axis=1) == 0))
    for row in rows:
        assert markup.picture(markup.rgb(pictures[row]), 64, "").split('"')[1] in tiles


@pytest.mark.parametrize(
    ("taken", "shown"),
    [
        ([0, 1, 2, 3], "after epoch 2, the kept one"),
        ([0, 3], "after epoch 3"),
        ([0], "before training"),
    ],
)
def test_a_finished_run_opens_on_the_epoch_that_is_kept(tmp_path: Path, taken: list[int], shown: str):
    run = finished(tmp_path)
    events = (run.path / "events.jsonl").read_text().splitlines(keepends=True)
    events[-1] = events[-1].replace('"best": true', '"best": false')
    (run.path / "events.jsonl").write_text("".join(events))
    for epoch in taken:
        np.savez(run.snapshots / f"{epoch:05d}.npz", kernels=np.ones((3, 3, 1, 2), np.float32), names=np.array([]))
    app = opened(TRAIN, run=run.id)
    assert not app.exception
    assert f"First-layer kernels {shown}" in [one.value for one in app.subheader]
    slider = app.select_slider(key=f"epoch_past_{run.id}_2")
    assert slider.options == ["0", "1", "2, kept", "3"]
    slider.set_value(3).run()
    assert not app.exception
    last = "after epoch 3" if 3 in taken else "before training"
    assert f"First-layer kernels {last}" in [one.value for one in app.subheader]


def test_the_cell_of_one_run_is_not_that_of_the_next(tmp_path: Path):
    first, second = finished(tmp_path), finished(tmp_path)
    app = opened(TRAIN, run=first.id, truth="0", said="0")
    assert (app.session_state["truth"], app.session_state["said"]) == ("0", "0")
    app.session_state["run"] = second.id
    app.run()
    assert "truth" not in app.query_params
    assert [box.value for box in app.selectbox if box.key in ("truth_shown", "said_shown")] == [
        box.value for box in opened(TRAIN, run=second.id).selectbox if box.key in ("truth_shown", "said_shown")
    ]


@pytest.mark.parametrize("query", [{"truth": "7", "said": "<b>"}, {"truth": "x" * LONG}, {"said": "-1", "data": "own"}])
def test_no_link_breaks_the_results(query: dict[str, str], tmp_path: Path):
    app = opened(TRAIN, run=finished(tmp_path).id, **query)
    assert not app.exception
    assert "2 of 15 pictures" in text(app)


@pytest.mark.parametrize("name", ["answers.npz", "split.json", "events.jsonl", "config.json", "card.json", "snapshots"])
def test_a_run_that_lost_a_file_is_still_shown(name: str, tmp_path: Path):
    run = finished(tmp_path)
    target = run.path / name
    target.rmdir() if target.is_dir() else target.write_bytes(b"{")
    app = opened(TRAIN, run=run.id)
    assert not app.exception
    assert app.title[0].value.startswith("Trained")
    assert not opened(TRAIN).exception


def test_keeping_needs_a_name_and_puts_the_network_among_the_others(tmp_path: Path):
    run = finished(tmp_path)
    app = opened(TRAIN, run=run.id)
    app.button(key="keep").click().run()
    assert "no name yet" in sentences(app)[0]
    assert f"open_{run.id}" not in keys(opened(NETWORKS)), "not kept yet"
    app.text_input(key=f"name_{run.id}").set_value("  Faces *1*  ").run()
    app.button(key="keep").click().run()
    assert run.state().kept == "Faces *1*"
    assert app.title[0].value == "Trained “Faces \\*1\\*”"
    assert "Kept as “Faces *1*”" in text(app)
    assert "drawn faces" in text(app)
    assert json.loads(run.card.read_text())["title"] == "Faces *1*"
    assert "Faces \\*1\\*" in [one.value for one in opened(NETWORKS).subheader]
    assert "Faces \\*1\\*" not in [one.value for one in opened(NETWORKS, OTHER).subheader]


def test_the_next_run_can_start_from_the_settings_of_this_one(tmp_path: Path, submitted: list[Run]):
    app = opened(TRAIN, run=finished(tmp_path).id)
    app.button(key="again").click().run()
    assert app.number_input(key="epochs").value == 3
    app.button(key="train").click().run()
    assert submitted[0].config().epochs == 3


def test_every_setting_of_a_run_comes_back_for_the_next_one(tmp_path: Path, submitted: list[Run]):
    config = TrainingConfig(
        "drawn-shapes", "objects", number=777, epochs=3, batch_size=77, learning_rate=0.00077, optimizer="sgd",
        weight_decay=0.0, patience=7, class_weights=True, mixed_precision=True, seed=2**31 - 1,
        augmentation=Augmentation(flip=True, shift=0.07, rotate=7.5, brightness=0.29),
    )  # fmt: skip
    run = record.create(tmp_path, config, OWNER)
    run.set_state(state="stopped")
    app = opened(TRAIN, run=run.id)
    app.button(key="again").click().run()
    assert sentences(app) == []
    app.button(key="train").click().run()
    assert submitted[0].config().changed(minutes=0.0) == config


@pytest.mark.parametrize(
    ("state", "message", "there"),
    [
        ("stopped", "Stopped. Go on from the last whole epoch.", {"resume", "score"}),
        ("interrupted", "The program that had started this run ended.", {"resume", "score"}),
        ("failed", "The loss is no number any more at step 12.", {"resume", "score"}),
    ],
)
def test_a_run_that_did_not_finish_says_why_and_what_can_be_done(
    state: str, message: str, there: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run = finished(tmp_path)
    run.card.unlink()
    config = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps(config | {"epochs": 9}))
    events = (run.path / "events.jsonl").read_text().replace('"epochs": 3', '"epochs": 9')
    (run.path / "events.jsonl").write_text(events)
    run.set_state(state=state, message=message)
    app = opened(TRAIN, run=run.id)
    assert message in text(app)
    assert there | {"again", "delete_sure"} <= keys(app)
    asked: list[str] = []
    for what in sorted(there):
        monkeypatch.setattr(Queue, what, lambda _, run, what=what: asked.append(f"{what} {run.id}"))
        app.button(key=what).click().run()
    assert asked == [f"{what} {run.id}" for what in sorted(there)]


@pytest.mark.parametrize(
    ("place", "wait", "message", "expected"),
    [
        (1, 130.0, "", "Next in line · starts by itself in about 2 minutes"),
        (3, None, "", "Number 3 in line · starts by itself"),
        (2, 20.0, "It waits for memory.", "Number 2 in line · starts by itself in about 20 seconds"),
        (0, 0.0, "", "Starting …"),
    ],
)
def test_a_run_in_line_says_where_it_stands_and_for_how_long(
    monkeypatch, tmp_path: Path, place: int, wait: float | None, message: str, expected: str
):
    run = record.create(tmp_path, TrainingConfig("drawn-faces"), OWNER)
    run.set_state(message=message)
    monkeypatch.setattr(Queue, "place", lambda *_: place)
    monkeypatch.setattr(Queue, "wait", lambda *_: wait)
    app = opened(TRAIN, run=run.id)
    assert not app.exception
    assert app.title[0].value == "In line: “drawn faces”"
    assert expected in text(app)
    assert message in text(app)
    assert app.button(key="steer_stop").label == "Leave the line"
    assert not app.get("skeleton"), "nothing is about to be drawn"


def test_behind_a_paused_run_of_the_same_owner_the_page_says_what_to_do(monkeypatch, tmp_path: Path):
    ahead = record.create(tmp_path, TrainingConfig("drawn-shapes"), OWNER)
    ahead.set_state(state="running", paused=True)
    run = record.create(tmp_path, TrainingConfig("drawn-faces"), OWNER)
    monkeypatch.setattr(Queue, "place", lambda *_: 1)
    monkeypatch.setattr(Queue, "held_up_by", lambda *_: ahead)
    app = opened(TRAIN, run=run.id)
    assert "Next in line · waits for a paused run of yours: go on with that one, or stop it" in text(app)
    assert "starts by itself" not in text(app)
    app.button(key="open_paused").click().run()
    assert app.query_params["run"] == ahead.id
    words = text(opened(TRAIN))
    assert "paused · just now" in words
    assert "training now" not in words


def test_a_run_without_a_whole_epoch_is_started_again_and_not_gone_on_with(tmp_path: Path):
    run = record.create(tmp_path, TrainingConfig("drawn-faces"), OWNER)
    run.set_state(state="stopped", message="Stopped before the first epoch was whole.")
    app = opened(TRAIN, run=run.id)
    assert app.button(key="resume").label == "Start it again"
    assert "score" not in keys(app)
    assert "Stopped before the first epoch was whole." in text(app)


@pytest.mark.parametrize(("switch", "said"), [("off", True), ("on", False)])
def test_with_faces_off_a_run_on_faces_does_not_go_on(switch: str, said: bool, tmp_path: Path, monkeypatch):
    run = record.create(tmp_path, TrainingConfig("fer2013.csv", "emotions", task="face"), OWNER)
    run.set_state(state="stopped")
    asked: list[str] = []
    monkeypatch.setattr(Queue, "resume", lambda _, run: asked.append(run.id))
    monkeypatch.setenv(face.SWITCH, switch)
    app = opened(TRAIN, run=run.id)
    app.button(key="resume").click().run()
    assert not app.exception
    assert [face.OFF in sentence for sentence in sentences(app)] == ([True] if said else [])
    assert asked == ([] if said else [run.id])


def test_network_and_card_can_be_taken_away_as_one_zip_and_the_history_as_a_table(tmp_path: Path):
    run = finished(tmp_path)
    app = opened(TRAIN, run=run.id)
    app.session_state["take_run"] = True
    app.run()
    assert not app.exception
    assert {one.key for one in app.get("download_button")} == {"zip_run", "csv_run"}
    with zipfile.ZipFile(io.BytesIO(train_results.archive(run))) as archive:
        assert sorted(archive.namelist()) == ["card.json", "digests.json", "model.keras"]
        digests = json.loads(archive.read("digests.json"))
        assert [len(digests[side]) for side in ("train", "validation", "test")] == [24, 6, 30]
        assert json.loads(archive.read("card.json"))["labels"] == ["happy", "sad"]
    assert runs.history(run).csv().count("\n") == 1 + 6 + 3


def test_a_run_can_be_deleted(tmp_path: Path):
    run = finished(tmp_path)
    app = opened(TRAIN, run=run.id)
    app.button(key="delete_sure").click().run()
    assert not app.exception
    assert not run.path.exists()
    assert "train" in keys(app)


def test_runs_are_listed_newest_first_for_their_owner_only(tmp_path: Path):
    first = finished(tmp_path)
    theirs = finished(tmp_path, OTHER)
    app = opened(TRAIN)
    assert f"open_{first.id}" in keys(app)
    assert f"open_{theirs.id}" not in keys(app)
    assert "trained · 93.3 % of 30 test pictures right" in text(app)
    app.button(key=f"open_{first.id}").click().run()
    assert app.query_params["run"] == first.id
    assert app.title[0].value == "Trained “drawn faces”"


# ---------------------------------------------------------------------------------------------------- networks


def test_a_card_can_be_opened_in_full_and_left_again(tmp_path: Path):
    run = finished(tmp_path, kept="Faces")
    app = opened(NETWORKS)
    words = text(app)
    for part in ("Faces", "93.3 %", "7,434", "drawn-faces", "free to use", "Decisions about people."):
        assert part in words
    app.button(key=f"open_{run.id}").click().run()
    assert app.query_params["card"] == run.id
    assert app.title[0].value == "Faces"
    assert "the page Train" in text(app)
    assert "Right when said" in text(app)
    app.button(key="back").click().run()
    assert app.title[0].value == "Networks"


def test_where_there_is_no_network_the_page_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cards, "listed", lambda _: cards.Listing({}, ()))
    app = opened(NETWORKS)
    assert "No network yet: train one in a minute" in text(app)
    assert "go_train" in keys(app)


def test_a_shipped_card_that_cannot_be_read_is_a_sentence_and_the_others_stand(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cards, "listed", lambda _: cards.Listing({}, ("x/card.json is not whole.",)))
    assert sentences(opened(NETWORKS)) == [":material/error: x/card.json is not whole."]


@pytest.mark.parametrize("card", ["../../etc/passwd", "x" * LONG, "<b>", "theirs"])
def test_a_card_that_is_not_there_or_not_yours_is_not_opened(card: str, tmp_path: Path):
    theirs = finished(tmp_path, OTHER, kept="Secret").id
    app = opened(NETWORKS, card=theirs if card == "theirs" else card)
    assert not app.exception
    assert "There is no network" in sentences(app)[0]
    assert "Secret" not in text(app)
