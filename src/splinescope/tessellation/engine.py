"""One verb: the exact tessellation of any domain, by the engine for its dimension."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.network.load import ModelLike
from splinescope.network.ops.devices import products_on
from splinescope.numerics import Tolerance
from splinescope.tessellation.arguments import Question, question
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.domains import Domain, Segment, as_slice

if TYPE_CHECKING:
    import torch

    from splinescope.tessellation.segments import SegmentComplex

WITH_VERTICES = 4
"""Largest dimension in which cells are given with their vertices; their number grows like a power of it."""

Report = bool | Callable[[float, int], None]


@overload
def tessellate(
    network: ModelLike,
    domain: Segment,
    *,
    verify: str = ...,
    max_cells: int | None = ...,
    memory_budget: int | None = ...,
    store: str | os.PathLike[str] | None = ...,
    tolerance: Tolerance | None = ...,
    progress: Report = ...,
    device: str | torch.device | None = ...,
) -> SegmentComplex: ...
@overload
def tessellate(
    network: ModelLike,
    domain: Domain,
    *,
    verify: str = ...,
    max_cells: int | None = ...,
    memory_budget: int | None = ...,
    store: str | os.PathLike[str] | None = ...,
    tolerance: Tolerance | None = ...,
    progress: Report = ...,
    device: str | torch.device | None = ...,
) -> PolyhedralComplex: ...
def tessellate(
    network: ModelLike,
    domain: Domain,
    *,
    verify: str = "values",
    max_cells: int | None = None,
    memory_budget: int | None = None,
    store: str | os.PathLike[str] | None = None,
    tolerance: Tolerance | None = None,
    progress: Report = False,
    device: str | torch.device | None = None,
) -> PolyhedralComplex:
    r"""Exact partition of a domain into the cells on which a network is affine.

    A cell is a maximal convex set on which every unit keeps its piece: its activation pattern is constant. The folds
    of all units are inserted op by op. The result depends on the dimension of the domain: `SegmentComplex` (1),
    `PlanarComplex` (2), `SpatialComplex` (3 and 4), all with vertices; above that the `RegionGraph`, without (see
    `region_graph`, which has more options).

    Args:
        network: A continuous piecewise affine network; or a `torch.nn.Module` or the path of a file, which is imported
            as by `splinescope.load`, with the input shape of the domain where it does not tell its own.
        domain: A segment, slice or box whose inputs have the network's input shape, or are flat.
        verify: "topology" checks that the cells fill the domain and that neighbours differ in the unit of their common
            facet; "values" also compares patterns and outputs with a forward pass inside every cell; "proof" also
            checks the sign of every unit at every vertex of every cell, which proves that no fold was missed.
        max_cells: Stop refining outwards from the centre of the domain once there are this many cells; the result then
            says `truncated` and its cells, each of them exact, cover a part of the domain (of a segment: its start).
        memory_budget: Bytes for the cells under way with the values at their vertices; a quarter of the free memory by
            default, half of it in three and four dimensions. Domains are then finished part by part; in three and four
            dimensions, where the network has max nodes or there is a `max_cells`, cells far from the centre are left
            out instead. Above that, see `region_graph`.
        store: Folder for finished parts, for more cells than fit in memory; created, and emptied of parts at the end.
        tolerance: What counts as zero.
        progress: Show a progress bar on long work, or a function of (share done, cells found).
        device: Where large products of layers are made, those of the certificate, too, as "cuda"; the processor by
            default. Whatever else evaluates networks does so within `splinescope.products_on`.

    Returns:
        The complex, with its certificate. Its `domain` is the one given, in the network's input shape.

    Raises:
        InvalidInputError: If the domain's input shape is not the network's, there is no network, an option is out of
            range, or torch has no such device.
        UnsupportedOpError: If the network is not piecewise affine.
        CertificateError: If a check fails; it names the cells.
        DegenerateArrangementError: If rounding errors exceed their estimate.

    Interrupting (Ctrl-C) returns the parts that are finished, marked `truncated`, if there are any.

    Cost: the matrix products of each layer at the vertices present when it starts, and a small number of passes over
    the new vertices.

    Example:
        >>> import splinescope, torch
        >>> module = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.ReLU(), torch.nn.Linear(1, 2))
        >>> for parameter, values in zip(module.parameters(), ([[1.0, 0.0]], [0.0], [[1.0], [0.0]], [0.0, 0.5])):
        ...     parameter.data = torch.tensor(values)
        >>> cells = splinescope.tessellate(module, splinescope.Slice.box([-1, -1], [1, 1], names=("x (m)", "y (m)")))
        >>> len(cells), cells.domain.names
        (2, ('x (m)', 'y (m)'))
    """
    asked = question(network, domain, verify, max_cells, memory_budget)
    dimension = asked.domain.dimension
    if store is not None and not 2 <= dimension <= WITH_VERTICES:
        raise InvalidInputError("`store`: streaming to a folder works in two to four dimensions only; expected None")
    options = {"verify": verify, "max_cells": max_cells, "memory_budget": memory_budget}
    with nullcontext() if device is None else products_on(device):
        return _cut(asked, store, {**options, "tolerance": tolerance, "progress": progress})


def _cut(asked: Question[Domain], store: str | os.PathLike[str] | None, options: dict[str, Any]) -> PolyhedralComplex:
    """The cells, by the engine for their dimension."""
    network, domain = asked.network, asked.domain
    if domain.dimension == 1:
        from splinescope.tessellation.segments import tessellate_segment

        return tessellate_segment(network, domain if isinstance(domain, Segment) else _segment_of(domain), **options)
    if domain.dimension == 2:
        from splinescope.tessellation.planar.engine import tessellate_slice

        return tessellate_slice(network, as_slice(domain), store=store, **options)
    if domain.dimension <= WITH_VERTICES:
        from splinescope.tessellation.spatial import tessellate_polytope

        return tessellate_polytope(network, domain, store=store, **options)
    from splinescope.tessellation.region_graph import region_graph

    return region_graph(network, domain, **options)


def _segment_of(domain: Domain) -> Segment:
    """A box of one dimension as a segment; the name of its coordinate says how far that goes."""
    low, high = np.sort(np.ravel(domain.corners))
    names = None if domain.names is None else (f"{domain.names[0]}, from {low:g} at 0 to {high:g} at 1",)
    start, end = domain.embed(domain.corners)
    return Segment(start, end, names)
