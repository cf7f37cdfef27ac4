"""The limit of many residual blocks, each of which does little: a flow, and how fast it is reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.shown import Shown


@dataclass(frozen=True, eq=False)
class DepthLimit(Shown):
    r"""Residual networks of growing depth, and what they tend to.

    Attributes:
        depths: [k] numbers of blocks.
        errors: [k] largest distance of an output from the limit.
        limit: [N, ...] the limit: the flow at time 1, by steps of higher order.
        order: Fitted power $p$ of the error $O(N^{-p})$ over the deeper half of the depths; near 1.
    """

    depths: Int[np.ndarray, " k"]
    errors: Float[np.ndarray, " k"]
    limit: Float[np.ndarray, "..."]
    order: float


def depth_limit(
    field: Callable[[Tensor, float], Tensor], inputs: Tensor, depths: Sequence[int] = (4, 8, 16, 32, 64, 128)
) -> DepthLimit:
    r"""Show that residual networks converge as blocks are refined: $z_{k+1} = z_k + \frac1N F(z_k, k / N)$.

    This is Euler's method for $\dot z = F(z, t)$, whose error is $O(1 / N)$ for Lipschitz fields such as networks. The
    limit is found by the classical Runge-Kutta method with ten times the largest depth.

    Source: Rocke (2019), "lim T^N"; Hauser and Ray (2017), section 2.

    Args:
        field: The residual of a block at time t from 0 to 1, times the number of blocks: `lambda z, t: block(z)`.
        inputs: [N, ...] inputs; taken in their own type, float64 shows the limit best.
        depths: Numbers of blocks, ascending.

    Returns:
        Errors and their order. Cost: the sum of the depths, and forty times the largest, in evaluations of the field.

    Raises:
        InvalidInputError: If there are fewer than two depths, or they do not ascend.

    Example:
        >>> found = depth_limit(lambda z, t: -z, torch.ones(1, 1, dtype=torch.float64))
        >>> round(float(found.limit[0, 0]), 6), bool(abs(found.order - 1) < 0.02)
        (0.367879, True)
    """
    if len(depths) < 2 or any(one >= other for one, other in pairwise(depths)) or depths[0] < 1:
        raise InvalidInputError(f"`depths`: got {list(depths)}; expected two or more ascending positive numbers")
    with torch.no_grad():
        limit = _runge_kutta(field, inputs, 10 * depths[-1])
        ends = [_euler(field, inputs, depth) for depth in depths]
    errors = np.array([float((end - limit).flatten(1).norm(dim=1).max()) for end in ends])
    half = slice(len(depths) // 2 if len(depths) > 3 else 0, None)
    with np.errstate(divide="ignore"):
        order = (
            -np.polyfit(np.log(np.array(depths[half])), np.log(errors[half]), 1)[0] if errors[half].all() else np.nan
        )
    return DepthLimit(np.array(depths), errors, limit.numpy(), float(order))


def _euler(field: Callable[[Tensor, float], Tensor], z: Tensor, depth: int) -> Tensor:
    for k in range(depth):
        z = z + field(z, k / depth) / depth
    return z


def _runge_kutta(field: Callable[[Tensor, float], Tensor], z: Tensor, depth: int) -> Tensor:
    h = 1.0 / depth
    for k in range(depth):
        t = k / depth
        one = field(z, t)
        two = field(z + h / 2 * one, t + h / 2)
        three = field(z + h / 2 * two, t + h / 2)
        four = field(z + h * three, min(1.0, t + h))
        z = z + h / 6 * (one + 2 * two + 2 * three + four)
    return z
