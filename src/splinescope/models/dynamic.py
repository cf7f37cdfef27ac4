r"""Networks as discretised differential equations: plain, residual, of second order, and leapfrog.

With a field $f(x; l)$ for each layer and a step $h$: plain ($C^0$) $x_{l+1} = f(x_l; l)$; residual ($C^1$)
$x_{l+1} = x_l + h f$, Euler's method for $\dot x = f$; second order ($C^2$) $x_{l+1} - 2 x_l + x_{l-1} = h^2 f$, for
$\ddot x = f$; leapfrog $x_{l+1} = x_{l-1} + 2 h f$.

Source: Hauser, Ray, "Principles of Riemannian geometry in neural networks" (NeurIPS 2017). It starts $C^2$ by
$x_1 = x_0 + h f(x_0; 0)$, which is of first order, and so is the whole then; with $x_1 = x_0 + h f + h^2 f / 2$ it is
of second order, as the source says of all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from splinescope.errors import InvalidInputError

KINDS = ("plain", "residual", "second-order", "second-order-start", "leapfrog")


class _Plain(nn.Module):
    """x to f(x)."""

    field: nn.Module
    step: float

    def __init__(self, field: nn.Module, step: float) -> None:
        super().__init__()
        self.field, self.step = field, step

    def forward(self, x: Tensor) -> Tensor:
        """The next layer."""
        return self.field(x)


class _Residual(_Plain):
    """x to x + h f(x)."""

    def forward(self, x: Tensor) -> Tensor:
        """The next layer."""
        return x + self.step * self.field(x)


class _Start(_Plain):
    """x to (x_1, x_0), with x_1 by a first step of a given second-order part."""

    def __init__(self, field: nn.Module, step: float, second: float) -> None:
        super().__init__(field, step)
        self.second = second

    def forward(self, x: Tensor) -> Tensor:
        """The first state."""
        return torch.cat([x + (self.step + self.second * self.step**2) * self.field(x), x], dim=1)


class _Central(_Plain):
    """(x_l, x_{l-1}) to (x_{l+1}, x_l)."""

    def forward(self, state: Tensor) -> Tensor:
        """The next state."""
        x, before = state.chunk(2, dim=1)
        return torch.cat([2 * x - before + self.step**2 * self.field(x), x], dim=1)


class _Leapfrog(_Plain):
    """(x_l, x_{l-1}) to (x_{l+1}, x_l)."""

    def forward(self, state: Tensor) -> Tensor:
        """The next state."""
        x, before = state.chunk(2, dim=1)
        return torch.cat([before + 2 * self.step * self.field(x), x], dim=1)


class _Last(nn.Module):
    """The last layer of a state of two."""

    def forward(self, state: Tensor) -> Tensor:
        """x of (x, x before)."""
        return state.chunk(2, dim=1)[0]


class DynamicNetwork(nn.Sequential):
    """A network whose layers are steps of a differential equation; with two layers as its state where it needs both.

    Attributes:
        kind: One of `KINDS`.
        step: The step h.
    """

    def __init__(
        self, fields: Sequence[nn.Module], kind: str, step: float, without_identity: Sequence[int] = ()
    ) -> None:
        """Put the steps together.

        Args:
            fields: One for each layer, of as many outputs as inputs.
            kind: One of `KINDS`.
            step: The step h.
            without_identity: Layers of a residual network, counted from 1, that are plain ones.
        """
        if kind not in KINDS:
            raise InvalidInputError(f"`kind`: got {kind!r}; expected one of {', '.join(map(repr, KINDS))}")
        if not fields or not step > 0:
            raise InvalidInputError(
                f"`step`: got {step} for {len(fields)} layers; expected a positive one, and a layer"
            )
        plain = set(without_identity)
        if plain and (kind != "residual" or not plain <= set(range(1, len(fields) + 1))):
            raise InvalidInputError(
                f"`without_identity`: got layers {sorted(plain)} of a {kind!r} network of {len(fields)}; expected some "
                "of a residual one, counted from 1"
            )
        first, *rest = fields
        if kind in ("plain", "residual"):
            every = [kind == "plain" or number in plain for number in range(1, len(fields) + 1)]
            super().__init__(
                *((_Plain if bare else _Residual)(field, step) for bare, field in zip(every, fields, strict=True))
            )
        else:
            second = 0.5 if kind == "second-order-start" else 0.0
            each = _Leapfrog if kind == "leapfrog" else _Central
            super().__init__(_Start(first, step, second), *(each(field, step) for field in rest), _Last())
        self.kind, self.step = kind, step

    def states(self, x: Float[Tensor, "n d"]) -> list[Float[Tensor, "n d"]]:
        """Values at the layers.

        Args:
            x: Inputs.

        Returns:
            The inputs, and for each field what comes next.
        """
        values, state = [x], x
        for part in self:
            if not isinstance(part, _Last):
                state = part(state)
                values.append(state[:, : x.shape[1]])
        return values

    def jacobians(self, x: Float[Tensor, "n d"]) -> list[Float[Tensor, "n d d"]]:
        r"""Derivatives of the values at the layers by the inputs, by their recursions.

        With $F_l$ the derivative of the field: $J_{l+1} = F_l J_l$, $J_l + h F_l J_l$, $2 J_l - J_{l-1} + h^2 F_l J_l$,
        or $J_{l-1} + 2 h F_l J_l$.

        Args:
            x: Inputs.

        Returns:
            One for each of `states`.
        """
        d, h = x.shape[1], self.step
        found = [torch.eye(d, dtype=x.dtype).expand(len(x), d, d)]
        for value, part in zip(self.states(x), self, strict=False):
            if not isinstance(part, _Plain):
                break
            turned = torch.func.vmap(torch.func.jacrev(_one(part.field)))(value).detach() @ found[-1]
            if isinstance(part, _Start):
                found.append(found[-1] + (h + part.second * h**2) * turned)
            elif isinstance(part, _Central):
                found.append(2 * found[-1] - found[-2] + h**2 * turned)
            elif isinstance(part, _Leapfrog):
                found.append(found[-2] + 2 * h * turned)
            else:
                found.append(found[-1] + h * turned if isinstance(part, _Residual) else turned)
        return found


def _one(field: nn.Module) -> Callable[[Tensor], Tensor]:
    """A field of a batch as one of a point."""
    return lambda x: field(x[None])[0]


def dynamic_network(
    width: int,
    depth: int,
    kind: str = "residual",
    *,
    activation: Callable[[], nn.Module] = nn.Tanh,
    step: float | None = None,
    without_identity: Sequence[int] = (),
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> DynamicNetwork:
    r"""A network of steps of a differential equation, with fields $f(x; l) = \sigma(W_l x + b_l)$.

    Args:
        width: Number of units of every layer.
        depth: Number of layers.
        kind: "plain", "residual", "second-order" (with the source's start, of first order), "second-order-start" (the
            same with a start of second order) or "leapfrog".
        activation: What makes the activation of each layer.
        step: The step h; by default 1 / depth.
        without_identity: Layers of a residual network, counted from 1, in which the identity is left out.
        generator: Source of randomness; global seeds stay untouched. Weights are those of Glorot and Bengio, biases 0.
        dtype: Type of the weights.

    Returns:
        A module of inputs of shape [N, width].

    Raises:
        InvalidInputError: If a size is not positive, `kind` is none of these, or there are no such layers.

    Cost: the weights, depth x width^2.

    Example:
        >>> network = dynamic_network(2, 6, "second-order", generator=torch.Generator().manual_seed(0))
        >>> tuple(network(torch.zeros(5, 2)).shape), len(network.states(torch.zeros(5, 2)))
        ((5, 2), 7)
    """
    if width < 1 or depth < 1:
        raise InvalidInputError(f"`depth`: got {depth} layers of width {width}; expected positive numbers")
    fields = []
    for _ in range(depth):
        layer = nn.utils.skip_init(nn.Linear, width, width, dtype=dtype)
        nn.init.xavier_uniform_(layer.weight, generator=generator)
        nn.init.zeros_(layer.bias)
        fields.append(nn.Sequential(layer, activation()))
    return DynamicNetwork(fields, kind, 1.0 / depth if step is None else step, without_identity)
