"""The folds around cells: what vanishes on a facet, how well it is known, and which units vanish at a corner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from splinescope.network.graph import Network
from splinescope.tessellation.certificate.facts import Facts
from splinescope.tessellation.certificate.subject import RESOLUTION, Subject, pair_pieces


@dataclass(frozen=True)
class Knowledge:
    """What is known of all corners before any is looked at.

    Attributes:
        doubt: [R] share of a unit's swing over the cell that a corner's position leaves open.
        slack: [F] share of a unit's swing that roundings of the coordinates may make, at most.
        blur: [F] share of it that they make at least, by which the forward pass lets corners be off a fold.
    """

    doubt: np.ndarray
    slack: np.ndarray
    blur: np.ndarray

    def blurs(self, cells: np.ndarray) -> np.ndarray:
        """By what share of a unit's swing over them roundings of coordinates may move corners off a fold.

        A unit's slope is at least its swing over the cell's diameter. A share by the width would allow, in thin cells,
        for a slope across that may not be there; exact forms know it.
        """
        return np.where(self.slack[cells] < HIDDEN, self.blur[cells], 0.0)


HIDDEN = 0.5
"""Roundings of the coordinates, as a share of a unit's swing over a cell, from which the swing is nothing but these."""


class NearFolds:
    """How far corners may be off the folds through them, found at interior points on the way.

    Attributes:
        walls: What vanishes on facets.
        shares: For each facet at a corner, by how much it may be missed over its unit's value inside the cell.
    """

    def __init__(self, subject: Subject) -> None:
        assert subject.facets is not None
        self._subject, self._facets = subject, subject.facets
        self.walls = functionals(subject)
        self._plus, self._minus, self._shift, _ = self.walls
        self.shares = np.zeros(len(subject.facets.items))

    def places(self, cells: np.ndarray) -> dict[int, np.ndarray]:
        """Places in the flat inputs of folding nodes that vanish on facets of some cells, ascending."""
        _, items = self._around(cells)
        facet = np.unique(self._facets.items[items])
        out = {}
        for node in self._subject.code_of:
            mine = facet[self._facets.op[facet] == node]
            places = np.concatenate([self._plus[mine], self._minus[mine]])
            out[node] = np.unique(places[places >= 0])
        return out

    def _around(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Facets at the corners of some cells: for each the place of its cell among them, and its place in the list."""
        corner, offsets = self._subject.corners_of(cells)
        first = self._facets.offsets[corner]
        counts = self._facets.offsets[corner + 1] - first
        row = np.repeat(np.repeat(np.arange(len(cells)), np.diff(offsets)), counts)
        items = np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
        return row, items

    def note(
        self,
        cells: np.ndarray,
        values: np.ndarray,
        errors: np.ndarray,
        placement: np.ndarray | float,
        node: int,
        places: np.ndarray | None = None,
    ) -> None:
        """For each facet of some cells, by how much it may be missed over its unit's value inside the cell.

        Args:
            cells: The cells.
            values: [cells, k] what a folding node reads at their interior points.
            errors: [n] bounds of the errors of all that it reads.
            placement: By how much more than four times its error a corner may be off.
            node: The node.
            places: [k] places of the values in the node's flat input, ascending; all of them if None.
        """
        facets = self._facets
        row, items = self._around(cells)
        facet = facets.items[items]
        mine = np.flatnonzero(facets.op[facet] == node)
        if not len(mine):
            return
        row, items, facet = row[mine], items[mine], facet[mine]
        plus, other, pair = self._plus[facet], np.maximum(self._minus[facet], 0), self._minus[facet] >= 0
        placed = np.broadcast_to(placement, errors.shape)
        column, against = plus, other
        if places is not None:
            column = np.searchsorted(places, plus)
            against = np.minimum(np.searchsorted(places, other), len(places) - 1)
        value = np.abs(values[row, column] - np.where(pair, values[row, against], self._shift[facet]))
        error = errors[plus] + np.where(pair, errors[other], 0.0)
        away = 4 * error + placed[plus] + np.where(pair, placed[other], 0.0)
        with np.errstate(divide="ignore"):
            self.shares[items] = np.where(value > error, away / (value - error), np.inf)

    def knowledge(self) -> Knowledge:
        """How far each corner may be from where its facets cross."""
        subject, facets = self._subject, self._facets
        assert subject.corners is not None
        shapes = subject.shapes
        with np.errstate(divide="ignore", invalid="ignore"):
            slack, blur = 4 * RESOLUTION / shapes.width, 4 * RESOLUTION / shapes.diameter
            some = len(self.shares) > 0
            reach = np.maximum.reduceat(self.shares, facets.offsets[:-1]) if some else np.zeros(0)
            reach = np.where(np.diff(facets.offsets) > 0, reach, np.inf)
            reach = (reach + slack[subject.owner]) * shapes.diameter[subject.owner] * subject.corners.gain
            doubt = reach / (2 * shapes.width[subject.owner])
        finite = [np.nan_to_num(part, nan=np.inf, posinf=np.inf) for part in (doubt, slack, blur)]
        return Knowledge(*finite)


class FacetWalls(NamedTuple):
    """What vanishes on each facet: `x[plus] - x[minus]`, or `x[plus] - shift` where `minus` is -1.

    Attributes:
        plus: [M] places in the flat input of the facet's node.
        minus: [M] places there, or -1.
        shift: [M] breakpoints.
        differs: [M] whether there are cells on both sides, whose patterns differ in the facet's unit.
    """

    plus: np.ndarray
    minus: np.ndarray
    shift: np.ndarray
    differs: np.ndarray


def functionals(subject: Subject) -> FacetWalls:
    """What vanishes on each facet."""
    facets = subject.facets
    assert facets is not None
    differs = np.zeros(len(facets.op), bool)
    plus, minus, shift = np.zeros(len(facets.op), np.int64), np.full(len(facets.op), -1), np.zeros(len(facets.op))
    for node in subject.code_of:
        here, op = facets.op == node, subject.network.folds[node]
        mine = np.flatnonzero(here & (facets.cells >= 0).all(axis=1))
        if op.elementwise and op.levels == 1:  # no neighbour is needed to say which breakpoint made the facet
            mine = np.flatnonzero(here)
        elif op.elementwise:  # nobody knows yet which one did: corners there are vague
            shift[here] = np.nan
        unit = facets.unit[mine]
        one, other = (pair_pieces(subject, node, facets.cells[mine, side], unit) for side in (0, 1))
        plus[mine], minus[mine], shift[mine] = op.between(unit, one, other)
        differs[mine] = (one != other) & (facets.cells[mine] >= 0).all(axis=1)
    return FacetWalls(plus, minus, shift, differs)


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
        out[mine] = ~subject.code_of[source].at(facts.cell[mine], place[mine]).astype(bool)
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
    left, right = facets.cells[facet].T
    other, inside = left + right - facts.cell[fact], (left >= 0) & (right >= 0)
    cut_off = ~inside & (facets.op[facet] == node) & (facets.unit[facet] == facts.column[fact])
    out[fact[cut_off]] = True  # truncated complexes end at folds without a neighbour
    fact, other = fact[inside], other[inside]
    if op.elementwise:  # the bit of the breakpoint that the fact is about
        there = subject.code_of[node].at(other, facts.column[fact])
        out[fact[there.astype(bool) != (facts.sign[fact] > 0)]] = True
        return out
    theirs = op.reads(pair_pieces(subject, node, other, facts.column[fact]), facts.column[fact]).places
    out[fact[theirs == facts.minus[fact]]] = True
    return out
