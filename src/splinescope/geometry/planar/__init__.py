"""Planar subdivisions into convex faces, as flat half-edge arrays."""
