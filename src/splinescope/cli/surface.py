"""The command `surface`: the exact level set or decision surface of a network, as a mesh file."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer
from rich.console import Console

from splinescope.cli import options as of
from splinescope.cli.classes import class_numbers
from splinescope.cli.values import shape_of, size_in_bytes
from splinescope.errors import InvalidInputError
from splinescope.storage import json_text, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from splinescope.network import Network
    from splinescope.tessellation.domains import Domain
    from splinescope.tessellation.surface import SurfaceMesh

_WHERE, _WHAT, _HOW = "Where to look", "What to draw", "How to compute, and where to leave it"
Color = Literal["uniform", "pattern", "area", "class"]

Box = Annotated[
    tuple[str, str] | None,
    typer.Option(
        metavar="LOW HIGH",
        help="Lower and upper ends of a box, one number for all inputs or one for each. Inputs with equal ends are "
        "fixed; three must vary. By default -1 1.",
        rich_help_panel=_WHERE,
    ),
]
Point = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="A file with one point, one to four times: a slice of three dimensions through them. Random directions "
        "make up for missing ones.",
        rich_help_panel=_WHERE,
    ),
]
Level = Annotated[float, typer.Option(help="The value that the output takes on the surface.", rich_help_panel=_WHAT)]
Output = Annotated[int, typer.Option(min=0, help="Which output, before the head.", rich_help_panel=_WHAT)]
Decision = Annotated[
    bool, typer.Option("--decision", help="The surface where the class changes, instead.", rich_help_panel=_WHAT)
]
Classes = Annotated[
    str | None,
    typer.Option(
        metavar="I,J,...",
        help="Outputs that compete for the class, by number or name; implies `--decision`.",
        rich_help_panel=_WHAT,
    ),
]
MeshFormat = Annotated[
    Literal["ply", "obj", "stl"], typer.Option("--format", help="File type of the mesh.", rich_help_panel=_WHAT)
]
Triangles = Annotated[
    bool,
    typer.Option("--triangles", help="Cut the polygons of the file into triangles.", rich_help_panel=_WHAT),
]
MeshColor = Annotated[Color, typer.Option(help="What the polygons' colours mean.", rich_help_panel=_WHAT)]
View = Annotated[
    tuple[float, float],
    typer.Option(
        metavar="ELEVATION AZIMUTH", help="From where the picture is taken, in degrees.", rich_help_panel=_WHAT
    ),
]
Up = Annotated[
    int, typer.Option(min=-3, max=3, help="Coordinate that points up; negative if down.", rich_help_panel=_WHAT)
]
Picture = Annotated[bool, typer.Option(help="Draw a picture.", rich_help_panel=_WHAT)]


@dataclass(frozen=True)
class _Wanted:
    """What to compute and leave."""

    level: float
    output: int
    classes: list[int] | None
    decision: bool
    verify: str
    max_cells: int | None
    memory: int | None

    def surface(self, network: Network, domain: Domain, progress: bool) -> SurfaceMesh:
        """The surface."""
        from splinescope.tessellation.surface import decision_surface, level_set

        if self.decision:
            return decision_surface(
                network,
                domain,
                classes=self.classes,
                verify=self.verify,
                max_cells=self.max_cells,
                memory_budget=self.memory,
                progress=progress,
            )
        return level_set(
            network,
            domain,
            level=self.level,
            output=self.output,
            verify=self.verify,
            max_cells=self.max_cells,
            memory_budget=self.memory,
            progress=progress,
        )


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
    color: MeshColor = "uniform",
    view: View = (22.0, -60.0),
    up: Up = 3,
    picture: Picture = True,
    verify: of.Verify = "values",
    max_cells: of.MaxCells = None,
    memory: of.Memory = None,
    out: of.Out = Path("surface"),
    weights: of.Weights = None,
    input_shape: of.InputShape = None,
    as_json: of.Json = False,
) -> None:
    """Find the exact surface on which MODEL takes a value, or its class changes; leave a mesh, a picture and a summary.

    The network is affine on each cell of its tessellation, so that the surface consists of flat polygons, one for each
    cell that it meets: an implicit surface without the errors of a grid. Polygons share their vertices, and the summary
    says whether the mesh is watertight, its Euler characteristic, and the largest distance of the network's output from
    the value at any vertex.

    **What it leaves.** In the folder of `--out`: `surface.ply` (or .obj, .stl), `picture.png` and `summary.json`.

    **Examples.**

    `splinescope surface fox.npz`

    `splinescope surface sdf.onnx --box -1,-1,0 1,1,2 --level 0.05 --format stl`

    `splinescope surface net.onnx --point a.npy --point b.npy --point c.npy --point d.npy --decision --color class`
    """
    from splinescope.cli.models import read_model
    from splinescope.cli.points import read_array
    from splinescope.cli.results import Wanted
    from splinescope.cli.spaces import space_of

    if box is not None and point:
        raise InvalidInputError("`--box`, `--point`: both were given; expected one of them")
    if up == 0:
        raise InvalidInputError("`--up`: got 0; expected 1, 2, 3, -1, -2 or -3")
    wanted = _Wanted(
        level,
        output,
        None,
        decision or classes is not None,
        verify,
        max_cells,
        None if memory is None else size_in_bytes("--memory", memory),
    )
    if color == "class" and not wanted.decision:
        raise InvalidInputError("`--color`: `class` goes with `--decision`; expected uniform, pattern or area")
    Wanted(out=out).make_folder()
    points = [read_array("--point", file) for file in point or ()]
    network = read_model(model, weights, shape_of("--input-shape", input_shape), points)
    wanted = replace(wanted, classes=class_numbers("--classes", classes, network))
    domain = space_of(network.input_shape, box, points, margin, radius, seed)
    started = time.perf_counter()
    mesh = _computed(wanted, network, domain, as_json)
    facts = {"model": model, "seconds": round(time.perf_counter() - started, 3)} | _facts_of(mesh, wanted)
    drawing = (color, view, up, Path(model).name) if picture else None
    _leave(mesh, out, mesh_format, triangles, drawing, facts)
    if as_json:
        typer.echo(json_text(facts))
    else:
        _show(Console(), facts, out)


def _computed(wanted: _Wanted, network: Network, domain: Domain, as_json: bool) -> SurfaceMesh:
    """The surface, with a progress bar for people."""
    from splinescope.cli.terminal import compilation_announced

    with compilation_announced(Console(stderr=True, quiet=as_json)):
        return wanted.surface(network, domain, progress=not as_json and sys.stderr.isatty())


def _facts_of(mesh: SurfaceMesh, wanted: _Wanted) -> dict[str, Any]:
    """What is worth knowing of a surface, as plain numbers for JSON."""
    import numpy as np

    sought: dict[str, Any] = {"level": wanted.level, "output": wanted.output}
    if wanted.decision:
        assert mesh.classes is not None
        pairs, counts = np.unique(mesh.classes, axis=0, return_counts=True)
        between = [{"classes": pair.tolist(), "polygons": int(n)} for pair, n in zip(pairs, counts, strict=True)]
        sought = {"decision": between}
    largest = [mesh.part(index) for index in range(min(10, mesh.num_parts))]
    return sought | {
        "polygons": len(mesh),
        "vertices": len(mesh.vertices),
        "edges": mesh.num_edges,
        "border_edges": len(mesh.border),
        "parts": mesh.num_parts,
        "euler_characteristic": mesh.euler_characteristic,
        "closed": mesh.is_closed,
        "watertight": mesh.is_watertight,
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
        "certificate": mesh.certificate.to_dict(),
    }


def _leave(
    mesh: SurfaceMesh,
    out: Path,
    mesh_format: str,
    triangles: bool,
    drawing: tuple[str, Sequence[float], int, str] | None,
    facts: dict[str, Any],
) -> None:
    """Write the mesh, the picture and the summary."""
    facts["files"] = {"mesh": f"surface.{mesh_format}"}
    (mesh.triangulated() if triangles else mesh).save(out / f"surface.{mesh_format}")
    if drawing is not None:
        facts["files"]["picture"] = "picture.png"
        _draw(mesh, out / "picture.png", *drawing)
    facts["files"]["summary"] = "summary.json"
    write_json(out / "summary.json", facts)


def _draw(mesh: SurfaceMesh, path: Path, color: str, view: Sequence[float], up: int, name: str) -> None:
    """Draw the picture into a file, without a screen."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from splinescope.plotting import save_figure
    from splinescope.plotting.meshes import mesh_title, plot_mesh

    title = f"{name}: {mesh_title(mesh)}"
    ax = plot_mesh(mesh, color=color, elevation=view[0], azimuth=view[1], up=up, title=title)
    figure = cast("Figure", ax.figure)
    try:
        save_figure(figure, path, dpi=220.0)
    finally:
        pyplot.close(figure)


def _show(console: Console, facts: dict[str, Any], out: Path) -> None:
    """Print the main facts."""
    from splinescope.cli.terminal import show_facts

    polygons = f"{facts['polygons']:,} polygons, {facts['vertices']:,} vertices in {facts['seconds']:.2f} s"
    state = "watertight" if facts["watertight"] else f"{facts['border_edges']:,} edges on its border"
    certificate = facts["certificate"]
    checked = certificate["level"]
    if certificate["value_error"] is not None:
        checked += f"; off its value by at most {certificate['value_error']:.1g} at a vertex"
    if certificate["holes"]:
        checked += f"; {certificate['holes']:,} edges end inside the domain, where a budget left out cells"
    lines = {
        "surface": polygons if facts["polygons"] else "empty: the value is not taken in this domain",
        "parts": f"{facts['parts']:,}, Euler characteristic {facts['euler_characteristic']}, {state}",
        "area": f"{facts['area']:.6g}" + (f", enclosing {facts['volume']:.6g}" if facts["closed"] else ""),
        "certificate": checked,
        "left in": f"{out}: {', '.join(facts['files'].values())}",
    }
    if not facts["polygons"]:
        del lines["parts"], lines["area"]
    show_facts(console, lines)
