"""Independent witnesses: forward passes at points of the cells, compared with what the complex recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numba import njit

from splinescope.geometry.bits import pack_signs, words_for
from splinescope.network.evaluate import walk
from splinescope.network.graph import Network
from splinescope.network.ops import Activation, Maximum
from splinescope.numerics import UNIT_ROUNDOFF, Tolerance, in_blocks, in_ranges
from splinescope.tessellation.breakpoints import activation_folds
from splinescope.tessellation.certificate import fail
from splinescope.tessellation.codes import Codes
from splinescope.tessellation.rounding import Bounds, input_bounds, largest, propagate

_CHUNK_BYTES = 1 << 23
"""Bytes of the widest layer that a chunk of points may have: what a processor's cache holds."""


class _Place(Protocol):
    """Where cells lie: a domain, or several."""

    @property
    def size(self) -> float:
        """Largest extent along a coordinate."""

    @property
    def corners(self) -> np.ndarray:
        """Coordinates of its corners."""

    def embed(self, coordinates: np.ndarray) -> np.ndarray:
        """Inputs at coordinates."""


class _Witnessed(Protocol):
    """What a witness needs of a complex: see `PolyhedralComplex` for the meaning of each part."""

    @property
    def network(self) -> Network: ...
    @property
    def domain(self) -> _Place: ...
    @property
    def tolerance(self) -> Tolerance: ...
    @property
    def vertices(self) -> np.ndarray: ...
    @property
    def vertex_outputs(self) -> np.ndarray: ...
    @property
    def amplification(self) -> np.ndarray: ...
    @property
    def interior_points(self) -> np.ndarray: ...
    @property
    def cell_vertices(self) -> np.ndarray: ...
    @property
    def cell_offsets(self) -> np.ndarray: ...
    @property
    def codes(self) -> tuple[Codes, ...]: ...
    def __len__(self) -> int: ...
    def interior_outputs(self) -> np.ndarray: ...


@dataclass(frozen=True)
class Seen:
    """What a comparison measured.

    Attributes:
        output_error: Largest error of an output, relative to the largest output.
        output_tolerance: What it was held to.
        undecided: Number of recorded signs contradicted within the tolerance.
        sign_error: Largest contradiction as a share of its tolerance.
    """

    output_error: float
    output_tolerance: float
    undecided: int
    sign_error: float


@dataclass(frozen=True)
class _Passed:
    """One node of a forward pass over one chunk of points."""

    index: int
    before: np.ndarray
    bounds: Bounds


def _chunk_size(network: Network) -> int:
    widest = max(int(np.prod(node.shape, dtype=np.int64)) for node in network.nodes)
    return max(32, _CHUNK_BYTES // (8 * widest))


def _bounds_on(network: Network, inputs: np.ndarray) -> list[Bounds]:
    """Running-error bounds of every node, with magnitudes seen at some inputs."""
    bounds: list[Bounds] = []
    with torch.no_grad():
        for index, value in walk(network, torch.from_numpy(np.ascontiguousarray(inputs))):
            node = network.nodes[index]
            flat = value.reshape(len(inputs), -1).numpy()
            if not node.inputs:
                bounds.append(input_bounds(flat))
                continue
            shapes = [network.nodes[source].shape for source in node.inputs]
            bounds.append(propagate(node.op, [bounds[source] for source in node.inputs], shapes, largest(flat)))
    return bounds


def _sampled_bounds(cells: _Witnessed, sample: int = 256) -> list[Bounds]:
    """Bounds with the magnitudes at an even sample of the cells and at the corners of the domain."""
    chosen = cells.interior_points[:: max(1, len(cells) // sample)]
    return _bounds_on(cells.network, cells.domain.embed(np.concatenate([cells.domain.corners, chosen])))


def _forward(network: Network, inputs: np.ndarray, bounds: list[Bounds]) -> Iterator[_Passed]:
    """Pre-activations of every folding node, then the outputs (index -1)."""
    values: dict[int, torch.Tensor] = {}
    last = {source: i for i, node in enumerate(network.nodes) for source in node.inputs}
    with torch.no_grad():
        for index, value in walk(network, torch.from_numpy(np.ascontiguousarray(inputs))):
            node = network.nodes[index]
            if isinstance(node.op, Activation | Maximum):
                source = node.inputs[0]
                yield _Passed(index, values[source].reshape(len(inputs), -1).numpy(), bounds[source])
            values[index] = value
            for source in set(node.inputs):
                if last[source] == index and source != network.output:
                    values.pop(source, None)
    output = values[network.output].reshape(len(inputs), -1).numpy()
    yield _Passed(-1, output, bounds[network.output])


@njit(cache=True, nogil=True)
def _contradictions(
    start: int, stop: int, codes: np.ndarray, positive: np.ndarray, negative: np.ndarray, found: np.ndarray
) -> None:
    """Mark rows in which a sign contradicts its code."""
    for row in range(start, stop):
        for word in range(codes.shape[1]):
            if (positive[row, word] & ~codes[row, word]) | (negative[row, word] & codes[row, word]):
                found[row] = True


def _signs(
    values: np.ndarray, shifts: np.ndarray, thresholds: np.ndarray, factor: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Positive and negative bits, level after level without padding between the levels if there is only one."""
    words = words_for(values.shape[1])
    positive = np.empty((len(values), len(shifts) * words), np.uint64)
    negative = np.empty_like(positive)
    in_ranges(pack_signs, len(values), values, shifts, thresholds, factor, positive, negative)
    return positive, negative


def _activation_violation(
    cells: _Witnessed, passed: _Passed, codes: Codes, which: np.ndarray, factor: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows with a sign contradicted, and by how much relative to the tolerance (rows are points of cells `which`)."""
    op = cells.network.nodes[passed.index].op
    assert isinstance(op, Activation)
    folds = activation_folds(op, passed.bounds, passed.index, cells.domain.size, cells.tolerance)
    scale = cells.tolerance.certificate / cells.tolerance.safety
    units = passed.before.shape[1]
    recorded = codes.full(which)
    rows, amounts = [], []
    zero = np.where(np.isfinite(folds.thresholds), 0.0, np.inf)
    if len(folds.shifts) == 1:
        positive, negative = _signs(passed.before, folds.shifts, zero, factor)
        found = np.zeros(len(which), bool)
        in_ranges(_contradictions, len(which), recorded, positive, negative, found)
        suspects = np.flatnonzero(found)
    else:
        suspects = np.arange(len(which))
    for part in np.array_split(suspects, max(1, len(suspects) * units // (1 << 22))):
        if not len(part):
            continue
        bits = _unpack_rows(recorded[part], len(folds.shifts) * units).reshape(len(part), len(folds.shifts), units)
        values = passed.before[part][:, None, :] - folds.shifts
        sign = 1.0 - 2.0 * bits  # positive value contradicts code 0, negative contradicts code 1
        wrong = np.where(np.isfinite(folds.thresholds), np.maximum(values * sign, 0.0), 0.0)
        ratio = (wrong / (scale * np.where(np.isfinite(folds.thresholds), folds.thresholds, 1.0))).max(axis=(1, 2))
        rows.append(part)
        amounts.append(ratio / factor[part])
    if not rows:
        return np.empty(0, np.int64), np.empty(0)
    row, amount = np.concatenate(rows), np.concatenate(amounts)
    return row[amount > 0], amount[amount > 0]


def _unpack_rows(words: np.ndarray, columns: int) -> np.ndarray:
    """Bits of rows of words as float64."""
    raw = np.ascontiguousarray(words.astype("<u8", copy=False)).view(np.uint8)
    return np.unpackbits(raw, axis=1, bitorder="little")[:, :columns].astype(np.float64)


def _maximum_violation(
    cells: _Witnessed, passed: _Passed, codes: Codes, which: np.ndarray, factor: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows in which the recorded winner of a group is not its largest member, and by how much."""
    op = cells.network.nodes[passed.index].op
    assert isinstance(op, Maximum)
    groups = np.asarray(op.index)
    number = len(groups)
    bits = _unpack_rows(codes.full(which), len(codes.base)).astype(np.int64)
    digits = bits.reshape(len(bits), -1, number)
    winner = (digits << np.arange(digits.shape[1])[:, None]).sum(axis=1)
    index = np.maximum(groups, 0)
    slack = cells.tolerance.certificate * passed.bounds.error[index].max(axis=1) + np.finfo(float).tiny
    ratio = np.zeros(len(which))
    for start in range(0, len(which), 256):
        part = slice(start, start + 256)
        members = np.where(groups >= 0, passed.before[part][:, index], -np.inf)
        chosen = np.take_along_axis(members, winner[part][:, :, None], axis=2)[:, :, 0]
        ratio[part] = ((members.max(axis=2) - chosen) / slack).max(axis=1) / factor[part]
    rows = np.flatnonzero(ratio > 0)
    return rows, ratio[rows]


def _violations(
    cells: _Witnessed, passed: _Passed, codes: Codes, which: np.ndarray, factor: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows that contradict the recorded codes, with the contradiction as a share of the tolerance."""
    if isinstance(cells.network.nodes[passed.index].op, Maximum):
        return _maximum_violation(cells, passed, codes, which, factor)
    return _activation_violation(cells, passed, codes, which, factor)


def _name(cells: _Witnessed, index: int) -> str:
    return f"node {cells.network.nodes[index].name!r}"


def check_interiors(cells: _Witnessed) -> Seen:
    """Compare pattern and output of every cell with a forward pass at its interior point."""
    comparison = _Interiors(cells)
    parts = in_blocks(comparison.block, len(cells), grain=256)
    return _combined([seen for part in parts for seen in part])


class _Interiors:
    """Comparison at interior points, chunk by chunk."""

    def __init__(self, cells: _Witnessed) -> None:
        self._cells = cells
        self._codes = {code.node: code for code in cells.codes}
        self._expected = cells.interior_outputs()
        self._bounds = _sampled_bounds(cells)
        self._scale = max(float(np.abs(cells.vertex_outputs).max(initial=0.0)), np.finfo(float).tiny)
        self._slack = np.maximum.reduceat(cells.amplification[cells.cell_vertices], cells.cell_offsets[:-1])

    def block(self, start: int, stop: int) -> list[Seen]:
        """What was seen in cells `start:stop`."""
        size = _chunk_size(self._cells.network)
        return [self._chunk(np.arange(low, min(low + size, stop))) for low in range(start, stop, size)]

    def _chunk(self, which: np.ndarray) -> Seen:
        cells, undecided, worst = self._cells, 0, 0.0
        factor = np.ones(len(which))
        for passed in _forward(cells.network, cells.domain.embed(cells.interior_points[which]), self._bounds):
            if passed.index < 0:
                return Seen(*self._output_errors(which, passed), undecided, worst)
            rows, amount = _violations(cells, passed, self._codes[passed.index], which, factor)
            if (amount > 1).any():
                bad = which[rows[amount > 1]]
                fail("patterns", bad, f"the network's pattern at {_name(cells, passed.index)} is another one")
            undecided += len(rows)
            worst = max(worst, float(amount.max(initial=0.0)))
        raise AssertionError("a forward pass ends with the output")

    def _output_errors(self, which: np.ndarray, passed: _Passed) -> tuple[float, float]:
        """Largest error of an output and what it was held to, relative to the largest output."""
        error = np.abs(passed.before - self._expected[which])
        allowed = self._cells.tolerance.certificate * (passed.bounds.error + UNIT_ROUNDOFF * self._scale)
        bad = which[(error > self._slack[which][:, None] * allowed).any(axis=1)]
        if len(bad):
            fail("values", bad, f"outputs differ from the cells' affine maps by up to {error.max():.1e}")
        return float(error.max(initial=0.0)) / self._scale, float(allowed.max(initial=0.0)) / self._scale


def _combined(parts: list[Seen]) -> Seen:
    """The worst of several comparisons."""
    columns = zip(*((p.output_error, p.output_tolerance, p.undecided, p.sign_error) for p in parts), strict=True)
    error, tolerance, undecided, sign = columns
    return Seen(max(error), max(tolerance), sum(undecided), max(sign))


def check_vertices(cells: _Witnessed) -> Seen:
    """At every vertex of every cell, every unit has the sign recorded for the cell, or none."""
    groups = list(_groups_of_cells(cells, _chunk_size(cells.network)))
    codes = {code.node: code for code in cells.codes}
    bounds = _sampled_bounds(cells)

    def block(start: int, stop: int) -> list[Seen]:
        return [_check_corners(cells, codes, bounds, group) for group in groups[start:stop]]

    return _combined([seen for part in in_blocks(block, len(groups), grain=1) for seen in part])


def _check_corners(cells: _Witnessed, codes: dict[int, Codes], bounds: list[Bounds], chosen: np.ndarray) -> Seen:
    """The signs at all vertices of some cells."""
    undecided, worst = 0, 0.0
    corners = [cells.cell_vertices[cells.cell_offsets[c] : cells.cell_offsets[c + 1]] for c in chosen]
    which = np.repeat(chosen, [len(c) for c in corners])
    vertices, row = np.unique(np.concatenate(corners), return_inverse=True)
    factor = cells.amplification[vertices][row]
    for passed in _forward(cells.network, cells.domain.embed(cells.vertices[vertices]), bounds):
        if passed.index < 0:
            continue
        expanded = _Passed(passed.index, passed.before[row], passed.bounds)
        rows, amount = _violations(cells, expanded, codes[passed.index], which, factor)
        if (amount > 1).any():
            bad = np.unique(which[rows[amount > 1]])
            fail("proof", bad, f"a unit of {_name(cells, passed.index)} has the other sign at a vertex of the cell")
        undecided += len(rows)
        worst = max(worst, float(amount.max(initial=0.0)))
    return Seen(0.0, 0.0, undecided, worst)


def _groups_of_cells(cells: _Witnessed, points: int) -> Iterator[np.ndarray]:
    """Neighbouring cells in groups with at most about `points` corners."""
    order = np.argsort(cells.interior_points[:, 0], kind="stable")
    strips = np.array_split(order, max(1, int(np.sqrt(len(cells.cell_vertices) / points))))
    for strip in strips:
        strip = strip[np.argsort(cells.interior_points[strip, -1], kind="stable")]
        corners = int(np.sum(cells.cell_offsets[strip + 1] - cells.cell_offsets[strip]))
        yield from np.array_split(strip, max(1, -(-corners // points)))
