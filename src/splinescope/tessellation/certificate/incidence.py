"""The folds around cells: what vanishes on a facet, how well it is known, and which units vanish at a corner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splinescope.network.graph import Network
from splinescope.tessellation.certificate.facts import Facts
from splinescope.tessellation.certificate.forward import Passed
from splinescope.tessellation.certificate.subject import RESOLUTION, Subject, pair_bits, pair_pieces


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
    for node in subject.code_of:
        here, op = facets.op == node, subject.network.folds[node]
        mine = np.flatnonzero(here & (facets.cells >= 0).all(axis=1))
        if op.elementwise and op.levels == 1:  # no neighbour is needed to say which breakpoint made the facet
            mine = np.flatnonzero(here)
        unit = facets.unit[mine]
        one, other = (pair_pieces(subject, node, facets.cells[mine, side], unit) for side in (0, 1))
        plus[mine], minus[mine], shift[mine] = op.between(unit, one, other)
    return plus, minus, shift


def implied(subject: Subject, facts: Facts) -> np.ndarray:
    """Whether each fact follows from others: the winner among ReLU units is no less than one that is off.

    That one is zero on the cell; the winner is so, too, or is its value before the ReLU, whose sign is another fact.
    """
    out = np.zeros(len(facts), bool)
    if not len(facts):
        return out
    network, node = subject.network, int(facts.node[0])
    if network.folds[node].elementwise:
        return out
    (before,) = network.nodes[node].inputs
    units, row = np.unique(np.concatenate([facts.plus, np.maximum(facts.minus, 0)]), return_inverse=True)
    nodes, places = (part[row] for part in _moved_from(network, before, units))
    (winner, other), place = np.split(nodes, 2), places[len(facts) :]
    clamped = [index for index, fold in network.folds.items() if fold.clamps]
    for source in np.intersect1d(other, clamped).tolist():
        mine = np.flatnonzero((other == source) & np.isin(winner, clamped) & (facts.plus >= 0) & (facts.minus >= 0))
        out[mine] = ~pair_bits(subject.code_of[source], facts.cell[mine], place[mine]).astype(bool)
    return out


def _moved_from(network: Network, node: int, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The node and the place there that some numbers come from, where ops on the way only move them."""
    nodes, places = np.full(len(units), node), units.copy()
    waiting = {node}
    while waiting:
        index = max(waiting)
        waiting.remove(index)
        one, mine = network.nodes[index], np.flatnonzero(nodes == index)
        if one.affine is None or one.op.rounds:
            continue
        rows = one.affine.rows(places[mine], *(network.nodes[source].shape for source in one.inputs))
        first = rows.indptr[:-1]
        mine, first = (part[np.diff(rows.indptr) == 1] for part in (mine, first))
        mine, first = (part[rows.data[first] == 1.0] for part in (mine, first))
        ends = np.cumsum([network.nodes[source].size for source in one.inputs])
        which = np.searchsorted(ends, rows.indices[first], side="right")
        nodes[mine] = np.asarray(one.inputs)[which]
        places[mine] = rows.indices[first] - np.concatenate([[0], ends])[which]
        waiting.update(nodes[mine].tolist())
    return nodes, places


def by_construction(subject: Subject, facts: Facts) -> np.ndarray:
    """Whether each fact is about a unit that vanishes on a facet through the corner: it differs across that facet."""
    facets = subject.facets
    assert facets is not None
    out = np.zeros(len(facts), bool)
    if not len(facts):
        return out
    node = int(facts.node[0])
    op = subject.network.folds[node]
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
    if op.elementwise:  # the bit of the breakpoint that the fact is about
        there = pair_bits(subject.code_of[node], other, facts.column[fact])
        out[fact[there.astype(bool) != (facts.sign[fact] > 0)]] = True
        return out
    theirs = op.reads(pair_pieces(subject, node, other, facts.column[fact]), facts.column[fact]).places
    out[fact[theirs == facts.minus[fact]]] = True
    return out
