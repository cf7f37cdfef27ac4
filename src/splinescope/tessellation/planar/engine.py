"""The exact tessellation of a planar slice: op by op through the network, piece by piece through the domain."""

from __future__ import annotations

import math
import os
from collections.abc import Callable

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.network.load import ModelLike
from splinescope.numerics import Tolerance, available_memory, torch_alone
from splinescope.profiling import spent
from splinescope.progress import remark, reporting
from splinescope.tessellation.arguments import question
from splinescope.tessellation.certificate import certified
from splinescope.tessellation.complex import Decisions
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.planar.assembly import straightened
from splinescope.tessellation.planar.complex import PlanarComplex, arrays_of
from splinescope.tessellation.planar.placement import placed
from splinescope.tessellation.planar.plan import Plan
from splinescope.tessellation.planar.run import PlanarRun, piece_store
from splinescope.tessellation.planar.slices import Slices
from splinescope.tessellation.planar.work import is_small

_PATIENCE = 5.0
"""Seconds for comparisons with forward passes after an interruption: who pressed Ctrl-C is waiting."""


def tessellate_slice(
    network: ModelLike,
    domain: Slice,
    *,
    verify: str = "values",
    max_cells: int | None = None,
    memory_budget: int | None = None,
    store: str | os.PathLike[str] | None = None,
    tolerance: Tolerance | None = None,
    progress: bool | Callable[[float, int], None] = False,
) -> PlanarComplex:
    """The cells of a network in a planar slice; arguments, results and errors are those of `tessellate`.

    Args:
        network: The network, or a module or file of one.
        domain: A slice of two dimensions.
        verify: Level of the certificate.
        max_cells: Stop refining at so many cells.
        memory_budget: Bytes for the cells under way with the values at their vertices.
        store: Folder for finished parts.
        tolerance: What counts as zero.
        progress: Progress bar, or a function of (share done, cells found).

    Returns:
        The complex, with its certificate.
    """
    asked = question(network, domain, verify, max_cells, memory_budget)
    network, domain = asked.network, asked.domain
    if not isinstance(domain, Slice) or domain.dimension != 2:
        raise InvalidInputError(f"`domain`: got {type(domain).__name__}; expected a Slice of two dimensions")
    with torch_alone(is_small(network)):
        plan = _planned(network, domain, tolerance or Tolerance(), max_cells, memory_budget)
        cells, interrupted = _cut(plan, domain, tolerance or Tolerance(), store, progress)
        return certified(cells, verify, progress, _PATIENCE if interrupted else math.inf)


def _planned(
    network: Network, domain: Slice, tolerance: Tolerance, max_cells: int | None, memory_budget: int | None
) -> Plan:
    with spent("planning"):
        return Plan.of(network, Slices((domain,)), tolerance, max_cells, memory_budget or available_memory() // 4)


def _cut(
    plan: Plan,
    domain: Slice,
    tolerance: Tolerance,
    store: str | os.PathLike[str] | None,
    progress: bool | Callable[[float, int], None],
) -> tuple[PlanarComplex, bool]:
    """The cells, without a certificate, and whether somebody pressed Ctrl-C."""
    network = plan.network
    run = PlanarRun(plan, piece_store(store))
    with run.store:
        with reporting(progress, phase="cutting") as report:
            run.report, run.watched = report, bool(progress)
            run.through_network()
        if run.interrupted:
            kept = f"the {run.store.cells:,} finished cells, {run.done:.1%} of the area,"
            remark(progress, f"interrupted: {kept} are kept; they are checked and written now")
        with spent("assembling"):
            finished = straightened(run.joined(), network)
    with spent("placing"):
        exact = placed(finished, plan)
    with spent("assembling"):
        cells = PlanarComplex(
            network=network,
            domain=domain,
            tolerance=tolerance,
            truncated=not run.complete,
            decisions=Decisions(plan.tally.signs, plan.tally.exact),
            **arrays_of(exact, network),
        )
    return cells, run.interrupted


def cells_and_crossings(plan: Plan) -> tuple[int, int]:
    """Number of cells of a plan's domain, and how often folds meet its border; only counted, not checked.

    Args:
        plan: The plan. With `max_cells`, work ends there.

    Returns:
        Both.
    """
    run = PlanarRun(plan)
    run.through_network()
    return run.store.cells, run.crossings()
