"""The affine map of many patterns at once: values and slopes of every node, forward through the patterns' branches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from splinescope.network.copies import linear_part
from splinescope.network.evaluate import last_uses
from splinescope.network.graph import Network
from splinescope.network.ops import Input
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.region_graph.layout import Layout, Rows
from splinescope.tessellation.region_graph.programs.space import ABSENT
from splinescope.tessellation.region_graph.rounding import Carried, Errors
from splinescope.tessellation.region_graph.search.samples import embedded

FAR = 2.0**200
"""Length of the directions that are sent through a network: so large that slopes don't underflow, and a power of two,
so that dividing by it is exact."""

linear = lru_cache(maxsize=1024)(linear_part)
"""An op without its offset: what directions are sent through."""


@dataclass(frozen=True, eq=False)
class Reached:
    """A node on the branch of each pattern.

    Attributes:
        index: The node.
        value: [cells, n] its value at each cell's origin.
        slopes: [cells or 1, d, n] its slopes along the domain's directions, times `FAR`; one for all cells while no
            fold has been met.
        known: The same with what both together are off on the domain; None unless it was asked for.
    """

    index: int
    value: Tensor
    slopes: Tensor
    known: Carried | None = None


def follow_branches(
    network: Network,
    layout: Layout,
    domain: Domain,
    patterns: np.ndarray,
    origins: np.ndarray,
    stop: int,
    errors: Errors | None = None,
) -> Iterator[Reached]:
    """Go through the nodes up to one, on the branch of each pattern.

    A branch is the affine map that a network is on a cell, extended to the whole input space.

    Args:
        network: The network.
        layout: Its folding nodes.
        domain: The domain.
        patterns: [cells, columns] pieces of all units.
        origins: [cells, d] a point for each cell, in the domain's coordinates.
        stop: The last node.
        errors: How errors come through, if they are asked for.

    Yields:
        Each node. It is forgotten here when no later node needs it.
    """
    foldings = {folding.node: number for number, folding in enumerate(layout.foldings)}
    last = last_uses(network)
    cells, d = len(origins), domain.dimension
    value: dict[int, Tensor] = {}
    slopes: dict[int, Tensor] = {}
    known: dict[int, Carried] = {}
    for index, node in enumerate(network.nodes[: stop + 1]):
        pieces: Tensor | None = None
        if isinstance(node.op, Input):
            # Cloned, since products may differ in the last bit where torch has not aligned the memory itself.
            value[0] = torch.from_numpy(embedded(domain, origins)).reshape(cells, -1).clone()
            slopes[0] = FAR * torch.from_numpy(domain.basis.reshape(1, d, -1).copy())
        elif index in foldings:
            number = foldings[index]
            columns = slice(layout.column_starts[number], layout.column_starts[number + 1])
            pieces = torch.from_numpy(np.ascontiguousarray(patterns[:, columns]))
            source = node.inputs[0]
            value[index], slopes[index] = layout.foldings[number].follow(pieces, value[source], slopes[source])
        else:
            copies = max(len(slopes[source]) for source in node.inputs)
            shapes = [network.nodes[source].shape for source in node.inputs]
            at = [value[s].reshape(cells, *shape) for s, shape in zip(node.inputs, shapes, strict=True)]
            along = [
                slopes[s].expand(copies, d, -1).reshape(copies * d, *shape)
                for s, shape in zip(node.inputs, shapes, strict=True)
            ]
            value[index] = node.op.evaluate(*at).reshape(cells, -1)
            slopes[index] = linear(node.op).evaluate(*along).reshape(copies, d, -1)
        if errors is not None:
            sources = [known[source] for source in node.inputs]
            error = errors.through(index, sources, pieces) if sources else errors.of_inputs(origins)
            known[index] = Carried(value[index], slopes[index], error, errors)
        yield Reached(index, value[index], slopes[index], known.get(index))
        for source in {index, *node.inputs}:
            if last[source] <= index:
                del value[source], slopes[source]
                known.pop(source, None)


@torch.no_grad()
def half_spaces(
    network: Network,
    layout: Layout,
    domain: Domain,
    patterns: np.ndarray,
    origins: np.ndarray,
    first: int,
    errors: Errors,
    beyond: list[Reached] | None = None,
) -> Rows:
    """Rows `g @ (t - origin) + v <= 0` that hold on the cell of each pattern.

    Args:
        network: The network.
        layout: Its folding nodes.
        domain: The domain.
        patterns: [cells, columns] pieces of all units.
        origins: [cells, d] a point for each cell.
        first: Rows to leave room for, before those of the network.
        errors: How errors come through.
        beyond: Where to put the output, if it is asked for.

    Returns:
        `gradients` [cells, d, first + rows], `values` [cells, first + rows] and `errors` [cells, first + rows].
    """
    cells, d, count = len(origins), domain.dimension, first + layout.rows
    rows = Rows(np.empty((cells, d, count)), np.full((cells, count), ABSENT), np.zeros((cells, count)))
    waiting: dict[int, list[int]] = {}
    for number, folding in enumerate(layout.foldings):
        waiting.setdefault(folding.source, []).append(number)
    stop = max(waiting, default=-1) if beyond is None else network.output
    for reached in follow_branches(network, layout, domain, patterns, origins, stop, errors):
        if reached.index == network.output and beyond is not None:
            beyond.append(reached)
        if reached.index not in waiting:
            continue
        assert reached.known is not None
        error = errors.plain(reached.known.error).numpy()
        for number in waiting.get(reached.index, ()):
            place = slice(first + layout.row_starts[number], first + layout.row_starts[number + 1])
            columns = slice(layout.column_starts[number], layout.column_starts[number + 1])
            mine = Rows(rows.gradients[:, :, place], rows.values[:, place], rows.errors[:, place])
            value, slopes = reached.value.numpy(), reached.slopes.numpy()
            layout.foldings[number].write_errors(patterns[:, columns], reached.known, error, mine)
            layout.foldings[number].write_rows(patterns[:, columns], value, slopes, FAR, mine)
    return rows


@torch.no_grad()
def patterns_beyond(
    network: Network,
    layout: Layout,
    inputs: np.ndarray,
    directions: np.ndarray,
    errors: Errors,
    points: np.ndarray,
) -> np.ndarray:
    """Patterns just beyond points, in given directions.

    A unit that is zero at a point, as well as float64 knows it, takes the sign of its slope in the direction; one
    whose slope is zero too is zero on the cell beyond, and has the pattern's convention for that.

    Args:
        network: The network.
        layout: Its folding nodes.
        inputs: [points, *input_shape] points.
        directions: [points, *input_shape] directions, of unit length in the domain's coordinates.
        errors: How errors come through, along the directions.
        points: [points, d] the points in the domain's coordinates.

    Returns:
        [points, columns] pieces of all units.
    """
    foldings = {folding.node: number for number, folding in enumerate(layout.foldings)}
    last = last_uses(network)
    out = np.zeros((len(inputs), layout.columns), np.uint8)
    value: dict[int, Tensor] = {}
    slopes: dict[int, Tensor] = {}
    reached: dict[int, Carried] = {}
    for index, node in enumerate(network.nodes):
        own = None
        if isinstance(node.op, Input):
            value[0] = torch.from_numpy(np.ascontiguousarray(inputs)).reshape(len(inputs), -1)
            slopes[0] = FAR * torch.from_numpy(np.ascontiguousarray(directions)).reshape(len(inputs), 1, -1)
        elif index in foldings:
            number, source = foldings[index], node.inputs[0]
            folding = layout.foldings[number]
            known = errors.plain(reached[source].error).numpy(), float(errors.widths[0])
            pieces = folding.pieces_of(value[source].numpy(), slopes[source][:, 0].numpy() / FAR, *known)
            out[:, layout.column_starts[number] : layout.column_starts[number + 1]] = pieces
            own = torch.from_numpy(pieces)
            value[index], slopes[index] = folding.follow(own, value[source], slopes[source])
        else:
            shapes = [network.nodes[source].shape for source in node.inputs]
            pairs = list(zip(node.inputs, shapes, strict=True))
            value[index] = node.op.evaluate(*(value[s].reshape(-1, *shape) for s, shape in pairs)).reshape(
                len(inputs), -1
            )
            along = linear(node.op).evaluate(*(slopes[s].reshape(-1, *shape) for s, shape in pairs))
            slopes[index] = along.reshape(len(inputs), 1, -1)
        sources = [reached[source] for source in node.inputs]
        error = errors.through(index, sources, own) if sources else errors.of_inputs(points)
        reached[index] = Carried(value[index], slopes[index], error, errors)
        for source in {index, *node.inputs}:
            if last[source] <= index:
                del value[source], slopes[source], reached[source]
    return out
