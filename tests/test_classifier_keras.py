"""Networks read from disk: their answers, how many are held, and one sentence for each way in which one is no good."""

import gc
import json
import os
import shutil
import weakref
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from cnnviz import face
from cnnviz.networks import NetworkError

pytestmark = pytest.mark.keras
OBJECTS = Path(__file__).resolve().parents[1] / "models" / "objects"


@pytest.fixture(autouse=True)
def classifier() -> Iterator[Any]:
    """The module, without the networks of other tests."""
    from cnnviz.networks import classifier  # noqa: PLC0415

    classifier._held.clear()
    yield classifier
    classifier._held.clear()


def made(shape: tuple[Any, ...] = (8, 8, 3), outputs: int = 3, end: str = "softmax") -> Any:
    """A network that answers from the mean of each channel."""
    import keras

    keras.utils.set_random_seed(1)
    picture = keras.Input(shape)
    mean = keras.layers.GlobalAveragePooling2D()(picture)
    return keras.Model(picture, keras.layers.Dense(outputs, activation=end)(mean))


def network(folder: Path, model: Any = None, labels: int = 3, **preprocessing: Any) -> Path:
    """A folder with a network and a card of so many labels."""
    folder.mkdir()
    (model or made()).save(folder / "model.keras")
    card = json.loads((OBJECTS / "card.json").read_text())
    card |= {"name": folder.name, "title": "Of a test", "labels": [f"class {n}" for n in range(labels)], "scores": {}}
    card["preprocessing"] |= {"height": 8, "width": 8} | preprocessing
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def pictures(count: int = 2, shape: tuple[int, ...] = (8, 8, 3)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *shape)).astype(np.uint8)


@pytest.mark.parametrize(
    ("scale", "low", "high"), [("0..1", 0.0, 1.0), ("-1..1", -1.0, 1.0), ("0..255", 0.0, 255.0)]
)  # fmt: skip
def test_answers_are_softmax_of_what_the_weights_make_of_the_scaled_picture(tmp_path, classifier, scale, low, high):
    model = made()
    folder = network(tmp_path / "net", model, scale=scale)
    weights, bias = (np.asarray(value, np.float64) for value in model.get_weights())
    given = pictures(5)
    logits = (low + given / 255.0 * (high - low)).mean(axis=(1, 2)) @ weights + bias
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(classifier.answers(folder, given), raised / raised.sum(axis=1, keepdims=True), atol=1e-5)


def test_unscaled_pictures_go_in_as_they_are(tmp_path, classifier):
    folder = network(tmp_path / "net", scale="0..1")
    given = pictures()
    ready = (given / np.float32(255)).astype(np.float32)
    np.testing.assert_allclose(
        classifier.answers(folder, ready, scaled=False), classifier.answers(folder, given), atol=1e-6
    )


def test_one_output_gives_both_labels(tmp_path, classifier):
    model = made(outputs=1, end="sigmoid")
    folder = network(tmp_path / "net", model, labels=2)
    found = classifier.answers(folder, pictures(3))
    p = np.asarray(model(pictures(3).astype(np.float32) / 255))[:, 0]
    np.testing.assert_allclose(found, np.stack([1 - p, p], axis=1), atol=1e-5)


def test_a_network_whose_card_says_mirror_answers_with_the_mean_over_both(tmp_path, classifier):
    import keras

    picture = keras.Input((8, 8, 3))
    model = keras.Model(picture, keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(picture)))
    folder, given = network(tmp_path / "net", model), pictures(70)
    card = json.loads((folder / "card.json").read_text())
    alone, mirrored = classifier.answers(folder, given), classifier.answers(folder, given[:, :, ::-1])
    assert np.abs(alone - mirrored).max() > 0.01
    (folder / "card.json").write_text(json.dumps(card | {"mirror": True}))
    for found in (given, given[:, :, ::-1]):
        np.testing.assert_allclose(classifier.answers(folder, found), (alone + mirrored) / 2, atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 130])
def test_answers_do_not_depend_on_how_many_are_asked_for_at_once(tmp_path, classifier, count):
    folder = network(tmp_path / "net")
    alone = [classifier.answers(folder, one[None])[0] for one in pictures(count)[:5]]
    found = classifier.answers(folder, pictures(count))
    assert found.shape == (count, 3)
    np.testing.assert_allclose(found[:5], np.reshape(alone, (-1, 3)), atol=1e-6)


def test_three_networks_are_held_and_the_one_used_longest_ago_goes(tmp_path, classifier):
    first = network(tmp_path / "net 0")
    folders = [first, *(shutil.copytree(first, tmp_path / f"net {n}") for n in range(1, 4))]
    models = [classifier.load(folder)[0] for folder in folders[:3]]
    assert classifier.load(folders[0])[0] is models[0]
    gone = weakref.ref(models[1])
    models[1] = None
    classifier.load(folders[3])
    gc.collect()
    assert gone() is None
    assert classifier.load(folders[0])[0] is models[0]
    assert classifier.load(folders[2])[0] is models[2]
    assert len(classifier._held) == 3


def test_memory_stays_flat_over_many_networks(tmp_path, classifier):
    first = network(tmp_path / "net 0")
    folders = [shutil.copytree(first, tmp_path / f"copy {n}") for n in range(6)]
    sizes = []
    for _ in range(4):
        for folder in folders:
            classifier.answers(folder, pictures(1))
            classifier.answers(folder, pictures(3))
        sizes.append(psutil.Process().memory_info().rss / 1e6)
    assert sizes[-1] - sizes[1] < 40, sizes


def test_a_network_that_was_trained_again_is_read_again(tmp_path, classifier):
    folder = network(tmp_path / "net")
    before = classifier.answers(folder, pictures())
    changed = made()
    changed.set_weights([value + np.arange(value.size).reshape(value.shape) for value in changed.get_weights()])
    changed.save(folder / "model.keras")
    os.utime(folder / "model.keras", ns=(1, 1))
    assert np.abs(classifier.answers(folder, pictures()) - before).max() > 0.1


# ------------------------------------------------------------------------------------------------------- no good


def removed(folder: Path) -> None:
    shutil.rmtree(folder)


def without_model(folder: Path) -> None:
    (folder / "model.keras").unlink()


def cut(folder: Path) -> None:
    data = (folder / "model.keras").read_bytes()
    (folder / "model.keras").write_bytes(data[: len(data) // 2])


def cut_inside(folder: Path) -> None:
    """A whole zip in which the weights are cut off."""
    path = folder / "model.keras"
    with zipfile.ZipFile(path) as whole:
        files = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(path, "w") as half:
        for name, data in files.items():
            half.writestr(name, data[:500] if name.endswith(".h5") else data)


def empty(folder: Path) -> None:
    (folder / "model.keras").write_bytes(b"")


def text(folder: Path) -> None:
    (folder / "model.keras").write_text("these are words\n" * 100)


def card(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        fields = json.loads((folder / "card.json").read_text())
        change(fields)
        (folder / "card.json").write_text(json.dumps(fields))

    return write


def with_model(make: Callable[[], Any]) -> Callable[[Path], None]:
    return lambda folder: make().save(folder / "model.keras")


def lambda_layer() -> Any:
    import keras

    picture = keras.Input((8, 8, 3))
    odd = keras.layers.Lambda(lambda x: x * 2)(picture)
    return keras.Model(picture, keras.layers.Dense(3, "softmax")(keras.layers.GlobalAveragePooling2D()(odd)))


def own_class() -> Any:
    import keras

    class Odd(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x * 2

    picture = keras.Input((8, 8, 3))
    mean = keras.layers.GlobalAveragePooling2D()(Odd()(picture))
    return keras.Model(picture, keras.layers.Dense(3, "softmax")(mean))


def two_inputs() -> Any:
    import keras

    one, two = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Add()([one, two]))
    return keras.Model([one, two], keras.layers.Dense(3, "softmax")(mean))


def two_answers() -> Any:
    import keras

    picture = keras.Input((8, 8, 3))
    mean = keras.layers.GlobalAveragePooling2D()(picture)
    return keras.Model(picture, [keras.layers.Dense(3, "softmax")(mean), keras.layers.Dense(2, "softmax")(mean)])


def row() -> Any:
    import keras

    numbers = keras.Input((64,))
    return keras.Model(numbers, keras.layers.Dense(3, "softmax")(numbers))


def maps() -> Any:
    import keras

    picture = keras.Input((8, 8, 3))
    return keras.Model(picture, keras.layers.Conv2D(3, 3)(picture))


def run_out_of_range() -> Any:
    model = made()
    model.set_weights([value * np.nan for value in model.get_weights()])
    return model


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (removed, "net is no longer there; it was deleted or moved"),
        (without_model, "net is no longer there"),
        (cut, "net/model.keras cannot be read, it is damaged or cut off"),
        (cut_inside, "damaged or cut off"),
        (empty, "damaged or cut off"),
        (text, "damaged or cut off"),
        (card(lambda fields: fields.update(format=2)), "it was written by a newer program: update this one"),
        (card(dict.clear), "net/card.json"),
        (card(lambda fields: fields["labels"].append("more")), "has 3 outputs, and its card names 4 classes"),
        (card(lambda fields: fields["labels"].pop()), "has 3 outputs, and its card names 2 classes"),
        (
            card(lambda fields: fields["preprocessing"].update(height=9)),
            "takes 8 × 8 × 3 pictures, and its card says 9",
        ),
        (card(lambda fields: fields["preprocessing"].update(color="grey")), "its card says 8 × 8 × 1"),
        (with_model(lambda: made((16, 16, 3))), "takes 16 × 16 × 3 pictures, and its card says 8 × 8 × 3"),
        (with_model(lambda: made((None, None, 1))), "takes any × any × 1 pictures"),
        (with_model(lambda: made(outputs=1, end="sigmoid")), "has 1 outputs, and its card names 3 classes"),
        (
            with_model(two_inputs),
            "net/model.keras is a network that wants 2 inputs at the same time, and this app shows a network one "
            "picture; choose a network with one input.",
        ),
        (
            with_model(two_answers),
            "gives 2 answers at the same time, and this app reads one; choose a network with one",
        ),
        (
            with_model(row),
            "wants 64 numbers, and this app shows a network a picture, which is height × width × colors;",
        ),
        (with_model(maps), "answers with 6 × 6 × 3 numbers, and this app reads one number for each class; choose"),
        (with_model(lambda_layer), "program code of its own"),
        (with_model(own_class), "program code of its own"),
        (with_model(lambda: made(end="linear")), "no probabilities"),
        (with_model(run_out_of_range), "no probabilities"),
    ],
)
def test_a_network_that_is_no_good_is_one_sentence_without_a_path(tmp_path, classifier, spoil, words):
    folder = network(tmp_path / "net")
    classifier.answers(folder, pictures())
    spoil(folder)
    with pytest.raises(NetworkError) as caught:
        classifier.answers(folder, pictures())
    sentence = str(caught.value)
    assert words in sentence
    assert str(tmp_path) not in sentence
    assert "\n" not in sentence
    assert sentence.endswith(".")


@pytest.mark.parametrize(("said", "refused"), [("off", True), ("no", True), ("on", False), (None, False)])
def test_networks_for_faces_are_refused_where_faces_are_switched_off(tmp_path, classifier, monkeypatch, said, refused):
    """The engine's own wall: whatever a page lets through."""
    folder = network(tmp_path / "net")
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"task": "face"}))
    monkeypatch.delenv("CNNVIZ_FACES", raising=False)
    if said is not None:
        monkeypatch.setenv("CNNVIZ_FACES", said)
    if not refused:
        assert classifier.answers(folder, pictures()).shape == (2, 3)
        return
    with pytest.raises(NetworkError) as error:
        classifier.answers(folder, pictures())
    assert str(error.value) == face.OFF
    whole = network(tmp_path / "whole")
    assert classifier.answers(whole, pictures()).shape == (2, 3)


def test_code_in_a_network_is_not_run(tmp_path, classifier):
    """A Lambda layer that would write a file when it is called."""
    import keras

    written = tmp_path / "written"
    picture = keras.Input((8, 8, 3))
    odd = keras.layers.Lambda(lambda x, path=str(written): (open(path, "w").close(), x)[1])(picture)
    model = keras.Model(picture, keras.layers.Dense(3, "softmax")(keras.layers.GlobalAveragePooling2D()(odd)))
    folder = network(tmp_path / "net", model)
    written.unlink(missing_ok=True)
    with pytest.raises(NetworkError, match="program code of its own"):
        classifier.answers(folder, pictures())
    assert not written.exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (pictures(1, (9, 8, 3)), "takes pictures of 8 × 8 × 3 as uint8, and got uint8 of 9 × 8 × 3"),
        (pictures(1)[0], "got uint8 of 8 × 3"),
        (pictures(1).astype(np.float32), "got float32"),
    ],
)
def test_pictures_of_another_shape_are_one_sentence(tmp_path, classifier, given, words):
    folder = network(tmp_path / "net")
    with pytest.raises(NetworkError) as caught:
        classifier.answers(folder, given)
    assert words in str(caught.value)
