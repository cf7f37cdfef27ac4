"""A first point of another class, by a few steps to the boundaries of affine maps: an upper bound to begin with."""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from jaxtyping import Float

from splinescope.complexity.distances.projection import Projection, project
from splinescope.complexity.distances.targets import ClassChange, class_of, classes_of
from splinescope.complexity.metric import Frame
from splinescope.complexity.walls import BranchForms, branch_forms
from splinescope.network.graph import Network
from splinescope.tessellation.branches.walk import pieces_at

_STEPS = 50
"""Steps of the descent, and of the bisection that follows."""

_OVERSHOOT = 1.02
"""By how much a step goes beyond the boundary of its own affine map, so as to land behind it."""


_TRIED = 64
"""Random steps of each length that are tried where the descent finds nothing."""

_FIRST = 2.0**-10
"""Length of the first of these, relative to the size of the input; the last is about the inverse."""


def first_boundary_point(
    network: Network, start: torch.Tensor, frame: Frame, target: ClassChange, deadline: float = math.inf
) -> Float[np.ndarray, " d"] | None:
    """A step to a point of another class, just behind a decision boundary; it need not be the nearest.

    Each step goes to the nearest boundary of the affine map that holds where it begins, as DeepFool does
    (Moosavi-Dezfooli, Fawzi and Frossard 2016, arXiv 1511.04599). If that leads nowhere, random steps of growing length
    are tried. Then the way is halved.

    Args:
        network: The network.
        start: [1, *input_shape] where to begin.
        frame: Coordinates of the step.
        target: The class to leave.
        deadline: Time of the monotonic clock at which to give up.

    Returns:
        Coordinates relative to the start, or None if no step was found that changes the class.
    """
    step = np.zeros(frame.dimension)
    for _ in range(_STEPS):
        place = start + frame.embed(step)
        if class_of(network, place) != target.label:
            return _halved(network, start, frame, target, step)
        if time.monotonic() > deadline:
            return None
        forms = branch_forms(network, pieces_at(network, place), start, frame)
        move = _move(target, forms, frame, step)
        if move is None:
            break
        step = step + move
    return _outwards(network, start, frame, target, deadline)


def _outwards(
    network: Network, start: torch.Tensor, frame: Frame, target: ClassChange, deadline: float
) -> np.ndarray | None:
    """The first of some random steps of growing length within the domain that changes the class, halved."""
    generator = np.random.default_rng(0)
    length = max(1.0, float(start.abs().max())) * _FIRST
    while length < 1 / _FIRST and time.monotonic() < deadline:
        steps = generator.standard_normal((_TRIED, frame.dimension))
        steps *= length / np.linalg.norm(steps, axis=1, keepdims=True)
        steps = steps[[frame.excess(step) <= 0 for step in steps]]
        if not len(steps):
            break
        flat = torch.from_numpy(steps) @ frame.directions.reshape(frame.dimension, -1)
        with torch.no_grad():
            labels = classes_of(network(start + flat.reshape(-1, *start.shape[1:])))
        other = np.flatnonzero(labels != target.label)
        if len(other):
            return _halved(network, start, frame, target, steps[other[0]])
        length *= 2.0
    return None


def _move(target: ClassChange, forms: BranchForms, frame: Frame, step: np.ndarray) -> np.ndarray | None:
    """The shortest move within the domain to where one affine map has another class; None if there is none."""
    rows = target.rows(forms)
    norms = np.linalg.norm(rows.normals, axis=1)
    d = frame.dimension
    nearest = Projection(math.inf, np.zeros(d), np.zeros(0, dtype=np.int64))
    for row in np.flatnonzero(norms > 0):
        normal, value = rows.normals[row] / norms[row], (rows.offsets[row] + rows.normals[row] @ step) / norms[row]
        normals = np.vstack([-frame.halfspaces[:, :d], -normal])
        offsets = np.append(-frame.halfspaces[:, d] - frame.halfspaces[:, :d] @ step, -_OVERSHOOT * value)
        if value < nearest.distance:
            found = project(normals, offsets, nearest.distance)
            nearest = found if found.distance < nearest.distance else nearest
    return nearest.point if math.isfinite(nearest.distance) else None


def _halved(network: Network, start: torch.Tensor, frame: Frame, target: ClassChange, step: np.ndarray) -> np.ndarray:
    """The shortest step found by bisection along a given one that still changes the class."""
    near, far = 0.0, 1.0
    for _ in range(_STEPS):
        middle = 0.5 * (near + far)
        changed = class_of(network, start + frame.embed(middle * step)) != target.label
        near, far = (near, middle) if changed else (middle, far)
    shortest: np.ndarray = far * step
    return shortest
