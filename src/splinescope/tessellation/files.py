"""Cells of every kind in files: complexes of segments, planes and spaces, batches of segments, region graphs."""

from __future__ import annotations

import os
from dataclasses import is_dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.errors import InvalidInputError, StoreError
from splinescope.network import graph, heads
from splinescope.network.graph import Network
from splinescope.network.ops import Op
from splinescope.numerics import Tolerance
from splinescope.storage import Stored, class_name, decode, encode, fingerprint, read_arrays, write_arrays
from splinescope.tessellation.certificate import Certificate
from splinescope.tessellation.codes import NodeCodes
from splinescope.tessellation.complex import Decisions
from splinescope.tessellation.domains import Box, Segment, Slice
from splinescope.tessellation.stored_shapes import check_cells

if TYPE_CHECKING:
    from splinescope.tessellation.complex import PolyhedralComplex
    from splinescope.tessellation.region_graph.graph import RegionGraph
    from splinescope.tessellation.segments.batch import SegmentBatch

FORMAT = 3
"""Version of the layout."""

_BEFORE = {1: "complex", 2: "graph"}
"""Versions that are still read, and what their records call the cells: planes alone, and region graphs alone."""

_KINDS = {
    "SegmentComplex": ("segments.complex:SegmentComplex", "segments.codes:FlipCodes"),
    "SegmentBatch": ("segments.batch:SegmentBatch", "segments.batch:Segments", "segments.codes:FlipCodes"),
    "PlanarComplex": ("planar.complex:PlanarComplex",),
    "SpatialComplex": ("spatial.complex:SpatialComplex", "spatial.complex:Incidence"),
    "RegionGraph": (
        "region_graph.graph:RegionGraph",
        "region_graph.graph:Doubts",
        "region_graph.certificate:RegionCertificate",
    ),
}
"""What may be in a file, and the classes that it is made of beyond those that all share; imported when needed."""


def save_complex(
    cells: PolyhedralComplex | SegmentBatch | RegionGraph, path: str | os.PathLike[str], *, with_network: bool = True
) -> Path:
    """Write cells of any kind to one `.npz` file: arrays, patterns, domain, certificate and the network itself.

    The arrays bear the names of the attributes, so that NumPy alone reads them; the rest is in the text `record`. There
    is no pickle in the file, and it appears whole or not at all. `cells.save(path)` is the same.

    Args:
        cells: A complex, a batch of segments or a region graph.
        path: File to write.
        with_network: Whether to keep the network in the file; without, whoever opens it has to have the network.

    Returns:
        The path.

    Raises:
        InvalidInputError: If `cells` is of another kind, or the folder does not exist.
        StoreError: If the file cannot be written, or the network or the domain is of a class of your own.

    Cost: the size of the arrays and of the network's weights, which are not compressed.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> with TemporaryDirectory() as folder:
        ...     path = save_complex(cells, f"{folder}/cells.npz")
        ...     len(splinescope.open(path)) == len(cells)
        True
    """
    arrays, record = stored_form(cells, with_network=with_network)
    return write_arrays(path, arrays, record)


def stored_form(
    cells: PolyhedralComplex | SegmentBatch | RegionGraph, *, with_network: bool = True
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays and the record that `save_complex` writes; a file may hold further arrays beside them.

    Args:
        cells: A complex, a batch of segments or a region graph.
        with_network: Whether the network is among them.

    Returns:
        Arrays by name, and the record.

    Raises:
        InvalidInputError: If `cells` is of another kind.
        StoreError: If the network or the domain is of a class of your own.

    Cost: nothing that grows with the arrays, which are shared; the patterns and the weights are gathered.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> arrays, record = stored_form(cells)
        >>> arrays["vertices"] is cells.vertices, record["kind"]
        (True, 'PlanarComplex')
    """
    kind = type(cells).__name__
    if kind not in _KINDS:
        raise InvalidInputError(f"`cells`: got {kind}; expected a complex, a batch of segments or a region graph")
    classes = stored_classes(kind)
    for part in (cells, cells.domain, *(node.op for node in cells.network.nodes)):
        if classes.get(class_name(part)) is not type(part):
            raise StoreError(f"`cells`: a {type(part).__qualname__} cannot be stored; expected classes of splinescope")
    arrays: dict[str, Any] = {}
    record = encode(cells, arrays, "cells")
    if not with_network:
        del record["fields"]["network"]
        arrays = {name: array for name, array in arrays.items() if not name.startswith("cells.network.")}
    named = {name.removeprefix("cells."): array for name, array in arrays.items()}
    header = {"splinescope": "cells", "format": FORMAT, "kind": kind, "network": network_fingerprint(cells.network)}
    return named, header | {"cells": record}


def load_complex(
    path: str | os.PathLike[str], network: Network | None = None
) -> PolyhedralComplex | SegmentBatch | RegionGraph:
    """Open a file that `cells.save(path)` wrote, whatever kind of cells it holds. `splinescope.open` is the same.

    Nothing in the file is run: it holds numbers, texts and names of classes of splinescope.

    Args:
        path: The file.
        network: The network that the cells were made of, to share it; by default the one in the file.

    Returns:
        The cells, equal to the saved ones in every array and, to the last bit, in the network's outputs.

    Raises:
        StoreError: If the file is missing, is not of this kind, is damaged, or comes from a newer version.
        InvalidInputError: If `network` is another network, or the file holds none and none is given.

    Cost: reading the file.

    Example:
        >>> import tempfile, torch, splinescope
        >>> module = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        >>> cells = splinescope.tessellate(splinescope.load(module), splinescope.Slice.box([-1, -1], [1, 1]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     again = splinescope.open(cells.save(f"{folder}/cells.npz"))
        >>> bool((again.vertices == cells.vertices).all())
        True
    """
    stored = read_arrays(path, "file of cells")
    record, prefix = _record_of(stored, path)
    arrays = {f"{prefix}.{name}": array for name, array in stored.arrays.items()}
    kind = str(record.get("class"))
    if kind not in _KINDS or not isinstance(record.get("fields"), dict):
        raise StoreError(f"`path`: {str(path)!r} holds a {kind}; expected one of {', '.join(_KINDS)}")
    classes = stored_classes(kind)
    kept = record["fields"].pop("network", None)
    chosen = _chosen(network, kept, stored, arrays, path)
    try:
        values = decode({"dict": record["fields"]}, arrays, classes)
        check_cells(kind, values, chosen)
        cells: PolyhedralComplex | SegmentBatch | RegionGraph = classes[kind](network=chosen, **values)
    except (StoreError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise StoreError(f"`path`: {str(path)!r} is damaged: {error}") from error
    return cells


open = load_complex


def _record_of(stored: Stored, path: str | os.PathLike[str]) -> tuple[dict[str, Any], str]:
    """The record of the cells, and the prefix of its arrays' names."""
    header = stored.record
    if not isinstance(header, dict) or not isinstance(header.get("format"), int):
        raise StoreError(f"`path`: {str(path)!r} is no file of cells; expected one that `cells.save` wrote")
    if "search" in header:
        raise StoreError(f"`path`: {str(path)!r} holds a search under way; go on with `region_graph(..., resume=path)`")
    if header["format"] > FORMAT:
        raise StoreError(
            f"`path`: {str(path)!r} was saved by a newer version, in format {header['format']}; this one knows formats "
            f"up to {FORMAT}; update splinescope"
        )
    prefix = _BEFORE.get(header["format"], "cells")
    if not isinstance(header.get(prefix), dict):
        raise StoreError(f"`path`: {str(path)!r} is no file of cells; expected one that `cells.save` wrote")
    return header[prefix], prefix


def _chosen(
    network: Network | None, kept: Any, stored: Stored, arrays: dict[str, Any], path: str | os.PathLike[str]
) -> Network:
    """The network that is given if it is the right one, else the one in the file."""
    if network is None and kept is None:
        raise InvalidInputError(
            f"`network`: {str(path)!r} was saved without its network; pass the one that the cells were made of, "
            "`network=...`"
        )
    expected = stored.record.get("network")
    found = None
    if network is None or expected is None:
        try:
            found = decode(kept, arrays, stored_classes())
            if not isinstance(found, Network):
                raise StoreError("what it holds as the network is none")
            if not bool(np.isfinite(found(np.zeros(found.input_shape))).all()):
                raise StoreError("its network has weights that are not finite")
        except Exception as error:  # where its parts do not fit together, it fails in any way, if only when it is run
            raise StoreError(f"`path`: {str(path)!r} is damaged: {error}") from error
    if network is None:
        assert found is not None
        return found
    if network_fingerprint(network) != (expected or (found and network_fingerprint(found))):
        raise InvalidInputError(
            f"`network`: it is not the network that the cells in {str(path)!r} were made of; expected that one, to the "
            "last bit of its weights" + ("" if kept is None else ", or None for the one in the file")
        )
    return network


def network_fingerprint(network: Network) -> str:
    """A hash of what a network computes, to the last bit of its weights: its ops, not their names.

    Args:
        network: The network.

    Returns:
        64 hexadecimal digits.

    Raises:
        StoreError: If it has ops of a class of your own.
    """
    return fingerprint([[node.op, node.inputs, node.shape] for node in network.nodes] + [network.output], "network")


def stored_classes(kind: str | None = None) -> dict[str, type]:
    """The classes that stored cells, or what is made of a network and a domain, may be made of.

    Args:
        kind: A kind of cells, whose own classes are among them then.

    Returns:
        The classes by the names under which they are stored.
    """
    parts = [part for module in (graph, heads) for part in vars(module).values() if isinstance(part, type)]
    parts += reversed(_kinds_of(Op))  # of two with one name the one that is ours
    parts += [Box, Segment, Slice, Tolerance, Certificate, Decisions, NodeCodes]
    for place in () if kind is None else _KINDS[kind]:
        module, _, name = place.partition(":")
        parts.append(getattr(import_module(f"splinescope.tessellation.{module}"), name))
    return {class_name(part): part for part in parts if is_dataclass(part) or issubclass(part, tuple)}


def _kinds_of(base: type) -> list[type]:
    """A class and all that derive from it: an op of somebody's own is stored, and read where that class is known."""
    children: list[type] = base.__subclasses__()
    return [base, *(kind for child in children for kind in _kinds_of(child))]
