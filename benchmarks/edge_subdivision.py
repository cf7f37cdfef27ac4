"""Edge subdivision (Berzins 2023, arXiv 2306.07212) restated from its description, in float64 with PyTorch.

Vertices carry a sign for every unit and every side of the box, with zeros where they lie on a fold; edges are pairs of
vertices. A unit splits the edges on which its sign changes; two new vertices on one polygon are joined by a new edge.
Generic networks only, and no cells: these are derived from the sign vectors afterwards.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor


def cube(dimension: int) -> tuple[Tensor, Tensor, Tensor]:
    """Vertices, their sides (2 d columns; 0 on the side, 1 off it) and edges of the cube [-1, 1]^d."""
    points = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=dimension)), dtype=torch.float64)
    signs = torch.cat([(points != -1).to(torch.int8), (points != 1).to(torch.int8)], dim=1)
    pairs = [
        (a, b) for a, b in itertools.combinations(range(len(points)), 2) if int((points[a] != points[b]).sum()) == 1
    ]
    return points, signs, torch.tensor(pairs)


def subdivide(weights: list[tuple[np.ndarray, np.ndarray]]) -> tuple[Tensor, Tensor, Tensor]:
    """Vertices, sign vectors and edges of a ReLU network in the cube [-1, 1]^d."""
    points, signs, edges = cube(weights[0][0].shape[1])
    generator = torch.Generator().manual_seed(0)
    values = points
    for weight, bias in weights[:-1]:
        matrix, offset = torch.from_numpy(np.asarray(weight)), torch.from_numpy(np.asarray(bias))
        values = torch.addmm(offset, values, matrix.T)
        for unit in range(len(offset)):
            points, signs, edges, values = _insert(points, signs, edges, values, unit, generator)
        values = values.clamp(min=0)
    return points, signs, edges


def _insert(
    points: Tensor, signs: Tensor, edges: Tensor, values: Tensor, unit: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Split the edges that one unit crosses, and join the new vertices."""
    h = values[:, unit]
    signs = torch.cat([signs, torch.sign(h).to(torch.int8)[:, None]], dim=1)
    a, b = edges.T
    crossing = h[a] * h[b] < 0
    a, b = a[crossing], b[crossing]
    t = (h[a] / (h[a] - h[b]))[:, None]
    new = len(points) + torch.arange(len(a))
    made = torch.where(signs[a] == 0, signs[b], signs[a])
    made[:, -1] = 0
    row = values[a] + t * (values[b] - values[a])
    row[:, unit] = 0.0
    joined = _pairs_on_polygons(made, new, points.shape[1], generator)
    edges = torch.cat([edges[~crossing], torch.stack([a, new], 1), torch.stack([new, b], 1), joined])
    points = torch.cat([points, points[a] + t * (points[b] - points[a])])
    return points, torch.cat([signs, made]), edges, torch.cat([values, row])


def _pairs_on_polygons(made: Tensor, new: Tensor, dimension: int, generator: torch.Generator) -> Tensor:
    """Pairs of new vertices on one polygon: equal sign vectors once one of the edge's zeros is given a sign."""
    if not len(new):
        return torch.empty(0, 2, dtype=torch.int64)
    columns = made.shape[1]
    weight = torch.randint(-(2**40), 2**40, (columns,), generator=generator)
    key = (made.to(torch.int64) * weight).sum(dim=1)
    zeros = (made[:, :-1] == 0).nonzero()[:, 1].reshape(len(new), dimension - 1)
    sides = []
    for place in range(dimension - 1):
        # the polygon whose other zeros are kept: this one takes either sign
        sides += [key + sign * weight[zeros[:, place]] for sign in (-1, 1)]
    keys, owner = torch.cat(sides), new.repeat(2 * (dimension - 1))
    keys, order = torch.sort(keys)
    same = (keys[1:] == keys[:-1]).nonzero()[:, 0]
    return torch.stack([owner[order[same]], owner[order[same + 1]]], dim=1)


def cells_of(signs: Tensor, dimension: int) -> int:
    """Number of cells, derived from the sign vectors of vertices, each of which belongs to at most 2^d of them."""
    columns = signs.shape[1]
    weight = torch.randint(-(2**40), 2**40, (columns,), generator=torch.Generator().manual_seed(1))
    key = (signs.to(torch.int64) * weight).sum(dim=1)
    zeros = (signs == 0).nonzero()[:, 1].reshape(len(signs), dimension)
    found = []
    for choice in itertools.product((-1, 1), repeat=dimension):
        added, there = torch.zeros_like(key), torch.ones(len(key), dtype=torch.bool)
        for place, sign in enumerate(choice):
            column = zeros[:, place]
            there &= (column >= 2 * dimension) | (sign > 0)  # outside the box there is no cell
            added += sign * weight[column]
        found.append((key + added)[there])
    return len(torch.unique(torch.cat(found)))
