r"""One layer of a network, seen by its weights: the outputs are affine in them within a cell of parameter space.

With the other layers held fixed, output $k$ of sample $i$ changes by $\sum_p J_{ik,up} Z_{i,pq}\,\delta W_{uq}$, where
$z$ are the inputs of the layer at each place $p$ where it is applied (one for a dense layer, all patches of a
convolution), and $J = M_i D_i$ is the derivative of the outputs by the layer's value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from splinescope.errors import InvalidInputError
from splinescope.network import Network, Node
from splinescope.network.evaluate import CHUNK_NUMBERS
from splinescope.network.ops import Convolution, Dense, SharedDense, TransposedConvolution
from splinescope.network.ops.base import flat

Layer = Dense | SharedDense | Convolution | TransposedConvolution
"""Ops with weights."""


def layer_names(network: Network) -> tuple[str, ...]:
    """Names of the layers that have weights: dense ones and convolutions.

    Args:
        network: The network.

    Returns:
        Names, from the input to the output.

    Cost: nothing: it is a list of nodes.

    Example:
        >>> import splinescope, torch
        >>> layer_names(splinescope.load(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())))
        ('0',)
    """
    return tuple(node.name for node in network.nodes if isinstance(node.op, Layer))


def layer_node(network: Network, name: str) -> int:
    """The node of a layer with weights.

    Args:
        network: The network.
        name: Name of the layer in the original model; of a module that holds one layer, too.

    Returns:
        Index of the node.

    Raises:
        InvalidInputError: If there is no such layer, or it is applied several times.
    """
    named = [
        i for i, node in enumerate(network.nodes) if node.name == name or node.name.startswith((f"{name}:", f"{name}."))
    ]
    found = [i for i in named if isinstance(network.nodes[i].op, Layer)]
    known = ", ".join(map(repr, layer_names(network)))
    if not found:
        kinds = ", ".join(type(network.nodes[i].op).__name__ for i in named)
        what = f"{name!r} is {kinds}, without weights of its own" if named else f"there is no layer {name!r}"
        raise InvalidInputError(f"`layer_name`: {what}; expected a dense layer or a convolution: {known}")
    if len(found) > 1:
        raise InvalidInputError(
            f"`layer_name`: {name!r} stands for {len(found)} applications or layers, so that the outputs are not "
            f"affine in its weights or it is not one; expected one of {known} that is applied once"
        )
    return found[0]


def downstream(network: Network, name: str, x: Float[Tensor, "N ..."]) -> Float[Tensor, "N outputs units"]:
    r"""Derivatives of the outputs, before the head, by the value of any node: the map downstream of a layer.

    For a layer's pre-activations it is $M_i D_i$, for the activations behind them $M_i$.

    Args:
        network: The network.
        name: Name of the node.
        x: [N, *input_shape] inputs in float64.

    Returns:
        One matrix for each input, by flat outputs and flat values of the node.

    Raises:
        InvalidInputError: If there is no such node.

    Cost: a forward pass, and a backward pass for each output.

    Example:
        >>> import splinescope
        >>> net = splinescope.from_torch(torch.nn.Linear(2, 3), input_shape=(2,))
        >>> downstream(net, "input", torch.zeros(5, 2, dtype=torch.float64)).shape
        torch.Size([5, 3, 2])
    """
    node = next((i for i, node in enumerate(network.nodes) if node.name == name), None)
    if node is None:
        known = ", ".join(repr(node.name) for node in network.nodes)
        raise InvalidInputError(f"`name`: there is no node {name!r}; expected one of {known}")
    return torch.cat([flat_slopes(around(network, node, part).slopes) for part in x.split(chunk_rows(network))])


def flat_slopes(slopes: Float[Tensor, "N outputs ..."]) -> Float[Tensor, "N outputs units"]:
    """Slopes by flat values of a node."""
    return slopes.reshape(*slopes.shape[:2], -1)


def chunk_rows(network: Network) -> int:
    """Inputs whose slopes by a layer fit in some 256 MiB."""
    total = sum(node.size for node in network.nodes)
    return max(1, CHUNK_NUMBERS // ((2 + network.nodes[network.output].size) * total))


@dataclass(frozen=True, eq=False)
class Around:
    """What is before and behind a node, for some inputs.

    Attributes:
        argument: [N, ...] the value that the node reads.
        outputs: [N, n_out] outputs of the network.
        slopes: [N, n_out, *shape] their derivatives by the node's value.
    """

    argument: Float[Tensor, "N ..."]
    outputs: Float[Tensor, "N outputs"]
    slopes: Float[Tensor, "N outputs ..."]


def around(network: Network, node: int, x: Float[Tensor, "N ..."]) -> Around:
    """Evaluate a network at some inputs, and differentiate its outputs by the value of a node.

    On a fold the derivative is that of the piece which a pattern names, as torch has it for ReLU and max-pooling.

    Args:
        network: The network.
        node: Index of the node.
        x: [N, *input_shape] inputs in float64.

    Returns:
        What was found.
    """
    values: dict[int, Tensor] = {0: x}
    with torch.enable_grad():
        if node == 0:
            values[0] = leaf = x.detach().clone().requires_grad_(True)
        for index in range(1, network.output + 1):
            inputs = network.nodes[index].inputs
            values[index] = _on_piece(network.nodes[index], *(values[source] for source in inputs))
            if index == node:
                values[node] = leaf = values[node].detach().clone().requires_grad_(True)
        outputs = flat(values[network.output])
        slopes = [_gradient(outputs[:, k].sum(), leaf) for k in range(outputs.shape[1])]
    source = network.nodes[node].inputs[0] if node else 0
    return Around(values[source].detach(), outputs.detach(), torch.stack(slopes, dim=1))


def _on_piece(node: Node, *inputs: Tensor) -> Tensor:
    """The value of a node, along whose piece autograd goes."""
    if node.fold is None or not inputs[0].requires_grad:
        return node.op.evaluate(*inputs)
    (x,) = inputs
    pieces = node.fold.pieces(x).reshape(len(x), -1)
    return node.fold.on_pieces(pieces, x).reshape(len(x), *node.shape)


def _gradient(total: Tensor, leaf: Tensor) -> Tensor:
    if not total.requires_grad:
        return torch.zeros_like(leaf)
    (gradient,) = torch.autograd.grad(total, leaf, retain_graph=True, allow_unused=True)
    return torch.zeros_like(leaf) if gradient is None else gradient


@dataclass(frozen=True, eq=False)
class Factors:
    r"""Derivatives of the outputs by the weights of a layer, as sums of products over places.

    The derivative of output k of sample n by the weight (g, u, q) is $\sum_p$ slopes[n,k,g,u,p] features[n,g,p,q].

    Attributes:
        slopes: [N, outputs, groups, u, places].
        features: [N, groups, places, q].
        offsets: [N, outputs, biases] derivatives by the biases; None without.
        transposed: Whether the weights are laid out (g, q, u), as those of transposed convolutions.
    """

    slopes: Float[Tensor, "N outputs groups u places"]
    features: Float[Tensor, "N groups places q"]
    offsets: Float[Tensor, "N outputs biases"] | None
    transposed: bool = False

    @property
    def rows(self) -> int:
        """Number of derivatives, those of all outputs of all samples."""
        return self.slopes.shape[0] * self.slopes.shape[1]

    @property
    def weights(self) -> int:
        """Number of weights, without biases."""
        return math.prod(self.slopes.shape[2:4]) * self.features.shape[3]

    def under(self, roots: Float[Tensor, "N outputs outputs"]) -> Factors:
        """Linear combinations of the outputs of each sample: the derivatives of $L^T f$."""
        slopes = torch.einsum("nkj,nk...->nj...", roots, self.slopes)
        offsets = None if self.offsets is None else torch.einsum("nkj,nkb->njb", roots, self.offsets)
        return Factors(slopes, self.features, offsets, self.transposed)

    def along(self, vectors: Float[Tensor, "P m"]) -> Float[Tensor, "rows m"]:
        """Derivatives of the outputs along directions of the parameters."""
        n, k, g, u, p = self.slopes.shape
        q, m = self.features.shape[3], vectors.shape[1]
        grid = vectors[: self.weights]
        matrix = grid.reshape(g, q, u, m).transpose(1, 2) if self.transposed else grid.reshape(g, u, q, m)
        values = torch.einsum("ngpq,guqm->ngupm", self.features, matrix)
        out = self.slopes.reshape(n, k, g * u * p) @ values.reshape(n, g * u * p, m)
        if self.offsets is not None:
            out = out + self.offsets @ vectors[self.weights :]
        return out.reshape(n * k, m)

    def back(self, rows: Float[Tensor, "rows m"]) -> Float[Tensor, "P m"]:
        """The transpose of `along`."""
        n, k, g, u, p = self.slopes.shape
        m = rows.shape[1]
        weights = rows.reshape(n, k, m)
        values = (self.slopes.reshape(n, k, -1).transpose(1, 2) @ weights).reshape(n, g, u, p, m)
        matrix = torch.einsum("ngupm,ngpq->guqm", values, self.features)
        matrix = matrix.transpose(1, 2) if self.transposed else matrix
        parts = [matrix.reshape(self.weights, m)]
        if self.offsets is not None:
            parts.append(torch.einsum("nkb,nkm->bm", self.offsets, weights))
        return torch.cat(parts)

    def matrix(self) -> Float[Tensor, "rows P"]:
        """All derivatives, written down."""
        n, k = self.slopes.shape[:2]
        product = torch.einsum("nkgup,ngpq->nkguq", self.slopes, self.features)
        product = product.transpose(3, 4) if self.transposed else product
        parts = [product.reshape(n * k, self.weights)]
        if self.offsets is not None:
            parts.append(self.offsets.reshape(n * k, -1))
        return torch.cat(parts, dim=1)

    def gram(self, other: Factors) -> Float[Tensor, "rows other_rows"]:
        """Inner products of derivatives with those of other samples; of dense layers by products of both factors."""
        n, k, g, u, p = self.slopes.shape
        if g == p == 1:
            slopes, others = (f.slopes.reshape(f.rows, u) for f in (self, other))
            inner = self.features[:, 0, 0] @ other.features[:, 0, 0].T
            found = (slopes @ others.T).reshape(n, k, -1, k) * inner[:, None, :, None]
            found = found.reshape(n * k, -1)
        else:
            found = self.slopes.new_zeros(self.rows, other.rows)
            step = max(1, CHUNK_NUMBERS // (max(self.rows, other.rows) * g * self.features.shape[3]))
            for start in range(0, u, step):
                one = self._products(start, start + step)
                found += one @ (one if other is self else other._products(start, start + step)).T
        if self.offsets is not None and other.offsets is not None:
            found += self.offsets.reshape(n * k, -1) @ other.offsets.reshape(other.rows, -1).T
        return found

    def _products(self, start: int, stop: int) -> Float[Tensor, "rows some"]:
        """Derivatives by some of the weights."""
        return torch.einsum("nkgup,ngpq->nkguq", self.slopes[:, :, :, start:stop], self.features).reshape(self.rows, -1)

    def squares(self) -> Float[Tensor, " P"]:
        """Sum over rows of the squares of each parameter's derivatives."""
        if self.slopes.shape[4] == 1:
            inner = torch.einsum("nkgu,ngq->guq", self.slopes[..., 0].square(), self.features[:, :, 0].square())
            inner = inner.transpose(1, 2) if self.transposed else inner
            parts = [inner.reshape(-1)]
            if self.offsets is not None:
                parts.append(self.offsets.square().sum(dim=(0, 1)))
            return torch.cat(parts)
        return self.matrix().square().sum(dim=0)


def factors_of(op: Layer, found: Around, *, bias: bool) -> Factors:
    """Derivatives of the outputs by the weights of a layer.

    Args:
        op: The layer.
        found: What is around it.
        bias: Whether the biases are parameters, too.

    Returns:
        The factors.
    """
    x, slopes = found.argument, found.slopes
    n, k = slopes.shape[:2]
    if isinstance(op, Dense):
        offsets = slopes.reshape(n, k, -1) if bias else None
        return Factors(slopes.reshape(n, k, 1, -1, 1), flat(x).reshape(n, 1, 1, -1), offsets)
    if isinstance(op, SharedDense):
        places = slopes.reshape(n, k, 1, -1, slopes.shape[-1]).transpose(3, 4)
        return Factors(places, x.reshape(n, 1, -1, x.shape[-1]), places.sum(dim=(2, 4)) if bias else None)
    g, d = op.groups, op.weight.ndim - 2
    biases = slopes.flatten(3).sum(dim=3) if bias else None
    if isinstance(op, Convolution):
        features = patches(x, op.weight.shape[2:], op.stride, op.padding, op.dilation)
        features = features.reshape(n, g, -1, *features.shape[2:]).movedim(3, 2).flatten(3)
        return Factors(slopes.reshape(n, k, g, slopes.shape[2] // g, -1), features, biases)
    grown = patches(slopes.reshape(n * k, *slopes.shape[2:]), op.weight.shape[2:], op.stride, op.crop, op.dilation)
    grown = grown.reshape(n, k, g, -1, *grown.shape[2:]).transpose(4, 5).flatten(3, 4)
    assert d == x.ndim - 2
    return Factors(grown, x.reshape(n, g, x.shape[1] // g, -1).transpose(2, 3), biases, transposed=True)


def patches(
    x: Float[Tensor, "N channels *sizes"],
    kernel: tuple[int, ...] | torch.Size,
    stride: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
) -> Float[Tensor, "N channels places taps"]:
    """What a kernel sees at each of its places, in any number of dimensions.

    Args:
        x: Images.
        kernel: Size of the kernel.
        stride: Its steps.
        padding: Zeros before and after along each dimension; negative ones are cut off.
        dilation: Steps between its taps.

    Returns:
        Patches.
    """
    d = len(kernel)
    windows = functional.pad(x, [number for pair in reversed(padding) for number in pair])
    for axis in range(d):
        windows = windows.unfold(2 + axis, (kernel[axis] - 1) * dilation[axis] + 1, stride[axis])[
            ..., :: dilation[axis]
        ]
    return windows.flatten(2 + d).flatten(2, 1 + d)


def factors_in_parts(
    network: Network, node: int, x: Float[Tensor, "N ..."], *, bias: bool
) -> Iterator[tuple[Factors, Tensor]]:
    """The factors of a layer and the outputs, for some inputs after the other.

    Args:
        network: The network.
        node: Index of the layer's node.
        x: [N, *input_shape] inputs.
        bias: Whether the biases are parameters, too.

    Yields:
        Factors and outputs of the next inputs.
    """
    op = network.nodes[node].op
    assert isinstance(op, Layer)
    for part in x.split(chunk_rows(network)):
        found = around(network, node, part)
        yield factors_of(op, found, bias=bias), found.outputs
