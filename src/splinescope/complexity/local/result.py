"""What local complexity gives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, eq=False)
class LocalComplexity:
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
        """Local complexity of each point: the sum over layers."""
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
    """Adds up what chunks of points give.

    Args:
        keep_units: Whether to keep a bit for each unit and point.
    """

    def __init__(self, keep_units: bool) -> None:
        self._keep = keep_units
        self._counts: list[np.ndarray] = []
        self._units: list[list[np.ndarray]] = []
        self._unit_counts: list[np.ndarray] = []
        self.layers: tuple[str, ...] = ()

    def add(self, layers: tuple[str, ...], cuts: list[np.ndarray]) -> None:
        """Take the next points.

        Args:
            layers: Name of each layer.
            cuts: For each layer [points, units] whether a unit folds near a point.
        """
        self.layers = layers
        self._counts.append(np.stack([cut.sum(axis=1) for cut in cuts], axis=1).astype(np.int64))
        sums = [cut.sum(axis=0).astype(np.int64) for cut in cuts]
        self._unit_counts = [a + b for a, b in zip(self._unit_counts, sums, strict=True)] if self._unit_counts else sums
        if self._keep:
            self._units.append(cuts)

    def result(self, mode: str, neighbourhood: str, radius: float) -> LocalComplexity:
        """Everything together."""
        found = LocalComplexity(
            mode, neighbourhood, radius, self.layers, np.concatenate(self._counts), tuple(self._unit_counts)
        )
        if not self._keep:
            return found
        return replace(found, units=tuple(np.concatenate(parts) for parts in zip(*self._units, strict=True)))
