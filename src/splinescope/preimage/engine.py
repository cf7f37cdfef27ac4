"""One verb: the exact preimage of a set of outputs through any network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np
import torch

from splinescope.errors import InvalidInputError, StoreError
from splinescope.network.graph import Network, Node
from splinescope.network.load import ModelLike
from splinescope.network.ops import Dense, Input, PiecewiseAffine
from splinescope.preimage.boxes import Boxes, part_of
from splinescope.preimage.branch_and_bound import BoxOpener, Budget, PreimageSearch, Searched
from splinescope.preimage.merging import merged, without_faces
from splinescope.preimage.parts import WITH_VERTICES, PreimagePart, pieces_of
from splinescope.preimage.piece import Piece
from splinescope.preimage.preimage import Preimage
from splinescope.preimage.pruning import NEVER
from splinescope.preimage.targets.marks import Marks, marks
from splinescope.preimage.targets.sets import ClassTarget, Target
from splinescope.progress import reporting
from splinescope.storage import fingerprint
from splinescope.tessellation.arguments import question
from splinescope.tessellation.domains import Box, Domain
from splinescope.tessellation.files import network_fingerprint


def preimage_of(
    network: ModelLike,
    target: Target,
    domain: Domain,
    *,
    max_cells: int | None = None,
    time_limit: float | None = None,
    resume: Preimage | None = None,
    executor: Executor | None = None,
    verify: str = "values",
    progress: bool | Callable[[float, int], None] = False,
) -> Preimage:
    r"""All inputs of a domain that a network maps into a set of outputs, as polytopes.

    The target's half-spaces are put behind the network as units, so that its cells are cut there, exactly. Up to five
    dimensions cells have vertices and exact volumes; after each layer those go on which sound bounds of what comes
    exclude the target, before they are cut by the next one. So the cost grows with the preimage and not with the
    domain. Above that cells are found by linear programs. Where there are too many cells at once, the box around the
    domain is halved; boxes that bounds exclude go, and the parts of a piece in several boxes are put together again.

    Args:
        network: A continuous piecewise affine network; or a module or the path of a file, which is imported.
        target: A `ClassTarget`, `PolytopeTarget`, `BoxTarget`, `PointTarget`, a union, or what `read_vnnlib` gives; of
            outputs before the network's head.
        domain: A box, slice or segment of inputs, in their shape or flat.
        max_cells: Stop after so many cells.
        time_limit: Stop after so many seconds of work; the compilation of kernels is not counted.
        resume: What an earlier call with the same network, target and domain found; what it left is explored. It may
            come from a file.
        executor: Who opens boxes, any `concurrent.futures.Executor`, such as one of processes; None for here. The
            domain is cut into several boxes then, and pieces are those that one box would have, up to rounding.
        verify: Level of the certificate of the cells, as for `tessellate`.
        progress: Show a progress bar on long work, or a function of (share of the boxes done, pieces found).

    Returns:
        The preimage. If a limit was met, or it was interrupted, it is not `complete`: it has what was found, the boxes
        that are left, and bounds of its volume.

    Raises:
        InvalidInputError: If target, domain and network do not fit, or an option is out of range.
        UnsupportedOpError: If the network is not piecewise affine.

    Cost: bounds of each box, a forward pass with `d + 2` rows; see `tessellate` and `region_graph` for the cells.

    Example:
        The absolute value is at most 0.5 on one half of [-1, 1]:

        >>> import splinescope, torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(1, 2, bias=False), torch.nn.ReLU(), torch.nn.Linear(2, 1))
        >>> for p, v in zip(net.parameters(), ([[1.0], [-1.0]], [[1.0, 1.0]], [0.0]), strict=True):
        ...     p.data = torch.tensor(v)
        >>> from splinescope.preimage import PolytopeTarget
        >>> found = preimage_of(net, PolytopeTarget([[1.0]], [0.5]), splinescope.Box([-1.0], [1.0]))
        >>> len(found), found.complete, found.volume, found.contains([[0.4], [0.6]]).tolist()
        (2, True, 1.0, [True, False])
    """
    if not isinstance(target, Target):
        raise InvalidInputError(f"`target`: got {type(target).__name__}; expected a target, such as ClassTarget(0)")
    asked = question(network, domain, verify, max_cells)
    if time_limit is not None and not 0 < time_limit < math.inf:
        raise InvalidInputError(f"`time_limit`: got {time_limit}; expected a positive number of seconds or None")
    marked = marks(asked.network, target)
    boxes = Boxes.around(asked.domain) if resume is None else _resumed(resume, asked.network, target, asked.domain)
    if time_limit is not None:
        _compile(asked.domain.dimension)
    with reporting(progress) as report:
        opener = BoxOpener(asked.network, marked, asked.domain, verify)
        found = PreimageSearch(opener, Budget(max_cells, time_limit), report, executor).run(boxes)
    if resume is not None:
        found = _with_former(found, resume)
    return _result(asked.network, target, asked.domain, found, marked)


def _result(network: Network, target: Target, domain: Domain, found: Searched, marked: Marks) -> Preimage:
    parts = found.parts if len(found.left) else merged(found.parts)
    parts = without_faces(parts)
    d, outputs = domain.dimension, marked.outputs
    units = sum(node.units for node in network.nodes)
    measures = np.array(
        [_measure(domain, low, high) for low, high in zip(found.left.low, found.left.high, strict=True)]
    )
    return Preimage(
        network=network,
        domain=domain,
        target=target,
        halfspaces=np.concatenate([np.empty((0, d + 1)), *(part.halfspaces for part in parts)]),
        halfspace_offsets=np.cumsum([0, *(len(part.halfspaces) for part in parts)]),
        equalities=np.concatenate([np.empty((0, d + 1)), *(part.equalities for part in parts)]),
        equality_offsets=np.cumsum([0, *(len(part.equalities) for part in parts)]),
        patterns=_stacked([part.pattern for part in parts], (units,), np.uint8),
        slopes=_stacked([part.A for part in parts], (outputs, d)),
        constants=_stacked([part.c for part in parts], (outputs,)),
        witnesses=_stacked([part.witness for part in parts], (d,)),
        radii=np.array([part.radius for part in parts], np.float64),
        measures=np.array([part.measure for part in parts], np.float64),
        left=found.left,
        left_measures=measures,
        cells=found.cells,
        boxes=found.boxes,
        way="vertices" if 1 < d <= WITH_VERTICES else "programs",
        unmeasured=found.unmeasured,
        parts=tuple(found.parts) if len(found.left) else (),
    )


def _stacked(rows: Sequence[np.ndarray], shape: tuple[int, ...], kind: type = np.float64) -> np.ndarray:
    return np.stack(rows) if rows else np.empty((0, *shape), kind)


def _measure(domain: Domain, low: np.ndarray, high: np.ndarray) -> float:
    """Measure of the part of a domain in a box."""
    if isinstance(domain, Box):
        return float(np.prod(high - low))
    part = part_of(domain, low, high)
    return 0.0 if part is None else part.measure


def _resumed(former: Preimage, network: Network, target: Target, domain: Domain) -> Boxes:
    """What is left of a preimage, which must be one of the same network, target and domain, to the last bit."""
    asked = (("network", former.network, network), ("target", former.target, target), ("domain", former.domain, domain))
    for name, one, other in asked:
        if one is not other and _print_of(name, one) != _print_of(name, other):
            raise InvalidInputError(f"`resume`: it is a preimage of another {name}; expected the same one")
    return former.left


def _print_of(name: str, value: Any) -> str:
    """A hash of a network, target or domain; of those with parts of the user's own what is known of them."""
    try:
        return network_fingerprint(value) if isinstance(value, Network) else fingerprint(value, name)
    except (StoreError, TypeError):
        return f"{type(value).__qualname__} {getattr(value, 'num_units', '')}"


def _with_former(found: Searched, former: Preimage) -> Searched:
    """What was found now and before."""
    parts = former.parts or tuple(_as_part(piece) for piece in former)
    unmeasured = (former.unmeasured[0] + found.unmeasured[0], former.unmeasured[1] + found.unmeasured[1])
    return Searched(
        (*parts, *found.parts), found.left, former.cells + found.cells, former.boxes + found.boxes, unmeasured
    )


def _as_part(piece: Piece) -> PreimagePart:
    """A piece from a file, as its own part: the cuts of its box are no longer known, and it stays within them."""
    return PreimagePart(
        key=(b"", piece.number),
        halfspaces=piece.halfspaces,
        equalities=piece.equalities,
        pattern=piece.pattern,
        A=piece.A,
        c=piece.c,
        witness=piece.witness,
        radius=float(piece.preimage.radii[piece.number]),
        measure=piece.measure,
        cuts=np.empty((0, piece.halfspaces.shape[1])),
    )


def _compile(dimension: int) -> None:
    """Compile the kernels for a dimension, so that limits of time count work alone."""
    identity = Dense(torch.eye(dimension, dtype=torch.float64), torch.zeros(dimension, dtype=torch.float64))
    zero, one = torch.zeros(1, dtype=torch.float64), torch.tensor([0.0, 1.0], dtype=torch.float64)
    relu = PiecewiseAffine(breakpoints=zero, slopes=one, intercepts=torch.zeros(2, dtype=torch.float64))
    shape = (dimension,)
    nodes = (Node("x", Input(), (), shape), Node("W", identity, (0,), shape), Node("relu", relu, (1,), shape))
    few = Network(nodes=nodes[:1] + nodes[1:], output=2)
    box = Box(-np.ones(dimension), np.append(1.0, np.full(dimension - 1, -0.5)))
    marked = marks(few, ClassTarget(0))
    pieces_of(few, marked, box, np.empty((0, dimension + 1)), most=NEVER, deadline=NEVER, verify="values")
