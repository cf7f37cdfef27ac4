"""A surface in space as a mesh of polygons, with what was verified about it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from splinescope.geometry.surface.meshes import (
    area_vectors,
    cone_volumes,
    fan_triangles,
    fan_twins,
    parts,
    polygon_centres,
    vertex_normals,
)
from splinescope.shown import Shown
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.queries import Explorable, ask


@dataclass(frozen=True)
class SurfaceCertificate(Shown):
    """What was verified about a surface.

    Attributes:
        level: "topology": edges, orientations and parts of the mesh. "values": also a forward pass of the network at
            every vertex and at the centre of every polygon.
        cells: Level of the certificate of the cells in which the surface was found.
        holes: Edges where the surface ends inside the domain, so that a part of it is missing. Zero, unless the surface
            is truncated and cells are missing there; any other hole is an error.
        crossings: Edges of the cells on which the function passes the level, counted from its signs at their vertices;
            each has a vertex of the surface, and no other has one. Zero for surfaces between more than two classes,
            whose polygons are faces of cells.
        value_error: Largest distance of the network's output from the level (of the two leading classes from each
            other) at a vertex.
        centre_error: The same at the centres of the polygons: as the output is affine on a polygon, a fold that was
            missed would show here.
        value_tolerance: What both were held to.
        covered_faces: Faces of cells on which the function takes the level while it is larger on both sides. They do
            not separate larger from smaller values and are left out.
        flat_cells: Cells on which the function is the level. They count as smaller: the surface passes between larger
            values and them.
        undecided: Vertices of the cells of which neither a forward pass nor exact arithmetic, within what it may take,
            told on which side of the level they are; of surfaces between more than two classes, cells whose class they
            did not tell. Where there are any, the level is "topology".
    """

    level: str
    cells: str
    holes: int
    crossings: int = 0
    value_error: float = float("nan")
    centre_error: float = float("nan")
    value_tolerance: float = float("nan")
    covered_faces: int = 0
    flat_cells: int = 0
    undecided: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {key: None if value != value else value for key, value in asdict(self).items()}


@dataclass(frozen=True, eq=False, kw_only=True)
class SurfaceMesh(Explorable):
    r"""A surface made of flat convex polygons, one or more for each cell that it meets.

    Coordinates, areas and volumes are those of the domain. Half-edges are the sides of the polygons, one polygon after
    the other; side `h` runs from vertex `corners[h]` to that of the next side of its polygon. Seen from the side of
    larger values, polygons are counter-clockwise. Vertices are those of the mesh as a surface: where parts of it touch
    in a point or along an edge, each part has vertices of its own.

    Attributes:
        domain: The domain of the tessellation, of dimension three.
        vertices: [N, 3] positions.
        offsets: [P + 1] start of each polygon among the sides.
        corners: [H] vertices of the polygons in order.
        twins: [H] the same side in the neighbouring polygon, which runs the other way; -1 on the border.
        normals: [P, 3] unit normals towards larger values: directions of the gradient.
        cells: [P] cell of the tessellation that each polygon is in.
        patterns: [P, U] uint8, activation patterns of these cells, as in `PolyhedralComplex.patterns`.
        sources: [N, 2] ends of the edge of the tessellation that each vertex is on (smaller value, larger value); twice
            the same vertex where it is one.
        classes: [P, 2] classes behind and in front of each polygon; None for a level set.
        class_names: What the network's classes are called; None if they have no names, or for a level set.
        certificate: What was verified.
        truncated: Whether parts of it may be missing, since a budget left out cells or somebody interrupted: it ends
            at `certificate.holes`, and whole connected parts may not be there.
    """

    domain: Domain
    vertices: Float[np.ndarray, "N 3"]
    offsets: Int[np.ndarray, " polygons_plus_one"]
    corners: Int[np.ndarray, " H"]
    twins: Int[np.ndarray, " H"]
    normals: Float[np.ndarray, "P 3"]
    cells: Int[np.ndarray, " P"]
    patterns: np.ndarray
    sources: Int[np.ndarray, "N 2"]
    classes: Int[np.ndarray, "P 2"] | None = None
    certificate: SurfaceCertificate = field(default_factory=lambda: SurfaceCertificate("topology", "none", 0))
    class_names: Sequence[str] | None = None
    truncated: bool = False

    def __len__(self) -> int:
        """Number of polygons."""
        return len(self.cells)

    def __repr__(self) -> str:
        """One line."""
        state = "watertight" if self.is_watertight else "closed" if self.is_closed else "with border"
        state = f"truncated, {state}" if self.truncated else state
        return (
            f"SurfaceMesh({len(self)} polygons, {len(self.vertices)} vertices, {self.num_parts} parts, {state}, "
            f"Euler characteristic {self.euler_characteristic})"
        )

    @property
    def num_edges(self) -> int:
        """Number of edges, pairs of sides and sides on the border."""
        return int((len(self.twins) + np.count_nonzero(self.twins < 0)) // 2)

    @property
    def euler_characteristic(self) -> int:
        """Vertices - edges + polygons; 2 for a sphere, 2 - 2 g for a closed surface of genus g, summed over parts."""
        return len(self.vertices) - self.num_edges + len(self)

    @property
    def is_closed(self) -> bool:
        """Whether there is a surface and it has no border."""
        return bool(len(self) and (self.twins >= 0).all())

    @cached_property
    def is_watertight(self) -> bool:
        """Whether every edge is on exactly two polygons, which pass it in opposite directions."""
        if not self.is_closed:
            return False
        ends = self.corners[self.following]
        paired = (self.twins[self.twins] == np.arange(len(self.twins))).all()
        opposite = (self.corners[self.twins] == ends).all() and (ends[self.twins] == self.corners).all()
        return bool(paired and opposite)

    @property
    def following(self) -> Int[np.ndarray, " H"]:
        """[H] next side of the same polygon."""
        following = np.arange(1, len(self.corners) + 1)
        following[self.offsets[1:] - 1] = self.offsets[:-1]
        return following

    @property
    def border(self) -> Int[np.ndarray, "B 2"]:
        """[B, 2] vertices of the edges that are on one polygon only, where the surface leaves the domain."""
        open_sides = np.flatnonzero(self.twins < 0)
        return np.column_stack([self.corners[open_sides], self.corners[self.following[open_sides]]])

    @cached_property
    def areas(self) -> Float[np.ndarray, " P"]:
        """Area of each polygon."""
        return np.linalg.norm(area_vectors(self.vertices, self.offsets, self.corners), axis=1)

    @property
    def area(self) -> float:
        """Area of the surface."""
        return float(self.areas.sum())

    @property
    def volume(self) -> float:
        """Volume that a closed surface encloses, positive around smaller values; NaN for a surface with border."""
        if not self.is_closed:
            return float("nan")
        return float(cone_volumes(self.vertices, self.offsets, self.corners).sum())

    @cached_property
    def parts(self) -> Int[np.ndarray, " P"]:
        """Connected part that each polygon belongs to, the one with the most polygons first."""
        raw = parts(self.offsets, self.twins)
        order = np.argsort(-np.bincount(raw), kind="stable") if len(raw) else np.empty(0, np.int64)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return rank[raw]

    @property
    def num_parts(self) -> int:
        """Number of connected parts."""
        return int(self.parts.max(initial=-1)) + 1

    def part(self, index: int) -> SurfaceMesh:
        """One connected part as a surface of its own.

        Args:
            index: Its number in `parts`.

        Returns:
            The part.
        """
        return self.selected(self.parts == index)

    def selected(self, polygons: Bool[np.ndarray, " P"]) -> SurfaceMesh:
        """Some polygons as a surface of their own.

        Args:
            polygons: Which polygons.

        Returns:
            The surface, with borders where polygons were left out.
        """
        sizes = np.diff(self.offsets)
        sides = np.repeat(polygons, sizes)
        number = np.where(sides, np.cumsum(sides) - 1, -1)
        twins = self.twins[sides]
        used, corners = np.unique(self.corners[sides], return_inverse=True)
        return replace(
            self,
            vertices=self.vertices[used],
            offsets=np.concatenate([[0], np.cumsum(sizes[polygons])]),
            corners=corners.astype(np.int64),
            twins=np.where(twins >= 0, number[np.maximum(twins, 0)], -1),
            normals=self.normals[polygons],
            cells=self.cells[polygons],
            patterns=self.patterns[polygons],
            sources=self.sources[used],
            classes=None if self.classes is None else self.classes[polygons],
        )

    @property
    def centres(self) -> Float[np.ndarray, "P 3"]:
        """A point inside each polygon."""
        return polygon_centres(self.vertices, self.offsets, self.corners)

    @property
    def vertex_normals(self) -> Float[np.ndarray, "N 3"]:
        """Unit normals at the vertices, means of those of the polygons weighted with their areas."""
        return vertex_normals(self.vertices, self.offsets, self.corners, self.normals)

    def triangles(self) -> Int[np.ndarray, "T 3"]:
        """Vertices of triangles that make up the polygons, in their order and orientation."""
        return self.corners[fan_triangles(self.offsets)]

    def triangle_polygons(self) -> Int[np.ndarray, " T"]:
        """Polygon of each triangle of `triangles`."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets) - 2)

    def between(self, behind: int, in_front: int) -> SurfaceMesh:
        """The part of a decision surface between two classes, as a surface of its own.

        Args:
            behind: The class behind, the smaller number.
            in_front: The class in front.

        Returns:
            The surface; its border is where it leaves the domain or meets a third class.
        """
        if self.classes is None:
            return self.selected(np.zeros(len(self), bool))
        return self.selected((self.classes == (behind, in_front)).all(axis=1))

    def triangulated(self) -> SurfaceMesh:
        """The same surface made of triangles, with the same vertices, for programs that know no polygons.

        Returns:
            The surface; where a polygon was, its triangles have its normal, cell, pattern and classes.
        """
        places, polygons = fan_triangles(self.offsets), self.triangle_polygons()
        return replace(
            self,
            offsets=3 * np.arange(len(places) + 1),
            corners=self.corners[places].ravel(),
            twins=fan_twins(self.offsets, self.twins),
            normals=self.normals[polygons],
            cells=self.cells[polygons],
            patterns=self.patterns[polygons],
            classes=None if self.classes is None else self.classes[polygons],
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the mesh to a file: .ply, .obj or .stl; see `write_mesh`.

        Args:
            path: The file; its ending says the format.
        """
        ask("tessellation.surface.mesh_files", "write_mesh")(self, path)
