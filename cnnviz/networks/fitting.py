"""What training needs of Keras: a network made, compiled, saved and loaded; the loop itself stands in training/."""

import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras

from cnnviz.layer_kinds import Layer
from cnnviz.networks import architectures

VERSION: str = keras.__version__
_SPARED = ["bias", "gamma", "beta"]  # by weight decay: names that end a variable's path


def make(layers: Sequence[Layer], shape: tuple[int, int, int], seed: int, mixed_precision: bool = False) -> Any:
    """A network with start weights by seed, for inputs (height, width, channels); not yet compiled."""
    if mixed_precision:
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    keras.utils.set_random_seed(seed)
    return architectures.build(layers, shape, name="network", seed=seed)


def compile_(model: Any, optimizer: str, learning_rate: float, schedule: str, weight_decay: float, steps: int) -> None:
    """Give the network its optimizer, loss and accuracy, for so many steps in all.

    optimizer, schedule: as in TrainingConfig. Weight decay is adamw's, and spares biases and batch norm.
    """
    rate: Any = float(learning_rate)
    if schedule == "cosine":
        warm = max(1, min(steps // 10, steps - 1))
        rate = keras.optimizers.schedules.CosineDecay(
            rate / 50, max(1, steps - warm), warmup_target=rate, warmup_steps=warm
        )
    makers = {
        "adam": keras.optimizers.Adam,
        "sgd": lambda given: keras.optimizers.SGD(given, momentum=0.9, nesterov=True),
        "rmsprop": keras.optimizers.RMSprop,
        "adamw": lambda given: keras.optimizers.AdamW(given, weight_decay=weight_decay),
    }
    made = makers[optimizer](rate)
    if weight_decay:
        made.exclude_from_weight_decay(var_names=_SPARED)
    one = model.output_shape[-1] == 1
    loss = keras.losses.BinaryCrossentropy() if one else keras.losses.CategoricalCrossentropy()
    # on a CPU, XLA makes TensorFlow's steps up to four times as long
    jit = keras.config.backend() != "tensorflow"
    model.compile(optimizer=made, loss=loss, metrics=[accuracy], jit_compile=jit)
    # variables made inside the first step would have TensorFlow build its graph twice
    made.build(model.trainable_variables)
    nothing = keras.ops.zeros((1, model.output_shape[-1]))
    model.compute_metrics(None, nothing, nothing)
    model.reset_metrics()


def accuracy(truth: Any, answer: Any) -> Any:
    """Share of right answers, for one output (p above ½) and for several (the largest); targets may be smoothed."""
    if answer.shape[-1] == 1:
        right = keras.ops.equal(truth > 0.5, answer > 0.5)[..., 0]
    else:
        right = keras.ops.equal(keras.ops.argmax(truth, -1), keras.ops.argmax(answer, -1))
    return keras.ops.cast(right, "float32")


def learning_rate(model: Any) -> float:
    """The learning rate of the next step."""
    return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))


def take_weights(model: Any, path: str) -> None:
    """Take over another network's weights where layers in the same place have the same shapes; any Exception."""
    for new, old in zip(model.layers, load(path).layers, strict=False):
        weights = old.get_weights()
        if [value.shape for value in weights] == [value.shape for value in new.get_weights()]:
            new.set_weights(weights)


def load(path: str | Path, compiled: bool = False) -> Any:
    """The network in a .keras file; compiled: with the optimizer that it was saved with."""
    model = keras.saving.load_model(path, compile=compiled, custom_objects={"accuracy": accuracy})
    if compiled and model.optimizer.weight_decay:  # Keras does not save what it spares
        model.optimizer.exclude_from_weight_decay(var_names=_SPARED)
    return model


def steps(model: Any) -> int:
    """How many steps a compiled network was trained."""
    return int(keras.ops.convert_to_numpy(model.optimizer.iterations))


def save(model: Any, path: Path, notes: Mapping[str, str] = MappingProxyType({})) -> None:
    """Write a network with its optimizer, as a whole or not at all. notes: texts by name, for `note` to read."""
    temporary = path.with_name(f".{path.stem}.new.keras")
    model.save(temporary)
    if notes:
        with zipfile.ZipFile(temporary, "a") as archive:
            for name, text in notes.items():
                archive.writestr(name, text)
    os.replace(temporary, path)


def note(path: Path, name: str) -> str:
    """A text that was saved with a network; "" where there is none."""
    with suppress(OSError, KeyError, ValueError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        return archive.read(name).decode()
    return ""


def save_plain(model: Any, path: Path) -> None:
    """Write a network without its optimizer, as it is used and shipped, as a whole or not at all."""
    save(keras.Model(model.inputs, model.outputs, name=model.name), path)


def temper(model: Any, temperature: float) -> None:
    """Divide the numbers that softmax or sigmoid gets by a temperature, in the weights of the layer before it.

    ValueError with a sentence where the network does not end with a dense layer and one of these two.
    """
    ending = list(model.layers)
    while ending and not ending[-1].weights:
        ending.pop()
    last = ending[-1] if ending else None
    after = [*([last.activation] if isinstance(last, keras.layers.Dense) else []), *model.layers[len(ending) :]]
    kinds = {getattr(getattr(one, "activation", one), "__name__", type(one).__name__).lower() for one in after}
    if not isinstance(last, keras.layers.Dense) or kinds - {"linear", "dropout"} not in ({"softmax"}, {"sigmoid"}):
        raise ValueError(
            "The probabilities cannot be scaled, since this network does not end with a dense layer and softmax or "
            "sigmoid; train it without --calibrate."
        )
    last.set_weights([values / temperature for values in last.get_weights()])


def tensorboard(folder: Path, model: Any) -> Callable[[int, Mapping[str, float]], None]:
    """What writes an epoch's numbers to a log for TensorBoard."""
    board = keras.callbacks.TensorBoard(log_dir=str(folder), write_graph=False)
    board.set_model(model)

    def write(epoch: int, numbers: Mapping[str, float]) -> None:
        board.on_epoch_end(epoch, numbers)
        for writer in board._writers.values():  # Stop ends the process at once
            writer.flush()

    return write
