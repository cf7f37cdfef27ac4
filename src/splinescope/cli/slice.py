"""The command `slice`: the exact tessellation in a plane of the input space."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from splinescope.cli import options as of
from splinescope.cli.classes import class_numbers, named
from splinescope.cli.plane_result import Picture, leave_cells
from splinescope.cli.run import Run, title_of
from splinescope.cli.values import size_in_bytes

if TYPE_CHECKING:
    from splinescope.network import Network
    from splinescope.tessellation.domains import Slice

_LONG = 20.0
"""Seconds from which what is to come is said before it begins."""

_UNITS = 300
"""Units up to which networks are too small for that."""


def slice_(
    model: of.Model,
    through: of.Through = None,
    point: of.Point = None,
    data: of.Data = None,
    indices: of.Indices = None,
    box: of.Box = None,
    vnnlib: of.Vnnlib = None,
    vary: of.Vary = None,
    names: of.Names = None,
    polygon: of.Polygon = None,
    margin: of.Margin = 0.2,
    radius: of.Radius = None,
    seed: of.Seed = 0,
    mean: of.Mean = "0",
    std: of.Std = "1",
    color: of.Color = None,
    classes: of.Classes = None,
    class_names: of.ClassNames = None,
    cmap: of.ColorMap = None,
    log: of.Log = None,
    boundary: of.Boundary = True,
    picture_format: of.Format = "png",
    view: of.View = False,
    verify: of.Verify = "values",
    max_cells: of.MaxCells = None,
    memory: of.Memory = None,
    device: of.Device = None,
    store: of.Store = None,
    out: of.Out = Path("slice"),
    weights: of.Weights = None,
    trust: of.Trust = False,
    input_shape: of.InputShape = None,
    output: of.OutputName = None,
    fixed: of.Fixed = None,
    force: of.Force = False,
    profile: of.Profiled = False,
    as_json: of.Json = False,
) -> None:
    """Cut MODEL's exact tessellation in a plane of its input space; leave a picture, the arrays and a summary.

    **Where to look.** Three points span a plane; their files are .npy, .npz, .csv or .png, one point each. Fewer
    points are made up for by random directions. A network of two inputs is its own plane: no points are needed; of
    others `--box` or the box of a property takes the plane of two inputs, with the others fixed.

    **What it leaves.** In the folder of `--out`: `picture.png`, `complex.npz` (the cells as arrays, read by
    `splinescope.open`), `boundary.npz` (the exact decision boundary) and `summary.json`.

    **Examples.**

    `splinescope slice net.onnx --through a.npy b.npy c.npy`

    `splinescope slice net.onnx --data mnist:~/mnist --indices 3,7,11 --color class`

    `splinescope slice nets.py:Classifier --weights best.pt --input-shape 1,28,28 --point seven.png --radius 5`

    `splinescope slice controller.nnet --box -1,0,-1 1,0,1 --names "distance (m),speed (m/s)"`

    `splinescope slice acasxu.onnx --vnnlib prop_1.vnnlib.gz --vary 0,1 --max-cells 100000 --json`
    """
    from splinescope.cli.domains import Where
    from splinescope.cli.models import read_model
    from splinescope.cli.profile import facts_of
    from splinescope.cli.values import colormap
    from splinescope.profiling import profiling
    from splinescope.tessellation.planar.engine import tessellate_slice

    memory_budget = size_in_bytes("--memory", memory)
    run = Run(out, model, as_json, force)
    where = Where(
        through,
        point,
        data,
        indices,
        box,
        polygon,
        margin,
        radius,
        seed,
        mean,
        std,
        vnnlib=vnnlib,
        vary=vary,
        names=names,
    )
    points = where.points(most=3)
    network = read_model(model, weights, input_shape, points, trust=trust, output=output, fixed=fixed)
    network = named(network, class_names)
    chosen = class_numbers("--classes", classes, network)
    picture = Picture(title_of(model), color, chosen, boundary, picture_format, view, colormap(cmap), log)
    plane = where.plane(network.input_shape, points)
    if not as_json:
        _announce(network, plane, verify, max_cells)
    with profiling() as times:
        with run.computing(device) as progress:
            cells = tessellate_slice(
                network,
                plane,
                verify=verify,
                max_cells=max_cells,
                memory_budget=memory_budget,
                store=store,
                progress=progress,
            )
        run.profiled = (lambda: facts_of(times, cells)) if profile else None
        leave_cells(run, cells, picture)


def _announce(network: Network, plane: Slice, verify: str, max_cells: int | None) -> None:
    """Say what is to come, if it takes long."""
    from splinescope.cli.values import duration, size_in_words
    from splinescope.tessellation.planar.forecast import forecast

    if network.num_units <= _UNITS:
        return
    found = forecast(network, plane, verify=verify)
    if found is None or found.seconds < _LONG or (max_cells is not None and max_cells < found.cells):
        return
    count = float(f"{found.cells:.1g}")
    what = f"about {count:,.0f} cells, {duration(found.seconds)}, {size_in_words(found.nbytes)}"
    typer.echo(f"{what}; --max-cells, --margin or --radius make it less, Ctrl-C keeps what is finished", err=True)
