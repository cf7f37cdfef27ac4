"""Feature maps and decision trees: against brute force, closed forms, and identities that must hold."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.trajectory import decision_tree, feature_maps
from splinescope.trajectory.patterns.decision_tree import most_cells
from splinescope.trajectory.patterns.information import conditional_entropy, entropy, mutual_information
from splinescope.trajectory.patterns.prefixes import prefixes
from tests.trajectory.nets import Residual, formula_module, woken


def brute_patterns(module: nn.Sequential, x: np.ndarray) -> list[list[tuple[int, ...]]]:
    """Signs of the units of each hidden layer at each input, by matrix products of this test's own."""
    patterns, value = [], x
    for layer in module:
        if isinstance(layer, nn.Linear):
            value = value @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        else:
            patterns.append([tuple(row) for row in (value > 0).astype(int)])
            value = np.maximum(value, 0)
    return patterns


MODULE = formula_module([2, 6, 5, 3], 0)
X = np.random.default_rng(0).uniform(-2, 2, (3000, 2))


def test_prefixes_against_tuples() -> None:
    found = prefixes(splinescope.load(MODULE), X)
    layers = brute_patterns(MODULE, X)
    for level in range(2):
        tuples = [tuple(layer[n] for layer in layers[: level + 1]) for n in range(len(X))]
        numbers = {}
        expected = [numbers.setdefault(one, len(numbers)) for one in tuples]
        np.testing.assert_array_equal(found.labels[level], expected)


def test_feature_maps_are_orthogonal_and_parseval_holds() -> None:
    found = feature_maps(MODULE, X)
    outputs = splinescope.load(MODULE)(X)
    assert found.parseval_error < 1e-14
    assert found.is_orthogonal
    gram = found.gram.toarray()
    by_hand = np.zeros_like(gram)
    for n in range(len(X)):
        by_hand[found.patterns[n], found.patterns[n]] += outputs[n] @ outputs[n] / len(X)
    np.testing.assert_allclose(gram, by_hand, atol=1e-13)
    assert np.count_nonzero(gram - np.diag(np.diag(gram))) == 0
    np.testing.assert_allclose(found.squared_norms.sum(), np.square(outputs).sum(axis=1).mean(), rtol=1e-13)
    assert len(found) == len({tuple(map(tuple, one)) for one in zip(*brute_patterns(MODULE, X), strict=True)})


def test_no_more_patterns_than_cells() -> None:
    cells = splinescope.tessellate(MODULE, splinescope.Slice.box([-2, -2], [2, 2]))
    assert len(feature_maps(MODULE, X)) <= len(cells)
    assert len(feature_maps(MODULE, cells.interior_points)) == len(cells)


def test_information_about_the_class() -> None:
    """Class by one unit's sign: the pattern of the first layer knows it all."""
    signs = np.array(brute_patterns(MODULE, X)[0])
    labels = signs[:, np.abs(signs.mean(axis=0) - 0.5).argmin()]
    found = feature_maps(MODULE, X, labels)
    share = np.mean(labels)
    exact = -(share * math.log2(share) + (1 - share) * math.log2(1 - share))
    np.testing.assert_allclose(found.information, exact, rtol=1e-12)
    assert found.class_entropy == pytest.approx(exact, rel=1e-12)
    # the class is known, so that all bias is that of its entropy, which is too small
    np.testing.assert_allclose(found.corrected - found.information, 1 / (2 * len(X) * math.log(2)), rtol=1e-9)
    assert (np.diff(found.counts) >= 0).all()
    assert (found.effective_dimensions <= found.counts).all()


def test_bias_correction_on_independent_variables() -> None:
    """No information is shared; the plug-in value has a bias, and its correction takes nearly all of it away."""
    rng = np.random.default_rng(0)
    values = np.array([mutual_information(rng.integers(0, 8, 400), rng.integers(0, 5, 400)) for _ in range(300)])
    plain, corrected = values.mean(axis=0)
    assert plain == pytest.approx((8 - 1) * (5 - 1) / (2 * 400 * math.log(2)), rel=0.1)
    assert abs(corrected) < 0.1 * plain


def test_entropies_of_small_tables() -> None:
    assert entropy(np.array([0, 0, 1, 1, 2, 2, 3, 3])) == 2.0
    assert conditional_entropy(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])) == 1.0
    assert conditional_entropy(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])) == 0.0
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 9, 500)
    shares = np.array(list(Counter(labels.tolist()).values())) / 500
    assert entropy(labels) == pytest.approx(-(shares * np.log2(shares)).sum(), rel=1e-13)


def test_tree_against_dictionaries() -> None:
    tree = decision_tree(MODULE, X)
    layers = brute_patterns(MODULE, X)
    whole = list(zip(*layers, strict=True))
    for level, found in enumerate(tree.levels):
        own = [one[: level + 1] for one in whole]
        names = list(dict.fromkeys(own))
        assert len(found) == len(names)
        counts = Counter(own)
        np.testing.assert_array_equal(found.counts, [counts[name] for name in names])
        leaves = [len({one for one in set(whole) if one[: level + 1] == name}) for name in names]
        np.testing.assert_array_equal(found.leaves, leaves)
        before = list(dict.fromkeys(one[:level] for one in whole))
        np.testing.assert_array_equal(found.parents, [before.index(name[:level]) for name in names])
        children = Counter(name[:level] for name in names)
        np.testing.assert_array_equal(found.children, [children[name] for name in before])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("widths", [[2, 6, 5, 3], [3, 4, 9, 4, 2], [5, 12, 1]])
def test_identities_and_bounds(widths: list[int], seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((4000, widths[0]))
    tree = decision_tree(formula_module(widths, seed), x)
    assert tree.chain_error < 1e-12
    left = tree.entropy
    for level in tree.levels:
        assert 0 <= level.gained <= level.gained_bound + 1e-12 <= level.units + 2e-12
        left -= level.gained
        assert level.remaining == pytest.approx(left, abs=1e-12)
        assert level.remaining <= level.remaining_bound + 1e-12
        assert (level.children <= np.array(level.child_bounds, dtype=object)).all()
        assert np.log2(level.leaves.max()) <= level.reuse_bound + 1e-12
        assert level.counts.sum() == len(x)
    means = [level.mean_reuse for level in tree.levels]
    assert means == sorted(means, reverse=True)
    assert means[-1] == 1.0
    assert tree.levels[0].remaining_bound == sum(widths[2:-1])


def test_first_level_meets_the_bound_of_zaslavsky() -> None:
    """Six lines in the plane cut it into 22 cells; far enough out and in, data see them all."""
    rng = np.random.default_rng(0)
    module = formula_module([2, 6, 1], 4)
    tree = decision_tree(module, rng.standard_normal((60_000, 2)) * rng.exponential(6, (60_000, 1)))
    assert tree.levels[0].child_bounds == (22,)
    assert 17 <= tree.levels[0].children[0] <= 22


def test_ranks_bound_those_of_jacobians() -> None:
    module = formula_module([4, 5, 6, 5, 2], 3)
    x = np.random.default_rng(0).standard_normal((300, 4))
    tree = decision_tree(module, x)
    for depth, level in enumerate(tree.levels[1:], start=1):
        head = module[: 2 * depth]
        for node in range(len(level.ranks)):
            point = torch.from_numpy(x[int(np.flatnonzero(tree.paths[depth - 1] == node)[0])])
            rank = torch.linalg.matrix_rank(torch.autograd.functional.jacobian(head, point), tol=1e-9)
            assert int(rank) <= level.ranks[node]


def test_convolutions_skips_and_pools() -> None:
    module = woken(Residual(), torch.Generator().manual_seed(0))
    x = torch.randn(500, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    tree, maps = decision_tree(module, x), feature_maps(module, x, torch.arange(500) % 3)
    assert [level.name for level in tree.levels] == ["relu", "relu_1", "relu_2", "relu_3", "pool"]
    assert tree.chain_error < 1e-12
    assert maps.parseval_error < 1e-13
    assert maps.is_orthogonal
    assert len(maps) == len(tree.levels[-1])


def test_parts_of_data_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, maps = decision_tree(MODULE, X), feature_maps(MODULE, X)
    monkeypatch.setattr("splinescope.trajectory.patterns.prefixes.chunk_length", lambda *_: 271)
    again, maps_again = decision_tree(MODULE, X), feature_maps(MODULE, X)
    np.testing.assert_array_equal(whole.paths, again.paths)
    np.testing.assert_allclose(maps.squared_norms, maps_again.squared_norms, rtol=1e-13)
    assert maps_again.parseval_error < 1e-13


def test_most_cells() -> None:
    assert [most_cells(n, 2) for n in range(5)] == [1, 2, 4, 7, 11]
    assert most_cells(16, 4) == 2517
    assert most_cells(5, 9) == 32
    assert Fraction(most_cells(300, 300), 2**300) == 1


def test_refusals() -> None:
    with pytest.raises(InvalidInputError, match="no op of it folds"):
        decision_tree(nn.Linear(2, 2), X)
    with pytest.raises(InvalidInputError, match="expected inputs, one per row"):
        decision_tree(MODULE, X[:0])
    with pytest.raises(InvalidInputError, match=r"`labels`: got shape \(3,\)"):
        feature_maps(MODULE, X, [0, 1, 2])
