r"""How the shape of data changes from layer to layer.

A network is continuous, so that it cannot tear a connected set: whatever looks disconnected is a large stretch, seen at
a scale. Components are therefore given at all scales, and beside them how much each edge of the input's spanning tree
is stretched.

Sources: Naitzat, Zhitnikov, Lim, "Topology of deep neural networks" (2020); Hauser, Ray, "Principles of Riemannian
geometry in neural networks" (NeurIPS 2017), figure 4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from splinescope.errors import InvalidInputError
from splinescope.network.layer_values import Layers
from splinescope.progress import each
from splinescope.shown import Shown
from splinescope.tessellation.metric import check_choice
from splinescope.topology.clouds import CloudTopology, farthest_points, hop_distances, persistence, spanning_tree

DISTANCES = ("euclidean", "hops")


@dataclass(frozen=True, eq=False)
class BettiProfile(Shown):
    """Topology of each class of data at each layer.

    Attributes:
        layers: Names of the layers; the input first, the output last.
        classes: Labels of the classes; one class 0 where there are no labels.
        clouds: [layers][classes] what each cloud is connected like; by hops the landmarks alone, with steps as lengths.
        stretches: [layers][classes] for each edge of the class's spanning tree at the input, its length at the layer
            divided by that at the input.
        distances: What `diagrams` of the clouds are made of: "euclidean" or "hops".
        asked: Number of layers; there are fewer in `layers` if somebody interrupted.
    """

    layers: tuple[str, ...]
    classes: tuple[int, ...]
    clouds: tuple[tuple[CloudTopology, ...], ...]
    stretches: tuple[tuple[np.ndarray, ...], ...]
    distances: str
    asked: int

    @property
    def finished(self) -> bool:
        """Whether all layers are there, since nobody interrupted."""
        return len(self.layers) == self.asked

    def components(self, factor: float = 4.0) -> Int[np.ndarray, "layers classes"]:
        """Components of each class at each layer, at a scale that follows the density of its points.

        Args:
            factor: The scale, as a multiple of the median distance of a point from its nearest neighbour there.

        Returns:
            [layers, classes] numbers.
        """
        return np.array([[cloud.components(factor * cloud.unit) for cloud in row] for row in self.clouds])

    def betti(self, factor: float = 4.0) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """Betti numbers of each class at each layer, at the same scales; by hops, these are numbers of steps.

        Args:
            factor: As in `components`.

        Returns:
            [layers][classes] tuples, as long as degrees were computed.
        """
        return tuple(tuple(cloud.betti(factor * cloud.unit) for cloud in row) for row in self.clouds)

    @property
    def largest_stretches(self) -> Float[np.ndarray, "layers classes"]:
        """The largest stretch of an edge of each class's spanning tree at the input, at each layer."""
        return np.array([[edges.max(initial=0.0) for edges in row] for row in self.stretches])


def betti_profile(
    model: Any,
    data: Any,
    labels: Any = None,
    *,
    degree: int = 0,
    landmarks: int = 400,
    distances: str = "euclidean",
    neighbours: int = 14,
    progress: bool = False,
) -> BettiProfile:
    """Components of data at every layer over all scales, exactly; holes and more by persistent homology.

    Args:
        model: A `torch.nn.Sequential`, whose parts are the layers; or a network, a module or file of one; or any other
            module, whose layers are the parts that everything passes through.
        data: [n, *shape] points.
        labels: [n] classes, each of which is a cloud of its own; None for one cloud.
        degree: Largest degree of homology. Zero needs a minimum spanning tree only; more needs the package `ripser`.
        landmarks: Points of each class of which homology of degree one and more is taken: as far apart as possible at
            the input.
        distances: "euclidean", or "hops" for steps in the graph of nearest neighbours of the landmarks, which do not
            change when all is stretched alike; needs a degree of one or more.
        neighbours: Of that graph.
        progress: Whether to show a bar on long work.

    Returns:
        The profile; interrupting (Ctrl-C) leaves the layers that are finished, if there are any.

    Raises:
        InvalidInputError: If an argument is none of what is expected, or homology would take more memory than is free.
        MissingDependencyError: If `ripser` is needed and not installed.

    Cost: one forward pass, and for each layer and class the square of the number of points; persistent homology grows
    like the third power of the number of landmarks.

    Example:
        >>> import torch
        >>> two = np.concatenate([np.linspace(0, 1, 50), np.linspace(3, 4, 50)])[:, None]
        >>> found = betti_profile(torch.nn.Sequential(torch.nn.Identity()), two)
        >>> found.layers, found.components().ravel().tolist()
        (('input', '0'), [2, 2])
    """
    check_choice("distances", distances, DISTANCES)
    if degree < (distances == "hops"):
        raise InvalidInputError(f"`degree`: got {degree}; expected at least {int(distances == 'hops')}")
    if landmarks < 1:
        raise InvalidInputError(f"`landmarks`: got {landmarks}; expected at least one")
    layers = Layers.of(model, data)
    if not len(layers.points):
        raise InvalidInputError("`data`: got no points; expected at least one")
    values = layers.values()
    groups = _groups(labels, len(values[0]))
    chosen = [own[farthest_points(values[0][own], landmarks)] for own in groups.values()] if degree else []
    clouds: list[tuple[CloudTopology, ...]] = []
    stretches: list[tuple[np.ndarray, ...]] = []
    first = [spanning_tree(values[0][own]) for own in groups.values()]
    try:
        for points in each(values, "layer", progress):
            row = [spanning_tree(points[own]) for own in groups.values()]
            grown = zip(groups.values(), first, strict=True)
            longer = tuple(_stretch(points[own], values[0][own], tree) for own, tree in grown)
            if degree:
                row = [
                    _with_homology(cloud, points, own, degree, distances, neighbours)
                    for cloud, own in zip(row, chosen, strict=True)
                ]
            clouds.append(tuple(row))
            stretches.append(longer)
    except KeyboardInterrupt:
        if not stretches:
            raise
    known = len(stretches)
    return BettiProfile(
        layers.names[:known], tuple(groups), tuple(clouds[:known]), tuple(stretches), distances, len(values)
    )


def _groups(labels: Any, number: int) -> dict[int, np.ndarray]:
    """Points of each class."""
    given = np.zeros(number, np.int64) if labels is None else np.asarray(labels)
    if given.shape != (number,):
        raise InvalidInputError(f"`labels`: got shape {given.shape}; expected one class for each of {number} points")
    if given.dtype.kind not in "biuf" or not (np.isfinite(given) & (given == np.floor(given))).all():
        raise InvalidInputError("`labels`: got what are no whole numbers; expected the class of each point as one")
    return {int(label): np.flatnonzero(given == label) for label in np.unique(given)}


def _stretch(points: np.ndarray, before: np.ndarray, tree: CloudTopology) -> np.ndarray:
    """By how much edges of a tree are longer than they were; of points that coincide 1."""
    one, two = tree.tree.T
    lengths = np.linalg.norm(points[one] - points[two], axis=1)
    old = np.linalg.norm(before[one] - before[two], axis=1)
    return np.where(old > 0, lengths / np.where(old > 0, old, 1.0), 1.0)


def _with_homology(
    cloud: CloudTopology, points: np.ndarray, chosen: np.ndarray, degree: int, distances: str, neighbours: int
) -> CloudTopology:
    """The same with persistent homology of landmarks."""
    own = points[chosen]
    if distances == "hops":
        between = hop_distances(own, min(neighbours, len(own) - 1))
        cloud = spanning_tree(distances=between)
    else:
        between = np.linalg.norm(own[:, None] - own[None], axis=2)
    return replace(cloud, diagrams=persistence(between, degree), landmarks=chosen)
