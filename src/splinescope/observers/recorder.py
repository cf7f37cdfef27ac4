"""Looks at a model while it trains, and writes down what it sees."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral
from operator import index
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from splinescope.errors import InvalidInputError
from splinescope.network.importers.module_copy import duplicate, unwrapped, working_copy
from splinescope.observers.descriptions import describe
from splinescope.observers.log import Row, RunLog
from splinescope.observers.scalars import Scalars
from splinescope.observers.snapshot import Snapshot, unnoticed

Measure = Callable[[Snapshot], Mapping[str, float]]
"""What is recorded: a function of a snapshot of the model that gives numbers by name."""


@runtime_checkable
class Comparison(Protocol):
    """A measure that compares the model with that of the recorded step before."""

    def observe(self, snapshot: Snapshot) -> Mapping[str, np.ndarray]:
        """What to keep of this step.

        Args:
            snapshot: The model at one step.

        Returns:
            Arrays by name; they survive a restart.
        """

    def compare(self, before: Mapping[str, np.ndarray] | None, now: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        """Numbers by name, from what was kept of the step before (None at the first) and of this one.

        Args:
            before: What was kept of the step before; None at the first.
            now: What was kept of this step.

        Returns:
            Numbers by name.
        """


class Recorder:
    """Measures a model at chosen steps of its training, and appends a row to a log.

    It works on a copy and leaves the run as it is, bit for bit: parameters, buffers, gradients, modes, hooks and the
    states of all random generators. Forward hooks belong to what a model computes: they are copied with what they write
    to; if one cannot be copied the model is measured without them, with a warning. In a distributed run the first
    process records and the others do nothing.

    Args:
        measures: A `Measure` or a `Comparison` by name. A measure is a function of a `Snapshot`, called like the model,
            that gives numbers by name: `lambda model: {"loss": float(loss(model(x), y))}`. Ready-made ones are in
            `splinescope.observers`.
        steps: Steps to record, as a container (`log_spaced_steps(10_000)`) or as a test of one step.
        log: File to append to. Each row is on disk when `record` returns; of a run that is killed all finished rows
            remain.
        view: The part of the model to look at, given the model: `lambda model: model.encoder`.
        tensorboard: Folder or `SummaryWriter` to which all numbers go as scalars, too.
        resume: Whether to go on with a log that is there. It must be of the same measures. False replaces it.

    Raises:
        InvalidInputError: If there is no measure, one cannot be called, or the log is of other measures.
        StoreError: If the log is damaged.
        MissingDependencyError: If `tensorboard` is a folder and the package is not installed.

    Example:
        >>> import tempfile, torch
        >>> model = torch.nn.Linear(2, 1)
        >>> size = {"weight": lambda model: {"norm": float(model.module.weight.norm())}}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     recorder = Recorder(size, steps=range(0, 100, 10), log=f"{folder}/run.jsonl")
        ...     with recorder.watching(model) as watch:
        ...         for _ in range(25):
        ...             _ = watch.step()  # after each step of the optimizer
        ...     [row["step"] for row in recorder.rows]
        [0, 10, 20]
    """

    def __init__(
        self,
        measures: Mapping[str, Any],
        steps: Any,
        log: str | os.PathLike[str],
        *,
        view: Callable[[Any], Any] | None = None,
        tensorboard: Any = None,
        resume: bool = True,
    ) -> None:
        if not measures:
            raise InvalidInputError("`measures`: got none; expected at least one, by name")
        for name, measure in measures.items():
            if not callable(measure) and not isinstance(measure, Comparison):
                raise InvalidInputError(f"`measures`: {name!r} is a {type(measure).__name__}; expected a function")
        if not callable(steps) and not hasattr(steps, "__contains__"):
            raise InvalidInputError(f"`steps`: got {type(steps).__name__}; expected a container, or a test of one step")
        self._measures = dict(measures)
        self._wanted: Callable[[int], bool] = steps if callable(steps) else steps.__contains__
        self._hooks_told = False
        self._view = view or (lambda model: model)
        self._log = RunLog(log, {name: describe(measure) for name, measure in measures.items()}, resume=resume)
        self._scalars = None if tensorboard is None else Scalars(tensorboard, self._log.rows)

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows of the log."""
        return tuple(self._log.rows)

    def record(self, model: Any, step: int) -> Row | None:
        """Measure the model, if the step is wanted and is not in the log.

        Args:
            model: The model, in any mode, on any device; wrappers of torch.compile and of parallel training are
                looked through.
            step: Number of optimiser steps taken.

        Returns:
            The new row: `step`, `time` (seconds since 1970) and a number `"measure/name"` for each name that a measure
            gives; None if nothing was recorded.

        Raises:
            InvalidInputError: If the log already has later steps; `rewind` forgets them.
            StoreError: If the row cannot be written.
        """
        step = index(step)
        if step in self._log or not self._wanted(step) or _is_secondary():
            return None
        if self._log.last is not None and step < self._log.last:
            raise InvalidInputError(
                f"`step`: got {step} after {self._log.last}; if the run went back, say so with `rewind({step})`"
            )
        if not isinstance(model, nn.Module):
            raise InvalidInputError(f"`model`: got {type(model).__name__}; expected a torch.nn.Module")
        with unnoticed():
            snapshot = Snapshot(self._copied(self._seen(model)), step)
            numbers, memory = self._measured(snapshot)
        self._log.append({"step": step, "time": time.time(), **numbers}, memory)
        row = self._log.rows[-1]
        if self._scalars is not None:
            self._scalars.add(row)
        return row

    def rewind(self, step: int) -> None:
        """Forget what was recorded after a step: the run was restarted from a checkpoint of that step.

        A measure with a method `forget` is told the step, too.

        Args:
            step: The last step to keep.
        """
        if _is_secondary():
            return
        self._log.rewind(index(step))
        for measure in self._measures.values():
            forget = getattr(measure, "forget", None)
            if forget is not None:
                forget(step)
        if self._scalars is not None:
            self._scalars.rewind(self._log.rows)

    @contextmanager
    def watching(self, model: nn.Module, start: int = 0) -> Iterator[Watch]:
        """Watch a plain training loop; `step()` of what this gives is called after each step of the optimiser.

        What the log has after `start` is forgotten, and `start` itself is recorded at entry.

        Args:
            model: The model.
            start: Steps that were taken before, such as those of the checkpoint that the run resumes from.

        Yields:
            The watch.
        """
        self.rewind(start)
        self.record(model, start)
        yield Watch(self, model, start)

    def close(self) -> None:
        """Close what was opened for TensorBoard, if anything was; the log itself needs no closing."""
        if self._scalars is not None:
            self._scalars.close()

    def _seen(self, model: nn.Module) -> nn.Module:
        """The part of the model to look at."""
        seen = self._view(unwrapped(model))
        if not isinstance(seen, nn.Module):
            raise InvalidInputError(f"`view`: gave {type(seen).__name__}; expected a torch.nn.Module")
        return unwrapped(seen)

    def _copied(self, seen: nn.Module) -> nn.Module:
        """A copy with copies of its forward hooks; without them, which is said once, where one cannot be copied."""
        try:
            return working_copy(seen)
        except InvalidInputError as error:
            copied = duplicate(seen)
            if self._hooks_told:
                return copied
            self._hooks_told = True
            warnings.warn(f"the model is measured without its forward hooks: {error}", UserWarning, stacklevel=4)
            return copied

    def _measured(self, snapshot: Snapshot) -> tuple[dict[str, int | float], dict[str, np.ndarray]]:
        """Numbers of all measures, and what to keep for the next step."""
        numbers: dict[str, int | float] = {}
        memory: dict[str, np.ndarray] = {}
        before: dict[str, np.ndarray] | None = None
        for name, measure in self._measures.items():
            if isinstance(measure, Comparison):
                before = self._log.memory() if before is None else before
                now = measure.observe(snapshot)
                found = measure.compare(_part(before, name), now)
                memory |= {f"{name}/{key}": value for key, value in now.items()}
            else:
                found = measure(snapshot)
            numbers |= {f"{name}/{key}": _number(value) for key, value in found.items()}
        return numbers, memory


class Watch:
    """Counts the steps of a training loop.

    Attributes:
        count: Steps taken so far.
    """

    def __init__(self, recorder: Recorder, model: nn.Module, start: int) -> None:
        self.count = start
        self._recorder, self._model = recorder, model

    def step(self) -> Row | None:
        """Count a step of the optimiser, and record it if it is wanted.

        Returns:
            The new row, if there is one.
        """
        self.count += 1
        return self._recorder.record(self._model, self.count)


def _part(memory: Mapping[str, np.ndarray] | None, name: str) -> dict[str, np.ndarray] | None:
    """What one measure kept."""
    if memory is None:
        return None
    return {key.removeprefix(f"{name}/"): value for key, value in memory.items() if key.startswith(f"{name}/")}


def _number(value: Any) -> int | float:
    """A number as JSON can write it: whole ones stay whole."""
    return int(value) if isinstance(value, Integral) else float(value)


def _is_secondary() -> bool:
    """Whether this is a process of a distributed run other than the first."""
    distributed = torch.distributed
    return distributed.is_available() and distributed.is_initialized() and distributed.get_rank() > 0
