"""Many planar slices at once: one pass of the network takes as many as are worth taking together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
from jaxtyping import Bool, Int

from splinescope.errors import DegenerateArrangementError, InvalidInputError
from splinescope.network.graph import Network
from splinescope.network.load import ModelLike, as_network
from splinescope.numerics import Tolerance, available_memory, check_number, torch_alone
from splinescope.profiling import spent
from splinescope.progress import Report, remark, reporting
from splinescope.shown import Shown
from splinescope.tessellation.arguments import check_options, fitted
from splinescope.tessellation.codes import units_that_change
from splinescope.tessellation.complex import Decisions
from splinescope.tessellation.domains import Domain, Slice, as_slice
from splinescope.tessellation.planar.assembly import ordered_by_slice, straightened
from splinescope.tessellation.planar.batch import PlanarBatch, batch_of
from splinescope.tessellation.planar.certificate import certify_slices
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.planar.placement import placed
from splinescope.tessellation.planar.plan import Plan
from splinescope.tessellation.planar.run import PlanarRun
from splinescope.tessellation.planar.slices import Slices, groups_of
from splinescope.tessellation.planar.work import is_small

_FIRST, _MOST, _CELLS = 16, 1 << 10, 1 << 14
"""Slices that are taken together at first, and at most; and cells of them to aim at."""


@dataclass(frozen=True, eq=False, repr=False)
class SliceBatch(Shown):
    """The cells of a network in many slices; item `s` is the `PlanarComplex` of the slice, made when it is asked for.

    Attributes:
        network: The network.
        numbers: [S] number of each slice among the domains that were given: all of them, unless work was interrupted.
        parts: The slices that were taken through the network together, in the arrays of one complex each.
        places: [S, 2] part of each slice, and its number there.
    """

    network: Network
    numbers: Int[np.ndarray, " S"]
    parts: tuple[PlanarBatch, ...]
    places: Int[np.ndarray, "S 2"]

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.numbers)

    def __repr__(self) -> str:
        """One line."""
        short = sum(int(part.truncated.sum()) for part in self.parts)
        note = f", {short} truncated" if short else ""
        levels = sorted({certificate.level for part in self.parts for certificate in part.certificates})
        cells = f"{int(self.cells_per_slice.sum())} cells"
        return f"SliceBatch({len(self)} slices, {cells}, certificates {', '.join(map(repr, levels))}{note})"

    @overload
    def __getitem__(self, which: int) -> PlanarComplex: ...
    @overload
    def __getitem__(self, which: slice) -> list[PlanarComplex]: ...
    def __getitem__(self, which: int | slice) -> PlanarComplex | list[PlanarComplex]:
        """The complex of one slice, or a list of some.

        Raises:
            IndexError: If there is no such slice.
        """
        numbers = range(len(self))[which]
        if isinstance(numbers, int):
            part, place = self.places[numbers].tolist()
            return self.parts[part].cells(place)
        return [self[number] for number in numbers]

    def __iter__(self) -> Iterator[PlanarComplex]:
        """The slices one by one."""
        return (self[number] for number in range(len(self)))

    @property
    def cells_per_slice(self) -> Int[np.ndarray, " S"]:
        """Number of cells of each slice."""
        counts = [np.diff(part.cell_starts) for part in self.parts]
        starts = np.concatenate([[0], np.cumsum([len(count) for count in counts])])
        return np.concatenate(counts)[starts[self.places[:, 0]] + self.places[:, 1]]

    def folding(self, node: int) -> Bool[np.ndarray, "S units"]:
        """Which units of a node fold in which slices: those that are on several pieces there.

        Args:
            node: Index of an activation or max node among `network.nodes`.

        Returns:
            One row for each slice.

        Raises:
            InvalidInputError: If it is not the index of a node that folds.
        """
        node = check_number("node", node, 0, len(self.network.nodes) - 1)
        if node not in self.network.folds:
            expected = ", ".join(map(str, self.network.folds))
            raise InvalidInputError(f"`node`: number {node} has no folds; expected one of {expected}")
        out = np.zeros((len(self), self.network.nodes[node].units), bool)
        for number, part in enumerate(self.parts):
            rows = np.flatnonzero(self.places[:, 0] == number)
            (codes,) = (code for code in part.codes if code.node == node)
            out[rows] = units_that_change(self.network, codes, part.cell_starts)[self.places[rows, 1]]
        return out


def tessellate_slices(
    network: ModelLike,
    domains: Iterable[Domain],
    *,
    verify: str = "values",
    max_cells: int | None = None,
    memory_budget: int | None = None,
    tolerance: Tolerance | None = None,
    progress: Report | bool = False,
) -> SliceBatch:
    r"""Exact partitions of many planes into the cells on which a network is affine, in one pass of the network.

    For each slice the result is that of `tessellate`: the same cells with the same patterns, vertices and outputs but
    for roundings (of networks with maxima in another order), and a certificate of the same level; what it measures
    (errors, resolution, signs settled) is that of the slices that were looked at together. The polygons of
    all slices lie side by side in the arrays of one subdivision, so that what costs the same for one cell as for
    thousands is paid once.

    Args:
        network: The network; or a module or the path of a file, which is imported with the inputs' shape where it does
            not tell its own.
        domains: Slices and boxes of two dimensions, each with a frame of its own; inputs of one shape, or flat.
        verify: Level of the certificate of each slice: see `tessellate`.
        max_cells: Stop refining a slice outwards from its centre once it has this many cells. Slices are then taken
            one after the other, which takes longer.
        memory_budget: Bytes for the cells under way with the values at their vertices; a quarter of the free memory
            by default.
        tolerance: What counts as zero.
        progress: Show a progress bar on long work, or a function of (share done, cells found).

    Returns:
        A sequence of `PlanarComplex`, one for each domain.

    Raises:
        InvalidInputError: If there are no domains, one is not of two dimensions, shapes don't fit, or an option is out
            of range; it names the domain.
        UnsupportedOpError: If the network is not piecewise affine.
        CertificateError: If a check fails; it names the slice, and the cells there.
        DegenerateArrangementError: If rounding errors exceed their estimate; it names the slice.

    Interrupting (Ctrl-C) returns the slices that are finished, if there are any; `numbers` says which these are.

    Cost: that of one tessellation with as many cells as all slices have. For slices of tens of cells that is about a
    tenth of one after the other where float64 decides; what exact arithmetic decides or places, which is much in small
    slices of deep networks and with max-pooling, costs as much as there.

    Example:
        >>> import splinescope, torch
        >>> module = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.ReLU())
        >>> _ = module[0].weight.data.fill_(1.0), module[0].bias.data.zero_()
        >>> planes = [splinescope.Slice.box([-1, -1, z], [1, 1, z]) for z in (0.0, 1.0, 5.0)]
        >>> batch = splinescope.tessellate_slices(module, planes)
        >>> batch.cells_per_slice.tolist(), batch[0].certificate.level
        ([2, 2, 1], 'values')
    """
    network, slices = _asked(network, domains, verify, max_cells, memory_budget)
    budget = memory_budget or available_memory() // 4
    options = _Options(network, verify, max_cells, budget, tolerance or Tolerance())
    parts: list[PlanarBatch] = []
    numbers: list[np.ndarray] = []
    with reporting(progress) as report, torch_alone(is_small(network)):
        try:
            for group in groups_of(slices):
                _through(options, slices, group, parts, numbers, bool(progress), report)
        except KeyboardInterrupt:
            if not parts:
                raise
            kept = sum(map(len, parts))
            remark(progress, f"interrupted: {kept:,} of {len(slices):,} slices are finished, and kept")
    number = np.concatenate(numbers)
    part = np.repeat(np.arange(len(parts)), [len(one) for one in numbers])
    place = np.concatenate([np.arange(len(one)) for one in numbers])
    order = np.argsort(number)
    return SliceBatch(network, number[order], tuple(parts), np.column_stack([part, place])[order])


@dataclass(frozen=True)
class _Options:
    """What is the same for all slices."""

    network: Network
    verify: str
    max_cells: int | None
    budget: int
    tolerance: Tolerance


def _asked(
    model: ModelLike, domains: Iterable[Domain], verify: str, max_cells: int | None, memory_budget: int | None
) -> tuple[Network, list[Slice]]:
    """The network, and the domains as slices of its inputs."""
    if not isinstance(domains, Iterable):
        raise InvalidInputError(f"`domains`: got {type(domains).__name__}; expected several slices, a list of them")
    check_options(verify, max_cells, memory_budget)
    given = list(domains)
    if not given:
        raise InvalidInputError("`domains`: got none; expected at least one slice")
    slices: list[Slice] = []
    for number, domain in enumerate(given):
        if not isinstance(domain, Domain) or domain.dimension != 2:
            dimensions = (
                f" of {domain.dimension} dimension{'s' * (domain.dimension > 1)}" if isinstance(domain, Domain) else ""
            )
            raise InvalidInputError(
                f"`domains`: number {number} is a {type(domain).__name__}{dimensions}; expected a Slice or a Box of two"
            )
        model = as_network(model, domain.input_shape)
        try:
            slices.append(as_slice(fitted(domain, model.input_shape)))
        except InvalidInputError as error:
            raise InvalidInputError(f"`domains`: number {number}: {error}") from error
    assert isinstance(model, Network)
    return model, slices


def _through(
    options: _Options,
    slices: list[Slice],
    group: np.ndarray,
    parts: list[PlanarBatch],
    numbers: list[np.ndarray],
    watched: bool,
    report: Report,
) -> None:
    """Take the slices of a group through the network, as many together as there is use in; finished parts are added."""
    low, together = 0, _FIRST
    while low < len(group):
        chosen = group[low : low + together]
        done, cells = sum(map(len, parts)), sum(len(part.measures) for part in parts)

        def shown(share: float, found: int, done: int = done, cells: int = cells, count: int = len(chosen)) -> None:
            report((done + share * count) / len(slices), cells + found)

        try:
            batch = _cut(options, Slices(tuple(slices[number] for number in chosen.tolist())), watched, shown)
        except DegenerateArrangementError as error:
            if len(chosen) == 1:
                raise DegenerateArrangementError(f"slice {chosen[0]}: {error}") from error
            together = len(chosen) // 2
            continue
        with spent("checking"):
            certificates = certify_slices(batch, options.verify, chosen)
        parts.append(replace(batch, certificates=certificates))
        numbers.append(chosen)
        low += len(chosen)
        together = max(1, min(_MOST, _CELLS * len(batch) // len(batch.measures)))


def _cut(options: _Options, slices: Slices, watched: bool, report: Report) -> PlanarBatch:
    """The cells of slices that are taken together, without certificates."""
    with spent("planning"):
        plan = Plan.of(options.network, slices, options.tolerance, options.max_cells, options.budget)
    run = PlanarRun(plan, report=report, watched=watched)
    with spent("cutting"):
        run.through_network()
    if run.interrupted:
        raise KeyboardInterrupt
    with spent("assembling"):
        finished = straightened(run.joined(), options.network)
        finished = ordered_by_slice(finished, slices.of_vertices(finished.subdivision, finished.slices))
    with spent("placing"):
        exact = placed(finished, plan)
    truncated = np.zeros(len(slices), bool)
    truncated[sorted(run.dropped)] = True
    decisions = Decisions(plan.tally.signs, plan.tally.exact)
    with spent("assembling"):
        return batch_of(exact, options.network, slices, options.tolerance, truncated, decisions)
