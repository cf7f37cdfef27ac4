"""The arrays into which the chords of a layer are inserted, and what their columns are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

START, END, BASE, OTHER, CROSSED = 0, 1, 2, 3, 4
"""Columns of `Refined.places`: ends of the segment that a vertex lies on; for a crossing, its chord, the other one, and
the column of the latter."""
FRACTION, UNCERTAINTY, REACH, SHARED = 0, 1, 2, 3
"""Columns of `Refined.weights`: position between tail and head; how well the vertex is known, as a share of the domain
and of the way between tail and head; whether it lies on a third chord."""
MADE_BY, ON_CHORD = 0, 1
"""Columns of `Refined.labels`: the column that made an edge, and the chord that an inner edge lies on."""


class Refined(NamedTuple):
    """Arrays of the refined subdivision, with room for the largest possible number of vertices and edges.

    Attributes:
        halves: [2E', 4] half-edges, the boundary edges already split at their cuts.
        labels: [E', 2] for each inner edge, the column that made it and its chord.
        places: [N, 5] for each new vertex, the ends of the segment that it was interpolated on, and its two chords.
        weights: [N, 4] its position there, its uncertainty as a share of the domain and of that segment, and whether it
            lies on a third chord.
        first: [F] a half-edge of each parent face that starts the numbering of positions.
        vertex_base: [F + 1] first vertex for the crossings of each face.
        edge_base: [F + 1] first edge for the chords of each face.
        used: [F, 2] number of crossings and of edges made.
        place_of: [2 outer edges] position of each outer half-edge along the boundary of its parent face.
    """

    halves: np.ndarray
    labels: np.ndarray
    places: np.ndarray
    weights: np.ndarray
    first: np.ndarray
    vertex_base: np.ndarray
    edge_base: np.ndarray
    used: np.ndarray
    place_of: np.ndarray


class RefinedCounts(NamedTuple):
    """Counts that separate the kinds of vertices and edges.

    Attributes:
        old_vertices: Vertices before this layer.
        outer_vertices: Those and the cuts of edges: every vertex on a parent face's boundary.
        outer_edges: Edges on parent faces' boundaries.
    """

    old_vertices: int
    outer_vertices: int
    outer_edges: int
