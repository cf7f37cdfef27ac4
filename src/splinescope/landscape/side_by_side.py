"""Many samples behind a layer as one network: its input are coordinates in a plane of the layer's parameters."""

from __future__ import annotations

import torch
from torch import Tensor

from splinescope.landscape.parameters import split_op
from splinescope.network import Network, Node
from splinescope.network.evaluate import walk
from splinescope.network.ops import Dense, Input, Op, Reshape, Select


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
        size = network.nodes[own.inputs[0]].size
        if own.op.reads_flat:
            nodes.append(Node(f"{own.name}:flat", Reshape((count, size)), (read[0],), (count, size)))
            read = [len(nodes) - 1]
        nodes.append(Node(own.name, own.op.stacked(count, size), tuple(read), (count, *own.shape)))
        place[index] = len(nodes) - 1
    return Network(tuple(nodes), place[network.output])
