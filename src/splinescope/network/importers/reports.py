"""Compares an imported network with the model that it was read from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from splinescope.errors import UnsupportedOpError
from splinescope.network.copies import placed
from splinescope.network.evaluate import chunk_rows, forward
from splinescope.network.graph import Deviation, ImportReport, Network
from splinescope.network.importers.disagreements import DisagreementError, check_own_fault, check_repeats
from splinescope.network.importers.module_copy import first_line
from splinescope.network.importers.onnx_runners import Runner, RunnerCrashError, RunnerError, runners
from splinescope.network.importers.outputs import Guarded, outputs_of
from splinescope.network.importers.probes import SAMPLES, probe
from splinescope.network.importers.roundings import SHAKE, absolute_terms, rounded_outputs, shaken_outputs

SLACK = 1024.0
"""Multiple of the rounding errors that were estimated by which a reference may deviate."""

_MEASURED = 3
"""Inputs of each size on which float32 rounding is measured."""

_TOGETHER = 2
"""Inputs of which batches are made where there are few in all: what is left is one by one already."""

_SATURATED = 2.0**-6
"""Outputs of a sigmoid, relatively to the largest, below which their absolute errors are looked at."""

_SPREAD = 4.0
"""Multiple of what roundings inside of the network make of outputs by which these may differ."""

Function = Callable[[Tensor], Any]


class Agreement:
    """Compares a network with references, on inputs of several sizes at which its units are awake.

    What rounding may explain is the lesser of two estimates, for the inputs of each order of magnitude apart. One is a
    bound: the unit round-off times the sum of the absolute values of all terms. It grows with the depth, so that for
    deep networks it would allow anything. The other is measured: how far the network in float32 is from itself in
    float64, and in float64 from itself with all values shaken a little, scaled to the reference's round-off. Inputs for
    which that is not enough are looked at one by one: whether roundings of the terms inside the network, as large as
    the reference makes them, explain what is left.

    Attributes:
        network: The network.
        x: [N, *input_shape] the inputs.
    """

    def __init__(self, network: Network, bounds: tuple[Tensor, Tensor] | None = None) -> None:
        self.network = network
        self._probes = probe(network, bounds)
        self.x = self._probes.inputs
        self._own = self._behind_head(self._probes.outputs)
        largest = self.x.abs().reshape(len(self.x), -1).amax(dim=1).clamp(min=1e-300)
        self._group = largest.log10().floor().unique(return_inverse=True)[1]
        places = [(self._group == g).nonzero().reshape(-1) for g in range(int(self._group.max()) + 1)]
        self._terms = self._group_terms(places)
        self._float32 = self._group_rounding(places)

    @property
    def outputs_per_input(self) -> int:
        """Numbers that the network returns for one input, behind its head."""
        return self._own.shape[1]

    def _behind_head(self, y: Tensor) -> Tensor:
        y = y if self.network.head is None else self.network.head(y)
        return y.reshape(len(y), -1)

    def _group_terms(self, places: list[Tensor]) -> Tensor:
        corners = torch.stack([self.x[at].abs().amax(dim=0) for at in places])
        return absolute_terms(self.network, corners).reshape(len(places), -1).amax(dim=1)

    def _group_rounding(self, places: list[Tensor]) -> Tensor:
        rows = torch.cat([at[:_MEASURED] for at in places])
        single = forward(placed(self.network, "cpu", torch.float32), self.x[rows].float()).double()
        errors = (self._behind_head(single) - self._own[rows]).abs().amax(dim=1)
        found = [errors[self._group[rows] == g].max() for g in range(len(places))]
        # Behind a clip, or where large offsets cancel, float32 is saturated and float64 is not: small shakes tell more.
        shaken = self._behind_head(shaken_outputs(self.network, self.x))
        change = (shaken - self._own).abs().amax(dim=1) * (torch.finfo(torch.float32).eps / SHAKE)
        return torch.stack([torch.fmax(error, change[at].max()) for error, at in zip(found, places, strict=True)])

    def tolerances(self, rows: Tensor, unit: float) -> Tensor:
        """What rounding may make of the outputs for some inputs.

        Args:
            rows: [K] indices of inputs.
            unit: Unit round-off of the arithmetic of a reference.

        Returns:
            [K] absolute differences.
        """
        sizes = self._sizes(rows).clamp(min=self._least_size())
        group = self._group[rows]
        bound = torch.maximum(self._terms[group], sizes)
        measured = self._float32[group] / torch.finfo(torch.float32).eps + sizes
        # Where float32 overflows, or terms cancel so that all outputs are zero, nothing was measured.
        return SLACK * unit * torch.where(measured.isfinite() & (measured > 0), torch.minimum(bound, measured), bound)

    def _explained(self, rows: Tensor, errors: Tensor, allowed: Tensor, unit: float) -> Tensor:
        """[K] what differences are held to: where they are larger than allowed, what roundings inside make of it.

        Sums in another order, as of a batch of another size, are off by shares of their terms, and these may be far
        larger than all outputs.
        """
        left = (errors > allowed).nonzero().reshape(-1)
        if not len(left):
            return allowed
        outputs = self._own[rows[left]]
        found = [self._behind_head(y) for y in rounded_outputs(self.network, self.x[rows[left]], unit)]
        spread = torch.stack([(y - outputs).abs().amax(dim=1) for y in found]).nan_to_num(0.0, torch.inf).amax(dim=0)
        return allowed.index_copy(0, left, torch.maximum(allowed[left], _SPREAD * spread))

    def _least_size(self) -> float:
        """Of a head whose values lie between bounds, programs know the small ones absolutely, not relatively."""
        head = self.network.head
        if head is None or head.name == "exp":
            return 0.0
        return _SATURATED * max(map(abs, head.scale or (1.0,)))

    def _sizes(self, rows: Tensor) -> Tensor:
        """[K] largest absolute output among the inputs of the same size."""
        largest = self._own.abs().amax(dim=1)
        return torch.stack([largest[self._group == g].max() for g in self._group[rows].tolist()])

    def deviation(self, reference: str, outputs: Tensor, unit: float) -> Deviation:
        """Compare a reference's outputs, behind its head, with the network's.

        Args:
            reference: Name of the reference.
            outputs: [K, ...] what the reference returned for the first inputs; where it is not finite, it overflowed.
            unit: Unit round-off of the arithmetic of the reference.

        Returns:
            The deviation.

        Raises:
            DisagreementError: If it is larger than rounding can explain.
        """
        own = self._own[: len(outputs)]
        if own.numel() != outputs.numel():
            raise DisagreementError(
                f"`model`: the import is wrong: {reference} returns {tuple(outputs.shape)} for {len(outputs)} inputs, "
                f"splinescope {tuple(own.shape)}; please report this model"
            )
        outputs = outputs.reshape(own.shape).double()
        rows = outputs.isfinite().all(dim=1).nonzero().reshape(-1)
        if not own.numel():
            return Deviation(reference, len(rows), 0.0, 0.0)
        errors = (own[rows] - outputs[rows]).abs().amax(dim=1)
        allowed = self._explained(rows, errors, self.tolerances(rows, unit), unit)
        if not bool((errors <= allowed).all()):
            worst = int((errors - allowed).argmax())
            raise DisagreementError(
                f"`model`: the import is wrong: its outputs differ from {reference} by {float(errors.max()):.3g}, "
                f"which is more than round-off explains; please report this model",
                int(rows[worst]),
                float(allowed[worst]),
            )
        # At larger inputs than natural ones, smooth heads saturate, and the outputs say nothing of what went before.
        usual = self.x[rows].abs().reshape(len(rows), -1).amax(dim=1) <= max(1.0, self._probes.reach)
        errors, sizes = errors[usual], self._sizes(rows)[usual]
        relative = torch.where(sizes > 0, errors / sizes.clamp(min=1e-300), errors)
        return Deviation(reference, len(rows), _largest(errors), _largest(relative))

    def report(self, deviations: list[Deviation], notes: tuple[str, ...], problem: str = "") -> Network:
        """The network with a report of what was found."""
        report = ImportReport(
            tuple(deviations),
            notes,
            not_compared="" if deviations else problem,
            natural_scale=self._probes.natural_scale,
            units_never_woken=self._probes.never_woken,
        )
        return replace(self.network, import_report=report)

    def outputs(self, function: Function, unit: float, *, batches: bool = True) -> Tensor:
        """[N, ...] outputs of a reference: for some inputs one by one, for the others at once where that is the same.

        Args:
            function: The reference.
            unit: Unit round-off of its arithmetic.
            batches: Whether it takes batches of any size.

        Raises:
            UnsupportedOpError: If its output for one input depends on the others of the batch.
            Exception: Whatever it raises for one input.
        """
        single = outputs_of(function, self.x[:SAMPLES])
        together = self.x if len(self.x) >= SAMPLES else self.x[:_TOGETHER]
        whole = self._at_once(function, together) if batches else None
        if whole is None or whole.numel() * len(single) != single.numel() * len(together):
            rest = self.x[SAMPLES:]
            return torch.cat([single, outputs_of(function, rest)]) if len(rest) else single
        whole = whole.reshape(len(together), *single.shape[1:])
        rows = torch.arange(min(len(single), len(together)))
        difference = (whole[: len(rows)] - single[: len(rows)]).reshape(len(rows), -1).double().abs().amax(dim=1)
        allowed = self._explained(rows, difference, math.sqrt(unit) * self._sizes(rows), unit)
        # What overflows or is not a number is compared no further.
        if bool((difference > allowed).any()) and bool(difference.isfinite().all()):
            check_repeats(function, self.x[:1])
            raise UnsupportedOpError(
                "the model's output for one input depends on the other inputs of its batch, or on those before; "
                "expected a model that treats every input by itself"
            )
        return torch.cat([single, whole[SAMPLES:]])

    def _at_once(self, function: Function, x: Tensor) -> Tensor | None:
        """Outputs of batches; None if the model is made for one input."""
        try:
            parts = x.split(max(2, chunk_rows(self.network)))
            return torch.cat([outputs_of(function, part, together=True).reshape(len(part), -1) for part in parts])
        except Exception:  # noqa: BLE001 - the user's code may fail in any way
            return None


def _largest(values: Tensor) -> float:
    return float(values.max()) if values.numel() else 0.0


def compare_with_module(
    network: Network,
    copies: Callable[[torch.dtype | None], nn.Module],
    unit: float,
    notes: tuple[str, ...],
    name: str = "module",
    retraced: Callable[[Tensor], tuple[Tensor, Tensor] | None] | None = None,
) -> Network:
    """The network with a report of its deviation from a module, in float64 and in the module's own type.

    Args:
        network: The network.
        copies: Makes a copy of the module in some type, or in its own, that computes what the module does.
        unit: Spacing of numbers near one in the coarsest type to which the module rounds inside.
        notes: What else the report says.
        name: What was compared with.
        retraced: The graph that the network was read from, made anew, to find out whether it is what the module
            computes.

    Returns:
        The network with its report.

    Raises:
        SplinescopeError: If the network is another one.
        UnsupportedOpError: If the module's outputs depend on other inputs of the batch, or on anything but its input.
    """
    comparison = Agreement(network)
    own = next((p.dtype for p in copies(None).parameters() if p.is_floating_point()), torch.get_default_dtype())
    deviations: list[Deviation] = []
    said: list[str] = []
    for dtype in dict.fromkeys((torch.float64, own)):
        make = partial(copies, None if dtype == own else dtype)
        copied = Guarded(make(), dtype, comparison.outputs_per_input)  # one at a time, since they may be large
        spacing = max(unit, torch.finfo(dtype).eps)
        try:
            outputs = comparison.outputs(copied, spacing)
        except UnsupportedOpError:
            raise
        except Exception as error:  # noqa: BLE001 - the user's code may fail in any way
            said.append(f"The module does not run in {dtype}: {first_line(error)}")
            continue
        lost = int((~outputs.reshape(len(outputs), -1).isfinite().all(dim=1)).sum())
        what = f"fails ({first_line(copied.failure)}) or overflows" if copied.failure else "overflows"
        if lost == len(outputs):
            said.append(f"The module {what} in {dtype}, so that it was not compared in it.")
            continue
        if lost:
            said.append(f"The module {what} in {dtype} for {lost} of {len(outputs)} inputs, which are not compared.")
        try:
            deviations.append(comparison.deviation(f"{name} {str(dtype).removeprefix('torch.')}", outputs, spacing))
        except DisagreementError as error:
            x = comparison.x[error.row : error.row + 1].to(dtype)
            check_own_fault(error, make, retraced, x, outputs[error.row], "float64" if deviations else "")
            raise
    problem = " ".join(said)
    return comparison.report(deviations, (*notes, *said) if deviations else (*said, *notes), problem)


def compare_with_onnx(
    network: Network, path: Path, model: Any, source: Any, unit: float, notes: tuple[str, ...] = ()
) -> Network:
    """The network with a report of its deviation from an ONNX model, as onnxruntime (else onnx itself) runs it.

    Args:
        network: The network.
        path: Where the model came from.
        model: The model, of one output.
        source: Its input.
        unit: Spacing of numbers near one in the coarsest type to which the model rounds inside.
        notes: What else the report says.

    Returns:
        The network with its report.

    Raises:
        SplinescopeError: If the network is another one.
        UnsupportedOpError: If the model's outputs depend on other inputs of the batch.
    """
    comparison = Agreement(network)
    unit = max(unit, float(np.finfo(source.dtype).eps), float(np.finfo(np.float32).eps))
    problems: list[str] = []
    warnings: list[str] = []
    for runner in runners(path, model, source):
        try:
            outputs = _onnx_outputs(comparison, runner, source, unit)
        except UnsupportedOpError:
            raise
        except Exception as error:  # noqa: BLE001 - onnxruntime raises whatever it likes
            said = str(error) if isinstance(error, RunnerError) else first_line(error)
            problems.append(f"{runner.name} does not run the model: {said}")
            if isinstance(error, RunnerCrashError):
                warnings.append(problems[-1])
            continue
        lost = int((~outputs.reshape(len(outputs), -1).isfinite().all(dim=1)).sum())
        if lost == len(outputs):
            problems.append(f"The model overflows in {runner.name}, so that it was not compared.")
            break
        if lost:
            notes = (*notes, f"The model overflows in {runner.name} for {lost} inputs, which are not compared.")
        return comparison.report([comparison.deviation(runner.name, outputs, unit)], (*warnings, *notes))
    problems = problems or ["No program that runs it is installed."]
    return comparison.report([], (*problems, *notes), " ".join(problems))


def _onnx_outputs(comparison: Agreement, runner: Runner, source: Any, unit: float) -> Tensor:
    run = runner.start()

    def function(rows: Tensor) -> Tensor:
        shape = (len(rows), *source.shape[1:]) if source.batched else source.shape
        given = rows.numpy().astype(source.dtype).reshape(shape)
        return torch.from_numpy(np.asarray(run(source.feeds(given)), np.float64))

    if runner.samples:
        return outputs_of(function, comparison.x[: runner.samples])
    return comparison.outputs(function, unit, batches=source.any_batch)
