r"""Networks that compute self-similar functions of one variable: hats, $x^2$, Takagi's function.

With $r(x) = \max(x, 0)$ the hat is $h(x) = 2 r(x) - 4 r(x - 1/2) + 2 r(x - 1)$: it goes from 0 up to 1 at $x = 1/2$ and
back to 0. Its $s$-fold composition $h^{\circ s}$ has $2^s$ affine pieces on [0, 1] from $2s$ units; a sum of such
compositions is a network of width 3. All weights are sums of powers of two where the coefficients are, so that values
at dyadic points come out without rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.models.layers import affine_layer

_BREAKPOINTS = (0.0, 0.5, 1.0)
_WEIGHTS = (2.0, -4.0, 2.0)
"""The hat's three units: relu(x - breakpoint), and what each adds."""


def hat(compositions: int, *, on_line: bool = False, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    r"""The hat function composed with itself, $h^{\circ s}$, a sawtooth of $2^{s - 1}$ teeth on [0, 1].

    Source: Telgarsky, "Benefits of depth in neural networks" (2016).

    Args:
        compositions: The number $s$, at least 1, of hidden layers.
        on_line: Whether the network is $h^{\circ s}$ outside [0, 1] too, where it is 0. It then has three units per
            layer, else two.
        dtype: Type of the weights.

    Returns:
        A module of inputs of shape [N, 1] with outputs of shape [N, 1]. On [0, 1] it has exactly $2^s$ cells, which are
        its affine pieces.

    Raises:
        InvalidInputError: If `compositions` is less than 1.

    Cost: at most 9 weights for each layer.

    Example:
        >>> sawtooth = hat(3)
        >>> sawtooth(torch.tensor([[0.0], [1 / 8], [1 / 4], [0.3125]], dtype=torch.float64)).flatten().tolist()
        [0.0, 1.0, 0.0, 0.5]
    """
    if compositions < 1:
        raise InvalidInputError(f"`compositions`: got {compositions}; expected at least 1")
    units = 3 if on_line else 2
    breakpoints, weights = _tensor(_BREAKPOINTS[:units]), _tensor(_WEIGHTS[:units])
    read = affine_layer(torch.ones(units, 1), -breakpoints, dtype)
    layers: list[nn.Module] = [read]
    for _ in range(compositions - 1):
        layers += [nn.ReLU(), affine_layer(weights.expand(units, units), -breakpoints, dtype)]
    return nn.Sequential(*layers, nn.ReLU(), affine_layer(weights[None], torch.zeros(1), dtype))


def self_similar_sum(
    coefficients: Sequence[float], *, slope: float = 0.0, dtype: torch.dtype = torch.float64
) -> nn.Sequential:
    r"""The sum $a x + \sum_{s=1}^m a_s h^{\circ s}(x)$ on [0, 1] as a network of width 3 and depth $m$.

    Two units of each layer compute the next hat; the third carries the sum so far, raised by a constant that keeps it
    from being negative, so that it never folds. Source: Daubechies, DeVore, Foucart, Hanin and Petrova, "Nonlinear
    approximation and (deep) ReLU networks" (2022).

    Args:
        coefficients: The numbers $a_1, \dots, a_m$, at least one.
        slope: The number $a$.
        dtype: Type of the weights.

    Returns:
        A module of inputs of shape [N, 1] with outputs of shape [N, 1]. On [0, 1] it has exactly $2^m$ cells, however
        many of its affine pieces have the same slope.

    Raises:
        InvalidInputError: If there are no coefficients.

    Cost: at most 9 weights for each layer.

    Example:
        >>> sum_of_hats = self_similar_sum([1.0, 0.5])  # h + (h of h) / 2
        >>> sum_of_hats(torch.tensor([[0.25], [0.5]], dtype=torch.float64)).flatten().tolist()
        [1.0, 1.0]
    """
    if not len(coefficients):
        raise InvalidInputError("`coefficients`: got none; expected at least one number")
    raised = -min(0.0, slope) - sum(min(0.0, value) for value in coefficients)
    breakpoints, weights = _tensor(_BREAKPOINTS[:2]), _tensor(_WEIGHTS[:2])
    read = affine_layer(torch.tensor([[1.0], [1.0], [slope]]), torch.cat([-breakpoints, _tensor([raised])]), dtype)
    layers: list[nn.Module] = [read]
    for coefficient in coefficients[:-1]:
        onward = torch.zeros(3, 3, dtype=torch.float64)
        onward[:2, :2] = weights
        onward[2] = _carried(coefficient)
        layers += [nn.ReLU(), affine_layer(onward, torch.cat([-breakpoints, torch.zeros(1)]), dtype)]
    return nn.Sequential(*layers, nn.ReLU(), affine_layer(_carried(coefficients[-1])[None], _tensor([-raised]), dtype))


def square(terms: int, *, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    r"""The function $x - \sum_{s=1}^m 4^{-s} h^{\circ s}(x)$, which interpolates $x^2$ at the multiples of $2^{-m}$.

    Its largest error on [0, 1] is $2^{-2(m + 1)}$, reached in the middle of each of its $2^m$ pieces. Source: Yarotsky,
    "Error bounds for approximations with deep ReLU networks" (2017).

    Args:
        terms: The number $m$, at least 1.
        dtype: Type of the weights.

    Returns:
        A module of inputs of shape [N, 1] with outputs of shape [N, 1], of width 3 and depth $m$.

    Raises:
        InvalidInputError: If `terms` is less than 1.

    Cost: at most 9 weights for each layer.

    Example:
        >>> parabola = square(2)
        >>> parabola(torch.tensor([[0.75], [0.625]], dtype=torch.float64)).flatten().tolist()  # 9/16, 25/64 + 1/64
        [0.5625, 0.40625]
    """
    _check_terms(terms)
    return self_similar_sum([-(0.25**s) for s in range(1, terms + 1)], slope=1.0, dtype=dtype)


def takagi(terms: int, *, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    r"""Partial sums $\sum_{s=1}^m 2^{-s} h^{\circ s}(x)$ of Takagi's function, continuous and nowhere differentiable.

    The partial sum differs from the limit by at most $\frac23 2^{-m}$. Of its $2^m$ cells on [0, 1] neighbours share
    their slope at the odd multiples of $2^{1-m}$, which leaves $3 \cdot 2^{m-2}$ affine pieces for $m \ge 2$. Source:
    Takagi (1903); as a network in Daubechies et al., "Nonlinear approximation and (deep) ReLU networks" (2022).

    Args:
        terms: The number $m$, at least 1.
        dtype: Type of the weights.

    Returns:
        A module of inputs of shape [N, 1] with outputs of shape [N, 1], of width 3 and depth $m$.

    Raises:
        InvalidInputError: If `terms` is less than 1.

    Cost: at most 9 weights for each layer.

    Example:
        >>> blancmange = takagi(3)
        >>> blancmange(torch.tensor([[0.5], [0.375]], dtype=torch.float64)).flatten().tolist()
        [0.5, 0.625]
    """
    _check_terms(terms)
    return self_similar_sum([0.5**s for s in range(1, terms + 1)], dtype=dtype)


def _check_terms(terms: int) -> None:
    if terms < 1:
        raise InvalidInputError(f"`terms`: got {terms}; expected at least 1")


def _tensor(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _carried(coefficient: float) -> Tensor:
    """Row that adds `coefficient` times the next hat to the sum so far."""
    return torch.cat([coefficient * _tensor(_WEIGHTS[:2]), torch.ones(1)])
