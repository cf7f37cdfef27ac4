"""What a search knows of cells: those to be explored, and what was found of those that were."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

BOUNDARY = -1
"""Column of a facet on the boundary of the domain."""


@dataclass(frozen=True, eq=False)
class Seeds:
    """Cells to be explored.

    Attributes:
        keys: [n, width] their packed patterns.
        origins: [n, d] a point of each cell or of its boundary, in the domain's coordinates.
        normals: [n, d] a direction that leads from the point into the cell.
    """

    keys: np.ndarray
    origins: np.ndarray
    normals: np.ndarray

    def __len__(self) -> int:
        """Number of cells."""
        return len(self.keys)

    def taken(self, which: slice | np.ndarray) -> Seeds:
        """Some of them."""
        return Seeds(self.keys[which], self.origins[which], self.normals[which])


@dataclass(frozen=True, eq=False)
class Explored:
    """What was found of some cells. A cell that is not sound has one "facet": the way to the cell beyond it.

    Attributes:
        state: [n] `SOUND`, `SLIVER` (thinner than its rows are known) or `CONTRADICTED` (not there).
        touching: [n] rows that meet the cell in less than a facet.
        thin: [n] facets thinner than they are known.
        undecided: [n] rows that could not be decided.
        doubtful: [n] whether float64 left something in doubt, and rational arithmetic did not decide it.
        exact: [n] whether rational arithmetic decided the cell.
        centres: [n, d] centre of the largest ball in each cell.
        radii: [n] its radius.
        facet_counts: [n] number of facets.
        facet_columns: [K] first pattern column that changes across each facet, `BOUNDARY` for none.
        facet_planes: [K, d + 1] unit outward normal and offset.
        facet_points: [K, d] a point in the relative interior of each facet.
        facet_uncertainties: [K] how well the place of each facet is known.
        facet_keys: [K, width] packed pattern beyond each facet.
        further_facets: [M] facets that change more than one column, repeated for each further one.
        further_columns: [M] that column.
    """

    state: np.ndarray
    touching: np.ndarray
    thin: np.ndarray
    undecided: np.ndarray
    doubtful: np.ndarray
    exact: np.ndarray
    centres: np.ndarray
    radii: np.ndarray
    facet_counts: np.ndarray
    facet_columns: np.ndarray
    facet_planes: np.ndarray
    facet_points: np.ndarray
    facet_uncertainties: np.ndarray
    facet_keys: np.ndarray
    further_facets: np.ndarray
    further_columns: np.ndarray

    def __len__(self) -> int:
        """Number of cells."""
        return len(self.state)

    def taken(self, start: int, stop: int) -> Explored:
        """What was found of the cells `start:stop`."""
        ends = np.concatenate([[0], np.cumsum(self.facet_counts)])
        low, high = int(ends[start]), int(ends[stop])
        inside = (self.further_facets >= low) & (self.further_facets < high)
        parts: dict[str, np.ndarray] = {}
        for field in fields(self):
            array = getattr(self, field.name)
            if field.name.startswith("further"):
                parts[field.name] = array[inside]
            elif field.name.startswith("facet_") and field.name != "facet_counts":
                parts[field.name] = array[low:high]
            else:
                parts[field.name] = array[start:stop]
        parts["further_facets"] = parts["further_facets"] - low
        return Explored(**parts)


def joined(parts: list[Explored]) -> Explored:
    """Several lots as one.

    Args:
        parts: At least one.
    """
    arrays = {field.name: [getattr(part, field.name) for part in parts] for field in fields(Explored)}
    shift = np.cumsum([0, *(len(part.facet_columns) for part in parts)])
    arrays["further_facets"] = [a + s for a, s in zip(arrays["further_facets"], shift, strict=False)]
    return Explored(**{name: np.concatenate(list(values)) for name, values in arrays.items()})


def with_cells(found: Explored, cells: np.ndarray, instead: list[Explored]) -> Explored:
    """What was found, with that of some cells exchanged.

    Args:
        found: What was found.
        cells: Some cells, ascending.
        instead: For each of them what else was found.
    """
    if not len(cells):
        return found
    parts, start = [], 0
    for cell, part in zip(cells.tolist(), instead, strict=True):
        parts += [found.taken(start, cell), part]
        start = cell + 1
    return joined([*parts, found.taken(start, len(found))])


def replaced(found: Explored, **changes: np.ndarray) -> Explored:
    """What was found, with some arrays exchanged."""
    return Explored(**{field.name: changes.get(field.name, getattr(found, field.name)) for field in fields(found)})


def without(found: Explored, facets: np.ndarray, owner: np.ndarray) -> Explored:
    """Drop facets beyond which nothing changes; they count as touching."""
    kept = np.ones(len(found.facet_columns), bool)
    kept[facets] = False
    number = np.cumsum(kept) - 1
    further = kept[found.further_facets]
    lost = np.bincount(owner[facets], minlength=len(found))
    per_facet = {name: getattr(found, name)[kept] for name in _PER_FACET}
    return replaced(
        found,
        touching=found.touching + lost,
        facet_counts=found.facet_counts - lost,
        further_facets=number[found.further_facets[further]],
        further_columns=found.further_columns[further],
        **per_facet,
    )


_PER_FACET = ("facet_columns", "facet_planes", "facet_points", "facet_uncertainties", "facet_keys")
