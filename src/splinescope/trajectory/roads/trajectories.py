"""The trajectory of inputs through a network: the sequence of affine maps, kept and not collapsed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from splinescope.errors import InvalidInputError
from splinescope.network.evaluate import CHUNK_NUMBERS, forward, jacobians
from splinescope.network.graph import Network
from splinescope.network.inputs import finite_batch
from splinescope.network.load import ModelLike, as_network
from splinescope.network.splits import boundaries, split
from splinescope.shown import Shown


@dataclass(frozen=True, eq=False)
class Trajectories(Shown):
    r"""Inputs on their way through a network, $z_0 = x$ to $z_L = f(x)$, at places that all of its data passes.

    Lengths and angles need one space for all places: values with fewer numbers are filled up with zeros, which changes
    no distance.

    Attributes:
        names: [L + 1] names of the places, the input first.
        activations: For each place [N, n_l] values.
        steps: For each step [N, n_l, n_{l - 1}] the Jacobian of $z_l$ by $z_{l-1}$, the linear part of its affine map.
        offsets: For each step [N, n_l] the offset of its affine map: $z_l = J_l z_{l-1} + c_l$.
    """

    names: tuple[str, ...]
    activations: tuple[Float[np.ndarray, "N _"], ...]
    steps: tuple[Float[np.ndarray, "N _ _"], ...]
    offsets: tuple[Float[np.ndarray, "N _"], ...]

    def __len__(self) -> int:
        """Number of inputs."""
        return len(self.activations[0])

    def chain(self) -> tuple[Float[np.ndarray, "N _ n_in"], ...]:
        """Jacobians of every place but the first by the input, products of those of the steps.

        Returns:
            For each step [N, n_l, n_0].
        """
        total = self.steps[0]
        found = [total]
        for step in self.steps[1:]:
            total = step @ total
            found.append(total)
        return tuple(found)

    def singular_values(self, *, of: str = "steps") -> tuple[Float[np.ndarray, "N _"], ...]:
        """Singular values of the linear maps, largest first.

        Args:
            of: "steps" for those from place to place, "chain" for those from the input.

        Returns:
            For each step [N, min(outputs, inputs)].

        Raises:
            InvalidInputError: If `of` is neither.
        """
        if of not in ("steps", "chain"):
            raise InvalidInputError(f"`of`: got {of!r}; expected 'steps' or 'chain'")
        maps = self.steps if of == "steps" else self.chain()
        return tuple(np.linalg.svd(linear, compute_uv=False) for linear in maps)

    @property
    def step_lengths(self) -> Float[np.ndarray, "N L"]:
        r"""[N, L] lengths of the steps, $|z_l - z_{l-1}|$."""
        return np.linalg.norm(self._moves(), axis=2)

    @property
    def path_lengths(self) -> Float[np.ndarray, " N"]:
        """[N] lengths of the whole paths."""
        lengths: np.ndarray = self.step_lengths.sum(axis=1)
        return lengths

    @property
    def turning_angles(self) -> Float[np.ndarray, "N turns"]:
        """[N, L - 1] angles between one step and the next, in radians; NaN beside a step of length 0."""
        moves = self._moves()
        lengths = np.linalg.norm(moves, axis=2, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            ways = moves / lengths
        # By halves of chords: exact for small angles, where a cosine is not.
        apart = np.linalg.norm(ways[:, 1:] - ways[:, :-1], axis=2)
        together = np.linalg.norm(ways[:, 1:] + ways[:, :-1], axis=2)
        angles: np.ndarray = 2 * np.arctan2(apart, together)
        return angles

    def projection(self, dimension: int = 2) -> tuple[Float[np.ndarray, "N d"], ...]:
        """Pictures of all places that agree: principal axes of each, turned to lie as the place before does.

        Each place is centred and projected to its own principal axes, which keep most of its variance; then rotated and
        reflected to be as near as possible, in least squares, to the picture before (orthogonal Procrustes). Lengths in
        one picture are comparable, and what moves between two is no artefact of the axes' order or signs.

        Args:
            dimension: Of the pictures.

        Returns:
            For each place [N, dimension].
        """
        pictures: list[np.ndarray] = []
        for values in self.activations:
            centred = values - values.mean(axis=0)
            left, size, _ = np.linalg.svd(centred, full_matrices=False)
            flat = np.zeros((len(values), dimension))
            kept = min(dimension, len(size))
            flat[:, :kept] = left[:, :kept] * size[:kept]
            if pictures:
                u, _, v = np.linalg.svd(flat.T @ pictures[-1])
                flat = flat @ (u @ v)
            pictures.append(flat)
        return tuple(pictures)

    def _moves(self) -> np.ndarray:
        width = max(values.shape[1] for values in self.activations)
        filled = np.stack([np.pad(v, ((0, 0), (0, width - v.shape[1]))) for v in self.activations], axis=1)
        return np.diff(filled, axis=1)


def trajectories(network: ModelLike, inputs: Any, places: Sequence[int | str] | None = None) -> Trajectories:
    r"""Follow inputs through a network, with the affine map of every step.

    Args:
        network: A network, a module, or the path of a file.
        inputs: [N, *input_shape] inputs, off the folds.
        places: Between input and output, as `splinescope.network.split` takes them: indices of boundaries or names. By
            default all boundaries that fold: the activations of a plain network, the ends of residual blocks.

    Returns:
        The trajectories. Cost: a forward pass, and for each step a backward pass for each of its outputs; matrices of
        each input and step are kept.

    Raises:
        InvalidInputError: If there is no such place, places are out of order, or matrices would take more than 2 GiB.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
        >>> roads = trajectories(net, torch.randn(4, 3))
        >>> roads.names, [step.shape for step in roads.steps]
        (('input', '1', '2'), [(4, 5, 3), (4, 2, 5)])
    """
    network = as_network(network, tuple(np.shape(inputs)[1:]))
    value = finite_batch(inputs, network.input_shape)
    parts = parts_between(network, places)
    count = sum(math.prod(part.output_shape) * math.prod(part.input_shape) for part in parts) * len(value)
    if count > 8 * CHUNK_NUMBERS:
        raise InvalidInputError(
            f"`inputs`: their Jacobians take {8 * count / 2**30:.1f} GiB; expected at most 2; give fewer"
        )
    names, activations, steps, offsets = [network.nodes[0].name], [value.reshape(len(value), -1).numpy()], [], []
    for part in parts:
        linear = jacobians(part, value).numpy()
        with torch.no_grad():
            after = forward(part, value)
        flat = after.reshape(len(after), -1).numpy()
        steps.append(linear)
        offsets.append(flat - np.einsum("nij,nj->ni", linear, activations[-1]))
        activations.append(flat)
        names.append(part.nodes[part.output].name)
        value = after
    return Trajectories(tuple(names), tuple(activations), tuple(steps), tuple(offsets))


def parts_between(network: Network, places: Sequence[int | str] | None) -> tuple[Network, ...]:
    """A network in parts, from place to place.

    Args:
        network: The network.
        places: Places between input and output; all boundaries that fold if None.

    Returns:
        At least one part.

    Raises:
        InvalidInputError: If there is no such place, or places are out of order.
    """
    gates = boundaries(network)
    if places is None:
        inner = [gate for gate in gates[1:-1] if network.nodes[gate.node].fold is not None]
    else:
        inner = [split(network, place).boundary for place in places]
    chosen = [gates[0], *inner, gates[-1]]
    if any(one.node >= other.node for one, other in pairwise(chosen)):
        raise InvalidInputError(
            f"`places`: got {list(places or ())}; expected places between the input and the output, in order"
        )
    parts = []
    for start, stop in pairwise(chosen):
        before = split(network, stop.index).before
        parts.append(split(before, start.index).after)
    return tuple(parts)
