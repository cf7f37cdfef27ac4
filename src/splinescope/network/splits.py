"""Cuts a network in two at a layer boundary: what leads to a layer, and what goes on from there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network, Node, nodes_behind
from splinescope.network.load import ModelLike, as_network
from splinescope.network.ops import Concatenate, Input, Reshape, Select


@dataclass(frozen=True)
class Boundary:
    """A place where a network can be cut: all that comes later depends on the input through this value alone.

    Attributes:
        index: Its place among the boundaries; 0 is the input. -1 where a skip is carried along, inside a block.
        node: The last node before the cut, an index into `network.nodes`.
        name: That node's name.
        shape: Shape of the value, without the batch.
    """

    index: int
    node: int
    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Split:
    r"""A network in two parts, $f = f_{l:L} \circ f_{0:l}$.

    Attributes:
        before: From the input to the boundary.
        after: From there to the output, with the head.
        boundary: Where the cut is.
    """

    before: Network
    after: Network
    boundary: Boundary


def boundaries(network: ModelLike) -> tuple[Boundary, ...]:
    """All nodes through which every path from the input to the output leads.

    Args:
        network: The network; or a module that tells its input shape, or the path of a file.

    Returns:
        The input first, the output last.

    Cost: linear in the number of nodes and of their inputs; nothing is evaluated.

    Example:
        >>> import torch, splinescope
        >>> net = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
        >>> [(b.index, b.name, b.shape) for b in boundaries(splinescope.load(net))]
        [(0, 'input', (3,)), (1, '0', (5,)), (2, '1', (5,)), (3, '2', (2,))]
    """
    network = as_network(network)
    found: list[Boundary] = []
    reach = 0
    needed = nodes_behind(network.nodes, (0, network.output))
    furthest = _furthest(network, needed)
    for index in needed:
        # No edge leaps over the node: in topological order every path then stops at it.
        if reach <= index:
            node = network.nodes[index]
            found.append(Boundary(len(found), index, node.name, node.shape))
        reach = max(reach, furthest[index])
    return tuple(found)


def split(network: ModelLike, at: int | str, *, carry: bool = False) -> Split:
    """Cut a network in two.

    Both parts have the original's ops, so that `after(before(x))` is `network(x)`, bit for bit on batches that are
    evaluated in one piece.

    Args:
        network: The network; or a module that tells its input shape, or the path of a file. See `split_module` for
            parts that are modules.
        at: Where: the index of a boundary (negative ones count from the output), the name of a node, or the name of a
            module, which stands for the last node in it.
        carry: Whether a cut inside a residual block is allowed. The boundary is then flat: all values that are still
            needed side by side, in the order of their nodes.

    Returns:
        The parts.

    Raises:
        InvalidInputError: If there is no such place, or it lies inside a block and nothing is to be carried; the
            message names the skip and the nearest boundaries.

    Cost: linear in the number of nodes; the weights are shared, not copied.

    Example:
        >>> import torch, splinescope
        >>> net = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
        >>> parts = split(splinescope.load(net), "1")
        >>> parts.before.output_shape, parts.after.input_shape, parts.after.num_units
        ((5,), (5,), 0)
    """
    network = as_network(network)
    places = boundaries(network)
    if isinstance(at, str):
        node = _node_named(network, at)
        boundary = next((b for b in places if b.node == node), None)
    else:
        if not -len(places) <= at < len(places):
            raise InvalidInputError(
                f"`at`: got {at}; expected a boundary from 0 to {len(places) - 1}, or a negative one from the output"
            )
        boundary = places[at]
        node = boundary.node
    if boundary is not None:
        return Split(_before(network, [node]), _after(network, [node]), boundary)
    alive = _alive(network, node)
    if not carry:
        raise _inside(network, node, alive, places)
    total = sum(network.nodes[index].size for index in alive)
    place = Boundary(-1, node, network.nodes[node].name, (total,))
    return Split(_before(network, alive), _after(network, alive), place)


def _furthest(network: Network, needed: list[int]) -> dict[int, int]:
    """The last node on the way to the output that reads each; itself if none does."""
    furthest = {index: index for index in needed}
    for index in needed:
        for source in network.nodes[index].inputs:
            furthest[source] = index
    return furthest


def _alive(network: Network, node: int) -> list[int]:
    """Values up to a node that are read after it."""
    furthest = _furthest(network, nodes_behind(network.nodes, (0, network.output)))
    return [index for index, last in furthest.items() if index <= node < last]


def _node_named(network: Network, name: str) -> int:
    needed = nodes_behind(network.nodes, (0, network.output))
    exact = [index for index in needed if network.nodes[index].name == name]
    inside = [index for index in needed if network.nodes[index].name.startswith((f"{name}.", f"{name}:"))]
    if not exact and not inside:
        known = ", ".join(f"`{b.name}`" for b in boundaries(network))
        raise InvalidInputError(f"`at`: the network has no node or module `{name}`; it can be cut at {known}")
    return exact[0] if exact else inside[-1]


def _inside(network: Network, node: int, alive: list[int], places: tuple[Boundary, ...]) -> InvalidInputError:
    """The refusal of a cut across a skip."""
    furthest = _furthest(network, nodes_behind(network.nodes, (0, network.output)))
    skips = ", ".join(
        f"`{network.nodes[index].name}` -> `{network.nodes[furthest[index]].name}`" for index in alive if index != node
    )
    earlier = [b for b in places if b.node < node][-1]
    later = next(b for b in places if b.node > node)
    return InvalidInputError(
        f"`at`: `{network.nodes[node].name}` lies inside a block that {skips} skips; cut at boundary {earlier.index} "
        f"(`{earlier.name}`) or {later.index} (`{later.name}`), or carry what skips along with carry=True"
    )


def _before(network: Network, alive: list[int]) -> Network:
    """The part that computes some values, side by side if there are several."""
    nodes = list(network.nodes[: alive[-1] + 1])
    output = alive[-1]
    if len(alive) > 1:
        flat = []
        for index in alive:
            size = nodes[index].size
            nodes.append(Node(f"{nodes[index].name}:carried", Reshape((size,)), (index,), (size,)))
            flat.append(len(nodes) - 1)
        total = sum(nodes[index].size for index in alive)
        nodes.append(Node("carried", Concatenate(0), tuple(flat), (total,)))
        output = len(nodes) - 1
    return _part(network, nodes, output, with_head=False)


def _after(network: Network, alive: list[int]) -> Network:
    """The part that goes on from some values."""
    place: dict[int, int] = {}
    if len(alive) == 1:
        nodes = [Node(network.nodes[alive[0]].name, Input(), (), network.nodes[alive[0]].shape)]
        place[alive[0]] = 0
    else:
        sizes = [network.nodes[index].size for index in alive]
        nodes = [Node("carried", Input(), (), (sum(sizes),))]
        for number, index in enumerate(alive):
            start, shape = sum(sizes[:number]), network.nodes[index].shape
            positions = torch.arange(start, start + sizes[number]).reshape(shape)
            place[index] = len(nodes)
            nodes.append(Node(network.nodes[index].name, Select(positions), (0,), shape))
    for index in range(alive[-1] + 1, network.output + 1):
        node = network.nodes[index]
        if all(source in place for source in node.inputs):  # else the output does not depend on it
            place[index] = len(nodes)
            nodes.append(replace(node, inputs=tuple(place[source] for source in node.inputs)))
    return _part(network, nodes, place[network.output], with_head=True)


def _part(network: Network, nodes: list[Node], output: int, *, with_head: bool) -> Network:
    report = network.import_report
    notes = (*report.notes, "This is a part of a network; the deviations are those of the whole.")
    head = network.head if with_head else None
    return Network(tuple(nodes), output, head, replace(report, notes=notes), network.classes if with_head else None)
