"""Which of some values leads where along segments: in float64 where each vertex' own error allows it, else exactly.

A bound that all vertices share hides the small values of a network behind the large ones that it takes elsewhere. So it
only says which vertices get bounds of their own, by a forward pass; what these leave open on a cell is decided by the
exact lines that the outputs are there, between the exact places of its ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq, fmpz

from splinescope.network.evaluate import products
from splinescope.tessellation.certificate.forward import forward
from splinescope.tessellation.certificate.places import SegmentsPlace
from splinescope.tessellation.codes import pieces_of_cells
from splinescope.tessellation.dyadics import Dyadic, Form
from splinescope.tessellation.exact import ExactForms, Pieces, segment_rows
from splinescope.tessellation.predicates import envelope, nearest
from splinescope.tessellation.rounding import measured_bounds
from splinescope.tessellation.segments.batch import SegmentBatch
from splinescope.tessellation.segments.grouping import terms_of
from splinescope.tessellation.segments.kernels.envelopes import Leads, Walked, corrected, leads

_SAMPLE = 256
"""Vertices at which rounding errors of all are looked up."""

_NEAR = 2.0**-20
"""Share of the largest output up to which nobody takes the common error for that of a vertex."""

_PLACED = 2.0**-32
"""By how much the parameter of a vertex may differ from the breakpoint that it stands for: see `placement`."""

_COARSE, _UNSURE = 2.0**-24, 2.0**-40
"""Uncertainty of a change, as a share of its cell and of the segment, from which on its place is taken exactly."""

_LARGEST_CELL, _MOST, _SET_UP = 1 << 24, 1 << 26, 1 << 11
"""Products of integers that one cell may take, and that all may, some seconds; and what each costs beside them."""

_CHUNK = 1 << 18
"""Numbers of the widest node that one pass holds."""


class Leading(NamedTuple):
    """Who leads on cells.

    Attributes:
        leads: The leads, one group.
        undecided: Cells on which what rounding hides counts as equal, since exact arithmetic would have taken too long.
    """

    leads: Leads
    undecided: int


def leading(batch: SegmentBatch, values: np.ndarray, outputs: np.ndarray) -> Leading:
    """Who leads on the cells of segments, of some values that are outputs or zero.

    Args:
        batch: The segments.
        values: [V, k] the values at the vertices.
        outputs: [k] which output each is; -1 for zero.

    Returns:
        The leads; of values that are equal on a whole cell the first one leads.
    """
    inner = np.ones(len(batch.t), bool)
    inner[batch.offsets[1:] - 1] = False
    largest = float(np.abs(values).max(initial=0.0))
    common = _common_error(batch, outputs[outputs >= 0])
    everyone, ones, sure = np.arange(values.shape[1])[None], np.ones(values.shape[1]), np.zeros(len(batch.t))
    scale = np.full(len(batch.t), common + _NEAR * largest)
    near = leads(inner, batch.t, sure, scale, values, everyone, ones).doubtful[:, 0]
    scale[:] = common
    own = np.unique(np.concatenate([near, near + 1]))
    scale[own] = _own_errors(batch, values[own], outputs, own)
    found = leads(inner, batch.t, sure, scale, values, everyone, ones)
    interval = np.repeat(np.arange(len(inner)), np.diff(found.raw.offsets))
    allowed = np.minimum(_UNSURE, _COARSE * (batch.t[interval + 1] - batch.t[interval]))
    coarse = np.setdiff1d(interval[found.raw.uncertainties > allowed], found.doubtful[:, 0])
    exact = _ExactLeads(batch, outputs)
    answers = {here: exact.on(here) for here in [*found.doubtful[:, 0].tolist(), *coarse.tolist()]}
    undecided = sum(answers[here] is None for here in found.doubtful[:, 0].tolist())
    known = {(here, 0): walked for here, walked in answers.items() if walked is not None}
    return Leading(corrected(found, everyone, known), undecided)


def _common_error(batch: SegmentBatch, outputs: np.ndarray) -> float:
    """How well float64 knows outputs along all segments together, as far as some vertices show."""
    chosen = np.linspace(0, len(batch.t) - 1, min(len(batch.t), _SAMPLE)).astype(np.int64)
    chosen = np.union1d(chosen, np.abs(batch.vertex_outputs[:, outputs]).argmax(axis=0))
    coordinates = np.column_stack([batch.vertex_segments[chosen], batch.t[chosen]])
    inputs, terms = batch.domain.embed(coordinates), terms_of(batch.domain.starts, batch.domain.ends)
    bounds = measured_bounds(batch.network, inputs, terms, batch.tolerance.safety)
    return float(bounds[batch.network.output].error[outputs].max())


def _own_errors(batch: SegmentBatch, values: np.ndarray, outputs: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """[k] bounds of what values at some vertices may be off, for the roundings of their places among others."""
    network, place, some = batch.network, SegmentsPlace(batch.domain), outputs >= 0
    coordinates = np.column_stack([batch.vertex_segments[vertices], batch.t[vertices]])
    across = np.abs(batch.domain.ends - batch.domain.starts).reshape(len(batch), -1)
    step = max(1, _CHUNK // max(node.size for node in network.nodes))
    errors = np.empty(len(vertices))
    for start in range(0, len(vertices), step):
        part = slice(start, start + step)
        moved = _PLACED * across[coordinates[part, 0].astype(np.int64)]
        rounded = place.errors(coordinates[part]) + moved
        (passed,) = forward(network, place.embed(coordinates[part]), rounded, pointwise=True, folds=False)
        off = np.abs(passed.values[:, outputs[some]] - values[part][:, some]) + passed.errors[:, outputs[some]]
        errors[part] = off.max(axis=1)
    return np.nan_to_num(errors, nan=np.inf)


@dataclass
class _ExactLeads:
    """Exact leads on cells of segments.

    Attributes:
        batch: The segments.
        outputs: [k] which output each value is; -1 for zero.
    """

    batch: SegmentBatch
    outputs: np.ndarray
    _spent: int = 0
    _segment: int = -1
    _forms: ExactForms | None = None
    _rows: dict[int, Any] = field(default_factory=dict)
    _places: dict[int, fmpq] = field(default_factory=dict)

    @cached_property
    def _most(self) -> int:
        """Products of integers that may be spent; none where those of one cell are too many."""
        return _MOST if sum(products(self.batch.network)) <= _LARGEST_CELL else -1

    def on(self, here: int) -> Walked | None:
        """The leads on the cell behind a vertex; None if too much has been spent, or a breakpoint has no place."""
        batch, segment = self.batch, int(np.searchsorted(self.batch.offsets, here, side="right")) - 1
        if self._spent + (self._forms.products if self._forms else 0) > self._most:
            return None
        self._spent += _SET_UP
        if segment != self._segment or self._forms is None:
            self._spent += self._forms.products if self._forms else 0
            inputs = segment_rows(batch.domain.starts[segment], batch.domain.ends[segment])
            self._segment, self._forms = segment, ExactForms(batch.network, inputs, Dyadic([], 0), self._rows)
        low, high = self._place(here), self._place(here + 1)
        if low is None or high is None or not low < high:
            return None
        used = np.unique(self.outputs[self.outputs >= 0])
        known = self._forms.values(self._pieces(here), batch.network.output, used)
        rows: dict[int, Form] = {-1: [fmpz(0), fmpz(0)], **dict(zip(used.tolist(), known.rows, strict=True))}
        leaders, places = envelope({k: rows[output] for k, output in enumerate(self.outputs.tolist())}, low, high)
        fractions = [nearest((place - low) / (high - low)) for place in places]
        return Walked(leaders, fractions, [0.0] * len(fractions))

    def _pieces(self, here: int) -> Pieces:
        """Pattern of the cell behind a vertex."""
        (pieces,) = pieces_of_cells(self.batch.network, self.batch.codes, np.array([here - self._segment]))
        return pieces

    def _place(self, vertex: int) -> fmpq | None:
        """Exact parameter of a vertex: the zero of the form of a unit that flips there, or that of an end."""
        if vertex not in self._places:
            batch, flips = self.batch, slice(*self.batch.flip_offsets[vertex : vertex + 2].tolist())
            if flips.start == flips.stop:
                self._places[vertex] = fmpq(*float(batch.t[vertex]).as_integer_ratio())
                return self._places[vertex]
            before, behind = self._pieces(vertex - 1), self._pieces(vertex)
            for node, unit in zip(batch.flip_op[flips].tolist(), batch.flip_unit[flips].tolist(), strict=True):
                assert self._forms is not None
                for slope, constant in self._forms.between(before, behind, node, np.array([unit])):
                    if slope != 0:
                        self._places[vertex] = fmpq(-constant, slope)
                        return self._places[vertex]
        return self._places.get(vertex)
