"""Local complexity: one function for all networks and all three ways to count."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import Tensor

from splinescope.complexity.local.modules import cuts_by_tangents, cuts_by_vertices, home_of
from splinescope.complexity.local.neighbourhoods import frame_for
from splinescope.complexity.local.result import Counter, LocalComplexity
from splinescope.complexity.local.sections import SectionCounter
from splinescope.complexity.local.vertices import FrameWalk
from splinescope.errors import InvalidInputError
from splinescope.network import Network, as_network
from splinescope.network.copies import placed
from splinescope.progress import counting
from splinescope.tessellation.branches.tangents import BLOCK, TangentWalk
from splinescope.tessellation.metric import check_choice

MEMORY = 1 << 25
"""Bytes that a chunk of points may take by default; more is not quicker."""

CHECKED = 4096
"""Points that are looked at at once for numbers that are not finite."""

Model = Callable[..., Any]


def local_complexity(
    model: Model | str | PathLike[str],
    points: Any,
    radius: float,
    *,
    mode: str = "reference",
    neighbourhood: str = "cross-polytope",
    frame: Any = 25,
    generator: torch.Generator | None = None,
    dimension: int = 2,
    logits: bool = False,
    keep_units: bool = False,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float64,
    memory: int = MEMORY,
    progress: bool = False,
) -> LocalComplexity:
    r"""Number of units that fold in a small neighbourhood of each point: the density of the tessellation there.

    With orthonormal directions $v_1, \dots, v_P$ the neighbourhood of $x$ is the cross-polytope
    $\operatorname{conv}\{x \pm r v_p\}$. Three ways to count:

    * "reference", that of the source: units whose pre-activation has several signs among the $2P$ vertices (0 is a sign
      of its own). Exact for the first layer; for deeper ones neither an upper nor a lower bound, since the image of the
      polytope is not the hull of the vertices' images.
    * "affine": units that fold if the network is continued from $x$ as an affine map,
      $|h_k| \le r \max_p |\nabla h_k \cdot v_p|$. Equal to "reference" on the first layer; the difference on deeper
      ones is what folding does. With `neighbourhood="ball"` the test is $|h_k| \le r \|\nabla h_k\|$, for the Euclidean
      ball of the input space, or of the span of the directions if these are given as an array.
    * "exact": units whose folds meet a section of the neighbourhood, and the cells there, by the exact tessellation:
      the P segments along the directions (`dimension` 1), or the neighbourhood within the span of the first two or
      three (2, 3). For piecewise affine networks.

    Where a unit has several breakpoints it counts once. A maximum counts if its winner changes; in modules that are not
    loaded, maxima are not seen. For smooth gates (GELU, SiLU, SwiGLU's gate) the sign of the pre-activation is a proxy:
    there is no fold, and "exact" is refused.

    Source: Humayun, Balestriero and Baraniuk (2024), arXiv 2402.15555.

    Args:
        model: A `Network`, or any module (in its own type, on its own device, run in eval mode), or a function of a
            batch. A piecewise affine module is better loaded first: all of its folds are seen, and the first layer
            costs little.
        points: [n, *input_shape] inputs.
        radius: Radius r, in units of the input space.
        mode: "reference", "affine" or "exact".
        neighbourhood: "cross-polytope", or "ball" in the mode "affine".
        frame: Number P of directions (no more than inputs), or the directions themselves, [P, *input_shape],
            orthonormal. All points share them. For the ball a number has no meaning: all directions count.
        generator: Source of random directions; by default one with the seed 0.
        dimension: Dimension of the section in the mode "exact".
        logits: Whether the signs of the outputs count as a last layer, as in the source's programs.
        keep_units: Whether to keep for each unit and point whether it folds: `LocalComplexity.units`.
        device: Where a `Network` is evaluated ("cuda" for a GPU); a module stays where it is.
        dtype: Type in which a `Network` is evaluated.
        memory: Bytes that a chunk of points may take.
        progress: Whether to show a bar on long work.

    Returns:
        Counts by point and layer, and by unit.

    Raises:
        InvalidInputError: If shapes don't agree, an option is out of range or the model has no gates.
        UnsupportedOpError: If the mode is "exact" and the model is not piecewise affine.

    Cost: "reference" 2P forward passes for each point, less the first layer; "affine" one, and P Jacobian-vector
    products.

    Example:
        One unit, whose fold is the line x + y = 1; the first point is 0.07 away from it:

        >>> import splinescope, torch
        >>> module = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.ReLU(), torch.nn.Linear(1, 1)).double()
        >>> _ = torch.nn.init.constant_(module[0].weight, 1.0), torch.nn.init.constant_(module[0].bias, -1.0)
        >>> local_complexity(splinescope.load(module), [[0.45, 0.45], [0.0, 0.0]], radius=0.1).total.tolist()
        [1, 0]
    """
    check_choice("mode", mode, ("reference", "affine", "exact"))
    check_choice("neighbourhood", neighbourhood, ("cross-polytope", "ball"))
    ball = neighbourhood == "ball"
    if ball and mode != "affine":
        raise InvalidInputError(f"`neighbourhood`: got 'ball' with mode={mode!r}; expected mode='affine' with it")
    if not (math.isfinite(radius) and radius > 0):
        raise InvalidInputError(f"`radius`: got {radius!r}; expected a positive number")
    if isinstance(model, str | PathLike):
        model = as_network(model, tuple(np.shape(points)[1:]), "model")
    x = _points(model, points)
    whole = ball and isinstance(frame, int)
    directions = None if whole else frame_for(tuple(x.shape[1:]), frame, generator)
    counter = Counter(len(x), keep_units)
    if mode == "exact":
        assert directions is not None
        cells = _count_exactly(model, x, directions, radius, dimension, logits, progress, counter)
        return replace(counter.result(mode, neighbourhood, radius), cells=cells)
    question = _Question(radius, mode == "affine", ball, logits, memory)
    if isinstance(model, Network):
        chunks = _of_network(placed(model, device, dtype), x, directions, question)
    else:
        chunks = _of_module(model, x, directions, question)
    with counting(len(x), "points", progress) as advance:
        for layers, cuts in chunks:
            counter.add(layers, [cut.cpu().numpy() for cut in cuts])
            advance(len(cuts[0]))
    return counter.result(mode, neighbourhood, radius)


@dataclass(frozen=True)
class _Question:
    """What is counted.

    Attributes:
        radius: Radius of the neighbourhood.
        affine: Whether the test is the affine one.
        ball: Whether the neighbourhood is the ball.
        logits: Whether the signs of the outputs count.
        memory: Bytes for a chunk of points.
    """

    radius: float
    affine: bool
    ball: bool
    logits: bool
    memory: int


_Chunks = Iterator[tuple[tuple[str, ...], list[Tensor]]]


def _of_network(network: Network, x: Tensor, directions: Tensor | None, question: _Question) -> _Chunks:
    """What folds near the points of each chunk, for a network; no directions are all of them."""
    home = _home_of_network(network)
    frame = None if directions is None else directions.to(home)
    walk: TangentWalk | FrameWalk
    if question.affine:
        walk = TangentWalk(network, frame, question.radius, question.logits, question.ball)
    else:
        assert frame is not None
        walk = FrameWalk(network, frame, question.radius, question.logits)
    if not walk.layers:
        raise InvalidInputError("`model`: the network is affine, no unit folds; expected one with activations")
    rows = max(1, question.memory // (home.itemsize * walk.numbers_per_point))
    with torch.no_grad():
        for part in x.split(rows):
            yield walk.layers, list(walk.cuts(part.to(home)))


def _of_module(model: Model, x: Tensor, directions: Tensor | None, question: _Question) -> _Chunks:
    """What folds near the points of each chunk, for a module; the first point tells how much memory one takes."""
    home = home_of(model)
    frame = _all_directions(x) if directions is None else directions
    frame = frame.to(home)
    start, rows = 0, 1
    while start < len(x):
        part = x[start : start + rows].to(home)
        if question.affine:
            block = min(len(frame), BLOCK)
            found = cuts_by_tangents(model, part, frame, question.radius, question.ball, question.logits, block)
        else:
            block = 2 * len(frame)
            found = cuts_by_vertices(model, part, question.radius * frame, question.logits)
        yield found
        if start == 0:
            widest = max(part[0].numel(), *(cut[0].numel() for cut in found[1]))
            rows = max(1, question.memory // (home.itemsize * block * 4 * widest))
        start += len(part)


def _count_exactly(
    model: Model, x: Tensor, directions: Tensor, radius: float, dimension: int, logits: bool, progress: bool,
    counter: Counter,
) -> np.ndarray:  # fmt: skip
    """Folds and cells by tessellation."""
    most = min(3, len(directions))
    if dimension not in range(1, most + 1):
        raise InvalidInputError(f"`dimension`: got {dimension}; expected a number from 1 to {most}")
    if logits:
        raise InvalidInputError("`logits`: outputs have no folds to count exactly; expected False with mode='exact'")
    if not isinstance(model, Network):
        model = as_network(model, tuple(x.shape[1:]), "model")
    section = SectionCounter(model, directions.numpy(), radius, dimension, progress)
    cells = []
    for part in x.split(section.points_at_once):
        cuts, counted = section.cuts(part.double().cpu().numpy())
        counter.add(section.layers, cuts)
        cells.append(counted)
    return np.concatenate(cells)


def _points(model: Model, points: Any) -> Tensor:
    """The points as a tensor of floating point, checked; they are converted chunk by chunk."""
    x = torch.as_tensor(points).detach()
    if x.ndim < 2 or not len(x):
        raise InvalidInputError(f"`points`: got shape {tuple(x.shape)}; expected a batch of inputs [n, *input_shape]")
    if isinstance(model, Network) and tuple(x.shape[1:]) != model.input_shape:
        expected = ", ".join(["n", *map(str, model.input_shape)])
        raise InvalidInputError(f"`points`: got shape {tuple(x.shape)}; expected inputs of shape [{expected}]")
    if not all(bool(part.isfinite().all()) for part in x.split(CHECKED)):
        raise InvalidInputError("`points`: some numbers are NaN or infinite; expected finite numbers")
    return x if x.is_floating_point() else x.double()


def _all_directions(x: Tensor) -> Tensor:
    """[d, *input_shape] directions of the input space."""
    size = math.prod(x.shape[1:])
    return torch.eye(size, dtype=torch.float64).reshape(size, *x.shape[1:])


def _home_of_network(network: Network) -> Tensor:
    """An empty tensor where a network's numbers are, and of their type."""
    for node in network.nodes:
        for value in vars(node.op).values():
            if isinstance(value, Tensor) and value.is_floating_point():
                return torch.empty(0, dtype=value.dtype, device=value.device)
    return torch.empty(0, dtype=torch.float64)
