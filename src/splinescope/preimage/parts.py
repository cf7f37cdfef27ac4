"""The pieces of a preimage in one part of a domain: its cells, cut by the target's half-spaces, that are within."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, UInt8

from splinescope.network.graph import Network
from splinescope.preimage.polytopes import MEASURED, Polytope, polytope
from splinescope.preimage.pruning import NEVER, Exceeded, Pruner, give_up
from splinescope.preimage.targets.marks import Marks
from splinescope.shown import Shown
from splinescope.tessellation import tessellate
from splinescope.tessellation.certificate import certify
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.domains import Box, Domain
from splinescope.tessellation.region_graph import RegionGraph, region_graph
from splinescope.tessellation.spatial import tessellate_polytope

WITH_VERTICES = 5
"""Largest dimension in which cells are given vertices, and volumes are exact."""


@dataclass(frozen=True, eq=False)
class PreimagePart(Shown):
    """A piece of a preimage within one box.

    Attributes:
        key: What is the same for all parts of one piece.
        halfspaces: [m, d + 1] its half-spaces.
        equalities: [k, d + 1] its equalities, orthonormal.
        pattern: [U] activation pattern of the network.
        A: [n, d] linear part of the network's map in the domain's coordinates.
        c: [n] its constant.
        witness: [d] a point inside.
        radius: Radius of a largest ball; NaN if it was not looked for.
        measure: Its measure in its own dimension; NaN if unknown.
        cuts: [c, d + 1] half-spaces of the box that the search cut, which are no part of the preimage.
    """

    key: tuple[bytes, int]
    halfspaces: Float[np.ndarray, "m _"]
    equalities: Float[np.ndarray, "k _"]
    pattern: UInt8[np.ndarray, " U"]
    A: Float[np.ndarray, "n d"]
    c: Float[np.ndarray, " n"]
    witness: Float[np.ndarray, " d"]
    radius: float
    measure: float
    cuts: Float[np.ndarray, "c _"]


@dataclass(frozen=True, eq=False)
class Found:
    """What one part of a domain has.

    Attributes:
        parts: The pieces.
        cells: How many cells were looked at.
        complete: Whether that is all.
        whole: Whether all cells are pieces as they are.
    """

    parts: tuple[PreimagePart, ...]
    cells: int
    complete: bool
    whole: bool = False


def pieces_of(
    network: Network, marked: Marks, domain: Domain, cuts: np.ndarray, *, most: float, deadline: float, verify: str
) -> Found:
    """Tessellate a part of a domain, and keep what is in the target.

    Up to five dimensions cells have vertices, and those that cannot meet the target go before they are cut further.

    Args:
        network: The network.
        marked: The same with its target.
        domain: The part.
        cuts: [c, d + 1] half-spaces of the part that are no sides of the domain.
        most: Most cells at once.
        deadline: When to stop, by the monotonic clock.
        verify: Level of the cells' certificate.

    Returns:
        The pieces; none, and not complete, if that was too much.
    """
    cells: PolyhedralComplex
    dropped = 0
    clock = _Clock(deadline)
    if domain.dimension == 2:
        try:
            limit = None if most == NEVER else int(most)
            cells = tessellate(
                marked.network, domain, verify=verify, max_cells=limit, progress=deadline < NEVER and clock.look
            )
        except Exceeded:
            return Found((), clock.cells, False)
    elif 2 < domain.dimension <= WITH_VERTICES:
        pruner = Pruner(network, marked, domain, most, deadline)
        try:
            cells = tessellate_polytope(
                marked.network, domain, verify=verify, keep=pruner.keep, progress=clock.look, shortage=give_up
            )
        except Exceeded:
            return Found((), pruner.dropped, False)
        dropped = pruner.dropped
    else:
        cells = region_graph(
            marked.network,
            domain,
            verify="topology",  # what is truncated is cut anew, and not worth more
            max_cells=None if most == NEVER else int(most),
            time_limit=None if deadline == NEVER else max(0.01, deadline - time.monotonic()),
        )
    if cells.truncated and not 2 < domain.dimension <= WITH_VERTICES:
        return Found((), len(cells), False)
    if domain.dimension == 1 or domain.dimension > WITH_VERTICES:
        certify(cells, verify)
    patterns, nodes = cells.patterns, cells.pattern_nodes
    start = nodes[-1][1] if len(marked.rows) else patterns.shape[1]
    right = marked.chosen(patterns[:, start:].astype(np.int64))
    full = np.array([not len(one.equalities) for one in marked.alternatives])
    solid = right[full].any(axis=0) if full.any() else np.zeros(len(cells), bool)
    parts = _solid(cells, np.flatnonzero(solid), patterns, start, marked.outputs, cuts)
    for number in np.flatnonzero(~full):
        where = np.flatnonzero(right[number] & ~solid)
        parts += _flat(cells, where, patterns, start, marked, int(number), cuts)
    return Found(tuple(parts), dropped + len(cells), True, dropped == 0 and bool(solid.all()))


class _Clock:
    """Looks at the clock whenever an engine says how far it is: after every node, and some thousands of cells."""

    def __init__(self, deadline: float) -> None:
        self._deadline, self.cells = deadline, 0

    def look(self, _share: float, cells: int) -> None:
        """What an engine calls with the number of its cells."""
        self.cells = cells
        if time.monotonic() > self._deadline:
            raise Exceeded


def _solid(
    cells: PolyhedralComplex, which: np.ndarray, patterns: np.ndarray, start: int, outputs: int, cuts: np.ndarray
) -> list[PreimagePart]:
    """Cells that are in the target as they are."""
    if not len(which):
        return []
    maps = cells.affine_maps("domain", which)
    none = np.empty((0, cells.dimension + 1))
    measures = cells.measures if cells.dimension <= MEASURED else np.full(len(cells), np.nan)
    radii = cells.chebyshev_radii if isinstance(cells, RegionGraph) else np.full(len(cells), np.nan)
    return [
        PreimagePart(
            key=(patterns[cell].tobytes(), -1),
            halfspaces=cells.halfspaces(cell),
            equalities=none,
            pattern=patterns[cell, :start],
            A=maps.A[at, :outputs],
            c=maps.c[at, :outputs],
            witness=cells.interior_points[cell],
            radius=float(radii[cell]),
            measure=float(measures[cell]),
            cuts=cuts,
        )
        for at, cell in enumerate(which.tolist())
    ]


def _flat(
    cells: PolyhedralComplex,
    which: np.ndarray,
    patterns: np.ndarray,
    start: int,
    marked: Marks,
    number: int,
    cuts: np.ndarray,
) -> list[PreimagePart]:
    """What cells have in common with the hyperplanes of one alternative."""
    if not len(which):
        return []
    maps, found = cells.affine_maps("domain", which), []
    rows = marked.alternatives[number].equalities
    for at, cell in enumerate(which.tolist()):
        A, c = maps.A[at, : marked.outputs], maps.c[at, : marked.outputs]
        planes = np.column_stack([rows[:, :-1] @ A, rows[:, :-1] @ c + rows[:, -1]])
        known = RESOLVED * (np.abs(rows[:, :-1]) @ (np.abs(A).sum(axis=1) + np.abs(c)) + np.abs(rows[:, -1]))
        constant = np.abs(planes[:, :-1]).sum(axis=1) <= known
        planes[constant, :-1] = 0.0
        piece = polytope(cells.halfspaces(cell), planes)
        if piece is not None:
            part = PreimagePart(
                key=(patterns[cell].tobytes(), number),
                halfspaces=piece.halfspaces,
                equalities=piece.equalities,
                pattern=patterns[cell, :start],
                A=A,
                c=c,
                witness=piece.witness,
                radius=piece.radius,
                measure=np.nan,
                cuts=cuts,
            )
            found.append(replace(part, measure=measure_of(part)))
    return found


RESOLVED = 2.0**-44
"""Relative size of the coefficients of an affine map below which they are roundings."""


def measure_of(part: PreimagePart) -> float:
    """Measure of a piece in its own dimension; NaN above six dimensions."""
    shape = Polytope(part.halfspaces, part.equalities, part.witness, part.radius)
    return shape.measure if shape.dimension <= MEASURED else float("nan")


def cuts_of(domain: Domain, part: Domain, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Half-spaces of a box within a domain that are no sides of the domain.

    Args:
        domain: All of it.
        part: Its part in the box.
        low: [d] least coordinates of the box.
        high: [d] greatest ones.
    """
    if part is domain:
        return np.empty((0, len(low) + 1))
    ends = (
        domain.bounds if isinstance(domain, Box) else np.stack([domain.corners.min(axis=0), domain.corners.max(axis=0)])
    )
    identity = np.eye(len(low))
    lower = np.column_stack([-identity, low])[low > ends[0]]
    upper = np.column_stack([identity, -high])[high < ends[1]]
    return np.vstack([lower, upper])
