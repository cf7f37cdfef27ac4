"""Certificates: what was verified about a complex, with forward passes that know nothing of how it was built."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, overload

from splinescope.tessellation.certificate.record import Certificate
from splinescope.tessellation.complex import PolyhedralComplex, VertexComplex
from splinescope.tessellation.queries import ask

if TYPE_CHECKING:
    from splinescope.tessellation.region_graph.record import RegionCertificate

_Complex = TypeVar("_Complex", bound=VertexComplex)


def certified(cells: _Complex, level: str) -> _Complex:
    """The complex with its certificate.

    Args:
        cells: The complex.
        level: See `certify`.

    Returns:
        The same cells with the certificate.

    Raises:
        CertificateError: As `certify`.

    Cost: that of `certify`; the arrays are shared.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> certified(cells, "proof").certificate.level
        'proof'
    """
    return replace(cells, certificate=certify(cells, level))


@overload
def certify(cells: VertexComplex, level: str = "values") -> Certificate: ...
@overload
def certify(cells: PolyhedralComplex, level: str = "values") -> Certificate | RegionCertificate: ...


def certify(cells: PolyhedralComplex, level: str = "values") -> Certificate | RegionCertificate:
    """Verify a complex.

    Args:
        cells: The complex; of a region graph see `splinescope.tessellation.region_graph.certify`.
        level: "topology": cells are convex, their measures sum to the domain's, the Euler characteristic is 1, and the
            patterns of neighbours differ in the unit recorded for their common facet. "values": also, at an interior
            point of each cell, the network's own pattern is the recorded one and its output that of the cell's affine
            map. "proof": also, at every vertex of every cell, every unit's pre-activation has the cell's sign, weakly,
            and units whose fold makes a facet vanish at its vertices; since units are affine on a cell, no fold crosses
            it. Signs nearer to zero than the proved rounding error are settled in exact arithmetic. "calibrated": the
            same, where some signs rest on errors that were measured instead of proved.

    Returns:
        The certificate, with the level that was reached; a `CertificateWarning` says so where it is not the one asked
        for.

    Raises:
        CertificateError: With the cells concerned, at the first check that fails.

    Cost: "topology" is linear in the size of the complex; "values" adds one forward pass per cell; "proof" one per
    vertex of every cell, and exact arithmetic where signs are in doubt.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> certify(cells, "proof").level
        'proof'
    """
    from splinescope.tessellation.certificate.levels import announced, begun, examined
    from splinescope.tessellation.certificate.patterns import check_patterns
    from splinescope.tessellation.certificate.subjects import subject_of

    if not isinstance(cells, VertexComplex):
        found: RegionCertificate = ask("tessellation.region_graph.certificate", "certify")(cells, level)
        return found
    check_patterns(cells.network, cells.codes, len(cells))
    topology = cells.check_topology()
    certificate = begun(cells, topology, len(cells), cells.truncated, level)
    if level == "topology":
        return certificate
    subject = subject_of(cells, vertices=level != "values")
    return announced(examined(certificate, subject, level))
