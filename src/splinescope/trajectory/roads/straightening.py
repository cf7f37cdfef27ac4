"""How straight the images of segments are, layer by layer, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from splinescope.network.evaluate import forward
from splinescope.network.load import ModelLike, as_network
from splinescope.shown import Shown
from splinescope.tessellation.segments import tessellate_segments
from splinescope.trajectory.roads.trajectories import parts_between


@dataclass(frozen=True, eq=False)
class Straightening(Shown):
    """Images of segments after each place.

    Attributes:
        names: [L + 1] names of the places, the input first.
        arcs: [S, L + 1] length of the image of each segment, a broken line.
        chords: [S, L + 1] distance of its ends.
    """

    names: tuple[str, ...]
    arcs: Float[np.ndarray, "S L"]
    chords: Float[np.ndarray, "S L"]

    @property
    def straightness(self) -> Float[np.ndarray, "S L"]:
        """[S, L + 1] chord by arc, 1 for a straight image; NaN where the image is one point."""
        with np.errstate(invalid="ignore"):
            return self.chords / self.arcs


def straightening(
    network: ModelLike, starts: Any, ends: Any, places: Sequence[int | str] | None = None
) -> Straightening:
    """Measure the images of straight segments, such as those between inputs of one class, after each layer.

    The image of a segment is a broken line whose corners are at breakpoints of the network, so that its length is a
    finite sum: nothing is sampled. A network that straightens a class makes the ratio of chord and arc grow.

    Args:
        network: A network, a module, or the path of a file.
        starts: [S, *input_shape] starts.
        ends: [S, *input_shape] ends.
        places: As in `trajectories`.

    Returns:
        Arcs and chords. Cost: the cells of all segments, and a forward pass at their ends.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
        >>> found = straightening(net, [[0.0, 0.0]], [[1.0, 1.0]])
        >>> found.names, round(float(found.straightness[0, 0]), 12)
        (('input', '1'), 1.0)
    """
    network = as_network(network, tuple(np.shape(starts)[1:]))
    cells = tessellate_segments(network, starts, ends)
    segment = np.repeat(np.arange(len(cells)), np.diff(cells.offsets))
    a, b = (np.asarray(side).reshape(len(cells), -1) for side in (cells.domain.starts, cells.domain.ends))
    t = cells.t[:, None]
    points = (1 - t) * a[segment] + t * b[segment]
    value = torch.from_numpy(points).reshape(len(points), *network.input_shape)
    names, arcs, chords = [], [], []
    for part in (None, *parts_between(network, places)):
        with torch.no_grad():
            value = value if part is None else forward(part, value)
        names.append(network.nodes[0].name if part is None else part.nodes[part.output].name)
        flat = value.reshape(len(value), -1).numpy()
        pieces = np.linalg.norm(np.diff(flat, axis=0), axis=1)
        within = segment[1:] == segment[:-1]
        arcs.append(np.bincount(segment[1:][within], pieces[within], len(cells)))
        chords.append(np.linalg.norm(flat[cells.offsets[1:] - 1] - flat[cells.offsets[:-1]], axis=1))
    return Straightening(tuple(names), np.stack(arcs, axis=1), np.stack(chords, axis=1))
