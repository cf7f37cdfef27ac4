"""Passes that groups of cells share: values and bounds against rational arithmetic, and what they leave to others."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.errors import CertificateError
from splinescope.network.ops import AffineOp
from splinescope.tessellation import certify
from splinescope.tessellation.certificate import Certificate, evaluators, sharing
from splinescope.tessellation.certificate.evaluators import Float
from splinescope.tessellation.certificate.groups import Group, GroupLimits, groups_of
from splinescope.tessellation.certificate.incidence import NearFolds
from splinescope.tessellation.certificate.passes import check_interiors
from splinescope.tessellation.certificate.settlement import Settlement
from splinescope.tessellation.certificate.shared import NotSharedError, Scratch, SharedPass
from splinescope.tessellation.certificate.subject import Subject
from splinescope.tessellation.certificate.subjects import subject_of
from splinescope.tessellation.codes import pieces_of_cells
from splinescope.tessellation.complex import VertexComplex
from tests.certificate.grouped import in_groups
from tests.certificate.test_calibrated import calibrated

Numbers = list[Fraction]


def network(kind: str, scales: tuple[float, float] = (1.0, 1.0), cancel: float = 0.0) -> splinescope.Network:
    """A small network of some kind; terms of its second layer are so many times larger than their sums."""
    torch.manual_seed(3)
    first, second = nn.Linear(2, 8).double(), nn.Linear(8, 8).double()
    with torch.no_grad():
        if cancel:  # units come in pairs that are nearly the same, and are subtracted
            first.weight[1::2], first.bias[1::2] = first.weight[::2] * (1 + 1e-9), first.bias[::2]
            second.weight[:, ::2] *= cancel
            second.weight[:, 1::2] = -second.weight[:, ::2] * (1 + 1e-12)
        for layer, factor, offset in zip((first, second), scales, np.cumprod(scales).tolist(), strict=True):
            layer.weight *= factor
            layer.bias *= offset
    middle = {
        "relu": nn.ReLU(),
        "leaky": nn.LeakyReLU(0.3),
        "hardtanh": nn.Hardtanh(-0.5, 0.7),
        "pool": nn.Sequential(nn.Unflatten(1, (1, 8)), nn.MaxPool1d(3, 1, 1), nn.Flatten()),
    }[kind]
    return splinescope.load(nn.Sequential(first, middle, second, nn.ReLU(), nn.Linear(8, 3)).double())


def exact_branch(cells: VertexComplex, cell: int, point: np.ndarray) -> dict[int, Numbers]:
    """What folding nodes read, and the output (-1), on the branch of a cell's pattern: rational numbers."""
    graph = cells.network
    pieces = pieces_of_cells(graph, cells.codes, np.array([cell]))[0]
    values: dict[int, Numbers] = {}
    found: dict[int, Numbers] = {}
    for index, node in enumerate(graph.nodes):
        if not node.inputs:
            values[index] = [Fraction(float(x)) for x in point]
            continue
        x = values[node.inputs[0]]
        if node.fold is not None:
            found[index] = x
            reads = node.fold.reads(pieces[index].astype(np.int64))
            rows = zip(reads.places.tolist(), reads.slopes.tolist(), reads.intercepts.tolist(), strict=True)
            values[index] = [Fraction(slope) * x[place] + Fraction(offset) for place, slope, offset in rows]
        else:
            assert isinstance(node.op, AffineOp)
            shape = graph.nodes[node.inputs[0]].shape
            rows = node.op.rows(np.arange(node.size), shape).toarray().tolist()
            offsets = node.op.offsets(shape).tolist()
            values[index] = [
                sum((Fraction(w) * v for w, v in zip(row, x, strict=True) if w), Fraction(offset))
                for row, offset in zip(rows, offsets, strict=True)
            ]
    return {**found, -1: values[graph.output]}


def whole(subject: Subject) -> Group:
    """All cells as one group."""
    with in_groups():
        (group,) = groups_of(subject, np.arange(len(subject)), GroupLimits(len(subject), math.inf))
    return group


BOX = splinescope.Slice.box([-1, -1], [1, 1])
HARD = [((1.0, 1.0), 0.0), ((1.0, 1.0), 1e6), ((1e150, 1e-150), 0.0), ((1e-160, 1e-158), 0.0), ((1e8, 1e-5), 1e5)]


@pytest.mark.parametrize("kind", ["relu", "leaky", "hardtanh", "pool"])
@pytest.mark.parametrize(("scales", "cancel"), HARD)
def test_errors_of_all_values_are_within_their_bounds(kind: str, scales: tuple[float, float], cancel: float) -> None:
    if kind == "hardtanh":
        cancel = min(cancel, 100.0)  # beyond that an import says that it does not agree with its original
    cells = splinescope.tessellate(network(kind, scales, cancel), BOX, verify="topology")
    subject = subject_of(cells, False)
    group = whole(subject)
    assert group.folding
    chosen = np.linspace(0, len(cells) - 1, 6).astype(np.int64)
    exact = {cell: exact_branch(cells, cell, subject.points[cell]) for cell in chosen.tolist()}
    owner, worst = np.arange(len(cells)), 0.0
    for look in SharedPass(subject, group, subject.points, owner, read_by_folds(cells), Scratch()).looks():
        assert len(look.values) == len(look.errors)
        for cell in chosen.tolist():
            for unit, value in enumerate(exact[cell][look.index]):
                error = abs(Fraction(float(look.values[unit, cell])) - value)
                assert error <= Fraction(float(look.errors[unit])), (look.index, cell, unit)
                worst = max(worst, float(error / max(Fraction(float(look.errors[unit])), Fraction(5e-324))))
    assert worst > 1e-6  # bounds that allow anything would pass, too


def read_by_folds(cells: VertexComplex) -> dict[int, np.ndarray]:
    """Everything that folding nodes read."""
    nodes = cells.network.nodes
    return {index: np.arange(nodes[nodes[index].inputs[0]].size) for index in cells.network.folds}


def test_numbers_that_overflow_are_left_to_passes_of_their_own() -> None:
    cells = splinescope.tessellate(network("relu"), BOX, verify="topology")
    nodes = list(cells.network.nodes)
    dense = nodes[1].op
    nodes[1] = replace(nodes[1], op=replace(dense, weight=dense.weight * 1e308, bias=dense.bias * 1e308))
    broken = replace(cells, network=replace(cells.network, nodes=tuple(nodes)), certificate=None)
    subject = subject_of(broken, False)
    with pytest.raises(NotSharedError):
        list(SharedPass(subject, whole(subject), subject.points, np.arange(len(cells)), {}, Scratch()).looks())
    evaluator = Float(subject)
    with in_groups():
        seen = check_interiors(subject, evaluator, Settlement(subject, evaluator), None)
    assert seen.own == len(cells)


@functools.cache
def large() -> VertexComplex:
    """A complex that is large enough to be looked at in groups as it is."""
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(2, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 4)).double()
    return splinescope.tessellate(module, splinescope.Slice.box([-0.15, -0.15], [0.15, 0.15]), verify="topology")


@pytest.mark.parametrize("level", ["values", "proof"])
def test_most_points_share_a_pass(level: str) -> None:
    assert len(large()) > 512
    certificate = certify(large(), level)
    assert certificate.level == level
    assert certificate.errors == "proved"
    assert certificate.own_passes < 0.1
    assert certificate.output_error <= certificate.tolerances["output"] < 1e-10


def test_in_narrow_networks_points_have_passes_of_their_own() -> None:
    """Nearly all units fold between the cells of a group: its sums over rows take more products than its points."""
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(2, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 4)).double()
    cells = splinescope.tessellate(module, splinescope.Slice.box([-2, -2], [2, 2]), verify="topology")
    assert len(cells) * sum(node.size for node in cells.network.nodes) > evaluators._SMALL  # not looked at all at once
    for level in ("values", "proof"):
        own, (shared, rows) = certify(cells, level), in_large_groups(cells, level)
        assert own.level == shared.level == level
        assert own.own_passes == 1.0
        assert shared.own_passes < 0.1
        assert rows > 16


def in_large_groups(cells: VertexComplex, level: str) -> tuple[Certificate, int]:
    """The certificate of groups that need not be worth it, and how many units fold between the cells of all."""
    with in_groups(len(cells)):
        return certify(cells, level), whole(subject_of(cells, False)).folding


def test_one_wrong_bit_among_many_cells_is_found() -> None:
    cells = large()
    code = cells.codes[-1]
    for column in range(0, len(code.columns), 5):
        words = code.words.copy()
        words[len(cells) // 3, column >> 6] ^= np.uint64(1) << np.uint64(column & 63)
        broken = replace(cells, codes=(*cells.codes[:-1], replace(code, words=words)), certificate=None)
        with pytest.raises(CertificateError) as found:
            certify_past_topology(broken)
        assert len(cells) // 3 in found.value.cells


def certify_past_topology(cells: VertexComplex) -> None:
    """The comparisons with forward passes alone: neighbours would give a wrong bit away before."""
    subject = subject_of(cells, False)
    evaluator = Float(subject)
    check_interiors(subject, evaluator, Settlement(subject, evaluator), None)


def test_one_changed_output_among_many_cells_is_found() -> None:
    outputs = large().vertex_outputs.copy()
    outputs[len(outputs) // 2] *= 1 + 1e-8
    with pytest.raises(CertificateError):
        certify(replace(large(), vertex_outputs=outputs, certificate=None), "proof")


def test_folds_around_cells_are_known_as_well_from_groups() -> None:
    """What is noted of facets at interior points, with a pass of a group and with passes of their own."""
    subject = subject_of(large(), True)
    notes = []
    for fewest in (0, 1 << 30):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sharing, "FEWEST", fewest)
            near, evaluator = NearFolds(subject), Float(subject)
            check_interiors(subject, evaluator, Settlement(subject, evaluator), near)
            notes.append(near.shares)
    assert ((notes[0] > 0) == (notes[1] > 0)).all()
    assert np.median(notes[0][notes[0] > 0] / notes[1][notes[1] > 0]) < 4


def test_measured_errors_are_measured_of_groups_too() -> None:
    evaluator = calibrated()
    settlement = Settlement(evaluator.subject, evaluator)
    with in_groups(12):
        seen = check_interiors(evaluator.subject, evaluator, settlement, None)
    assert seen.own < len(evaluator.subject)
    assert settlement.settled.open == 0
