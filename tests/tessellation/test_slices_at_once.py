"""Many slices at once: the cells, vertices, edges and certificates are those of one after the other."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.errors import CertificateError, InvalidInputError
from splinescope.tessellation import certify
from splinescope.tessellation.planar.certificate import certify_slices
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.planar.many import SliceBatch

Slice = splinescope.Slice


class Residual(nn.Module):
    """Two layers around which the input goes on, and a maximum."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(4, 6), nn.Linear(6, 4), nn.Linear(2, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x + self.second(torch.relu(self.first(x)))
        return self.last(nn.functional.max_pool1d(torch.nn.functional.leaky_relu(y, 0.2)[:, None], 2)[:, 0])


def weighted(module: nn.Module, seed: int = 3, bias: float = 0.5) -> nn.Module:
    """A module in float64 with reproducible parameters."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            size = bias if name.endswith("bias") else 1.0 / np.sqrt(parameter[0].numel())
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * size * 1.4)
    return module.eval()


@functools.cache
def network(name: str) -> splinescope.Network:
    """One of the networks."""
    mlp = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
    if name == "mlp":
        return splinescope.load(weighted(mlp), input_shape=(4,))
    if name == "without bias":  # all folds meet at the origin
        return splinescope.load(weighted(mlp, bias=0.0), input_shape=(4,))
    if name == "twins":  # units of the first layer twice: folds coincide
        module = weighted(mlp)
        with torch.no_grad():
            module[0].weight[4:] = module[0].weight[:4]
            module[0].bias[4:] = module[0].bias[:4]
        return splinescope.load(module, input_shape=(4,))
    if name == "residual":
        return splinescope.load(weighted(Residual()), input_shape=(4,))
    conv = nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2, 2))
    return splinescope.load(weighted(conv, seed=8), input_shape=(1, 3, 3))


@functools.cache
def domains(name: str) -> tuple[splinescope.Slice | splinescope.Box, ...]:
    """Slices of several shapes and sizes: planes through points, and polygons in frames of their own."""
    shape, rng = network(name).input_shape, np.random.default_rng(5)
    if name == "without bias":
        frames = rng.normal(size=(3, 2, *shape))
        square = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
        polygons = (square, square + 1.0, square[:3])  # around the tie, with it as a corner and on a side
        return tuple(Slice(np.zeros(shape), frame, polygon) for frame, polygon in zip(frames, polygons, strict=True))
    planes = [Slice.through(*rng.normal(size=(3, *shape)), margin=margin) for margin in (0.0, 0.2, 0.5)]
    triangle = np.array([[0.0, 0.0], [3.0, 0.5], [0.0, 1.0]])
    tilted = Slice(rng.normal(size=shape), rng.normal(size=(2, *shape)), triangle)
    sliver = Slice(rng.normal(size=shape), rng.normal(size=(2, *shape)), triangle * [1.0, 1e-7])
    small = Slice(planes[0].origin, planes[0].basis, 1e-6 * triangle)
    box = Slice.box(np.zeros(shape).ravel(), np.eye(np.prod(shape, dtype=int))[:2].sum(axis=0))
    return (*planes, tilted, sliver, small, planes[0], box)


@functools.cache
def batch(name: str, verify: str = "proof") -> SliceBatch:
    """All slices at once."""
    return splinescope.tessellate_slices(network(name), domains(name), verify=verify)


@functools.cache
def alone(name: str, number: int, verify: str = "proof") -> PlanarComplex:
    """One slice."""
    return splinescope.tessellate(network(name), domains(name)[number], verify=verify)


def assert_same(found: PlanarComplex, expected: PlanarComplex) -> None:
    """The same cells in any order, with their corners, neighbours and outputs; certificates that state the same."""
    order, other = (np.lexsort(one.patterns.T) for one in (found, expected))
    np.testing.assert_array_equal(found.patterns[order], expected.patterns[other])
    size = np.abs(expected.domain.polygon).max(axis=0)
    for name, scale in (("measures", size.prod()), ("interior_points", size)):
        left, right = getattr(found, name)[order], getattr(expected, name)[other]
        np.testing.assert_allclose(left / scale, right / scale, atol=1e-9)
    outputs = expected.interior_outputs()[other]
    np.testing.assert_allclose(found.interior_outputs()[order], outputs, atol=1e-9 * np.abs(outputs).max())
    assert len(found.vertices) == len(expected.vertices)
    for left, right in zip(order.tolist(), other.tolist(), strict=True):
        a, b = (
            corners[np.lexsort(np.round(corners / size, 7).T)] for corners in (found.cell(left), expected.cell(right))
        )
        np.testing.assert_allclose(a / size, b / size, atol=1e-9)
    assert edges(found, order) == edges(expected, other)
    one, two = found.certificate, expected.certificate
    names = ("level", "requested", "cells", "truncated", "euler_characteristic", "multiple_folds", "merged")
    for name in (*names, "interior_points", "vertex_checks", "undecided_signs"):
        assert getattr(one, name) == getattr(two, name), name
    assert found.truncated == expected.truncated
    for name in ("origin", "basis", "polygon"):
        np.testing.assert_array_equal(getattr(found.domain, name), getattr(expected.domain, name))


def edges(cells: PlanarComplex, order: np.ndarray) -> set[tuple[Any, ...]]:
    """Which fold is between which two cells, by their places in an order."""
    place = np.append(np.argsort(order), -1)
    beside = np.sort(place[cells.edge_cells], axis=1)
    return set(zip(*beside.T.tolist(), cells.edge_op.tolist(), cells.edge_unit.tolist(), strict=True))


NAMES = ("mlp", "conv", "residual", "without bias", "twins")


@pytest.mark.parametrize("name", NAMES)
def test_slices_are_those_of_one_after_the_other(name: str) -> None:
    found = batch(name)
    assert len(found) == len(domains(name))
    assert found.numbers.tolist() == list(range(len(found)))
    for number, cells in enumerate(found):
        assert_same(cells, alone(name, number))
        assert certify(cells, "proof").level == "proof"
    assert found.cells_per_slice.tolist() == [len(cells) for cells in found]


@pytest.mark.parametrize("verify", ["topology", "values"])
def test_levels(verify: str) -> None:
    for number, cells in enumerate(batch("residual", verify)):
        assert_same(cells, alone("residual", number, verify))


def test_arrays_are_the_same_ones_without_maxima() -> None:
    for number, cells in enumerate(batch("mlp")):
        for name in ("cell_vertices", "cell_offsets", "edges", "edge_cells", "edge_op", "edge_unit"):
            np.testing.assert_array_equal(getattr(cells, name), getattr(alone("mlp", number), name))


def test_boxes_and_slices_of_inputs_of_other_sizes() -> None:
    """A slice far away has signs in doubt farther from zero: it is not taken together with small ones."""
    net = splinescope.load(weighted(nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))), input_shape=(2,))
    given = [splinescope.Box([-1.0, -1.0], [1.0, 2.0]), Slice.box([-1e7, -2e7], [3e7, 1e7]), Slice.box([0, 0], [1, 1])]
    found = splinescope.tessellate_slices(net, given, verify="proof")
    assert len(found.parts) == 2
    for cells, domain in zip(found, given, strict=True):
        expected = splinescope.tessellate(net, domain, verify="proof")
        assert_same(cells, expected)


def test_budgets() -> None:
    name = "mlp"
    for options in ({"max_cells": 7}, {"memory_budget": 1}):
        found = splinescope.tessellate_slices(network(name), domains(name), verify="values", **options)
        for cells, domain in zip(found, domains(name), strict=True):
            assert_same(cells, splinescope.tessellate(network(name), domain, verify="values", **options))
    assert "truncated" in repr(splinescope.tessellate_slices(network(name), domains(name), max_cells=2))


def test_it_is_a_sequence() -> None:
    found = batch("mlp")
    assert [len(cells) for cells in found[1:3]] == found.cells_per_slice[1:3].tolist()
    assert len(found[-1]) == found.cells_per_slice[-1]
    assert repr(found) == f"SliceBatch(8 slices, {found.cells_per_slice.sum()} cells, certificates 'proof')"
    with pytest.raises(IndexError):
        found[8]
    for node, _, _ in found[0].pattern_nodes:
        for cells, folding in zip(found, found.folding(node), strict=True):
            assert np.flatnonzero(folding).tolist() == np.unique(cells.edge_unit[cells.edge_op == node]).tolist()


@pytest.mark.parametrize("level", ["topology", "values", "proof"])
def test_a_spoilt_slice_is_named_and_the_others_are_not(level: str) -> None:
    (part,) = batch("mlp").parts
    spoilt = 3
    changes: dict[str, Callable[[np.ndarray], None]] = {
        "topology": lambda vertices: vertices.__imul__(1.01),
        "values": lambda outputs: outputs.__iadd__(0.5 * np.abs(outputs).max()),
        "proof": lambda outputs: outputs[0].__iadd__(1e-6 * np.abs(outputs).max()),
    }
    name = "vertices" if level == "topology" else "vertex_outputs"
    array = getattr(part, name).copy()
    inside = slice(part.vertex_starts[spoilt], part.vertex_starts[spoilt + 1])
    changes[level](array[inside])
    wrong = replace(part, **{name: array}, certificates=())
    with pytest.raises(CertificateError, match=r"^slice 3: certificate check"):
        certify_slices(wrong, level)
    with pytest.raises(CertificateError, match=r"^slice 40: certificate check"):
        certify_slices(wrong, level, 10 * np.arange(1, 9))
    for number in range(len(part)):
        if number != spoilt:
            assert certify(wrong.cells(number), level).level == level


def test_arrays_of_another_slice_are_refused() -> None:
    (part,) = batch("mlp").parts
    edges = part.edges.copy()
    edges[part.edge_starts[2], 0] = 0
    with pytest.raises((CertificateError, IndexError)):
        certify_slices(replace(part, edges=edges, certificates=()), "topology")


def test_progress_and_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("splinescope.tessellation.planar.many._FIRST", 3)
    monkeypatch.setattr("splinescope.tessellation.planar.many._CELLS", 1)
    seen: list[tuple[float, int]] = []
    found = splinescope.tessellate_slices(network("mlp"), domains("mlp"), progress=lambda *told: seen.append(told))
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert seen[-1][1] == found.cells_per_slice.sum()

    def stop(share: float, cells: int) -> None:
        if share > 0.6:
            raise KeyboardInterrupt

    kept = splinescope.tessellate_slices(network("mlp"), domains("mlp"), progress=stop)
    assert kept.numbers.tolist() == list(range(len(kept)))
    assert 3 <= len(kept) < len(found)
    assert kept.cells_per_slice.tolist() == found.cells_per_slice[: len(kept)].tolist()
    with pytest.raises(KeyboardInterrupt):
        splinescope.tessellate_slices(network("mlp"), domains("mlp")[:1], progress=stop)


def test_what_is_refused() -> None:
    net, plane = network("mlp"), domains("mlp")[0]
    with pytest.raises(InvalidInputError, match=r"`domains`: got none"):
        splinescope.tessellate_slices(net, [])
    with pytest.raises(
        InvalidInputError, match=r"number 1 is a Segment of 1 dimension; expected a Slice or a Box of two"
    ):
        splinescope.tessellate_slices(net, [plane, splinescope.Segment(np.zeros(4), np.ones(4))])
    with pytest.raises(InvalidInputError, match=r"number 1: `domain`: its points have shape \(2,\)"):
        splinescope.tessellate_slices(net, [plane, Slice.box([0, 0], [1, 1])])
    with pytest.raises(InvalidInputError, match="`verify`"):
        splinescope.tessellate_slices(net, [plane], verify="all")


def test_a_module_is_imported_once_with_the_shape_of_the_slices() -> None:
    module = weighted(nn.Sequential(nn.Linear(3, 4), nn.ReLU()))
    found = splinescope.tessellate_slices(module, [Slice.box([-1, -1, z], [1, 1, z]) for z in (0.0, 1.0)])
    assert found[0].network is found[1].network is found.network


def test_any_iterable_of_slices_and_what_is_refused() -> None:
    net, slices = network("mlp"), domains("mlp")[:3]
    found = splinescope.tessellate_slices(net, iter(slices))
    assert len(found) == 3
    with pytest.raises(InvalidInputError, match="`domains`: number 0: `domain`: its points have shape"):
        splinescope.tessellate_slices(net, [Slice.box([-1, -1], [1, 1]), *slices])
    with pytest.raises(InvalidInputError, match="number 1 is a Box of 4 dimensions"):
        splinescope.tessellate_slices(net, [slices[0], splinescope.Box(-np.ones(4), np.ones(4))])
    for node in (0, 99, -1):
        with pytest.raises(InvalidInputError, match="`node`"):
            found.folding(node)
    assert found.plot().get_title() == "slice 0 of 3"


def test_folds_that_coincide_are_those_of_all_units() -> None:
    """The second unit is a multiple of the first one, or one on the slice only."""
    for second, bias in (([1.0, 1.0, 1.0], -1.0), ([-2.0, -2.0, -2.0], 2.0), ([1.0, 1.0, 3.0], -1.6)):
        module = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1)).double()
        module[0].weight.data = torch.tensor([[1.0, 1.0, 1.0], second], dtype=torch.float64)
        module[0].bias.data = torch.tensor([-1.0, bias], dtype=torch.float64)
        slices = [Slice.box([low, low, 0.3], [low + 1, low + 1, 0.3]) for low in (0, -9)]
        found = splinescope.tessellate_slices(module, slices)
        assert found.folding(2).tolist() == [[True, True], [False, False]]


def small_beside_large() -> nn.Module:
    """Outputs are of size 1e-10 for z < 0 and of size 1 above."""
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1, bias=False)).double()
    module[0].weight.data = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]], dtype=torch.float64)
    module[0].bias.data = torch.tensor([2.0, 2, 0, 0.3], dtype=torch.float64)
    module[2].weight.data = torch.tensor([[1e-10, 0, 1, -1e-10]], dtype=torch.float64)
    return module


@pytest.mark.parametrize("level", ["values", "proof"])
def test_errors_are_relative_to_a_slice_s_own_outputs(level: str) -> None:
    slices = [Slice.box([-1, -1, z], [1, 1, z]) for z in (-1.0, 1.0)]
    (part,) = splinescope.tessellate_slices(small_beside_large(), slices, verify=level).parts
    for found, expected in zip(part.certificates, (certify(part.cells(k), level) for k in (0, 1)), strict=True):
        assert found.output_error >= expected.output_error
        assert found.tolerances["output"] >= expected.tolerances["output"]
    outputs = part.vertex_outputs.copy()
    outputs[: part.vertex_starts[1]] *= 1 + 1e-5
    with pytest.raises(CertificateError, match=r"^slice 0"):
        certify_slices(replace(part, vertex_outputs=outputs, certificates=()), level)
