"""The command `landscape`: the exact loss on a plane of one layer's parameters, and on a grid of all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from splinescope.cli import options as of
from splinescope.cli.run import Facts, Files, Run, drawing, title_of
from splinescope.cli.values import size_in_bytes
from splinescope.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

    from splinescope.landscape import LossGrid, LossPlane
    from splinescope.network import Network

LISTED = 100
"""Minima that the summary lists, the least ones first."""

Labels = Annotated[
    Path | None,
    of.where(
        "--labels",
        metavar="FILE",
        help="File with labels, or wanted outputs, one for each row of `--data`.",
        callback=of.present,
    ),
]
Which = Annotated[
    str | None,
    of.where(metavar="I,J,...", help="Which samples of `--data`, counted from 0; else the first ones."),
]
Count = Annotated[
    int, of.where("--samples", metavar="N", min=1, help="How many first samples; all if there are fewer.")
]
Layer = Annotated[
    str | None,
    of.ask("--layer", metavar="NAME", help="Layer that moves; by default the last one but one. `info` lists them."),
]
Loss = Annotated[
    Literal["squared", "cross-entropy"],
    of.ask(help="Sum of squares over outputs, or cross-entropy of their softmax; means over samples."),
]
Extent = Annotated[float, of.ask(metavar="R", help="Half the width of the window, by the norm of each filter.")]
Seed = Annotated[int, of.ask(min=0, help="Seed of the two random directions.")]
Grid = Annotated[
    int | None,
    of.ask(
        "--grid",
        metavar="N",
        min=2,
        help="Also the loss on N x N points of a random plane of all parameters, filter-normalised. MODEL has to be "
        "Python code then.",
    ),
]


def landscape(
    model: of.Model,
    data: of.Data = None,
    labels: Labels = None,
    samples: Count = 10,
    indices: Which = None,
    mean: of.Mean = "0",
    std: of.Std = "1",
    layer: Layer = None,
    loss: Loss = "squared",
    extent: Extent = 1.0,
    seed: Seed = 0,
    grid: Grid = None,
    picture: of.Picture = True,
    picture_format: of.Format = "png",
    verify: of.Verify = "values",
    max_cells: of.MaxCells = 100_000,
    memory: of.Memory = None,
    out: of.Out = Path("landscape"),
    weights: of.Weights = None,
    trust: of.Trust = False,
    input_shape: of.InputShape = None,
    force: of.Force = False,
    as_json: of.Json = False,
) -> None:
    """Show the loss on a plane of one layer's weights, exactly: its cells, its contours, and all of its minima.

    The other layers held fixed, the outputs are piecewise affine in a layer's weights. So the plane is cut into cells
    on each of which the squared loss of all samples is one quadratic, and cross-entropy is convex. Cells grow with the
    square of the number of samples.

    **What it leaves.** In the folder of `--out`: `picture.png`, `complex.npz` (the cells, read by `splinescope.open`),
    `loss.npz` (loss, gradient and second derivatives of each cell at its interior point) and `summary.json`, with the
    minima; with `--grid` also `grid.png` and `grid.npz`.

    **Examples.**

    `splinescope landscape net.onnx --data digits --samples 20`

    `splinescope landscape net.py:Net --weights best.pt --data mnist:MNIST --loss cross-entropy --grid 41`

    `splinescope landscape net.npz --data inputs.npy --labels labels.npy --layer dense1 --extent 0.5 --json`
    """
    import torch

    from splinescope.cli.models import read_model, read_module
    from splinescope.cli.samples import read_samples
    from splinescope.landscape import layer_directions, layer_names, loss_grid, loss_plane, random_plane

    memory_budget = size_in_bytes("--memory", memory)
    if not 0 < extent < float("inf"):
        raise InvalidInputError(f"`--extent`: got {extent}; expected a positive number")
    run = Run(out, model, as_json, force)
    given = read_samples(data, labels, indices, samples, mean, std)
    module = None if grid is None else read_module(model, weights)
    network = read_model(model, weights, input_shape, list(given.inputs[:1]), trust=trust)
    inputs = given.of_shape(network.input_shape)
    names = layer_names(network)
    if layer is not None and layer not in names:
        known = ", ".join(map(repr, names))
        raise InvalidInputError(f"`--layer`: there is no layer {layer!r}; expected one of {known}")
    moving = layer if layer is not None else (names[-2] if len(names) > 1 else names[-1])
    sampled: LossGrid | None = None
    with run.computing() as progress:
        found = loss_plane(
            network,
            moving,
            layer_directions(network, moving, generator=torch.Generator().manual_seed(seed)),
            inputs,
            given.targets,
            loss,
            extent=extent,
            verify=verify,
            max_cells=max_cells,
            memory_budget=memory_budget,
            progress=progress,
        )
        if module is not None and grid is not None:
            plane = random_plane(module, generator=torch.Generator().manual_seed(seed))
            axes = _axis(extent, grid)
            pair = torch.from_numpy(inputs), torch.from_numpy(given.targets)
            sampled = loss_grid(module, plane, loss, pair, axes=axes, dtype=torch.float64, progress=progress)
    files: Files = {}
    if picture:
        files["picture"] = (f"picture.{picture_format}", drawing(lambda: _draw(found, title_of(model))))
    files["arrays"] = ("complex.npz", found.cells.save)
    files["loss"] = ("loss.npz", lambda path: _write(path, values=found.values, gradients=found.gradients,
                                                     hessians=found.hessians))  # fmt: skip
    if sampled is not None:
        kept = sampled
        files["grid"] = (f"grid.{picture_format}", drawing(lambda: _draw_grid(kept)))
        files["grid_arrays"] = ("grid.npz", lambda path: _write(path, axis=kept.axes[0], values=kept.values))
    run.leave(network, found.cells.certificate, _facts(found, sampled, network), files, _lines)


def _axis(extent: float, count: int) -> np.ndarray:
    import numpy as np

    return np.linspace(-extent, extent, count)


def _write(path: Path, **arrays: np.ndarray) -> None:
    from splinescope.storage import write_arrays

    write_arrays(path, arrays)


def _draw(found: LossPlane, title: str) -> Axes:
    from splinescope.plotting import plot_loss_plane

    return plot_loss_plane(found, title=f"{title}, layer {found.layer}: {len(found):,} cells", line_width=0.5)


def _draw_grid(grid: LossGrid) -> Axes:
    from splinescope.plotting import plot_landscape

    return plot_landscape(grid)


def _facts(found: LossPlane, grid: LossGrid | None, network: Network) -> Facts:
    """What was found, as plain values for JSON."""
    least = found.global_minimum
    facts: Facts = {
        "layer": found.layer,
        "loss": found.loss,
        "samples": found.samples,
        "cells": len(found),
        "truncated": bool(found.cells.truncated),
        "loss_of_model": float(found([[0.0, 0.0]])[0]),
        "global_minimum": _minimum(least),
        "minima": len(found.minima),
        "least_minima": [_minimum(minimum) for minimum in found.minima[:LISTED]],
        "largest_eigenvalue": float(found.eigenvalues.max()),
        "deviation": found.deviation,
    }
    if grid is not None:
        place, value = grid.lowest
        facts["grid"] = {"points": int(grid.values.size), "lowest": {"point": list(place), "loss": value}}
    return facts


def _minimum(found: object) -> Facts:
    point, value, kind = (getattr(found, name) for name in ("point", "value", "kind"))
    return {"point": list(point), "loss": value, "kind": kind}


def _lines(facts: Facts) -> dict[str, str]:
    """The main facts, for people."""
    least = facts["global_minimum"]
    certificate, part = facts["certificate"], facts["truncated"]
    where = "cells that were cut" if part else "plane"
    lines = {
        "cells": f"{facts['cells']:,} in {facts['seconds']:.2f} s" + (" (truncated)" if facts["truncated"] else ""),
        "plane": f"of layer {facts['layer']}, {facts['loss']} loss of {facts['samples']} samples",
        "loss of the model": f"{facts['loss_of_model']:.6g}",
        f"least on the {where}": f"{least['loss']:.6g} at {_at(least)}",
        "minima": f"{facts['minima']:,} in the open window" + (", as far as it is covered" if part else ""),
        "largest curvature": f"{facts['largest_eigenvalue']:.6g}",
        "certificate": "none" if certificate is None else certificate["level"],
    }
    if "grid" in facts:
        low = facts["grid"]["lowest"]
        lines["grid"] = f"{facts['grid']['points']:,} points of a plane of all parameters, least {low['loss']:.6g}"
    return lines


def _at(minimum: Facts) -> str:
    where = {"cell": "inside of a cell", "side": "on a fold", "corner": "at a corner"}[minimum["kind"]]
    return f"{minimum['point'][0]:.4g}, {minimum['point'][1]:.4g} ({where})"
