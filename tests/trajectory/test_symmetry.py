"""Symmetries and alignment: against all permutations, planted ones, and the functions themselves."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.trajectory import (
    align,
    alignment,
    canonical_form,
    compare,
    equal_up_to_symmetry,
    loss_barrier,
    symmetries,
)
from tests.trajectory.nets import Residual, formula_module, woken


class Dense2(nn.Module):
    """Concatenated features, as in a DenseNet, then max-pool and a flat head."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(1, 3, 3, padding=1)
        self.two = nn.Conv2d(3, 2, 3, padding=1)
        self.head = nn.Linear(5 * 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.one(x))
        x = torch.cat([x, torch.relu(self.two(x))], dim=1)
        return self.head(nn.functional.max_pool2d(x, 2).flatten(1))


def modules() -> dict[str, tuple[nn.Module, tuple[int, ...]]]:
    generator = torch.Generator().manual_seed(0)
    plain = nn.Sequential(
        nn.Flatten(), nn.Linear(16, 7), nn.BatchNorm1d(7), nn.PReLU(7), nn.Linear(7, 6), nn.LeakyReLU(),
        nn.Linear(6, 5), nn.Hardtanh(), nn.Linear(5, 3),
    )  # fmt: skip
    mixed = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=4, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.ConvTranspose2d(4, 3, 2, stride=2), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(27, 5), nn.ReLU(), nn.Linear(5, 2),
    )  # fmt: skip
    return {
        "plain": (woken(plain, generator), (1, 4, 4)),
        "mixed": (woken(mixed, generator), (1, 8, 8)),
        "residual": (woken(Residual(), generator), (1, 8, 8)),
        "dense": (woken(Dense2(), generator), (1, 4, 4)),
    }


MODULES = modules()
GROUPS = {"plain": (7, 6, 5), "mixed": (4, 3, 5), "residual": (4, 4, 8), "dense": (3, 2)}


def network_of(name: str) -> Network:
    return splinescope.load(*MODULES[name])


def random_inputs(network: Network, count: int = 40) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((count, *network.input_shape))


def largest_weight_difference(a: Network, b: Network) -> float:
    pairs = [
        (getattr(one.op, name), getattr(other.op, name))
        for one, other in zip(a.nodes, b.nodes, strict=True)
        for name in ("weight", "bias", "slopes")
        if hasattr(one.op, name)
    ]
    return max(float((one - other).abs().max()) for one, other in pairs)


@pytest.mark.parametrize("name", MODULES)
def test_groups_are_counted(name: str) -> None:
    found = symmetries(network_of(name))
    assert found.groups == GROUPS[name]
    assert found.permutations == math.prod(math.factorial(size) for size in GROUPS[name])
    assert found.log2_permutations == pytest.approx(math.log2(found.permutations), rel=1e-12)
    free = sum(GROUPS[name]) - (5 if name == "plain" else 0)  # a hard tanh has a scale of its own
    assert found.rescalings == free


def test_skips_tie_groups() -> None:
    found = symmetries(network_of("residual"))
    assert found.names == (("stem", "two"), ("one",), ("wide", "shortcut"))


@pytest.mark.parametrize("name", MODULES)
def test_symmetries_keep_the_function_and_can_be_undone(name: str) -> None:
    network = network_of(name)
    group, x = symmetries(network), random_inputs(network)
    one, other = (group.random(np.random.default_rng(seed)) for seed in (0, 1))
    moved = group.apply(one)
    assert largest_weight_difference(network, moved) > 0.1
    np.testing.assert_allclose(moved(x), network(x), atol=1e-12 * np.abs(network(x)).max())
    assert largest_weight_difference(group.apply(one.inverse(), moved), network) < 1e-13
    both = group.apply(other, moved)
    assert largest_weight_difference(group.apply(other.after(one)), both) < 1e-12


@pytest.mark.parametrize("name", MODULES)
def test_one_wrong_group_changes_the_function(name: str) -> None:
    """Channels of a tied group can't be permuted at one place only: the groups are not too fine."""
    network = network_of(name)
    x = random_inputs(network)
    for index, node in enumerate(network.nodes):
        if not hasattr(node.op, "weight") or node.shape[0] < 3 or index == network.output:
            continue
        order = torch.roll(torch.arange(node.shape[0]), 1)
        axis = 1 if type(node.op).__name__ == "TransposedConvolution" else 0
        weight = node.op.weight.index_select(axis, order)
        op = dataclasses.replace(node.op, weight=weight, bias=node.op.bias[order])
        nodes = list(network.nodes)
        nodes[index] = type(node)(node.name, op, node.inputs, node.shape)
        assert np.abs(Network(tuple(nodes), network.output)(x) - network(x)).max() > 1e-6


def test_patterns_permute_with_the_units() -> None:
    network = splinescope.load(formula_module([2, 5, 4, 2], 0))
    group = symmetries(network)
    one = group.random(np.random.default_rng(0))
    square = splinescope.Slice.box([-1, -1], [1, 1])
    cells, moved = (splinescope.tessellate(net, square) for net in (network, group.apply(one)))
    at = moved.locate(cells.interior_points)
    order = np.concatenate([one.permutations[0], 5 + one.permutations[1]])
    np.testing.assert_array_equal(moved.patterns[at], cells.patterns[:, order])


@pytest.mark.parametrize("name", MODULES)
def test_canonical_form_is_one_for_all(name: str) -> None:
    network = network_of(name)
    group, x = symmetries(network), random_inputs(network)
    form = canonical_form(network)
    np.testing.assert_allclose(form.network(x), network(x), atol=1e-12 * np.abs(network(x)).max())
    assert largest_weight_difference(group.apply(form.symmetry.inverse(), form.network), network) < 1e-12
    for seed in range(3):
        other = group.apply(group.random(np.random.default_rng(seed)))
        assert largest_weight_difference(canonical_form(other).network, form.network) < 1e-10
        assert equal_up_to_symmetry(network, other)


def test_unequal_networks_are_told_apart() -> None:
    a = formula_module([2, 6, 6, 2], 0)
    b = copy.deepcopy(a)
    b[2].weight.data[3, 2] += 1e-6
    assert not equal_up_to_symmetry(a, b)
    with pytest.raises(InvalidInputError, match="expected two networks of the same graph"):
        equal_up_to_symmetry(a, formula_module([2, 6, 5, 2], 0))


@pytest.mark.parametrize("by_data", [False, True])
@pytest.mark.parametrize("name", MODULES)
def test_a_planted_permutation_is_found(name: str, by_data: bool) -> None:
    network = network_of(name)
    group, x = symmetries(network), random_inputs(network, 300)
    planted = group.random(np.random.default_rng(3), spread=0.0)
    b = group.apply(planted)
    found = alignment(network, b, x if by_data else None)
    assert found.distance_after == 0.0 < found.distance_before
    assert largest_weight_difference(found.aligned, network) == 0.0
    for got, inverse in zip(found.symmetry.permutations, planted.inverse().permutations, strict=True):
        np.testing.assert_array_equal(got, inverse)


@pytest.mark.parametrize("name", MODULES)
def test_modules_come_back_as_modules_and_stay_untouched(name: str) -> None:
    a, shape = MODULES[name]
    b = woken(copy.deepcopy(a), torch.Generator().manual_seed(9)).train()
    before = copy.deepcopy(b.state_dict())
    x = torch.randn(30, *shape, generator=torch.Generator().manual_seed(0))
    moved = align(a, b, x)
    assert type(moved) is type(b)
    assert moved.training
    assert all(torch.equal(value, b.state_dict()[key]) for key, value in before.items())
    assert not all(torch.equal(value, moved.state_dict()[key]) for key, value in before.items())
    twins = [copy.deepcopy(module).double().eval() for module in (b, moved)]
    torch.testing.assert_close(twins[1](x.double()), twins[0](x.double()), rtol=0, atol=1e-10)
    sorted_before, sorted_after = (
        torch.cat([value.double().flatten() for value in state.values()]).sort().values
        for state in (before, moved.state_dict())
    )
    assert torch.equal(sorted_before, sorted_after)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_assignment_against_all_permutations(seed: int) -> None:
    """One hidden layer: weight matching is one assignment, and nothing is nearer."""
    a, b = (splinescope.load(formula_module([3, 5, 2], s)) for s in (seed, seed + 50))
    found = alignment(a, b)
    nearest = math.inf
    for order in itertools.permutations(range(5)):
        places = list(order)
        square = float((a.nodes[1].op.weight - b.nodes[1].op.weight[places]).square().sum())
        square += float((a.nodes[1].op.bias - b.nodes[1].op.bias[places]).square().sum())
        square += float((a.nodes[3].op.weight - b.nodes[3].op.weight[:, places]).square().sum())
        square += float((a.nodes[3].op.bias - b.nodes[3].op.bias).square().sum())
        nearest = min(nearest, math.sqrt(square))
    assert found.distance_after == pytest.approx(nearest, rel=1e-12)


def test_two_layers_are_a_local_optimum_not_above_the_start() -> None:
    a, b = (splinescope.load(formula_module([3, 6, 6, 2], s)) for s in (0, 50))
    found = alignment(a, b)
    assert found.distance_after < found.distance_before
    best = min(
        alignment(a, symmetries(b).apply(symmetries(b).random(np.random.default_rng(s), 0.0))).distance_after
        for s in range(4)
    )
    assert found.distance_after < 1.1 * best


def test_activation_matching_against_all_permutations() -> None:
    a, b = (splinescope.load(formula_module([3, 5, 2], s)) for s in (0, 50))
    x = random_inputs(a, 200)
    found = alignment(a, b, x)
    hidden = [np.maximum(x @ net.nodes[1].op.weight.numpy().T + net.nodes[1].op.bias.numpy(), 0) for net in (a, b)]
    errors = {order: np.square(hidden[0] - hidden[1][:, order]).sum() for order in itertools.permutations(range(5))}
    assert tuple(found.symmetry.permutations[0]) == min(errors, key=errors.get)


def test_barrier_on_the_line() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 2, generator=generator, dtype=torch.float64)
    y = (x[:, 0] * x[:, 1] > 0).long()
    a = formula_module([2, 12, 2], 0)
    splinescope.models.train_classifier(a, x, y, generator=generator, epochs=30)
    network = splinescope.load(a)
    group = symmetries(network)
    b = group.apply(group.random(np.random.default_rng(0), 0.0))
    before, after = loss_barrier(network, b, x, y), loss_barrier(network, align(network, b), x, y)
    assert before.barrier > 0.05
    assert after.barrier < 1e-12
    middle = splinescope.trajectory.symmetry.interpolation.between_networks(network, b, before.where)
    by_hand = nn.functional.cross_entropy(middle(x), y)
    mean = (1 - before.where) * before.losses[0] + before.where * before.losses[-1]
    assert before.barrier == pytest.approx(float(by_hand) - mean, rel=1e-12)


def test_barrier_of_modules_with_batch_norm() -> None:
    a, shape = MODULES["residual"]
    b = woken(copy.deepcopy(a), torch.Generator().manual_seed(5))
    x = torch.randn(60, *shape, generator=torch.Generator().manual_seed(0))
    y = a(x).argmax(dim=1).detach()
    state = copy.deepcopy(a.state_dict())
    kept, again = (loss_barrier(a, b, x, y, points=5, statistics=kind) for kind in ("keep", "recompute"))
    assert all(torch.equal(value, a.state_dict()[key]) for key, value in state.items())
    assert kept.losses[0] == pytest.approx(float(nn.functional.cross_entropy(a(x), y).detach()), rel=1e-6)
    assert again.losses[0] != pytest.approx(kept.losses[0], rel=1e-3)
    twin = copy.deepcopy(a)
    for part in twin.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.reset_running_stats()
            part.momentum = None
    twin.train()(x)
    assert again.losses[0] == pytest.approx(float(nn.functional.cross_entropy(twin.eval()(x), y).detach()), rel=1e-5)
    with pytest.raises(InvalidInputError, match="`statistics`: got 'none'"):
        loss_barrier(a, b, x, y, statistics="none")
    with pytest.raises(InvalidInputError, match="expected two modules, or two networks"):
        loss_barrier(a, splinescope.load(b, shape), x, y)


def test_an_aligned_copy_deviates_nowhere() -> None:
    a = formula_module([2, 8, 8, 3], 0)
    network = splinescope.load(a)
    group = symmetries(network)
    b = group.apply(group.random(np.random.default_rng(0), 0.0))
    found = compare(a, align(a, b), splinescope.Slice.box([-1, -1], [1, 1]))
    assert found.largest_deviation == 0.0


def test_shared_weights_are_refused_as_modules() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.inner, self.out = nn.Linear(2, 6), nn.Linear(6, 6), nn.Linear(6, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.into(x))
            return self.out(torch.relu(self.inner(torch.relu(self.inner(x)))))

    a, b = (woken(Twice(), torch.Generator().manual_seed(seed)) for seed in (0, 1))
    with pytest.raises(InvalidInputError, match="permuted copy differs"):
        align(a, b, torch.randn(50, 2, generator=torch.Generator().manual_seed(0)))


def test_symmetries_that_are_none_are_refused() -> None:
    group = symmetries(network_of("plain"))
    one = group.identity()
    with pytest.raises(InvalidInputError, match="is no permutation"):
        group.apply(type(one)((np.zeros(7, np.int64), *one.permutations[1:]), one.factors))
    with pytest.raises(InvalidInputError, match=r"group 2 .*factors 1"):
        group.apply(type(one)(one.permutations, (*one.factors[:2], 2 * one.factors[2])))
    with pytest.raises(InvalidInputError, match="those of the network"):
        group.apply(symmetries(network_of("dense")).identity())
