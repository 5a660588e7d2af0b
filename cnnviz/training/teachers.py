"""What other networks answer to the training pictures, as softer targets than the labels alone (distillation)."""

from typing import Any

import numpy as np

from cnnviz.images import Pixels
from cnnviz.networks import fitting
from cnnviz.networks.predict import probabilities
from cnnviz.training.batches import Floats
from cnnviz.training.config import ConfigError, TrainingConfig
from cnnviz.training.prepare import Say


def answers(config: TrainingConfig, pictures: Pixels, outputs: int, say: Say | None = None) -> Floats | None:
    """The mean of all teachers' probabilities, float32 (n, outputs) for uint8 (n, h, w, c); None where there is none.

    Where training mirrors pictures, a teacher answers with the mean over a picture and its mirror image. The means of
    several networks as targets: Hinton, Vinyals and Dean 2015, at temperature 1. ConfigError with a sentence for a
    file that holds no network, or one of other inputs or outputs than the network that is trained.
    """
    networks = [_teacher(path, config, outputs) for path in config.teacher_files]
    if not networks:
        return None
    total = np.zeros((len(pictures), max(outputs, 2)))
    for number, network in enumerate(networks):
        if say is not None:
            say("asking the teachers", number, len(networks))
        total += probabilities(network, pictures, config.input(), flip=config.augmentation.flip)
    return np.asarray((total / len(networks))[:, -outputs:], np.float32)  # one output is the second class's p


def _teacher(path: str, config: TrainingConfig, outputs: int) -> Any:
    try:
        network = fitting.load(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"The teacher {path[-60:]!r} cannot be read: {str(error)[:120]}") from None
    takes, gives = tuple(network.input_shape[1:]), int(network.output_shape[-1])
    if takes != config.input().shape or gives != outputs:
        raise ConfigError(
            f"The teacher {path[-60:]!r} takes pictures of {takes} and gives {gives} answers; the network that it is "
            f"to teach takes {config.input().shape} and gives {outputs}."
        )
    return network
