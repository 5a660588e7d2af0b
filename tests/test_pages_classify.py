"""Checks Classify without a browser and with an engine that answers by rule: answers, mistakes, many photos, bad input.

What the rule gives is worked out here again from the pictures that the page sent.
"""

import gc
import io
import json
import shutil
import threading
import time
import weakref
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PATIENCE, until
from PIL import Image
from streamlit.runtime.uploaded_file_manager import UploadedFile
from streamlit.testing.v1 import AppTest

from cnnviz import cards, engine, mistakes, networks, samples
from cnnviz.cards import read_card, write_card
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.engine import EngineError, State
from cnnviz.networks import NetworkError
from cnnviz.training import record
from cnnviz.training.config import TrainingConfig
from cnnviz.ui import batches, catalog, classify_many, classify_photo, strip
from cnnviz.ui.batches import Batch
from cnnviz.ui.store import Store

pytestmark = pytest.mark.pages
ROOT = Path(__file__).resolve().parents[1]
CLASSIFY, TRAIN, NETWORKS = "pages/classify.py", "pages/train.py", "pages/networks.py"
OWNER, OTHER = "0" * 32, "1" * 32
OBJECTS = read_card(ROOT / "models" / "objects" / "card.json")
FIRST = samples.samples()[0].key


def rule(pictures: Any) -> Any:
    """The fake network: .8 for the class whose number is the mean level, modulo the classes; the rest is shared."""
    count = len(OBJECTS.labels)
    found = np.full((len(pictures), count), 0.2 / (count - 1))
    found[np.arange(len(pictures)), [round(np.abs(one).mean() * 10) % count for one in pictures]] = 0.8
    return found


class Engine:
    """Stands in for the real one; holds what it was asked, and does as it is told."""

    def __init__(self) -> None:
        self.ready, self.asked, self.error = True, [], None
        self.may: threading.Semaphore | None = None  # how many more calls are answered; the others wait

    def state(self) -> State:
        return State(self.ready, 0, "" if self.ready else "The networks are being loaded.")

    def call(self, name: str, folder: str, pictures: Any, scaled: bool = True, turn: str = "", **_: Any) -> Any:
        assert name == "classifier.answers"
        assert pictures.dtype == (np.uint8 if scaled else np.float32)
        assert self.may is None or self.may.acquire(timeout=PATIENCE)
        if self.error is not None:
            raise self.error
        self.asked.append((folder, pictures, turn))
        return rule(pictures if scaled else [one * (255 if one.max() <= 1 else 1) for one in pictures])

    def cached(self, key: tuple[object, ...], *rest: Any, **more: Any) -> Any:
        hash(key)
        return self.call(*rest, **more)


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    for name in ("state", "call", "cached"):
        monkeypatch.setattr(engine, name, getattr(made, name))
    strip.PHOTOS.drop(OWNER)
    monkeypatch.setattr(classify_many, "BATCHES", Store[Batch](lambda batch: batch.given.size, let_go=Batch.end))
    return made


def opened(page: str = CLASSIFY, owner: str = OWNER, **query: Any) -> AppTest:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=PATIENCE)
    app.query_params.update(query)
    app.session_state["owner"] = owner
    return app.switch_page(page).run()


def sentences(app: AppTest) -> list[str]:
    return [
        m.value.replace("\\", "").removeprefix(":material/error: ") for m in app.markdown if "material/error" in m.value
    ]


def text(app: AppTest) -> str:
    """All words on the page, Markdown and HTML as they were sent."""
    parts = [one.value for kind in (app.title, app.markdown, app.caption, app.subheader) for one in kind]
    words = "\n".join([*parts, *(one.proto.body for one in app.get("html"))])
    return words.replace("\\", "").replace("\u00a0", " ")


def components(app: AppTest) -> dict[str, Any]:
    found = {one.key: one.proto for one in app.get("bidi_component")}
    return {key: json.loads(proto.json)[0] for key, proto in found.items() if proto.json}


def best(pixels: Any) -> str:
    return OBJECTS.labels[int(rule([pixels])[0].argmax())]


def seen(key: str = FIRST, *made: str) -> Any:
    return mistakes.picture(samples.photo(key).pixels, OBJECTS.preprocessing, made)


def jpeg(level: int, size: tuple[int, int] = (40, 30)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (level, level, level)).save(file, "PNG")
    return file.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, data in files.items():
            made.writestr(name, data)
    return file.getvalue()


# ---------------------------------------------------------------------------------------------------- one photo


def test_a_sample_is_answered_at_once_with_number_worth_and_card():
    app = opened()
    assert not app.exception
    assert app.title[0].value == "Classify"
    assert sentences(app) == []
    label = best(seen())
    said = text(app)
    assert f'<p class="said">{label} <span>80.0 %</span></p>' in said
    called = sum(row[OBJECTS.labels.index(label)] for row in OBJECTS.test.confusion)
    right = OBJECTS.test.confusion[OBJECTS.labels.index(label)][OBJECTS.labels.index(label)]
    assert f"it said “{label}” {called:,} times and was right in {100 * right / called:.1f} %" in said
    assert (
        app.button(key="card_open").label.replace("\u00a0", " ").startswith("Right in 79.1 % of 10,000 test pictures")
    )
    assert said.count("<li") == 5
    assert "The 5 others share" in said


def test_the_engine_gets_exactly_what_the_page_shows(fake: Engine):
    opened(picture="cat")
    folder, pictures, turn = fake.asked[0]
    assert folder == str(ROOT / "models" / "objects")
    assert (pictures == OBJECTS.preprocessing.picture(samples.photo("cat").pixels)[None]).all()
    assert turn.startswith(f"{OWNER}/classify/one/")


@pytest.mark.parametrize(
    ("sure", "said"),
    [
        ("", '<p class="said">'),
        ("80", '<p class="said">'),
        ("79.9", '<p class="said">'),
        ("80.1", "Not sure"),
        ("81", "Not sure"),
        ("100", "Not sure"),
        ("0", '<p class="said">'),
        ("-5", '<p class="said">'),
        ("1000", "Not sure"),
        ("rather", '<p class="said">'),
    ],
)
def test_an_answer_is_sure_from_the_threshold_on(sure: str, said: str):
    app = opened(sure=sure)
    assert not app.exception
    assert said in text(app)
    assert ("Not sure" in said) == ("Not sure" in text(app))


def test_the_threshold_starts_at_the_cards_own_and_goes_back_to_it():
    app = opened()
    slider = app.slider(key="sure_shown")
    assert slider.value == 49.1
    slider.set_value(90).run()
    assert "Not sure" in text(app)
    assert app.query_params["sure"] == ["90"] or app.query_params["sure"] == "90"
    app.slider(key="sure_shown").set_value(49.1).run()
    assert "Not sure" not in text(app)
    assert not app.query_params.get("sure")


def test_a_threshold_by_hand_is_forgotten_with_the_network_that_it_was_set_for():
    app = opened(sure="90", network="objects")
    assert "Not sure" in text(app)
    app.selectbox(key="network_shown").select("cats-dogs").run()
    assert app.slider(key="sure_shown").value == 63.9
    assert not app.query_params.get("sure")


def test_the_card_opens_with_everything_on_it():
    app = opened()
    app.button(key="card_open").click().run()
    said = text(app)
    for words in (
        "of 10,000 test pictures right",
        "Class by class"[:5],
        "Rights in the data",
        "Not for",
        "95 % interval",
    ):
        assert words in said
    assert all(f"<td>{label}</td>" in said for label in OBJECTS.labels)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((40, 40), "All of it goes in."),
        ((80, 40), "Cropped: 50.0 % of it, left and right"),
        ((40, 80), "Cropped: 50.0 % of it, above and below"),
        ((1, 1), "All of it goes in."),
        ((20_000, 1), "Cropped: &gt; 99.9 % of it, left and right"),
    ],
)
def test_the_page_says_what_is_cut_off(size: tuple[int, int], words: str):
    app = opened()
    app.file_uploader(key="upload_0").set_value(("p.png", jpeg(100, size), "image/png")).run()
    assert not app.exception
    assert sentences(app) == []
    assert words in text(app)
    assert '<p class="said">' in text(app)


def test_ones_own_photo_can_be_turned_and_a_sample_cannot(fake: Engine):
    app = opened()
    assert "turn" not in [button.key for button in app.button]
    file, two = io.BytesIO(), np.repeat(np.uint8([[[255, 0, 0], [0, 0, 255]]]), 20, axis=0).repeat(20, axis=1)
    Image.fromarray(two).save(file, "PNG")
    app.file_uploader(key="upload_0").set_value(("p.png", file.getvalue(), "image/png")).run()
    for line in ("20 pixels wide, 40 high · turned by 90° by hand", "40 pixels wide, 20 high · turned by 180° by hand"):
        app.button(key="turn").click().run()
        assert not app.exception
        assert f"p.png · {line}" in text(app)
        two = np.rot90(two, -1)
        (seen,) = next(pictures for _, pictures, turn in fake.asked[::-1] if "/one/" in turn)
        assert (seen == OBJECTS.preprocessing.picture(np.ascontiguousarray(two))).all()
        assert '<p class="said">' in text(app)


@pytest.mark.parametrize(
    ("size", "said"),  # of a photo, width first; the network's input is 32 × 32
    [
        ((1, 1), "It was enlarged from 1 × 1 to 32 × 32 pixels, so the answer means little; give it a larger picture."),
        ((7, 7), "It was enlarged from 7 × 7 to 32 × 32 pixels"),
        ((900, 7), "It was enlarged from 7 × 7 to 32 × 32 pixels"),  # of which the middle goes in
        ((8, 8), ""),
        ((8, 900), ""),
        ((40, 30), ""),
    ],
)
def test_a_photo_much_smaller_than_the_input_is_answered_with_a_warning(size: tuple[int, int], said: str):
    app = opened()
    app.file_uploader(key="upload_0").set_value(("p.png", jpeg(100, size), "image/png")).run()
    assert '<p class="said' in text(app)
    assert said in text(app)
    assert ("enlarged" in text(app)) is bool(said)


@pytest.mark.parametrize(
    ("fit", "size", "said"),  # height first; the input is 32 × 64
    [
        ("crop", (7, 14), "from 14 × 7 to 64 × 32 pixels"),
        ("crop", (8, 16), ""),
        ("stretch", (7, 900), "from 900 × 7 to 64 × 32 pixels"),
        ("stretch", (8, 16), ""),
        ("letterbox", (7, 14), "from 14 × 7 to 64 × 32 pixels"),
        ("letterbox", (7, 64), ""),  # as wide as it is, between bars
    ],
)
def test_what_counts_is_how_much_the_part_that_goes_in_is_enlarged(fit: Any, size: tuple[int, int], said: str):
    sentence = classify_photo.enlarged(*size, Preprocessing(32, 64, fit=fit))
    assert (said in sentence) if said else sentence == ""


def test_an_animation_shows_its_first_picture_and_says_so(fake: Engine):
    file = io.BytesIO()
    pictures = [Image.new("RGB", (8, 8), (level,) * 3) for level in (200, 20)]
    pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:])
    app = opened()
    app.file_uploader(key="upload_0").set_value(("a.gif", file.getvalue(), "image/gif")).run()
    assert "first picture of an animation" in text(app)
    assert abs(fake.asked[-1][1].astype(int) - 200).max() <= 1


def test_a_broken_file_gets_its_sentence_and_the_picture_before_stays():
    app = opened()
    app.file_uploader(key="upload_0").set_value(("a.jpg", b"\xff\xd8\xff" + b"0" * 100, "image/jpeg")).run()
    assert len(sentences(app)) == 1
    assert "a.jpg" in sentences(app)[0]
    assert '<p class="said">' in text(app)


def test_while_the_engine_loads_the_page_is_there_and_says_what_it_waits_for(fake: Engine):
    fake.ready = False
    app = opened()
    assert not app.exception
    assert "The networks are being loaded." in text(app)
    assert "What the network sees" in text(app)
    assert fake.asked == []


@pytest.mark.parametrize("error", [EngineError("It broke down."), NetworkError("It is cut off.")])
def test_what_the_engine_cannot_answer_stands_where_the_answer_would(fake: Engine, error: Exception):
    fake.error = error
    app = opened(mistakes="true")
    assert not app.exception
    assert sentences(app) == [str(error)]
    assert "The photo" in text(app)


# ---------------------------------------------------------------------------------------------------- mistakes


def test_the_drawer_is_shut_until_it_is_opened(fake: Engine):
    app = opened()
    assert len(fake.asked) == 1
    assert "bgr" not in {toggle.key for toggle in app.toggle}


def test_each_mistake_is_a_switch_with_its_answer_and_why():
    app = opened(mistakes="true")
    assert [toggle.key for toggle in app.toggle] == list(mistakes.KEYS)
    said = text(app)
    for one in mistakes.MISTAKES:
        assert one.why in said
        level = seen(FIRST, one.key)
        now = best(level)
        word = f"still <span>{now}</span>" if now == best(seen()) else f"now <b>{now}</b>"
        if one.key != "unscaled":
            assert f"{word} 80.0 %" in said, one.key


@pytest.mark.parametrize("chosen", [("bgr",), ("dark", "sideways"), ("covered", "noisy", "mirrored")])
def test_switches_make_these_mistakes_together(chosen: tuple[str, ...], fake: Engine):
    app = opened(mistakes="true")
    for key in chosen:
        app.toggle(key=key).set_value(True).run()
    assert not app.exception
    ordered = [key for key in mistakes.KEYS if key in chosen]
    names = [one.label[0].lower() + one.label[1:] for one in mistakes.MISTAKES if one.key in chosen]
    assert f"After: {', '.join(names)}" in text(app)
    expected = OBJECTS.preprocessing.scaled(seen(FIRST, *ordered))
    assert (fake.asked[-1][1] == expected[None]).all()


def test_not_scaled_sends_the_levels_as_they_are(fake: Engine):
    app = opened(mistakes="true", unscaled="true")
    assert "After: not scaled" in text(app)
    assert (fake.asked[-1][1] == seen().astype(np.float32)[None]).all()


@pytest.mark.parametrize(
    ("at", "top", "left"),
    [
        ("", 10, 10),
        ("0,0", 0, 0),
        ("1,1", 21, 21),
        ("0.5,0.2", 10, 1),
        ("x", 10, 10),
        ("nan,1", 10, 10),
        ("9,9", 10, 10),
    ],
)
def test_the_patch_lies_where_the_link_says(at: str, top: int, left: int, fake: Engine):
    app = opened(mistakes="true", covered="true", at=at)
    patch = components(app)["patch"]
    assert (patch["top"], patch["left"], patch["side"]) == (top, left, 11)
    assert np.allclose(fake.asked[-1][1][0, top : top + 11, left : left + 11], 128 / 255)


# ---------------------------------------------------------------------------------------------------- networks


def own(tmp_path: Path, owner: str = OWNER, kept: str = "Mine") -> record.Run:
    """A kept network of an owner: objects' own card and file."""
    run = record.create(tmp_path, TrainingConfig("drawn-faces", number=60, epochs=1), owner)
    write_card(cards.read_card(ROOT / "models" / "objects" / "card.json"), run.card)
    shutil.copy(ROOT / "models" / "objects" / "model.keras", run.network)
    run.set_state(state="finished", kept=kept)
    return run


def test_own_networks_come_first_and_only_to_their_owner(tmp_path: Path):
    run = own(tmp_path)
    assert opened().selectbox(key="network_shown").options[0] == f"{OBJECTS.title} (yours)"
    app = opened(owner=OTHER)
    assert not any("yours" in option for option in app.selectbox(key="network_shown").options)
    app = opened(owner=OTHER, network=run.id)
    assert "which is not in this list" in text(app)
    assert '<p class="said">' in text(app)


def test_a_link_without_a_network_opens_the_same_one_for_everybody(tmp_path: Path):
    own(tmp_path)
    assert opened().selectbox(key="network_shown").value == catalog.FIRST == "objects"


def test_a_network_that_is_removed_while_the_page_is_open_gets_a_sentence(tmp_path: Path):
    run = own(tmp_path)
    app = opened(network=run.id)
    assert sentences(app) == []
    run.network.unlink()
    app.slider(key="sure_shown").set_value(60).run()
    assert len(sentences(app)) == 1
    assert "no longer there" in sentences(app)[0]
    shutil.rmtree(run.path)
    app.slider(key="sure_shown").set_value(61).run()
    assert not app.exception
    assert "which is not in this list" in text(app)


def test_a_card_of_a_newer_format_is_named_and_the_others_still_work(tmp_path: Path):
    run = own(tmp_path, kept="Brand new")
    content = json.loads(run.card.read_text()) | {"format": 2}
    run.card.write_text(json.dumps(content))
    app = opened()
    assert len(sentences(app)) == 1
    assert "Brand new" in sentences(app)[0]
    assert "update this one" in sentences(app)[0]
    assert '<p class="said">' in text(app)


def test_what_train_calls_a_network_does_not_follow_to_classify():
    app = opened(TRAIN, network="tiny")
    app.switch_page(CLASSIFY).run()
    assert "which is not in this list" not in text(app)
    assert app.selectbox(key="network_shown").value == "objects"


# ---------------------------------------------------------------------------------------------------- many photos


def many(app: AppTest) -> AppTest:
    """Run until the photos are answered; AppTest does not poll."""
    until(lambda: (batch := classify_many.BATCHES.get(OWNER)) is not None and not batch.busy, "the answers")
    return app.run()


def dropped(*files: tuple[str, bytes], **query: Any) -> AppTest:
    app = opened(view="many", **query)
    many(app)
    app.file_uploader(key="many_0").set_value([(name, data, "") for name, data in files]).run()
    return many(app)


def table(app: AppTest) -> list[dict[str, Any]]:
    return components(app)["answers"]["rows"]


def test_many_opens_with_the_samples_answered():
    app = many(opened(view="many"))
    assert not app.exception
    rows = table(app)
    assert [row["name"] for row in rows] == [sample.title for sample in samples.samples()]
    assert [row["answer"] for row in rows] == [best(seen(sample.key)) for sample in samples.samples()]
    assert "14 photos answered, 14 of them surely" in text(app)


def test_photos_are_answered_and_broken_ones_listed():
    app = dropped(("a.png", jpeg(10)), ("b.jpg", b"junk"), ("c.png", jpeg(90)), ("d.png", jpeg(10)))
    rows = table(app)
    assert [row["name"] for row in rows] == ["a.png", "b.jpg", "c.png", "d.png"]
    assert [row.get("answer", "") for row in rows] == [
        best(np.full(1, 10)),
        "",
        best(np.full(1, 90)),
        best(np.full(1, 10)),
    ]
    assert "b.jpg" in rows[1]["error"]
    assert rows[3]["same"] == "a.png"
    assert "3 photos answered, 3 of them surely; 1 could not be answered" in text(app)


def test_the_201st_photo_is_left_out_with_a_sentence():
    app = dropped(*((f"{number:03}.png", jpeg(number % 250, (2, 2))) for number in range(201)))
    assert len(table(app)) == 200
    assert len(sentences(app)) == 1
    assert "201 photos came, and at most 200 are answered at once" in sentences(app)[0]
    assert "200.png" in sentences(app)[0]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.zip", b"nothing like it" * 9, "a.zip is no zip"),
        ("a.zip", zipped({"x.png": jpeg(1)})[:-30], "cut off"),
        ("a.zip", zipped({}), "holds no photos"),
        ("a.zip", zipped({"__MACOSX/._x.png": b"1", ".DS_Store": b"1"}), "holds no photos"),
    ],
)
def test_a_zip_that_cannot_be_opened_gets_one_sentence(name: str, data: bytes, words: str):
    app = opened(view="many")
    many(app)
    app.file_uploader(key="many_0").set_value([(name, data, "")]).run()
    assert not app.exception
    assert len(sentences(app)) == 1
    assert words in sentences(app)[0]
    assert "answers" not in components(app)


def test_a_zip_of_garbage_lists_each_file_with_its_sentence():
    app = dropped(("a.zip", zipped({"x.png": b"12", "y/z.jpg": b"\0" * 50})))
    assert [bool(row["error"]) for row in table(app)] == [True, True]
    assert "0 photos answered" in text(app)


FOLDERS = {
    f"photos/{label}/{number}.png": jpeg(level, (8, 8))
    for label, levels in {"cat": (0, 1, 3), "Dogs": (2, 5), "giraffe": (7,)}.items()
    for number, level in enumerate(levels)
}


def test_folders_named_like_classes_give_score_matrix_and_the_photos_behind_a_cell():
    app = dropped(("pets.zip", zipped(FOLDERS)))
    assert not app.exception
    said = text(app)
    # the rule: level l is class 10 * l % 10 = 0 for whole levels: always the first label, "airplane"
    assert "0.0 % of 5 photos right" in said.replace("<strong>", "").replace("</strong>", "")
    assert "Always saying “cat” would be right for 60.0 %" in said
    assert "“giraffe” is answered, but not scored" in said
    assert "3 of 3 pictures of “cat” were taken for “airplane” (100 %)" in said
    assert said.count("<img src=") == 3
    assert {row["true"] for row in table(app)} == {"cat", "dog", ""}
    app.selectbox(key="true_class_shown").set_value("dog").run()
    assert "2 of 2 pictures of “dog” were taken for “airplane” (100 %)" in text(app)
    assert app.query_params["true_class"] in ("dog", ["dog"])


def test_a_copy_is_scored_once():
    app = dropped(("pets.zip", zipped({"cat/a.png": jpeg(3), "cat/b.png": jpeg(3), "dog/c.png": jpeg(4)})))
    assert "of 2 photos right" in text(app)
    assert len(table(app)) == 3


@pytest.mark.parametrize(
    ("files", "said", "count"),
    [
        ({"cat/a.png": 3, "dog/b.png": 3, "dog/c.png": 4}, "1 photo lies in folders of more than one class", 1),
        ({"cat/a.png": 3, "dog/b.png": 3, "dog/c.png": 4, "cat/d.png": 4, "cat/e.png": 5}, "2 photos lie", 1),
        ({"cat/a.png": 3, "dog/b.png": 3}, "1 photo lies", 0),
        ({"holiday/a.png": 3, "dog/b.png": 3}, "", 1),  # the folder that names a class counts
    ],
)
def test_a_photo_in_two_classes_is_left_out_and_counted(files: dict[str, int], said: str, count: int):
    app = dropped(("pets.zip", zipped({name: jpeg(level) for name, level in files.items()})))
    assert not app.exception
    assert (f"of {count} photo" in text(app)) == bool(count)
    assert ("of more than one class" in text(app)) == bool(said)
    assert said in text(app)


def test_another_network_answers_the_same_photos_again(tmp_path: Path, fake: Engine):
    run = own(tmp_path)
    app = dropped(("a.png", jpeg(10)), ("b.png", jpeg(20)))
    assert len(table(app)) == 2
    app.selectbox(key="network_shown").set_value(run.id).run()
    app = many(app)
    assert len(table(app)) == 2
    assert fake.asked[-1][0] == str(run.path)


def offered(kind: str, network: catalog.Network) -> str:
    return classify_many._file(kind, OWNER, network, 0.5)


def test_two_tabs_with_different_networks_never_show_each_others_answers(tmp_path: Path, fake: Engine):
    run = own(tmp_path)
    mine = catalog.Network(run.id, read_card(run.card), run.path, True)
    objects = catalog.Network("objects", OBJECTS, ROOT / "models" / "objects", False)
    first = dropped(("a.png", jpeg(10)), ("b.png", jpeg(20)))
    second = opened(view="many", network=run.id)
    batch, asked = classify_many.BATCHES.get(OWNER), len(fake.asked)
    assert len(batch.rows) == 2
    assert len(fake.asked) == asked, "a tab that is opened takes the answers of the other one away"
    assert f"answered by “{OBJECTS.title}” in another tab" in sentences(second)[0]
    assert "answers" not in components(second)
    second.button(key="many_here").click().run()
    second = many(second)
    assert len(table(second)) == 2
    assert fake.asked[-1][0] == str(run.path)
    for _ in range(2):
        first.run()
        assert not first.exception
        assert "in another tab" in sentences(first)[0]
        assert "answers" not in components(first)
        assert len(table(second.run())) == 2
    assert offered("CSV", objects).startswith("error\n")
    assert "in another tab" in json.loads(offered("JSON", objects))[0]["error"]
    assert offered("CSV", mine).startswith("file,answer,")
    classify_many._go_on(OWNER, objects)
    assert (batch.busy, batch.network) == (False, networks.stamp(run.path))


def test_two_threads_never_answer_the_same_rows(fake: Engine):
    network = catalog.Network("objects", OBJECTS, ROOT / "models" / "objects", False)
    now, files = networks.stamp(network.folder), [(f"{n}.png", jpeg(n, (4, 4))) for n in range(6)]
    for act in ("answered_by", "go_on"):
        batch = Batch(OWNER, batches.given(files))
        batch.network = now if act == "go_on" else ()
        fake.may = threading.Semaphore(0)
        starts = []
        go = batch._go
        batch._go = lambda network, go=go, starts=starts: (time.sleep(0.05), starts.append(1), go(network))  # type: ignore[method-assign]
        tabs = [threading.Thread(target=getattr(batch, act), args=(network, now)) for _ in range(4)]
        for one in tabs:
            one.start()
        for one in tabs:
            one.join()
        fake.may.release(len(files))
        until(lambda batch=batch: not batch.busy, "the answers")
        assert len(starts) == 1, act
        assert [row.name for row in batch.rows] == [name for name, _ in files]


def test_stop_ends_it_while_it_waits_for_the_engine(monkeypatch: pytest.MonkeyPatch):
    def call(*_: Any, say: Any, **__: Any) -> Any:
        until(lambda: say(State(False, 0, "The networks are being loaded.")), "Stop")

    with monkeypatch.context() as changed:
        changed.setattr(engine, "call", call)
        app = opened(view="many")
        batch = classify_many.BATCHES.get(OWNER)
        until(lambda: batch.waits, "the word that it waits")
        app.run()
        app.button(key="many_stop").click().run()
        app = many(app)
        assert (batch.waits, batch.problem, batch.rows) == ("", "", [])
        assert "Stopped after 0 of 14" in text(app)
    app.button(key="many_go").click().run()
    assert len(table(many(app))) == 14


def test_files_that_are_too_large_together_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batches, "MAX_BYTES", 100)
    monkeypatch.setattr(UploadedFile, "getvalue", lambda _: pytest.fail("it was read"))
    app = opened(view="many")
    many(app)
    app.file_uploader(key="many_0").set_value([("a.png", jpeg(1), ""), ("b.png", jpeg(2), "")]).run()
    assert not app.exception
    assert "can be held" in sentences(app)[0]


def test_a_network_that_is_gone_gets_a_sentence_and_the_photos_stay(tmp_path: Path):
    run = own(tmp_path)
    app = dropped(("a.png", jpeg(10)), network=run.id)
    run.network.unlink()
    app.run()
    assert not app.exception
    assert any("no longer there" in sentence for sentence in sentences(app))
    app.selectbox(key="network_shown").set_value("objects").run()
    app = many(app)
    assert sentences(app) == []
    assert len(table(app)) == 1


def test_stop_ends_it_and_go_on_takes_it_up_where_it_was(fake: Engine):
    app = opened(view="many")
    many(app)
    fake.may = threading.Semaphore(1)
    files = [(f"{number}.png", jpeg(number, (4, 4)), "") for number in range(60)]
    app.file_uploader(key="many_0").set_value(files).run()
    until(lambda: classify_many.BATCHES.get(OWNER).rows, "the first answers")
    app.button(key="many_stop").click().run()
    fake.may.release(len(files))
    app = many(app)
    done = len(table(app))
    assert 0 < done < 60
    assert f"Stopped after {done} of 60" in text(app)
    app.button(key="many_go").click().run()
    app = many(app)
    assert [row["name"] for row in table(app)] == [name for name, _, _ in files]


def test_photos_are_seen_by_their_owner_alone_and_can_be_forgotten():
    app = dropped(("secret.png", jpeg(10)))
    other = opened(view="many", owner=OTHER)
    assert "secret.png" not in json.dumps(components(other))
    app.button(key="many_forget").click().run()
    app = many(app)
    assert "secret.png" not in json.dumps(components(app))


def test_photos_that_are_let_go_leave_memory_though_the_tab_stays_open():
    app = dropped(("pets.zip", zipped(FOLDERS)))
    held = weakref.ref(classify_many.BATCHES.get(OWNER))
    classify_many.BATCHES.drop(OWNER)
    gc.collect()
    assert held() is None
    assert table(app)


def test_a_threshold_counts_for_many_too():
    app = dropped(("a.png", jpeg(10)), sure="81")
    assert "1 photo answered, 0 of them surely" in text(app)
    assert table(app)[0]["sure"] is False


def test_the_stamp_of_a_network_changes_with_its_file(tmp_path: Path):
    run = own(tmp_path)
    before = networks.stamp(run.path)
    run.network.write_bytes(b"other")
    assert networks.stamp(run.path) != before
