"""Trained modules as parts of an experiment: weights are kept, and read again by the next run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from splinescope.experiments.shared.parts import Parts

M = TypeVar("M", bound=nn.Module)


def trained(parts: Parts, key: str, module: M, train: Callable[[], object]) -> M:
    """A module with the weights that training gives it, trained unless they are kept.

    Args:
        parts: The experiment's parts.
        key: Name of the part.
        module: The module; changed in place.
        train: Trains it in place.

    Returns:
        The module, in eval mode and float64.
    """

    def weights() -> dict[str, np.ndarray]:
        train()
        return {name: tensor.numpy() for name, tensor in module.state_dict().items()}

    kept = parts.arrays(key, weights)
    module.load_state_dict({name: torch.from_numpy(array) for name, array in kept.items()})
    return module.double().eval()
