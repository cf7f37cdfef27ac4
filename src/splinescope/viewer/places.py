"""Places of vertices, by where the folds that are known already go on: `source/places.ts` mirrors it.

All but few vertices are crossings of two folds. Where a fold runs straight on, its place on one axis follows from that
on the other; where both do, nothing is left but the rounding. A fold bends only where it crosses one of an earlier
layer.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from splinescope.viewer.range_coding import MODEL, put_bit, put_plain, put_signed

ALONG, ACROSS, FOLLOWS = 6, 70, 86
"""Kinds of numbers: 64 for the first coordinate, 16 for the second, and whether an edge has the unit of its fold."""

NONE, BENT, STRAIGHT, BETWEEN = range(4)
"""How sure a line is: through a bend, straight on from two vertices, or between two."""


@njit(cache=True, nogil=True)
def opposites(following: np.ndarray, degrees: np.ndarray, origins: np.ndarray, border: int) -> np.ndarray:
    """[2 E] the half-edge with which each goes on backwards beyond the vertex at which it starts, -1 for none."""
    found = np.full(len(following), -1, np.int64)
    for half in range(len(following)):
        degree = degrees[origins[half]]
        if degree == 4:
            found[half] = following[following[half ^ 1] ^ 1]
        elif degree == 3 and half >> 1 < border:
            other = following[half ^ 1]
            if other >> 1 >= border:
                other = following[other ^ 1]
            found[half] = other
    return found


@njit(cache=True, nogil=True)
def _root(first: np.ndarray, edge: int) -> int:
    while first[edge] != edge:
        first[edge] = first[first[edge]]
        edge = first[edge]
    return edge


@njit(cache=True, nogil=True)
def code_units(
    state: np.ndarray, chances: np.ndarray, out: np.ndarray, across: np.ndarray, units: np.ndarray, bits: int
) -> None:
    """Append the unit of each edge: that of the first edge of its fold, or else in plain bits."""
    first = np.arange(len(units))
    for half in range(len(across)):
        if across[half] >= 0:
            one, two = _root(first, half >> 1), _root(first, across[half] >> 1)
            first[max(one, two)] = min(one, two)
    for edge in range(len(units)):
        start = _root(first, edge)
        if start != edge:
            follows = units[start] == units[edge]
            put_bit(state, chances, out, MODEL * FOLLOWS, 0 if follows else 1)
            if follows:
                continue
        put_plain(state, out, units[edge], bits)


@njit(cache=True, nogil=True)
def _line(
    half: int,
    x: np.ndarray,
    y: np.ndarray,
    origins: np.ndarray,
    across: np.ndarray,
    following: np.ndarray,
    layers: np.ndarray,
    line: np.ndarray,
) -> int:
    """How sure the line is on which a half-edge leaves its vertex; its point and direction go into `line`."""
    vertex, near = origins[half], origins[half ^ 1]
    beside = across[half]
    if near >= vertex:
        return NONE
    layer = layers[half >> 1]
    if beside >= 0:
        other = origins[beside ^ 1]
        crossing = layers[following[half ^ 1] >> 1]
        if other < vertex and layer <= crossing and (x[other] != x[near] or y[other] != y[near]):
            line[0], line[1], line[2], line[3] = x[near], y[near], x[other] - x[near], y[other] - y[near]
            return BETWEEN
    onward = across[half ^ 1]
    if onward < 0:
        return NONE
    far = origins[onward ^ 1]
    if far >= vertex or (x[far] == x[near] and y[far] == y[near]):
        return NONE
    line[0], line[1], line[2], line[3] = x[near], y[near], x[near] - x[far], y[near] - y[far]
    return STRAIGHT if layer <= layers[following[half] >> 1] else BENT


@njit(cache=True, nogil=True)
def _meeting(one: np.ndarray, two: np.ndarray) -> float:
    """How far along the first of two lines they meet, in its direction's lengths; negative where they hardly do."""
    cross = one[2] * two[3] - one[3] * two[2]
    size = (abs(one[2]) + abs(one[3])) * (abs(two[2]) + abs(two[3]))
    if abs(cross) <= 1e-4 * size:
        return -1.0
    reach = ((two[0] - one[0]) * two[3] - (two[1] - one[1]) * two[2]) / cross
    return reach if reach < 64.0 else -1.0


@njit(cache=True, nogil=True)
def _reach(share: float) -> int:
    size = abs(share)
    return 0 if size < 1.0 else 1 if size < 4.0 else 2 if size < 16.0 else 3


@njit(cache=True, nogil=True)
def code_places(
    state: np.ndarray,
    chances: np.ndarray,
    out: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    leaving: np.ndarray,
    origins: np.ndarray,
    following: np.ndarray,
    across: np.ndarray,
    layers: np.ndarray,
    most: float,
) -> None:
    """Append the places of all vertices.

    Args:
        state: A coder's state.
        chances: Its probabilities.
        out: Its bytes.
        x: [V] whole numbers from 0 to `most`, as floats.
        y: [V] the same.
        leaving: [V] a half-edge from each.
        origins: [2 E] vertex at which each half-edge starts, in the order of the page.
        following: [2 E] the next one along the ring of its face.
        across: [2 E] the one with which each goes on backwards, -1 for none.
        layers: [E] layer of each edge's unit, -1 on the border.
        most: The largest coordinate.
    """
    best, second, line = np.zeros(4), np.zeros(4), np.zeros(4)
    for vertex in range(len(x)):
        sure, less, fold, half = NONE, NONE, -1, leaving[vertex]
        near = vertex - 1
        while True:
            grade = _line(half, x, y, origins, across, following, layers, line)
            if origins[half ^ 1] < vertex:
                near = origins[half ^ 1]
            if grade > sure:
                if fold < 0 or across[half] != fold:
                    second[:] = best
                    less = sure
                best[:] = line
                sure, fold = grade, half
            elif grade > less and across[half] != fold:
                second[:] = line
                less = grade
            half = following[half ^ 1]
            if half == leaving[vertex]:
                break
        guess_x, guess_y, far = 0.0, 0.0, 0
        if near >= 0:
            guess_x, guess_y = x[near], y[near]
        if sure != NONE:
            share = 0.5 if sure == BETWEEN else 1.0
            if less != NONE:
                met = _meeting(best, second)
                if met > 0.0:
                    share, far = met, _reach(met)
                else:
                    less = NONE
            guess_x, guess_y = best[0] + share * best[2], best[1] + share * best[3]
        model = ALONG + 16 * far + 4 * sure + less
        if sure == NONE:
            put_signed(state, chances, out, model, int(x[vertex] - guess_x))
            put_signed(state, chances, out, ACROSS, int(y[vertex] - guess_y))
        elif abs(best[2]) >= abs(best[3]):
            guess = math.floor(min(max(guess_x, 0.0), most) + 0.5)
            put_signed(state, chances, out, model, int(x[vertex] - guess))
            share = (x[vertex] - best[0]) / best[2]
            guess = math.floor(min(max(best[1] + share * best[3], 0.0), most) + 0.5)
            put_signed(state, chances, out, ACROSS + 4 * _reach(share) + sure, int(y[vertex] - guess))
        else:
            guess = math.floor(min(max(guess_y, 0.0), most) + 0.5)
            put_signed(state, chances, out, model, int(y[vertex] - guess))
            share = (y[vertex] - best[1]) / best[3]
            guess = math.floor(min(max(best[0] + share * best[2], 0.0), most) + 0.5)
            put_signed(state, chances, out, ACROSS + 4 * _reach(share) + sure, int(x[vertex] - guess))
