"""Decides, in exact arithmetic, on which pieces units are where float64 does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from flint import fmpz, fmpz_poly
from jaxtyping import Float, Int
from torch import Tensor

from splinescope.landscape.exact_polynomials import (
    PolynomialForms,
    common,
    on_interval,
    pieces_between,
    sign_changes_inside,
)
from splinescope.landscape.exact_softmax import SoftmaxSlope, exact_sample
from splinescope.landscape.parameters import Motion
from splinescope.landscape.polynomials import COINCIDENT
from splinescope.tessellation.integer_rows import IntegerRows

MOST_PRODUCTS = 100_000_000
"""Products of whole numbers that one line may take; units beyond stay undecided."""


class DecidedPieces(NamedTuple):
    """Pieces of units on rows, those with smaller rows first, and of one row those with smaller units.

    Attributes:
        rows: [K] the rows.
        units: [K] a unit of each.
        first: [K] its piece at the start.
        bounds: [K + 1] where its events begin.
        places: Where in [0, 1] it changes its piece.
        steps: By how much.
    """

    rows: Int[np.ndarray, " K"]
    units: Int[np.ndarray, " K"]
    first: Int[np.ndarray, " K"]
    bounds: Int[np.ndarray, " _"]
    places: Float[np.ndarray, " _"]
    steps: Int[np.ndarray, " _"]


class Slopes(NamedTuple):
    """Signs of the slope of the loss on pieces of the line.

    Attributes:
        pieces: [K] the pieces, ascending.
        first: [K] the sign at the start of each, 0 where the loss is constant.
        bounds: [K + 1] where its changes begin.
        places: Where on the line the sign changes, by s, ascending on each piece.
    """

    pieces: Int[np.ndarray, " K"]
    first: Int[np.ndarray, " K"]
    bounds: Int[np.ndarray, " _"]
    places: Float[np.ndarray, " _"]


def with_decisions(signs: Slopes, decided: Slopes) -> Slopes:
    """Signs on all pieces, where those of some were decided elsewhere."""
    counts = np.diff(signs.bounds)
    own = np.repeat(signs.pieces, counts)
    kept = ~np.isin(own, decided.pieces)
    pieces = np.append(own[kept], np.repeat(decided.pieces, np.diff(decided.bounds)))
    order = np.argsort(pieces, kind="stable")
    first = signs.first.copy()
    first[decided.pieces] = decided.first
    bounds = np.append(0, np.cumsum(np.bincount(pieces, minlength=len(first))))
    return Slopes(signs.pieces, first, bounds, np.append(signs.places[kept], decided.places)[order])


def no_decisions() -> DecidedPieces:
    """None at all."""
    empty = np.empty(0, np.int64)
    return DecidedPieces(empty, empty, empty, np.zeros(1, np.int64), np.empty(0), empty)


class LineArbiter:
    """Exact decisions about one line of parameters.

    Args:
        line: The moving network, by s.
        inputs: [N, *input_shape] samples.
        size: Number of coefficients of polynomials.
    """

    def __init__(self, line: Motion, inputs: Float[Tensor, "N ..."], size: int) -> None:
        self._line, self._inputs, self._size = line, inputs, size
        self._rows: dict[int, IntegerRows] = {}
        self._known: tuple[int, PolynomialForms] | None = None
        self._spent = 0

    @property
    def exhausted(self) -> bool:
        """Whether it has taken as many products as it may."""
        return self._spent > MOST_PRODUCTS

    def decided(
        self,
        node: int,
        samples: Int[np.ndarray, " R"],
        starts: Float[np.ndarray, " R"],
        ends: Float[np.ndarray, " R"],
        doubtful: Int[np.ndarray, "K two"],
    ) -> DecidedPieces:
        """On which pieces some units of a node are; no more of them than may be decided.

        Args:
            node: Index of the node.
            samples: Sample of each row.
            starts: Where it starts, by s.
            ends: Where it ends.
            doubtful: Rows and units, in ascending order.

        Returns:
            What was decided.
        """
        found, places, steps, bounds = [], [], [], [0]
        for row, unit in doubtful.tolist():
            if self.exhausted:
                break
            forms = self._forms(int(samples[row]))
            before = forms.products
            start, end = float(starts[row]), float(ends[row])
            rows, pairs = forms.unit_polynomials(node, unit, _middle(start, end))
            first, events = pieces_between([on_interval(form, start, end) for form in rows], pairs)
            self._spent += forms.products - before + 1000
            found.append((row, unit, first))
            places += [place for place, _ in events]
            steps += [step for _, step in events]
            bounds.append(len(places))
        units = np.array(found, np.int64).reshape(-1, 3)
        return DecidedPieces(
            np.ascontiguousarray(units[:, 0]),
            np.ascontiguousarray(units[:, 1]),
            np.ascontiguousarray(units[:, 2]),
            np.array(bounds, np.int64),
            np.array(places, np.float64),
            np.array(steps, np.int64),
        )

    def slopes(
        self,
        loss: str,
        targets: Float[np.ndarray, "N n_out"],
        ends: Float[np.ndarray, " _"],
        doubtful: Int[np.ndarray, " K"],
    ) -> Slopes:
        """Signs of the slope of the loss on some pieces of the line.

        Of the squared loss exactly; of cross-entropy by intervals of up to 2,048 binary digits.

        Args:
            loss: "squared" or "cross-entropy".
            targets: Wanted outputs, or probabilities, of all samples.
            ends: Where pieces start and end, by s.
            doubtful: The pieces, ascending.

        Returns:
            What was decided.
        """
        pieces, first, bounds, places = [], [], [0], []
        slope = self._squared_slope if loss == "squared" else self._softmax_slope
        for piece in doubtful.tolist():
            if self.exhausted:
                break
            start, end = float(ends[piece]), float(ends[piece + 1])
            found = slope(targets, start, end)
            if found is None:
                continue
            pieces.append(piece)
            first.append(found[0])
            places += [start + (end - start) * share for share in found[1]]
            bounds.append(len(places))
        return Slopes(
            np.array(pieces, np.int64), np.array(first, np.int64), np.array(bounds, np.int64), np.array(places, float)
        )

    def _squared_slope(self, targets: np.ndarray, start: float, end: float) -> tuple[int, list[float]] | None:
        """The first sign and where in (0, 1) it changes; None if that takes too much."""
        middle = _middle(start, end)
        parts = self._parts(targets, lambda forms, wanted: forms.squared(wanted, middle))
        if parts is None:
            return None
        least = min(exponent for _, exponent in parts)
        total = fmpz_poly([])
        for part, exponent in parts:
            total += part * (fmpz(1) << (exponent - least))
        return sign_changes_inside(on_interval(list(total.derivative().coeffs())[::-1], start, end))

    def _softmax_slope(self, targets: np.ndarray, start: float, end: float) -> tuple[int, list[float]] | None:
        """The same of cross-entropy; None also if all digits don't tell."""
        middle = _middle(start, end)
        parts = self._parts(
            targets, lambda forms, wanted: exact_sample(forms.outputs(len(wanted), middle), wanted, start, end)
        )
        if parts is None:
            return None
        slope = SoftmaxSlope(parts, MOST_PRODUCTS - self._spent)
        found = slope.sign_changes(0.5 * COINCIDENT / (end - start))
        self._spent += slope.spent
        return found

    def _parts(self, targets: np.ndarray, part: Callable[[PolynomialForms, np.ndarray], Any]) -> list[Any] | None:
        """What each sample adds to the loss; None if that takes too much."""
        parts = []
        for sample, wanted in enumerate(targets):
            if self.exhausted:
                return None
            forms = self._forms(sample)
            before = forms.products
            parts.append(part(forms, wanted))
            self._spent += forms.products - before + 1000
        return parts

    def _forms(self, sample: int) -> PolynomialForms:
        if self._known is None or self._known[0] != sample:
            values = self._inputs[sample].numpy()
            self._known = sample, PolynomialForms(self._line, values, self._size, self._rows)
        return self._known[1]


def _middle(start: float, end: float) -> tuple[fmpz, int]:
    """The middle of an interval, a whole number over a power of two."""
    (low, high), digits = common(start, end)
    return low + high, digits + 1


def with_both(one: DecidedPieces, other: DecidedPieces) -> DecidedPieces:
    """DecidedPieces of both, in order."""
    order = np.lexsort((np.append(one.units, other.units), np.append(one.rows, other.rows)))
    counts = np.append(np.diff(one.bounds), np.diff(other.bounds))
    begins = np.append(one.bounds[:-1], other.bounds[:-1] + len(one.places))
    places, steps = np.append(one.places, other.places), np.append(one.steps, other.steps)
    events = [np.arange(begins[k], begins[k] + counts[k]) for k in order]
    taken = np.concatenate(events) if events else np.empty(0, np.int64)
    taken = taken.astype(np.int64)
    return DecidedPieces(
        np.append(one.rows, other.rows)[order],
        np.append(one.units, other.units)[order],
        np.append(one.first, other.first)[order],
        np.append(0, np.cumsum(counts[order])),
        places[taken],
        steps[taken],
    )
