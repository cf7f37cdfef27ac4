"""Many samples behind a layer as one network: its input are coordinates in a plane of the layer's parameters."""

from __future__ import annotations

import torch
from torch import Tensor

from splinescope.landscape.parameters import split_op
from splinescope.network import Network, Node
from splinescope.network.evaluate import walk
from splinescope.network.ops import (
    Activation,
    AxisMap,
    Concatenate,
    Dense,
    Input,
    Maximum,
    Op,
    PiecewiseAffine,
    Reshape,
    Select,
    SharedDense,
)


def side_by_side(network: Network, node: int, steps: tuple[Op, ...], inputs: Tensor) -> Network:
    r"""The outputs of all samples as a function of coordinates u, where a layer is $op + \sum_j u_j\,step_j$.

    Args:
        network: The network.
        node: Index of the layer's node.
        steps: The directions, as ops of the layer's kind.
        inputs: [N, *input_shape] samples.

    Returns:
        A network with as many inputs as directions, and outputs [N, n_out]. Every node behind the layer has the samples
        as its first axis.
    """
    known = {index: value.clone() for index, value in walk(network, inputs) if index <= node}
    x, count = known[network.nodes[node].inputs[0]], len(inputs)
    columns = []
    for step in steps:
        linear, offset = split_op(step, tuple(x.shape[1:]))
        columns.append((linear.evaluate(x) + offset).reshape(-1))
    name, shape = network.nodes[node].name, network.nodes[node].shape
    weight, bias = torch.stack(columns, dim=1), known[node].reshape(-1)
    nodes = [
        Node("coordinates", Input(), (), (len(steps),)),
        Node(name, Dense(weight.contiguous(), bias.contiguous()), (0,), (len(bias),)),
        Node(f"{name}:samples", Reshape((count, *shape)), (1,), (count, *shape)),
    ]
    place = {node: 2}

    def placed(source: int) -> int:
        """The node of a value, which is constant where it does not depend on the layer."""
        if source not in place:
            value = known[source]
            index = torch.full(tuple(value.shape), -1)
            nodes.append(Node(f"{network.nodes[source].name}:fixed", Select(index, value), (0,), tuple(value.shape)))
            place[source] = len(nodes) - 1
        return place[source]

    for index in range(node + 1, network.output + 1):
        own = network.nodes[index]
        if not any(source in place for source in own.inputs):
            known[index] = own.op.evaluate(*(known[source] for source in own.inputs))
            continue
        read = [placed(source) for source in own.inputs]
        if isinstance(own.op, Dense):
            size = own.op.weight.shape[1]
            nodes.append(Node(f"{own.name}:flat", Reshape((count, size)), (read[0],), (count, size)))
            read = [len(nodes) - 1]
        op = _for_samples(own.op, count, network.nodes[own.inputs[0]].size)
        nodes.append(Node(own.name, op, tuple(read), (count, *own.shape)))
        place[index] = len(nodes) - 1
    return Network(tuple(nodes), place[network.output])


def _for_samples(op: Op, count: int, size: int) -> Op:
    """An op for values with one more axis in front, that of the samples; `size` numbers are read of each."""
    if isinstance(op, Dense):
        return SharedDense(op.weight, op.bias)
    if isinstance(op, Reshape):
        return Reshape((count, *op.shape))
    if isinstance(op, Concatenate):
        return Concatenate(op.axis + 1)
    if isinstance(op, AxisMap):
        return AxisMap(op.matrices, tuple(axis + 1 for axis in op.axes))
    if isinstance(op, Select):
        constant = None if op.constant is None else op.constant.expand(count, *op.constant.shape).contiguous()
        return Select(_offset(op.index, count, size), constant)
    if isinstance(op, Maximum):
        index = _offset(op.index, count, size)
        shape = op.shape or (len(op.index),)
        return Maximum(index.reshape(-1, op.index.shape[1]), (count, *shape))
    if isinstance(op, Activation) and op.breakpoints.ndim > 1:
        tables = (table.repeat(1, count) for table in (op.breakpoints, op.slopes, op.intercepts))
        return PiecewiseAffine(*tables)
    return op


def _offset(index: Tensor, count: int, size: int) -> Tensor:
    """Positions in the values of all samples; -1 stays."""
    offsets = (torch.arange(count) * size).reshape(count, *(1,) * index.ndim)
    return torch.where(index < 0, index, index + offsets)
