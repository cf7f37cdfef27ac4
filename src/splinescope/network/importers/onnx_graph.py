"""The nodes of an ONNX graph that an output needs, in an order in which they can be run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import onnx

from splinescope.errors import InvalidInputError


def names_read(nodes: Iterable[onnx.NodeProto]) -> set[str]:
    """Names that nodes read, also from inside their branches and loops.

    Args:
        nodes: The nodes.
    """
    names = {name for node in nodes for name in node.input if name}
    for node in nodes:
        for branch in _branches(node):
            own = {thing.name for things in (branch.input, branch.initializer) for thing in things}
            made = {name for inner in branch.node for name in inner.output}
            names |= (names_read(branch.node) | {output.name for output in branch.output}) - own - made
    return names


def _branches(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    return [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]


def needed_nodes(graph: onnx.GraphProto, outputs: Sequence[str]) -> list[onnx.NodeProto]:
    """Nodes that some outputs need, each after those that it reads, whatever their order in the file.

    Args:
        graph: The graph.
        outputs: Names of outputs.

    Returns:
        The nodes.

    Raises:
        InvalidInputError: If a node needs its own result.
    """
    makers = {name: place for place, node in enumerate(graph.node) for name in node.output if name}
    reads = [sorted({makers[name] for name in names_read([node]) if name in makers}) for node in graph.node]
    done: dict[int, bool] = {}
    order: list[int] = []
    waiting = [(makers[name], False) for name in reversed(outputs) if name in makers]
    while waiting:
        place, ready = waiting.pop()
        if ready:
            done[place] = True
            order.append(place)
        elif place not in done:
            done[place] = False
            waiting.append((place, True))
            for source in reversed(reads[place]):
                if done.get(source) is False:
                    raise InvalidInputError(f"`model`: its node `{graph.node[source].name}` needs its own result")
                waiting.append((source, False))
    in_order = sorted(order)
    if all(source < place for place in in_order for source in reads[place]):
        order = in_order
    return [graph.node[place] for place in order]


def only_output(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """The model with one of its outputs alone; itself if it has no other.

    Args:
        model: The model.
        name: Name of the output.
    """
    if len(model.graph.output) == 1:
        return model
    part = onnx.ModelProto()
    part.CopyFrom(model)
    kept = [output for output in part.graph.output if output.name == name]
    del part.graph.output[:]
    part.graph.output.extend(kept)
    return part
