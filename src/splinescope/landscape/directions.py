"""Planes of parameters as people draw them: random ones, through checkpoints, between networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from splinescope.errors import InvalidInputError
from splinescope.landscape.factors import Layer, layer_node
from splinescope.network import ModelLike, as_network
from splinescope.shown import Shown

NORMALISATIONS = ("filter", "tensor", "none")
POLICIES = ("zero", "copy", "random")

Parameters = nn.Module | Mapping[str, Tensor]
"""Parameters by name: a module's, or a state dict, whose running statistics are left out."""

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True, eq=False)
class ParameterPlane(Shown):
    r"""A line or plane of parameters, $\theta + \sum_j u_j d_j$, in float64.

    Attributes:
        origin: The parameters at 0.
        directions: One or two steps.
        labels: What the coordinates are called.
        marks: [T, d] coordinates of parameters that the plane was made of, in order.
        missed: Share of the variance of these that lies outside of the plane; 0 where they are on it, NaN if there are
            none.
    """

    origin: dict[str, Tensor]
    directions: tuple[dict[str, Tensor], ...]
    labels: tuple[str, ...]
    marks: Float[np.ndarray, "T d"]
    missed: float = float("nan")

    @property
    def dimension(self) -> int:
        """1 for a line, 2 for a plane."""
        return len(self.directions)

    def at(self, *coordinates: float) -> dict[str, Tensor]:
        """The parameters at some coordinates.

        Args:
            *coordinates: One for each direction.

        Returns:
            Tensors in float64, by name.
        """
        found = {}
        for name, value in self.origin.items():
            moved = value
            for coordinate, direction in zip(coordinates, self.directions, strict=True):
                moved = moved + float(coordinate) * direction[name]
            found[name] = moved
        return found


def random_plane(
    model: nn.Module,
    *,
    normalize: str = "filter",
    bias: str = "zero",
    batchnorm: str = "zero",
    dimension: int = 2,
    generator: torch.Generator | None = None,
) -> ParameterPlane:
    r"""A plane through a module's parameters along random directions, as of Li et al. (2018).

    Each number is drawn from a standard normal distribution; then each filter (row of a matrix, output channel of a
    convolution) is scaled to the norm of the module's own: $d \leftarrow d\,\|w\| / \|d\|$. So networks that are equal
    up to positive rescalings have equal landscapes.

    Args:
        model: The module.
        normalize: "filter", "tensor" (each whole tensor is scaled to the norm of the module's own) or "none".
        bias: What biases, and other parameters of one axis, do: "zero" (they stay), "copy" (the direction is their own
            value, as in the reference implementation) or "random" (scaled as whole tensors).
        batchnorm: The same for the weights and biases of batch-norm and other normalisations.
        dimension: 1 or 2 directions.
        generator: Source of randomness; None for one that is seeded with 0. Global seeds stay untouched.

    Returns:
        The plane. (H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein, "Visualizing the loss landscape of neural nets".)

    Raises:
        InvalidInputError: If an option is unknown.

    Cost: twice the number of parameters.

    Example:
        >>> len(random_plane(torch.nn.Linear(2, 2)).directions)
        2
    """
    for option, given, known in (
        ("normalize", normalize, NORMALISATIONS),
        ("bias", bias, POLICIES),
        ("batchnorm", batchnorm, POLICIES),
        ("dimension", dimension, (1, 2)),
    ):
        if given not in known:
            raise InvalidInputError(f"`{option}`: got {given!r}; expected one of {', '.join(map(repr, known))}")
    source = generator or torch.Generator().manual_seed(0)
    origin, normalised = parameters_of(model), _normalising(model)
    directions = []
    for _ in range(dimension):
        step = {}
        for name, value in origin.items():
            policy = batchnorm if name in normalised else bias
            if value.ndim <= 1 and policy == "zero":
                step[name] = torch.zeros_like(value)
            elif value.ndim <= 1 and policy == "copy":
                step[name] = value.clone()
            else:
                drawn = torch.randn(value.shape, generator=source, dtype=torch.float64)
                step[name] = _scaled(drawn, value, normalize)
        directions.append(step)
    labels = tuple(f"random direction {number}" for number in range(1, dimension + 1))
    return ParameterPlane(origin, tuple(directions), labels, np.zeros((1, dimension)))


def layer_directions(
    network: ModelLike,
    layer_name: str,
    *,
    normalize: str = "filter",
    count: int = 2,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "..."], ...]:
    """Random directions of the weights of one layer, for `loss_plane`.

    Args:
        network: A network or module, or the path of a file.
        layer_name: Name of a dense layer or a convolution.
        normalize: "filter" (rows, or output channels, are scaled to the norms of the layer's own), "tensor" or "none".
        count: How many.
        generator: Source of randomness; None for one that is seeded with 0.

    Returns:
        Directions in the shape of the layer's weights, in float64.

    Raises:
        InvalidInputError: If there is no such layer, or the option is unknown.

    Cost: twice the number of weights.

    Example:
        >>> import splinescope
        >>> [step.shape for step in layer_directions(splinescope.load(torch.nn.Linear(2, 3)), "linear")]
        [torch.Size([3, 2]), torch.Size([3, 2])]
    """
    if normalize not in NORMALISATIONS:
        raise InvalidInputError(f"`normalize`: got {normalize!r}; expected one of {', '.join(NORMALISATIONS)}")
    known = as_network(network)
    op = known.nodes[layer_node(known, layer_name)].op
    assert isinstance(op, Layer)
    own = op.weight
    source = generator or torch.Generator().manual_seed(0)
    return tuple(
        _scaled(torch.randn(own.shape, generator=source, dtype=torch.float64), own, normalize) for _ in range(count)
    )


def trajectory_plane(checkpoints: Iterable[Parameters], *, dimension: int = 2) -> ParameterPlane:
    """The plane through the last checkpoint along the principal components of all.

    Args:
        checkpoints: Modules or state dicts, in order.
        dimension: 1 or 2 components.

    Returns:
        The plane, with orthonormal directions, the coordinates of the checkpoints, and the share of their variance that
        it misses.

    Raises:
        InvalidInputError: If there are too few checkpoints, or they have different parameters.

    Cost: a singular value decomposition of the checkpoints, [checkpoints, parameters].

    Example:
        >>> len(trajectory_plane([torch.nn.Linear(2, 2) for _ in range(4)]).directions)
        2
    """
    known = [parameters_of(checkpoint) for checkpoint in checkpoints]
    if len(known) <= dimension:
        raise InvalidInputError(f"`checkpoints`: got {len(known)}; expected more than {dimension}")
    origin = known[-1]
    for other in known:
        _check_same(origin, other, "checkpoints")
    steps = np.stack([np.concatenate([(own[name] - origin[name]).reshape(-1) for name in origin]) for own in known])
    centred = steps - steps.mean(axis=0)
    values, vectors = np.linalg.eigh(centred @ centred.T)
    order = np.argsort(-values)[:dimension]
    if values[order[-1]] <= len(known) * np.finfo(np.float64).eps * values.max():
        raise InvalidInputError(f"`checkpoints`: they span fewer than {dimension} directions")
    rows = (centred.T @ vectors[:, order] / np.sqrt(values[order])).T
    rows *= np.sign(rows.sum(axis=1, keepdims=True))
    missed = float(max(0.0, 1 - values[order].sum() / np.maximum(values, 0).sum()))
    shares = values[order] / np.maximum(values, 0).sum()
    labels = tuple(f"component {number + 1} ({share:.1%} of variance)" for number, share in enumerate(shares))
    return ParameterPlane(origin, tuple(_unflattened(row, origin) for row in rows), labels, steps @ rows.T, missed)


def between(theta_a: Parameters, theta_b: Parameters, theta_c: Parameters | None = None) -> ParameterPlane:
    """The line from one network to another, or the plane through three.

    Args:
        theta_a: Module or state dict at 0.
        theta_b: At 1 on the first axis.
        theta_c: At 1 on the second axis; None for the line.

    Returns:
        The line or plane; its coordinates are affine, not distances.

    Raises:
        InvalidInputError: If the parameters differ in name or shape.

    Cost: copies of the parameters.

    Example:
        >>> from torch import nn
        >>> between(nn.Linear(2, 2), nn.Linear(2, 2)).directions[0]["weight"].shape
        torch.Size([2, 2])
    """
    origin = parameters_of(theta_a)
    others = [parameters_of(theta) for theta in (theta_b, theta_c) if theta is not None]
    for name, other in zip(("theta_b", "theta_c"), others, strict=False):
        _check_same(origin, other, name)
    directions = tuple({name: other[name] - value for name, value in origin.items()} for other in others)
    labels = ("from $a$ (0) to $b$ (1)", "from $a$ (0) to $c$ (1)")[: len(others)]
    marks = np.concatenate([np.zeros((1, len(others))), np.eye(len(others))])
    return ParameterPlane(origin, directions, labels, marks, 0.0)


def parameters_of(theta: Parameters) -> dict[str, Tensor]:
    """Parameters by name, in float64 on the CPU, detached and copied.

    Args:
        theta: A module or a state dict.

    Returns:
        The parameters of floating point.

    Raises:
        InvalidInputError: If it is neither, or has none.
    """
    if isinstance(theta, nn.Module):
        named: Iterable[tuple[str, Any]] = theta.named_parameters()
    elif isinstance(theta, Mapping):
        named = [(name, value) for name, value in theta.items() if name.rpartition(".")[2] not in _STATISTICS]
    else:
        raise InvalidInputError(f"`theta`: got {type(theta).__name__}; expected a module or a state dict")
    found = {
        name: value.detach().cpu().to(torch.float64, copy=True)
        for name, value in named
        if isinstance(value, Tensor) and value.is_floating_point()
    }
    if not found:
        raise InvalidInputError("`theta`: it has no parameters; expected some")
    return found


def _normalising(model: nn.Module) -> set[str]:
    """Names of the parameters of batch-norm and the like."""
    kinds = (_BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.LocalResponseNorm)
    return {
        f"{path}.{name}".lstrip(".")
        for path, module in model.named_modules()
        if isinstance(module, kinds)
        for name, _ in module.named_parameters(recurse=False)
    }


def _scaled(drawn: Tensor, own: Tensor, normalize: str) -> Tensor:
    """A random tensor with the norms of another one."""
    if normalize == "none":
        return drawn
    if normalize == "tensor" or own.ndim <= 1:
        return drawn * (own.norm() / drawn.norm().clamp(min=1e-300))
    wanted, given = (value.flatten(1).norm(dim=1) for value in (own, drawn))
    rows = (wanted / given.clamp(min=1e-300)).reshape(-1, *(1,) * (own.ndim - 1))
    return drawn * rows


def _check_same(one: dict[str, Tensor], other: dict[str, Tensor], argument: str) -> None:
    names = [name for name in {**one, **other} if name not in one or name not in other]
    names += [name for name in one if name in other and one[name].shape != other[name].shape]
    if names:
        raise InvalidInputError(f"`{argument}`: {names[0]!r} is not in all, or has another shape; expected equal ones")


def _unflattened(row: Sequence[float] | np.ndarray, like: dict[str, Tensor]) -> dict[str, Tensor]:
    parts = torch.from_numpy(np.array(row)).split([value.numel() for value in like.values()])
    return {name: part.reshape(value.shape) for (name, value), part in zip(like.items(), parts, strict=True)}
