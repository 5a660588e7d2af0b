"""In a real browser, with the real finder and a small network for faces: boxes, the choice of a face, covered eyes."""

import base64
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Server, downloaded, settle, start_server, until
from PIL import Image
from test_browser_classify import drop, numbers, param, picture, rows, said, visit, words

from cnnviz import face, images, mistakes
from cnnviz.cards import FILE, Card, read_card, write_card
from cnnviz.training import record
from cnnviz.training.config import TrainingConfig

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "sample_images"
LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
OWNER = "f" * 32

pytestmark = [pytest.mark.browser, pytest.mark.keras]


@pytest.fixture(scope="module")
def network(server: Server) -> Path:
    """A network of random weights, kept by one owner under the name "Little faces"; its folder."""
    import keras

    keras.utils.set_random_seed(3)
    spread = keras.initializers.RandomNormal(stddev=0.15)
    layers = [
        keras.layers.Input((48, 48, 1), name="input"),
        keras.layers.Conv2D(6, 5, 4, activation="relu", kernel_initializer=spread, name="conv"),
        keras.layers.Flatten(name="flatten"),
        keras.layers.Dense(7, activation="softmax", kernel_initializer=spread, name="answer"),
    ]
    model = keras.Sequential(layers)
    base = read_card(ROOT / "models" / "objects" / FILE)
    card = Card.from_json(
        base.to_json()
        | {"task": "face", "name": "little", "title": "Little faces", "labels": list(LABELS), "scores": {}}
        | {"threshold": 0.5, "parameters": model.count_params(), "architecture": "little"}
        | {"preprocessing": {"height": 48, "width": 48, "color": "grey", "fit": "crop", "scale": "0..1"}}
    )
    run = record.create(server.runs, TrainingConfig("drawn-faces", number=60, epochs=1), OWNER)
    model.save(run.network)
    write_card(card, run.card)
    run.set_state(state="finished", kept="Little faces")
    return run.path


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo with three faces: the astronaut, her mirror image, and a third, closer."""
    image = Image.open(SAMPLES / "astronaut.jpg").convert("RGB")
    parts = [
        image.crop(box).resize((300, 300)) for box in ((100, 0, 356, 256), (100, 0, 356, 256), (140, 20, 300, 180))
    ]
    parts[1] = parts[1].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    whole = Image.new("RGB", (900, 300))
    for number, part in enumerate(parts):
        whole.paste(part, (300 * number, 0))
    path = tmp_path_factory.mktemp("photos") / "three.png"
    whole.save(path)
    return path


@pytest.fixture(scope="module")
def expected(network: Path, three: Path) -> dict[str, Any]:
    """What the command line says."""
    command = [sys.executable, "-m", "cnnviz", "classify", str(three), "--model", str(network), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, env={**os.environ, "CNNVIZ_FACES": "on"})
    answer: dict[str, Any] = json.loads(done.stdout)
    assert len(answer["faces"]) == 3
    return answer


@pytest.fixture
def visitor(context: Any, page: Any, server: Server) -> Any:
    """The page of the network's owner."""
    context.add_cookies([{"name": "cnnviz_owner", "value": OWNER, "url": server.url}])
    return page


def percents(scores: dict[str, float]) -> dict[str, float]:
    return {label: 100 * p for label, p in scores.items()}


def shown(page: Any, part: str = "answer") -> dict[str, float]:
    return {label: float(number.rstrip(" %")) for label, number in numbers(page, part).items()}


def hand_over(page: Any, server: Server, network: Path, photo: Path, query: str = "") -> None:
    visit(page, server, f"network={network.name}&{query}")
    page.locator(".st-key-upload input[type=file]").set_input_files(str(photo))
    until(lambda: photo.name in words(page), "the photo")


def inside(page: Any) -> dict[str, float]:
    """What Inside shows as the network's answer: probabilities by class."""
    classes = page.locator(".st-key-network_answer [data-testid=class]")
    script = "all => all.map(one => [one.querySelector('.label').textContent, Number(one.dataset.value)])"
    return dict(classes.evaluate_all(script))


def traced(page: Any) -> float:
    """The number at the head of the trace."""
    script = "all => all.map(one => Number(one.dataset.result))"
    return (page.locator("section.trace [data-testid=sum]").evaluate_all(script) or [-1.0])[0]


def held(page: Any) -> list[str]:
    """Numbers of the boxes and of the lines that are marked."""
    script = "all => all.filter(one => one.classList.contains('held')).map(one => one.dataset.number)"
    return [str(one) for kind in ("box", "face") for one in page.get_by_test_id(kind).evaluate_all(script)]


def test_every_face_is_answered_and_one_is_chosen(
    visitor: Any, server: Server, network: Path, three: Path, expected: dict[str, Any]
) -> None:
    page, faces = visitor, expected["faces"]
    hand_over(page, server, network, three)
    until(lambda: "Face 1 of 3" in words(page), "the first face")
    boxes = page.get_by_test_id("box")
    photo = page.locator(".st-key-faces .photo").bounding_box()
    for number, one in enumerate(faces):
        drawn = boxes.nth(number).bounding_box()
        place = [(drawn[side] - photo[side]) / photo["width"] * 900 for side in ("x", "y")]
        size = [drawn[side] / photo["width"] * 900 for side in ("width", "height")]
        assert np.allclose([*place, *size], one["box"], atol=2)
    lines = [line.replace("\u00a0", " ").split("\n") for line in page.get_by_test_id("face").all_inner_texts()]
    for number, (line, one) in enumerate(zip(lines, faces, strict=True), 1):
        label = max(one["scores"], key=one["scores"].__getitem__)
        assert line[0] == str(number)
        assert (label if one["sure"] else f"most likely {label}") in line
        assert abs(float(line[-1].rstrip(" %")) - 100 * one["scores"][label]) <= 0.1
    assert held(page) == ["1", "1"]
    assert shown(page) == pytest.approx(percents(faces[0]["scores"]), abs=0.1)
    assert "not a feeling" in words(page)

    boxes.nth(2).click()
    until(lambda: "Face 3 of 3" in words(page), "the third face")
    assert held(page) == ["3", "3"]
    until(lambda: param(page, "face") == "3", "its number in the address")
    until(lambda: shown(page) == pytest.approx(percents(faces[2]["scores"]), abs=0.1), "its answer")
    page.keyboard.press("ArrowUp")  # what was clicked has the focus in the list
    until(lambda: "Face 2 of 3" in words(page), "the second face, by keyboard")
    assert page.evaluate("document.activeElement.shadowRoot?.activeElement?.dataset.number") == "2"
    until(lambda: shown(page) == pytest.approx(percents(faces[1]["scores"]), abs=0.1), "its answer")
    page.go_back()
    until(lambda: "Face 3 of 3" in words(page) and held(page) == ["3", "3"], "the face before, in the list, too")
    settle(page)
    boxes.nth(1).click()
    until(lambda: "Face 2 of 3" in words(page) and held(page) == ["2", "2"], "the second face again")
    until(lambda: param(page, "face") == "2", "its number in the address")
    page.reload()
    until(lambda: "Face 2 of 3" in words(page) and held(page) == ["2", "2"], "the same face after a reload")
    best = max(faces[1]["scores"].values())
    page.locator(".st-key-sure_shown input[type=range]").focus()
    page.keyboard.press("End" if best < 1 else "Home")
    until(lambda: said(page) == "Not sure", "the doubt")
    until(lambda: "Not sure" in page.get_by_test_id("face").nth(1).inner_text(), "the doubt in the list, too")


def seen(page: Any, part: str) -> Any:
    """The pixels of an input that is shown."""
    source = page.locator(f".st-key-{part} .input img").get_attribute("src")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))[..., :1]


def test_eyes_and_mouth_are_covered_exactly(visitor: Any, server: Server, network: Path, three: Path) -> None:
    from cnnviz.networks import classifier, faces  # noqa: PLC0415 - loads keras

    page, photo = visitor, images.decode(three.read_bytes())
    one = faces.find(photo.pixels)[1]
    preprocessing = read_card(network / FILE).preprocessing
    hand_over(page, server, network, three, "face=2&mistakes=true&eyes=true")
    page.get_by_test_id("face").nth(1).click()  # another photo began with its first face
    until(lambda: "Face 2 of 3" in words(page) and "After: eyes covered" in words(page), "the drawer")
    assert page.locator(".st-key-switches [class*=st-key-mistake_]").count() == 11  # all but the colors
    for made in (["eyes"], ["eyes", "mouth"]):
        if "mouth" in made:
            page.locator(".st-key-mistake_mouth label").click()
            until(lambda: "After: eyes covered, mouth covered" in words(page), "both")
        settle(page)
        put_in = mistakes.picture(photo.pixels, preprocessing, made, face=one)
        assert (seen(page, "before") == mistakes.picture(photo.pixels, preprocessing, face=one)).all()
        assert (seen(page, "after") == put_in).all()
        answer = classifier.answers(network, put_in[np.newaxis])[0]
        for label, number in shown(page, "after").items():
            assert abs(number - 100 * answer[LABELS.index(label)]) <= 0.1


def test_inside_takes_the_face(
    visitor: Any, server: Server, network: Path, three: Path, expected: dict[str, Any]
) -> None:
    page, faces = visitor, expected["faces"]
    hand_over(page, server, network, three)
    until(lambda: "Face 1 of 3" in words(page), "the faces")
    page.goto(f"{server.url}/inside?network={network.name}&picture=own&face=2&trace=answer:3")

    until(lambda: inside(page) == pytest.approx(faces[1]["scores"], abs=1e-5), "the answer to the second face")

    until(lambda: traced(page) == pytest.approx(faces[1]["scores"]["happy"], abs=1e-5), "the trace of the second face")
    page.get_by_test_id("face").nth(2).click()
    until(lambda: inside(page) == pytest.approx(faces[2]["scores"], abs=1e-5), "the answer to the third face")
    until(lambda: param(page, "face") == "3", "its number in the address")
    until(lambda: traced(page) == pytest.approx(faces[2]["scores"]["happy"], abs=1e-5), "the trace of the third face")
    page.get_by_text("Take it away").first.click()
    taken = np.load(downloaded(page, "npy_input"))
    photo = images.decode(three.read_bytes())
    x, y, w, h = faces[2]["box"]
    square = face.crop(photo.pixels, face.Face((x, y, w, h), 1, ((0, 0), (1, 0)), ((0, 1), (1, 1))))
    given = read_card(network / FILE).preprocessing.picture(square)
    assert (taken == given).all()

    page.locator("[data-key=cat]").click()
    until(lambda: "No face was found in this photo" in words(page), "the sentence")
    assert "Until then the whole picture goes in, and the answer means nothing" in words(page)
    until(lambda: inside(page), "an answer to the whole picture")
    heads = page.locator(".st-key-network_answer .head")  # for a moment the old one stands beside the new
    until(lambda: ["means nothing: no face was found" in one for one in heads.all_inner_texts()] == [True], "no trust")
    assert "not sure" not in heads.inner_text()


def test_a_network_that_looks_at_the_mirror_image_too_answers_with_the_mean_of_what_inside_shows_of_each(
    visitor: Any, server: Server, network: Path, three: Path, expected: dict[str, Any]
) -> None:
    card = read_card(network / FILE)
    write_card(replace(card, mirror=True), network / FILE)
    try:
        page = visitor
        hand_over(page, server, network, three)
        until(lambda: "Face 1 of 3" in words(page), "the faces")
        page.goto(f"{server.url}/inside?network={network.name}&picture=own&face=3&trace=answer:3")
        once = expected["faces"][2]["scores"]  # of the network without the mirror image
        until(lambda: inside(page) == pytest.approx(once, abs=1e-5), "the answer to the face")
        until(lambda: traced(page) == pytest.approx(once["happy"], abs=1e-5), "its trace")
        settle(page)
        page.locator(".st-key-mirror_shown label").click()
        until(lambda: inside(page) and inside(page) != pytest.approx(once, abs=1e-4), "the answer to its mirror image")
        until(lambda: param(page, "mirror") == "1", "the switch in the address")
        twice = inside(page)
        until(lambda: traced(page) == pytest.approx(twice["happy"], abs=1e-5), "the trace of the mirror image")
        mean = {label: 50 * (once[label] + twice[label]) for label in LABELS}
        best = max(mean, key=lambda label: mean[label])
        assert (
            f"to the picture as it is (see the switch Mirrored): {best}, {mean[best]:.1f}"
            in page.locator(".st-key-network_answer .note").inner_text()
        )
        page.reload()
        until(lambda: inside(page) == pytest.approx(twice, abs=1e-5), "the same after a reload")
        page.goto(f"{server.url}/classify?network={network.name}&picture=own&face=3")
        until(lambda: shown(page) == pytest.approx(mean, abs=0.06), "the mean of both on Classify")
        assert "They go in twice, the second time mirrored" in words(page)
    finally:
        write_card(card, network / FILE)


def test_from_a_face_a_button_leads_inside_and_a_picture_beside_it_without_a_face_is_said_to_have_none(
    visitor: Any, server: Server, network: Path, three: Path
) -> None:
    page = visitor
    hand_over(page, server, network, three)
    page.get_by_test_id("face").nth(1).click()
    until(lambda: "Face 2 of 3" in words(page), "the second face")
    page.get_by_text("Classic mistakes").click()  # which is in the address while it is open
    until(lambda: param(page, "mistakes") == "true", "the open drawer")
    settle(page)
    page.get_by_role("button", name="Every map that led to it").click()
    until(lambda: "The square round face 2 of 3 goes into “Little faces”" in words(page), "the same face")
    page.goto(f"{server.url}/inside?network={network.name}&picture=own&face=2&beside=picture:coffee")
    until(lambda: "Coffee in Little faces · no face was found in it" in words(page), "who has no face")
    here, there = (page.locator(f".st-key-{side}_answer .head") for side in ("network", "beside"))
    until(lambda: ["means nothing" in one for one in there.all_inner_texts()] == [True], "what its answer is worth")
    until(lambda: ["means nothing" in one for one in here.all_inner_texts()] == [False], "the other's, which has one")
    # of two networks the one for faces gets the face
    page.goto(f"{server.url}/inside?network=objects&picture=own&face=2&beside=network:{network.name}")
    until(lambda: "The square round face 2 of 3 goes into “Little faces”" in words(page), "which network gets it")


def test_a_wide_photo_keeps_its_shape_beside_a_long_list(
    visitor: Any, server: Server, network: Path, three: Path, tmp_path: Path
) -> None:
    page, one = visitor, Image.open(three)
    wide = Image.new("RGB", (1800, 300))
    for place in (0, 900):
        wide.paste(one, (place, 0))
    wide.save(tmp_path / "wide.png")
    page.set_viewport_size({"width": 1280, "height": 900})
    hand_over(page, server, network, tmp_path / "wide.png")
    until(lambda: "6 faces" in words(page), "the faces")

    def shape() -> float:
        box = page.locator(".st-key-faces .photo").bounding_box()
        return box["width"] / box["height"] if box and box["height"] else 0

    until(lambda: shape() == pytest.approx(6, rel=0.02), "a photo six times as wide as high")


def test_many_photos_have_a_line_a_face(
    visitor: Any, server: Server, network: Path, three: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    page = visitor
    visit(page, server, f"view=many&network={network.name}")
    drop(page, three, picture(tmp_path, "coffee", "no face.png", 300))
    until(lambda: "2 photos looked through, 3 faces in them" in words(page), "the answers")
    assert "in 1 photo no face was found" in words(page)
    assert len(rows(page)) == 4
    assert [one.split("|")[1] for one in rows(page)] == [*(f"three.pngface {n} of 3" for n in (1, 2, 3)), "no face.png"]
    first, second = json.loads(downloaded(page, "json_many").read_text())
    assert second == {"file": "no face.png", "faces": []}
    assert [one["box"] for one in first["faces"]] == [one["box"] for one in expected["faces"]]
    for one, other in zip(first["faces"], expected["faces"], strict=True):
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-5)


def test_without_a_face_a_sentence_stands_there_and_nothing_breaks(visitor: Any, server: Server, network: Path) -> None:
    page = visitor
    visit(page, server, f"network={network.name}&picture=coffee&face=2&mistakes=true")
    until(lambda: face.NONE_FOUND in words(page), "the sentence")
    settle(page)
    assert not page.locator(".st-key-answer .said").count()
    page.locator("[data-key=astronaut]").click()
    until(lambda: said(page) and "The face in the photo" in words(page), "an answer")
    assert not page.get_by_test_id("face").count()
    assert page.context.foreign == []


@pytest.fixture
def without(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The same runs on a server whose faces are switched off."""
    monkeypatch.setenv(face.SWITCH, "off")
    running = start_server(tmp_path, server.runs)
    yield running
    running.process.terminate()
    running.process.wait(10)


def test_where_faces_are_switched_off_there_is_nothing_of_them(
    context: Any, page: Any, without: Server, network: Path
) -> None:
    context.add_cookies([{"name": "cnnviz_owner", "value": OWNER, "url": without.url}])
    visit(page, without, f"network={network.name}&picture=astronaut&face=1&eyes=true")
    until(lambda: face.OFF in words(page), "the sentence")
    until(lambda: "The photo" in words(page), "the first network's stages")
    assert "Little faces" not in page.locator("body").inner_text()
    assert words(page).count("witched off") == 1
    assert not page.get_by_test_id("box").count()
