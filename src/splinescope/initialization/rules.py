r"""Rules that place a unit's hyperplane among the data.

A rule is any callable that takes the pre-activations of a layer without bias, [n, units] in float64, and returns a
shift and a positive scale for each unit: the hyperplane goes to $w_k \cdot z = \text{shift}_k$. Which rule is best is
an open question of Balestriero, Humayun and Baraniuk (2024), section on batch normalisation. The mean minimises the
sum of squared distances, as batch-norm does; the median that of distances; the midrange the largest distance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from splinescope.errors import InvalidInputError

Rule = Callable[[Tensor], tuple[Any, Any]]
"""From pre-activations [n, units] to shifts [units] and scales [units]."""


@dataclass(frozen=True)
class Mean:
    r"""Batch-norm's rule: shift by the mean, scale by $\sqrt{\sigma^2 + \epsilon}$ with the biased variance.

    Attributes:
        epsilon: What is added to the variance; that of torch by default.
    """

    epsilon: float = 1e-5

    def __call__(self, values: Float[Tensor, "n units"]) -> tuple[Tensor, Tensor]:
        """Shifts and scales."""
        return values.mean(dim=0), (values.var(dim=0, correction=0) + self.epsilon).sqrt()


@dataclass(frozen=True)
class Median:
    """Shift by the median, which minimises the sum of distances; scale by the mean distance to it."""

    def __call__(self, values: Float[Tensor, "n units"]) -> tuple[Tensor, Tensor]:
        """Shifts and scales."""
        shift = torch.quantile(values, 0.5, dim=0)
        return shift, (values - shift).abs().mean(dim=0)


@dataclass(frozen=True)
class Midrange:
    """Shift by the middle of the range, which minimises the largest distance; scale by half the range."""

    def __call__(self, values: Float[Tensor, "n units"]) -> tuple[Tensor, Tensor]:
        """Shifts and scales."""
        low, high = values.aminmax(dim=0)
        return (low + high) / 2, (high - low) / 2


@dataclass(frozen=True)
class Quantile:
    r"""Shift by a quantile of the data; scale by the standard deviation.

    Attributes:
        level: From 0 to 1, the share of the data below the hyperplane. None spreads the units of a layer evenly: unit k
            of K takes $(k + 1/2) / K$.
    """

    level: float | None = None

    def __post_init__(self) -> None:
        if self.level is not None and not 0 <= self.level <= 1:
            raise InvalidInputError(f"`level`: got {self.level}; expected a number from 0 to 1")

    def __call__(self, values: Float[Tensor, "n units"]) -> tuple[Tensor, Tensor]:
        """Shifts and scales."""
        units = values.shape[1]
        levels = (torch.arange(units) + 0.5) / units if self.level is None else torch.full((units,), self.level)
        place = levels.to(values) * (len(values) - 1)
        ordered, below = values.sort(dim=0).values, place.long()
        column = torch.arange(units, device=values.device)
        low, high = ordered[below, column], ordered[(below + 1).clamp(max=len(values) - 1), column]
        return torch.lerp(low, high, place - below), values.std(dim=0, correction=0)


@dataclass(frozen=True, eq=False)
class ThroughSamples:
    """Each hyperplane goes through one of the data, drawn at random; scale by the standard deviation.

    Attributes:
        generator: Source of randomness.
    """

    generator: torch.Generator

    def __call__(self, values: Float[Tensor, "n units"]) -> tuple[Tensor, Tensor]:
        """Shifts and scales."""
        n, units = values.shape
        drawn = torch.randint(n, (units,), generator=self.generator, device=self.generator.device).to(values.device)
        return values[drawn, torch.arange(units, device=values.device)], values.std(dim=0, correction=0)


RULES: Mapping[str, Rule] = {
    "batchnorm": Mean(),
    "median": Median(),
    "midrange": Midrange(),
    "quantile": Quantile(),
}
"""The rules that have a name."""


def rule_of(rule: str | Rule) -> Rule:
    """A rule by name, or the rule itself.

    Args:
        rule: One of `RULES`, or a callable.

    Returns:
        The rule.

    Raises:
        InvalidInputError: If there is no such rule.
    """
    if callable(rule):
        return rule
    if rule not in RULES:
        raise InvalidInputError(f"`rule`: got {rule!r}; expected {', '.join(map(repr, RULES))} or a callable")
    return RULES[rule]
