"""The folds around cells: what vanishes on a facet, how well it is known, and which units vanish at a corner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splinescope.network.ops import Activation, Maximum, Reshape
from splinescope.tessellation.certificate.facts import Facts
from splinescope.tessellation.certificate.forward import Passed
from splinescope.tessellation.certificate.subject import RESOLUTION, Subject, pair_bits


@dataclass(frozen=True)
class Knowledge:
    """What is known of all corners before any is looked at.

    Attributes:
        doubt: [R] share of a unit's swing over the cell that a corner's position leaves open.
        slack: [F] share that roundings of the coordinates make of the distance of a corner from a fold through it.
    """

    doubt: np.ndarray
    slack: np.ndarray


class NearFolds:
    """How far corners may be off the folds through them, found at interior points on the way."""

    def __init__(self, subject: Subject) -> None:
        assert subject.facets is not None
        self._subject, self._facets = subject, subject.facets
        self._plus, self._minus, self._shift = functionals(subject)
        self._shares = np.zeros(len(subject.facets.items))

    def note(self, cells: np.ndarray, passed: Passed, placement: np.ndarray | float) -> None:
        """For each facet of some cells, by how much it may be missed over its unit's value inside the cell.

        Args:
            cells: A range of cells.
            passed: What a folding node reads at their interior points.
            placement: By how much more than four times its error a corner may be off.
        """
        facets, offsets = self._facets, self._subject.cell_offsets
        corners = offsets[cells[0]], offsets[cells[-1] + 1]
        start, stop = facets.offsets[corners[0]], facets.offsets[corners[1]]
        mine = np.flatnonzero(facets.op[facets.items[start:stop]] == passed.index)
        if not len(mine):
            return
        facet = facets.items[start + mine]
        corner = np.searchsorted(facets.offsets[corners[0] : corners[1] + 1], start + mine, side="right") - 1
        row = self._subject.owner[corners[0] + corner] - cells[0]
        plus, other, pair = self._plus[facet], np.maximum(self._minus[facet], 0), self._minus[facet] >= 0
        errors = passed.errors.max(axis=0)
        placed = np.broadcast_to(placement, errors.shape)
        value = np.abs(passed.values[row, plus] - np.where(pair, passed.values[row, other], self._shift[facet]))
        error = errors[plus] + np.where(pair, errors[other], 0.0)
        away = 4 * error + placed[plus] + np.where(pair, placed[other], 0.0)
        with np.errstate(divide="ignore"):
            self._shares[start + mine] = np.where(value > error, away / (value - error), np.inf)

    def knowledge(self) -> Knowledge:
        """How far each corner may be from where its facets cross."""
        subject, facets = self._subject, self._facets
        assert subject.corners is not None
        shapes = subject.shapes
        with np.errstate(divide="ignore", invalid="ignore"):
            slack = 4 * RESOLUTION / shapes.width
            some = len(self._shares) > 0
            reach = np.maximum.reduceat(self._shares, facets.offsets[:-1]) if some else np.zeros(0)
            reach = np.where(np.diff(facets.offsets) > 0, reach, np.inf)
            reach = (reach + slack[subject.owner]) * shapes.diameter[subject.owner] * subject.corners.gain
            doubt = reach / (2 * shapes.width[subject.owner])
        finite = [np.nan_to_num(part, nan=np.inf, posinf=np.inf) for part in (doubt, slack)]
        return Knowledge(*finite)


def functionals(subject: Subject) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What vanishes on each facet: `x[plus] - x[minus]`, or `x[plus] - shift` where `minus` is -1."""
    facets = subject.facets
    assert facets is not None
    plus, minus, shift = np.zeros(len(facets.op), np.int64), np.full(len(facets.op), -1), np.zeros(len(facets.op))
    for node, codes in subject.code_of.items():
        mine = np.flatnonzero((facets.op == node) & (facets.cells >= 0).all(axis=1))
        lone = np.flatnonzero((facets.op == node) & (facets.cells < 0).any(axis=1))
        unit, op = facets.unit[mine], subject.network.nodes[node].op
        if isinstance(op, Activation):
            plus[mine] = unit
            breakpoints = np.asarray(op.breakpoints, np.float64).reshape(len(op.breakpoints), -1)
            shift[mine] = breakpoints[0, unit % breakpoints.shape[1]]
            if len(breakpoints) == 1:  # no neighbour is needed to say which breakpoint made the facet
                plus[lone] = facets.unit[lone]
                shift[lone] = breakpoints[0, facets.unit[lone] % breakpoints.shape[1]]
            size = subject.network.nodes[node].size
            for level in range(1, len(breakpoints)):
                column = unit + level * size
                one, other = (pair_bits(codes, facets.cells[mine, side], column) for side in (0, 1))
                here = one != other
                shift[mine[here]] = breakpoints[level, unit[here] % breakpoints.shape[1]]
        else:
            assert isinstance(op, Maximum)
            index = np.asarray(op.index)
            one, other = (winners_of(subject, node, facets.cells[mine, side], unit) for side in (0, 1))
            plus[mine], minus[mine] = index[unit, one], index[unit, other]
    return plus, minus, shift


def winners_of(subject: Subject, node: int, cells: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Recorded winners at pairs of a cell and a group."""
    op = subject.network.nodes[node].op
    assert isinstance(op, Maximum)
    out = np.zeros(len(cells), np.int64)
    for digit in range(max(1, int(op.index.shape[1] - 1).bit_length())):
        bits = pair_bits(subject.code_of[node], cells, groups + digit * len(op.index))
        out |= bits.astype(np.int64) << digit
    return np.minimum(out, op.index.shape[1] - 1)


def implied(subject: Subject, facts: Facts) -> np.ndarray:
    """Whether each fact follows from others: the winner among ReLU units is no less than one that is off.

    That one is zero on the cell; the winner is so, too, or is its value before the ReLU, whose sign is another fact.
    """
    if not len(facts):
        return np.zeros(0, bool)
    nodes = subject.network.nodes
    source = int(facts.node[0])
    if not isinstance(nodes[source].op, Maximum):
        return np.zeros(len(facts), bool)
    source = nodes[source].inputs[0]
    while isinstance(nodes[source].op, Reshape):
        source = nodes[source].inputs[0]
    op = nodes[source].op
    if not (isinstance(op, Activation) and op.is_relu):
        return np.zeros(len(facts), bool)
    return (facts.plus >= 0) & ~pair_bits(subject.code_of[source], facts.cell, facts.minus).astype(bool)


def by_construction(subject: Subject, facts: Facts) -> np.ndarray:
    """Whether each fact is about a unit that vanishes on a facet through the corner: it differs across that facet."""
    facets = subject.facets
    assert facets is not None
    out = np.zeros(len(facts), bool)
    if not len(facts):
        return out
    node = int(facts.node[0])
    codes, op = subject.code_of[node], subject.network.nodes[node].op
    first = facets.offsets[facts.corner]
    counts = facets.offsets[facts.corner + 1] - first
    fact = np.repeat(np.arange(len(facts)), counts)
    inner = np.arange(len(fact)) - np.repeat(np.cumsum(counts) - counts, counts)
    facet = facets.items[first[fact] + inner]
    other = facets.cells[facet].sum(axis=1) - facts.cell[fact]
    inside = (facets.cells[facet] >= 0).all(axis=1)
    cut_off = ~inside & (facets.op[facet] == node) & (facets.unit[facet] == facts.column[fact])
    out[fact[cut_off]] = True  # truncated complexes end at folds without a neighbour
    fact, other = fact[inside], other[inside]
    if isinstance(op, Activation):
        here = facts.sign[fact] > 0
        out[fact[pair_bits(codes, other, facts.column[fact]).astype(bool) != here]] = True
        return out
    assert isinstance(op, Maximum)
    index = np.asarray(op.index)
    theirs = index[facts.column[fact], winners_of(subject, node, other, facts.column[fact])]
    out[fact[theirs == facts.minus[fact]]] = True
    return out
