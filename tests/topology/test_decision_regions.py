"""Topology of regions: published numbers, homology by boundary matrices, dense grids, and touching cells."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.topology import betti_numbers, region_topology, surface_betti_numbers, topology_of
from splinescope.topology.face_sets import FaceSets
from tests.generative.nets import cells_of, formula_net
from tests.seeds import seeds


class Formula(nn.Module):
    """An output by a formula that a test gives."""

    def __init__(self, formula) -> None:
        super().__init__()
        self.formula = formula

    def forward(self, x: Tensor) -> Tensor:
        return self.formula(*(x[:, k : k + 1] for k in range(x.shape[1])))


def ring(x: Tensor, y: Tensor) -> Tensor:
    return 0.25 - (x.abs() + y.abs() - 0.5).abs()


def torus(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    return 0.2 - torch.maximum((x.abs() + y.abs() - 0.6).abs(), z.abs())


def shell(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    return 0.2 - (x.abs() + y.abs() + z.abs() - 0.6).abs()


def bar(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """A torus and, through it, a second one: linked rings."""
    one = 0.1 - torch.maximum((torch.maximum((x + 0.2).abs(), y.abs()) - 0.4).abs(), z.abs())
    two = 0.1 - torch.maximum((torch.maximum((x - 0.2).abs(), z.abs()) - 0.4).abs(), y.abs())
    return torch.maximum(one, two)


GOLD = [
    (ring, 2, (1, 1), (2, 1)),
    (torus, 3, (1, 1, 0), (1, 1, 1)),
    (shell, 3, (1, 0, 1), (2, 0, 1)),
    (bar, 3, (2, 2, 0), None),
]


@pytest.mark.parametrize(("formula", "dimension", "inside", "outside"), GOLD)
@pytest.mark.parametrize("closed", [False, True])
def test_known_regions(formula, dimension, inside, outside, closed) -> None:
    cells = cells_of(Formula(formula), dimension)
    found = region_topology(cells, above=0.0, closed=closed)
    assert found.betti == inside == betti_numbers(cells, 1, closed=closed)
    assert found.euler_characteristic == sum((-1) ** k * b for k, b in enumerate(inside))
    if outside is not None:
        assert betti_numbers(cells, 0, closed=closed) == outside
    assert found.measures.sum() == pytest.approx(2.0**dimension)


def test_level_and_output() -> None:
    """The ring by its level sets: of two outputs the second, above a level other than zero."""
    cells = cells_of(Formula(lambda x, y: torch.cat([x, ring(x, y)], dim=1)), 2)
    assert betti_numbers(cells, above=-0.1, output=1) == (1, 1)
    assert betti_numbers(cells, above=0.3, output=1) == (0, 0)
    assert betti_numbers(cells, above=-5.0, output=1) == (1, 0)
    assert betti_numbers(cells, above=0.25, output=0) == (1, 0)


def test_complement_of_a_shell_has_euler_characteristic_three() -> None:
    assert region_topology(cells_of(Formula(shell), 3), 0).euler_characteristic == 3


def test_nested_shells_have_depths() -> None:
    """Walls at 0.45, 0.55, 0.65 and 0.75: the parts from outside in are 0, 1, 2, ... borders deep."""
    cells = cells_of(Formula(lambda x, y, z: 0.05 - (shell(x, y, z) - 0.1).abs()), 3)
    found = region_topology(cells, above=0.0)
    assert found.betti == (2, 0, 2)
    centre = int(found.parts[found.cells.locate(np.zeros((1, 3)))[0]])
    assert sorted(found.depths.tolist()) == [0, 1, 2, 3, 4]
    assert found.depths[centre] == 4


def cross(x: Tensor, y: Tensor) -> Tensor:
    return torch.minimum(x.abs(), y.abs())


def slit(x: Tensor, y: Tensor) -> Tensor:
    """Zero on the segment from (-0.5, 0) to (0.5, 0), which does not reach the border."""
    return y.abs() + (x.abs() - 0.5).relu()


def square(x: Tensor, y: Tensor) -> Tensor:
    """Zero on the border of a square."""
    return (torch.maximum(x.abs(), y.abs()) - 0.5).abs()


def key(x: Tensor, y: Tensor) -> Tensor:
    """Zero on a full square and on a segment from it that ends inside."""
    return torch.minimum((torch.maximum(x.abs(), y.abs()) - 0.25).relu(), y.abs() + (x - 0.75).relu() + (-x).relu())


def axis(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    return x.abs() + y.abs()


def point(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    return x.abs() + y.abs() + z.abs()


def sheet(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Zero on a square that does not reach the border: what is left is a thickened sphere."""
    return z.abs() + (torch.maximum(x.abs(), y.abs()) - 0.5).relu()


def loop(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Zero on the border of a square in space: its complement has a loop through it, and a cavity around it."""
    return z.abs() + (torch.maximum(x.abs(), y.abs()) - 0.5).abs()


def box(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    return (torch.maximum(torch.maximum(x.abs(), y.abs()), z.abs()) - 0.5).abs()


TOUCHING = [
    (lambda x, y: x.abs(), 2, (2, 0), (1, 0)),
    (lambda x, y: (x - 0.1).abs() + (y + 0.2).abs(), 2, (1, 1), (1, 0)),
    (cross, 2, (4, 0), (1, 0)),
    (slit, 2, (1, 1), (1, 0)),
    (square, 2, (2, 1), (1, 0)),
    (key, 2, (1, 1), (1, 1)),
    (axis, 3, (1, 1, 0), (1, 0, 0)),
    (point, 3, (1, 0, 1), (1, 0, 0)),
    (sheet, 3, (1, 0, 1), (1, 0, 0)),
    (loop, 3, (1, 1, 1), (1, 0, 0)),
    (box, 3, (2, 0, 1), (1, 0, 0)),
    (lambda x, y, z: z.abs(), 3, (2, 0, 0), (1, 0, 0)),
]


@pytest.mark.parametrize(("formula", "dimension", "opened", "closed"), TOUCHING)
def test_where_an_output_only_touches_the_level(formula, dimension, opened, closed) -> None:
    """An open region does not have the lines and points within it at which the output is the level; exactly those."""
    cells = cells_of(Formula(formula), dimension)
    assert betti_numbers(cells, above=0.0) == betti_numbers(cells, 1) == opened
    assert betti_numbers(cells, above=0.0, closed=True) == closed
    assert betti_numbers(cells, above=-(2.0**-45)) == tuple(int(k == 0) for k in range(dimension))


def test_parts_and_depths_beside_a_touching_line() -> None:
    found = region_topology(cells_of(Formula(lambda x, y: x.abs()), 2), above=0.0)
    assert found.measures.tolist() == [2.0, 2.0, 0.0]
    assert found.depths.tolist() == [0, 0, 0]
    ringed = region_topology(cells_of(Formula(square), 2), above=0.0)
    own = sorted(zip(ringed.measures.tolist(), ringed.depths.tolist(), strict=True))
    assert own == [(0.0, 1), (pytest.approx(1.0), 2), (pytest.approx(3.0), 0)]


def test_creases_of_a_level_that_float64_does_not_hold() -> None:
    """|x - a| with a = 1/3 rounded, written with other roundings, is zero on one line exactly, or nowhere."""
    third = 1 / 3
    same = Formula(lambda x, y: (x - third).relu() + (third - x).relu())
    other = Formula(lambda x, y: (x - third).relu() + (third - x).relu() + 2.0**-60)
    assert betti_numbers(cells_of(same, 2), above=0.0) == (2, 0)
    assert betti_numbers(cells_of(other, 2), above=0.0) == (1, 0)
    assert betti_numbers(cells_of(other, 2), above=2.0**-60) == (2, 0)


@pytest.mark.parametrize("closed", [False, True])
def test_cells_that_touch_in_a_vertex(closed: bool) -> None:
    """The chessboard: four squares around a vertex, two of them in the region."""
    cells = cells_of(nn.ReLU(), 2)
    assert topology_of(cells, cells.interior_points.prod(axis=1) > 0, closed).betti == ((1, 0) if closed else (2, 0))


def test_a_chain_of_touching_cells_encloses_a_hole_when_closed() -> None:
    """Squares that meet only in corners around a middle one: closed they are a ring, open four parts."""
    cells = cells_of(Formula(lambda x, y: torch.cat([(x - 0.3).relu(), (x + 0.3).relu(),
                                                     (y - 0.3).relu(), (y + 0.3).relu()], dim=1)), 2)  # fmt: skip
    column = np.rint(cells.interior_points / 0.6).astype(int)
    odd = column.sum(axis=1) % 2 != 0
    assert topology_of(cells, odd, closed=True).betti == (1, 1)
    assert topology_of(cells, odd, closed=False).betti == (4, 0)
    assert topology_of(cells, ~odd, closed=True).betti == (1, 0)
    assert topology_of(cells, ~odd, closed=False).betti == (5, 0)


def test_a_plateau_at_the_level_is_not_above_it() -> None:
    cells = cells_of(Formula(lambda x, y: x.relu()), 2)
    found = region_topology(cells, above=0.0)
    assert found.measures.tolist() == [2.0, 2.0]
    assert betti_numbers(cells, above=0.0) == (1, 0)


def rank(matrix: np.ndarray) -> int:
    """Rank over the field of two elements."""
    rows = [int("".join(map(str, row)), 2) for row in (matrix % 2).tolist() if any(row)]
    found = 0
    while rows:
        pivot = rows.pop()
        if pivot:
            found += 1
            low = pivot & -pivot
            rows = [row ^ pivot if row & low else row for row in rows]
    return found


def homology(cells, inside: np.ndarray) -> tuple[int, ...]:
    """Betti numbers of a closed union of cells from the ranks of its boundary maps."""
    faces = FaceSets.of(cells)
    levels, kept = faces.levels, faces.closure(inside)
    maps = [levels[k][kept[k]][:, kept[k + 1]].toarray().astype(int) for k in range(len(levels))]
    ranks = [0, *(rank(each) if each.size else 0 for each in maps), 0]
    sizes = [int(each.sum()) for each in kept]
    return tuple(size - ranks[k] - ranks[k + 1] for k, size in enumerate(sizes))[:-1]


@pytest.mark.parametrize("seed", seeds([0, 1, 2], range(3, 12)))
@pytest.mark.parametrize("sizes", [[2, 6, 6, 3], [3, 5, 4, 3]])
def test_random_sets_of_cells_by_boundary_matrices(sizes: list[int], seed: int) -> None:
    cells = cells_of(formula_net(sizes, seed), sizes[0])
    rng = np.random.default_rng(seed)
    for share in (0.2, 0.5, 0.8):
        inside = rng.random(len(cells)) < share
        found = topology_of(cells, inside, closed=True)
        assert found.betti == homology(cells, inside)
        # Alexander duality, with the open set: holes of one are enclosed parts of the other
        other = topology_of(cells, ~inside, closed=False)
        assert other.betti[-1] == sum(~_reaching(found, cells))


def _reaching(found, cells) -> np.ndarray:
    """Which parts of a closed region have a vertex on the boundary of the box."""
    numbers = range(found.betti[0])
    corners = [np.concatenate([cells.cell(i) for i in np.flatnonzero(found.parts == part)]) for part in numbers]
    return np.array([bool((np.abs(np.abs(points) - 1) < 1e-12).any()) for points in corners], bool)


@pytest.mark.parametrize("seed", seeds([0, 1], range(2, 10)))
def test_regions_of_classes_on_a_grid(seed: int) -> None:
    """Regions of classes, against the parts of a dense grid of winners (smallest parts left out)."""
    module = formula_net([2, 12, 12, 3], seed)
    cells = cells_of(module, 2)
    side = np.linspace(-1, 1, 1001)
    points = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
    with torch.no_grad():
        winners = module(torch.from_numpy(points)).argmax(dim=1).numpy().reshape(1001, 1001)
    for label in range(3):
        found = region_topology(cells, label)
        number = found.betti[0]
        labels, count = ndimage.label(winners == label)
        areas = np.bincount(labels.ravel(), minlength=count + 1)[1:] * 4e-6
        assert (areas > 1e-3).sum() == (found.measures[:number] > 1e-3).sum()
        assert areas.sum() == pytest.approx(found.measures[:number].sum(), abs=0.02)
        holes = ndimage.label(winners != label)[0]
        rim = np.unique(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]]))
        sizes = np.bincount(holes.ravel()) * 4e-6
        inner = [k for k in range(1, len(sizes)) if k not in rim and sizes[k] > 1e-3]
        enclosed = (found.depths[number:] > 0) & (found.measures[number:] > 1e-3)
        assert len(inner) == enclosed.sum()


def test_surfaces() -> None:
    """The surface of a torus, of a shell, and a sheet with border."""
    box = splinescope.Box([-1] * 3, [1] * 3)
    assert surface_betti_numbers(splinescope.level_set(Formula(torus), box)) == (1, 2, 1)
    assert surface_betti_numbers(splinescope.level_set(Formula(shell), box)) == (2, 0, 2)
    assert surface_betti_numbers(splinescope.level_set(Formula(lambda x, y, z: x - 0.1), box)) == (1, 0, 0)


def test_refusals() -> None:
    cells = cells_of(Formula(ring), 2)
    with pytest.raises(InvalidInputError, match="`class_index`: expected either"):
        betti_numbers(cells)
    with pytest.raises(InvalidInputError, match="`class_index`: expected either"):
        betti_numbers(cells, 0, above=1.0)
    with pytest.raises(InvalidInputError, match="`class_index`: got 2; expected from 0 to 1"):
        betti_numbers(cells, 2)
    with pytest.raises(InvalidInputError, match="`output`: got 3"):
        betti_numbers(cells, above=0.0, output=3)
    with pytest.raises(InvalidInputError, match="`above`: got nan"):
        betti_numbers(cells, above=float("nan"))
    with pytest.raises(InvalidInputError, match="two or three dimensions"):
        betti_numbers(cells_of(formula_net([1, 3, 1], 0), 1), above=0.0)
    with pytest.raises(InvalidInputError, match="some are missing"):
        betti_numbers(splinescope.tessellate(formula_net([2, 30, 30, 2], 0), splinescope.Slice.box([-1, -1], [1, 1]),
                                             max_cells=20), 0)  # fmt: skip
