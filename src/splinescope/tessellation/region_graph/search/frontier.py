"""Breadth-first search over facets: from the start cells outwards, level by level, in blocks.

The order of cells, and every number, is the same whoever explores the blocks and however often the search was stopped
and resumed: a level is cut into blocks of a fixed size from its start, and results are taken in the blocks' order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np

from splinescope.numerics import in_blocks, number_of_threads
from splinescope.tessellation.region_graph.programs.space import SOUND
from splinescope.tessellation.region_graph.search.explore import (
    Explorer,
    explore_alone,
    one_thread,
    packed_explorer,
)
from splinescope.tessellation.region_graph.search.found import BOUNDARY, Explored, Seeds, joined
from splinescope.tessellation.region_graph.search.keys import as_bytes
from splinescope.workers import AT_ONCE, in_order


@dataclass(frozen=True)
class Limits:
    """When to stop before all is found.

    Attributes:
        max_cells: Sound cells to explore.
        deadline: Clock time (`time.monotonic`) after which no further results are taken.
    """

    max_cells: int | None = None
    deadline: float | None = None

    def passed(self, cells: int) -> bool:
        """Whether to stop."""
        out_of_time = self.deadline is not None and time.monotonic() >= self.deadline
        return out_of_time or (self.max_cells is not None and cells >= self.max_cells)


@dataclass
class Exploration:
    """A search under way. Cells are numbered in the order in which they are met; the first `explored` are explored.

    Attributes:
        explorer: What explores blocks.
        seeds: Parts of the cells met.
        results: Parts of what was found of the explored cells.
        neighbours: Parts of the cells beyond their facets, -1 on the boundary.
        numbers: Number of each cell met, by its key.
        explored: Number of cells explored.
        sound: Number of those that are sound.
        level: First cell of the present level.
        level_end: One past its last cell.
    """

    explorer: Explorer
    seeds: list[Seeds] = field(default_factory=list)
    results: list[Explored] = field(default_factory=list)
    neighbours: list[np.ndarray] = field(default_factory=list)
    numbers: dict[bytes, int] = field(default_factory=dict)
    explored: int = 0
    sound: int = 0
    level: int = 0
    level_end: int = 0

    @property
    def met(self) -> int:
        """Number of cells met."""
        return len(self.numbers)

    @property
    def finished(self) -> bool:
        """Whether no cell is left to explore."""
        return self.explored == self.met

    def start(self, seeds: Seeds) -> None:
        """Begin with some cells; repeated ones are met once."""
        self._meet(seeds)
        self.level_end = self.met

    def _meet(self, seeds: Seeds) -> np.ndarray:
        """Numbers of cells, some of which may be new."""
        found, fresh = np.empty(len(seeds), np.int64), []
        for at, key in enumerate(as_bytes(seeds.keys)):
            number = self.numbers.get(key)
            if number is None:
                number = self.numbers[key] = len(self.numbers)
                fresh.append(at)
            found[at] = number
        if fresh:
            self.seeds.append(seeds.taken(np.array(fresh)))
        return found

    def run(
        self,
        limits: Limits,
        executor: Executor | None,
        note: Callable[[Exploration], None],
    ) -> bool:
        """Go on until nothing is left or a limit is passed.

        Args:
            limits: When to stop.
            executor: Who explores blocks; the library's own threads if None.
            note: Called after every block.

        Returns:
            Whether nothing is left. Interrupting (Ctrl-C) stops, too.
        """
        try:
            while not self.finished:
                self._advance_level()
                for block, found in self._blocks_of_level(executor, limits):
                    if self.explored and limits.passed(self.sound):
                        return self.finished
                    self._take(block, found, limits.max_cells)
                    note(self)
                if limits.passed(self.sound):
                    return self.finished
        except KeyboardInterrupt:
            return self.finished
        return True

    def _advance_level(self) -> None:
        if self.explored == self.level_end:
            self.level, self.level_end = self.level_end, self.met

    def _blocks_of_level(self, executor: Executor | None, limits: Limits) -> Iterator[tuple[int, Explored]]:
        """First cell of each block of the level that is not wholly explored, and what was found of the block."""
        size = self.explorer.block
        first = self.level + (self.explored - self.level) // size * size
        end = self.level_end if limits.max_cells is None else self.explored + limits.max_cells - self.sound
        starts = range(first, min(end, self.level_end), size)
        waiting = self._seeds(first, self.level_end)
        blocks = [waiting.taken(slice(start - first, start - first + size)) for start in starts]
        explored = (
            _explore_here(self.explorer, blocks)
            if executor is None
            else _explore_there(executor, self.explorer, blocks)
        )
        yield from zip(starts, explored, strict=True)

    def _seeds(self, start: int, stop: int) -> Seeds:
        """Seeds of the cells `start:stop`."""
        if len(self.seeds) > 1:
            parts = [(part.keys, part.origins, part.normals) for part in self.seeds]
            self.seeds = [Seeds(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))]
        return self.seeds[0].taken(slice(start, stop))

    def _take(self, start: int, found: Explored, max_cells: int | None) -> None:
        """Add what was found of a block whose first cell is `start`, but for cells that were explored before."""
        known = self.explored - start
        sound = np.cumsum(found.state[known:] == SOUND)
        allowed = len(sound) if max_cells is None else int(np.searchsorted(sound, max_cells - self.sound, side="right"))
        found = found.taken(known, known + allowed)
        if not len(found):
            return
        inner = np.flatnonzero(found.facet_columns != BOUNDARY)
        beyond = np.full(len(found.facet_columns), -1)
        seeds = Seeds(found.facet_keys[inner], found.facet_points[inner], found.facet_planes[inner, :-1])
        beyond[inner] = self._meet(seeds)
        self.results.append(found)
        self.neighbours.append(beyond)
        self.explored += len(found)
        self.sound += int(sound[allowed - 1])

    def together(self) -> None:
        """Join the parts, so that each is one."""
        if len(self.results) > 1:
            self.results = [joined(self.results)]
            self.neighbours = [np.concatenate(self.neighbours)]
        self._seeds(0, 0)


def _explore_here(explorer: Explorer, blocks: Sequence[Seeds]) -> Iterator[Explored]:
    """Explore blocks on the library's threads, a few at a time."""
    at_once = explorer.blocks_within(2 * number_of_threads())
    for first in range(0, len(blocks), at_once):
        lot = blocks[first : first + at_once]

        def work(start: int, stop: int, lot: Sequence[Seeds] = lot) -> list[Explored]:
            with one_thread():
                return [explorer.explore(block) for block in lot[start:stop]]

        for part in in_blocks(work, len(lot), grain=1):
            yield from part


def _explore_there(executor: Executor, explorer: Explorer, blocks: Sequence[Seeds]) -> Iterator[Explored]:
    """Explore blocks by an executor, with a bounded number of them under way."""
    packed = packed_explorer(explorer)
    tasks = ((packed, block) for block in blocks)
    return in_order(executor, explore_alone, tasks, explorer.blocks_within(AT_ONCE))
