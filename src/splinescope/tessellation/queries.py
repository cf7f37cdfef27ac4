"""What a complex is asked: one line each into the function that has the mathematics, loaded when it is first asked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from splinescope.shown import Shown
from splinescope.tessellation.results import Extrema, Folds, LinearRegions


def ask(home: str, name: str) -> Any:
    """A function by its home and name: what answers imports complexes, never the other way round."""
    return getattr(import_module(f"splinescope.{home}"), name)


class Explorable(Shown):
    """What has a page for the browser."""

    def explore(self, path: str | os.PathLike[str] | None = None, **options: Any) -> Any:
        """A page for the browser to look around in: see `splinescope.viewer.explore`.

        Args:
            path: A file to write it to; None to write none.
            **options: Those of `splinescope.viewer.explore`.

        Returns:
            The page.
        """
        return ask("viewer", "explore")(self, path, **options)


class Queries(Explorable):
    """Methods of complexes of every dimension; what has no meaning in one is refused in a line that says why."""

    @property
    def areas(self) -> Float[np.ndarray, " F"]:
        """[F] areas of the cells of a plane, in its coordinates; of other complexes see `measures`."""
        areas: np.ndarray = ask("tessellation.statistics", "areas")(self)
        return areas

    @property
    def classes(self) -> Int[np.ndarray, " F"]:
        """[F] class of each cell, as `splinescope.tessellation.boundary.cell_classes` says."""
        classes: np.ndarray = ask("tessellation.boundary", "cell_classes")(self)
        return classes

    def norms(self, kind: str = "spectral", space: str = "domain") -> Float[np.ndarray, " F"]:
        """[F] norm of the linear part on each cell: see `splinescope.tessellation.affine.norms`.

        Args:
            kind: "spectral" or "frobenius".
            space: "domain" or "input".

        Returns:
            One norm per cell.
        """
        norms: np.ndarray = ask("tessellation.affine", "norms")(self, kind, space)
        return norms

    def lipschitz(self) -> float:
        """Lipschitz constant on the domain: see `splinescope.tessellation.affine.lipschitz`."""
        return float(ask("tessellation.affine", "lipschitz")(self))

    def extrema(self) -> Extrema:
        """Least and largest outputs on the domain: see `splinescope.tessellation.affine.extrema`."""
        found: Extrema = ask("tessellation.affine", "extrema")(self)
        return found

    def linear_regions(self, **options: Any) -> LinearRegions:
        """Cells merged where the map does not change: see `splinescope.tessellation.regions.linear_regions`."""
        found: LinearRegions = ask("tessellation.regions", "linear_regions")(self, **options)
        return found

    def folds(self) -> Folds:
        """Which unit made each facet: see `splinescope.tessellation.folds.folds`."""
        found: Folds = ask("tessellation.folds", "folds")(self)
        return found

    def decision_boundary(self, classes: Sequence[int] | None = None, **options: Any) -> Any:
        """Where the class changes: see `splinescope.decision_boundary`."""
        return ask("tessellation.boundary", "decision_boundary")(self, classes, **options)

    def to_table(self, *, maps: bool = True) -> dict[str, np.ndarray]:
        """Columns with one entry for each cell: see `splinescope.tessellation.export.to_table`."""
        table: dict[str, np.ndarray] = ask("tessellation.export", "to_table")(self, maps=maps)
        return table

    def to_geodataframe(self, *, maps: bool = True) -> Any:
        """The cells of a plane as a `geopandas.GeoDataFrame`: see `splinescope.tessellation.export.to_geodataframe`."""
        return ask("tessellation.export", "to_geodataframe")(self, maps=maps)

    def save(self, path: str | os.PathLike[str], *, with_network: bool = True) -> Path:
        """Write it to one `.npz` file, by default with its network; `splinescope.open` reads it.

        Args:
            path: File to write.
            with_network: Whether to keep the network in the file.

        Returns:
            The path.
        """
        written: Path = ask("tessellation.files", "save_complex")(self, path, with_network=with_network)
        return written
