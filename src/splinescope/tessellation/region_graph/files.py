"""Region graphs, and searches under way, in `.npz` files without pickle that appear whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from splinescope.errors import StoreError
from splinescope.network import graph as network_graph
from splinescope.network import heads, ops
from splinescope.numerics import Tolerance
from splinescope.tessellation.domains import Box, Segment, Slice
from splinescope.tessellation.files import replacing
from splinescope.tessellation.records import decode, encode
from splinescope.tessellation.region_graph.certificate import RegionCertificate
from splinescope.tessellation.region_graph.explore import Explorer
from splinescope.tessellation.region_graph.found import Explored, Seeds
from splinescope.tessellation.region_graph.graph import Doubts, RegionGraph
from splinescope.tessellation.region_graph.keys import as_bytes
from splinescope.tessellation.region_graph.search import Search

FORMAT = 2
"""Version of both layouts."""

_COUNTERS = ("explored", "sound", "level", "level_end")


def save_region_graph(graph: RegionGraph, path: str | os.PathLike[str]) -> Path:
    """Write a region graph to one `.npz` file: arrays, domain, certificate and the network itself.

    The arrays bear the names of the attributes of `RegionGraph`, so that NumPy alone reads them.

    Args:
        graph: The graph.
        path: File to write.

    Returns:
        The path.

    Raises:
        InvalidInputError: If the folder does not exist.
        StoreError: If the file cannot be written.
    """
    arrays: dict[str, np.ndarray] = {}
    record = encode(graph, arrays, "graph")
    named = {key.removeprefix("graph."): value for key, value in arrays.items()}
    return _write(path, {"format": FORMAT, "graph": record}, named)


def load_region_graph(path: str | os.PathLike[str]) -> RegionGraph:
    """Read a graph that `save_region_graph` wrote.

    Args:
        path: The file.

    Returns:
        The graph, equal to the saved one in every array.

    Raises:
        StoreError: If the file is missing, is not of this kind, is damaged, or comes from another version.
    """
    header, arrays = _read(path, "graph")
    parts = [part for module in (ops, network_graph, heads) for part in vars(module).values() if isinstance(part, type)]
    parts += [RegionGraph, RegionCertificate, Doubts, Tolerance, Box, Slice, Segment]
    classes = {part.__name__: part for part in parts if is_dataclass(part)}
    graph = decode(header["graph"], {f"graph.{name}": array for name, array in arrays.items()}, classes)
    if not isinstance(graph, RegionGraph):
        raise StoreError(f"`path`: {str(path)!r} holds no region graph")
    return graph


def save_search(search: Search, path: str | os.PathLike[str]) -> Path:
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
    return _write(path, {"format": FORMAT, "search": counters, "problem": fingerprint(search.explorer)}, arrays)


def load_search(path: str | os.PathLike[str], explorer: Explorer) -> Search:
    """Read a search that `save_search` wrote.

    Args:
        path: The file.
        explorer: The network on the domain; the same as then.

    Returns:
        The search.

    Raises:
        StoreError: If the file is missing, is damaged, or belongs to another network, domain or tolerance.
    """
    header, arrays = _read(path, "search")
    if header.get("problem") != fingerprint(explorer):
        raise StoreError(
            f"`resume`: {str(path)!r} was written for another network, domain or tolerance; expected the same ones"
        )
    try:
        seeds = Seeds(*(arrays[f"seeds_{field.name}"] for field in fields(Seeds)))
        search = Search(explorer, [seeds])
        for name in _COUNTERS:
            setattr(search, name, int(header["search"][name]))
        if search.explored:
            search.results = [Explored(*(arrays[f"found_{field.name}"] for field in fields(Explored)))]
            search.neighbours = [arrays["neighbours"]]
    except (KeyError, TypeError) as error:
        raise StoreError(f"`resume`: {str(path)!r} is not a complete search: {error} is missing") from error
    search.numbers = {key: number for number, key in enumerate(as_bytes(seeds.keys))}
    return search


def fingerprint(explorer: Explorer) -> str:
    """A hash of the network, the domain and the tolerance."""
    arrays: dict[str, np.ndarray] = {}
    parts = [explorer.network.nodes, explorer.network.output, explorer.domain, explorer.tolerance]
    text = json.dumps(encode(parts, arrays, "problem"))
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def _write(path: str | os.PathLike[str], header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Path:
    named: dict[str, Any] = {"record": np.array(json.dumps(header))} | arrays
    try:
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **named)
    except OSError as error:
        raise StoreError(f"`path`: cannot write {str(path)!r}: {error.strerror}") from error
    return Path(path)


def _read(path: str | os.PathLike[str], kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            header = json.loads(str(file["record"]))
            arrays = {name: file[name] for name in file.files if name != "record"}
    except FileNotFoundError as error:
        raise StoreError(f"`path`: there is no file {str(path)!r}") from error
    except (OSError, ValueError, KeyError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise StoreError(f"`path`: {str(path)!r} is not a complete file of a {kind}") from error
    if not isinstance(header, dict) or kind not in header:
        raise StoreError(f"`path`: {str(path)!r} holds no {kind}")
    if header.get("format") != FORMAT:
        raise StoreError(f"`path`: {str(path)!r} has another format than {FORMAT}; expected a file of this version")
    return header, arrays
