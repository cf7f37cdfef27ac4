"""Inputs for the comparison of an import with its original, at which the network's units are awake."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from splinescope.network.evaluate import chunk_rows, walk
from splinescope.network.graph import Network
from splinescope.network.importers.sides import Sides, UnseenSide, work

SAMPLES = 32
"""Inputs of a comparison, beside those that woke further units; 8 at least of networks that take long."""

SIZES = (1.0, 10.0, 0.1, 100.0, 0.01, 1e3, 1e-3)
"""Sizes of inputs that are tried, those before that are preferred."""

LARGEST = 1e6
"""Size of inputs up to which units are looked for."""

_EACH, _COMPARE_WORK = 4, 4 * 10**10
"""Inputs of each size that are tried, of the natural one as many again; fewer where they would cost more products."""

_AS_GOOD = 0.7
"""A size that is preferred is natural, too, if it wakes this share of the units that the best one does."""

_WAKE_WORK = 2 * 10**8
"""Products that the search for units that sleep may cost."""
_LEAST_PASSES = 100
"""Where the search could not afford so many passes, it would find little, and is left out."""
_MAX_ROWS, _MAX_STARTS, _STEPS, _IDLE = 128, 8, 3, 2


@dataclass(frozen=True, eq=False)
class Probes:
    """Inputs of a comparison.

    Attributes:
        inputs: [N, *input_shape] inputs that float32 represents exactly; the first ones suit a short comparison.
        outputs: [N, *output_shape] what the network makes of them, before its head.
        natural_scale: Size of inputs at which most units are seen on both sides of their folds; the first choice of
            these sizes where several are nearly as good.
        reach: Largest number in the inputs of that size.
        never_woken: Share of the units that can fold that these inputs do not show on all sides of their folds; 0
            without units.
    """

    inputs: Float[Tensor, "batch ..."]
    outputs: Float[Tensor, "batch ..."]
    natural_scale: float
    reach: float
    never_woken: float


def probe(network: Network, bounds: tuple[Tensor, Tensor] | None = None) -> Probes:
    """Find inputs at which the network's units are awake.

    Normally distributed inputs of several sizes are tried, half of them with a common offset, and units that these
    leave on one side of their folds are looked for along their gradients, within a bounded number of products. No
    global generator is touched.

    Args:
        network: The network.
        bounds: Least and largest inputs [*input_shape] of the data, where they are known.

    Returns:
        The inputs.
    """
    search = _InputSearch(network, bounds)
    search.try_sizes()
    search.wake()
    return search.chosen()


class _InputSearch:
    """The search for inputs, and what it saw."""

    def __init__(self, network: Network, bounds: tuple[Tensor, Tensor] | None) -> None:
        self.network = network
        self.sides = Sides(network)
        self._compared = Sides(network)
        self._bounds = bounds
        self._generator = torch.Generator().manual_seed(0)
        self._sizes = SIZES if bounds is None else (math.nan, *SIZES)
        self._tried: list[tuple[Tensor, Tensor]] = []
        self._more: tuple[Tensor, Tensor] = (torch.empty(0), torch.empty(0))
        self._woken: list[tuple[Tensor, Tensor, Tensor]] = []
        self._best = 0
        self._each = max(1, min(_EACH, _COMPARE_WORK // (8 * max(1, work(network)))))

    def _inputs(self, rows: int, size: float) -> Tensor:
        """Normally distributed inputs, every other one with an offset in all entries; or some of the data's range."""
        if self._bounds is not None and math.isnan(size):
            low, high = self._bounds
            part = torch.rand(rows, *low.shape, generator=self._generator, dtype=torch.float64)
            return (low + part * (high - low)).float().double()
        x = torch.randn(rows, *self.network.input_shape, generator=self._generator, dtype=torch.float32).double()
        offsets = torch.randn(rows, generator=self._generator, dtype=torch.float32).double()
        offsets[::2] = 0.0
        return (size * (x + offsets.reshape(-1, *(1,) * (x.ndim - 1)))).float().double()

    def try_sizes(self) -> None:
        """Look at inputs of all sizes, and at those of the data's range, and choose the natural one."""
        each = self._each
        x = torch.cat([self._inputs(each, size) for size in self._sizes])
        seen = [Sides(self.network) for _ in self._sizes]
        groups = max(1, chunk_rows(self.network) // each)
        for start in range(0, len(seen), groups):
            chunk = x[start * each : (start + groups) * each]
            outputs = self._walked(chunk, seen[start : start + groups])
            self._tried += zip(chunk.split(each), outputs.split(each), strict=True)
        for here in seen:
            self.sides.update(here)
        awake = [here.awake for here in seen]
        self._best = next(i for i, count in enumerate(awake) if count >= _AS_GOOD * max(awake))
        more = self._inputs(each, self._sizes[self._best])
        self._more = (more, self._walked(more, [self.sides]))
        self._compared.update(self.sides)

    def _walked(self, x: Tensor, groups: Sequence[Sides]) -> Tensor:
        """Outputs of inputs that are looked at in groups of equal size."""
        output = x
        for index, value, arguments in self._arguments(x):
            if arguments is not None:
                for here, rows in zip(groups, arguments.tensor_split(len(groups)), strict=True):
                    here.see(index, rows)
            if index == self.network.output:
                output = value
        return output

    def _arguments(self, x: Tensor) -> Iterator[tuple[int, Tensor, Tensor | None]]:
        """Index and value of each node, and its argument if it folds."""
        kept: dict[int, Tensor] = {}
        last = self.sides.last_reader
        for index, value in walk(self.network, x):
            folds = index in self.sides.nodes
            yield index, value, kept[self.network.nodes[index].inputs[0]] if folds else None
            kept = {i: v for i, v in kept.items() if last[i] > index}
            if index in last:
                kept[index] = value

    def wake(self) -> None:
        """Look for units that sleep: by inputs of random sizes, then by Newton's steps from those that are nearest."""
        budget = _WAKE_WORK // max(1, work(self.network))
        # A start costs one pass, and each step one forth and back, and one more to see what it woke.
        cost = 1 + 4 * _STEPS
        rows = min(_MAX_ROWS, chunk_rows(self.network), budget // cost)
        idle = 0
        for _ in range(min(_MAX_STARTS, budget // (cost * rows)) if budget >= _LEAST_PASSES else 0):
            targets = self.sides.asleep(rows, self._generator)
            idle = 0 if targets and self._started(targets, self._scattered(rows)) else idle + 1
            if not targets or idle == _IDLE:
                return

    def _scattered(self, rows: int) -> Tensor:
        """Inputs of random sizes."""
        x = self._inputs(rows, 1.0)
        exponents = torch.empty(rows, *(1,) * (x.ndim - 1), dtype=torch.float64)
        exponents.uniform_(math.log10(min(SIZES)), math.log10(max(SIZES)), generator=self._generator)
        return (x * 10.0**exponents).float().double()

    def _started(self, targets: Sequence[UnseenSide], x: Tensor) -> int:
        """Some Newton steps for some units, from some inputs; how many inputs showed something new."""
        distances = torch.full((len(x), len(targets)), math.inf, dtype=torch.float64)
        found = self._look(x, targets, distances)
        x = x[distances.argmin(dim=0)]
        for _ in range(_STEPS):
            x = self._stepped(x, targets)
            found += self._look(x)
        return found

    def _look(self, x: Tensor, targets: Sequence[UnseenSide] = (), distances: Tensor | None = None) -> int:
        """Keep those of some inputs that show something new, and count them; note how far all are from some targets."""
        new = torch.zeros(len(x), dtype=torch.int64)
        output = x
        for index, value, arguments in self._arguments(x):
            if arguments is not None:
                places = [place for place, target in enumerate(targets) if target.node == index]
                if places and distances is not None:
                    at = torch.arange(len(x)).repeat_interleave(len(places))
                    missing = self.sides.missing(arguments, at, [targets[place] for place in places])
                    distances[:, places] = missing.abs().reshape(len(x), len(places))
                new += self.sides.see_new(index, arguments)
            if index == self.network.output:
                output = value
        kept = new > 0
        if bool(kept.any()):
            self._woken.append((x[kept], output[kept], new[kept]))
        return int(kept.sum())

    def _stepped(self, x: Tensor, targets: Sequence[UnseenSide]) -> Tensor:
        """One Newton step of each input beyond the fold of its unit."""
        x = x.detach().clone().requires_grad_(True)
        missing: list[Tensor] = []
        order: list[int] = []
        with torch.enable_grad():
            for index, _, arguments in self._arguments(x):
                rows = [row for row, target in enumerate(targets) if target.node == index]
                if rows and arguments is not None:
                    missing.append(self.sides.missing(arguments, torch.tensor(rows), [targets[row] for row in rows]))
                    order += rows
                if len(order) == len(targets):
                    break
            total = torch.cat(missing).sum()
            (gradient,) = torch.autograd.grad(total, x) if total.requires_grad else (torch.zeros_like(x),)
        lengths = torch.zeros(len(x), dtype=torch.float64)
        lengths[order] = torch.cat(missing).detach()
        square = gradient.reshape(len(x), -1).pow(2).sum(1)
        factor = torch.where(square > 0, -lengths / square.clamp(min=1e-300), 0.0)
        moved = x.detach() + gradient * factor.reshape(-1, *(1,) * (x.ndim - 1))
        return moved.nan_to_num(0.0).clamp(-LARGEST, LARGEST).float().double()

    def chosen(self) -> Probes:
        """The inputs for the comparison: of the natural size, of each other one, and those that woke units."""
        natural, others = self._tried[self._best], [g for i, g in enumerate(self._tried) if i != self._best]
        # A short comparison takes the first few: two of the natural size, then one of each other size.
        first, each = min(2, self._each), self._each
        parts = [_rows(natural, 0, first), *(_rows(group, 0, 1) for group in others), _rows(natural, first, each)]
        parts += [self._more, *(_rows(group, 1, each) for group in others)]
        natural_rows = [True] * first + [False] * len(others) + [True] * (2 * each - first)
        parts += self._most_woken()
        x, y = (torch.cat([part[place] for part in parts]) for place in (0, 1))
        size = self._sizes[self._best]
        reach = float(x[: len(natural_rows)][torch.tensor(natural_rows)].abs().max()) if x.numel() else 0.0
        return Probes(x, y, reach if math.isnan(size) else size, reach, self._compared.share_asleep)

    def _most_woken(self) -> list[tuple[Tensor, Tensor]]:
        """Of the inputs that woke units, those that woke most; what these show is added to what is compared."""
        if not self._woken:
            return []
        x, y, counts = (torch.cat([found[place] for found in self._woken]) for place in (0, 1, 2))
        budget = _WAKE_WORK // max(1, work(self.network))
        best = counts.argsort(descending=True, stable=True)[: max(SAMPLES, min(4 * SAMPLES, budget // 8))]
        self._walked(x[best], [self._compared])
        return [(x[best], y[best])]


def _rows(group: tuple[Tensor, Tensor], start: int, stop: int) -> tuple[Tensor, Tensor]:
    return group[0][start:stop], group[1][start:stop]
