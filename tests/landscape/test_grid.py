"""Landscapes as people draw them: directions, grids against direct evaluation, and what peers get wrong."""

from __future__ import annotations

import copy
import functools
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from splinescope.errors import InvalidInputError, StoreError
from splinescope.landscape import ParameterPlane, between, loss_grid, random_plane, trajectory_plane
from splinescope.landscape import grid as grid_module
from tests.landscape.nets import conv_net, formula_net, seeded


def data(count: int = 12, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(count, 2, 12, 12, generator=generator).to(dtype), torch.randint(3, (count,), generator=generator)


def net(seed: int = 0) -> nn.Module:
    return seeded(conv_net, seed).float()


def direct(
    module: nn.Module, plane: ParameterPlane, point: tuple[float, ...], x: torch.Tensor, y: torch.Tensor
) -> float:
    moved = {
        name: (value + sum(u * step[name] for u, step in zip(point, plane.directions, strict=True))).to(x.dtype)
        for name, value in plane.origin.items()
    }
    return nn.functional.cross_entropy(functional_call(module, moved, (x,)), y).item()


AXES = ([-1.0, -0.3, 0.0, 0.8], [-0.5, 0.1, 2.0])


@pytest.mark.parametrize("hooked", [False, True])
def test_values_are_those_at_the_grids_own_coordinates(hooked: bool) -> None:
    """No row is shifted, no axes are swapped, labels are the true extent, and nothing is added: to the last bit."""
    module, (x, y) = net(), data()
    if hooked:
        module[0].register_forward_hook(lambda _, __, output: 1.5 * output - 0.2)
    plane = random_plane(module)
    grid = loss_grid(module, plane, nn.functional.cross_entropy, (x, y), axes=AXES)
    assert grid.values.shape == (4, 3)
    for i, u in enumerate(AXES[0]):
        for j, v in enumerate(AXES[1]):
            assert grid.values[i, j] == direct(module, plane, (u, v), x, y)
            assert grid.coordinates[i, j].tolist() == [u, v]
    again = loss_grid(module, plane, nn.functional.cross_entropy, (x, y), axes=AXES)
    np.testing.assert_array_equal(again.values, grid.values)
    named = loss_grid(module, plane, "cross-entropy", (x, y), axes=AXES)
    np.testing.assert_allclose(named.values, grid.values, rtol=1e-6)
    assert grid.lowest[1] == grid.values.min()


def test_nan_and_infinity_stay() -> None:
    module, (x, y) = net(), data()

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        value = nn.functional.cross_entropy(outputs, targets)
        return value * torch.nan if value > 1.16 else value / 0 if value < 1.14 else value

    plain = loss_grid(module, random_plane(module), nn.functional.cross_entropy, (x, y), axes=AXES).values
    values = loss_grid(module, random_plane(module), loss, (x, y), axes=AXES).values
    assert np.isnan(values).any()
    np.testing.assert_array_equal(np.isnan(values), plain > 1.16)
    np.testing.assert_array_equal(np.isinf(values), plain < 1.14)


@pytest.mark.parametrize("statistics", ["keep", "recompute"])
@pytest.mark.parametrize("train", [False, True])
def test_the_module_is_bit_for_bit_what_it_was(train: bool, statistics: str) -> None:
    module, (x, y) = net().train(not train), data()
    module.append(nn.Dropout(0.5))
    module[3].eval()
    module(x).sum().backward()
    state = {name: value.clone() for name, value in module.state_dict().items()}
    gradients = {name: value.grad.clone() for name, value in module.named_parameters()}
    modes = [child.training for child in module.modules()]
    random = torch.random.get_rng_state()
    loss_grid(module, random_plane(module), "squared", (x, y), axes=AXES, statistics=statistics, train=train)
    assert torch.equal(torch.random.get_rng_state(), random)
    assert [child.training for child in module.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert all(torch.equal(value.grad, gradients[name]) for name, value in module.named_parameters())
    assert all(value.requires_grad for value in module.parameters())


def test_statistics_of_batchnorm_are_recomputed() -> None:
    module, (x, y) = net(), data()
    plane = random_plane(module)
    found = loss_grid(module, plane, nn.functional.cross_entropy, (x, y), axes=AXES, statistics="recompute")
    twin = copy.deepcopy(module)
    for u, value in ((-1.0, found.values[0, 1]), (0.8, found.values[3, 1])):
        moved = {name: value_.float() for name, value_ in plane.at(u, 0.1).items()}
        twin[1].reset_running_stats()
        twin[1].momentum = None
        with torch.no_grad():
            functional_call(twin.train(), moved, (x,))
            assert value == nn.functional.cross_entropy(functional_call(twin.eval(), moved, (x,)), y).item()


def test_workers_files_and_interruptions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, (x, y) = net(), data()
    plane, store = random_plane(module), tmp_path / "values.npz"
    expected = loss_grid(module, plane, "cross-entropy", (x, y), axes=AXES).values
    with ThreadPoolExecutor(2) as pool:
        found = loss_grid(module, plane, "cross-entropy", (x, y), axes=AXES, executor=pool, chunk=2, statistics="keep")
        np.testing.assert_allclose(found.values, expected, rtol=1e-6)
    ran: list[int] = []
    whole = grid_module._Task.run

    def interrupted(task: grid_module._Task) -> list[float]:
        if len(ran) == 2:
            raise KeyboardInterrupt
        ran.append(len(task.points))
        return whole(task)

    monkeypatch.setattr(grid_module._Task, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        loss_grid(module, plane, "cross-entropy", (x, y), axes=AXES, chunk=3, store=store)
    monkeypatch.setattr(grid_module._Task, "run", lambda task: ran.append(len(task.points)) or whole(task))
    np.testing.assert_array_equal(
        loss_grid(module, plane, "cross-entropy", (x, y), axes=AXES, chunk=3, store=store).values, expected
    )
    assert sum(ran) == 12 + 1  # one point once more, by which another loss would be told
    loss_grid(module, plane, "cross-entropy", (x, y), axes=AXES, store=store)
    assert sum(ran) == 12 + 2
    for smoothing in (0.1, 0.2):
        loss = nn.CrossEntropyLoss(label_smoothing=smoothing)
        call = functools.partial(loss_grid, module, plane, loss, (x, y), axes=AXES, store=tmp_path / "own.npz")
        if smoothing == 0.1:
            call()
            continue
        with pytest.raises(StoreError, match="another module, plane, grid, loss"):
            call()
    with pytest.raises(StoreError, match="another module"):
        loss_grid(module, plane, "squared", (x, y), axes=AXES, store=store)
    store.write_bytes(b"damaged")
    with pytest.raises(StoreError, match="`store`"):
        loss_grid(module, plane, "squared", (x, y), axes=AXES, store=store)


@pytest.mark.slow
def test_processes() -> None:
    module, (x, y) = net(), data()
    plane = random_plane(module, dimension=1)
    with ProcessPoolExecutor(1, mp_context=torch.multiprocessing.get_context("spawn")) as pool:
        found = loss_grid(module, plane, "squared", (x, y), axes=[0.0, 0.5], executor=pool)
    np.testing.assert_allclose(
        found.values, loss_grid(module, plane, "squared", (x, y), axes=[0.0, 0.5]).values, rtol=1e-6
    )


def test_filters_have_the_norms_of_the_modules_own() -> None:
    """Gaussian directions, biases and batch-norm by policy, from a generator."""
    module = net()
    plane = random_plane(module, generator=torch.Generator().manual_seed(4))
    for direction in plane.directions:
        for name, value in module.named_parameters():
            step = direction[name]
            if value.ndim > 1:
                norms = value.detach().double().flatten(1).norm(dim=1)
                np.testing.assert_allclose(step.flatten(1).norm(dim=1), norms, rtol=1e-12)
            else:
                assert not step.any()
    assert abs(float((plane.directions[0]["0.weight"] * plane.directions[1]["0.weight"]).sum())) < 1.0
    again = random_plane(module, generator=torch.Generator().manual_seed(4))
    assert torch.equal(plane.directions[1]["4.weight"], again.directions[1]["4.weight"])
    wide = random_plane(nn.Linear(100, 100), normalize="none").directions[0]["weight"]
    assert float(wide.std()) == pytest.approx(1.0, abs=0.02)
    assert float((wide**4).mean()) == pytest.approx(3.0, abs=0.3)  # as of a normal law; a uniform one has 9/5
    whole = random_plane(module, normalize="tensor").directions[0]["4.weight"]
    assert float(whole.norm()) == pytest.approx(float(module[4].weight.detach().double().norm()))
    mixed = random_plane(module, bias="copy", batchnorm="random").directions[0]
    np.testing.assert_array_equal(mixed["0.bias"], module[0].bias.detach().double())
    assert float(mixed["1.weight"].norm()) == pytest.approx(float(module[1].weight.detach().double().norm()))
    assert not torch.equal(mixed["1.weight"], module[1].weight.detach().double())


def test_rescaled_networks_have_equal_landscapes() -> None:
    """What filter normalisation is for: ReLU networks that differ by positive factors of units."""
    module = formula_net([3, 6, 2], 0, biases=False)
    twin = copy.deepcopy(module)
    with torch.no_grad():
        factors = torch.linspace(0.1, 10, 6, dtype=torch.float64)[:, None]
        twin[0].weight *= factors
        twin[2].weight /= factors.T
    plane, other = random_plane(module), random_plane(twin)
    for step, scaled in zip(plane.directions, other.directions, strict=True):
        np.testing.assert_allclose(step["0.weight"] * factors, scaled["0.weight"], rtol=1e-12)


def test_plane_of_a_trajectory() -> None:
    rng = np.random.default_rng(0)
    module = formula_net([3, 4, 2], 0)
    checkpoints = []
    for t in range(8):
        twin = copy.deepcopy(module)
        with torch.no_grad():
            for parameter in twin.parameters():
                parameter += 0.5**t + 0.05 * torch.from_numpy(rng.standard_normal(parameter.shape))
        checkpoints.append(twin)
    plane = trajectory_plane(one.state_dict() for one in checkpoints)
    flat = np.stack([torch.cat([p.detach().reshape(-1) for p in one.parameters()]).numpy() for one in checkpoints])
    singular = np.linalg.svd(flat - flat.mean(axis=0), compute_uv=False) ** 2
    assert plane.missed == pytest.approx(1 - singular[:2].sum() / singular.sum(), rel=1e-9)
    basis = np.stack([torch.cat([v.reshape(-1) for v in step.values()]).numpy() for step in plane.directions])
    np.testing.assert_allclose(basis @ basis.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(plane.marks, (flat - flat[-1]) @ basis.T, atol=1e-12)
    assert plane.marks[-1].tolist() == [0.0, 0.0]
    with pytest.raises(InvalidInputError, match="`checkpoints`: got 2"):
        trajectory_plane(checkpoints[:2])
    with pytest.raises(InvalidInputError, match="span fewer"):
        trajectory_plane([module] * 5)


def test_lines_and_planes_between_networks() -> None:
    a, b, c = (net(seed) for seed in range(3))
    x, y = data()
    line = loss_grid(a, between(a, b.state_dict()), nn.functional.cross_entropy, (x, y), axes=[0.0, 0.5, 1.0])
    assert line.values[0] == nn.functional.cross_entropy(a(x), y).item()
    plane = between(a, b, c)
    assert plane.marks.tolist() == [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    for name, value in c.named_parameters():
        np.testing.assert_allclose(plane.at(0.0, 1.0)[name], value.detach().double(), atol=1e-7)
    with pytest.raises(InvalidInputError, match="`theta_b`"):
        between(a, formula_net([3, 4, 2], 0))


def test_what_is_refused() -> None:
    module, (x, y) = net(), data()
    plane = random_plane(module)
    with pytest.raises(InvalidInputError, match="`normalize`"):
        random_plane(module, normalize="layer")
    with pytest.raises(InvalidInputError, match="`statistics`"):
        loss_grid(module, plane, "squared", (x, y), statistics="forget")
    with pytest.raises(InvalidInputError, match="`plane`"):
        loss_grid(formula_net([3, 4, 2], 0), plane, "squared", (x, y))
    with pytest.raises(InvalidInputError, match="`axes`"):
        loss_grid(module, plane, "squared", (x, y), axes=[np.nan])
