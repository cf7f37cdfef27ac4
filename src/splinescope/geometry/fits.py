"""Affine functions on convex cells from their values at the cells' vertices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numba import njit


@dataclass(frozen=True)
class AffineFits:
    """Affine functions `x -> gradients @ x + constants` on each cell.

    Attributes:
        gradients: Gradients of the functions on each cell.
        constants: Values of the functions at the origin of the coordinates.
        centres: Mean of each cell's vertices, where the fitted value is the mean of the values.
        widths: Root-mean-square width of each cell's vertices across its long direction. An error `e` in the
            values or positions of the vertices is an error of about `e / width` in a gradient.
    """

    gradients: Float[np.ndarray, "cells functions 2"]
    constants: Float[np.ndarray, "cells functions"]
    centres: Float[np.ndarray, "cells 2"]
    widths: Float[np.ndarray, " cells"]

    def errors(
        self,
        cell_vertices: Int[np.ndarray, " sides"],
        cell_offsets: Int[np.ndarray, " bounds"],
        values: Float[np.ndarray, " functions"],
        places: float,
    ) -> Float[np.ndarray, "cells functions"]:
        """What the values that each function was fitted to may be off at most.

        At a vertex that is `values`, and the steepest gradient of a cell around it times what its place is off.

        Args:
            cell_vertices: As of `fit_affine`.
            cell_offsets: As of `fit_affine`.
            values: What values of each function are off for themselves.
            places: What places of vertices are off.
        """
        count = int(cell_vertices.max(initial=-1)) + 1
        return _errors(self.gradients, self.widths, cell_vertices, cell_offsets, values, places, count)


def fit_affine(
    vertices: Float[np.ndarray, "vertices 2"],
    cell_vertices: Int[np.ndarray, " sides"],
    cell_offsets: Int[np.ndarray, " bounds"],
    values: Float[np.ndarray, "vertices functions"],
) -> AffineFits:
    r"""Least-squares affine functions through the values at the vertices of each cell.

    On each cell the centred positions are written in the orthonormal frame of the cell's longest
    half-diagonal and orthogonalised once (a QR factorisation of two columns), so that the error grows with
    the cell's aspect ratio and not with its square, as it would with normal equations.

    Args:
        vertices: Positions.
        cell_vertices: Vertex indices of all cells, one cell after the other.
        cell_offsets: Where each cell starts in `cell_vertices`; the last entry is its length.
        values: Values of the functions at the vertices.

    Returns:
        The functions. A cell whose vertices are on one line gets the gradient along that line and a width of
        0.
    """
    cells, functions = len(cell_offsets) - 1, values.shape[1]
    gradients = np.empty((cells, functions, 2))
    constants = np.empty((cells, functions))
    centres, widths = np.empty((cells, 2)), np.empty(cells)
    family = (vertices, cell_vertices, cell_offsets, np.ascontiguousarray(values))
    _fit(*family, gradients, constants, centres, widths)
    return AffineFits(gradients, constants, centres, widths)


@njit(cache=True, nogil=True)
def _frame(vertices: np.ndarray, ring: np.ndarray, centre: np.ndarray, along: np.ndarray, across: np.ndarray) -> float:
    """Write the centred coordinates of the vertices along and across the longest half-diagonal; return its angle."""
    centre[:] = 0.0
    for vertex in ring:
        centre += vertices[vertex] / len(ring)
    longest, far = -1.0, 0
    for i in range(len(ring)):
        distance = np.hypot(vertices[ring[i], 0] - centre[0], vertices[ring[i], 1] - centre[1])
        if distance > longest:
            longest, far = distance, i
    dx, dy = vertices[ring[far], 0] - centre[0], vertices[ring[far], 1] - centre[1]
    angle = np.arctan2(dy, dx)
    cosine, sine = np.cos(angle), np.sin(angle)
    for i in range(len(ring)):
        x, y = vertices[ring[i], 0] - centre[0], vertices[ring[i], 1] - centre[1]
        along[i] = cosine * x + sine * y
        across[i] = cosine * y - sine * x
    return angle


@njit(cache=True, nogil=True)
def _fit(
    vertices: np.ndarray,
    cell_vertices: np.ndarray,
    cell_offsets: np.ndarray,
    values: np.ndarray,
    gradients: np.ndarray,
    constants: np.ndarray,
    centres: np.ndarray,
    widths: np.ndarray,
) -> None:
    widest = 0
    for cell in range(len(cell_offsets) - 1):
        widest = max(widest, cell_offsets[cell + 1] - cell_offsets[cell])
    along, across = np.empty(widest), np.empty(widest)
    for cell in range(len(cell_offsets) - 1):
        ring = cell_vertices[cell_offsets[cell] : cell_offsets[cell + 1]]
        size, centre = len(ring), centres[cell]
        angle = _frame(vertices, ring, centre, along, across)
        cosine, sine = np.cos(angle), np.sin(angle)
        uu, uw, ww = 0.0, 0.0, 0.0
        for i in range(size):
            uu += along[i] * along[i]
            uw += along[i] * across[i]
        shear = uw / uu if uu > 0.0 else 0.0
        for i in range(size):
            across[i] -= shear * along[i]
            ww += across[i] * across[i]
        widths[cell] = np.sqrt(ww / size)
        for k in range(values.shape[1]):
            mean, a, b = 0.0, 0.0, 0.0
            for vertex in ring:
                mean += values[vertex, k] / size
            for i in range(size):
                a += (values[ring[i], k] - mean) * along[i]
            a = a / uu if uu > 0.0 else 0.0
            for i in range(size):
                b += (values[ring[i], k] - mean - a * along[i]) * across[i]
            b = b / ww if ww > 0.0 else 0.0
            a -= shear * b
            gx, gy = a * cosine - b * sine, a * sine + b * cosine
            gradients[cell, k, 0] = gx
            gradients[cell, k, 1] = gy
            constants[cell, k] = mean - gx * centre[0] - gy * centre[1]


@njit(cache=True, nogil=True)
def _errors(
    gradients: np.ndarray,
    widths: np.ndarray,
    cell_vertices: np.ndarray,
    cell_offsets: np.ndarray,
    values: np.ndarray,
    places: float,
    count: int,
) -> np.ndarray:
    cells, functions = gradients.shape[:2]
    steepest, out = np.zeros((count, functions)), np.empty((cells, functions))
    for cell in range(cells):
        if widths[cell] > 0.0:
            for k in range(functions):
                slope = abs(gradients[cell, k, 0]) + abs(gradients[cell, k, 1])
                for at in range(cell_offsets[cell], cell_offsets[cell + 1]):
                    vertex = cell_vertices[at]
                    steepest[vertex, k] = max(steepest[vertex, k], slope)
    for cell in range(cells):
        for k in range(functions):
            most = 0.0
            for at in range(cell_offsets[cell], cell_offsets[cell + 1]):
                most = max(most, steepest[cell_vertices[at], k])
            out[cell, k] = values[k] + most * places
    return out
