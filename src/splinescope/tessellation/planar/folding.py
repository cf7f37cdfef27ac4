"""Cut the cells of a subdivision by one layer, together with all rows of values at its vertices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from splinescope.geometry.bits import pack_signs
from splinescope.geometry.planar.doubts import doubts_of, reconcile
from splinescope.geometry.planar.edge_cuts import Layer
from splinescope.geometry.planar.refinement import refine
from splinescope.geometry.planar.subdivision import Subdivision
from splinescope.numerics import in_ranges
from splinescope.tessellation.planar.judge import PlanarJudge
from splinescope.tessellation.planar.rows import GrowingRows, Signed, Unsettled
from splinescope.tessellation.thresholds import LayerFolds


@dataclass(frozen=True)
class Folded:
    """What a fold made of a subdivision.

    Attributes:
        subdivision: The finer one.
        bits: [F', words] which columns are positive in each cell.
        parent: [F'] cell of which each cell was a part.
    """

    subdivision: Subdivision
    bits: np.ndarray
    parent: np.ndarray


def signs_of(values: GrowingRows, folds: LayerFolds, uncertainty: np.ndarray) -> Signed:
    """Signs of rows that float64 tells, as bits: noted while they were computed, or now."""
    if values.signed is None:
        positive, negative = (np.empty((values.length, folds.words), np.uint64) for _ in range(2))
        tables = (folds.shifts, folds.thresholds, folds.slopes, uncertainty)
        in_ranges(pack_signs, values.length, values.values, *tables, positive, negative)
        values.signed = Signed(folds, positive, negative)
    return values.signed


def fold(
    values: GrowingRows,
    others: Iterable[GrowingRows],
    folds: LayerFolds,
    judge: PlanarJudge,
    settled: np.ndarray | None = None,
) -> Folded:
    """Cut the cells of a subdivision, that of the judge, by one layer.

    Args:
        values: Rows that decide the folds; extended to the new vertices, in place.
        others: Other rows that are still needed, extended likewise.
        folds: Breakpoints and thresholds.
        judge: Who decides what float64 does not tell.
        settled: [V, words] signs that are known to be zero.

    Returns:
        The cells, their patterns and where they come from.
    """
    before = judge.subdivision
    signed = signs_of(values, folds, before.uncertainty)
    positive, negative = signed.positive, signed.negative
    if signed.folds is not folds:  # these are a portion of those
        positive, negative = positive & folds.folding, negative & folds.folding
    layer = Layer(values.values, folds.shifts, folds.thresholds, folds.slopes, positive, negative)
    doubts = doubts_of(before.first, before.halves, layer, folds.folding, settled)
    judge.settle(doubts, layer)
    extents = judge.plan.slices.extents_at(before, judge.slices)
    counts = None if len(doubts.vertices) or signed.folds is not folds else signed.counts
    result = refine(before, layer, folds.columns.node, _numbers(folds), judge, extents, counts)
    judge.count(before.num_vertices * int(np.isfinite(folds.thresholds).sum()), len(doubts.vertices) + result.doubts)
    new, added = result.new_vertices, len(result.new_vertices.tails)
    for rows in others:
        rows.extend(Unsettled(new))
    values.extend(Unsettled(new, result.cuts, folds, result.inner_vertices))
    values.signed = None
    finer = result.subdivision
    if added and len(doubts.vertices) + result.doubts:
        fresh = values.values[before.num_vertices :]
        reconcile(finer.halves, result.bits, folds.folding, folds.shifts, folds.thresholds, fresh)
    if folds.columns.width:  # which two members are equal on an edge depends on the cell
        made = np.arange(result.inner, finer.num_edges)
        cells = result.parent[finer.face[2 * made]]
        finer.edge_column[made] = folds.columns.folds(cells, finer.edge_column[made].astype(np.int64))
    return Folded(finer, result.bits, result.parent)


def _numbers(folds: LayerFolds) -> np.ndarray:
    """[64 * words] the fold that each column stands for; of pairs of a tournament their columns, for now."""
    columns = np.arange(64 * folds.words)
    return (columns if folds.columns.width else folds.columns.folds(columns, columns)).astype(np.int32)
