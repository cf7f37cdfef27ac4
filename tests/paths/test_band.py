"""Elastic bands: beside the published formula, point by point; on surfaces with known saddles; beside ASE."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch

from splinescope.errors import InvalidInputError
from splinescope.paths.bending.band import forces, minimise_band, spaced, tangents
from splinescope.paths.bending.polyline import Polylines, straight_lines
from splinescope.paths.energy import FunctionEnergy
from tests.paths.surfaces import (
    MULLER_BROWN_MINIMA,
    MULLER_BROWN_PASSES,
    MULLER_BROWN_SADDLES,
    egg_box,
    muller_brown,
    on_line,
)


def random_bands(seed: int, *counts: int) -> tuple[Polylines, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    total = sum(counts)
    points, gradients = torch.randn(2, total, 2, 3, generator=rng, dtype=torch.float64)
    offsets = torch.tensor([0, *np.cumsum(counts)])
    return Polylines(points, offsets), torch.randn(total, generator=rng, dtype=torch.float64), gradients


def published_force(r: np.ndarray, e: np.ndarray, g: np.ndarray, stiffness: float, climbing: bool) -> np.ndarray:
    """Henkelman and Jónsson (2000), equations 8 to 12, and the climbing image, vertex by vertex."""
    top = int(np.argmax(e))
    out = np.zeros_like(r)
    for i in range(1, len(r) - 1):
        plus, minus = r[i + 1] - r[i], r[i] - r[i - 1]
        if e[i + 1] > e[i] > e[i - 1]:
            tangent = plus
        elif e[i + 1] < e[i] < e[i - 1]:
            tangent = minus
        else:
            most = max(abs(e[i + 1] - e[i]), abs(e[i - 1] - e[i]))
            least = min(abs(e[i + 1] - e[i]), abs(e[i - 1] - e[i]))
            tangent = plus * most + minus * least if e[i + 1] > e[i - 1] else plus * least + minus * most
        tangent = tangent / np.linalg.norm(tangent)
        if climbing and i == top:
            out[i] = -g[i] + 2 * (g[i] @ tangent) * tangent
        else:
            spring = stiffness * (np.linalg.norm(plus) - np.linalg.norm(minus)) * tangent
            out[i] = -(g[i] - (g[i] @ tangent) * tangent) + spring
    return out


@pytest.mark.parametrize("climbing", [False, True])
def test_forces_are_the_published_ones(climbing: bool) -> None:
    for seed in range(20):
        lines, energies, gradients = random_bands(seed, 3, 7, 5, 12)
        found = forces(lines, energies, gradients, torch.full((4,), climbing)).with_springs(0.7)
        for i in range(4):
            rows = slice(int(lines.offsets[i]), int(lines.offsets[i + 1]))
            r, g = (a[rows].flatten(1).numpy() for a in (lines.points, gradients))
            expected = published_force(r, energies[rows].numpy(), g, 0.7, climbing)
            np.testing.assert_allclose(found[rows].flatten(1).numpy(), expected, rtol=1e-12, atol=1e-13)


def test_tangent_leans_to_the_higher_neighbour_at_extrema() -> None:
    points = torch.tensor([[-1.0, 0.0], [0.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    lines = Polylines(points, torch.tensor([0, 3]))
    for middle in (5.0, -5.0):  # the next vertex lies higher than the last: differences 4 and 5, or 6 and 5
        steep, flat = sorted((abs(1.0 - middle), abs(0.0 - middle)), reverse=True)
        direction = tangents(lines, torch.tensor([0.0, middle, 1.0], dtype=torch.float64))[1]
        expected = torch.tensor([flat, steep], dtype=torch.float64)
        torch.testing.assert_close(direction, expected / expected.norm())


def test_directions_exist_where_energies_are_flat_and_vertices_coincide() -> None:
    points = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    lines = Polylines(points, torch.tensor([0, 6]))
    found = tangents(lines, torch.zeros(6, dtype=torch.float64))
    assert torch.isfinite(found).all()
    root = 0.5**0.5
    torch.testing.assert_close(found[1], torch.tensor([root, root], dtype=torch.float64))
    torch.testing.assert_close(found[2], torch.tensor([0.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(found[3], torch.zeros(2, dtype=torch.float64))
    there_and_back = Polylines(points[[0, 1, 0]], torch.tensor([0, 3]))
    assert float(tangents(there_and_back, torch.zeros(3, dtype=torch.float64))[1].norm()) == pytest.approx(1.0)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
def test_tangents_have_no_units(scale: float) -> None:
    lines, energies, _ = random_bands(3, 9)
    there = lines.moved(lines.points * 1e-3)
    torch.testing.assert_close(tangents(there, energies * scale), tangents(lines, energies), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("pivots", [5, 9, 15])
def test_climbing_vertex_ends_on_the_saddle_of_muller_and_brown(pivots: int) -> None:
    start = on_line(MULLER_BROWN_MINIMA[0], MULLER_BROWN_MINIMA[2], pivots + 2)
    band = minimise_band(muller_brown, start)
    assert band.converged
    assert float(band.energies[band.highest]) == pytest.approx(MULLER_BROWN_PASSES[0], abs=1e-6)
    torch.testing.assert_close(band.points[band.highest], MULLER_BROWN_SADDLES[0], rtol=0, atol=1e-5)
    assert torch.equal(band.points[[0, -1]], start[[0, -1]])


def test_second_pass_of_muller_and_brown() -> None:
    band = minimise_band(muller_brown, on_line(MULLER_BROWN_MINIMA[1], MULLER_BROWN_MINIMA[2], 9))
    assert float(band.energies[band.highest]) == pytest.approx(MULLER_BROWN_PASSES[1], abs=1e-6)
    torch.testing.assert_close(band.points[band.highest], MULLER_BROWN_SADDLES[1], rtol=0, atol=1e-5)


def test_converged_band_is_evenly_spaced_on_both_sides_of_its_climber() -> None:
    band = minimise_band(muller_brown, on_line(MULLER_BROWN_MINIMA[1], MULLER_BROWN_MINIMA[2], 11))
    steps = band.points.diff(dim=0).norm(dim=1)
    for side in (steps[: band.highest], steps[band.highest :]):
        torch.testing.assert_close(side, side.mean().expand_as(side), rtol=1e-3, atol=0)


def test_egg_box_has_its_saddle_between_neighbouring_minima() -> None:
    pi = torch.pi
    start = on_line(torch.tensor([-pi, pi], dtype=torch.float64), torch.tensor([pi, pi], dtype=torch.float64), 10)
    start[1:-1, 1] += 0.4 * torch.sin(torch.linspace(0.3, 6, 8, dtype=torch.float64))
    band = minimise_band(egg_box, start)
    assert band.converged
    assert float(band.energies[band.highest]) == pytest.approx(0.0, abs=1e-8)
    assert band.barrier == pytest.approx(2.0, abs=1e-8)
    torch.testing.assert_close(
        band.points[band.highest], torch.tensor([0.0, pi], dtype=torch.float64), rtol=0, atol=1e-4
    )


def test_flat_energy_moves_nothing_but_the_spacing() -> None:
    start = torch.tensor([[0.0, 0.0], [0.1, 0.0], [0.2, 0.0], [1.0, 0.0]], dtype=torch.float64)
    band = minimise_band(lambda p: 0.0 * p.sum(1), start, max_steps=200, force_tolerance=-1.0)
    expected = torch.linspace(0, 1, 4, dtype=torch.float64)
    torch.testing.assert_close(band.points[:, 0], expected, rtol=0, atol=1e-12)
    assert torch.equal(band.points[:, 1], start[:, 1])


def test_units_of_energy_and_length_change_nothing() -> None:
    start = on_line(MULLER_BROWN_MINIMA[0], MULLER_BROWN_MINIMA[2], 9)
    plain = minimise_band(muller_brown, start, max_steps=40)
    energy, length = 2.0**20, 2.0**-10  # powers of two, so that rounding is the same
    other = minimise_band(lambda p: energy * muller_brown(p / length), start * length, max_steps=40)
    torch.testing.assert_close(other.points / length, plain.points, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(other.energies / energy, plain.energies, rtol=1e-9, atol=1e-9)


def test_spacing_step_is_stable_and_keeps_the_ends() -> None:
    rng = torch.Generator().manual_seed(1)
    x = torch.rand(11, generator=rng, dtype=torch.float64).sort().values
    points = torch.stack([x, 2 * x], dim=1)
    lines = Polylines(points, torch.tensor([0, 11]))
    for _ in range(600):
        found = forces(lines, torch.zeros(11, dtype=torch.float64), torch.zeros_like(points))
        lines = lines.moved(lines.points + spaced(found, 1.0))
    torch.testing.assert_close(lines.points, on_line(points[0], points[-1], 11), rtol=0, atol=1e-9)


def test_arguments() -> None:
    with pytest.raises(InvalidInputError, match=r"`spring`: got 1.5; expected a number from 0 to 1"):
        minimise_band(egg_box, torch.zeros(3, 2), spring=1.5)
    with pytest.raises(InvalidInputError, match=r"`path`: got torch.float32 \(2, 2\)"):
        minimise_band(egg_box, torch.zeros(2, 2))


def test_resampling_keeps_the_ends_and_makes_steps_of_the_arc_length_even() -> None:
    lines, _, _ = random_bands(5, 2, 9, 4)
    other = lines.resampled(torch.tensor([5, 33, 2]))
    assert other.counts.tolist() == [5, 33, 2]
    for i in range(3):
        assert torch.equal(other[i][[0, -1]], lines[i][[0, -1]])
    along = lines.select(torch.tensor([1]))
    fine = along.resampled(8 * 1000 + 1)  # every vertex of the result lies on the polyline
    gaps = torch.cdist(other[1].flatten(1), fine.points.flatten(1)).min(1).values
    assert float(gaps.max()) <= float(along.lengths[0]) / 8000
    same = straight_lines(lines[0][:1], lines[0][1:], 3)
    torch.testing.assert_close(same.points, other[0])


def test_selecting_and_inserting_keep_paths_apart() -> None:
    lines, _, _ = random_bands(6, 2, 4, 3)
    new = torch.zeros(2, 2, 3, dtype=torch.float64)
    longer = lines.inserted(torch.tensor([5, 2]), new + torch.tensor([5.0, 2.0])[:, None, None])
    assert longer.counts.tolist() == [2, 5, 4]  # segments 0 | 1 2 3 | 4 5
    assert torch.equal(longer[0], lines[0])
    assert torch.equal(longer[1][[0, 1, 3, 4]], lines[1])
    assert bool((longer[1][2] == 2.0).all())
    assert bool((longer[2][2] == 5.0).all())
    chosen = longer.select(torch.tensor([2, 0]))
    assert torch.equal(chosen[0], longer[2])
    assert torch.equal(chosen[1], longer[0])


@pytest.mark.skipif(importlib.util.find_spec("ase") is None, reason="ase is not installed")
@pytest.mark.parametrize("climbing", [False, True])
def test_forces_are_those_of_ase(climbing: bool) -> None:
    from ase import Atoms
    from ase.calculators.calculator import Calculator, all_changes
    from ase.mep import NEB

    class Surface(Calculator):
        implemented_properties = ("energy", "forces")

        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            super().calculate(atoms, properties, system_changes)
            points = torch.from_numpy(atoms.positions[:, :2].copy())
            value, gradient = FunctionEnergy(muller_brown).values_and_gradients(
                points, torch.zeros(1, dtype=torch.int64)
            )
            self.results = {"energy": float(value), "forces": np.pad(-gradient.numpy(), ((0, 0), (0, 1)))}

    rng = torch.Generator().manual_seed(0)
    points = on_line(MULLER_BROWN_MINIMA[0], MULLER_BROWN_MINIMA[2], 13)
    points[1:-1] += 0.15 * torch.randn(11, 2, generator=rng, dtype=torch.float64)
    images = [Atoms("H", positions=np.pad(p.numpy()[None], ((0, 0), (0, 1)))) for p in points]
    for image in images:
        image.calc = Surface()
    neb = NEB(images, k=3.0, climb=climbing, method="improvedtangent")
    expected = neb.get_forces().reshape(-1, 3)[:, :2]
    values, gradients = FunctionEnergy(muller_brown).values_and_gradients(points, torch.zeros(13, dtype=torch.int64))
    lines = Polylines(points, torch.tensor([0, 13]))
    found = forces(lines, values, gradients, torch.tensor([climbing])).with_springs(3.0)
    np.testing.assert_allclose(found[1:-1].numpy(), expected, rtol=1e-9, atol=1e-9)
