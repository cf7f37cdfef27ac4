"""The exact partition of a domain into the cells on which a network is affine, and what it answers."""

from splinescope.tessellation.boundary import decision_boundary
from splinescope.tessellation.certificate import Certificate, certify
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.engine import tessellate

__all__ = ["Certificate", "PolyhedralComplex", "Slice", "certify", "decision_boundary", "tessellate"]
