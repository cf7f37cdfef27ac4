"""The region graph of a network on a domain of any dimension."""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

from splinescope.errors import DegenerateArrangementError, InvalidInputError, StoreError, StoreWarning, WorkerError
from splinescope.network.load import ModelLike
from splinescope.numerics import Tolerance
from splinescope.progress import Report, reporting
from splinescope.tessellation.arguments import question
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.domains.samples import excess
from splinescope.tessellation.region_graph.certificate import certified
from splinescope.tessellation.region_graph.graph import RegionGraph
from splinescope.tessellation.region_graph.search.assemble import assembled
from splinescope.tessellation.region_graph.search.checkpoints import load_search, save_search
from splinescope.tessellation.region_graph.search.explore import Explorer
from splinescope.tessellation.region_graph.search.found import Seeds
from splinescope.tessellation.region_graph.search.frontier import Exploration, Limits

_BETWEEN = 5.0
"""Seconds between checkpoints, at least."""

_SHARE = 20.0
"""Work between checkpoints, at least, in units of what the last one took."""


def region_graph(
    network: ModelLike,
    domain: Domain,
    *,
    starts: Any = None,
    max_cells: int | None = None,
    time_limit: float | None = None,
    memory_budget: int | None = None,
    executor: Executor | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    verify: str = "values",
    tolerance: Tolerance | None = None,
    progress: bool | Callable[[float, int], None] = False,
    generator: np.random.Generator | None = None,
) -> RegionGraph:
    r"""Cells of a network on a domain of any dimension, by half-spaces, with facets and neighbours.

    A cell is a maximal convex set on which every unit keeps its piece. The search starts in the cells of some inputs,
    finds the facets of each cell by linear programs, and crosses them. The dual graph of the cells of a convex domain
    is connected, so that when no facet is left to cross all cells have been found. No vertices are computed: their
    number grows like a power of the dimension.

    Args:
        network: A continuous piecewise affine network; or a module or the path of a file, which is imported with the
            input shape of the domain where it does not tell its own.
        domain: A domain of its inputs, in their shape or flat.
        starts: [n, *input_shape] inputs in the domain to start from; by default its centre.
        max_cells: Stop after this many cells.
        time_limit: Stop after this many seconds; the first block of cells is explored in any case.
        memory_budget: Bytes for the cells that are explored at once, or checked at once by the certificate; what is
            found of them is kept beyond that. One that is too small for the usual number of cells takes fewer at a
            time, of which the last bits may be others.
        executor: Who explores blocks of cells, any `concurrent.futures.Executor`; the library's own threads if None.
            `sweeps.WorkerPool` goes on when a worker is killed; `sweeps.as_executor` makes one of a cluster.
            The result does not depend on it.
        checkpoint: File to save the search to, now and then and at the end. Where that fails, as on a full disk, there
            is a `StoreWarning`, and the search goes on.
        resume: Such a file to go on from; the result is the same as if the search had not been stopped.
        verify: Level of the certificate: see `certify`.
        tolerance: What counts as zero.
        progress: Show a progress bar on long work, or a function of (share explored of the cells met, cells).
        generator: Where the directions come from in which cells are looked for at the starts; by default seed 0.

    Returns:
        The graph. If a limit was met it is not `complete`, and says between which bounds the number of cells lies.

    Raises:
        InvalidInputError: If the domain's input shape is not the network's, or an option is out of range.
        StoreError: If a file cannot be written or read, or belongs to another search.
        CertificateError: If a check fails; it names the cells.
        DegenerateArrangementError: If float64 can find no cell at the starts.
        WorkerError: If the executor broke; what was found is in `checkpoint`.

    Interrupting (Ctrl-C) returns the part of the graph that was found.

    Cost: per cell one forward pass with `d` tangents, and a few steps of the simplex method for each fold that may
    meet the cell's bounding box; memory for the facets, about `8 (3 d + 8)` bytes each.

    Example:
        >>> import torch
        >>> from splinescope import Box, load
        >>> layer = torch.nn.Linear(4, 4)
        >>> _ = layer.weight.data.copy_(torch.eye(4)), layer.bias.data.zero_()
        >>> network = load(torch.nn.Sequential(layer, torch.nn.ReLU()), input_shape=(4,))
        >>> graph = region_graph(network, Box([-1.0] * 4, [1.0] * 4))
        >>> len(graph), graph.mean_degree, graph.complete
        (16, 4.0, True)
    """
    asked = question(network, domain, verify, max_cells, memory_budget)
    if time_limit is not None and not 0 < time_limit < math.inf:
        raise InvalidInputError(f"`time_limit`: got {time_limit}; expected a positive number of seconds or None")
    if resume is not None and starts is not None:
        raise InvalidInputError("`starts`, `resume`: both were given; a resumed search has its starts already")
    if checkpoint is not None and not Path(checkpoint).absolute().parent.is_dir():
        raise InvalidInputError(f"`checkpoint`: there is no folder {str(Path(checkpoint).parent)!r}; make it first")
    deadline = None if time_limit is None else time.monotonic() + time_limit
    explorer = Explorer.of(asked.network, asked.domain, tolerance or Tolerance(), memory_budget)
    if resume is not None:
        search = load_search(resume, explorer)
    else:
        search = Exploration(explorer)
        search.start(first_cells(explorer, starts, generator or np.random.default_rng(0)))
    with reporting(progress) as report:
        try:
            search.run(Limits(max_cells, deadline), executor, _Notes(report, checkpoint))
        except WorkerError:
            if checkpoint is not None:
                _save(search, checkpoint)
            raise
    if checkpoint is not None:
        _save(search, checkpoint)
    graph = _graph(search)
    if memory_budget is not None:  # for the certificate's own explorer, too
        vars(graph)["explorer"] = Explorer.of(asked.network, asked.domain, graph.tolerance, memory_budget)
    return certified(graph, verify)


def _graph(search: Exploration) -> RegionGraph:
    if not search.explored:
        raise KeyboardInterrupt
    if not search.sound:
        raise DegenerateArrangementError(
            "`starts`: the cells there are thinner than float64 knows their folds; expected other starts"
        )
    return assembled(search)


def _save(search: Exploration, checkpoint: str | os.PathLike[str]) -> None:
    """Save a search; what was found is not lost over a full disk."""
    try:
        save_search(search, checkpoint)
    except (StoreError, InvalidInputError) as error:
        warnings.warn(f"{error}; the search goes on, and what was saved before stays", StoreWarning, stacklevel=2)


class _Notes:
    """What happens after each block: progress is reported, and the search is saved now and then."""

    def __init__(self, report: Report, checkpoint: str | os.PathLike[str] | None) -> None:
        self._report = report
        self._checkpoint = checkpoint
        self._next = time.monotonic() + _BETWEEN

    def __call__(self, search: Exploration) -> None:
        self._report(search.explored / search.met, search.sound)
        started = time.monotonic()
        if self._checkpoint is not None and started >= self._next:
            _save(search, self._checkpoint)
            now = time.monotonic()
            self._next = now + max(_BETWEEN, _SHARE * (now - started))


def first_cells(explorer: Explorer, starts: Any, generator: np.random.Generator) -> Seeds:
    """The cells of some inputs, or one at the centre of the domain.

    Args:
        explorer: The network on its domain.
        starts: [n, *input_shape] inputs, or None.
        generator: Gives the directions that decide between the cells at a start that lies on folds.

    Raises:
        InvalidInputError: If the starts have another shape, or one is outside the domain.
    """
    domain = explorer.domain
    points = domain.centre[None] if starts is None else _projected(domain, starts)
    outside = (excess(domain, points) > explorer.sides).any(axis=1)
    if outside.any():
        raise InvalidInputError(f"`starts`: input {int(outside.argmax())} is outside the domain; expected inputs in it")
    points = points + _INWARDS * (domain.centre - points)
    directions = generator.standard_normal(points.shape)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    patterns = explorer.patterns_beyond(points, directions)
    if explorer.rational.affordable:
        # The first few starts are decided for certain; it takes one good one to find all cells.
        for at in range(min(len(points), _CERTAIN)):
            patterns[at] = explorer.pattern_exactly(points[at], directions[at])
    return Seeds(explorer.keys.pack(patterns), points, directions)


_CERTAIN = 16
"""Starts whose cells are looked up in rational arithmetic."""

_INWARDS = 2.0**-20
"""Share of the way to the domain's centre by which starts are moved, so that none is on the domain's boundary."""


def _projected(domain: Domain, starts: Any) -> np.ndarray:
    inputs = np.asarray(starts.detach().cpu() if hasattr(starts, "detach") else starts, np.float64)
    if inputs.ndim != len(domain.input_shape) + 1 or inputs.shape[1:] != domain.input_shape or not len(inputs):
        expected = ", ".join(map(str, ("n", *domain.input_shape)))
        raise InvalidInputError(f"`starts`: got the shape {inputs.shape}; expected [{expected}]")
    if not np.isfinite(inputs).all():
        raise InvalidInputError("`starts`: some numbers are NaN or infinite; expected finite numbers")
    return domain.project(inputs)
