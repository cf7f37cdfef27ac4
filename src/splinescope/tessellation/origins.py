"""Numbers that are one by name: where the number of a unit on a cell comes from, if next to nothing changes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import torch

from splinescope.network.graph import Network, Node
from splinescope.network.ops import Walls
from splinescope.tessellation.exact import Pieces

Number = tuple[int, float]
"""A node and a flat index there; or `CONSTANT` and a constant."""
Level = Number | Fraction
"""What a number is compared with: another number, or a constant."""

CONSTANT = -1
"""Stands for the node of a constant."""
_FEW = 2
"""Terms of an op up to which its rows are looked at: more than one of them can hardly be one number."""


class Equality(NamedTuple):
    """What is equal on a wall.

    Attributes:
        number: The first number; the lesser one of two.
        level: What it is equal to on the wall; the same number where two are one by name on the whole cell.
        sign: 1 where the wall's value grows with the number less the level, else -1.
    """

    number: Number
    level: Level
    sign: int


class Known(NamedTuple):
    """What is known to be equal at a point.

    Attributes:
        pairs: Two numbers that are equal.
        levels: Constants that numbers are equal to.
    """

    pairs: set[tuple[Number, Level]]
    levels: dict[Number, Fraction]

    @classmethod
    def of(cls, equalities: Iterable[Equality]) -> Known:
        """What walls through the point tell."""
        pairs = {(one.number, one.level) for one in equalities}
        return cls(pairs, {number: level for number, level in pairs if isinstance(level, Fraction)})

    def sign(self, wall: Equality) -> int | None:
        """Sign of a wall's value at the point; None if it is not told."""
        if wall.number == wall.level or (wall.number, wall.level) in self.pairs:
            return 0
        if not isinstance(wall.level, Fraction):
            return None
        here = Fraction(wall.number[1]) if wall.number[0] == CONSTANT else self.levels.get(wall.number)
        return None if here is None else wall.sign * ((here > wall.level) - (here < wall.level))


def equalities(network: Network, pieces: Pieces, op: int, walls: Walls) -> list[Equality]:
    """What is equal on walls, by where the numbers come from.

    Two numbers are followed as far back as they are copied; a number that is compared with a constant also through
    scales and offsets, exactly: layers that normalise one channel each in its own way then speak of one number.

    Args:
        network: The network.
        pieces: Pattern of a cell at all folding nodes before `op`.
        op: The node that folds there.
        walls: Its walls.

    Returns:
        One for each.
    """
    (source,) = network.nodes[op].inputs
    pair = walls.minus >= 0
    found: list[Equality | None] = [None] * len(pair)
    for place, number, level, sign in _levels(network, pieces, source, walls, np.flatnonzero(~pair)):
        found[place] = Equality(number, level, sign)
    places = np.flatnonzero(pair)
    sides = [origins(network, pieces, source, units[places]) for units in (walls.plus, walls.minus)]
    firsts, seconds = (zip(nodes.tolist(), numbers.tolist(), strict=True) for nodes, numbers in sides)
    for place, first, second in zip(places.tolist(), firsts, seconds, strict=True):
        found[place] = Equality(min(first, second), max(first, second), 1 if first < second else -1)
    return [one for one in found if one is not None]


def origins(network: Network, pieces: Pieces, node: int, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first nodes that have some numbers, on a cell.

    Args:
        network: The network.
        pieces: Pattern of the cell at all folding nodes up to `node`.
        node: Index of the node.
        units: [k] flat indices of the numbers.

    Returns:
        [k] nodes, and [k] flat indices there; for units on flat pieces `CONSTANT` and the constant.
    """
    nodes, numbers = np.full(len(units), CONSTANT), np.zeros(len(units))
    waiting = {node: [(np.arange(len(units)), units)]}
    for index, which, here in _backwards(waiting):
        step = _step(network, pieces, index, here)
        constant, moved = step.slopes == 0, (step.slopes == 1) & (step.intercepts == 0)
        numbers[which[constant]] = step.intercepts[constant]
        stays = ~moved & ~constant
        nodes[which[stays]], numbers[which[stays]] = index, here[stays]
        step.send(waiting, which, moved)
    return nodes, numbers


def _levels(
    network: Network, pieces: Pieces, node: int, walls: Walls, which: np.ndarray
) -> Iterator[tuple[int, Number, Fraction, int]]:
    """For walls of one number: the wall, the number that it comes from, the constant there, and the sign of the way."""
    levels = [Fraction(shift) for shift in walls.shift.tolist()]
    signs = [1] * len(levels)
    waiting = {node: [(which, walls.plus[which])]} if len(which) else {}
    for index, some, here in _backwards(waiting):
        step = _step(network, pieces, index, here)
        moved = step.slopes != 0
        changes = zip(some.tolist(), here.tolist(), step.slopes.tolist(), step.intercepts.tolist(), strict=True)
        for wall, unit, slope, intercept in changes:
            if slope == 0:
                yield wall, (CONSTANT, intercept), levels[wall], signs[wall]
            elif slope != slope:
                yield wall, (index, float(unit)), levels[wall], signs[wall]
            elif slope != 1 or intercept:
                levels[wall] = (levels[wall] - Fraction(intercept)) / Fraction(slope)
                signs[wall] = signs[wall] if slope > 0 else -signs[wall]
        step.send(waiting, some, moved & ~np.isnan(step.slopes))


Waiting = dict[int, list[tuple[np.ndarray, np.ndarray]]]
"""For each node, units to be looked at there: whose they are, and their flat indices."""


def _backwards(waiting: Waiting) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Nodes where units wait, the last one first, while more are added."""
    while waiting:
        index = max(waiting)
        which, here = (np.concatenate(parts) for parts in zip(*waiting.pop(index), strict=True))
        yield index, which, here


class _Step(NamedTuple):
    """Units of a node as affine functions of single numbers before it: `slope * x + intercept`.

    Attributes:
        node: The node.
        slopes: One for each unit; 0 of a constant, NaN where a unit reads several numbers, or is an input.
        intercepts: The offsets.
        places: Which number each reads, in its flat inputs one after the other.
        sizes: Lengths of the inputs.
    """

    node: Node
    slopes: np.ndarray
    intercepts: np.ndarray
    places: np.ndarray
    sizes: list[int]

    def send(self, waiting: Waiting, which: np.ndarray, moved: np.ndarray) -> None:
        """Let units wait at the nodes that they read."""
        start = 0
        for source, size in zip(self.node.inputs, self.sizes, strict=True):
            mine = moved & (self.places >= start) & (self.places < start + size)
            if mine.any():
                waiting.setdefault(source, []).append((which[mine], self.places[mine] - start))
            start += size


def passes_on(node: Node) -> bool:
    """Whether units of a node may be single numbers from before it, scaled and shifted."""
    return node.fold is not None or (node.affine is not None and node.op.addends <= _FEW)


def _step(network: Network, pieces: Pieces, index: int, units: np.ndarray) -> _Step:
    node = network.nodes[index]
    slopes, intercepts, places = np.full(len(units), np.nan), np.zeros(len(units)), np.zeros(len(units), np.int64)
    if node.fold is not None:
        reads = node.fold.reads(pieces[index][units], units)
        slopes, intercepts, places = reads.slopes, reads.intercepts, reads.places
    elif node.affine is not None and passes_on(node):
        rows = node.affine.rows(units, *(network.nodes[source].shape for source in node.inputs))
        single = np.diff(rows.indptr) == 1
        slopes[np.diff(rows.indptr) == 0] = 0.0
        slopes[single] = rows.data[rows.indptr[:-1][single]]
        places[single] = rows.indices[rows.indptr[:-1][single]]
        if node.affine.offset is not None:
            offset = torch.broadcast_to(node.affine.offset, node.shape).reshape(-1)
            intercepts = offset[torch.from_numpy(units)].numpy()
    return _Step(node, slopes, intercepts, places, [network.nodes[source].size for source in node.inputs])
