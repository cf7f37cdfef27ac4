"""What lies around cells: from their patterns to their facets and to the patterns of their neighbours."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache

import numpy as np
import torch

from splinescope.network.graph import Network
from splinescope.numerics import UNIT_ROUNDOFF, Tolerance
from splinescope.tessellation.branches.errors import Errors
from splinescope.tessellation.branches.halfspaces import half_spaces, patterns_beyond
from splinescope.tessellation.branches.layout import Layout, layout_of
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.domains.samples import bounding_box, embedded, excess
from splinescope.tessellation.queries import ask
from splinescope.tessellation.region_graph.calibration import errors_for
from splinescope.tessellation.region_graph.exact_branch import RationalNetwork, dyadic
from splinescope.tessellation.region_graph.programs.cells import decide_cells
from splinescope.tessellation.region_graph.programs.highs import Decided, decide_cell
from splinescope.tessellation.region_graph.programs.space import (
    ABSENT,
    CONTRADICTED,
    FIELDS,
    SOUND,
    UNSOLVED,
    space_for,
)
from splinescope.tessellation.region_graph.search.found import (
    BOUNDARY,
    Explored,
    Seeds,
    replaced,
    with_cells,
    without,
)
from splinescope.tessellation.region_graph.search.keys import Keys
from splinescope.tessellation.region_graph.search.settle import settle

BLOCK = 256
"""Cells that are explored together, at most. Results do not depend on who explores which block."""

_CHECKED = 1024
"""Cells that are checked together, at most: nobody waits for the first of them."""

_NUMBERS = 1 << 22
"""Numbers that the rows of a block may have."""

_COPIES = 6
"""Arrays of the size of a cell's rows that are held while it is explored: rows, slopes on the way, facets found."""

_WITNESS = 32.0
"""What the coordinates of a point on a facet are off, in units of roundoff of the domain's farthest ones."""

_COARSEST = 2.0**-20
"""Uncertainty of a facet, as a share of the domain, from which its cell is decided in rational arithmetic."""

_WORK = 1 << 32
"""Operations that a block may take, roughly: a program for each row, with a step for each dimension."""


@dataclass(frozen=True, eq=False)
class Explorer:
    """A network on a domain; explores blocks of cells.

    Attributes:
        network: The network.
        domain: The domain.
        tolerance: What counts as zero.
        layout: Rows and pattern columns of the folding nodes.
        errors: How well float64 knows the network.
        memory_budget: Bytes for the cells that are explored or checked at once; None for no bound of the user's.
    """

    network: Network
    domain: Domain
    tolerance: Tolerance
    layout: Layout
    errors: Errors
    memory_budget: int | None = None

    @classmethod
    def of(cls, network: Network, domain: Domain, tolerance: Tolerance, memory_budget: int | None = None) -> Explorer:
        """Find out how well float64 knows the network on the domain."""
        layout = layout_of(network)
        errors = errors_for(network, domain, layout, tolerance)
        return cls(network, domain, tolerance, layout, errors, memory_budget)

    def __getstate__(self) -> dict[str, object]:
        """Without what can be made again, some of which cannot be pickled."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def rational(self) -> RationalNetwork:
        """The network in rational arithmetic."""
        return RationalNetwork(self.network, self.domain, self.layout)

    @cached_property
    def keys(self) -> Keys:
        """How patterns are packed."""
        return Keys(self.layout.column_pieces)

    @cached_property
    def block(self) -> int:
        """Number of cells that are explored together, by the memory and, in many dimensions, the work for one."""
        return self._at_once(BLOCK)

    @cached_property
    def checked(self) -> int:
        """Number of cells that are checked together, likewise."""
        return self._at_once(_CHECKED)

    def blocks_within(self, most: int) -> int:
        """Number of blocks that may be under way at once, at most so many: by the memory budget."""
        if self.memory_budget is None:
            return most
        return max(1, min(most, self.memory_budget // (self.block * self._bytes)))

    @cached_property
    def _numbers(self) -> int:
        """Numbers of one cell's rows, or of its values and slopes at the largest node."""
        rows = len(self.domain.halfspaces) + self.layout.rows
        return (self.domain.dimension + 1) * max(rows, *(node.size for node in self.network.nodes))

    @property
    def _bytes(self) -> int:
        """Bytes that one cell takes while it is explored."""
        return 8 * _COPIES * self._numbers

    def _at_once(self, most: int) -> int:
        d, rows = self.domain.dimension, len(self.domain.halfspaces) + self.layout.rows
        allowed = most if self.memory_budget is None else self.memory_budget // self._bytes
        return max(1, min(most, allowed, _NUMBERS // self._numbers, _WORK // (rows * d) ** 2))

    @cached_property
    def extent(self) -> float:
        """A length at least that of any segment in the domain."""
        return float(np.sqrt(self.domain.dimension) * self.domain.size)

    @cached_property
    def sides(self) -> np.ndarray:
        """[sides] how well distances from the domain's sides are known."""
        d = self.domain.dimension
        farthest = float(np.abs(self.domain.halfspaces[:, -1]).max()) + d * self.farthest
        return np.full(len(self.domain.halfspaces), (d + 3) * UNIT_ROUNDOFF * farthest)

    @cached_property
    def farthest(self) -> float:
        """Largest absolute value of a coordinate in the domain."""
        return float(max(np.abs(end).max() for end in bounding_box(self.domain)))

    def explore(self, seeds: Seeds, sure: bool = False) -> Explored:
        """Explore one block.

        Args:
            seeds: Cells, at most `block` of them; one if `sure`.
            sure: Whether to have HiGHS decide everything.
        """
        patterns = self.keys.unpack(seeds.keys)
        sides = self.domain.halfspaces
        rows = half_spaces(self.network, self.layout, self.domain, patterns, seeds.origins, len(sides), self.errors)
        rows.gradients[:, :, : len(sides)] = sides[:, :-1].T
        rows.values[:, : len(sides)] = excess(self.domain, seeds.origins)
        rows.errors[:, : len(sides)] = self.sides
        return _BlockWork(self, seeds, patterns, rows.gradients, rows.values, rows.errors).explored(sure)

    def patterns_beyond(self, points: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """[n, columns] patterns just beyond points of the domain [n, d], in directions [n, d] of unit length."""
        inputs = embedded(self.domain, points)
        along = (directions @ self.domain.basis.reshape(self.domain.dimension, -1)).reshape(inputs.shape)
        ray = replace(self.errors, widths=np.array([self.extent]), position=_WITNESS)
        step = max(1, _NUMBERS // (4 * max(node.size for node in self.network.nodes)))
        parts = [
            patterns_beyond(
                self.network, self.layout, inputs[at : at + step], along[at : at + step], ray, points[at : at + step]
            )
            for at in range(0, len(inputs), step)
        ]
        return np.concatenate([np.empty((0, self.layout.columns), np.uint8), *parts])

    def pattern_exactly(self, point: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """[columns] the pattern just beyond one point [d] in a direction [d], in rational arithmetic."""
        (numerators, scale), (along, _) = dyadic(point), dyadic(direction)
        return self.rational.beyond(numerators, 1 << scale, along)


@dataclass(frozen=True, eq=False)
class _BlockWork:
    """The work on one block, step by step."""

    explorer: Explorer
    seeds: Seeds
    patterns: np.ndarray
    gradients: np.ndarray
    values: np.ndarray
    errors: np.ndarray

    def explored(self, sure: bool = False) -> Explored:
        """Decide the rows, then look beyond the facets.

        Args:
            sure: Whether HiGHS decides.
        """
        decided = self._by_highs() if sure else self._by_simplex()
        n, d = decided.centres.shape
        owner = np.repeat(np.arange(n), decided.counts[:, 0])
        planes = decided.facet_planes.copy()
        planes[:, d] -= np.einsum("fj,fj->f", planes[:, :d], self.seeds.origins[owner])
        found = Explored(
            state=decided.state,
            touching=decided.counts[:, 2],
            thin=decided.counts[:, 3],
            undecided=decided.counts[:, 4],
            # HiGHS has tolerances of its own, and proves nothing.
            doubtful=np.ones(n, np.int64) if sure else decided.counts[:, 6],
            exact=np.zeros(n, np.int64),
            centres=self.seeds.origins + decided.centres,
            radii=decided.radii,
            facet_counts=decided.counts[:, 0],
            facet_columns=np.full(len(owner), BOUNDARY),
            facet_planes=planes,
            facet_points=self.seeds.origins[owner] + decided.facet_witnesses,
            facet_uncertainties=decided.facet_uncertainties,
            facet_keys=self.seeds.keys[owner],
            further_facets=np.empty(0, np.int64),
            further_columns=np.empty(0, np.int64),
        )
        coarse = ~(decided.facet_uncertainties <= _COARSEST * self.explorer.extent)
        found.doubtful[owner[coarse]] = 1
        plain = decided.counts[owner, 1] == 0
        plain[decided.member_facets] = False
        found = self._beyond(found, owner, decided.facet_rows, plain)
        if not sure and self.explorer.rational.affordable:
            return self._settled(found) if found.doubtful.any() else found
        found = self._past_slivers(found) if (decided.state != SOUND).any() else found
        return found if sure else self._second_opinion(found)

    def _by_simplex(self) -> Decided:
        n, d, rows = self.gradients.shape
        explorer, capacity = self.explorer, n * rows
        decided = Decided(
            state=np.empty(n, np.int64),
            counts=np.empty((n, FIELDS), np.int64),
            centres=np.empty((n, d)),
            radii=np.empty(n),
            facet_rows=np.empty(capacity, np.int64),
            facet_planes=np.empty((capacity, d + 1)),
            facet_witnesses=np.empty((capacity, d)),
            facet_uncertainties=np.empty(capacity),
            member_facets=np.empty(capacity, np.int64),
            member_rows=np.empty(capacity, np.int64),
        )
        ends = [end - self.seeds.origins for end in bounding_box(explorer.domain)]
        lost = ~np.isfinite(self.errors).all(axis=1) | ~np.isfinite(self.gradients).all(axis=(1, 2))
        lost |= (np.isnan(self.values) | (self.values == np.inf)).any(axis=1)
        values = np.where(lost[:, None], ABSENT, self.values) if lost.any() else self.values
        values[lost, : len(explorer.domain.halfspaces)] = excess(explorer.domain, self.seeds.origins[lost])
        inputs = (self.gradients, values, self.errors, *ends)
        facets, members = decide_cells(space_for(d, rows, explorer.extent), *inputs, *vars(decided).values())
        decided.state[lost], decided.counts[lost, 6] = UNSOLVED, 1
        return decided.cut(facets, members)

    def _by_highs(self) -> Decided:
        assert len(self.seeds) == 1
        return decide_cell(self.gradients[0], self.values[0], self.errors[0], self.explorer.extent)

    def _settled(self, found: Explored) -> Explored:
        """Have cells that are in doubt decided in rational arithmetic; a pattern that is no cell is passed over."""
        explored = ask("tessellation.region_graph.search.exactly", "explored_exactly")
        doubtful = np.flatnonzero(found.doubtful)
        parts, ways = [], self._past_slivers(found) if (found.state != SOUND).any() else found
        for cell in doubtful.tolist():
            start = self.seeds.origins[cell]
            if found.state[cell] == SOUND:
                start = found.centres[cell]
            decided = settle(self.explorer.rational, self.patterns[cell], start)
            if decided.centre is None:
                part = ways.taken(cell, cell + 1)
                parts.append(replaced(part, state=np.array([CONTRADICTED]), exact=np.ones(1, np.int64)))
            else:
                parts.append(explored(self.explorer, self.seeds.keys[cell], self.patterns[cell], decided))
        return with_cells(found, doubtful, parts)

    def _second_opinion(self, found: Explored) -> Explored:
        """Have cells with undecided rows, and cells that were not solved, decided by HiGHS."""
        doubtful = np.flatnonzero((found.undecided > 0) | (found.state == UNSOLVED))
        return with_cells(found, doubtful, [self._alone(int(cell)).explored(sure=True) for cell in doubtful])

    def _alone(self, cell: int) -> _BlockWork:
        part = slice(cell, cell + 1)
        return _BlockWork(self.explorer, self.seeds.taken(part), *(
            array[part] for array in (self.patterns, self.gradients, self.values, self.errors)
        ))  # fmt: skip

    def _beyond(self, found: Explored, owner: np.ndarray, rows: np.ndarray, plain: np.ndarray) -> Explored:
        """Columns and keys beyond facets.

        A facet of one unit changes this unit's piece and no other, unless a unit vanishes on the whole cell; then, and
        where folds of several units coincide, the pattern just beyond the facet's point is evaluated. Whether they
        coincide, or there is a sliver of a cell between them, float64 doesn't tell: the cell is in doubt.
        """
        layout, keys = self.explorer.layout, self.explorer.keys
        sides = len(self.explorer.domain.halfspaces)
        simple = np.flatnonzero(plain & (rows >= sides))
        mine = rows[simple] - sides
        columns = layout.row_columns[mine]
        pieces = layout.beyond(self.patterns[owner[simple]], mine)
        found.facet_columns[simple] = columns
        found.facet_keys[simple] = keys.changed(found.facet_keys[simple], columns, pieces)
        several = np.flatnonzero(~plain & (rows >= sides))
        if not len(several):
            return found
        patterns = self.explorer.patterns_beyond(found.facet_points[several], found.facet_planes[several, :-1])
        differs = patterns != self.patterns[owner[several]]
        changes = differs.any(axis=1)
        found.doubtful[owner[several[differs.sum(axis=1) > 1]]] = 1
        first = differs.argmax(axis=1)
        found.facet_columns[several] = first
        found.facet_keys[several] = keys.pack(patterns)
        differs[np.arange(len(several)), first] = False
        further, column = np.nonzero(differs)
        found = replaced(found, further_facets=several[further], further_columns=column)
        return found if changes.all() else without(found, several[~changes], owner)

    def _past_slivers(self, found: Explored) -> Explored:
        """Give each cell that is not sound a facet that leads past it, if that is still in the domain.

        From where the cell was entered, the way goes on for a few times the distance within which its folds are known.
        """
        explorer = self.explorer
        bad = np.flatnonzero(found.state != SOUND)
        tiny = np.finfo(np.float64).tiny
        lengths = np.maximum(np.linalg.norm(self.gradients[bad], axis=1), tiny)
        known = np.where(lengths > tiny, self.errors[bad] / lengths, 0.0)
        near = np.abs(self.values[bad] / lengths) <= 4 * known + 2 * np.abs(found.radii[bad, None])
        step = 4 * np.where(near & (known < explorer.extent), known, 0.0).max(axis=1)
        step = np.maximum(step, 64 * UNIT_ROUNDOFF * explorer.extent)
        normals = self.seeds.normals[bad]
        points = self.seeds.origins[bad] + step[:, None] * normals
        inside = (excess(explorer.domain, points) < 0).all(axis=1)
        ways = Explored(
            state=found.state[bad],
            touching=found.touching[bad],
            thin=found.thin[bad],
            undecided=found.undecided[bad],
            doubtful=found.doubtful[bad],
            exact=found.exact[bad],
            centres=found.centres[bad],
            radii=found.radii[bad],
            facet_counts=np.ones(len(bad), np.int64),
            facet_columns=np.where(inside, 0, BOUNDARY),
            facet_planes=np.column_stack([normals, -np.einsum("fj,fj->f", normals, points)]),
            facet_points=points,
            facet_uncertainties=step,
            facet_keys=explorer.keys.pack(explorer.patterns_beyond(points, normals)),
            further_facets=np.empty(0, np.int64),
            further_columns=np.empty(0, np.int64),
        )
        return with_cells(found, bad, [ways.taken(number, number + 1) for number in range(len(bad))])


def explore_alone(packed: bytes, seeds: Seeds) -> Explored:
    """Explore a block in a process or thread of anyone's; the result is the same everywhere.

    Args:
        packed: The explorer, as `packed_explorer` packs it.
        seeds: The block.
    """
    with one_thread():
        return _unpacked(packed).explore(seeds)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch run on the calling thread alone: with several, products round as these happen to share the work.

    A thread that has not asked for its number of threads before would take on another thread's later.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def packed_explorer(explorer: Explorer) -> bytes:
    """An explorer as bytes: torch would send each of its tensors to another process as an open file."""
    return pickle.dumps(explorer)


@lru_cache(maxsize=4)
def _unpacked(packed: bytes) -> Explorer:
    explorer: Explorer = pickle.loads(packed)  # noqa: S301 - made by this library's own process
    return explorer
