"""Trained modules as parts of an experiment: weights are kept, and read again by the next run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def trained_together(parts: Parts, key: str, modules: Sequence[M], train: Callable[[], object]) -> Sequence[M]:
    """Modules of one architecture with the weights that training them side by side gives, trained unless kept.

    Args:
        parts: The experiment's parts.
        key: Name of the part.
        modules: The modules; changed in place.
        train: Trains them in place.

    Returns:
        The modules, in eval mode and float64.
    """

    def weights() -> dict[str, np.ndarray]:
        train()
        states = [module.state_dict() for module in modules]
        return {name: torch.stack([state[name] for state in states]).numpy() for name in states[0]}

    kept = parts.arrays(key, weights)
    for number, module in enumerate(modules):
        module.load_state_dict({name: torch.from_numpy(array[number]) for name, array in kept.items()})
        module.double().eval()
    return modules
