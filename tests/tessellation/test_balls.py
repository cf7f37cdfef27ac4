"""Balls of double words: sums against fractions, forms and places against those of exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import splinescope
from splinescope.tessellation.balls import BallCell, BallDomain, BallForms, Corner
from splinescope.tessellation.double_words import Balls, applied
from splinescope.tessellation.exact import ExactForms, domain_rows, input_rows
from splinescope.tessellation.planar.judge import PlanarJudge
from splinescope.tessellation.planar.plan import sides_of_polygon
from splinescope.tessellation.spatial.judge import SpatialJudge
from tests.reference.exact_cells import exact_cells
from tests.reference.families import FAMILIES
from tests.tessellation.test_exact_forms import by_node
from tests.tessellation.test_followers import coarse, drawn, mlp


def _exactly(values: np.ndarray) -> list[Fraction]:
    return [Fraction(value) for value in np.ravel(values).tolist()]


@pytest.mark.parametrize("scale", [1.0, 1e-150, 1e120])
@pytest.mark.parametrize("terms", [0, 1, 3, 40, 700])
def test_a_sum_of_products_is_within_its_radius_of_the_exact_one(terms: int, scale: float) -> None:
    rng = np.random.default_rng(terms)
    rows, cells, width, known = 5, 2, 3, terms + 2
    weights = rng.normal(size=rows * terms) * np.exp2(rng.integers(-20, 20, rows * terms))
    places = np.concatenate([rng.permutation(known)[:terms] for _ in range(rows)]).astype(np.int64)
    high = scale * rng.normal(size=(known, cells, width))
    low, radius = (
        high * 2.0**-54 * rng.uniform(-1, 1, high.shape),
        np.abs(high) * 2.0**-90 * rng.uniform(0, 1, high.shape),
    )
    offsets = scale * rng.normal(size=rows)
    before = Balls(np.arange(known), high, low, radius)
    found = applied(np.arange(rows), terms * np.arange(rows + 1), places, weights, offsets, before)
    for row in range(rows):
        at = slice(row * terms, (row + 1) * terms)
        factors, read = _exactly(weights[at]), places[at]
        for cell in range(cells):
            for j in range(width):
                numbers = (_exactly(part[read, cell, j]) for part in (high, low, radius))
                triples = list(zip(factors, *numbers, strict=True))
                exact = sum(
                    (w * (h + l) for w, h, l, _ in triples), Fraction(float(offsets[row]) if j == width - 1 else 0)
                )
                before_it = sum((abs(w) * r for w, _, _, r in triples), Fraction(0))
                upper, lower, spread = (Fraction(float(part[row, cell, j])) for part in found[1:])
                assert abs(upper + lower - exact) + before_it <= spread
                size = sum((abs(w * h) for w, h, _, _ in triples), abs(Fraction(float(offsets[row]))))
                assert spread <= before_it * Fraction(1.001) + size * Fraction(2.0**-95)


@pytest.mark.parametrize("family", ["quantised", "repeated", "spread", "contrast", "scale"])
@pytest.mark.parametrize("seed", range(4))
def test_outputs_at_corners_of_the_domain_are_the_exact_ones(family: str, seed: int) -> None:
    member = FAMILIES[family](seed, 2)
    network, domain = member.network, member.domain
    sides = sides_of_polygon(domain.polygon)
    exact = ExactForms(network, domain_rows(domain.origin, domain.basis), sides)
    balls, flat = BallForms(network), BallDomain(input_rows(domain.origin, domain.basis), sides)
    patterns = [by_node(network, pattern) for pattern in exact_cells(network, domain).cells]
    corners = [Corner(cell, ((-1, 0), (-1, 1))) for cell in range(len(patterns))]
    spots = balls.spots([BallCell(pattern, flat) for pattern in patterns], corners, network.output)
    corner = [Fraction(x) for x in domain.polygon[1].tolist()]
    units = np.arange(network.nodes[network.output].size)
    for pattern, point, values, doubts in zip(patterns, spots.points, spots.values, spots.doubts, strict=True):
        assert np.array_equal(point, domain.polygon[1])
        forms = exact.values(pattern, network.output, units)
        for row, value, doubt in zip(forms.rows, values.tolist(), doubts.tolist(), strict=True):
            true = sum((Fraction(int(a)) * x for a, x in zip(row, [*corner, Fraction(1)], strict=True)), Fraction(0))
            true *= Fraction(2) ** forms.exponent
            assert abs(Fraction(value) - true) <= Fraction(doubt) + abs(true) * Fraction(2.0**-53)


_NETS: dict[str, Any] = {
    "flat": lambda: _nearly_alike(mlp((2, 24, 24, 24, 2), drawn)),
    "coarse": lambda: mlp((2, 10, 10, 10, 2), coarse),
}


def _nearly_alike(module: Any) -> Any:
    """A network in which every second unit nearly is the one before it: folds cross at angles of 1e-7."""
    rng = np.random.default_rng(0)
    for layer in list(module)[:-1:2]:
        state = {name: value.clone() for name, value in layer.state_dict().items()}
        for value in state.values():
            value[1::2] = value[::2] * (1 + 1e-7 * float(rng.normal())) + 1e-8 * float(rng.normal())
        layer.load_state_dict(state)
    return module


@pytest.mark.parametrize("name", _NETS)
def test_places_in_planes_are_the_exact_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cuts, chords, told = PlanarJudge.cut_shares, PlanarJudge.chord_shares, [0, 0]

    def check(found: np.ndarray, exact: list[float]) -> np.ndarray:
        assert (np.abs(found[0] - exact) <= found[1] + 2.0**-52).all()
        told[0] += len(exact)
        told[1] += int((found[1] > 0).sum())
        return found

    def cut_shares(judge: PlanarJudge, edges: np.ndarray, columns: np.ndarray) -> np.ndarray:
        exact = [judge.positions(int(edge), columns[i : i + 1])[0] for i, edge in enumerate(edges)]
        return check(cuts(judge, edges, columns), [int(share.p) / int(share.q) for share in exact])

    def chord_shares(judge: PlanarJudge, crossings: Any) -> np.ndarray:
        with monkeypatch.context() as without:
            without.setattr(PlanarJudge, "_shares", lambda self, faces, *_: np.full((2, len(faces)), np.nan))
            exact = chords(judge, crossings)[0].tolist()
        return check(chords(judge, crossings), exact)

    monkeypatch.setattr(PlanarJudge, "cut_shares", cut_shares)
    monkeypatch.setattr(PlanarJudge, "chord_shares", chord_shares)
    network = splinescope.load(_NETS[name](), input_shape=(2,))
    cells = splinescope.tessellate(network, splinescope.Slice.box([-2, -2], [2, 2]), verify="proof")
    assert cells.certificate.level == "proof"
    assert told[0] > 0
    assert name == "coarse" or told[1] > told[0] // 2


def test_places_in_space_are_the_exact_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    fractions, told = SpatialJudge.fractions, [0, 0]

    def checked(judge: SpatialJudge, moment: Any, vertices: np.ndarray, ends: np.ndarray) -> np.ndarray:
        with monkeypatch.context() as without:
            without.setattr(SpatialJudge, "_by_balls", lambda self, moment, cells, _: np.full((2, len(cells)), np.nan))
            exact = fractions(judge, moment, vertices, ends)
        found = fractions(judge, moment, vertices, ends)
        assert (np.abs(found - exact) <= 2.0**-51).all()
        told[0] += len(exact)
        told[1] += int((judge._by_balls(moment, moment.cells_of(vertices), ends)[1] <= 2.0**-52).sum())
        return found

    monkeypatch.setattr(SpatialJudge, "fractions", checked)
    network = splinescope.load(_nearly_alike(mlp((3, 8, 8, 8, 1), drawn)), input_shape=(3,))
    cells = splinescope.tessellate(network, splinescope.Box([-2.0] * 3, [2.0] * 3), verify="proof")
    assert cells.certificate.level == "proof"
    assert told[1] > told[0] // 2 > 0


def test_what_float64_cannot_hold_is_not_known() -> None:
    """A product beyond float64, and forms that are parallel: NaN, so that exact arithmetic is asked."""
    before = Balls(np.arange(1), *(np.full((1, 1, 2), value) for value in (1e200, 0.0, 0.0)))
    found = applied(np.arange(1), np.array([0, 1]), np.array([0]), np.array([1e200]), np.array([0.0]), before)
    assert not np.isfinite(found.radius).any()
    member = FAMILIES["quantised"](0, 2)
    domain = member.domain
    flat = BallDomain(input_rows(domain.origin, domain.basis), sides_of_polygon(domain.polygon))
    spots = BallForms(member.network).spots([BallCell({}, flat)], [Corner(0, ((-1, 0), (-1, 0)))], -1)
    assert np.isnan(spots.points).all()
