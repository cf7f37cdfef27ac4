"""Certificates of several slices at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from splinescope.errors import CertificateError
from splinescope.tessellation.certificate import Certificate, certify
from splinescope.tessellation.planar.batch import PlanarBatch
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.planar.topology import check_topologies


def certify_slices(
    batch: PlanarBatch, level: str = "values", numbers: np.ndarray | None = None
) -> tuple[Certificate, ...]:
    """Verify the cells of several slices; levels are those of `certify`, and so is what each certificate states.

    All slices are looked at together. Where that fails, reaches a lower level than was asked for or leaves signs
    undecided, each is looked at alone, so that one slice says nothing about another; and so are those whose outputs are
    much smaller than others'.

    Args:
        batch: The slices.
        level: See `certify`.
        numbers: [S] under which numbers errors speak of the slices; their places by default.

    Returns:
        One certificate for each. What is measured by forward passes (errors, resolution, signs that were settled) is
        that of all slices that were looked at together, errors relative to the smallest of their largest outputs.

    Raises:
        CertificateError: As `certify` of the first slice that fails, with its number.
    """
    try:
        found = _together(batch, level)
    except CertificateError:
        found = ()
    alone = np.zeros(len(batch), bool) if level == "topology" else ~batch.of_one_size
    left = found and (found[0].undecided_signs or found[0].unconfirmed)
    if not found or (level != "topology" and (found[0].level != level or left)):
        alone[:] = True
    named = range(len(batch)) if numbers is None else numbers.tolist()
    return tuple(
        _alone(batch.cells(place), number, level) if alone[place] else found[place]
        for place, number in enumerate(named)
    )


def _alone(cells: PlanarComplex, number: int, level: str) -> Certificate:
    try:
        return certify(cells, level)
    except CertificateError as error:
        raise CertificateError(f"slice {number}: {error}", cells=error.cells) from error


def _together(batch: PlanarBatch, level: str) -> tuple[Certificate, ...]:
    """The certificates from one look at all slices; of a lower level than was asked for where one of them is."""
    from splinescope.tessellation.certificate.levels import begun, examination
    from splinescope.tessellation.certificate.patterns import check_patterns
    from splinescope.tessellation.certificate.subjects import slices_subject

    check_patterns(batch.network, batch.codes, len(batch.measures))
    counts = np.diff(batch.cell_starts).tolist()
    topologies = check_topologies(batch)
    parts = zip(topologies, counts, batch.truncated.tolist(), strict=True)
    own = [begun(batch, topology, count, truncated, level) for topology, count, truncated in parts]
    if level == "topology":
        return tuple(own)
    vertices = level != "values"
    found = examination(own[0], slices_subject(batch, vertices), level)
    merged = np.bincount(batch.of_cell[found.merged], minlength=len(batch)).tolist()
    corners = np.diff(batch.cell_offsets[batch.cell_starts]).tolist()
    whole, shared = found.certificate, ("level", "output_error", "sign_error", "resolution", "errors", "settled")
    seen = {name: getattr(whole, name) for name in (*shared, "undecided_signs", "unconfirmed")}
    return tuple(
        replace(
            certificate,
            **seen,
            interior_points=count,
            vertex_checks=corner if vertices else 0,
            merged=certificate.merged + thin,
            tolerances={**certificate.tolerances, "output": whole.tolerances["output"]},
        )
        for certificate, count, corner, thin in zip(own, counts, corners, merged, strict=True)
    )
