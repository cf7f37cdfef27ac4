"""Chains of dense layers: values and Jacobians together, by few products of large matrices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from splinescope.network.chain_layers import DenseLayer
from splinescope.network.graph import Network
from splinescope.network.layer_chains import Chain
from splinescope.network.ops import Convolution, TransposedConvolution

HELD = 1 << 21
"""Numbers of Jacobians between two layers that are held at once; products of fewer rows are slower."""


@dataclass(frozen=True, eq=False)
class DenseChain:
    """Matrices one after the other, each followed by elementwise functions.

    Attributes:
        layers: The layers.
    """

    layers: tuple[DenseLayer, ...]

    @staticmethod
    def of(model: Any, shape: tuple[int, ...], *, shortened: bool = False) -> DenseChain | None:
        """A model as a chain of dense layers.

        Args:
            model: Anything that `Chain.of` takes, networks before their head; or something else, which is none.
            shape: Shape of one input.
            shortened: Whether lengths alone matter: see `Chain.shortened`.

        Returns:
            The chain; None if it is none, or some layer is a convolution.

        Example:
            >>> DenseChain.of(torch.nn.Linear(2, 9), (2,)).outputs
            9
            >>> DenseChain.of(torch.nn.Linear(2, 9), (2,), shortened=True).outputs
            2
        """
        if isinstance(model, Network):
            model = replace(model, head=None, classes=None)
        chain = Chain.of(model, shape) if isinstance(model, nn.Module | Network) and not _convolves(model) else None
        if chain is None:
            return None
        kept = chain.shortened.layers if shortened else chain.layers
        return DenseChain(tuple(layer for layer in kept if isinstance(layer, DenseLayer)))

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights, and so of what is computed."""
        return self.layers[0].weight.dtype

    @property
    def dimension(self) -> int:
        """Numbers of one input."""
        return int(self.layers[0].weight.shape[1])

    @property
    def outputs(self) -> int:
        """Numbers of one output."""
        return self.layers[-1].units

    def values(self, z: Tensor) -> Tensor:
        """[rows, outputs] values at [rows, d] points."""
        with torch.no_grad():
            for layer in self.layers:
                z = layer.values(z)
                z = z if layer.function is None else layer.function(z)
        return z.flatten(1)

    def values_and_slopes(self, z: Tensor) -> tuple[Tensor, list[Tensor | None]]:
        """Values, and [rows, units] slopes of the functions of all layers; None for those that have none.

        Args:
            z: [rows, d] points.

        Returns:
            Both. Cost: a forward pass.
        """
        slopes: list[Tensor | None] = []
        for layer in self.layers:
            z = layer.values(z)
            if layer.function is None:
                slopes.append(None)
                continue
            pulled: Any = torch.func.vjp(layer.function, z)  # forward mode keeps its levels for all threads
            slopes.append(pulled[1](torch.ones_like(z))[0].detach().flatten(1))
            z = pulled[0].detach()
        return z.flatten(1), slopes

    def rows(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Values, and Jacobians from the outputs back, which is quicker where there are fewer outputs than inputs.

        Args:
            z: [n, d] points.

        Returns:
            [n, outputs] values, and [n, outputs, d] Jacobians. Cost: for each point and output, a product with every
            matrix but the last.
        """
        kind = np.float64 if z.dtype is torch.float64 else np.float32
        J = torch.from_numpy(np.empty((len(z), self.outputs, self.dimension), kind))  # in larger pages than torch's
        values = z.new_empty(len(z), self.outputs)
        widest = max(int(layer.weight.shape[1]) for layer in self.layers[1:] or self.layers)
        step = max(1, HELD // (max(1, self.outputs) * widest))
        for start in range(0, len(z), step):
            few = slice(start, start + step)
            values[few], slopes = self.values_and_slopes(z[few])
            self._pulled(slopes, J[few])
        return values, J

    def _pulled(self, slopes: list[Tensor | None], J: Tensor) -> None:
        """Write Jacobians of the outputs, from the last layer back."""
        n, outputs, _ = J.shape
        product = self.layers[-1].weight.expand(n, -1, -1)
        for number in range(len(self.layers) - 2, -1, -1):
            weight, slope = self.layers[number].weight, slopes[number]
            room = J if number == 0 else weight.new_empty(n, outputs, weight.shape[1])
            if number == len(self.layers) - 2 and slope is not None and outputs * weight.numel() <= HELD:
                # the same matrix for all points, but for slopes
                both = (self.layers[-1].weight.T[:, :, None] * weight[:, None, :]).flatten(1)
                torch.mm(slope, both, out=room.view(n, -1))
            else:
                product = product if slope is None else product * slope[:, None, :]
                torch.mm(product.reshape(n * outputs, -1), weight, out=room.view(n * outputs, -1))
            product = room
        if len(self.layers) == 1:
            J.copy_(product)
        if slopes[-1] is not None:
            J *= slopes[-1][:, :, None]

    def columns(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Values, and Jacobians from the inputs on, which is quicker where there are more outputs than inputs.

        Args:
            z: [n, d] points.

        Returns:
            [n, outputs] values, and [outputs, n, d] Jacobians, points between their rows and columns. Cost: for each
            point and input, a product with every matrix but the first.
        """
        values, slopes = self.values_and_slopes(z)
        n, d = z.shape
        J = self.layers[0].weight[:, None, :].expand(-1, n, -1)
        for number, slope in enumerate(slopes):
            if number:
                J = (self.layers[number].weight @ J.reshape(len(J), n * d)).view(-1, n, d)
            if slope is not None:
                J = J * slope.T[:, :, None]
        return values, J


def _convolves(model: nn.Module | Network) -> bool:
    """Whether some layer is a convolution, which is slower as the matrix that it is."""
    if isinstance(model, Network):
        return any(isinstance(node.op, Convolution | TransposedConvolution) for node in model.nodes)
    return any(isinstance(part, torch.nn.modules.conv._ConvNd) for part in model.modules())
