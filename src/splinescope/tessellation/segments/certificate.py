"""Certificates of many segments at once."""

from __future__ import annotations

from splinescope.tessellation.certificate import Certificate
from splinescope.tessellation.segments.batch import SegmentBatch
from splinescope.tessellation.segments.grouping import groups_of
from splinescope.tessellation.segments.topology import check_topology


def certify_segments(batch: SegmentBatch, level: str = "values") -> Certificate:
    """Verify the cells of many segments; levels and errors are those of `certify`.

    Args:
        batch: The segments.
        level: See `certify`; interior points are midpoints, and vertices the breakpoints and ends.

    Returns:
        One certificate for all.

    Raises:
        CertificateError: With the cells concerned, counted through all segments, at the first check that fails.

    Cost: "topology" is linear in the number of cells; "values" adds one forward pass per cell, "proof" one per
    breakpoint.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(1,))
        >>> certify_segments(splinescope.tessellate_segments(relu, [[-1.0], [2.0]], [[1.0], [3.0]]), "proof").cells
        3
    """
    from splinescope.tessellation.certificate.levels import announced, begun, examined
    from splinescope.tessellation.certificate.patterns import check_patterns
    from splinescope.tessellation.certificate.subjects import batch_subject

    check_patterns(batch.network, batch.codes, int(batch.cells_per_segment.sum()))
    topology = check_topology(batch)
    truncated = bool(batch.truncated.any())
    certificate = begun(batch, topology, int(batch.cells_per_segment.sum()), truncated, level)
    if level == "topology":
        return certificate
    groups = groups_of(*(points.reshape(len(batch), -1) for points in (batch.domain.starts, batch.domain.ends)))
    for group in groups:
        part = batch if len(groups) == 1 else batch.select(group)
        certificate = examined(certificate, batch_subject(part, vertices=level != "values"), level)
    return announced(certificate)
