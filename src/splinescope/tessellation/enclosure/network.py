"""Enclosures of the nodes of a network, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from splinescope.network.evaluate import last_uses
from splinescope.network.graph import Network
from splinescope.network.ops import Dense
from splinescope.tessellation.enclosure.bounds import AffineBounds
from splinescope.tessellation.enclosure.relaxations import Linear, Relaxation, relaxation


class Enclosure:
    """Encloses the nodes of a network over domains.

    Costs a forward pass for each corner, each direction and each radius, all domains in one batch: boxes of d
    dimensions take d + 2 of them each, polytopes two for each corner. Memory is that of as many forward passes.

    Args:
        network: The network; its type is that of the bounds.

    Example:
        The function abs(x) - 0.5 takes values from -0.5 to 0.5 on [-1, 1], and is affine on [0.25, 1]:

        >>> import numpy as np, splinescope, torch
        >>> from splinescope.tessellation.enclosure import over_boxes
        >>> net = torch.nn.Sequential(torch.nn.Linear(1, 2, bias=False), torch.nn.ReLU(), torch.nn.Linear(2, 1))
        >>> for p, v in zip(net.parameters(), ([[1.0], [-1.0]], [[1.0, 1.0]], [-0.5]), strict=True):
        ...     p.data = torch.tensor(v)
        >>> bounds = Enclosure(splinescope.load(net))(over_boxes(np.array([[-1.0], [0.25]]), np.array([[1.0], [1.0]])))
        >>> low, high = bounds.ends()
        >>> low.flatten().numpy().round(9).tolist(), high.flatten().numpy().round(9).tolist()
        ([-0.5, -0.25], [0.5, 0.5])
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._last = last_uses(network)
        self._maps: dict[int, Relaxation] = {}
        for index, node in enumerate(network.nodes):
            if node.inputs:
                shapes = [network.nodes[source].shape for source in node.inputs]
                self._maps[index] = relaxation(node, shapes)

    def __call__(self, inputs: AffineBounds) -> AffineBounds:
        """Enclose the outputs.

        Args:
            inputs: The inputs of all domains: see `over_boxes`, `over_segments` and `over_polytopes`.

        Returns:
            Enclosures of the outputs.
        """
        return self.node(self._network.output, {0: inputs})

    def combined(
        self, inputs: AffineBounds, weights: Float[np.ndarray, "k outputs"], offsets: Float[np.ndarray, " k"]
    ) -> AffineBounds:
        """Enclose combinations of the outputs, tighter than from enclosures of these: a last dense layer is merged.

        Args:
            inputs: The inputs of all domains.
            weights: Factors of the outputs.
            offsets: What is added.

        Returns:
            Enclosures of the k combinations; `halves` takes them to cut boxes where these depend on them.
        """
        mix = Dense(
            torch.from_numpy(np.asarray(weights, np.float64)), torch.from_numpy(np.asarray(offsets, np.float64))
        )
        combine = Linear(mix, [(mix.weight.shape[1],)])
        last = self._network.nodes[self._network.output]
        matrix = None if last.affine is None else last.affine.matrix
        if matrix is None:
            return combine(self(inputs))
        # The last layer's own rounding passes through the combination; the radius before it passes through the product.
        before = self.node(last.inputs[0], {0: inputs})
        exact = combine(self._maps[self._network.output](replace(before, radius=torch.zeros_like(before.radius))))
        factors = (mix.weight @ matrix).abs()
        doubt = (sum(matrix.shape) + 8) * inputs.roundoff
        factors += 2 * doubt * (mix.weight.abs() @ matrix.abs())
        return replace(exact, radius=(1 + 2 * doubt) * (exact.radius + before.radius @ factors.T))

    def node(self, wanted: int, known: Mapping[int, AffineBounds]) -> AffineBounds:
        """Enclose one node, from what is known of others.

        Args:
            wanted: Index of the node.
            known: Enclosures of nodes: of the input, or of all earlier ones that what comes after them reads.

        Returns:
            Enclosures of the node.
        """
        for index, bounds in self.walk(known):
            if index == wanted:
                return bounds
        return known[wanted]

    @torch.no_grad()
    def walk(self, known: Mapping[int, AffineBounds]) -> Iterator[tuple[int, AffineBounds]]:
        """Enclose node by node, from some nodes on; those that no later one needs are forgotten.

        Args:
            known: Enclosures of nodes: of the input, or of all earlier ones that what comes after them reads.

        Yields:
            Index and enclosures of each node that was not known, up to the output.
        """
        found = dict(known)
        for index in range(min(known) + 1, self._network.output + 1):
            sources = self._network.nodes[index].inputs
            if index in found or any(source not in found for source in sources):
                continue
            found[index] = self._maps[index](*(found[source] for source in sources))
            yield index, found[index]
            for source in {index, *sources}:
                if self._last[source] <= index:
                    found.pop(source, None)
