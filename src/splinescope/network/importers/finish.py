"""The last step of an import: heads, fusions, and nodes that nothing reads."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network, Node, nodes_behind
from splinescope.network.heads import Head
from splinescope.network.importers.builder import Builder
from splinescope.network.importers.views import Smooth, Step, Value, Variable
from splinescope.network.ops import Affine, Convolution, Dense, Op, Scale, SharedDense, TransposedConvolution


def finish(b: Builder, output: Value, *, fused: bool = True) -> Network:
    """The network whose output is a value.

    Args:
        b: The builder.
        output: The value that the model returns.
        fused: Whether scales are folded into the affine nodes beside them.

    Returns:
        The network, without a report.

    Raises:
        InvalidInputError: If the output does not depend on the input, or is empty.
        UnsupportedOpError: If it jumps.
    """
    if isinstance(output, Tensor):
        raise InvalidInputError(
            "`model`: its output does not depend on its input through ops of torch or ONNX; expected a network"
        )
    if isinstance(output, Step):
        raise b.refusal(output.jump() or "it returns truth values, and no numbers")
    head = None
    source = output
    if isinstance(output, Smooth):
        source = output.source
        axis = None if output.axis is None else b.own_axis(source.shape, output.axis)
        tables = [None if t is None else tuple(t.reshape(-1).tolist()) for t in (output.scale, output.shift)]
        head = Head(output.name, axis, b.own_shape(output.shape), *tables)
    assert isinstance(source, Variable)
    if not source.size:
        raise InvalidInputError(f"`model`: its output of shape {source.shape} has no numbers; expected some")
    b.origin = "output"
    last = b.node_of(source)
    nodes, place = _without_unread(_fused(b.nodes, last) if fused else b.nodes, last)
    empty = next((node for node in nodes if not node.size), None)
    if empty is not None:
        raise InvalidInputError(
            f"`model`: node `{empty.name}` has the shape {empty.shape}, and so no numbers; expected a network whose "
            "inputs, layers and outputs all have some"
        )
    return Network(nodes, place, head)


def _fused(nodes: list[Node], output: int) -> list[Node]:
    """Fold scales into the affine node that alone they follow, or into the dense node that alone follows them."""
    nodes = list(nodes)
    readers = _readers(nodes, output)
    for index, node in enumerate(nodes):
        if len(node.inputs) != 1:
            continue
        before = node.inputs[0]
        if readers[before] != 1 or not isinstance(nodes[before].op, Affine) or not isinstance(node.op, Affine):
            continue
        op = _composed(nodes[before], node)
        if op is not None:
            kept = nodes[before] if isinstance(node.op, Scale) else node
            nodes[index] = Node(kept.name, op, nodes[before].inputs, node.shape)
    return nodes


def _readers(nodes: list[Node], output: int) -> list[int]:
    """Number of times that each node is read."""
    readers = [0] * len(nodes)
    readers[output] += 1
    alive = nodes_behind(nodes, (0, output))
    for index in alive:
        for source in nodes[index].inputs:
            readers[source] += 1
    return readers


def _composed(before: Node, after: Node) -> Op | None:
    """One op for two, where one of them is a scale; None if there is none."""
    first, second = before.op, after.op
    if isinstance(second, Scale):
        scale, shift = second.scale, second.shift
        if isinstance(first, Scale):
            return Scale(first.scale * scale, first.shift * scale + shift)
        if isinstance(first, Dense | SharedDense):
            rows = (len(first.bias),)
            if isinstance(first, SharedDense):
                if not (_only_last(scale) and _only_last(shift)):
                    return None
                scale, shift = (t.reshape(-1).expand(rows) for t in (scale, shift))
            else:
                scale, shift = (t.expand(before.shape).reshape(rows) for t in (scale, shift))
            return type(first)(first.weight * scale[:, None], first.bias * scale + shift)
        if isinstance(first, Convolution | TransposedConvolution):
            return _scaled_convolution(first, before.shape, scale, shift)
    if isinstance(first, Scale) and isinstance(second, Dense):
        scale, shift = (t.expand(before.shape).reshape(-1) for t in (first.scale, first.shift))
        return Dense(second.weight * scale, second.weight @ shift + second.bias)
    return None


def _only_last(factor: Tensor) -> bool:
    """Whether a factor varies along the last axis only."""
    return factor.ndim == 0 or all(n == 1 for n in factor.shape[:-1])


def _scaled_convolution(
    op: Convolution | TransposedConvolution, shape: tuple[int, ...], scale: Tensor, shift: Tensor
) -> Op | None:
    """A convolution with the scale and shift of each output channel folded in."""
    d = op.weight.ndim - 2
    channels = len(op.bias)
    factors = []
    for factor in (scale, shift):
        if factor.ndim and (any(n != 1 for n in factor.shape[-d:]) or any(n != 1 for n in factor.shape[: -d - 1])):
            return None
        factors.append(factor.reshape(-1).expand(channels).contiguous())
    scale, shift = factors
    if isinstance(op, Convolution):
        weight = op.weight * scale.reshape(-1, *(1,) * (d + 1))
    else:
        rows = scale.reshape(op.groups, 1, -1).expand(-1, op.weight.shape[0] // op.groups, -1)
        weight = op.weight * rows.reshape(op.weight.shape[0], -1, *(1,) * d)
    return replace(op, weight=weight.contiguous(), bias=op.bias * scale + shift)


def _without_unread(nodes: list[Node], output: int) -> tuple[tuple[Node, ...], int]:
    """The nodes that the output depends on, renumbered."""
    alive = nodes_behind(nodes, (0, output))
    place = {old: new for new, old in enumerate(alive)}
    kept = (replace(nodes[old], inputs=tuple(place[s] for s in nodes[old].inputs)) for old in alive)
    return tuple(kept), place[output]
