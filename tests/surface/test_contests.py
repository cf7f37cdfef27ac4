"""Surfaces between several classes where outputs are 1e15 in one corner: right ones pass, wrong ones are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import splinescope
from splinescope.errors import CertificateError
from splinescope.tessellation.certificate import contests
from splinescope.tessellation.certificate.contests import checked_winners
from splinescope.tessellation.contest import with_winner
from splinescope.tessellation.spatial import SpatialComplex
from splinescope.tessellation.surface import SurfaceMesh, decision_surface
from splinescope.tessellation.surface.cells import FoundCells
from splinescope.tessellation.surface.facets import between_classes
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import Dense, Recipe, mlp
from tests.spatial.cases import CUBE
from tests.surface import test_decision

BOX = splinescope.Box(*CUBE)
RAMPS = [1.0, 1e15, 1e20]


def ramped(seed: int, outputs: int, ramp: float) -> Recipe:
    """A random network whose last two outputs grow by one ramp, and by twice that, in a corner of the cube."""
    hidden, last = (step for step in test_decision.quantised(seed, outputs).steps if isinstance(step, Dense))
    weights = np.vstack([hidden.weight, np.ones((1, 3))]), np.column_stack([last.weight, np.zeros(outputs)])
    weights[1][-2:, -1] = ramp, 2 * ramp
    return mlp([w.tolist() for w in weights], [[*hidden.bias.tolist(), -2.75], last.bias.tolist()])


def cells_of(network: splinescope.Network, outputs: int) -> tuple[SpatialComplex, np.ndarray]:
    """Cells cut where the class changes, and the class of each."""
    cells = splinescope.tessellate(with_winner(network, np.arange(outputs)), BOX)
    assert isinstance(cells, SpatialComplex)
    return cells, cells.patterns[:, cells.pattern_nodes[-1][1]].astype(np.int64)


def surface(cells: SpatialComplex, network: splinescope.Network, winners: np.ndarray) -> SurfaceMesh:
    return between_classes(
        FoundCells(cells, cells.truncated), network, winners, np.arange(network.output_shape[0]), True
    )


@pytest.mark.parametrize("prune", [True, False])
@pytest.mark.parametrize("ramp", RAMPS)
@pytest.mark.parametrize("seed", range(4))
def test_right_ones_pass(seed: int, ramp: float, prune: bool) -> None:
    recipe = ramped(seed, 4, ramp)
    mesh = decision_surface(to_network(recipe), BOX, prune=prune)
    assert (mesh.certificate.level, mesh.certificate.undecided) == ("values", 0)
    test_decision.assert_is_the_boundary(mesh, test_decision.with_winner(recipe, (0, 1, 2, 3)), (0, 1, 2, 3))


@pytest.mark.parametrize("ramp", RAMPS)
@pytest.mark.parametrize("seed", range(2))
def test_every_wrong_class_is_refused(seed: int, ramp: float) -> None:
    """Whatever cell that coordinates resolve is given to whatever other class."""
    network = to_network(ramped(seed, 3, ramp))
    cells, winners = cells_of(network, 3)
    surface(cells, network, winners)
    assert cells.resolved.sum() > 20
    for cell in np.flatnonzero(cells.resolved).tolist():
        for other in {0, 1, 2} - {int(winners[cell])}:
            wrong = winners.copy()
            wrong[cell] = other
            with pytest.raises(CertificateError, match="check `classes` failed") as error:
                surface(cells, network, wrong)
            assert error.value.cells == (cell,)


@pytest.mark.parametrize("ramp", RAMPS)
@pytest.mark.parametrize("by", [1e-6, 1e-9])
def test_a_vertex_that_moved_is_refused(by: float, ramp: float) -> None:
    """Across each polygon in turn, where outputs are small."""
    network = to_network(ramped(1, 3, ramp))
    cells, winners = cells_of(network, 3)
    right = surface(cells, network, winners)
    polygons = np.repeat(np.arange(len(right)), np.diff(right.offsets))
    small = np.flatnonzero(right.vertices.sum(axis=1) < 2)
    for vertex in small.tolist():
        moved = cells.vertices.copy()
        polygon = polygons[np.flatnonzero(right.corners == vertex)[0]]
        moved[right.sources[vertex, 0]] += by * right.normals[polygon]
        with pytest.raises(CertificateError, match="classes differ"):
            surface(replace(cells, vertices=moved), network, winners)


def test_ties_belong_to_the_first_class() -> None:
    """Two outputs that are equal everywhere: that the second one leads a cell is wrong, too."""
    network = to_network(mlp([[[1, 0, 0], [1, 0, 0], [0, 0, 0]]], [[0.1, 0.1, 0]]))
    cells, winners = cells_of(network, 3)
    own = replace(cells, network=network, codes=cells.codes[:-1])
    assert checked_winners(own, winners, np.arange(3)) == 0
    with pytest.raises(CertificateError, match="classes"):
        checked_winners(own, np.where(winners == 0, 1, winners), np.arange(3))


def test_what_takes_too_long_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs that are equal everywhere have no difference that float64 sees."""
    network = to_network(mlp([[[1, 0, 0], [1, 0, 0], [0, 0, 0]]], [[0.1, 0.1, 0]]))
    assert decision_surface(network, BOX).certificate.undecided == 0
    monkeypatch.setattr(contests.Settlement, "affords", lambda _: False)
    certificate = decision_surface(network, BOX).certificate
    assert (certificate.level, certificate.undecided) == ("topology", 1)
