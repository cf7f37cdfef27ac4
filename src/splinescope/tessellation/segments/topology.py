"""Checks of segments that need no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.certificate.record import MEASURE_TOLERANCE, Topology, fail
from splinescope.tessellation.segments.batch import SegmentBatch

if TYPE_CHECKING:
    from splinescope.tessellation.segments.complex import SegmentComplex


def check_segment(cells: SegmentComplex) -> Topology:
    """Check one segment: also what a batch has no arrays for.

    Args:
        cells: The segment.

    Returns:
        What was measured.

    Raises:
        CertificateError: With the cells concerned.
    """
    t, numbers = cells.vertices[:, 0], np.arange(len(cells.vertices) - 1)
    offsets, corners = np.asarray(cells.cell_offsets), np.asarray(cells.cell_vertices)
    if not np.array_equal(offsets, 2 * np.arange(len(t))) or len(corners) != 2 * len(numbers):
        fail("corners", numbers, "cells don't have two ends each")
    wrong = np.flatnonzero((corners.reshape(-1, 2) != np.column_stack([numbers, numbers + 1])).any(axis=1))
    if len(wrong):
        fail("corners", wrong, "a cell does not lie between the vertices of its number and the next one")
    topology = check_topology(cells.batch)
    lengths = np.diff(t)
    measures, middles = np.asarray(cells.measures), np.asarray(cells.interior_points)
    if measures.shape != lengths.shape or middles.shape != (len(lengths), 1):
        fail("measures", numbers, "there is not one measure and one interior point for each cell")
    wrong = np.flatnonzero(~(np.abs(measures - lengths) <= 2 * UNIT_ROUNDOFF * lengths))
    if len(wrong):
        fail("measures", wrong, "a measure is not the length of the cell")
    off = np.abs(middles[:, 0] - 0.5 * (t[:-1] + t[1:]))
    wrong = np.flatnonzero(~(off <= 2 * UNIT_ROUNDOFF * np.abs(t[1:])))
    if len(wrong):
        fail("interior", wrong, "an interior point is not the middle of its cell")
    return topology


def check_topology(batch: SegmentBatch) -> Topology:
    """Check that the cells of every segment fill it, and that something flips between neighbours.

    Args:
        batch: The segments.

    Returns:
        What was measured; the Euler characteristic is vertices minus cells of one segment.

    Raises:
        CertificateError: With the cells concerned.
    """
    lengths = batch.measures
    backward = np.flatnonzero(~(lengths >= 0))
    if len(backward):
        fail("measures", backward, "the cells run backwards")
    totals = np.add.reduceat(lengths, batch.offsets[:-1] - np.arange(len(batch)))
    errors = np.where(batch.truncated, 0.0, np.abs(totals - 1.0))
    ends = batch.t[batch.offsets[1:] - 1]
    open_ended = ~batch.truncated & (ends != 1.0)
    wrong = np.flatnonzero((errors > MEASURE_TOLERANCE) | (batch.t[batch.offsets[:-1]] != 0.0) | open_ended)
    if len(wrong):
        fail("measures", wrong, "the cells of these segments don't add up to them")
    flips = _flips(batch)
    inside = np.ones(len(batch.t), bool)
    inside[batch.offsets[:-1]] = inside[batch.offsets[1:] - 1] = False
    silent = np.flatnonzero((flips == 0) & inside)
    if len(silent):
        fail("neighbours", silent - batch.vertex_segments[silent], "nothing flips between these cells and those before")
    if flips[~inside].any():
        fail("neighbours", np.flatnonzero((flips > 0) & ~inside), "units flip at the ends of segments")
    _check_flips(batch)
    covered = 1.0 - totals.sum() / len(batch)
    error = float(covered) if batch.truncated.any() else float(errors.max(initial=0.0))
    return Topology(error, 1, int((flips > 1).sum()), {"measure": MEASURE_TOLERANCE}, int((~batch.resolved).sum()))


def _flips(batch: SegmentBatch) -> np.ndarray:
    """[V] how many units flip at each vertex."""
    flips = np.diff(batch.flip_offsets)
    listed = len(batch.flip_op) == len(batch.flip_unit) == batch.flip_offsets[-1]
    if len(flips) != len(batch.t) or batch.flip_offsets[0] != 0 or (flips < 0).any() or not listed:
        fail("neighbours", np.arange(len(batch.cell_starts)), "the lists of flipping units don't fit the vertices")
    return np.asarray(flips)


def _check_flips(batch: SegmentBatch) -> None:
    """The units that flip at a vertex are those in which the patterns of the cells beside it differ."""
    starts, sizes = batch.cell_starts, np.array([node.size for node in batch.network.nodes], np.int64)
    places, firsts = np.cumsum(sizes) - sizes, batch.offsets - np.arange(len(batch.offsets))
    width = int(sizes.sum())  # of a vertex's range of keys, one for each unit of the network
    found = [np.empty(0, np.int64)]
    for codes in batch.codes:
        counts = np.diff(codes.flip_offsets)
        listed = len(counts) == len(starts) and (counts >= 0).all() and codes.flip_offsets[0] == 0
        if not (listed and counts.sum() == len(codes.flips) and np.array_equal(codes.starts, firsts)):
            fail("neighbours", np.arange(len(starts)), "the lists of changing bits don't fit the cells")
        bits = len(codes.base)
        keys, times = np.unique(np.repeat(starts, counts) * bits + codes.flips, return_counts=True)
        vertex, bit = np.divmod(keys[times % 2 == 1], bits)
        found.append(np.unique(vertex * width + places[codes.node] + bit % sizes[codes.node]))
    wanted = np.sort(np.concatenate(found))
    op, unit = np.asarray(batch.flip_op), np.asarray(batch.flip_unit)
    vertex = np.repeat(np.arange(len(batch.t)), np.diff(batch.flip_offsets))
    known = np.isin(op, [codes.node for codes in batch.codes])
    real = known & (unit >= 0) & (unit < sizes[np.where(known, op, 0)])
    flips = np.sort(vertex * width + places[np.where(real, op, 0)] + np.where(real, unit, 0))
    if not (real.all() and np.array_equal(wanted, flips)):
        keys, times = np.unique(np.concatenate([wanted, flips]), return_counts=True)
        concerned = np.concatenate([keys[times != 2] // width, vertex[~real]])
        cells = np.unique(np.searchsorted(starts, concerned, side="right") - 1)
        fail("neighbours", cells, "the units that flip are not those in which the cells' patterns differ")
