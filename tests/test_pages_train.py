"""Checks Train and Networks without a browser and without a worker: setup, bad input, others' runs, results, cards.

The queue is the real one with its workers taken away; runs are written by hand into a directory of their own.
"""

import io
import json
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.testing.v1 import AppTest

from cnnviz import cards, evaluation
from cnnviz.cards import Card, write_card
from cnnviz.data.fingerprints import scan
from cnnviz.data.sources import open_dataset
from cnnviz.data.split import make_split
from cnnviz.training import device, record
from cnnviz.training.config import TrainingConfig
from cnnviz.training.queue import Queue, QueueError
from cnnviz.training.record import Run
from cnnviz.ui import markup, runs, train_photos, train_results
from cnnviz.ui.uploads import UploadStore

ROOT = Path(__file__).resolve().parents[1]
TRAIN, NETWORKS = "pages/train.py", "pages/networks.py"
OWNER, OTHER = "0" * 32, "1" * 32
LONG = 10_000


@pytest.fixture(autouse=True)
def submitted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Run]:
    """No worker is started; the runs that were submitted, with their pictures where they have any."""
    found: list[Run] = []

    def submit(queue: Queue, config: TrainingConfig, owner: str, store: Any = None) -> Run:
        run = record.create(queue.root, queue.bounds.config(config), owner)
        if store is not None:
            store(run)
        found.append(run)
        return run

    monkeypatch.setattr(Queue, "warm", lambda _: None)
    monkeypatch.setattr(Queue, "submit", submit)
    monkeypatch.setattr(BidiComponentManager, "discover_and_register_components", lambda *_, **__: None)
    monkeypatch.setenv("CNNVIZ_RUNS", str(tmp_path))
    monkeypatch.setattr(runs, "_queue", None)
    monkeypatch.setattr(train_photos, "ZIPS", UploadStore())
    return found


def opened(page: str, owner: str = OWNER, **query: Any) -> AppTest:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=20)
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
        {"number": "inf", "epochs": "nan", "batch": "-1", "rate": "1e9", "seed": "1e999"},
        {"rate": "0", "optimizer": "x" * LONG, "flip": "maybe", "mixed": "2", "shift": "99"},
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
    assert len(submitted) == 1, "what the link says beside the lists counts as the default"


def test_a_network_that_does_not_fit_says_so_with_the_arithmetic_and_cannot_be_started(monkeypatch):
    small = device.Device("cpu", 0, "CPU, 2 cores", 2_000_000_000, 1_000_000_000)
    monkeypatch.delitem(sys.modules, "keras", raising=False)  # other tests may have loaded it; the server never has
    monkeypatch.setattr(device, "devices", lambda: [small])
    app = opened(TRAIN, network="system-a", batch="256")
    assert app.button(key="train").disabled
    (sentence,) = sentences(app)
    assert "1.0 GB are free" in sentence
    assert "256 pictures ·" in sentence
    app.selectbox(key="network_shown").set_value("tiny").run()
    assert sentences(app) == []
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
    assert "fetched from the network" in text(opened(TRAIN, data="cifar10"))


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
    for _ in range(100):
        held = train_photos.ZIPS.get(OWNER)
        if held is not None and not held.busy:
            break
        time.sleep(0.05)
    return app.run()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"these are only words", "is no zip"),
        (zipped(PETS)[:-30], "cut off"),
        (zipped({}), "holds no pictures"),
        (zipped({"cats/a.png": photo(1), "cats/b.png": photo(2)}), "one class only (cats)"),
        (zipped({"cats/a.png": photo(1), "dogs/b.png": photo(2)}), "cats has 1"),
        (zipped({"../../evil.png": photo(1)}), "holds no pictures"),
    ],
)
def test_a_bad_zip_gets_a_sentence_where_it_was_dropped(data: bytes, sentence: str):
    app = with_zip(data, "my_[pets](x).zip")
    assert not app.exception
    (said,) = sentences(app)
    assert sentence in said
    assert "consent" not in keys(app)


def test_nothing_is_stored_without_consent(submitted: list[Run], tmp_path: Path):
    app = with_zip(zipped(PETS))
    assert "24 pictures: cats: 12 · dogs: 12" in text(app)
    assert app.checkbox(key="consent").label == train_photos.CONSENT
    app.button(key="train").click().run()
    assert "Tick the line" in sentences(app)[0]
    assert submitted == []
    assert list(tmp_path.glob("2*")) == []
    app.checkbox(key="consent").check().run()
    app.button(key="train").click().run()
    assert not app.exception
    (run,) = submitted
    assert app.title[0].value == "In line: “pets”"
    with np.load(run.path / "pictures.npz") as stored:
        assert stored["pictures"].shape == (24, 32, 32, 3), "at the network's input size"
    assert sorted(path.name for path in run.path.iterdir() if path.suffix == ".png") == []


def test_findings_can_be_left_out(submitted: list[Run]):
    copies = {"cats/again.png": PETS["cats/00.png"], "dogs/<b>broken_[x](y).png": b"no picture"}
    app = with_zip(zipped(PETS | copies))
    assert not app.exception
    assert "1 picture cannot be read. Left out." in text(app)
    app.checkbox(key="leave_out_exact-copies").check()
    app.checkbox(key="consent").check().run()
    app.button(key="train").click().run()
    with np.load(submitted[0].path / "pictures.npz") as stored:
        assert "cats/00.png" in stored["names"]
        assert "cats/again.png" not in stored["names"]
        assert len(stored["names"]) == 24


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


def test_text_in_tables_lists_and_pictures_is_escaped():
    evil = '<script>"x"</script>'
    pixels = np.zeros((2, 2, 3), np.uint8)
    for html in (
        markup.table((evil,), ((evil,),), (), evil),
        markup.pairs(((evil, evil),)),
        markup.picture(pixels, 8, evil),
    ):
        assert "<script" not in html
        assert html.count("&lt;script&gt;&quot;x&quot;&lt;/script&gt;") >= 2


@pytest.mark.parametrize(("side", "shown"), [(2, 64), (24, 48), (64, 64), (100, 64)])
def test_a_small_picture_is_enlarged_by_a_whole_factor_and_a_large_one_reduced(side: int, shown: int):
    assert f'width="{shown}" height="{shown}"' in markup.picture(np.zeros((side, side, 3), np.uint8), 64, "")


def test_photos_of_another_owner_are_not_there():
    with_zip(zipped(PETS))
    theirs = opened(TRAIN, OTHER, data="own")
    assert "cats" not in text(theirs).replace("such as cats and dogs", "")
    theirs.button(key="train").click().run()
    assert "There are no photos yet" in sentences(theirs)[0]


def test_a_zip_leaves_memory_after_an_idle_hour_and_only_then():
    clock = [0.0]
    store = UploadStore(lambda: clock[0])
    store.take(OWNER, "pets.zip", zipped(PETS))
    clock[0] = 3599
    assert store.get(OWNER) is not None
    clock[0] = 3599 + 3600
    assert store.get(OWNER) is None


# ---------------------------------------------------------------------------------------------------- runs


@pytest.mark.parametrize("run_id", ["20260101-000000-0123abcd", "../../etc", "x" * LONG, "\x00", "<b>", "theirs"])
def test_a_run_that_is_not_there_or_not_yours_gets_the_same_sentence(run_id: str, tmp_path: Path):
    theirs = finished(tmp_path, OTHER).id
    app = opened(TRAIN, run=theirs if run_id == "theirs" else run_id)
    assert not app.exception
    assert sentences(app) == [":material/error: There is no such run here; it may have been deleted."]
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
    assert json.loads(run.card.read_text())["title"] == "Faces *1*"
    assert "Faces \\*1\\*" in [one.value for one in opened(NETWORKS).subheader]
    assert "Faces \\*1\\*" not in [one.value for one in opened(NETWORKS, OTHER).subheader]


def test_the_next_run_can_start_from_the_settings_of_this_one(tmp_path: Path, submitted: list[Run]):
    app = opened(TRAIN, run=finished(tmp_path).id)
    app.button(key="again").click().run()
    assert app.selectbox(key="epochs").value == 3
    app.button(key="train").click().run()
    assert submitted[0].config().epochs == 3


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


def test_network_and_card_can_be_taken_away_as_one_zip_and_the_history_as_a_table(tmp_path: Path):
    run = finished(tmp_path)
    app = opened(TRAIN, run=run.id)
    app.session_state["take_run"] = True
    app.run()
    assert not app.exception
    assert {one.key for one in app.get("download_button")} == {"zip_run", "csv_run"}
    with zipfile.ZipFile(io.BytesIO(train_results.archive(run))) as archive:
        assert sorted(archive.namelist()) == ["card.json", "model.keras"]
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
