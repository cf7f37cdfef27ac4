"""Margins along many segments from all of their breakpoints, in groups of bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from splinescope.network.graph import Network
from splinescope.paths.proof.confirm import Confirmed, confirmed_margins
from splinescope.progress import counting
from splinescope.tessellation.certificate import LEVELS, Certificate
from splinescope.tessellation.segments import (
    ClassIntervals,
    SegmentBatch,
    cross_entropy,
    margins,
    misclassified,
    tessellate_segments,
)

_UNITS_TOGETHER = 1 << 22
"""Units of all segments of a group together; each may give a breakpoint or a few."""


@dataclass(frozen=True, eq=False)
class Exact:
    """What all breakpoints of some segments say about one class on each.

    Attributes:
        minimum: [S] least margin.
        t: [S] where it is.
        rivals: [S] the class that comes nearest there.
        losses: [S] largest cross-entropy.
        cells: [S] number of cells.
        misclassified: Where other classes lead.
        certificate: What was verified.
        confirmed: What forward passes at all breakpoints say.
        batch: The cells, if they were kept.
    """

    minimum: np.ndarray
    t: np.ndarray
    rivals: np.ndarray
    losses: np.ndarray
    cells: np.ndarray
    misclassified: ClassIntervals
    certificate: Certificate
    confirmed: Confirmed
    batch: SegmentBatch | None


def exact_margins(
    network: Network,
    starts: np.ndarray,
    ends: np.ndarray,
    targets: np.ndarray,
    rounding: np.ndarray,
    verify: str,
    keep: bool,
    progress: bool,
) -> Exact:
    """Tessellate segments, and ask for the margin of a class on each.

    Args:
        network: The network.
        starts: [S, *input_shape] starts.
        ends: [S, *input_shape] ends.
        targets: [S] classes.
        rounding: [S] estimates of what margins are off.
        verify: Level of the certificate.
        keep: Whether to keep the cells; all segments are then taken at once.
        progress: Whether to show a bar on long work.

    Returns:
        The answers.

    Raises:
        CertificateError: If a forward pass at a breakpoint contradicts the least margin.
    """
    step = len(starts) if keep else max(1, _UNITS_TOGETHER // max(1, network.num_units))
    groups: list[Exact] = []
    with counting(len(starts), "paths", progress) as advance:
        for low in range(0, len(starts), step):
            rows = slice(low, low + step)
            batch = tessellate_segments(network, starts[rows], ends[rows], verify=verify)
            found, wrong = margins(batch, targets[rows]), misclassified(batch, targets[rows])
            assert batch.certificate is not None
            checked = confirmed_margins(network, batch, targets[rows], found.minimum, rounding[rows])
            kept = batch if keep else None
            loss, cells = cross_entropy(batch, targets[rows]).maximum, batch.cells_per_segment
            about = (loss, cells, wrong, batch.certificate, checked)
            groups.append(Exact(found.minimum, found.t, found.rivals, *about, kept))
            advance(len(batch))
    return groups[0] if len(groups) == 1 else _joined(groups)


def _joined(groups: list[Exact]) -> Exact:
    """Groups of segments as one."""
    certificate = groups[0].certificate
    for group in groups[1:]:
        certificate = _both(certificate, group.certificate)
    return Exact(
        np.concatenate([group.minimum for group in groups]),
        np.concatenate([group.t for group in groups]),
        np.concatenate([group.rivals for group in groups]),
        np.concatenate([group.losses for group in groups]),
        np.concatenate([group.cells for group in groups]),
        _joined_intervals(groups),
        certificate,
        Confirmed(
            np.concatenate([group.confirmed.minimum for group in groups]),
            np.concatenate([group.confirmed.bound for group in groups]),
            np.concatenate([group.confirmed.proved for group in groups]),
            np.concatenate([group.confirmed.leads for group in groups]),
        ),
        None,
    )


def _joined_intervals(groups: list[Exact]) -> ClassIntervals:
    parts = [group.misclassified for group in groups]
    first = np.cumsum([0, *(len(group.minimum) for group in groups)])
    counts = np.concatenate([np.diff(part.offsets) for part in parts])
    return ClassIntervals(
        np.concatenate([[0], np.cumsum(counts)]),
        np.concatenate([part.segments + start for part, start in zip(parts, first, strict=False)]),
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.stop for part in parts]),
        np.concatenate([part.classes for part in parts]),
        sum(part.undecided for part in parts),
    )


def _both(one: Certificate, other: Certificate) -> Certificate:
    """What two certificates of one level say together."""

    def worst(name: str) -> float:
        return float(np.fmax(getattr(one, name), getattr(other, name)))

    return replace(
        one,
        cells=one.cells + other.cells,
        truncated=one.truncated or other.truncated,
        measure_error=worst("measure_error"),
        multiple_folds=one.multiple_folds + other.multiple_folds,
        interior_points=one.interior_points + other.interior_points,
        output_error=worst("output_error"),
        undecided_signs=one.undecided_signs + other.undecided_signs,
        level=min(one.level, other.level, key=LEVELS.index),
        errors="measured" if "measured" in (one.errors, other.errors) else one.errors,
        resolution=worst("resolution"),
        settled=one.settled + other.settled,
        merged=one.merged + other.merged,
        sign_error=worst("sign_error"),
        vertex_checks=one.vertex_checks + other.vertex_checks,
        tolerances={name: max(value, other.tolerances[name]) for name, value in one.tolerances.items()},
    )
