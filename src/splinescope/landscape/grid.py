"""The loss of any torch module on a grid of a plane of parameters, point by point and never moved."""

from __future__ import annotations

import copy
import hashlib
import itertools
import os
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from splinescope.errors import InvalidInputError, StoreError
from splinescope.landscape.directions import ParameterPlane
from splinescope.landscape.functional import (
    Batches,
    LossFunction,
    batches_of,
    chosen_parameters,
    loss_function,
    mean_loss,
    private,
)
from splinescope.progress import counting
from splinescope.shown import Shown
from splinescope.storage import read_arrays, write_arrays
from splinescope.workers import finished, result_of

STATISTICS = ("keep", "recompute")


@dataclass(frozen=True, eq=False)
class LossGrid(Shown):
    """The loss on a grid.

    Attributes:
        plane: The line or plane.
        axes: Coordinates along each direction.
        values: [len(axes[0]), len(axes[1])] losses: `values[i, j]` is that at (axes[0][i], axes[1][j]);
            [len(axes[0])] on a line. What was NaN or infinite is so here.
    """

    plane: ParameterPlane
    axes: tuple[Float[np.ndarray, " _"], ...]
    values: Float[np.ndarray, "..."]

    @property
    def coordinates(self) -> Float[np.ndarray, "... d"]:
        """Coordinates of each value."""
        return np.stack(np.meshgrid(*self.axes, indexing="ij"), axis=-1)

    @property
    def lowest(self) -> tuple[tuple[float, ...], float]:
        """Coordinates of the least value of the grid, and the value."""
        place = np.unravel_index(int(np.nanargmin(self.values)), self.values.shape)
        return tuple(float(axis[i]) for axis, i in zip(self.axes, place, strict=True)), float(self.values[place])


@dataclass(frozen=True, eq=False)
class _Task:
    """What one worker needs to evaluate some points; it can be sent to another process."""

    module: nn.Module
    plane: ParameterPlane
    data: Batches
    loss: str | LossFunction
    statistics: str
    points: list[tuple[float, ...]]

    def run(self) -> list[float]:
        """The loss at each point."""
        module = copy.deepcopy(self.module)  # threads share what they are given
        own = dict(module.named_parameters())
        function = loss_function(self.loss)
        found = []
        with torch.no_grad(), torch.random.fork_rng(devices=[], enabled=module.training):
            for point in self.points:
                moved = {name: value.to(own[name]) for name, value in self.plane.at(*point).items()}
                if self.statistics == "recompute":
                    _recompute(module, moved, self.data)
                total = 0.0
                for share, x, y in zip(self.data.shares, self.data.inputs, self.data.targets, strict=True):
                    total += share * float(mean_loss(module, moved, x, y, function))
                found.append(total)
        return found


def loss_grid(
    model: nn.Module,
    plane: ParameterPlane,
    loss: str | LossFunction,
    data: Any,
    *,
    axes: Any = None,
    statistics: str = "keep",
    train: bool = False,
    dtype: torch.dtype | None = None,
    chunk: int = 32,
    executor: Executor | None = None,
    store: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> LossGrid:
    """Evaluate the loss on a grid of a line or plane of parameters.

    Each value is that of the module with the parameters at the grid's own coordinates, and nothing else: no step is
    added to the one before, no noise is added, NaN stays NaN. The module is copied once and stays as it is.

    Args:
        model: The module.
        plane: The line or plane: see `random_plane`, `trajectory_plane`, `between`.
        loss: "squared", "cross-entropy", or a function of (outputs, targets) that returns the mean of a batch.
        data: A pair (inputs, targets), or an iterable of such pairs, as a loader is; it is read once.
        axes: Coordinates along each direction: a sequence for each, or one for all; 51 from -1 to 1 if None.
        statistics: Of batch-norm: "keep" the module's running ones, or "recompute" them from the data at each point, as
            is needed between networks that were trained apart.
        train: Whether the copy is in train mode, so that batch-norm takes each batch's own statistics.
        dtype: Type of the computation; None for the module's own.
        chunk: Points that are evaluated between two notes of what is done, and that one worker gets at once.
        executor: Any `concurrent.futures.Executor`; for processes the module and the loss have to be picklable. None to
            evaluate here.
        store: File for what is done, `.npz`: if it is there and of the same question, its values are not computed
            again but for one, by which another loss is told.
        progress: Show a progress bar.

    Returns:
        The losses.

    Raises:
        InvalidInputError: If something does not fit.
        StoreError: If the file is of another question, or damaged.

    Cost: one forward pass over the data for each point, two with "recompute".

    Example:
        >>> import torch
        >>> net = torch.nn.Linear(1, 1, bias=False)
        >>> from splinescope.landscape import random_plane
        >>> line = random_plane(net, normalize="none", dimension=1)
        >>> grid = loss_grid(net, line, "squared", (torch.ones(1, 1), torch.zeros(1, 1)), axes=[0.0, 1.0])
        >>> bool(abs(grid.values[0] - net.weight.item() ** 2) < 1e-6)
        True
    """
    if statistics not in STATISTICS:
        raise InvalidInputError(f"`statistics`: got {statistics!r}; expected 'keep' or 'recompute'")
    lines = _axes(axes, plane.dimension)
    copied = private(model, dtype, train=train)
    own = next((value for value in copied.parameters() if value.is_floating_point()), torch.zeros(()))
    batches = batches_of(data, own.dtype)
    known = chosen_parameters(copied, None)
    wrong = [name for name, value in plane.origin.items() if name not in known or known[name].shape != value.shape]
    if wrong:
        raise InvalidInputError(f"`plane`: the module has no parameter {wrong[0]!r} of that shape; expected its own")
    points = [tuple(map(float, point)) for point in itertools.product(*lines)]
    shape = tuple(len(line) for line in lines)
    progress_kept = _Kept(store, _question(copied, plane, lines, batches, loss, statistics), len(points))
    if progress_kept.done.any() and not copied.training:  # in train mode, values may be random
        first = int(progress_kept.done.argmax())
        progress_kept.check(first, _Task(copied, plane, batches, loss, statistics, [points[first]]).run()[0], own.dtype)
    left = np.flatnonzero(~progress_kept.done)
    parts = [left[start : start + chunk] for start in range(0, len(left), max(1, chunk))]
    tasks = [_Task(copied, plane, batches, loss, statistics, [points[i] for i in part]) for part in parts]
    with counting(len(points), "point", progress) as advance:
        advance(len(points) - len(left))
        if executor is None:
            for part, task in zip(parts, tasks, strict=True):
                progress_kept.note(part, task.run())
                advance(len(part))
        else:
            waiting = ((number, (task,)) for number, task in enumerate(tasks))
            for ended in finished(executor, _Task.run, waiting):
                for number, future in ended:
                    values = result_of(future)
                    progress_kept.note(parts[number], values)
                    advance(len(parts[number]))
    return LossGrid(plane, lines, progress_kept.values.reshape(shape))


class _Kept:
    """What is done, in memory and in a file."""

    def __init__(self, store: str | os.PathLike[str] | None, question: str, count: int) -> None:
        self._path, self._question = None if store is None else Path(store), question
        self.values: Float[np.ndarray, " n"] = np.full(count, np.nan)
        self.done: Bool[np.ndarray, " n"] = np.zeros(count, bool)
        if self._path is not None and self._path.exists():
            self._read(self._path)

    def _read(self, path: Path) -> None:
        stored = read_arrays(path, "file of a grid's values", argument="store")
        question = (stored.record or {}).get("question")
        if question != self._question:
            raise self._refusal()
        self.values, self.done = stored.arrays["values"].copy(), stored.arrays["done"].copy()

    def check(self, which: int, value: float, dtype: torch.dtype) -> None:
        """Refuse values if one of them is not what is found now: functions of one's own are known by name only."""
        if not np.isclose(self.values[which], value, rtol=1e3 * torch.finfo(dtype).eps, atol=0.0, equal_nan=True):
            raise self._refusal()

    def _refusal(self) -> StoreError:
        return StoreError(
            f"`store`: {self._path} holds values of another module, plane, grid, loss or data; expected another file"
        )

    def note(self, which: np.ndarray, values: Sequence[float]) -> None:
        """Keep some values."""
        self.values[which], self.done[which] = values, True
        if self._path is not None:
            arrays = {"values": self.values, "done": self.done}
            write_arrays(self._path, arrays, {"question": self._question}, argument="store")


def _axes(axes: Any, dimension: int) -> tuple[np.ndarray, ...]:
    """Coordinates along each direction."""
    given = np.linspace(-1.0, 1.0, 51) if axes is None else axes
    several = isinstance(given, Sequence) and len(given) == dimension and all(np.ndim(axis) == 1 for axis in given)
    lines = (
        tuple(np.array(axis, np.float64) for axis in given) if several else (np.array(given, np.float64),) * dimension
    )
    if any(line.ndim != 1 or not len(line) or not np.isfinite(line).all() for line in lines):
        raise InvalidInputError(f"`axes`: expected {dimension} sequences of finite coordinates, or one for all")
    return lines


def _question(
    module: nn.Module,
    plane: ParameterPlane,
    lines: tuple[np.ndarray, ...],
    data: Batches,
    loss: str | LossFunction,
    statistics: str,
) -> str:
    """A hash of all that the values depend on; of a function of one's own, of its name only."""
    digest = hashlib.sha256()
    name = loss if isinstance(loss, str) else getattr(loss, "__qualname__", type(loss).__name__)
    digest.update(f"{name} {statistics} {module.training} {module}".encode())
    tensors: list[Tensor] = [*module.state_dict().values(), *plane.origin.values()]
    tensors += [value for direction in plane.directions for value in direction.values()]
    for array in (*lines, *(value.detach().cpu().numpy() for value in (*tensors, *data.inputs, *data.targets))):
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _recompute(module: nn.Module, parameters: dict[str, Tensor], data: Batches) -> None:
    """Take the statistics of batch-norm from the data, layer behind layer in one pass, all batches counting alike."""
    layers = [child for child in module.modules() if isinstance(child, _BatchNorm) and child.track_running_stats]
    modes, momenta = [layer.training for layer in layers], [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
        layer.train()
    for x in data.inputs:
        torch.func.functional_call(module, parameters, (x,))
    for layer, mode, momentum in zip(layers, modes, momenta, strict=True):
        layer.momentum = momentum
        layer.train(mode)
