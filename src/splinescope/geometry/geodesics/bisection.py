"""Finer triangles on a polyhedral surface, by cutting longest sides in half."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from splinescope.geometry.geodesics.polyhedral import PolyhedralSurface, twins_of


def bisected(surface: PolyhedralSurface, chosen: Bool[np.ndarray, " T"]) -> PolyhedralSurface:
    """Cut some triangles across their longest sides, and as many others as have to be cut for sides to fit.

    Args:
        surface: The surface.
        chosen: Which triangles.

    Returns:
        The same surface; its vertices come first, in their order. Cost: linear.
    """
    longest = np.argmax(surface.lengths[surface.sides], axis=1)
    order = (longest[:, None] + np.arange(3)) % 3
    rows = np.arange(len(longest))[:, None]
    corners, sides, against = surface.corners[rows, order], surface.sides[rows, order], surface.flips.reshape(-1, 3)
    against = against[rows, order]
    marked = np.zeros(len(surface.lengths), bool)
    marked[sides[chosen, 0]] = True
    while True:
        needed = marked[sides].any(axis=1) & ~marked[sides[:, 0]]
        if not needed.any():
            break
        marked[sides[needed, 0]] = True
    return _Cut(surface, corners, sides, against, _shapes(surface, longest), marked).surface()


def _shapes(surface: PolyhedralSurface, longest: Int[np.ndarray, " T"]) -> Float[np.ndarray, "T 3 2"]:
    """Triangles in a plane, with the longest side first."""
    half = 3 * np.arange(len(longest)) + longest
    shapes = np.zeros((len(longest), 3, 2))
    shapes[:, 1, 0] = surface.lengths[surface.sides.ravel()[half]]
    shapes[:, 2] = surface.apexes[half]
    return shapes


class _Cut:
    """Triangles with their longest sides first, and what becomes of them when marked edges are cut in half.

    Half `k` of a marked edge, in its direction, gets a number of its own, and its middle is a new vertex.
    """

    def __init__(
        self,
        old: PolyhedralSurface,
        corners: np.ndarray,
        sides: np.ndarray,
        against: np.ndarray,
        shapes: np.ndarray,
        marked: np.ndarray,
    ) -> None:
        self.old, self.marked = old, marked
        self.middles = np.where(marked, old.num_vertices + np.cumsum(marked) - 1, -1)
        starts = np.cumsum(1 + marked) - (1 + marked)
        self.starts = starts
        self.edges = int((1 + marked).sum())
        self.parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
        self._cut(corners, sides, against, shapes)

    def _half(self, sides: np.ndarray, against: np.ndarray, second: bool) -> np.ndarray:
        """Number of one half of a side, or of the whole if it is not cut; in the direction of the triangle."""
        return self.starts[sides] + np.where(self.marked[sides], against != second, 0)

    def _new(self, count: int) -> np.ndarray:
        self.edges += count
        return np.arange(self.edges - count, self.edges)

    def _cut(self, corners: np.ndarray, sides: np.ndarray, against: np.ndarray, shapes: np.ndarray) -> None:
        cut = self.marked[sides]
        whole = ~cut[:, 0]
        plain = np.stack([self._half(sides[:, k], against[:, k], False) for k in range(3)], axis=1)
        self.parts.append((corners[whole], plain[whole], shapes[whole], self.old.doubts[whole]))
        self._doubts = self.old.doubts[~whole]
        c, s, g, p, cut = corners[~whole], sides[~whole], against[~whole], shapes[~whole], cut[~whole]
        m0, p0 = self.middles[s[:, 0]], (p[:, 0] + p[:, 1]) / 2
        spine = self._new(len(c))  # from the middle of the longest side to the apex
        first, second = self._half(s[:, 0], g[:, 0], False), self._half(s[:, 0], g[:, 0], True)
        # left child: v0, m0, v2, with side v2 - v0; right child: m0, v1, v2, with side v1 - v2
        self._child(cut[:, 2], (c[:, 0], m0, c[:, 2]), (p[:, 0], p0, p[:, 2]), s[:, 2], g[:, 2], (first, spine), 2)
        self._child(cut[:, 1], (m0, c[:, 1], c[:, 2]), (p0, p[:, 1], p[:, 2]), s[:, 1], g[:, 1], (second, spine), 1)

    def _child(
        self,
        cut: np.ndarray,
        corners: tuple[np.ndarray, ...],
        places: tuple[np.ndarray, ...],
        side: np.ndarray,
        against: np.ndarray,
        others: tuple[np.ndarray, np.ndarray],
        which: int,
    ) -> None:
        """A half of a triangle, whose side `which` is one of the old ones and is cut again where it is marked."""
        base, spine = others
        one, two = self._half(side, against, False), self._half(side, against, True)
        whole = ~cut
        listed = [base, spine, one] if which == 2 else [base, one, spine]
        self._put(whole, corners, places, listed)
        bridge = np.zeros(len(cut), np.int64)
        bridge[cut] = self._new(int(cut.sum()))
        (a, b, c), (p, q, r) = corners, places
        m = self.middles[side]
        if which == 2:  # side c - a, cut at m: (a, b, m) and (b, c, m)
            middle = (r + p) / 2
            self._put(cut, (a, b, m), (p, q, middle), [base, bridge, two])
            self._put(cut, (b, c, m), (q, r, middle), [spine, one, bridge])
        else:  # side b - c, cut at m: (a, b, m) and (a, m, c)
            middle = (q + r) / 2
            self._put(cut, (a, b, m), (p, q, middle), [base, one, bridge])
            self._put(cut, (a, m, c), (p, middle, r), [bridge, two, spine])

    def _put(
        self, rows: np.ndarray, corners: tuple[np.ndarray, ...], places: tuple[np.ndarray, ...], sides: list[np.ndarray]
    ) -> None:
        self.parts.append(
            (
                np.stack([each[rows] for each in corners], axis=1),
                np.stack([each[rows] for each in sides], axis=1),
                np.stack([each[rows] for each in places], axis=1),
                self._doubts[rows],
            )
        )

    def surface(self) -> PolyhedralSurface:
        """What has become of all."""
        corners, sides, shapes, doubts = (np.concatenate(each) for each in zip(*self.parts, strict=True))
        ends, lengths = np.zeros((self.edges, 2), np.int64), np.zeros(self.edges)
        steps = np.roll(shapes, -1, axis=1) - shapes
        flat = sides.ravel()[::-1]
        lengths[flat] = np.hypot(steps[..., 0], steps[..., 1]).ravel()[::-1]
        ends[flat] = np.stack([corners, np.roll(corners, -1, axis=1)], axis=2).reshape(-1, 2)[::-1]
        self._loose(ends, lengths, flat)
        number = self.old.num_vertices + int(self.marked.sum())
        return PolyhedralSurface.glued(
            shapes, corners, sides, twins_of(sides, self.edges), ends, lengths, number,
            give=self.old.give, doubts=doubts,
        )  # fmt: skip

    def _loose(self, ends: np.ndarray, lengths: np.ndarray, used: np.ndarray) -> None:
        """Edges that are on no triangle stay as they are."""
        loose = np.ones(len(self.old.lengths), bool)
        loose[self.old.sides.ravel()] = False
        ends[self.starts[loose]], lengths[self.starts[loose]] = self.old.ends[loose], self.old.lengths[loose]
