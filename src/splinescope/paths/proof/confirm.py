r"""Margins at all breakpoints of segments, by forward passes of the network that know nothing of how they were found.

Between two neighbouring breakpoints a margin is concave, so that it is nowhere less than at one of them; that none is
missing is what the certificate of the segments says. A forward pass is off by what a running bound says: with $e$ the
errors of the inputs of an affine op and $x$ these inputs as computed, those of its $n$-term sums are at most
$|W| (\gamma |x| + e) + \gamma |b|$ with $\gamma = (n + 2) u$; units that are off for certain pass none on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from splinescope.errors import CertificateError
from splinescope.network.evaluate import CHUNK_NUMBERS, walk
from splinescope.network.graph import Network, Node
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.branches.errors import UP
from splinescope.tessellation.segments import SegmentBatch

USABLE = 2.0**-20
"""Share of the largest output up to which a bound of its error says something; beyond, estimates are used."""

_MOST = 64
"""Breakpoints of a path, on average, at which running bounds are made beyond the nearest one."""


@dataclass(frozen=True, eq=False)
class Confirmed:
    """What forward passes say about margins on segments.

    Attributes:
        minimum: [S] least margin at the breakpoints.
        bound: [S] what margins are off at most, at the breakpoints that are nearest to zero.
        proved: [S] whether that is a bound; else it is an estimate, since bounds of so deep a network are of no use.
        leads: [S] whether the margin exceeds what it may be off at every breakpoint.
    """

    minimum: Float[np.ndarray, " S"]
    bound: Float[np.ndarray, " S"]
    proved: Bool[np.ndarray, " S"]
    leads: Bool[np.ndarray, " S"]


def confirmed_margins(
    network: Network, batch: SegmentBatch, targets: np.ndarray, claimed: np.ndarray, estimate: np.ndarray
) -> Confirmed:
    """Evaluate a network at all breakpoints of segments, and hold what was claimed against it.

    Args:
        network: The network.
        batch: Segments with their breakpoints.
        targets: [S] classes.
        claimed: [S] least margins that were found.
        estimate: [S] estimates of what margins are off.

    Returns:
        What was seen.

    Raises:
        CertificateError: If a margin at a breakpoint is less than the least one that was found, by more than both may
            be off, or if none is as small.
    """
    segment = batch.vertex_segments
    coordinates = np.column_stack([segment, batch.t])
    step = max(1, CHUNK_NUMBERS // (8 * max(node.size for node in network.nodes)))
    outputs, sizes = _walked(network, batch, coordinates, step)
    outputs = _competing(outputs)
    margin = _margins(outputs, targets[segment])
    minimum = np.minimum.reduceat(margin, batch.offsets[:-1])
    own = _of_margins(running_errors(network, sizes, _moved(batch, np.arange(len(batch)))), targets)
    largest = np.maximum.reduceat(np.abs(outputs).max(axis=1), batch.offsets[:-1])
    usable = own <= USABLE * np.maximum(largest, np.finfo(np.float64).tiny)
    bound = np.where(usable, own, estimate)[segment]
    # Where that is not enough, breakpoints get bounds of their own.
    near = np.flatnonzero(usable[segment] & (margin > 0) & (margin <= own[segment]))[: _MOST * len(batch)]
    for at in range(0, len(near), step):
        part = near[at : at + step]
        sizes = _sizes(network, batch.domain.embed(coordinates[part]))
        errors = running_errors(network, sizes, _moved(batch, segment[part]))
        bound[part] = np.minimum(bound[part], _of_margins(errors, targets[segment[part]]))
    leads = np.logical_and.reduceat(margin > bound, batch.offsets[:-1])
    off = np.maximum.reduceat(np.where(margin <= minimum[segment], bound, 0.0), batch.offsets[:-1])
    _hold(batch, claimed, minimum, np.fmax(off, 64 * estimate))
    return Confirmed(minimum, off, usable, leads)


def _hold(batch: SegmentBatch, claimed: np.ndarray, minimum: np.ndarray, off: np.ndarray) -> None:
    """Compare least margins with what was claimed of them."""
    whole = ~batch.truncated
    wrong = np.flatnonzero(~(np.abs(claimed - minimum) <= 2 * off) & whole)
    if len(wrong):
        worst = float(np.abs(claimed - minimum)[wrong].max())
        raise CertificateError(
            f"certificate check `margins` failed on {len(wrong)} paths ({', '.join(map(str, wrong[:5].tolist()))}): "
            f"the least margin at the breakpoints is another one than was found, by up to {worst:.1e}",
            cells=wrong,
        )


def _moved(batch: SegmentBatch, which: np.ndarray) -> Tensor:
    """[k, n] what inputs on some segments are off, for the rounding of their place and of themselves."""
    starts, ends = (np.abs(x.reshape(len(x), -1))[which] for x in (batch.domain.starts, batch.domain.ends))
    return torch.from_numpy(8 * UNIT_ROUNDOFF * (starts + ends))


def _of_margins(errors: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """[k] errors of margins from those of outputs [k, n_out]."""
    errors = _competing(errors)
    rows = np.arange(len(errors))
    own = errors[rows, targets]
    errors = errors.copy()
    errors[rows, targets] = 0.0
    return np.asarray(1.01 * (own + errors.max(axis=1)))


@dataclass(frozen=True, eq=False)
class Sizes:
    """How large a node is at some points, or at all points of some paths.

    Attributes:
        most: [k, n] largest values.
        least: [k, n] least values.
    """

    most: Tensor
    least: Tensor

    @property
    def size(self) -> Tensor:
        """[k, n] largest absolute values."""
        return torch.maximum(self.most, -self.least)


@torch.no_grad()
def _sizes(network: Network, inputs: np.ndarray) -> list[Sizes]:
    """Every node at some points."""
    found = []
    for _, value in walk(network, torch.from_numpy(np.ascontiguousarray(inputs))):
        flat = value.reshape(len(inputs), -1)
        found.append(Sizes(flat, flat))
    return found


@torch.no_grad()
def _walked(
    network: Network, batch: SegmentBatch, coordinates: np.ndarray, step: int
) -> tuple[np.ndarray, list[Sizes]]:
    """Outputs at all vertices, and every node on each segment."""
    shapes = [(len(batch), node.size) for node in network.nodes]
    most, least = ([np.full(shape, sign * np.inf) for shape in shapes] for sign in (-1.0, 1.0))
    parts = []
    for at in range(0, len(coordinates), step):
        rows = coordinates[at : at + step]
        which, first = np.unique(rows[:, 0].astype(np.int64), return_index=True)
        for index, value in walk(network, torch.from_numpy(np.ascontiguousarray(batch.domain.embed(rows)))):
            flat = value.reshape(len(rows), -1).numpy()
            most[index][which] = np.maximum(most[index][which], np.maximum.reduceat(flat, first, axis=0))
            least[index][which] = np.minimum(least[index][which], np.minimum.reduceat(flat, first, axis=0))
            if index == network.output:
                parts.append(flat.copy())
    sizes = [Sizes(torch.from_numpy(a), torch.from_numpy(b)) for a, b in zip(most, least, strict=True)]
    return np.concatenate(parts), sizes


def _competing(outputs: np.ndarray) -> np.ndarray:
    """Outputs that compete: one output is class 1 against the class 0, which is zero."""
    return np.concatenate([np.zeros_like(outputs), outputs], axis=1) if outputs.shape[1] == 1 else outputs


def _margins(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    rows = np.arange(len(outputs))
    others = outputs.copy()
    others[rows, targets] = -np.inf
    return np.asarray(outputs[rows, targets] - others.max(axis=1))


@torch.no_grad()
def running_errors(network: Network, sizes: list[Sizes], error: Tensor) -> Float[np.ndarray, "k n_out"]:
    """Bounds of the rounding errors of a forward pass.

    Args:
        network: The network.
        sizes: How large every node is, at each of some points or at all points of each of some paths.
        error: [k, n] what the inputs are off.

    Returns:
        [k, n_out] bounds; infinite where float64 has no number for them.
    """
    errors: list[Tensor] = []
    for node in network.nodes:
        sources = [(sizes[i], errors[i]) for i in node.inputs]
        errors.append(_through(network, node, sources) if sources else error)
    return errors[network.output].numpy()


def _through(network: Network, node: Node, sources: list[tuple[Sizes, Tensor]]) -> Tensor:
    """[k, n] errors of a node."""
    shapes = [network.nodes[i].shape for i in node.inputs]
    share = (node.op.addends + 1) * UNIT_ROUNDOFF if node.op.rounds else 0.0

    def shaped(parts: list[Tensor]) -> list[Tensor]:
        return [part.reshape(-1, *shape) for part, shape in zip(parts, shapes, strict=True)]

    e = sources[0][1]
    if node.affine is not None:
        out = node.op.carried(*shaped([(UP * UP) * (share * x.size + e) for x, e in sources])) / (UP * UP)
        if share:
            zeros = [torch.zeros(1, *shape, dtype=torch.float64) for shape in shapes]
            out = out + share * node.op.magnitude(*zeros)
    elif node.fold is not None and node.fold.clamps:
        out = torch.where(sources[0][0].most < -e, 0.0, e)
    else:
        out = node.op.carried(*shaped([e]))
        if share:
            out = out + 4 * UNIT_ROUNDOFF * node.op.magnitude(*shaped([sources[0][0].size]))
    return torch.nan_to_num(out.reshape(len(e), -1), nan=torch.inf, posinf=torch.inf)
