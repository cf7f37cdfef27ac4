"""Exact surfaces in three dimensions: level sets and decision surfaces as polygon meshes."""

from splinescope.tessellation.surface.decision import decision_surface
from splinescope.tessellation.surface.level import level_set
from splinescope.tessellation.surface.mesh import SurfaceCertificate, SurfaceMesh

__all__ = ["SurfaceCertificate", "SurfaceMesh", "decision_surface", "level_set"]
