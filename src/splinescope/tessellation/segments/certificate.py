"""Certificates of many segments at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from splinescope.network.graph import Network
from splinescope.numerics import Tolerance
from splinescope.tessellation.certificate import MEASURE_TOLERANCE, Certificate
from splinescope.tessellation.codes import Codes
from splinescope.tessellation.segments.batch import SegmentBatch, Segments
from splinescope.tessellation.segments.grouping import groups_of
from splinescope.tessellation.segments.topology import check_topology
from splinescope.tessellation.witness import Seen, check_interiors, check_vertices


@dataclass(frozen=True)
class _Cells:
    """The cells of a batch as one list, at pairs of a segment and its parameter."""

    network: Network
    domain: Segments
    tolerance: Tolerance
    vertices: np.ndarray
    vertex_outputs: np.ndarray
    amplification: np.ndarray
    interior_points: np.ndarray
    cell_vertices: np.ndarray
    cell_offsets: np.ndarray
    codes: tuple[Codes, ...]

    def __len__(self) -> int:
        return len(self.interior_points)

    def interior_outputs(self) -> np.ndarray:
        """Outputs of the affine maps at the midpoints."""
        ends = self.cell_vertices.reshape(-1, 2)
        return np.asarray(0.5 * (self.vertex_outputs[ends[:, 0]] + self.vertex_outputs[ends[:, 1]]))


def _cells_of(batch: SegmentBatch) -> _Cells:
    starts = batch.cell_starts
    middles = 0.5 * (batch.t[starts] + batch.t[starts + 1])
    return _Cells(
        batch.network,
        batch.domain,
        batch.tolerance,
        np.column_stack([batch.vertex_segments, batch.t]),
        batch.vertex_outputs,
        batch.amplification,
        np.column_stack([batch.cell_segments, middles]),
        np.column_stack([starts, starts + 1]).ravel(),
        np.arange(0, 2 * len(starts) + 1, 2),
        batch.codes,
    )


def certify_segments(batch: SegmentBatch, level: str = "values") -> Certificate:
    """Verify the cells of many segments; levels and errors are those of `certify`.

    Args:
        batch: The segments.
        level: "topology", "values" (patterns and outputs at all midpoints) or "proof" (also the signs of all units at
            all vertices).

    Returns:
        One certificate for all.

    Raises:
        CertificateError: With the cells concerned, counted through all segments, at the first check that fails.
    """
    topology = check_topology(batch)
    certificate = Certificate(
        level,
        int(batch.cells_per_segment.sum()),
        bool(batch.truncated.any()),
        topology.measure_error,
        topology.euler_characteristic,
        topology.multiple_folds,
        import_error=batch.network.import_report.max_relative,
        tolerances={"measure": MEASURE_TOLERANCE},
    )
    if level == "topology":
        return certificate
    groups = groups_of(*(points.reshape(len(batch), -1) for points in (batch.domain.starts, batch.domain.ends)))
    for group in groups:
        cells = _cells_of(batch if len(groups) == 1 else batch.select(group))
        certificate = _with_interiors(certificate, check_interiors(cells), len(cells))
        if level == "proof":
            seen = check_vertices(cells)
            certificate = replace(
                certificate,
                vertex_checks=certificate.vertex_checks + len(cells.cell_vertices),
                sign_error=float(np.fmax(certificate.sign_error, seen.sign_error)),
            )
    return certificate


def _with_interiors(certificate: Certificate, seen: Seen, cells: int) -> Certificate:
    """The certificate with a comparison at midpoints added."""
    output = max(certificate.tolerances.get("output", 0.0), seen.output_tolerance)
    return replace(
        certificate,
        interior_points=certificate.interior_points + cells,
        output_error=float(np.fmax(certificate.output_error, seen.output_error)),
        undecided_signs=certificate.undecided_signs + seen.undecided,
        sign_error=float(np.fmax(certificate.sign_error, seen.sign_error)),
        tolerances={**certificate.tolerances, "output": output},
    )
