"""The exact partition of a domain into the cells on which a network is affine, and what it answers."""

from splinescope.tessellation.boundary import decision_boundary
from splinescope.tessellation.certificate import Certificate, certify
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.domains import Box, Domain, Segment, Slice
from splinescope.tessellation.engine import tessellate

__all__ = [
    "Box",
    "Certificate",
    "Domain",
    "PolyhedralComplex",
    "Segment",
    "Slice",
    "certify",
    "decision_boundary",
    "tessellate",
]
