"""The half-spaces of many patterns at once, with what float64 knows of them, and the patterns beyond points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from splinescope.network.graph import Network
from splinescope.network.ops.walls import ABSENT
from splinescope.tessellation.branches.errors import Carried, Errors
from splinescope.tessellation.branches.layout import Layout
from splinescope.tessellation.branches.walk import FAR, walk_branches
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.domains.samples import embedded


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows `g @ (t - origin) + v <= 0` that hold on the cells of some patterns.

    Attributes:
        gradients: [cells, d, rows].
        values: [cells, rows].
        errors: [cells, rows] what both together are off on the domain.
    """

    gradients: np.ndarray
    values: np.ndarray
    errors: np.ndarray


def by_node(layout: Layout, patterns: np.ndarray) -> dict[int, Tensor]:
    """Patterns taken apart by node.

    Args:
        layout: The folding nodes.
        patterns: [cells, columns] pieces of all units.

    Returns:
        For each folding node [cells, units] the piece of each unit.
    """
    parts = ((node, patterns[:, layout.columns_of(number)]) for node, number in layout.numbers.items())
    return {node: torch.from_numpy(np.ascontiguousarray(part)) for node, part in parts}


def walk_domain(
    network: Network,
    domain: Domain,
    pieces: dict[int, Tensor],
    origins: np.ndarray,
    errors: Errors,
    stop: int | None = None,
) -> Iterator[Carried]:
    """Follow the branch of each pattern along a domain's directions, with errors.

    Args:
        network: The network.
        domain: The domain.
        pieces: For each folding node [cells, units] the piece of each unit.
        origins: [cells, d] a point for each cell, in the domain's coordinates.
        errors: How errors come through.
        stop: The last node; the output if None.

    Yields:
        Each node; slopes are times `FAR`.
    """
    x = torch.from_numpy(embedded(domain, origins))
    directions = FAR * torch.from_numpy(domain.basis.reshape(1, domain.dimension, *network.input_shape).copy())
    # Cloned, since products may differ in the last bit where torch has not aligned the memory itself.
    return errors.along(walk_branches(network, pieces, x.clone(), directions, stop), pieces, origins)


@torch.no_grad()
def half_spaces(
    network: Network,
    layout: Layout,
    domain: Domain,
    patterns: np.ndarray,
    origins: np.ndarray,
    first: int,
    errors: Errors,
    beyond: list[Carried] | None = None,
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
    gradients, values, known = (torch.from_numpy(part) for part in (rows.gradients, rows.values, rows.errors))
    pieces = by_node(layout, patterns)
    stop = max(layout.readers, default=-1) if beyond is None else network.output
    for reached in walk_domain(network, domain, pieces, origins, errors, stop):
        if reached.index == network.output and beyond is not None:
            beyond.append(reached)
        for number in layout.readers.get(reached.index, ()):
            walls, own = layout.foldings[number].walls, pieces[layout.foldings[number].node]
            place = slice(first + layout.row_starts[number], first + layout.row_starts[number + 1])
            walls.values(own, reached.value, values[:, place])
            walls.slopes(own, reached.slopes, 1 / FAR, gradients[:, :, place])
            known[:, place] = walls.errors(own, errors.plain(reached.error), partial(getattr, reached, "size"))
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
    out = np.zeros((len(inputs), layout.columns), np.uint8)
    x, along = (torch.from_numpy(np.ascontiguousarray(part)) for part in (inputs, directions))
    pieces: dict[int, Tensor] = {}
    extent = float(errors.widths[0])
    walk = walk_branches(network, pieces, x, FAR * along[:, None], max(layout.numbers, default=-1))
    for reached in errors.along(walk, pieces, points):
        for number in layout.readers.get(reached.index, ()):
            folding, error = layout.foldings[number], errors.plain(reached.error)
            found = folding.walls.pieces_beyond(reached.value, reached.slopes[:, 0] / FAR, error, extent)
            pieces[folding.node] = found
            out[:, layout.columns_of(number)] = found.numpy()
    return out
