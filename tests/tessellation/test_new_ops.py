"""A new op is one class: ops that the library does not know go through every engine, into files and out of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import splinescope
from splinescope import Box, Segment, Slice
from splinescope.complexity import local_complexity
from splinescope.network import Network, Node, ops
from splinescope.network.ops import Activation, Affine, AffineOp, Clip, Op, PiecewiseAffine
from splinescope.paths import straight
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.domains import Domain


@dataclass(frozen=True, eq=False)
class Zigzag(Activation):
    """A triangle wave of three slopes: it folds at plus and minus a step of each unit's own."""

    step: Tensor

    @cached_property
    def breakpoints(self) -> Tensor:
        return torch.stack([-self.step, self.step])

    @cached_property
    def slopes(self) -> Tensor:
        ones = torch.ones_like(self.step)
        return torch.stack([-ones, ones, -ones])

    @cached_property
    def intercepts(self) -> Tensor:
        return torch.stack([-2 * self.step, 0 * self.step, 2 * self.step])


@dataclass(frozen=True, eq=False)
class Banded(Affine):
    """Sums of neighbours, each with a weight, plus a constant."""

    both: Tensor
    level: Tensor | None

    def evaluate(self, *inputs: Tensor) -> Tensor:
        (x,) = inputs
        total = x[:, :-1] * self.both[0] + x[:, 1:] * self.both[1]
        return total if self.level is None else total + self.level

    @property
    def addends(self) -> int:
        return 3

    @property
    def weights(self) -> Tensor:
        return self.both

    @property
    def offset(self) -> Tensor | None:
        return self.level

    def reweighted(self, weights: Tensor | None) -> AffineOp:
        assert weights is not None
        return Banded(weights, None)


STEP = torch.tensor([0.25, 0.5, 0.125, 1.0, 0.75], dtype=torch.float64)
TABLES = PiecewiseAffine(
    torch.stack([-STEP, STEP]),
    torch.tensor([-1.0, 1.0, -1.0], dtype=torch.float64)[:, None].expand(3, 5).contiguous(),
    torch.stack([-2 * STEP, 0 * STEP, 2 * STEP]),
)
CLIP = Clip(-STEP, 2 * STEP)
KINDS = ("segment", "plane", "space", "graph")


def network_of(inputs: int, op: Op, width: int = 5) -> Network:
    """An affine layer, an op, and an affine layer of two outputs."""
    generator = torch.Generator().manual_seed(inputs)

    def dense(n: int, m: int) -> ops.Dense:
        weight, bias = (torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((m, n), (m,)))
        return ops.Dense(weight, 0.3 * bias)

    nodes = [Node("input", ops.Input(), (), (inputs,)), Node("first", dense(inputs, 5), (0,), (5,))]
    nodes += [Node("op", op, (1,), (width,)), Node("last", dense(width, 2), (2,), (2,))]
    return Network(tuple(nodes), 3)


def domain_of(kind: str) -> Domain:
    if kind == "segment":
        return Segment(-np.ones(3), np.array([1.0, 2.0, 1.5]))
    half = np.ones({"plane": 2, "space": 3, "graph": 5}[kind])
    return Slice.box(-half, half) if kind == "plane" else Box(-half, half)


def made(kind: str, op: Op, **options: str) -> PolyhedralComplex:
    domain = domain_of(kind)
    network = network_of(int(np.prod(domain.input_shape)), op)
    if kind == "graph":
        graph = splinescope.region_graph(network, domain, **options)
        assert isinstance(graph, PolyhedralComplex)
        return graph
    cells = splinescope.tessellate(network, domain, **options)
    assert isinstance(cells, PolyhedralComplex)
    return cells


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("op", [Zigzag(STEP), CLIP], ids=["zigzag", "clip"])
def test_a_new_fold_goes_through_every_engine_to_a_proof(kind: str, op: Activation, tmp_path: Path) -> None:
    cells = made(kind, op, verify="proof")
    assert cells.certificate.level == "proof"
    assert len(cells) > 5
    inputs = cells.domain.embed(cells.interior_points)
    np.testing.assert_allclose(cells.interior_outputs(), cells.network(inputs), rtol=0, atol=1e-12)
    x = torch.from_numpy(inputs).requires_grad_(True)
    (gradient,) = torch.autograd.grad(cells.network(x)[:, 1].sum(), x)
    np.testing.assert_allclose(cells.affine_maps("input").A[:, 1], gradient.flatten(1).numpy(), rtol=0, atol=1e-11)
    np.testing.assert_array_equal(cells.locate(cells.interior_points), np.arange(len(cells)))
    again = splinescope.open(cells.save(tmp_path / "cells.npz"))
    assert type(again.network.nodes[2].op) is type(op)
    np.testing.assert_array_equal(again.patterns, cells.patterns)
    np.testing.assert_array_equal(again.network(inputs), cells.network(inputs))


@pytest.mark.parametrize("kind", KINDS)
def test_a_fold_is_what_its_tables_are(kind: str) -> None:
    """The same function as one class and as tables: the same cells, to the last bit."""
    one, other = made(kind, Zigzag(STEP)), made(kind, TABLES)
    np.testing.assert_array_equal(one.patterns, other.patterns)
    np.testing.assert_array_equal(one.interior_points, other.interior_points)


def test_a_wrong_table_is_found() -> None:
    """The proof looks at the op: cells of one step are none of another."""
    cells = made("plane", Zigzag(STEP))
    other = network_of(2, Zigzag(1.001 * STEP))
    object.__setattr__(cells, "network", other)
    with pytest.raises(splinescope.errors.CertificateError):
        splinescope.tessellation.certify(cells, "proof")


@pytest.mark.parametrize("method", ["exact", "refine"])
def test_paths_through_a_new_fold(method: str) -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 6, 3))
    one, other = (network_of(3, op) for op in (Zigzag(STEP), TABLES))
    target = np.argmax(one((x + y) / 2), axis=1)
    verdicts = [straight(network, x, y, target, method=method).verdicts.tolist() for network in (one, other)]
    assert verdicts[0] == verdicts[1]
    assert set(verdicts[0]) <= {"certified", "refuted"}


@pytest.mark.parametrize("mode", ["reference", "affine"])
def test_local_complexity_of_a_new_fold(mode: str) -> None:
    points = np.random.default_rng(1).normal(size=(4, 3))
    found = []
    for op in (Zigzag(STEP), TABLES):
        generator = torch.Generator().manual_seed(0)
        local = local_complexity(network_of(3, op), points, 0.5, mode=mode, frame=3, generator=generator)
        found.append(local.counts.tolist())
    assert found[0] == found[1]
    assert np.sum(found[0]) > 0


@pytest.mark.parametrize("kind", ["segment", "plane", "space"])
def test_a_new_affine_op_goes_through_the_engines_to_a_proof(kind: str) -> None:
    """Between two layers of ReLUs, beside the same map as a dense layer."""
    generator = torch.Generator().manual_seed(0)
    both, level = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((2, 4), (4,)))
    op = Banded(both, level)
    rows = op.rows(np.arange(4), (5,)).toarray()
    np.testing.assert_array_equal(
        rows, np.eye(4, 5) * both[0].numpy()[:, None] + np.eye(4, 5, 1) * both[1].numpy()[:, None]
    )
    dense, relu = ops.Dense(torch.from_numpy(rows), level), PiecewiseAffine(*map(_row, ([0], [0, 1], [0, 0])))
    domain = domain_of(kind)
    found = []
    for middle in (op, dense):
        network = network_of(int(np.prod(domain.input_shape)), relu)
        first, last = network.nodes[:3], Node("last", ops.Dense(torch.eye(2, 4).double(), _row([0, 0])), (4,), (2,))
        nodes = (*first, Node("middle", middle, (2,), (4,)), Node("relu", relu, (3,), (4,)), last)
        found.append(splinescope.tessellate(Network(nodes, 5), domain, verify="proof"))
    assert found[0].certificate.level == "proof"
    np.testing.assert_array_equal(found[0].patterns, found[1].patterns)


def test_a_clamp_with_bounds_of_its_own_is_a_clip() -> None:
    class Learned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(2, 5)
            self.lower, self.upper = nn.Parameter(-STEP.float()), nn.Parameter(STEP.float())

        def forward(self, x: Tensor) -> Tensor:
            return torch.clamp(self.first(x), self.lower, self.upper)

    module = Learned()
    network = splinescope.load(module, input_shape=(2,))
    assert [type(op) for op in network.folds.values()] == [Clip]
    x = torch.randn(20, 2)
    torch.testing.assert_close(network(x), module(x).double(), rtol=0, atol=1e-6)


def _row(values: list[int]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
