"""One compiled pass gives what every layer of a network computes; channels and non-linearities can be switched off."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from cnnviz.networks import NetworkError
from cnnviz.networks.plan import LOGITS, Plan, beside, filled, fused_in, known, layer, needed, nodes, plan

__all__ = ["LOGITS", "Calls", "Plan", "beside", "known", "layer", "nodes", "outputs", "plan", "switches"]

Floats = NDArray[np.float32]
QUICK = 60  # calls of a network up to which one waits for its pass to be compiled: half a second
_compiler = ThreadPoolExecutor(1, "compile")


def outputs(
    model: Any, x: NDArray[Any], off: Mapping[str, Sequence[int]] | None = None, linear: Sequence[str] = ()
) -> dict[str, Floats]:
    """What every node gives for x (1, height, width, channels), by its name, without the batch; one compiled pass.

    To compile a network of 150 layers takes seconds, to run it uncompiled tenths: so the first pictures of a large one
    do not wait, while it is compiled beside.
    A network that ends in a layer with softmax or sigmoid in it gives that layer's logits too, as "dense_2@logits".
    off: channels by layer whose output is 0. linear: layers whose non-linearity is taken out. NetworkError for a layer
    or channel that the network has not.
    """
    found = plan(model, tuple(x.shape[1:]))
    x = np.ascontiguousarray(x, np.float32)
    switched = bool(off or linear)
    given = [x, *switches(found, off or {}, linear)] if switched else [x]
    ready = compiled(found, switched)
    if ready is not None:
        values = ready.predict_on_batch(given if switched else x)
    else:
        values = Calls(found, found.names, switched)(x, *(one[0] for one in given[1:]))
    return {name: np.asarray(value, np.float32)[0] for name, value in zip(found.names, values, strict=True)}


def compiled(found: Plan, switched: bool) -> "_Pass | None":
    """The pass of all nodes, or None while that of a large network is still being made, in a thread of its own.

    switched: with masks, which takes half as long again. A pass that could not be made is made anew at the next call.
    """

    def make() -> _Pass:
        made = _Pass(found, found.names, switched)
        nothing = np.zeros((1, *found.nodes[0].shape), np.float32)
        made.predict_on_batch([nothing, *switches(found, {}, ())] if switched else nothing)
        return made

    what = "switched" if switched else "plain"
    if len(found.steps) <= QUICK:  # not in that thread, where it would wait for the large one
        quick: _Pass = beside(found, what, make)
        return quick
    run: Future[_Pass] = beside(found, what, lambda: _compiler.submit(make))
    if not run.done():
        return None
    if run.exception() is not None:
        del found.made[what]
        return None
    return run.result()


class _Pass(keras.Model):  # type: ignore[misc]
    """The network's calls one after the other; gives the values of `names`."""

    def __init__(self, found: Plan, names: Sequence[str], switched: bool = False) -> None:
        super().__init__(name="inside")
        self._calls = Calls(found, tuple(names), switched)
        self.parts = [step.operation for step in found.steps if isinstance(step.operation, keras.layers.Layer)]
        self.built = True
        self.jit_compile = False  # on a CPU, XLA takes seconds to compile and is no faster

    def call(self, inputs: Any, training: bool = False) -> Any:  # noqa: ARG002 (Keras hands it on to the layers)
        if self._calls.switched:
            x, kept, curved = inputs
            return self._calls(x, kept[0], curved[0])
        return self._calls(inputs)


@dataclass(frozen=True)
class Calls:
    """Runs the network's calls on tensors as far as `names` need them."""

    found: Plan
    names: tuple[str, ...]
    switched: bool = False

    def __call__(self, x: Any, kept: Any = None, curved: Any = None) -> list[Any]:
        """kept: bool, one a channel of all nodes; curved: bool, one a non-linearity; False switches off."""
        found = self.found
        values: dict[str, Any] = {}

        def give(name: str, value: Any) -> None:
            if self.switched and name in found.channels:
                first, last = found.channels[name]
                value = keras.ops.where(kept[first:last], value, keras.ops.zeros((), value.dtype))
            values[name] = value

        give(found.input, x)
        for step in needed(found, self.names):
            args, kwargs = filled(step, values)
            name = step.names[0]
            if self.switched and name in found.curved:
                at = found.curved.index(name)
                before = _before(step.operation, args, kwargs)
                results = [keras.ops.where(curved[at], _curve(step.operation, before), before)]
            elif f"{name}{LOGITS}" in self.names:
                before = _before(step.operation, args, kwargs)
                results = [_curve(step.operation, before)]
            else:
                results = keras.tree.flatten(step.operation(*args, **kwargs))
            if f"{name}{LOGITS}" in self.names:
                values[f"{name}{LOGITS}"] = before
            for name, value in zip(step.names, results, strict=True):
                give(name, value)
        return [values[name] for name in self.names]


def _before(operation: Any, args: Any, kwargs: Any) -> Any:
    """What a layer with a non-linearity gives when that is left out."""
    if not fused_in(operation):
        return keras.tree.flatten((args, kwargs))[0]
    # a twin with the same weights and no activation: the layer itself may be at work in another thread
    twin = object.__new__(type(operation))
    twin.__dict__.update(operation.__dict__, activation=keras.activations.linear)
    return twin(*args, **kwargs)


def _curve(operation: Any, before: Any) -> Any:
    return operation.activation(before) if fused_in(operation) else operation(before)


def switches(found: Plan, off: Mapping[str, Sequence[int]], linear: Sequence[str]) -> tuple[Any, Any]:
    """(kept, curved) as bool arrays with a batch of 1."""
    kept = np.ones((1, max(last for _, last in found.channels.values())), np.bool_)
    for name, channels in off.items():
        channels_of = known(found, name).size[2]
        first, _ = found.channels[name]
        for channel in channels:
            if not 0 <= channel < channels_of:
                raise NetworkError(
                    f"Layer {name} has channels 0 to {channels_of - 1:,}, and channel {channel} was to be switched "
                    "off; choose again."
                )
            kept[0, first + channel] = False
    curved = np.ones((1, max(1, len(found.curved))), np.bool_)
    for name in linear:
        if not known(found, name).activation:
            raise NetworkError(f"Layer {name} has no non-linearity that could be taken out; choose a ReLU or the like.")
        curved[0, found.curved.index(name)] = False
    return kept, curved
