r"""Signs of the slope of cross-entropy on a piece of a line, by intervals of as many digits as it takes.

Outputs are polynomials whose coefficients are known exactly. Exponentials are not; FLINT's balls enclose them, and so a
mean of softmaxes, whatever is rounded on the way. A sign is taken where a ball does not hold zero; else there are more
digits. The loss is constant on a piece only where all outputs of every sample differ by constants: a product of sums of
exponentials with positive factors is one exponential only if each of them is.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
from flint import arb, arb_poly, ctx, fmpz, fmpz_poly

from splinescope.landscape.exact_polynomials import common, on_interval
from splinescope.tessellation.dyadics import Dyadic

PRECISIONS = (128, 512, 2048)
"""Binary digits, the first ones that tell being enough."""

_COST = 200
"""Products of whole numbers that one output takes as long as."""

_SHARES = (Fraction(1, 2), Fraction(7, 16), Fraction(9, 16))
"""Where intervals are cut, at the first one where the sign is certain."""

_MOST = 2000
"""Intervals that are looked at on one piece."""


class ExactSample(NamedTuple):
    """Outputs of a sample on a piece, by u from 0 to 1.

    Attributes:
        differences: Those of the other outputs from that of the wanted class, up to a power of two.
        exponent: That power.
        targets: Probabilities of the others.
        mass: The sum of all probabilities.
    """

    differences: list[fmpz_poly]
    exponent: int
    targets: list[float]
    mass: Fraction


def exact_sample(outputs: Dyadic, targets: np.ndarray, start: float, end: float) -> ExactSample:
    """The outputs of a sample on a piece.

    Args:
        outputs: Polynomials of s, the highest power first.
        targets: [n_out] probabilities.
        start: Where the piece starts.
        end: Where it ends.

    Returns:
        What the slope is made of.
    """
    own = int(targets.argmax())
    rows = [on_interval(row, start, end) for row in outputs.rows]
    _, digits = common(start, end)
    others = [k for k in range(len(rows)) if k != own]
    exponent = outputs.exponent - digits * (len(outputs.rows[0]) - 1)
    mass = sum((Fraction(float(target)) for target in targets), Fraction(0))
    return ExactSample([rows[k] - rows[own] for k in others], exponent, [float(targets[k]) for k in others], mass)


class SoftmaxSlope:
    """The slope of a sum of cross-entropies by u from 0 to 1.

    Args:
        samples: The samples.
        most: Products of whole numbers that it may take.
    """

    def __init__(self, samples: list[ExactSample], most: int) -> None:
        self._most = most
        self.spent = 0
        self._parts = []
        for sample in samples:
            moving = []
            for form, target in zip(sample.differences, sample.targets, strict=True):
                moving.append((form, form.derivative(), form.derivative().derivative(), target))
            if any(first != 0 for _, first, _, _ in moving):
                self._parts.append((moving, sample.exponent, sample.mass))
        self._size = sum(len(moving) for moving, _, _ in self._parts)

    @property
    def constant(self) -> bool:
        """Whether the loss is."""
        return not self._parts

    def sign_changes(self, margin: float) -> tuple[int, list[float]] | None:
        """The first sign and where in (0, 1) it changes.

        Args:
            margin: What is nearer to an end is at it, and what is nearer to each other is at one place.

        Returns:
            Sign and places, 0 and none where the loss is constant; None if the digits don't tell.
        """
        if self.constant:
            return 0, []
        edge = min(Fraction(margin), Fraction(1, 4))
        start = self._sign(Fraction(0)) or self._sign(edge)
        finish = self._sign(Fraction(1)) or self._sign(1 - edge)
        if not start or not finish:
            return None
        found: list[float] = []
        waiting, looked = [(Fraction(0), Fraction(1), start, finish)], 0
        while waiting:
            low, high, before, after = waiting.pop()
            looked += 1
            value, bend = self._on(low, high)
            if value > 0 or value < 0:
                continue
            middle, apart = (low + high) / 2, high - low
            if bend > 0 or bend < 0 or apart <= edge:
                found += [self._root(low, high, before)] if before != after else []
                continue
            cuts = ((low + share * apart, self._sign(low + share * apart)) for share in _SHARES)
            middle, sign = next(((cut, own) for cut, own in cuts if own), (middle, 0))
            if not sign or looked > _MOST or self.spent > self._most:
                return None
            waiting += [(middle, high, sign, after), (low, middle, before, sign)]
        return start, found

    def _sign(self, u: Fraction) -> int:
        """Sign at a place, 0 if no number of digits tells."""
        for digits in PRECISIONS:
            with ctx.workprec(digits):
                value = self._derivatives(_ball(u))[0]
                if value > 0:
                    return 1
                if value < 0:
                    return -1
            if self.spent > self._most:
                break
        return 0

    def _on(self, low: Fraction, high: Fraction) -> tuple[arb, arb]:
        """What holds the slope and its derivative on an interval."""
        with ctx.workprec(PRECISIONS[0]):
            return self._derivatives(arb(_ball((low + high) / 2), _ball((high - low) / 2)))

    def _root(self, low: Fraction, high: Fraction, before: int) -> float:
        """Where the sign changes, by halving."""
        while high - low > Fraction(1, 1 << 54):
            middle = (low + high) / 2
            with ctx.workprec(PRECISIONS[0]):
                value = self._derivatives(_ball(middle))[0]
                if not (value > 0 or value < 0):
                    return float(middle)
                low, high = (middle, high) if bool(value > 0) == (before > 0) else (low, middle)
        return float((low + high) / 2)

    def _derivatives(self, u: arb) -> tuple[arb, arb]:
        """Slope and second derivative of the sum, up to a positive factor."""
        self.spent += _COST * self._size
        slope = bend = arb(0)
        for moving, exponent, mass in self._parts:
            unit, whole = arb((fmpz(1), exponent)), arb(mass.numerator) / arb(mass.denominator)
            tilts = [form_at(steep, u) * unit for _, steep, _, _ in moving]
            weights = [(form_at(form, u) * unit).exp() for form, _, _, _ in moving]
            total = sum(weights, arb(1))
            shares = [weight / total for weight in weights]
            mean = sum((share * tilt for share, tilt in zip(shares, tilts, strict=True)), arb(0))
            spread = mean * mean / total
            for share, tilt, (_, _, bent, target) in zip(shares, tilts, moving, strict=True):
                # Shares less targets at once, since balls forget that both have the same factor.
                excess = whole * share - arb(target)
                slope += excess * tilt
                bend += excess * form_at(bent, u) * unit
                spread += share * (tilt - mean) * (tilt - mean)
            bend += whole * spread
        return slope, bend


def form_at(form: fmpz_poly, u: arb) -> arb:
    """What holds a polynomial on a ball: by Horner's rule from its middle, so that powers lose little."""
    middle = u.mid()
    value, step = arb(0), u - middle
    for number in reversed(arb_poly(form)(arb_poly([middle, 1])).coeffs()):
        value = value * step + number
    return value


def _ball(place: Fraction) -> arb:
    """A place whose denominator is a power of two, exactly."""
    return arb((fmpz(place.numerator), 1 - place.denominator.bit_length()))
