r"""Singular values of the map downstream of each layer, and what theory says of them.

The loss by one layer's weights is curved as $M^T M$ says, $M$ being the derivative of the outputs by what the layer
makes (Riedi, Balestriero and Baraniuk, arXiv 2203.03099). Along a chain of places $M_k = J_{L-1} \cdots J_k$. Where
layers are $z_{l+1} = D_l(W_l z_l + b_l) + \rho z_l$, steps are $J_l = D_l W_l + \rho I$, all of whose singular values
are within $c_l = \|D_l W_l\|_2$ of $\rho$ (Weyl).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.landscape.factors import around, flat_slopes
from splinescope.network import ModelLike, Network, as_network
from splinescope.network.evaluate import CHUNK_NUMBERS, forward
from splinescope.network.inputs import read_inputs
from splinescope.network.splits import boundaries, split
from splinescope.shown import Shown

ROUNDING = 64 * np.finfo(np.float64).eps
"""Share of the largest singular value, for each number of a side of a matrix, that is rounding."""


@dataclass(frozen=True, eq=False)
class Conditioning(Shown):
    r"""Singular values along a chain of places $z_0, ..., z_L$ that all data passes, for N inputs.

    Attributes:
        names: [L + 1] names of the places.
        sizes: [L + 1] numbers of each.
        skips: [L] the share $\rho_l$ of each step that is the identity; 0 where a step is not square.
        singular_values: For each place but the last [N, min(n_L, n_l)] those of the map $M_l$ from it to the last one,
            largest first.
        steps: For each step [N, min(n_{l+1}, n_l)] those of $J_l$.
        rests: For each step [N, min(n_{l+1}, n_l)] those of $J_l - \rho_l I$.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    skips: tuple[float, ...]
    singular_values: tuple[Float[np.ndarray, "N _"], ...]
    steps: tuple[Float[np.ndarray, "N _"], ...]
    rests: tuple[Float[np.ndarray, "N _"], ...]

    def __len__(self) -> int:
        """Number of inputs."""
        return len(self.steps[0])

    def __repr__(self) -> str:
        return f"Conditioning({len(self.steps)} maps to {self.names[-1]!r}, {len(self)} inputs)"

    @cached_property
    def regular(self) -> Bool[np.ndarray, "N L"]:
        """[N, L] whether all steps behind each place are square, and none of them is singular to rounding."""
        least = [
            (step[:, -1] > ROUNDING * a * step[:, 0]) & (a == b)
            for step, (a, b) in zip(self.steps, pairwise(self.sizes), strict=True)
        ]
        return np.logical_and.accumulate(np.stack(least[::-1], axis=1), axis=1)[:, ::-1]

    @cached_property
    def ranks(self) -> Int[np.ndarray, "N L"]:
        """[N, L] ranks; where a step is singular, how many singular values are not zero to rounding."""
        return np.stack([(values > floor).sum(axis=1) for values, floor in self._with_floors()], axis=1)

    @cached_property
    def condition_numbers(self) -> Float[np.ndarray, "N L"]:
        """[N, L] the largest singular value of each map by the smallest; infinite where that is zero to rounding.

        Of regular maps it is as precise as their steps are: products of ill-conditioned matrices lose their smallest
        singular values, but that is one by the largest of the product of the inverses.
        """
        least = [np.where(values > floor, values, 0.0)[:, -1] for values, floor in self._with_floors()]
        return _ratio(np.stack([values[:, 0] for values in self.singular_values], axis=1), np.stack(least, axis=1))

    @cached_property
    def active_condition_numbers(self) -> Float[np.ndarray, "N L"]:
        """[N, L] the same by the smallest singular value that is not zero, without what dead units take away."""
        least = [np.where(values > floor, values, np.inf).min(axis=1) for values, floor in self._with_floors()]
        return _ratio(np.stack([values[:, 0] for values in self.singular_values], axis=1), np.stack(least, axis=1))

    @cached_property
    def lower(self) -> Float[np.ndarray, "N L"]:
        r"""[N, L] lower bounds of all singular values of each map.

        Products of those of the steps: $\rho - c$ of a step with a skip, if positive. Of other steps the smallest
        singular value. 0 where numbers grow on the way, since then it bounds nothing.
        """
        least = [
            np.maximum(skip - rest[:, 0], 0.0) if skip else step[:, -1]
            for skip, step, rest in zip(self.skips, self.steps, self.rests, strict=True)
        ]
        found = _products(least)
        for place in range(len(self.steps)):
            if any(a < b for a, b in pairwise(self.sizes[place:])):
                found[:, place] = 0.0
        return found

    @cached_property
    def upper(self) -> Float[np.ndarray, "N L"]:
        r"""[N, L] upper bounds of all singular values, products of $\rho + c$ with $c = \|J - \rho I\|_2$."""
        return _products([skip + rest[:, 0] for skip, rest in zip(self.skips, self.rests, strict=True)])

    @property
    def bounds(self) -> Float[np.ndarray, "N L"]:
        r"""[N, L] upper bounds of the condition numbers.

        Of square steps with $c < \rho$ they are $\prod (\rho + c) / (\rho - c)$; where a step has $c \ge \rho$ they
        are infinite, and say nothing.
        """
        return _ratio(self.upper, self.lower)

    @cached_property
    def checked(self) -> int:
        """How many inequalities are looked at by `violations`."""
        return sum(int(held.size) for held in self._held())

    @cached_property
    def violations(self) -> int:
        r"""How many of the bounds some value violates beyond rounding; a theorem says none.

        For each singular value $s_j$: $|s_j(J) - \rho| \le c$ of each step; $\prod (\rho - c)_+ \le s_j(M) \le \prod
        (\rho + c)$; and from place to place $s_j(M_{l+1})\, s_{min}(J_l) \le s_j(M_l) \le s_j(M_{l+1})\,
        s_{max}(J_l)$, the first where numbers don't grow. For each map: its condition number beside its bound.
        """
        return sum(int((~held).sum()) for held in self._held())

    def _with_floors(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return [
            (values, np.where(self.regular[:, place], -1.0, self._floor(place))[:, None])
            for place, values in enumerate(self.singular_values)
        ]

    def _floor(self, place: int) -> np.ndarray:
        """Rounding of a product of matrices: by the norms of all factors, since what is large may cancel."""
        largest = np.prod([step[:, 0] for step in self.steps[place:]], axis=0)
        return ROUNDING * max(self.sizes[place:]) * np.maximum(largest, np.finfo(np.float64).tiny)

    def _held(self) -> list[Bool[np.ndarray, "..."]]:
        """Each inequality, for each value, with its own rounding allowed."""
        found = []
        for place, values in enumerate(self.singular_values):
            step, rest, skip = self.steps[place], self.rests[place], self.skips[place]
            slack = self._floor(place)[:, None]
            if self.sizes[place] == self.sizes[place + 1]:
                own = ROUNDING * self.sizes[place] * (step[:, :1] + skip)
                found.append(np.abs(step - skip) <= rest[:, :1] + own)
            found.append(values <= self.upper[:, place, None] + slack)
            found.append(values >= self.lower[:, place, None] - slack)
            if place + 1 < len(self.singular_values):
                later = self.singular_values[place + 1]
                common = min(values.shape[1], later.shape[1])
                found.append(values[:, :common] <= later[:, :common] * step[:, :1] + slack)
                if self.sizes[place] >= self.sizes[place + 1]:
                    found.append(values[:, :common] >= later[:, :common] * step[:, -1:] - slack)
            sure = self.lower[:, place] > 2 * slack[:, 0]
            loose = 1 + 4 * slack[sure, 0] / self.lower[sure, place]
            found.append(self.condition_numbers[sure, place] <= self.bounds[sure, place] * loose)
        return found


def conditioning(
    model: ModelLike,
    inputs: Any,
    *,
    places: Sequence[int | str] | None = None,
    skip: float = 0.0,
) -> Conditioning:
    r"""Singular values of the map from each layer to the outputs, with bounds for all of them.

    With the other layers fixed, the squared loss of one sample by the weights of layer k is a quadratic whose
    eigenvalues are $2 s_j(M_k D_k)^2 \|z\|^2$: so these singular values are the shape of the loss by each layer.

    Args:
        model: A module, a network, or the path of a file.
        inputs: [N, *input_shape] inputs; on a fold the map is that of the piece which the pattern names.
        places: Names or indices of boundaries (see `splinescope.network.boundaries`), in order; the last one is where
            maps end. By default the ends of all layers that fold, and the output before the head.
        skip: The share $\rho$ of the identity in each square step: 1 for residual blocks.

    Returns:
        The singular values, and bounds.

    Raises:
        InvalidInputError: If there are less than two places or no such ones, they are out of order, or the matrices of
            one input take more than 2 GiB.
        UnsupportedOpError: If the model is not piecewise affine.

    Cost: for each step a backward pass for each of its outputs, and three decompositions for each input.

    Source: Riedi, Balestriero and Baraniuk (2023), arXiv 2203.03099; Weyl's inequality.

    Example:
        >>> import torch
        >>> from splinescope import models
        >>> net = models.residual_mlp([4, 8, 3, 2], norm=0.5, generator=torch.Generator().manual_seed(0))
        >>> found = conditioning(net, torch.randn(10, 4), skip=1.0)
        >>> bool((found.condition_numbers <= found.bounds).all()), found.violations
        (True, 0)
    """
    if not 0 <= skip < math.inf:
        raise InvalidInputError(f"`skip`: got {skip}; expected a number of at least 0")
    network = as_network(model, tuple(np.shape(inputs)[1:]))
    batch = read_inputs(inputs, network.input_shape).batch
    value = (batch.detach() if isinstance(batch, Tensor) else torch.from_numpy(batch)).double()
    lead, parts = _chain(network, places)
    sizes = (math.prod(parts[0].input_shape), *(math.prod(part.output_shape) for part in parts))
    if (one := sum(a * b for a, b in pairwise(sizes)) + sizes[-1] * max(sizes)) > 8 * CHUNK_NUMBERS:
        raise InvalidInputError(
            f"`inputs`: the matrices of one input take {8 * one / 2**30:.1f} GiB; expected at most 2; give `places` "
            "that are smaller"
        )
    skips = tuple(float(skip) if a == b else 0.0 for a, b in pairwise(sizes))
    with torch.no_grad():
        value = forward(lead, value)
    rows = [_measured(parts, chunk, skips) for chunk in value.split(max(1, CHUNK_NUMBERS // one))]
    maps, steps, rests = (
        tuple(np.concatenate(part) for part in zip(*kind, strict=True)) for kind in zip(*rows, strict=True)
    )
    names = (lead.nodes[lead.output].name, *(part.nodes[part.output].name for part in parts))
    return Conditioning(names, sizes, skips, maps, steps, rests)


def _chain(network: Network, places: Sequence[int | str] | None) -> tuple[Network, tuple[Network, ...]]:
    """What leads to the first place, and the parts from place to place."""
    gates = boundaries(network)
    if places is None:
        folding = [gate for gate, later in pairwise(gates) if later.index and _folds(network, gate.node, later.node)]
        ends = [gates[gate.index + 1] for gate in folding]
        chosen = [*(gate for gate in ends if gate.index < gates[-1].index), gates[-1]]
    else:
        chosen = [split(network, place).boundary for place in places]
    if len(chosen) < 2 or any(one.node >= other.node for one, other in pairwise(chosen)):
        raise InvalidInputError(
            f"`places`: got {[gate.name for gate in chosen] if places is None else list(places)}; expected two or more "
            "boundaries in order"
        )
    lead = split(network, chosen[0].index).before
    parts = []
    for start, stop in pairwise(chosen):
        before = split(network, stop.index).before
        parts.append(split(before, start.index).after)
    return lead, tuple(parts)


def _folds(network: Network, start: int, stop: int) -> bool:
    """Whether something folds behind one node, up to another."""
    return any(node.fold is not None for node in network.nodes[start + 1 : stop + 1])


def _measured(
    parts: Sequence[Network], value: Tensor, skips: Sequence[float]
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Singular values of the maps to the end, of the steps, and of the steps without their skips."""
    linear = []
    for part in parts:
        found = around(part, 0, value)
        linear.append(flat_slopes(found.slopes))
        value = found.outputs.reshape(len(value), *part.output_shape)
    total, maps = None, []
    for step in reversed(linear):
        total = step if total is None else total @ step
        maps.append(_values(total))
    maps, steps = maps[::-1], [_values(step) for step in linear]
    _sharpen(linear, steps, maps)
    rests = [
        _values(step - skip * torch.eye(step.shape[-1], dtype=step.dtype)) if skip else own
        for step, own, skip in zip(linear, steps, skips, strict=True)
    ]
    return maps, steps, rests


def _sharpen(linear: Sequence[Tensor], steps: Sequence[np.ndarray], maps: Sequence[np.ndarray]) -> None:
    """Put the smallest singular values of regular maps in place: one by the largest of the product of the inverses."""
    regular, inverse = np.ones(len(linear[0]), bool), None
    for place in reversed(range(len(linear))):
        step, own = linear[place], steps[place]
        size = step.shape[2]
        if step.shape[1] != size:
            return
        regular = regular & (own[:, -1] > ROUNDING * size * own[:, 0])
        kept = torch.from_numpy(regular)[:, None, None]
        back = torch.linalg.inv(torch.where(kept, step, torch.eye(size, dtype=step.dtype)))
        inverse = back if inverse is None else back @ inverse
        least = 1 / torch.linalg.matrix_norm(inverse, 2).numpy()[regular, None]
        maps[place][regular, -1] = 0.0
        maps[place][regular] = np.maximum(maps[place][regular], least)


def _values(matrices: Tensor) -> np.ndarray:
    found: np.ndarray = torch.linalg.svdvals(matrices).numpy()
    return found


def _products(factors: Sequence[np.ndarray]) -> np.ndarray:
    """[N, L] products of the factors from each step on."""
    return np.cumprod(np.stack(factors[::-1], axis=1), axis=1)[:, ::-1].copy()


def _ratio(largest: np.ndarray, least: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where((least > 0) & np.isfinite(least), largest / least, np.inf)
