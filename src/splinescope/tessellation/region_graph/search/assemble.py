"""From a search to a graph: slivers passed over, facets seen from both sides, cells numbered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splinescope.tessellation.region_graph.bound import upper_bound
from splinescope.tessellation.region_graph.graph import OUTSIDE, UNEXPLORED, Doubts, RegionGraph
from splinescope.tessellation.region_graph.programs.space import SOUND
from splinescope.tessellation.region_graph.search.found import BOUNDARY
from splinescope.tessellation.region_graph.search.frontier import Exploration

_NOWHERE = -3
"""Where slivers lead that lead to each other."""


@dataclass(frozen=True, eq=False)
class _Facets:
    """Facets of sound cells, both numbered for good.

    Attributes:
        cell: [K] the cell.
        beyond: [K] the cell beyond, `OUTSIDE` or `UNEXPLORED`.
        source: [K] number of the facet among those of the search.
        turned: [K] whether it is the other cell's.
        mended: [K] whether what changes across it must be looked up.
    """

    cell: np.ndarray
    beyond: np.ndarray
    source: np.ndarray
    turned: np.ndarray
    mended: np.ndarray

    def taken(self, which: np.ndarray) -> _Facets:
        return _Facets(self.cell[which], self.beyond[which], self.source[which], self.turned[which], self.mended[which])


def assembled(search: Exploration) -> RegionGraph:
    """The graph of what a search has found so far.

    Args:
        search: The search; at least one cell has been explored.
    """
    search.together()
    (found,), (neighbours,) = search.results, search.neighbours
    sound = found.state == SOUND
    number = np.full(search.met, UNEXPLORED)
    number[: len(found)] = np.where(sound, np.cumsum(sound) - 1, _NOWHERE)
    owner = np.repeat(np.arange(len(found)), found.facet_counts)
    number = _past_slivers(number, owner, neighbours)
    facets = _distinct(_facets(number, owner, neighbours, sound))
    facets, one_sided = _seen_from_both_sides(facets)
    order = np.argsort(facets.cell, kind="stable")
    return _graph(search, facets.taken(order), np.flatnonzero(sound), one_sided)


def _past_slivers(number: np.ndarray, owner: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """Give each sliver the number of the cell that it leads to."""
    slivers = np.flatnonzero(number == _NOWHERE)
    if not len(slivers):
        return number
    first = np.searchsorted(owner, slivers)
    leads = np.arange(len(number))
    leads[slivers] = neighbours[first]
    out = number.copy()
    for sliver in slivers.tolist():
        seen, at = {sliver}, int(leads[sliver])
        while at >= 0 and number[at] == _NOWHERE and at not in seen:
            seen.add(at)
            at = int(leads[at])
        out[sliver] = OUTSIDE if at < 0 else number[at]
    return out


def _facets(number: np.ndarray, owner: np.ndarray, neighbours: np.ndarray, sound: np.ndarray) -> _Facets:
    """Facets of sound cells that lead somewhere else."""
    source = np.flatnonzero(sound[owner])
    cell = number[owner[source]]
    next_to = neighbours[source]
    beyond = np.where(next_to >= 0, number[next_to], OUTSIDE)
    mended = (next_to >= 0) & (next_to < len(sound))
    mended[mended] = ~sound[next_to[mended]]
    kept = (beyond != cell) & (beyond != _NOWHERE)
    return _Facets(cell, beyond, source, np.zeros(len(cell), bool), mended).taken(kept)


def _distinct(facets: _Facets) -> _Facets:
    """Two convex cells have one facet in common: of several that lead past slivers to one cell the first stays."""
    inner = np.flatnonzero(facets.beyond >= 0)
    pairs = facets.cell[inner] * (facets.beyond.max(initial=0) + 1) + facets.beyond[inner]
    _, first = np.unique(pairs, return_index=True)
    if len(first) == len(inner):
        return facets
    kept = facets.beyond < 0
    kept[inner[first]] = True
    return facets.taken(kept)


def _seen_from_both_sides(facets: _Facets) -> tuple[_Facets, int]:
    """Facets, with those that only one of their cells was found to have given to the other; the number of these."""
    inner = np.flatnonzero(facets.beyond >= 0)
    here, there = facets.cell[inner], facets.beyond[inner]
    size = int(max(here.max(initial=0), there.max(initial=0))) + 1
    alone = inner[~np.isin(here * size + there, there * size + here)]
    if not len(alone):
        return facets, 0
    extra = facets.taken(alone)
    flipped = _Facets(extra.beyond, extra.cell, extra.source, ~extra.turned, extra.mended)
    columns = [np.concatenate([a, b]) for a, b in zip(vars(facets).values(), vars(flipped).values(), strict=True)]
    return _Facets(*columns), len(alone)


def _graph(search: Exploration, facets: _Facets, cells: np.ndarray, one_sided: int) -> RegionGraph:
    """The graph of facets in order."""
    (found,), (seeds,) = search.results, search.seeds
    explorer = search.explorer
    keys = seeds.keys[cells]
    planes = np.where(facets.turned[:, None], -1.0, 1.0) * found.facet_planes[facets.source]
    columns = np.where(facets.beyond == OUTSIDE, BOUNDARY, found.facet_columns[facets.source])
    further, further_columns = _further(search, facets)
    look = np.flatnonzero(facets.mended & (facets.beyond >= 0))
    if len(look):
        here, there = (explorer.keys.unpack(keys[side[look]]) for side in (facets.cell, facets.beyond))
        differs = here != there
        columns[look] = differs.argmax(axis=1)
        differs[np.arange(len(look)), columns[look]] = False
        kept = ~np.isin(further, look)
        row, column = np.nonzero(differs)
        further, further_columns = (
            np.concatenate([further[kept], look[row]]),
            np.concatenate([further_columns[kept], column]),
        )
    order = np.argsort(further, kind="stable")
    layout = explorer.layout
    nodes, units = np.append(layout.column_nodes, -1), np.append(layout.column_units, -1)
    complete = search.finished
    bound = len(cells) if complete else upper_bound(explorer)
    return RegionGraph(
        network=explorer.network,
        domain=explorer.domain,
        tolerance=explorer.tolerance,
        keys=keys,
        interior_points=found.centres[cells],
        chebyshev_radii=found.radii[cells],
        facet_offsets=np.searchsorted(facets.cell, np.arange(len(cells) + 1)),
        facet_op=nodes[columns],
        facet_unit=units[columns],
        facet_neighbours=facets.beyond,
        facet_halfspaces=planes,
        facet_points=found.facet_points[facets.source],
        facet_uncertainties=found.facet_uncertainties[facets.source],
        further_facets=further[order],
        further_op=nodes[further_columns[order]],
        further_unit=units[further_columns[order]],
        complete=complete,
        lower_bound=len(cells),
        upper_bound=max(bound, len(cells)),
        doubts=Doubts(
            touching=int(found.touching.sum()),
            thin=int(found.thin.sum()),
            undecided=int(found.undecided.sum()),
            slivers=int(np.sum(found.state != SOUND)),
            one_sided=one_sided,
            exact=int(found.exact.sum()),
            unsettled=int(np.sum(found.doubtful & (found.exact == 0))),
        ),
    )


def _further(search: Exploration, facets: _Facets) -> tuple[np.ndarray, np.ndarray]:
    """Facets across which several columns change, and these columns beyond the first."""
    (found,) = search.results
    order = np.argsort(found.further_facets, kind="stable")
    sources, columns = found.further_facets[order], found.further_columns[order]
    low = np.searchsorted(sources, facets.source, side="left")
    counts = np.searchsorted(sources, facets.source, side="right") - low
    counts[facets.beyond == OUTSIDE] = 0
    which = np.repeat(np.arange(len(facets.source)), counts)
    inside = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    return which, columns[np.repeat(low, counts) + inside]
