"""Exact tessellations of three- and four-dimensional domains, with vertices, faces and volumes."""

from splinescope.tessellation.spatial.complex import Incidence, SpatialComplex
from splinescope.tessellation.spatial.engine import tessellate_polytope

__all__ = ["Incidence", "SpatialComplex", "tessellate_polytope"]
