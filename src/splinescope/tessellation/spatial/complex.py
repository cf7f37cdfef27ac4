"""Complexes of three or four dimensions: cells with all of their faces, as a struct of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

import numpy as np
from jaxtyping import Float, Int

from splinescope.errors import InvalidInputError
from splinescope.geometry.lattice.polytopes import cyclic_order, means_and_boxes, plane_through, vertices_of_cells
from splinescope.tessellation.complex import Facets, VertexComplex, facets_beside
from splinescope.tessellation.queries import ask
from splinescope.tessellation.results import AffineMaps

if TYPE_CHECKING:
    from splinescope.tessellation.certificate.record import Topology


class Incidence(NamedTuple):
    """Lists of faces: those of face `i` are `items[offsets[i]:offsets[i + 1]]`.

    Attributes:
        offsets: [N + 1] start of each list.
        items: Numbers of faces, one list after the other.
    """

    offsets: np.ndarray
    items: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SpatialComplex(VertexComplex):
    """Convex polytopes that fill a domain of three or four dimensions, with all of their faces.

    Faces of dimension k are numbered from 0. Facets are the faces of dimension d - 1 between cells; polygons are the
    faces of dimension 2, so that in three dimensions facets are polygons. Interior points are means of vertices, and
    measures are volumes.

    Attributes:
        edges: [E, 2] vertices of each edge.
        faces: For k = 2, ..., d the faces of dimension k, each as the list of its facets (of polygons: edges; of
            cells, `faces[d]`: facets).
        facet_cells: [M, 2] cells on the negative and on the positive side of the fold that made each facet; of a facet
            on the boundary of the domain, its cell and -1, in any order.
        facet_op: [M] node of the network whose fold made the facet, -1 on the boundary of the domain.
        facet_unit: [M] unit of that node (flat index into its output), -1 on the boundary.
    """

    edges: np.ndarray
    faces: dict[int, Incidence]
    facet_cells: np.ndarray
    facet_op: np.ndarray
    facet_unit: np.ndarray

    def _counts(self) -> str:
        return f"{len(self)} cells, {len(self.facet_op)} facets, {len(self.edges)} edges, {len(self.vertices)} vertices"

    @cached_property
    def facets(self) -> Facets:
        """The facets between two cells."""
        return facets_beside(self.facet_cells, self.facet_op, self.facet_unit)

    @cached_property
    def facet_vertices(self) -> Incidence:
        """Vertices of each facet, in no particular order."""
        levels = [(self.faces[k].offsets, self.faces[k].items) for k in range(2, self.dimension)]
        return Incidence(*vertices_of_cells(self.edges, levels))

    def halfspaces(self, cell: SupportsIndex) -> Float[np.ndarray, "facets _"]:
        """Rows `(n, b)` of one cell, with unit outward normals: see `PolyhedralComplex.halfspaces`."""
        at = self.number_of(cell)
        offsets, items = self.faces[self.dimension]
        facets = items[offsets[at] : offsets[at + 1]]
        starts, vertices = self.facet_vertices
        rows = np.array([plane_through(self.vertices[vertices[starts[k] : starts[k + 1]]]) for k in facets.tolist()])
        inside = rows[:, :-1] @ self.interior_points[at] + rows[:, -1]
        return np.where(inside[:, None] > 0, -rows, rows)

    @property
    def euler_characteristic(self) -> int:
        """Vertices - edges + polygons - ..., with the cells last; 1 for a domain that is filled."""
        numbers = [len(self.vertices), len(self.edges), *(len(lists.offsets) - 1 for lists in self.faces.values())]
        return sum(number if k % 2 == 0 else -number for k, number in enumerate(numbers))

    def polygons(self) -> Incidence:
        """Vertices of each polygon in cyclic order."""
        lists = self.faces[2]
        return Incidence(lists.offsets, cyclic_order(lists.offsets, lists.items, self.edges))

    def face_loops(self) -> Incidence:
        """The facets of a complex of three dimensions: vertices of each in cyclic order.

        Raises:
            InvalidInputError: In four dimensions, where facets are no polygons.
        """
        if self.dimension != 3:
            raise InvalidInputError("`face_loops`: facets are polygons in three dimensions only; see `polygons`")
        return self.polygons()

    def affine_maps(self, space: str = "domain", which: Int[np.ndarray, " some"] | None = None) -> AffineMaps:
        """The affine map of each cell, in the domain's coordinates ("domain") or of the input itself ("input")."""
        maps: AffineMaps = ask("tessellation.affine", "branch_maps")(self, space, which)
        return maps

    def locate(self, points: Any) -> Int[np.ndarray, " n"]:
        """Cell that contains each point, given in the domain's coordinates as [n, d]; -1 outside."""
        found: np.ndarray = ask("tessellation.lookup", "locate_by_pattern")(self, points)
        return found

    def interior_outputs(self) -> Float[np.ndarray, "F n_out"]:
        """Value of each cell's affine map at the mean of its vertices."""
        return cell_means(self.vertex_outputs, self.cell_vertices, self.cell_offsets)

    def check_topology(self) -> Topology:
        """Volumes, Euler characteristic, closed cells and facets; raises `CertificateError` if one is wrong."""
        found: Topology = ask("tessellation.spatial.topology", "check_topology")(self)
        return found


def cell_means(
    values: Float[np.ndarray, "V n"],
    cell_vertices: Int[np.ndarray, " items"],
    cell_offsets: Int[np.ndarray, " offsets"],
) -> Float[np.ndarray, "F n"]:
    """Means over the vertices of each cell.

    Args:
        values: One row for each vertex.
        cell_vertices: Vertices of all cells, one cell after the other.
        cell_offsets: Start of each cell.

    Returns:
        One row for each cell.
    """
    return means_and_boxes(values, (cell_offsets, cell_vertices))[0]
