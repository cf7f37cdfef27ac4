"""The options of the commands, with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

_WHERE, _WHAT, _HOW = "Where to look", "What to draw", "How to compute, and where to leave it"
ColorName = Literal["pattern", "norm", "class", "area", "perimeter", "diameter", "eccentricity", "corners"]
_MODEL_HELP = (
    "A file of type .onnx, .onnx.gz, .pt2, .nnet, or .npz (arrays W0, b0, W1, b1, ... of a ReLU network); or Python "
    "code as file.py:name or package.module:name, where name is a torch.nn.Module, a splinescope Network (which may "
    "have names of classes), or a function without arguments that returns one."
)

Model = Annotated[str, typer.Argument(metavar="MODEL", help=_MODEL_HELP, show_default=False)]
Weights = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="State dict (.pt, .pth) for a MODEL made by Python code. Never runs code."),
]
InputShape = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,...", help="Shape of one input without the batch, where the model does not tell: 1,28,28."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON, and nothing else, on standard output.")]

Through = Annotated[
    tuple[Path, Path, Path] | None,
    typer.Option(
        metavar="A B C", help="Three files, one point each; the plane goes through them.", rich_help_panel=_WHERE
    ),
]
Point = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="A file with one point; once, twice or three times. Random directions make up for missing ones.",
        rich_help_panel=_WHERE,
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        metavar="SOURCE",
        help="`digits` (8 x 8 pixels), `mnist:PATH` (MNIST's own files, or their folder), or a .npy, .npz or .csv "
        "file with one point per row. Say which with `--indices`.",
        rich_help_panel=_WHERE,
    ),
]
Indices = Annotated[
    str | None,
    typer.Option(
        metavar="I,J,K", help="Which points of `--data`, counted from 0: one to three.", rich_help_panel=_WHERE
    ),
]
Box = Annotated[
    tuple[str, str] | None,
    typer.Option(
        metavar="LOW HIGH",
        help="For two inputs: lower and upper corner of a rectangle, one number for both coordinates or x,y. "
        "Without any other choice it is -1 1.",
        rich_help_panel=_WHERE,
    ),
]
Polygon = Annotated[
    str | None,
    typer.Option(
        metavar="'X,Y X,Y ...'",
        help="Corners of a convex polygon in the plane's own coordinates, instead of the square. The first point is at "
        "0,0, the second on the first axis; for two inputs they are the inputs themselves.",
        rich_help_panel=_WHERE,
    ),
]
Margin = Annotated[
    float, typer.Option(help="How far the square reaches beyond the points, by its side.", rich_help_panel=_WHERE)
]
Radius = Annotated[
    float | None,
    typer.Option(
        metavar="R",
        help="Distance of random points from the given ones. By default that of two given points, or 1.",
        rich_help_panel=_WHERE,
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the random directions.", rich_help_panel=_WHERE)]
Mean = Annotated[
    str,
    typer.Option(
        metavar="M", help="Taken from every point before use: one number, or one per channel.", rich_help_panel=_WHERE
    ),
]
Std = Annotated[
    str,
    typer.Option(
        metavar="S", help="Divides every point after that: one number, or one per channel.", rich_help_panel=_WHERE
    ),
]
Color = Annotated[
    ColorName,
    typer.Option(help="What the cells' colours mean; `pattern` gives each its own.", rich_help_panel=_WHAT),
]
Classes = Annotated[
    str | None,
    typer.Option(
        metavar="I,J,...",
        help="Outputs that compete for the decision boundary and the classes, by number or by the names of the "
        "network's classes; all by default.",
        rich_help_panel=_WHAT,
    ),
]
Boundary = Annotated[bool, typer.Option(help="Draw the decision boundary.", rich_help_panel=_WHAT)]
Format = Annotated[
    Literal["png", "svg", "pdf"], typer.Option("--format", help="File type of the picture.", rich_help_panel=_WHAT)
]
Verify = Annotated[
    Literal["topology", "values", "proof"],
    typer.Option(
        help="What is checked: that the cells fill the polygon; also that the model agrees inside every cell; also "
        "that no fold was missed.",
        rich_help_panel=_HOW,
    ),
]
MaxCells = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="Stop refining at so many cells; they are still exact.", rich_help_panel=_HOW
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Memory for the values at vertices: 500M, 4G.", rich_help_panel=_HOW),
]
Store = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Folder for finished parts, for more cells than fit in memory.", rich_help_panel=_HOW
    ),
]
Out = Annotated[
    Path, typer.Option(metavar="DIR", help="Folder for the results; made if missing.", rich_help_panel=_HOW)
]
