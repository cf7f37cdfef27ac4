"""Half-edges as rows of one integer table: what a walk needs next lies in one cache line."""

from __future__ import annotations

ORIGIN, FOLLOWING, PRECEDING, FACE = 0, 1, 2, 3
"""Columns of a table of half-edges: vertex where it starts, next and previous around its face, face on its left."""

OUTSIDE = -1
"""Face of the half-edges along the outside."""
