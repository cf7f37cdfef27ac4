"""Checks of segments that need no network."""

from __future__ import annotations

import numpy as np

from splinescope.tessellation.certificate.record import MEASURE_TOLERANCE, Topology, fail
from splinescope.tessellation.segments.batch import SegmentBatch


def check_topology(batch: SegmentBatch) -> Topology:
    """Check that the cells of every segment tile it, and that something flips between neighbours.

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
    flips = np.diff(batch.flip_offsets)
    inside = np.ones(len(batch.t), bool)
    inside[batch.offsets[:-1]] = inside[batch.offsets[1:] - 1] = False
    silent = np.flatnonzero((flips == 0) & inside)
    if len(silent):
        fail("neighbours", silent - batch.vertex_segments[silent], "nothing flips between these cells and those before")
    if flips[~inside].any():
        fail("neighbours", np.flatnonzero((flips > 0) & ~inside), "units flip at the ends of segments")
    covered = 1.0 - totals.sum() / len(batch)
    error = float(covered) if batch.truncated.any() else float(errors.max(initial=0.0))
    return Topology(error, 1, int((flips > 1).sum()), {"measure": MEASURE_TOLERANCE}, int((lengths == 0).sum()))
