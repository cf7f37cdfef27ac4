"""Polygons in space: sections of cells, joined to chains and meshes."""
