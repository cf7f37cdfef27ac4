"""Shares with Wilson's intervals, components, sampled verdicts: against formulas, naive search and dense grids."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import splinescope
from splinescope import models
from splinescope.errors import InvalidInputError
from splinescope.paths import straight
from splinescope.paths.components import components, false_verdicts, join_components, proportion, seen_joined


@given(st.integers(0, 60), st.integers(1, 60), st.sampled_from([(0.95, 1.959963984540054), (0.9, 1.6448536269514722)]))
def test_wilson_is_wilsons_formula(successes: int, trials: int, level: tuple[float, float]) -> None:
    successes = min(successes, trials)
    confidence, z = level
    p = successes / trials
    middle = (p + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * math.sqrt(p * (1 - p) / trials + z**2 / (4 * trials**2))
    found = proportion(successes, trials, confidence)
    assert found.low == pytest.approx(middle - half, abs=1e-12)
    assert found.high == pytest.approx(middle + half, abs=1e-12)
    assert found.share == p


def test_the_sources_table() -> None:
    """19, 25 and 14 of 25 pairs (arXiv 2311.06816, table 1)."""
    found = [proportion(count, 25) for count in (19, 25, 14)]
    assert [(round(p.low, 2), round(p.high, 2)) for p in found] == [(0.57, 0.89), (0.87, 1.0), (0.37, 0.73)]
    assert 0.7 in found[0]
    assert 0.5 not in found[0]


def test_no_trials_say_nothing() -> None:
    found = proportion(0, 0)
    assert (found.low, found.high) == (0.0, 1.0)
    assert math.isnan(found.share)
    with pytest.raises(InvalidInputError, match="`successes`: got 3 of 2; expected a number from 0 to 2"):
        proportion(3, 2)
    with pytest.raises(InvalidInputError, match=r"`confidence`: got 95\.0; expected a level between 0 and 1"):
        proportion(1, 2, 95.0)


@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=15))
def test_components_against_naive_search(points: int, pairs: list[tuple[int, int]]) -> None:
    pairs = [(a, b) for a, b in pairs if max(a, b) < points]
    labels = list(range(points))
    for _ in range(points):
        for a, b in pairs:
            labels[a] = labels[b] = min(labels[a], labels[b])
    found = components(points, pairs)
    assert len(found) == len(set(labels))
    same = np.array(labels)[:, None] == np.array(labels)
    np.testing.assert_array_equal(found.labels[:, None] == found.labels, same)
    np.testing.assert_array_equal(found.sizes, np.bincount(found.labels))
    assert (np.diff(found.sizes) <= 0).all()


def test_components_refuse_other_points() -> None:
    with pytest.raises(InvalidInputError, match="`pairs`: got a point that is none of the 3"):
        components(3, [[0, 3]])


@given(st.integers(1, 9), st.integers(0, 2**36 - 1), st.integers(0, 5))
def test_lazy_components_are_those_of_all_pairs(points: int, bits: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(points, 2))
    distances = np.linalg.norm(places[:, None] - places, axis=2)
    joined = np.zeros((points, points), bool)
    joined[np.triu_indices(points, 1)] = [bool(bits >> i & 1) for i in range(points * (points - 1) // 2)]
    asked: list[tuple[int, int]] = []

    def answer(pairs: np.ndarray) -> np.ndarray:
        asked.extend(map(tuple, pairs.tolist()))
        return joined[pairs[:, 0], pairs[:, 1]]

    found = join_components(distances, answer)
    everything = components(points, np.argwhere(joined))
    np.testing.assert_array_equal(
        found.labels[:, None] == found.labels, everything.labels[:, None] == everything.labels
    )
    assert len(set(asked)) == len(asked)
    if points > 1 and joined[np.triu_indices(points, 1)].all():
        assert asked[0] == tuple(np.unravel_index((distances + 9.0 * np.eye(points)).argmin(), distances.shape))


def test_a_budget_of_questions_is_kept() -> None:
    counts: list[int] = []

    def never(pairs: np.ndarray) -> np.ndarray:
        counts.append(len(pairs))
        return np.zeros(len(pairs), bool)

    assert len(join_components(np.ones((6, 6)), never, budget=4)) == 6
    assert sum(counts) == 4
    with pytest.raises(InvalidInputError, match=r"`distances`: got shape \(2, 3\); expected \[n, n\]"):
        join_components(np.ones((2, 3)), never)


def test_a_sampled_check_misses_a_short_stay() -> None:
    """|x| - 0.5 is negative on a quarter of the path from -2 to 2: 2 or 4 points miss it, 3 or 5 don't."""
    net = torch.nn.Sequential(torch.nn.Linear(1, 2, bias=False), torch.nn.ReLU(), torch.nn.Linear(2, 1))
    with torch.no_grad():
        net[0].weight[:] = torch.tensor([[1.0], [-1.0]])
        net[2].weight[:] = torch.tensor([[1.0, 1.0]])
        net[2].bias[:] = -0.5
    paths = straight(splinescope.load(net), [[-2.0], [1.0]], [[2.0], [3.0]], 1)
    assert [seen_joined(paths, points).tolist() for points in (2, 3, 4, 5)] == [
        [True, True], [False, True], [True, True], [False, True],
    ]  # fmt: skip
    found = false_verdicts(paths, 4)
    assert (found.of_seen.successes, found.of_seen.trials) == (1, 2)
    assert (found.of_refuted.successes, found.of_refuted.trials) == (1, 1)
    assert false_verdicts(paths, 5).of_seen.successes == 0
    with pytest.raises(InvalidInputError, match="`points`: got 1; expected at least both ends"):
        seen_joined(paths, 1)


def test_samples_agree_with_the_exact_intervals() -> None:
    """A point sees another class exactly if it lies in one of the intervals on which another class leads."""
    network = splinescope.load(models.mlp([5, 30, 30, 4], generator=torch.Generator().manual_seed(2)))
    rng = np.random.default_rng(0)
    x, y = 6 * rng.normal(size=(2, 300, 5))
    leader = network(x).argmax(axis=1)
    same = leader == network(y).argmax(axis=1)
    paths = straight(network, x[same], y[same], leader[same])
    assert 10 < paths.refuted.sum() < len(paths) - 10
    for points in (2, 10, 37):
        t = np.linspace(0, 1, points)
        rows = [paths[number].misclassified or () for number in range(len(paths))]
        inside = [any(start < at < stop for start, stop, _ in row for at in t) for row in rows]
        np.testing.assert_array_equal(seen_joined(paths, points), ~np.array(inside))
    rates = [false_verdicts(paths, points).of_refuted.share for points in (2, 10, 500)]
    assert rates[0] == 1
    assert rates[1] > rates[2]
