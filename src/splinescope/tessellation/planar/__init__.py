"""Exact tessellations of planar slices: the engine on half-edges."""

from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.planar.engine import tessellate_slice

__all__ = ["PlanarComplex", "tessellate_slice"]
