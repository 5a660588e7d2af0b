"""A Keras network as the calls of its layers in order: nested models flattened, shared layers called by turns."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import Any
from weakref import WeakKeyDictionary

import keras

from cnnviz.graph import Node
from cnnviz.networks import NetworkError, counts

LOGITS = "@logits"  # after a layer's name in `outputs`: what it computes before its own softmax or sigmoid
Shape = tuple[int, ...]
_GROUP = re.compile(r"(.*?block_?\d+)_")  # "block_2_conv_1", "conv3_block1_out"


@dataclass(frozen=True)
class Value:
    """Stands in a call's arguments for what a node gives."""

    name: str


@dataclass(frozen=True)
class Step:
    """One call: the Keras layer or operation, its arguments with Value for tensors, the names of its outputs."""

    operation: Any
    args: Any
    kwargs: Any
    names: tuple[str, ...]


@dataclass(eq=False)
class Plan:
    """A network's calls in order, nested models flattened. It refers to the layers, but not to the model itself.

    input, outputs: names of nodes. logits: name under which `outputs` has what the last softmax is given.
    operations, by_name: the Keras layer or operation, and the Node, by a node's name. curved: the nodes with a
    non-linearity. channels: node -> its channels' places, (first, one past the last), among those of all nodes.
    """

    input: str
    outputs: tuple[str, ...]
    steps: tuple[Step, ...]
    nodes: tuple[Node, ...]
    made: dict[str, Any] = field(default_factory=dict)  # by `beside`

    def __post_init__(self) -> None:
        self.operations = {name: step.operation for step in self.steps for name in step.names}
        self.by_name = {node.name: node for node in self.nodes}
        self.parameters = sum(node.parameters for node in self.nodes)
        self.multiply_adds = sum(node.multiply_adds for node in self.nodes)
        self.curved = tuple(node.name for node in self.nodes if node.activation)
        ends = list(accumulate((node.size[2] for node in self.nodes), initial=0))
        self.channels = {node.name: pair for node, pair in zip(self.nodes, pairwise(ends), strict=True)}

    @property
    def logits(self) -> str:
        last = self.outputs[0]
        operation = self.operations.get(last)
        if operation is None or not self.by_name[last].activation:
            return last
        return f"{last}{LOGITS}" if fused_in(operation) else self.by_name[last].inputs[0]

    @property
    def names(self) -> tuple[str, ...]:
        """What a whole pass gives: every node, and the logits where no node gives them."""
        own = tuple(node.name for node in self.nodes)
        return own if self.logits in own else (*own, self.logits)


_PLANS: WeakKeyDictionary[Any, Plan] = WeakKeyDictionary()


def plan(model: Any, shape: Shape | None = None) -> Plan:
    """The network's calls in order; made once a model. shape: of the input, needed where the model leaves it open.

    NetworkError: it takes more than one input or another shape, or is no graph of layers (a subclassed keras.Model).
    """
    found = _PLANS.get(model)
    if found is None or shape not in (None, found.nodes[0].shape):
        found = _PLANS[model] = _made(model, shape)
    return found


def nodes(model: Any, shape: Shape | None = None) -> tuple[Node, ...]:
    """Every call of a layer in the order of computation, the input first; shape and NetworkError as for `plan`."""
    return plan(model, shape).nodes


def layer(model: Any, name: str) -> Any:
    """The Keras layer or operation of a node; NetworkError for a name that the network has not."""
    found = plan(model)
    known(found, name)
    return model.inputs[0]._keras_history.operation if name == found.input else found.operations[name]


def known(found: Plan, name: str) -> Node:
    """The node of this name; NetworkError for a name that the network has not."""
    if name not in found.by_name:
        raise NetworkError(
            f"This network has no layer {str(name)[:60]!r}; the link may be of another network: choose a layer again."
        )
    return found.by_name[name]


def beside(found: Plan, what: str, make: Callable[[], Any]) -> Any:
    """What is made once a network: kept beside it, and gone with it."""
    if what not in found.made:
        found.made[what] = make()
    return found.made[what]


def needed(found: Plan, names: Sequence[str]) -> list[Step]:
    """The calls that these nodes depend on, in order."""
    wanted = {name.removesuffix(LOGITS) for name in names}
    steps = []
    for step in reversed(found.steps):
        if wanted & set(step.names):
            steps.append(step)
            wanted |= {one.name for one in keras.tree.flatten((step.args, step.kwargs)) if isinstance(one, Value)}
    return steps[::-1]


def filled(step: Step, values: Mapping[str, Any]) -> Any:
    """(args, kwargs) of a call with values for names."""
    return keras.tree.map_structure(
        lambda one: values[one.name] if isinstance(one, Value) else one, (step.args, step.kwargs)
    )


def fused_in(operation: Any) -> bool:
    """Whether it computes something of its own before its non-linearity."""
    return counts.fused(operation) and type(operation).__name__ != "Activation"


def _made(model: Any, shape: Shape | None) -> Plan:
    if not _is_graph(model):
        raise NetworkError(
            "This network computes by program code of its own, not as a graph of layers, so that its layers cannot be "
            "shown; build it as a Sequential or functional Keras model."
        )
    if len(model.inputs) != 1:
        raise NetworkError(
            f"This network wants {len(model.inputs)} inputs at the same time, and this app shows a network one "
            "picture; choose a network with one input."
        )
    tensor = model.inputs[0]
    open_, name = tuple(tensor.shape[1:]), tensor._keras_history.operation.name
    if shape is None and None in open_:
        raise NetworkError(
            "This network takes pictures of any size; say the height, width and channels with which it is to be shown."
        )
    if shape is not None and (
        len(shape) != len(open_) or any(n not in (None, m) for n, m in zip(open_, shape, strict=True))
    ):
        raise NetworkError(
            f"This network takes {_times(open_)} numbers, and got {_times(shape)}; prepare the picture by its card."
        )
    walk = _Walk()
    ends = walk.model(model, "", [name])
    shapes = {name: open_, **walk.shapes}
    if any(None in one for one in shapes.values()):  # a nested model may leave open what the one around it does not
        shapes = _shapes(walk.steps, name, (1, *(shape or open_)), tensor.dtype)
    return Plan(name, tuple(ends), tuple(walk.steps), (_input(name, shapes[name]), *_nodes(walk.steps, shapes)))


def _times(shape: Sequence[Any]) -> str:
    return " × ".join("any" if side is None else str(side) for side in shape)


def _is_graph(model: Any) -> bool:
    return (
        isinstance(model, keras.Model)
        and bool(getattr(model, "inputs", None))
        and bool(getattr(model, "outputs", None))
    )


class _Walk:
    """Collects a model's calls behind each other, following outputs back to the inputs, main path first."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.shapes: dict[str, Shape] = {}
        self.calls: Counter[str] = Counter()

    def model(self, model: Any, prefix: str, given: Sequence[str]) -> list[str]:
        """Names of the outputs of a model whose inputs are the nodes `given`."""
        names = {id(tensor): name for tensor, name in zip(model.inputs, given, strict=True)}
        waiting = list(reversed(model.outputs))
        while waiting:
            tensor = waiting[-1]
            if id(tensor) in names:
                waiting.pop()
                continue
            operation, index, _ = tensor._keras_history
            call = operation._inbound_nodes[index]
            if missing := [one for one in call.input_tensors if id(one) not in names]:
                waiting.extend(reversed(missing))
                continue
            for one, name in zip(call.output_tensors, self._call(call, prefix, names), strict=True):
                names[id(one)] = name
        return [names[id(tensor)] for tensor in model.outputs]

    def _call(self, call: Any, prefix: str, names: Mapping[int, str]) -> Sequence[str]:
        operation = call.operation
        name = f"{prefix}{operation.name}"
        self.calls[name] += 1
        if self.calls[name] > 1:
            name += f"@{self.calls[name]}"
        if _is_graph(operation):
            return self.model(operation, f"{name}/", [names[id(tensor)] for tensor in call.input_tensors])
        args, kwargs = keras.tree.map_structure(
            lambda one: Value(names[id(one)]) if isinstance(one, keras.KerasTensor) else one,
            (call.arguments.args, call.arguments.kwargs),
        )
        if "training" in kwargs:
            kwargs = {**kwargs, "training": False}
        made = [name, *(f"{name}[{number}]" for number in range(1, len(call.output_tensors)))]
        self.steps.append(Step(operation, args, kwargs, tuple(made)))
        self.shapes |= {one: tuple(tensor.shape[1:]) for one, tensor in zip(made, call.output_tensors, strict=True)}
        return made


def _shapes(steps: Sequence[Step], name: str, shape: Shape, dtype: Any) -> dict[str, Shape]:
    """Shapes without the batch of all nodes for an input of this shape, where the model leaves them open."""
    values: dict[str, Any] = {name: keras.KerasTensor(shape, dtype)}
    for step in steps:
        args, kwargs = filled(step, values)
        values |= zip(step.names, keras.tree.flatten(step.operation.compute_output_spec(*args, **kwargs)), strict=True)
    return {name: tuple(value.shape[1:]) for name, value in values.items()}


def _input(name: str, shape: Shape) -> Node:
    return Node(name, "InputLayer", f"Input {'×'.join(map(str, shape))}", (), shape, 0, "", 0, "")


def _nodes(steps: Sequence[Step], shapes: Mapping[str, Shape]) -> Iterator[Node]:
    first: dict[int, str] = {}
    for step in steps:
        operation, name = step.operation, step.names[0]
        tensors = [one.name for one in keras.tree.flatten((step.args, step.kwargs)) if isinstance(one, Value)]
        into, out = shapes[tensors[0]] if tensors else (), shapes[name]
        node = Node(
            name,
            counts.kind(operation),
            counts.label(operation),
            tuple(tensors),
            out,
            counts.parameters(operation),
            counts.how(operation, into),
            counts.multiply_adds(operation, into, out),
            _group(name),
            counts.activation(operation),
        )
        if id(operation) in first and node.parameters:
            node = replace(node, parameters=0, how=f"the weights of {first[id(operation)]}, counted there")
        first.setdefault(id(operation), name)
        yield node
        for other in step.names[1:]:
            yield Node(other, node.kind, node.label, (name,), shapes[other], 0, "", 0, node.group)


def _group(name: str) -> str:
    """The nested model that a node stands in, or the block that its name tells: "outer", "block_2"; "" for none."""
    if "/" in name:
        return name.rsplit("/", 1)[0]
    found = _GROUP.match(name)
    return found[1] if found else ""
