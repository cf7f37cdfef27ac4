"""Levels of a certificate: what is looked at, and which level that reaches."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from splinescope.errors import CertificateWarning
from splinescope.progress import Advance, unseen
from splinescope.tessellation.certificate.evaluators import SMALL, choose
from splinescope.tessellation.certificate.incidence import NearFolds
from splinescope.tessellation.certificate.inhabited import suspects, unconfirmed
from splinescope.tessellation.certificate.passes import check_corners, check_interiors
from splinescope.tessellation.certificate.record import LEVELS, MEASURE_TOLERANCE, Certificate, Topology
from splinescope.tessellation.certificate.seen import Seen
from splinescope.tessellation.certificate.settlement import Settlement
from splinescope.tessellation.certificate.subject import Subject


def begun(cells: object, topology: Topology, count: int, truncated: bool, level: str) -> Certificate:
    """A certificate of the level "topology"."""
    report = getattr(getattr(cells, "network", None), "import_report", None)
    decisions = getattr(cells, "decisions", None)
    share = decisions.exact / max(1, decisions.signs) if decisions is not None else float("nan")
    return Certificate(
        "topology",
        count,
        truncated,
        topology.measure_error,
        topology.euler_characteristic,
        topology.multiple_folds,
        import_error=float(getattr(report, "max_relative", float("nan"))),
        tolerances={"measure": MEASURE_TOLERANCE, **topology.tolerances},
        requested=level,
        merged=topology.merged,
        exact_signs=share,
    )


@dataclass(frozen=True)
class Examination:
    """What comparisons with forward passes found.

    Attributes:
        certificate: The certificate, with the level that was reached.
        merged: Cells that a fold crosses within the resolution of the coordinates.
    """

    certificate: Certificate
    merged: np.ndarray


def examined(certificate: Certificate, subject: Subject, level: str, advance: Advance = unseen) -> Certificate:
    """A certificate with comparisons of some cells with forward passes added: see `examination`."""
    return examination(certificate, subject, level, advance).certificate


def examination(certificate: Certificate, subject: Subject, level: str, advance: Advance = unseen) -> Examination:
    """Compare some cells with forward passes.

    Args:
        certificate: What is known already.
        subject: The cells.
        level: The level asked for.
        advance: Called with the further share that is done; the shares add up to 1.

    Returns:
        The certificate with what was found added to it, and which cells are merged.

    Raises:
        CertificateError: With the cells concerned.
    """
    vertices = 0 if level == "values" else len(subject.cell_vertices)
    evaluator = choose(subject, len(subject) + vertices, corners=vertices > 0)
    settlement = Settlement(subject, evaluator)
    near = NearFolds(subject) if vertices else None
    inside = len(subject) / (len(subject) + vertices)
    seen = check_interiors(subject, evaluator, settlement, near, lambda share: advance(inside * share))
    certificate = _with(certificate, seen, interior_points=certificate.interior_points + len(subject))
    if near is not None:
        at_corners = check_corners(subject, evaluator, settlement, near, lambda share: advance((1 - inside) * share))
        checks = certificate.vertex_checks + len(subject.cell_vertices)
        certificate = _with(certificate, at_corners, vertex_checks=checks)
    settled = settlement.settled
    doubtful = suspects(subject, settled.doubts, settled.merged, near)
    unsure = unconfirmed(subject, doubtful, settlement.forms)
    errors = "measured" if "measured" in (certificate.errors, evaluator.errors) else "proved"
    reached = _reached(level, certificate, settled.open, unsure, errors)
    merged = np.array(sorted(settled.merged), np.int64)
    merged = merged[subject.resolved[merged]]
    whole = replace(
        certificate,
        level=reached,
        errors=errors,
        settled=certificate.settled + settled.signs,
        undecided_signs=certificate.undecided_signs + settled.open,
        merged=certificate.merged + len(merged),
        unconfirmed=certificate.unconfirmed + unsure,
    )
    return Examination(whole, merged)


def _reached(level: str, certificate: Certificate, undecided: int, unsure: int, errors: str) -> str:
    """The highest level that was reached.

    Resolution says which wrong signs are told from rounding without exact arithmetic. It is no obstacle where bounds
    are proved, all signs within them were settled exactly, and outputs, which may be off by eight
    times their errors, are compared as closely as where resolution is fine.
    """
    all_settled = errors == "proved" and not undecided and not certificate.undecided_signs
    blunt = certificate.resolution > SMALL
    if blunt and not (all_settled and certificate.tolerances["output"] <= 8 * SMALL):
        return "topology"
    if level == "values" or unsure or certificate.unconfirmed:
        return "values"
    return "proof" if all_settled else "calibrated"


def _with(certificate: Certificate, seen: Seen, **counts: int) -> Certificate:
    """The certificate with what a comparison showed."""

    def worst(known: float, new: float) -> float:
        return new if known != known else max(known, new)

    tolerance = max(certificate.tolerances.get("output", 0.0), seen.output_tolerance)
    before = certificate.interior_points + certificate.vertex_checks
    points = before + sum(counts.values()) - sum(getattr(certificate, name) for name in counts)
    own = (certificate.own_passes * before if before else 0.0) + seen.own
    return replace(
        replace(certificate, **counts),  # type: ignore[arg-type]
        output_error=worst(certificate.output_error, seen.output_error),
        sign_error=worst(certificate.sign_error, seen.sign_error),
        resolution=worst(certificate.resolution, seen.resolution),
        tolerances={**certificate.tolerances, "output": tolerance},
        own_passes=own / points if points else 0.0,
    )


def announced(certificate: Certificate) -> Certificate:
    """The certificate; warns if its level is below the one that was asked for."""
    if LEVELS.index(certificate.level) < LEVELS.index(certificate.requested):
        warnings.warn(
            f"certificate: level {certificate.level!r} reached instead of {certificate.requested!r} "
            f"({certificate.undecided_signs} signs undecided, {certificate.unconfirmed} cells unconfirmed, "
            f"errors {certificate.errors}, "
            f"resolution {certificate.resolution:.0e})",
            CertificateWarning,
            stacklevel=4,
        )
    return certificate
