"""On which sides of their folds a network's units have been seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from splinescope.network.graph import Network
from splinescope.network.ops import Activation, Maximum

_BEYOND = 1.1
"""How far a step goes, as a multiple of the way to the fold."""


@dataclass(frozen=True)
class UnseenSide:
    """A side on which a unit has not been seen.

    Attributes:
        node: Its node.
        unit: The unit in that node.
        piece: Piece of the activation, or candidate of the maximum.
    """

    node: int
    unit: int
    piece: int


class Sides:
    """On which sides of their folds the units of a network have been seen.

    A unit of an activation is awake if it was seen on each of its pieces that differ from their neighbours; one of a
    maximum, if two of its candidates were seen to be the largest alone.

    Attributes:
        nodes: Indices of the nodes that fold.
        last_reader: For each node that one of these reads, the last of them.
    """

    def __init__(self, network: Network) -> None:
        self._ops = {i: node.op for i, node in enumerate(network.nodes) if isinstance(node.op, Activation | Maximum)}
        self._network = network
        self.nodes = frozenset(self._ops)
        self.last_reader = {network.nodes[index].inputs[0]: index for index in sorted(self.nodes)}
        self._seen: dict[int, Tensor] = {}
        for index, op in self._ops.items():
            pieces = len(op.slopes) if isinstance(op, Activation) else op.index.shape[1]
            self._seen[index] = torch.zeros(pieces, network.nodes[index].size, dtype=torch.bool)

    def see(self, index: int, x: Tensor) -> None:
        """Look at the arguments of a node.

        Args:
            index: The node.
            x: [N, ...] its arguments.
        """
        op, seen, flat = self._ops[index], self._seen[index], x.detach().reshape(len(x), -1)
        if isinstance(op, Activation) and op.is_relu:
            seen[0] |= flat.amin(dim=0) <= 0
            seen[1] |= flat.amax(dim=0) > 0
            return
        for piece, here in enumerate(_pieces(op, flat)):
            seen[piece] |= here.any(dim=0)

    def see_new(self, index: int, x: Tensor) -> Tensor:
        """Look at the arguments of a node, and say which of them show something new.

        Args:
            index: The node.
            x: [N, ...] its arguments.

        Returns:
            [N] on how many sides an input is the first to show a unit.
        """
        op, seen, flat = self._ops[index], self._seen[index], x.detach().reshape(len(x), -1)
        fresh = torch.zeros(len(x), dtype=torch.int64)
        asleep = (~self._awake(index)).nonzero().reshape(-1)
        if not len(asleep):
            return fresh
        for piece, here in enumerate(_pieces(op, flat, asleep)):
            new = here & ~seen[piece, asleep]
            if bool(new.any()):
                # The first input to show it, so that those that show the same are not all kept.
                fresh += torch.bincount(new.to(torch.uint8).argmax(dim=0)[new.any(dim=0)], minlength=len(x))
                seen[piece, asleep] |= here.any(dim=0)
        return fresh

    def update(self, other: Sides) -> None:
        """Add what others have seen."""
        for index, seen in other._seen.items():
            self._seen[index] |= seen

    def _awake(self, index: int) -> Tensor:
        """Which units were seen on all sides."""
        op, seen = self._ops[index], self._seen[index]
        if isinstance(op, Maximum):
            return seen.sum(dim=0) >= 2
        if op.is_relu:
            return seen[0] & seen[1]
        folds = _folds(op, seen.shape[1])
        merged = [piece.clone() for piece in seen]
        for places in (range(len(folds)), range(len(folds) - 1, -1, -1)):
            for place in places:
                either = merged[place] | merged[place + 1]
                merged[place] = torch.where(folds[place], merged[place], either)
                merged[place + 1] = torch.where(folds[place], merged[place + 1], either)
        return torch.stack(merged).all(dim=0)

    def _can_fold(self, index: int) -> Tensor:
        op = self._ops[index]
        if isinstance(op, Maximum):
            members = op.members
            return (members != members[:, :1]).any(dim=1)
        if op.is_relu:
            return torch.ones(self._seen[index].shape[1], dtype=torch.bool)
        folds = _folds(op, self._seen[index].shape[1])
        return torch.stack(folds).any(dim=0) if folds else torch.zeros(self._seen[index].shape[1], dtype=torch.bool)

    @property
    def awake(self) -> int:
        """Number of units that were seen on all sides of their folds."""
        return sum(int((self._awake(index) & self._can_fold(index)).sum()) for index in self.nodes)

    @property
    def share_asleep(self) -> float:
        """Share of the units that can fold that were not; 0 if there are none."""
        total = sum(int(self._can_fold(index).sum()) for index in self.nodes)
        return 1.0 - self.awake / total if total else 0.0

    def asleep(self, count: int, generator: torch.Generator) -> list[UnseenSide]:
        """Some units that sleep.

        Args:
            count: At most how many.
            generator: Picks them.

        Returns:
            Sides on which they have not been seen, in the order of the nodes.
        """
        found: list[UnseenSide] = []
        for index in sorted(self.nodes):
            units = (self._can_fold(index) & ~self._awake(index)).nonzero().reshape(-1)
            picked = units[torch.randperm(len(units), generator=generator)[:count]]
            for unit in picked.tolist():
                unseen = (~self._seen[index][:, unit]).nonzero().reshape(-1)
                place = int(torch.randint(len(unseen), (1,), generator=generator)) if len(unseen) else 0
                if len(unseen):
                    found.append(UnseenSide(index, unit, int(unseen[place])))
        chosen = torch.randperm(len(found), generator=generator)[:count].sort().values
        return [found[place] for place in chosen.tolist()]

    def missing(self, z: Tensor, at: Tensor, targets: Sequence[UnseenSide]) -> Tensor:
        """How far some inputs are from what shows units of one node on another side.

        Args:
            z: [N, ...] arguments of the node for all inputs.
            at: [K] which inputs; K is a multiple of the number of targets.
            targets: What these are to show, over and over.

        Returns:
            [K] numbers, zero where the side is reached; their gradients are those of the units.
        """
        op, flat, times = self._ops[targets[0].node], z.reshape(len(z), -1), len(at) // len(targets)
        units, pieces = (
            torch.tensor(part).repeat(times) for part in zip(*((t.unit, t.piece) for t in targets), strict=True)
        )
        if isinstance(op, Maximum):
            members, own = op.members[units], op.members[units, pieces]
            values = flat[at.unsqueeze(1), members]
            rest = torch.where(members == own.unsqueeze(1), -math.inf, values.detach()).argmax(dim=1)
            gap = flat[at, own] - values[torch.arange(len(at)), rest]
            return torch.where(gap.detach() > 0, gap * 0.0, gap * _BEYOND)
        values = flat[at, units]
        low, high = _between(op, pieces, units)
        here = values.detach()
        ahead = torch.where(here > high, high - (_BEYOND - 1) * (here - high), low + (_BEYOND - 1) * (low - here))
        aim = torch.where(torch.isfinite(low) & torch.isfinite(high), (low + high) / 2, ahead)
        return torch.where((here <= low) | (here > high), values - aim, values * 0.0)


def _pieces(op: Activation | Maximum, flat: Tensor, units: Tensor | None = None) -> list[Tensor]:
    """For each piece or candidate, [N, units] whether it holds, of maxima alone; of some units, or of all."""
    if isinstance(op, Activation):
        if op.is_relu:
            active = (flat if units is None else flat[:, units]) > 0
            return [~active, active]
        piece = op.pieces(flat) if units is None else op.pieces(flat)[:, units]
        return [piece == number for number in range(len(op.slopes))]
    members = op.members if units is None else op.members[units]
    values = [flat.index_select(1, column) for column in members.T]
    best = values[0]
    for value in values[1:]:
        best = torch.maximum(best, value)
    distinct = [
        members[:, : place + 1].eq(members[:, place : place + 1]).sum(dim=1) == 1 for place in range(len(values))
    ]
    held = [(value == best) & first for value, first in zip(values, distinct, strict=True)]
    count = torch.zeros(best.shape, dtype=torch.uint8)
    for here in held:
        count += here
    alone = count == 1
    return [here & alone for here in held]


def _folds(op: Activation, units: int) -> list[Tensor]:
    """For each breakpoint, [units] whether the function changes there."""
    changes = (op.slopes[1:] != op.slopes[:-1]) | (op.intercepts[1:] != op.intercepts[:-1])
    return [change.expand(units) for change in changes]


def _between(op: Activation, pieces: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
    """Ends of one piece of each unit, infinite where it has none."""
    table = op.breakpoints if op.breakpoints.ndim == 2 else op.breakpoints.unsqueeze(1)
    ends = torch.cat([torch.full_like(table[:1], -math.inf), table, torch.full_like(table[:1], math.inf)])
    columns = units if op.breakpoints.ndim == 2 else torch.zeros_like(units)
    return ends[pieces, columns], ends[pieces + 1, columns]


def work(network: Network) -> int:
    """About how many products one evaluation takes."""
    total = 0
    for node in network.nodes:
        weight = getattr(node.op, "weight", None)
        rows = max(1, node.size // max(1, len(weight))) if isinstance(weight, Tensor) else 0
        total += node.size + (weight.numel() * rows if isinstance(weight, Tensor) else 0)
    return total
