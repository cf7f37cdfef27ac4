"""What the network is like around given points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from splinescope.complexity.distances.local_formula import local_distances
from splinescope.complexity.local import local_complexity
from splinescope.network.evaluate import jacobians
from splinescope.observers.snapshot import Snapshot

_ORDERS: dict[str, Any] = {"spectral": 2, "frobenius": "fro"}
_JACOBIANS = 256
"""Points whose Jacobians are held at once."""


@dataclass(frozen=True, eq=False)
class MeanLocalComplexity:
    """Mean local complexity of points: `mean`, and the part of each layer by its name.

    See `splinescope.complexity.local_complexity`. A frame given by its size is the same at every step.

    Attributes:
        points: [n, *input_shape] inputs.
        radius: Radius of the neighbourhoods, in units of the input space.
        frame: The directions [P, *input_shape], or their number P.
        mode: "reference", "affine" or "exact".
        logits: Whether the outputs count as a layer.
        network: Whether the model is imported as a piecewise affine network, in float64. If not, it is run as it is:
            for models with smooth activations.
    """

    points: Any
    radius: int | float
    frame: Any = 25
    mode: str = "reference"
    logits: bool = False
    network: bool = True

    def __call__(self, snapshot: Snapshot) -> dict[str, float]:
        """Measure."""
        inputs: Any = self.points
        model: Any = snapshot.module
        if self.network:
            inputs = snapshot.inputs(self.points)
            model = snapshot.network(tuple(inputs.shape[1:]))
        found = local_complexity(
            model, inputs, float(self.radius), mode=self.mode, frame=self.frame, logits=self.logits
        )
        means = zip(found.layers, found.layer_means.tolist(), strict=True)
        return {"mean": found.mean, **dict(means)}


@dataclass(frozen=True, eq=False)
class AffineNorm:
    r"""Norm of $A$ at points, where the network is $x \mapsto A x + c$: `mean`, `median`, `max`.

    Outputs are those before a softmax or sigmoid.

    Attributes:
        points: [n, *input_shape] inputs.
        norm: "spectral" or "frobenius".
    """

    points: Any
    norm: Literal["spectral", "frobenius"] = "spectral"

    def __call__(self, snapshot: Snapshot) -> dict[str, float]:
        """Measure."""
        inputs = snapshot.inputs(self.points)
        network = snapshot.network(tuple(inputs.shape[1:]))
        order = _ORDERS[self.norm]
        parts = [torch.linalg.matrix_norm(jacobians(network, part), order) for part in inputs.split(_JACOBIANS)]
        norms = torch.cat(parts).numpy()
        return {"mean": float(norms.mean()), "median": float(np.median(norms)), "max": float(norms.max())}


@dataclass(frozen=True, eq=False)
class BoundaryDistance:
    """Distance of points to the decision boundary, by the local formula.

    `median` is the median of the formula, `lower` that of a proven lower bound, `certain` the share of points at which
    the formula is proven to be exact; see `splinescope.complexity.distances.local_formula`.

    Attributes:
        points: [n, *input_shape] inputs.
    """

    points: Any

    def __call__(self, snapshot: Snapshot) -> dict[str, float]:
        """Measure."""
        inputs = snapshot.inputs(self.points)
        found = local_distances(snapshot.network(tuple(inputs.shape[1:])), inputs.numpy())
        return {
            "median": float(np.median(found.boundary)),
            "lower": float(np.median(found.boundary_lower)),
            "certain": float(found.boundary_certain.mean()),
        }
