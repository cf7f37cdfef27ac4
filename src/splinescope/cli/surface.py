"""The command `surface`: the exact level set or decision surface of a network, as a mesh file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from splinescope.cli import options as of
from splinescope.cli.classes import class_numbers
from splinescope.cli.run import Facts, Files, Run, drawing, title_of
from splinescope.cli.values import size_in_bytes
from splinescope.errors import InvalidInputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.tessellation.surface import SurfaceMesh

Box = Annotated[
    tuple[str, str] | None,
    of.where(
        metavar="LOW HIGH",
        help="Lower and upper ends of a box, one number for all inputs or one for each. Inputs with equal ends are "
        "fixed; three must vary. By default -1 1.",
    ),
]
Point = Annotated[
    list[Path] | None,
    of.where(
        metavar="FILE",
        help="A file with one point, one to four times: a slice of three dimensions through them. Random directions "
        "make up for missing ones.",
        callback=of.present,
    ),
]
Level = Annotated[float, of.draw(help="The value that the output takes on the surface.")]
Output = Annotated[int, of.draw(min=0, help="Which output, before the head.")]
Decision = Annotated[bool, of.draw("--decision", help="The surface where the class changes, instead.")]
Classes = Annotated[
    str | None,
    of.draw(metavar="I,J,...", help="Outputs that compete for the class, by number or name; implies `--decision`."),
]
MeshFormat = Annotated[Literal["ply", "obj", "stl"], of.draw("--format", help="File type of the mesh.")]
Triangles = Annotated[bool, of.draw("--triangles", help="Cut the polygons of the file into triangles.")]
Color = Annotated[Literal["uniform", "pattern", "area", "class"], of.draw(help="What the polygons' colours mean.")]
View = Annotated[
    tuple[float, float],
    of.draw(metavar="ELEVATION AZIMUTH", help="From where the picture is taken, in degrees."),
]
PageOption = Annotated[
    bool, of.draw("--page", help="Leave `view.html`, too: a page to turn the surface in, which any browser opens.")
]
Up = Annotated[int, of.draw(min=-3, max=3, help="Coordinate that points up; negative if down.")]


def surface(
    model: of.Model,
    box: Box = None,
    point: Point = None,
    margin: of.Margin = 0.2,
    radius: of.Radius = None,
    seed: of.Seed = 0,
    level: Level = 0.0,
    output: Output = 0,
    decision: Decision = False,
    classes: Classes = None,
    mesh_format: MeshFormat = "ply",
    triangles: Triangles = False,
    color: Color = "uniform",
    view: View = (22.0, -60.0),
    up: Up = 3,
    picture: of.Picture = True,
    page: PageOption = False,
    verify: of.Verify = "values",
    max_cells: of.MaxCells = None,
    memory: of.Memory = None,
    device: of.Device = None,
    out: of.Out = Path("surface"),
    weights: of.Weights = None,
    trust: of.Trust = False,
    input_shape: of.InputShape = None,
    output_name: of.OutputNameOnly = None,
    fixed: of.Fixed = None,
    force: of.Force = False,
    as_json: of.Json = False,
) -> None:
    """Find the exact surface on which MODEL takes a value, or its class changes; leave a mesh, a picture and a summary.

    The network is affine on each cell of its tessellation, so that the surface consists of flat polygons, one for each
    cell that it meets: an implicit surface without the errors of a grid. Polygons share their vertices, and the summary
    says whether the mesh is watertight, its Euler characteristic, and the largest distance of the network's output from
    the value at any vertex.

    **What it leaves.** In the folder of `--out`: `surface.ply` (or .obj, .stl), `picture.png`, `summary.json`, and with
    `--page` the page `view.html`.

    **Examples.**

    `splinescope surface fox.npz`

    `splinescope surface sdf.onnx --box -1,-1,0 1,1,2 --level 0.05 --format stl`

    `splinescope surface net.onnx --point a.npy --point b.npy --point c.npy --point d.npy --decision --color class`
    """
    from splinescope.cli.domains import Where
    from splinescope.cli.models import read_model
    from splinescope.tessellation.surface import decision_surface, level_set

    if up == 0:
        raise InvalidInputError("`--up`: got 0; expected 1, 2, 3, -1, -2 or -3")
    decision = decision or classes is not None
    if color == "class" and not decision:
        raise InvalidInputError("`--color`: `class` goes with `--decision`; expected uniform, pattern or area")
    options: dict[str, Any] = {
        "verify": verify, "max_cells": max_cells, "memory_budget": size_in_bytes("--memory", memory)
    }  # fmt: skip
    run = Run(out, model, as_json, force)
    where = Where(point=point, box=box, margin=margin, radius=radius, seed=seed)
    points = where.points(most=4)
    network = read_model(model, weights, input_shape, points, trust=trust, output=output_name, fixed=fixed)
    competing = class_numbers("--classes", classes, network)
    space = where.space(network.input_shape, points)
    with run.computing(device) as progress:
        if decision:
            mesh = decision_surface(network, space, classes=competing, progress=progress, **options)
        else:
            mesh = level_set(network, space, level=level, output=output, progress=progress, **options)
    sought = {"decision": _pairs(mesh)} if decision else {"level": level, "output": output}
    saved = mesh.triangulated() if triangles else mesh
    files: Files = {"mesh": (f"surface.{mesh_format}", saved.save)}
    if picture:
        drawn = drawing(lambda: _draw(mesh, color, view, up, title_of(model)), dpi=220.0)
        files["picture"] = ("picture.png", drawn)
    if page:
        files["view"] = ("view.html", lambda path: _explore(mesh, path, color, title_of(model)))
    run.leave(network, mesh.certificate, sought | _facts(mesh), files, _lines)


def _explore(mesh: SurfaceMesh, path: Path, color: str, title: str) -> None:
    """Write the page; it starts with the colours of the picture, or with the parts."""
    from splinescope.viewer import explore

    explore(mesh, path, color="part" if color == "uniform" else color, title=title)


def _pairs(mesh: SurfaceMesh) -> list[dict[str, Any]]:
    """Which classes meet, and on how many polygons."""
    pairs, counts = np.unique(np.asarray(mesh.classes), axis=0, return_counts=True)
    return [{"classes": pair.tolist(), "polygons": int(n)} for pair, n in zip(pairs, counts, strict=True)]


def _facts(mesh: SurfaceMesh) -> Facts:
    """What is worth knowing of a surface, as plain values for JSON."""
    largest = [mesh.part(index) for index in range(min(10, mesh.num_parts))]
    return {
        "polygons": len(mesh),
        "vertices": len(mesh.vertices),
        "edges": mesh.num_edges,
        "border_edges": len(mesh.border),
        "parts": mesh.num_parts,
        "euler_characteristic": mesh.euler_characteristic,
        "closed": mesh.is_closed,
        "watertight": mesh.is_watertight,
        "truncated": mesh.truncated,
        "area": mesh.area,
        "volume": mesh.volume,
        "largest_parts": [
            {
                "polygons": len(part),
                "euler_characteristic": part.euler_characteristic,
                "closed": part.is_closed,
                "area": part.area,
                "volume": part.volume,
            }
            for part in largest
        ],
        "bounds": [mesh.vertices.min(axis=0).tolist(), mesh.vertices.max(axis=0).tolist()] if len(mesh) else None,
    }


def _draw(mesh: SurfaceMesh, color: str, view: tuple[float, float], up: int, name: str) -> Axes:
    """The mesh in perspective."""
    from splinescope.plotting.meshes import mesh_title, plot_mesh

    title = f"{name}: {mesh_title(mesh)}"
    return plot_mesh(mesh, color=color, elevation=view[0], azimuth=view[1], up=up, title=title)


def _lines(facts: Facts) -> dict[str, str]:
    """The main facts, for people."""
    polygons = f"{facts['polygons']:,} polygons, {facts['vertices']:,} vertices in {facts['seconds']:.2f} s"
    empty = "empty: the value is not taken in this domain"
    if facts["truncated"]:
        polygons, empty = f"at least {polygons} (truncated)", "none in the cells that were found, which are not all"
    state = "watertight" if facts["watertight"] else f"{facts['border_edges']:,} edges on its border"
    certificate = facts["certificate"]
    checked = certificate["level"]
    if certificate["value_error"] is not None:
        checked += f"; off its value by at most {certificate['value_error']:.1g} at a vertex"
    if certificate["holes"]:
        checked += f"; {certificate['holes']:,} edges end inside the domain, where cells are missing"
    lines = {
        "surface": polygons if facts["polygons"] else empty,
        "parts": f"{facts['parts']:,}, Euler characteristic {facts['euler_characteristic']}, {state}",
        "area": f"{facts['area']:.6g}" + (f", enclosing {facts['volume']:.6g}" if facts["closed"] else ""),
        "certificate": checked,
    }
    if not facts["polygons"]:
        del lines["parts"], lines["area"]
    return lines
