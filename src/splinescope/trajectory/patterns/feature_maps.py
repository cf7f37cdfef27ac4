"""The activation patterns of data as an orthogonal function space."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_array

from splinescope.errors import InvalidInputError
from splinescope.network.evaluate import forward
from splinescope.network.graph import Network
from splinescope.network.load import ModelLike, as_network
from splinescope.shown import Shown
from splinescope.tessellation.branches.walk import branch_value, pieces_at
from splinescope.trajectory.patterns.information import entropy, mutual_information
from splinescope.trajectory.patterns.prefixes import parts, prefixes


@dataclass(frozen=True, eq=False)
class FeatureMaps(Shown):
    r"""The feature maps $\phi_i(x) = 1\{x \in \omega_i\}(A_i x + c_i)$ of a network on data, and their patterns.

    Information is in bits.

    Attributes:
        patterns: [N] number of the pattern of each input.
        first: [M] an input of each pattern.
        squared_norms: [M] $\lVert\phi_i\rVert^2 = \frac1N \sum_n |\phi_i(x_n)|^2$ under the data.
        gram: [M, M] their Gram matrix $\langle\phi_i, \phi_j\rangle$, a product of the values of all maps at all data.
        parseval_error: $|\sum_i \lVert\phi_i\rVert^2 - E|f|^2| / E|f|^2$, maps from the affine branches, $f$ from a
            forward pass.
        names: [L] names of the layers.
        counts: [L] number of different patterns of the layers up to each.
        entropies: [L] their entropy on the data.
        information: [L] information of the prefix about the class, plug-in; empty without labels.
        corrected: [L] the same less its leading bias; it means little where most patterns occur once.
        class_entropy: Entropy of the classes; NaN without labels.
    """

    patterns: Int[np.ndarray, " N"]
    first: Int[np.ndarray, " M"]
    squared_norms: Float[np.ndarray, " M"]
    gram: csr_array
    parseval_error: float
    names: tuple[str, ...]
    counts: Int[np.ndarray, " L"]
    entropies: Float[np.ndarray, " L"]
    information: Float[np.ndarray, " labelled"]
    corrected: Float[np.ndarray, " labelled"]
    class_entropy: float

    def __len__(self) -> int:
        """Number of feature maps, one for each pattern."""
        return len(self.first)

    @property
    def effective_dimensions(self) -> Float[np.ndarray, " L"]:
        """[L] exponential of the entropy (in nats), the number of equally frequent patterns that would have it."""
        return np.exp2(self.entropies)

    @property
    def effective_dimension(self) -> float:
        """The exponential of the entropy of the whole patterns."""
        return float(self.effective_dimensions[-1])

    @property
    def is_orthogonal(self) -> bool:
        """Whether no two different maps have a product that is not exactly zero."""
        pairs = self.gram.tocoo()
        off = pairs.row != pairs.col
        return not bool(np.any(pairs.data[off] != 0))


def feature_maps(network: ModelLike, data: Any, labels: Any = None, *, progress: bool = False) -> FeatureMaps:
    r"""Take a network for a sum of feature maps, one for each activation pattern of data.

    On data with measure $\mu$ the maps are orthogonal, $\langle\phi_i, \phi_j\rangle = E_\mu[\phi_i \cdot \phi_j] = 0$,
    for no input has two patterns; so Parseval's identity holds. The source calls their support compact, which holds on
    a bounded set of inputs only: many cells reach to infinity.

    Source: Rocke, "Deep Rectifier Networks as Orthogonal Function Spaces" (2019), as corrected here.

    Args:
        network: A network, a module, or the path of a file.
        data: [N, *input_shape] inputs.
        labels: [N] classes, for the information of patterns about them; None if there are none.
        progress: Whether to show a bar.

    Returns:
        The maps. Cost: four forward passes, in parts of bounded memory.

    Raises:
        InvalidInputError: If there are no inputs, labels don't fit, or the network does not fold.

    Example:
        >>> import torch
        >>> found = feature_maps(torch.nn.ReLU(), torch.tensor([[1.0, 1.0], [2.0, 1.0], [1.0, -1.0], [-1.0, -3.0]]))
        >>> len(found), found.squared_norms.tolist(), found.effective_dimension == 2**1.5
        (3, [1.75, 0.25, 0.0], True)
    """
    network = as_network(network, tuple(np.shape(data)[1:]))
    found = prefixes(network, data, progress=progress)
    whole = found.labels[-1]
    first = np.unique(whole, return_index=True)[1]
    values, energy = _values(network, data, whole, first)
    rows = np.arange(values.size)
    maps = csr_array((values.ravel(), (rows, np.repeat(whole, values.shape[1]))), shape=(values.size, len(first)))
    gram = csr_array(maps.T @ maps) / len(whole)
    norms = np.asarray(gram.diagonal())
    total = math.fsum(norms)
    error = abs(total - energy) / energy if energy else abs(total)
    classes = None if labels is None else _classes(labels, len(whole))
    shared = [] if classes is None else [mutual_information(row, classes) for row in found.labels]
    return FeatureMaps(
        whole,
        first,
        norms,
        gram,
        error,
        found.names,
        found.labels.max(axis=1) + 1,
        np.array([entropy(row) for row in found.labels]),
        np.array([plain for plain, _ in shared]),
        np.array([corrected for _, corrected in shared]),
        math.nan if classes is None else entropy(classes),
    )


def _values(network: Network, data: Any, whole: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, float]:
    """Value of each input's map, by the affine branch of the first input with its pattern; and the mean of |f|^2."""
    values, energies, done = [], [], 0
    for batch in parts(network, data):
        own = first[whole[done : done + len(batch)]]
        chosen, place = np.unique(own, return_inverse=True)
        rows = torch.from_numpy(place)
        pieces = {index: part[rows] for index, part in _pieces(network, data, chosen).items()}
        with torch.no_grad():
            values.append(branch_value(network, pieces, batch).numpy())
            outputs = forward(network, batch).reshape(len(batch), -1)
        energies.append(float(outputs.square().sum()))
        done += len(batch)
    return np.concatenate(values), math.fsum(energies) / len(whole)


def _pieces(network: Network, data: Any, chosen: np.ndarray) -> dict[int, torch.Tensor]:
    """Pieces of each layer at some inputs."""
    rows = data[torch.from_numpy(chosen)] if isinstance(data, torch.Tensor) else np.asarray(data)[chosen]
    found: dict[int, list[torch.Tensor]] = {}
    for batch in parts(network, rows):
        for index, part in pieces_at(network, batch).items():
            found.setdefault(index, []).append(part)
    return {index: torch.cat(several) for index, several in found.items()}


def _classes(labels: Any, count: int) -> np.ndarray:
    given = np.asarray(labels)
    if given.shape != (count,):
        raise InvalidInputError(f"`labels`: got shape {given.shape}; expected ({count},), one for each input")
    classes: np.ndarray = np.unique(given, return_inverse=True)[1]
    return classes
