"""What is measured of one MLP block while the model runs: three numbers for each token, no pre-activation is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from splinescope.complexity.transformers.blocks import MlpBlock
from splinescope.errors import InvalidInputError

BLOCK = 1 << 20
"""Pre-activations that are reduced at a time."""


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """How near a hyperplane has to be to count.

    Attributes:
        radius: The radius; infinite for none.
        relative: Whether it is a multiple of the norm of the token's input.
        frame: Orthonormal directions [P, inputs] of a cross-polytope; None for a ball.
    """

    radius: float
    relative: bool
    frame: Tensor | None


class Meter:
    """Reduces the pre-activations of one block to three numbers for each token.

    Attributes:
        sign_rates: Share of units that are positive, for each token of the last pass.
        distances: Distance to the nearest hyperplane.
        counts: Number of hyperplanes that cut the neighbourhood; empty without one.
    """

    def __init__(self, block: MlpBlock, neighbourhood: Neighbourhood | None) -> None:
        self.block, self.neighbourhood = block, neighbourhood
        self._dtype = torch.promote_types(block.weight.dtype, torch.float32)
        self._norms = torch.linalg.vector_norm(block.weight, dim=1, dtype=self._dtype)
        self._constant = self._norms == 0  # units without a hyperplane
        self._some_constant = bool(self._constant.any())
        self._reach = self._reach_of(neighbourhood)
        self.clear()

    def clear(self) -> None:
        """Forget the last pass."""
        self._seen = False
        self.sign_rates, self.distances, self.counts = (torch.empty(0) for _ in range(3))

    def read(self, inputs: Tensor, output: Tensor) -> None:
        """Measure one call of the block's gate.

        Args:
            inputs: What it took [..., inputs].
            output: What it gave [..., all outputs of its module].
        """
        rows = self.block.rows
        taken = output.detach()[..., rows.start : rows.stop : rows.step]
        h = taken.reshape(-1, len(rows))
        x = inputs.detach().reshape(-1, inputs.shape[-1])
        size = max(1, BLOCK // len(rows))
        parts = [self._reduce(h[at : at + size], x[at : at + size]) for at in range(0, len(h), size)]
        self.sign_rates, self.distances, self.counts = (torch.cat(column) for column in zip(*parts, strict=True))
        self._seen = True

    def readings(self, texts: int) -> tuple[Tensor, Tensor, Tensor]:
        """What was measured in the last pass, each [texts, tokens] on the CPU.

        Args:
            texts: Number of texts.

        Raises:
            InvalidInputError: If the block did not run on every token.
        """
        if not self._seen:
            raise InvalidInputError(f"`blocks`: `{self.block.name}` did not run; expected blocks of this model")
        sign_rates, distances, counts = (
            column.cpu().reshape(texts, -1) for column in (self.sign_rates, self.distances, self.counts)
        )
        self.clear()
        return sign_rates, distances, counts

    def _reduce(self, h: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Sign rate, distance and local complexity of some tokens."""
        positive = (h > 0).to(self._dtype).mean(dim=1)
        size = h.to(self._dtype).abs_() if h.dtype != self._dtype else h.abs()
        ratios = size / self._norms
        if self._some_constant:
            ratios.masked_fill_(self._constant, torch.inf)
        nearest = ratios.amin(dim=1)
        if self.neighbourhood is None:
            return positive, nearest, nearest.new_empty(0)
        radius: Any = self.neighbourhood.radius
        if self.neighbourhood.relative:
            radius = radius * torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=self._dtype)
        if self.neighbourhood.frame is not None:
            ratios = torch.div(size, self._reach, out=ratios)
            if self._some_constant:
                ratios.masked_fill_(self._constant, torch.inf)
        return positive, nearest, (ratios <= radius).sum(dim=1)

    def _reach_of(self, neighbourhood: Neighbourhood | None) -> Tensor:
        """How much each pre-activation changes within a neighbourhood of radius one."""
        if neighbourhood is None or neighbourhood.frame is None:
            return self._norms
        frame = neighbourhood.frame.to(self.block.weight.device, self._dtype)
        size = max(1, BLOCK // self.block.inputs)
        parts = [
            (self.block.weight[at : at + size].to(self._dtype) @ frame.T).abs().amax(dim=1)
            for at in range(0, self.block.width, size)
        ]
        return torch.cat(parts)


@contextmanager
def reading(model: nn.Module, meters: Sequence[Meter]) -> Iterator[None]:
    """Let meters read while a model runs, by hooks that are taken off afterwards.

    Args:
        model: The model.
        meters: Their meters, one for each block.

    Raises:
        InvalidInputError: If the model has no module of a block's name.
    """
    by_gate: dict[str, dict[tuple[int, range], Meter]] = {}
    for meter in meters:
        by_gate.setdefault(meter.block.gate, {})[meter.block.call, meter.block.rows] = meter
    modules = dict(model.named_modules())
    calls: Counter[str] = Counter()

    def hook_of(gate: str) -> Any:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            call = calls[gate]
            calls[gate] += 1
            for (wanted, _), meter in by_gate[gate].items():
                if wanted == call:
                    meter.read(args[0], output)

        return hook

    def restart(module: nn.Module, args: Any) -> None:
        calls.clear()

    with ExitStack() as stack:
        stack.callback(model.register_forward_pre_hook(restart).remove)
        for gate in by_gate:
            if gate not in modules:
                raise InvalidInputError(f"`blocks`: got one of `{gate}`; expected modules of this model")
            stack.callback(modules[gate].register_forward_hook(hook_of(gate)).remove)
        yield
