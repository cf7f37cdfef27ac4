"""Parts of one piece in several boxes put together again, and pieces that are faces of others left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from splinescope.preimage.parts import PreimagePart
from splinescope.preimage.polytopes import FLAT, polytope


def merged(parts: Sequence[PreimagePart]) -> list[PreimagePart]:
    """Pieces without the cuts of boxes, if no box is missing.

    A piece is a convex set that the boxes cut; each of its own facets is a facet of one of its parts, and each facet of
    a part is one of its own or a cut. So its half-spaces are those of all parts without the cuts.

    Args:
        parts: The parts, from all boxes.

    Returns:
        One part for each piece, in the order in which they were first met.
    """
    groups: dict[tuple[bytes, int], list[PreimagePart]] = {}
    for part in parts:
        groups.setdefault(part.key, []).append(part)
    return [group[0] if len(group) == 1 else _joined(group) for group in groups.values()]


def _joined(group: list[PreimagePart]) -> PreimagePart:
    rows = np.vstack([part.halfspaces[~_among(part.halfspaces, part.cuts)] for part in group])
    rows = rows[np.sort(np.unique(np.round(rows / FLAT), axis=0, return_index=True)[1])]
    dimension = max(group, key=lambda part: -len(part.equalities))
    shape = polytope(rows, dimension.equalities)
    assert shape is not None
    same = [part for part in group if len(part.equalities) == len(shape.equalities)]
    return replace(
        dimension,
        halfspaces=shape.halfspaces,
        equalities=shape.equalities,
        witness=shape.witness,
        radius=shape.radius,
        measure=1.0 if shape.dimension == 0 else float(sum(part.measure for part in same)),
    )


def _among(rows: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Which half-spaces are cuts of the box."""
    if not len(cuts):
        return np.zeros(len(rows), bool)
    near = np.abs(rows[:, None] - cuts[None]) <= FLAT * (1.0 + np.abs(cuts[None]))
    return near.all(axis=2).any(axis=1)


def without_faces(parts: Sequence[PreimagePart]) -> list[PreimagePart]:
    """Pieces that are not faces of other pieces.

    Cells of one complex meet in common faces; so a flat piece with its witness in another one is all within it.

    Args:
        parts: The pieces.

    Returns:
        Those that are needed, in order.
    """
    if not any(len(part.equalities) for part in parts):
        return list(parts)
    order = sorted(range(len(parts)), key=lambda at: len(parts[at].equalities))
    kept: list[int] = []
    for at in order:
        part = parts[at]
        if len(part.equalities) and any(_holds(parts[other], part.witness) for other in kept):
            continue
        kept.append(at)
    return [parts[at] for at in sorted(kept)]


def _holds(part: PreimagePart, point: np.ndarray) -> bool:
    slack = FLAT * (1.0 + float(np.abs(point).sum()))
    below = part.halfspaces[:, :-1] @ point + part.halfspaces[:, -1]
    beside = np.abs(part.equalities[:, :-1] @ point + part.equalities[:, -1])
    return bool((below <= slack).all() and (beside <= slack).all())
