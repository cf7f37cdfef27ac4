"""What local complexity gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from splinescope.shown import Shown


@dataclass(frozen=True, eq=False)
class LocalComplexity(Shown):
    """How many units fold in the neighbourhood of each of n points.

    Attributes:
        mode: "reference", "affine" or "exact".
        neighbourhood: "cross-polytope" or "ball".
        radius: Its radius, in units of the input space.
        layers: Name of each layer that was looked at: each node that folds, or each gate; "output" for the outputs.
        counts: Number of units of each layer that fold in the neighbourhood of each point.
        unit_counts: For each layer, at how many points each unit folds in the neighbourhood.
        cells: Number of cells in each neighbourhood's section; None unless the mode is "exact".
        units: For each layer whether each unit folds near each point; None unless asked for.
    """

    mode: str
    neighbourhood: str
    radius: float
    layers: tuple[str, ...]
    counts: Int[np.ndarray, "n layers"]
    unit_counts: tuple[Int[np.ndarray, " _"], ...]
    cells: Int[np.ndarray, " n"] | None = None
    units: tuple[Bool[np.ndarray, "n _"], ...] | None = None

    def __len__(self) -> int:
        """Number of points."""
        return len(self.counts)

    @property
    def total(self) -> Int[np.ndarray, " n"]:
        """Local complexity of each point, the sum over layers."""
        total: np.ndarray = self.counts.sum(axis=1)
        return total

    @property
    def mean(self) -> float:
        """Mean local complexity of the points, which papers report."""
        return float(self.total.mean()) if len(self) else float("nan")

    @property
    def layer_means(self) -> Float[np.ndarray, " layers"]:
        """Mean over the points of each layer's count."""
        means: np.ndarray = self.counts.mean(axis=0)
        return means

    def distribution(self) -> tuple[Int[np.ndarray, " values"], Int[np.ndarray, " values"]]:
        """Values of the local complexity that occur, ascending, and at how many points each does."""
        values, frequencies = np.unique(self.total, return_counts=True)
        return values, frequencies

    def __repr__(self) -> str:
        parts = " + ".join(f"{mean:.3g}" for mean in self.layer_means)
        return (
            f"LocalComplexity({self.mode}, radius {self.radius:g}: mean {self.mean:.4g} = {parts}, {len(self)} points)"
        )


class Counter:
    """Adds up what chunks of points give, in arrays that are made once.

    Args:
        points: Number of all points.
        keep_units: Whether to keep a bit for each unit and point.
    """

    def __init__(self, points: int, keep_units: bool) -> None:
        self._points, self._keep = points, keep_units
        self._done = 0
        self._layers: tuple[str, ...] = ()

    def add(self, layers: tuple[str, ...], cuts: list[np.ndarray]) -> None:
        """Take the next points.

        Args:
            layers: Name of each layer.
            cuts: For each layer [points, units] whether a unit folds near a point.
        """
        if not self._layers:
            self._begin(layers, [cut.shape[1] for cut in cuts])
        rows = slice(self._done, self._done + len(cuts[0]))
        for layer, cut in enumerate(cuts):
            self._counts[rows, layer] = np.count_nonzero(cut, axis=1)
            self._unit_counts[layer] += np.count_nonzero(cut, axis=0)
            if self._keep:
                self._units[layer][rows] = cut
        self._done = rows.stop

    def result(self, mode: str, neighbourhood: str, radius: float) -> LocalComplexity:
        """Everything together."""
        units = tuple(self._units) if self._keep else None
        return LocalComplexity(
            mode, neighbourhood, radius, self._layers, self._counts, tuple(self._unit_counts), None, units
        )

    def _begin(self, layers: tuple[str, ...], sizes: list[int]) -> None:
        self._layers = layers
        self._counts = np.zeros((self._points, len(layers)), dtype=np.int64)
        self._unit_counts = [np.zeros(size, dtype=np.int64) for size in sizes]
        self._units = [np.zeros((self._points, size), dtype=bool) for size in sizes] if self._keep else []
