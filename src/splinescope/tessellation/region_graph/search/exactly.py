"""Cells that rational arithmetic decided, as results of the search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.region_graph.programs.rational import rounded
from splinescope.tessellation.region_graph.programs.space import SOUND
from splinescope.tessellation.region_graph.search.found import BOUNDARY, Explored
from splinescope.tessellation.region_graph.search.settle import SettledCell, point_of

if TYPE_CHECKING:
    from splinescope.tessellation.region_graph.search.explore import Explorer


def explored_exactly(explorer: Explorer, key: np.ndarray, pattern: np.ndarray, cell: SettledCell) -> Explored:
    """A cell that rational arithmetic decided, as what was found of it.

    Args:
        explorer: The network on its domain.
        key: Its packed pattern.
        pattern: The same, unpacked.
        cell: What was decided.
    """
    assert cell.centre is not None
    sides = len(explorer.domain.halfspaces)
    keys: list[np.ndarray] = []
    columns, planes, points, further = [], [], [], []
    for row, point in cell.faces.facets.items():
        outside = min(cell.numbers[row]) < sides
        beyond = pattern if outside else _beyond(explorer, pattern, cell, row)
        changed = np.flatnonzero(beyond != pattern)
        if not outside and not len(changed):
            continue
        further += [(len(keys), column) for column in changed[1:].tolist() if not outside]
        keys.append(explorer.keys.pack(beyond[None])[0])
        columns.append(BOUNDARY if outside else int(changed[0]))
        planes.append(cell.plane(row))
        points.append(rounded(point))
    count, d = len(keys), explorer.domain.dimension
    return Explored(
        state=np.array([SOUND]),
        touching=np.array([len(cell.faces.touching) + len(cell.faces.facets) - count]),
        thin=np.zeros(1, np.int64),
        undecided=np.zeros(1, np.int64),
        doubtful=np.zeros(1, np.int64),
        exact=np.ones(1, np.int64),
        centres=rounded(cell.centre)[None],
        radii=np.array([cell.radius]),
        facet_counts=np.array([count]),
        facet_columns=np.array(columns, np.int64),
        facet_planes=np.array(planes).reshape(-1, d + 1),
        facet_points=np.array(points).reshape(-1, d),
        facet_uncertainties=np.full(count, 4 * (d + 4) * UNIT_ROUNDOFF * (explorer.extent + explorer.farthest)),
        facet_keys=np.array(keys, np.uint8).reshape(-1, len(key)),
        further_facets=np.array([facet for facet, _ in further], np.int64),
        further_columns=np.array([column for _, column in further], np.int64),
    )


def _beyond(explorer: Explorer, pattern: np.ndarray, cell: SettledCell, row: int) -> np.ndarray:
    """[columns] the pattern beyond a facet of a cell, which is a fold."""
    numbers, sides = cell.numbers[row], len(explorer.domain.halfspaces)
    if len(numbers) > 1 or cell.vanishing:
        return explorer.rational.beyond(*point_of(cell.faces.facets[row]), cell.rows[row][:-1])
    beyond = pattern.copy()
    mine = np.array(numbers) - sides
    beyond[explorer.layout.row_columns[mine]] = explorer.layout.beyond(pattern[None], mine)
    return beyond
