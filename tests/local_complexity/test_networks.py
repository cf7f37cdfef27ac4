"""Local complexity of loaded networks, beside the definition, autograd and dense samples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import splinescope
from splinescope.complexity import LocalComplexity, local_complexity, orthonormal_frame
from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.network.copies import linear_part, placed
from splinescope.network.ops import Affine
from tests.fixtures.reference_nets import path_of
from tests.reference.local_complexity import affine_counts, hull, vertex_counts
from tests.seeds import large


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mlp(*widths: int, activation: type[nn.Module] = nn.ReLU, seed: int = 0) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(widths):
        linear = nn.Linear(fan_in, fan_out).double()
        with torch.no_grad():
            linear.weight.copy_(torch.randn(linear.weight.shape, generator=seeded(seed)).double() * (2 / fan_in) ** 0.5)
            linear.bias.copy_(torch.randn(linear.bias.shape, generator=seeded(seed + 1)).double() * 0.3)
        layers += [linear, activation()]
        seed += 2
    return nn.Sequential(*layers[:-1]).eval()


class Residual(nn.Module):
    """Skips from before the first fold and around later ones; batch-norm; a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.relus = nn.ModuleList(nn.ReLU() for _ in range(3))
        self.head = nn.Linear(4 * 25, 3)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.4, generator=seeded(7))
        nn.init.uniform_(self.norm.running_var, 0.5, 2.0, generator=seeded(8))

    def forward(self, x: Tensor) -> Tensor:
        stem = self.norm(self.first(x))
        inner = self.relus[0](stem)
        joined = self.relus[1](self.second(inner) + stem)
        return self.head(self.relus[2](joined - 0.2).flatten(1))


def cases() -> dict[str, tuple[nn.Module, tuple[int, ...]]]:
    conv = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 4, 2, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(16, 5)
    )
    for place, parameter in enumerate(conv.parameters()):
        nn.init.normal_(parameter, std=0.5, generator=seeded(3 + place))
    return {
        "mlp": (mlp(20, 16, 16, 16, 4), (20,)),
        "plane": (mlp(2, 16, 16, 3, seed=4), (2,)),
        "conv": (conv.double().eval(), (1, 6, 6)),
        "residual": (Residual().double().eval(), (2, 5, 5)),
    }  # fmt: skip


@pytest.mark.parametrize("name", cases())
@pytest.mark.parametrize("radius", [0.01, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("logits", [False, True])
def test_reference_is_the_definition(name: str, radius: float, logits: bool) -> None:
    module, shape = cases()[name]
    points = torch.randn(23, *shape, generator=seeded(1), dtype=torch.float64)
    frame = orthonormal_frame(shape, min(9, int(np.prod(shape))), generator=seeded(2))
    expected = vertex_counts(module, points, frame, radius, logits=logits)
    network = splinescope.from_torch(module, input_shape=shape)
    for model in (network, module):
        found = local_complexity(model, points, radius, frame=frame, logits=logits, keep_units=True)
        np.testing.assert_array_equal(found.counts, expected)
        assert found.units is not None
        np.testing.assert_array_equal(np.stack([unit.sum(axis=1) for unit in found.units], axis=1), expected)
        for units, counted in zip(found.units, found.unit_counts, strict=True):
            np.testing.assert_array_equal(units.sum(axis=0), counted)
        assert (found.layers[-1] == "output") == logits
        assert len(found.layers) == expected.shape[1]
    assert expected.sum() > 0


@pytest.mark.parametrize("name", cases())
def test_chunks_change_nothing(name: str) -> None:
    module, shape = cases()[name]
    points = torch.randn(11, *shape, generator=seeded(5), dtype=torch.float64)
    network = splinescope.from_torch(module, input_shape=shape)
    for options in ({}, {"mode": "affine"}, {"mode": "affine", "neighbourhood": "ball"}):
        for model in (network, module):
            whole = local_complexity(model, points, 0.3, **options)
            parts = local_complexity(model, points, 0.3, memory=1, **options)
            np.testing.assert_array_equal(whole.counts, parts.counts)


@given(seed=st.integers(0, 1000), radius=st.floats(1e-3, 10))
def test_first_layer_has_a_closed_form(seed: int, radius: float) -> None:
    module = mlp(6, 12, 8, 2, seed=seed)
    points = torch.randn(9, 6, generator=seeded(seed), dtype=torch.float64)
    frame = orthonormal_frame((6,), 4, generator=seeded(seed + 1))
    weight, bias = module[0].weight.detach(), module[0].bias.detach()
    reach = radius * (weight @ frame.T).abs().amax(dim=1)
    expected = ((points @ weight.T + bias).abs() <= reach).sum(dim=1).numpy()
    network = splinescope.from_torch(module, input_shape=(6,))
    for mode in ("reference", "affine"):
        found = local_complexity(network, points, radius, mode=mode, frame=frame)
        np.testing.assert_array_equal(found.counts[:, 0], expected)
    ball = local_complexity(network, points, radius, mode="affine", neighbourhood="ball")
    expected = ((points @ weight.T + bias).abs() <= radius * weight.norm(dim=1)).sum(dim=1).numpy()
    np.testing.assert_array_equal(ball.counts[:, 0], expected)
    assert (ball.counts[:, 0] >= found.counts[:, 0]).all()


@pytest.mark.parametrize("name", ["mlp", "plane", "conv"])
@pytest.mark.parametrize("ball", [False, True])
def test_affine_agrees_with_jacobians(name: str, ball: bool) -> None:
    module, shape = cases()[name]
    points = torch.randn(7, *shape, generator=seeded(6), dtype=torch.float64)
    size = int(np.prod(shape))
    frame = torch.eye(size, dtype=torch.float64).reshape(size, *shape)
    directions = frame if ball else orthonormal_frame(shape, min(5, size), generator=seeded(7))
    options = {"neighbourhood": "ball"} if ball else {"frame": directions}
    network = splinescope.from_torch(module, input_shape=shape)
    for radius in (0.05, 0.5):
        expected = affine_counts(module, points, directions, radius, ball)
        for model in (network, module):
            found = local_complexity(model, points, radius, mode="affine", **options)
            np.testing.assert_array_equal(found.counts, expected)


def test_ball_in_the_span_of_some_directions() -> None:
    module, shape = cases()["mlp"]
    points = torch.randn(7, *shape, generator=seeded(6), dtype=torch.float64)
    frame = orthonormal_frame(shape, 3, generator=seeded(7))
    expected = affine_counts(module, points, frame, 0.4, ball=True)
    for model in (splinescope.from_torch(module, input_shape=shape), module):
        found = local_complexity(model, points, 0.4, mode="affine", neighbourhood="ball", frame=frame)
        np.testing.assert_array_equal(found.counts, expected)


class Pooled(nn.Module):
    """Max-pooling before and behind folds, and activations with several breakpoints."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)
        self.linear = nn.Linear(12, 4)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.7, generator=seeded(11))

    def stages(self, x: Tensor) -> list[tuple[str, Tensor]]:
        one = nn.functional.max_pool2d(x, 2, stride=1, padding=1)
        two = self.conv(one)
        three = nn.functional.hardtanh(two, -0.3, 0.8)
        four = nn.functional.max_pool2d(three, 2)
        return [("pool1", x), ("clip", two), ("pool2", three), ("out", self.linear(four.flatten(1)))]

    def forward(self, x: Tensor) -> Tensor:
        return self.stages(x)[-1][1]


def winners(x: Tensor, **options: int) -> Tensor:
    return nn.functional.max_pool2d(x, return_indices=True, **options)[1].flatten(1)


@pytest.mark.parametrize("radius", [0.02, 0.3, 2.0])
def test_maxima_and_several_breakpoints(radius: float) -> None:
    module = Pooled().double().eval()
    points = torch.randn(13, 1, 4, 4, generator=seeded(12), dtype=torch.float64)
    frame = orthonormal_frame((1, 4, 4), 6, generator=seeded(13))
    found = local_complexity(splinescope.from_torch(module, input_shape=(1, 4, 4)), points, radius, frame=frame)
    with torch.no_grad():
        stages = dict(module.stages(hull(points, frame, radius).flatten(0, 1)))
    codes = [
        winners(stages["pool1"], kernel_size=2, stride=1, padding=1),
        (stages["clip"] > -0.3).long().flatten(1) + (stages["clip"] > 0.8).flatten(1),
        winners(stages["pool2"], kernel_size=2),
    ]
    codes = [code.reshape(len(points), 2 * len(frame), -1) for code in codes]
    expected = torch.stack([(code != code[:, :1]).any(dim=1).sum(dim=1) for code in codes], dim=1)
    pools = [0, 2]
    np.testing.assert_array_equal(found.counts[:, 1], expected[:, 1])
    if radius > 0.02:
        assert found.counts.sum(axis=0).min() > 0
    np.testing.assert_array_equal(found.counts[:, pools[0]], expected[:, pools[0]])
    # clipped values tie, so that torch's winner of the second pool may be another of equal members
    assert np.abs(found.counts[:, 2] - expected[:, 2].numpy()).max() <= 12


def test_affine_maxima_before_the_first_fold_are_exact() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 2)).double().eval()
    points = torch.randn(15, 1, 5, 5, generator=seeded(14), dtype=torch.float64)
    network = splinescope.from_torch(module, input_shape=(1, 5, 5))
    for radius in (0.01, 0.2, 1.0):
        reference = local_complexity(network, points, radius, frame=6)
        affine = local_complexity(network, points, radius, frame=6, mode="affine")
        np.testing.assert_array_equal(affine.counts, reference.counts)
    assert reference.counts.sum() > 0


def samples(points: np.ndarray, frame: np.ndarray, radius: float, many: int) -> np.ndarray:
    """[n, samples, *shape] a dense grid of the diamond."""
    axis = np.linspace(-1, 1, many)
    u, v = (part.ravel() for part in np.meshgrid(axis, axis))
    grid = radius * np.stack([(u + v) / 2, (u - v) / 2], axis=1)
    return points[:, None] + grid @ frame[:2]


def test_exact_in_a_plane_beside_a_dense_grid() -> None:
    module = mlp(5, 8, 8, 2, seed=20)
    network = splinescope.from_torch(module, input_shape=(5,))
    points = torch.randn(6, 5, generator=seeded(21), dtype=torch.float64)
    frame = orthonormal_frame((5,), 3, generator=seeded(22))
    for radius in (0.1, 1.0):
        found = local_complexity(network, points, radius, mode="exact", frame=frame, keep_units=True)
        assert found.units is not None
        assert found.cells is not None
        dense = torch.from_numpy(samples(points.numpy(), frame.numpy(), radius, 401))
        for row in range(len(points)):
            first = module[0](dense[row]) > 0
            second = module[2](module[1](module[0](dense[row]))) > 0
            for layer, code in enumerate((first, second)):
                varies = (code != code[:1]).any(dim=0).numpy()
                assert not (varies & ~found.units[layer][row]).any()  # all that the samples see is found
                assert (found.units[layer][row] & ~varies).sum() <= 1  # and at most a corner more
            cells = len(torch.unique(torch.cat([first, second], dim=1), dim=0))
            assert cells <= found.cells[row] <= cells + 3
        two = local_complexity(network, points, radius, frame=frame[:2])
        np.testing.assert_array_equal(found.counts[:, 0], two.counts[:, 0])


def test_exact_in_space_contains_the_plane() -> None:
    network = splinescope.from_torch(mlp(5, 8, 8, 2, seed=20), input_shape=(5,))
    points = torch.randn(4, 5, generator=seeded(21), dtype=torch.float64)
    frame = orthonormal_frame((5,), 3, generator=seeded(22))
    plane, space = (
        local_complexity(network, points, 0.5, mode="exact", frame=frame, dimension=d, keep_units=True) for d in (2, 3)
    )
    for found in (plane, space):
        assert found.units is not None
        assert found.cells is not None
    for inner, outer in zip(plane.units, space.units, strict=True):
        assert not (inner & ~outer).any()
    assert (plane.cells <= space.cells).all()
    three = local_complexity(network, points, 0.5, frame=frame)
    np.testing.assert_array_equal(space.counts[:, 0], three.counts[:, 0])


def test_exact_along_segments_beside_dense_samples() -> None:
    module = mlp(7, 9, 9, 2, seed=30)
    network = splinescope.from_torch(module, input_shape=(7,))
    points = torch.randn(5, 7, generator=seeded(31), dtype=torch.float64)
    frame = orthonormal_frame((7,), 4, generator=seeded(32))
    found = local_complexity(network, points, 0.7, mode="exact", frame=frame, dimension=1)
    assert found.cells is not None
    t = torch.linspace(-0.7, 0.7, 20001, dtype=torch.float64)
    for row, x in enumerate(points):
        lines = x + t[None, :, None] * frame[:, None]
        one = module[0](lines)
        codes = [one > 0, module[2](one.relu()) > 0]
        counts = [int((code != code[:1, :1]).any(dim=(0, 1)).sum()) for code in (c.flatten(0, 1)[None] for c in codes)]
        assert found.counts[row].tolist() == counts
        flips = sum(int((code[:, 1:] != code[:, :-1]).any(dim=2).sum()) for code in [torch.cat(codes, dim=2)])
        assert found.cells[row] == flips + 1
    # on layer 1 the spokes see what the vertices see
    reference = local_complexity(network, points, 0.7, frame=frame)
    np.testing.assert_array_equal(found.counts[:, 0], reference.counts[:, 0])
    assert (found.counts >= reference.counts).all()


def test_zeros_are_a_sign_of_their_own() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).double().eval()
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]))
        module[0].bias.copy_(torch.tensor([1.0, 0.0, -1.0]))
    points = torch.zeros(1, 2, dtype=torch.float64)
    frame = torch.eye(2, dtype=torch.float64)
    network = splinescope.from_torch(module, input_shape=(2,))
    for mode in ("reference", "affine"):
        # the first unit is 0 at one vertex, the second is 0 everywhere
        assert local_complexity(network, points, 1.0, mode=mode, frame=frame).counts.tolist() == [[1]]
        assert local_complexity(network, points, 0.999, mode=mode, frame=frame).counts.tolist() == [[0]]


def test_result() -> None:
    counts = np.array([[1, 0], [2, 1], [1, 0]])
    found = LocalComplexity("reference", "cross-polytope", 0.1, ("a", "b"), counts, (np.array([1]), np.array([1])))
    assert found.total.tolist() == [1, 3, 1]
    assert found.mean == pytest.approx(5 / 3)
    assert found.layer_means.tolist() == pytest.approx([4 / 3, 1 / 3])
    values, frequencies = found.distribution()
    assert (values.tolist(), frequencies.tolist()) == ([1, 3], [2, 1])
    assert "mean 1.667 = 1.33 + 0.333, 3 points" in repr(found)


def test_frames() -> None:
    frame = orthonormal_frame((3, 4), 12, generator=seeded(3)).flatten(1)
    torch.testing.assert_close(frame @ frame.T, torch.eye(12, dtype=torch.float64))
    again = orthonormal_frame((3, 4), 12, generator=seeded(3)).flatten(1)
    assert torch.equal(frame, again)
    means = torch.stack([orthonormal_frame((3,), 3, generator=seeded(i)) for i in range(2000)]).mean(dim=0)
    assert means.abs().max() < 4 / (3 * 2000) ** 0.5  # uniform: no direction is preferred, none has a fixed sign


def test_placed_networks_agree() -> None:
    module, shape = cases()["residual"]
    network = splinescope.from_torch(module, input_shape=shape)
    points = torch.randn(50, *shape, generator=seeded(1), dtype=torch.float64)
    half = local_complexity(network, points, 0.1, dtype=torch.float32)
    assert np.abs(half.counts - local_complexity(network, points, 0.1).counts).sum() <= 2
    assert placed(network) is network
    assert {value.dtype for node in placed(network, dtype=torch.float32).nodes for value in vars(node.op).values()
            if isinstance(value, Tensor) and value.is_floating_point()} == {torch.float32}  # fmt: skip
    with pytest.raises(InvalidInputError, match="`device`: got 'nowhere'"):
        placed(network, "nowhere")
    with pytest.raises(InvalidInputError, match=r"`dtype`: got torch.int64"):
        placed(network, dtype=torch.int64)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_agrees() -> None:
    module, shape = cases()["residual"]
    network = splinescope.from_torch(module, input_shape=shape)
    points = torch.randn(50, *shape, generator=seeded(1), dtype=torch.float64)
    for mode in ("reference", "affine"):
        here, there = (local_complexity(network, points, 0.1, mode=mode, device=d) for d in ("cpu", "cuda"))
        np.testing.assert_array_equal(here.counts, there.counts)


@pytest.mark.parametrize("name", cases())
def test_linear_parts(name: str) -> None:
    module, shape = cases()[name]
    for node in splinescope.from_torch(module, input_shape=shape).nodes:
        if isinstance(node.op, Affine):
            size = (5, *shape) if node.inputs == (0,) else None
            if size is not None:
                x = torch.randn(size, generator=seeded(2), dtype=torch.float64)
                expected = node.op.evaluate(x) - node.op.evaluate(torch.zeros_like(x))
                torch.testing.assert_close(linear_part(node.op).evaluate(x), expected)


@pytest.mark.parametrize("count", [6, large(40)])
def test_reference_net_beside_the_definition(count: int) -> None:
    """A net of 768 units, whose planes have tens of thousands of cells."""
    with np.load(path_of("N2.npz")) as arrays:
        weights = [(torch.from_numpy(arrays[f"W{i}"]), torch.from_numpy(arrays[f"b{i}"])) for i in range(4)]
    layers: list[nn.Module] = []
    for weight, bias in weights:
        linear = nn.Linear(*weight.T.shape).double()
        linear.load_state_dict({"weight": weight, "bias": bias})
        layers += [linear, nn.ReLU()]
    module = nn.Sequential(*layers[:-1])
    points = 2 * torch.rand(count, 2, generator=seeded(1), dtype=torch.float64) - 1
    frame = orthonormal_frame((2,), 2, generator=seeded(2))
    network = splinescope.from_torch(module, input_shape=(2,))
    for radius in (0.003, 0.03):
        found = local_complexity(network, points, radius, frame=frame)
        np.testing.assert_array_equal(found.counts, vertex_counts(module, points, frame, radius))
        exact = local_complexity(network, points, radius, mode="exact", frame=frame)
        np.testing.assert_array_equal(found.counts[:, 0], exact.counts[:, 0])
        assert exact.cells is not None
        assert (exact.cells <= 1 + exact.total + exact.total * (exact.total - 1) // 2).all()


def test_bad_arguments() -> None:
    network = splinescope.from_torch(mlp(2, 4, 1), input_shape=(2,))
    x = np.zeros((3, 2))
    with pytest.raises(InvalidInputError, match=r"`mode`: got 'fast'; expected one of"):
        local_complexity(network, x, 0.1, mode="fast")
    with pytest.raises(InvalidInputError, match=r"`neighbourhood`: got 'ball' with mode='reference'"):
        local_complexity(network, x, 0.1, neighbourhood="ball")
    for radius in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InvalidInputError, match="`radius`: got"):
            local_complexity(network, x, radius)
    with pytest.raises(InvalidInputError, match=r"`points`: got shape \(3, 4\); expected inputs of shape \[n, 2\]"):
        local_complexity(network, np.zeros((3, 4)), 0.1)
    with pytest.raises(InvalidInputError, match=r"`points`: got shape \(2,\); expected a batch"):
        local_complexity(network, np.zeros(2), 0.1)
    with pytest.raises(InvalidInputError, match="`points`: some numbers are NaN"):
        local_complexity(network, np.full((1, 2), np.nan), 0.1)
    with pytest.raises(InvalidInputError, match="`directions`: got 3; expected a number from 1 to 2"):
        local_complexity(network, x, 0.1, frame=3)
    with pytest.raises(InvalidInputError, match=r"`frame`: got shape \(2, 3\)"):
        local_complexity(network, x, 0.1, frame=np.eye(3)[:2])
    with pytest.raises(InvalidInputError, match="`frame`: its inner products differ"):
        local_complexity(network, x, 0.1, frame=2 * np.eye(2))
    with pytest.raises(InvalidInputError, match="`dimension`: got 3; expected a number from 1 to 2"):
        local_complexity(network, x, 0.1, mode="exact", dimension=3)
    with pytest.raises(InvalidInputError, match="`logits`: outputs have no folds"):
        local_complexity(network, x, 0.1, mode="exact", logits=True)
    affine = splinescope.from_torch(nn.Linear(2, 2), input_shape=(2,))
    with pytest.raises(InvalidInputError, match="the network is affine, no unit folds"):
        local_complexity(affine, x, 0.1)
    with pytest.raises(UnsupportedOpError):
        local_complexity(mlp(2, 4, 1, activation=nn.GELU), x, 0.1, mode="exact")
    with pytest.raises(InvalidInputError, match=r"`model`: got function; expected a Network, a torch\.nn\.Module or"):
        local_complexity(lambda z: z, x, 0.1, mode="exact")
