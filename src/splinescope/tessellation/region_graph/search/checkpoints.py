"""Searches under way in files, from which they go on. Graphs are saved as all cells are: see `tessellation.files`."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import numpy as np

from splinescope.errors import StoreError
from splinescope.storage import check_shapes, fingerprint, read_arrays, within, write_arrays
from splinescope.tessellation.region_graph.programs.space import SOUND
from splinescope.tessellation.region_graph.search.explore import Explorer
from splinescope.tessellation.region_graph.search.found import BOUNDARY, Explored, Seeds
from splinescope.tessellation.region_graph.search.frontier import Exploration
from splinescope.tessellation.region_graph.search.keys import as_bytes

FORMAT = 2
"""Version of the layout."""

_COUNTERS = ("explored", "sound", "level", "level_end")

_SEEDS = {"keys": "u met width", "origins": "f met d", "normals": "f met d"}
_PER_CELL = ("state", "touching", "thin", "undecided", "doubtful", "exact", "facet_counts")
_FOUND = {
    **dict.fromkeys(_PER_CELL, "i cells"),
    "centres": "f cells d",
    "radii": "f cells",
    "facet_columns": "i facets",
    "facet_planes": "f facets d+1",
    "facet_points": "f facets d",
    "facet_uncertainties": "f facets",
    "facet_keys": "u facets width",
    "further_facets": "i further",
    "further_columns": "i further",
    "neighbours": "i facets",
}
"""What a search has found, and the shapes of it."""


def save_search(search: Exploration, path: str | os.PathLike[str]) -> Path:
    """Write a search, so that it can go on from there.

    Args:
        search: The search.
        path: File to write.

    Returns:
        The path.
    """
    search.together()
    arrays = {f"seeds_{name}": array for name, array in vars(search.seeds[0]).items()}
    if search.results:
        arrays |= {f"found_{name}": array for name, array in vars(search.results[0]).items()}
        arrays["neighbours"] = search.neighbours[0]
    counters = {name: getattr(search, name) for name in _COUNTERS}
    header = {"format": FORMAT, "search": counters, "problem": _problem(search.explorer)}
    return write_arrays(path, arrays, header, argument="checkpoint")


def load_search(path: str | os.PathLike[str], explorer: Explorer) -> Exploration:
    """Read a search that `save_search` wrote.

    Args:
        path: The file.
        explorer: The network on the domain; the same as then.

    Returns:
        The search.

    Raises:
        StoreError: If the file is missing, is damaged, or belongs to another network, domain or tolerance.
    """
    stored = read_arrays(path, "file of a search", argument="resume")
    header, arrays = stored.record, stored.arrays
    if not isinstance(header, dict) or "search" not in header:
        raise StoreError(f"`resume`: {str(path)!r} holds no search; expected a file that `checkpoint` named")
    if header.get("format") != FORMAT:
        raise StoreError(f"`resume`: {str(path)!r} has another format than {FORMAT}; expected a file of this version")
    if header.get("problem") != _problem(explorer):
        raise StoreError(
            f"`resume`: {str(path)!r} was written for another network, domain or tolerance; expected the same ones"
        )
    try:
        search = _restored(header["search"], arrays, explorer)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise StoreError(f"`resume`: {str(path)!r} is not a complete search: {reason}") from error
    return search


def _restored(counters: dict[str, int], arrays: dict[str, np.ndarray], explorer: Explorer) -> Exploration:
    """The search that counters and arrays say; raises `ValueError` if they disagree, since it might never end then."""
    seeds = Seeds(*(arrays[f"seeds_{field.name}"] for field in fields(Seeds)))
    search = Exploration(explorer, [seeds])
    for name in _COUNTERS:
        setattr(search, name, int(counters[name]))
    search.numbers = {key: number for number, key in enumerate(as_bytes(seeds.keys))}
    _agree(
        search.met == len(seeds.keys)
        and 0 <= search.level <= search.explored <= search.level_end <= search.met
        and 0 <= search.sound <= search.explored
    )
    sizes = {"met": search.met, "d": explorer.domain.dimension, "width": explorer.keys.width}
    check_shapes(vars(seeds), _SEEDS, sizes)
    _agree(all(np.isfinite(array).all() for array in (seeds.origins, seeds.normals)))
    if not search.explored:
        return search
    found = Explored(*(arrays[f"found_{field.name}"] for field in fields(Explored)))
    sizes |= {"cells": search.explored, "facets": len(found.facet_columns)}
    check_shapes({**vars(found), "neighbours": arrays["neighbours"]}, _FOUND, sizes)
    points = (found.centres, found.facet_planes, found.facet_points)
    _agree(all(np.isfinite(array).all() for array in points))
    columns, facets = explorer.layout.columns, sizes["facets"]
    _agree(
        within(arrays["neighbours"], -1, search.met)
        and within(found.facet_counts, 0, facets + 1)
        and int(found.facet_counts.sum()) == facets
        and within(found.further_facets, 0, facets)
        and within(found.facet_columns, BOUNDARY, columns)
        and within(found.further_columns, 0, columns)
        and int((found.state == SOUND).sum()) == search.sound
    )
    search.results, search.neighbours = [found], [arrays["neighbours"]]
    return search


def _agree(fits: bool) -> None:
    if not fits:
        raise ValueError("its counters and arrays disagree")


def _problem(explorer: Explorer) -> str:
    """A hash of the network, the domain and the tolerance."""
    parts = [explorer.network.nodes, explorer.network.output, explorer.domain, explorer.tolerance]
    return fingerprint(parts, "problem")
