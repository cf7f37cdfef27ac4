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
        known: [A, 4] the questions, the first two chords in ascending order, and the answers.
        asked: [n, 1 + ASKED, 3] new questions of each face, behind a row that starts with their number.
    """

    offsets: np.ndarray
    known: np.ndarray
    asked: np.ndarray

    @property
    def number(self) -> np.ndarray:
        """[n] how many new questions there are."""
        return self.asked[:, 0, 0]


@njit(cache=True, nogil=True)
def answer(low: int, high: int, known: np.ndarray, asked: np.ndarray, first: int, second: int, third: int) -> int:
    """The known side of a crossing; zero for now, and a question, if it is not known."""
    if first > second:
        first, second = second, first
    for at in range(low, high):
        if known[at, 0] == first and known[at, 1] == second and known[at, 2] == third:
            return known[at, 3]
    number, most = asked[0, 0], asked.shape[0] - 1
    for at in range(1, min(number, most) + 1):
        if asked[at, 0] == first and asked[at, 1] == second and asked[at, 2] == third:
            return 0
    if number < most:
        asked[number + 1, 0], asked[number + 1, 1], asked[number + 1, 2] = first, second, third
    asked[0, 0] = number + 1
    return 0
