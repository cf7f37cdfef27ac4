"""Certificates: what was verified about a complex, with forward passes that know nothing of how it was built."""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar, overload

from splinescope.errors import CertificateWarning
from splinescope.profiling import spent
from splinescope.progress import Advance, Report, reporting, unseen
from splinescope.tessellation.certificate.record import Certificate
from splinescope.tessellation.complex import PolyhedralComplex, VertexComplex
from splinescope.tessellation.queries import ask

if TYPE_CHECKING:
    from splinescope.tessellation.region_graph.record import RegionCertificate

_Complex = TypeVar("_Complex", bound=VertexComplex)


def certified(cells: _Complex, level: str, progress: bool | Report = False, patience: float = math.inf) -> _Complex:
    """The complex with its certificate.

    Args:
        cells: The complex.
        level: See `certify`.
        progress: Whether to show a bar; a function is not called.
        patience: Seconds for the comparisons with forward passes.

    Returns:
        The same cells with the certificate. If comparisons take longer than that, or are interrupted, it is of the
        level "topology", and a `CertificateWarning` says so.

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
    end = time.monotonic() + patience
    try:
        with spent("checking"), reporting(progress is True, phase="checking") as report:
            certificate = _certificate(cells, level, _Clock(report, len(cells), end))
    except KeyboardInterrupt:
        certificate = replace(_certificate(cells, "topology"), requested=level)
        warnings.warn(
            f"certificate: the comparisons with forward passes were cut short; level 'topology' reached instead of "
            f"{level!r}",
            CertificateWarning,
            stacklevel=3,
        )
    return replace(cells, certificate=certificate)


@dataclass
class _Clock:
    """Tells how far comparisons are, and ends them when their time is over."""

    report: Report
    cells: int
    end: float
    share: float = 0.0

    def __call__(self, share: float) -> None:
        self.share += share
        self.report(self.share, self.cells)
        if time.monotonic() > self.end:
            raise KeyboardInterrupt


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
    if not isinstance(cells, VertexComplex):
        found: RegionCertificate = ask("tessellation.region_graph.certificate", "certify")(cells, level)
        return found
    return _certificate(cells, level)


def _certificate(cells: VertexComplex, level: str, advance: Advance = unseen) -> Certificate:
    """See `certify`."""
    from splinescope.tessellation.certificate.levels import announced, begun, examined
    from splinescope.tessellation.certificate.patterns import check_patterns
    from splinescope.tessellation.certificate.subjects import subject_of

    check_patterns(cells.network, cells.codes, len(cells))
    topology = cells.check_topology()
    certificate = begun(cells, topology, len(cells), cells.truncated, level)
    if level == "topology":
        return certificate
    subject = subject_of(cells, vertices=level != "values")
    return announced(examined(certificate, subject, level, advance))
