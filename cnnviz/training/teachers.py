"""What other networks answer to the training pictures, as softer targets than the labels alone (distillation)."""

from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.cards import FILE, read_card
from cnnviz.images import Pixels
from cnnviz.networks import fitting
from cnnviz.networks.predict import are_probabilities, probabilities
from cnnviz.training.batches import Floats
from cnnviz.training.config import ConfigError, TrainingConfig
from cnnviz.training.prepare import Say


def answers(
    config: TrainingConfig, labels: tuple[str, ...], pictures: Pixels, outputs: int, say: Say | None = None
) -> Floats | None:
    """The mean of all teachers' probabilities, float32 (n, outputs) for uint8 (n, h, w, c); None where there is none.

    Where training mirrors pictures, a teacher answers with the mean over a picture and its mirror image. The means of
    several networks as targets: Hinton, Vinyals and Dean 2015, at temperature 1. ConfigError with a sentence for a
    file that holds no network that can be read; one of other inputs, outputs or, where its card lies beside it, classes
    or preprocessing than the network that is trained; one whose answers are no probabilities.
    """
    networks = [_teacher(path, config, labels, outputs) for path in config.teacher_files]
    if not networks:
        return None
    total, whole = np.zeros((len(pictures), max(outputs, 2))), len(networks) * len(pictures)
    for number, network in enumerate(networks):
        before = number * len(pictures)

        def told(done: int, _: int, before: int = before) -> None:
            if say is not None:
                say("asking the teachers", before + done, whole)

        found = probabilities(network, pictures, config.input(), flip=config.augmentation.flip, say=told)
        if not are_probabilities(found):
            raise ConfigError(
                f"The teacher {config.teacher_files[number][-60:]!r} gives numbers that are no probabilities; its last "
                "layer must be a softmax, or a sigmoid for two classes."
            )
        total += found
    return np.asarray((total / len(networks))[:, -outputs:], np.float32)  # one output is the second class's p


def _teacher(path: str, config: TrainingConfig, labels: tuple[str, ...], outputs: int) -> Any:
    name = f"The teacher {path[-60:]!r}"
    try:
        network = fitting.load(path)
        takes, gives = tuple(network.input_shape[1:]), tuple(network.output_shape[1:])
    except Exception as error:  # on damaged files Keras raises nearly every exception there is
        raise ConfigError(f"{name} cannot be read: {str(error)[:120]}") from None
    if takes != config.input().shape or gives != (outputs,):
        raise ConfigError(
            f"{name} takes pictures of {_times(takes)} and gives {_times(gives)} answers; the network that it is to "
            f"teach takes {_times(config.input().shape)} and gives {outputs}."
        )
    if (beside := Path(path).with_name(FILE)).exists():
        card = read_card(beside)
        if card.labels != labels:
            raise ConfigError(
                f"{name} knows the classes {', '.join(card.labels)[:80]}; the network that it is to teach knows "
                f"{', '.join(labels)[:80]}, and they must be the same in the same order."
            )
        if card.preprocessing != config.input():
            raise ConfigError(
                f"{name} sees {card.preprocessing.words()}; the network that it is to teach sees "
                f"{config.input().words()}."
            )
    return network


def _times(shape: tuple[Any, ...]) -> str:
    return " × ".join(map(str, shape))
