"""Searches under way in files, from which they go on. Graphs are saved as all cells are: see `tessellation.files`."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

from splinescope.errors import StoreError
from splinescope.storage import fingerprint, read_arrays, write_arrays
from splinescope.tessellation.region_graph.search.explore import Explorer
from splinescope.tessellation.region_graph.search.found import Explored, Seeds
from splinescope.tessellation.region_graph.search.frontier import Exploration
from splinescope.tessellation.region_graph.search.keys import as_bytes

FORMAT = 2
"""Version of the layout."""

_COUNTERS = ("explored", "sound", "level", "level_end")


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
        seeds = Seeds(*(arrays[f"seeds_{field.name}"] for field in fields(Seeds)))
        search = Exploration(explorer, [seeds])
        for name in _COUNTERS:
            setattr(search, name, int(header["search"][name]))
        if search.explored:
            search.results = [Explored(*(arrays[f"found_{field.name}"] for field in fields(Explored)))]
            search.neighbours = [arrays["neighbours"]]
    except (KeyError, TypeError) as error:
        raise StoreError(f"`resume`: {str(path)!r} is not a complete search: {error} is missing") from error
    search.numbers = {key: number for number, key in enumerate(as_bytes(seeds.keys))}
    return search


def _problem(explorer: Explorer) -> str:
    """A hash of the network, the domain and the tolerance."""
    parts = [explorer.network.nodes, explorer.network.output, explorer.domain, explorer.tolerance]
    return fingerprint(parts, "problem")
