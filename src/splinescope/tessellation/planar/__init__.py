"""Exact tessellations of planar slices: the engine on half-edges."""

from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.planar.engine import tessellate_slice
from splinescope.tessellation.planar.many import SliceBatch, tessellate_slices

__all__ = ["PlanarComplex", "SliceBatch", "tessellate_slice", "tessellate_slices"]
