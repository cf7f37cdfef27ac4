"""Questions about crossings of chords that a compiled loop cannot answer, and the answers that it is given."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

ASKED = 16
"""Questions about one face that are written down in one pass."""


class Answers(NamedTuple):
    """What is known, and what is asked, about the faces that are refined.

    A question is a triple of chords: on which side of the third one do the first two cross?

    Attributes:
        offsets: [n + 1] answers for each face.
        triples: [A, 3] the questions, the first two chords in ascending order.
        signs: [A] the answers.
        asked: [n, ASKED, 3] new questions.
        number: [n] how many new questions there are.
    """

    offsets: np.ndarray
    triples: np.ndarray
    signs: np.ndarray
    asked: np.ndarray
    number: np.ndarray


@njit(cache=True, nogil=True)
def answer(
    low: int,
    high: int,
    triples: np.ndarray,
    signs: np.ndarray,
    asked: np.ndarray,
    number: np.ndarray,
    first: int,
    second: int,
    third: int,
) -> int:
    """The known side of a crossing; zero for now, and a question, if it is not known."""
    if first > second:
        first, second = second, first
    for at in range(low, high):
        if triples[at, 0] == first and triples[at, 1] == second and triples[at, 2] == third:
            return signs[at]
    for at in range(min(number[0], asked.shape[0])):
        if asked[at, 0] == first and asked[at, 1] == second and asked[at, 2] == third:
            return 0
    if number[0] < asked.shape[0]:
        at = number[0]
        asked[at, 0], asked[at, 1], asked[at, 2] = first, second, third
    number[0] += 1
    return 0
