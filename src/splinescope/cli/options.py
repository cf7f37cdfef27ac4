"""The options of the commands, with their help."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from splinescope.cli.files import present, present_data, present_model

where = partial(typer.Option, rich_help_panel="Where to look")
ask = partial(typer.Option, rich_help_panel="What to ask")
draw = partial(typer.Option, rich_help_panel="What to draw")
how = partial(typer.Option, rich_help_panel="How to compute, and where to leave it")

ColorName = Literal[
    "pattern", "norm", "class", "area", "log-volume", "perimeter", "diameter", "eccentricity", "corners"
]
MODEL_HELP = (
    "A file of type .onnx, .onnx.gz, .pt2, .nnet, or .npz (arrays W0, b0, W1, b1, ... of a ReLU network); or Python "
    "code as file.py:name or package.module:name, where name is a torch.nn.Module, a splinescope Network (which may "
    "have names of classes), or a function without arguments that returns one."
)

Model = Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP, show_default=False, callback=present_model)]
Weights = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="State dict (.pt, .pth, .th) for a MODEL made by Python code. Never runs code.",
        callback=present,
    ),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Read MODEL though it is a .pt2 file, which may run code that it holds. No other kind of file runs any.",
    ),
]
InputShape = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,...", help="Shape of one input without the batch, where the model does not tell: 1,28,28."
    ),
]
_OUTPUT_HELP = "Which output, by name or index, where the model has several."
OutputName = Annotated[str | None, typer.Option("--output", "--output-name", metavar="NAME", help=_OUTPUT_HELP)]
OutputNameOnly = Annotated[str | None, typer.Option("--output-name", metavar="NAME", help=_OUTPUT_HELP)]
Fixed = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Value of a further input, where the model has several: numbers joined by commas, or a file of them, "
        "without the batch; once for each such input.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON, and nothing else, on standard output.")]

Through = Annotated[
    tuple[Path, Path, Path] | None,
    where(metavar="A B C", help="Three files, one point each; the plane goes through them.", callback=present),
]
Point = Annotated[
    list[Path] | None,
    where(
        metavar="FILE",
        help="A file with one point; once, twice or three times. Random directions make up for missing ones.",
        callback=present,
    ),
]
Data = Annotated[
    str | None,
    where(
        metavar="SOURCE",
        help="`digits` (8 x 8 pixels), `mnist:PATH` (MNIST's own files, or their folder), or a .npy, .npz or .csv "
        "file with one point per row. Say which with `--indices`.",
        callback=present_data,
    ),
]
Indices = Annotated[str | None, where(metavar="I,J,K", help="Which points of `--data`, counted from 0: one to three.")]
From = Annotated[
    Path | None,
    where("--from", metavar="A", help="File with the start, or with several starts, one per row.", callback=present),
]
To = Annotated[
    Path | None,
    where("--to", metavar="B", help="File with the end, or with as many ends as starts.", callback=present),
]
PairIndices = Annotated[
    str | None,
    where(metavar="I,J[,I,J...]", help="Which points of `--data`, counted from 0: start and end of each segment."),
]
Box = Annotated[
    tuple[str, str] | None,
    where(
        metavar="LOW HIGH",
        help="Lower and upper ends of a box, one number for all inputs or one for each. Exactly two inputs may vary; "
        "equal ends fix the others. For two inputs it is -1 1 without any other choice.",
    ),
]
Vnnlib = Annotated[
    Path | None,
    where(
        metavar="FILE",
        help="The box of inputs of a property in VNN-LIB, .vnnlib or .vnnlib.gz; of several boxes the first one.",
        callback=present,
    ),
]
Vary = Annotated[
    str | None,
    where(
        metavar="I,J",
        help="Which inputs of the box vary, counted from 0; the others are kept in the middle between their ends.",
    ),
]
Names = Annotated[
    str | None,
    where(metavar="'X,Y'", help="What the two axes are called, with units, as in 'distance (m),speed (m/s)'."),
]
Polygon = Annotated[
    str | None,
    where(
        metavar="'X,Y X,Y ...'",
        help="Corners of a convex polygon in the plane's own coordinates, instead of the square. The first point is at "
        "0,0, the second on the first axis; for two inputs they are the inputs themselves.",
    ),
]
Margin = Annotated[float, where(help="How far the square reaches beyond the points, by its side.")]
Radius = Annotated[
    float | None,
    where(
        metavar="R", help="Distance of random points from the given ones. By default that of two given points, or 1."
    ),
]
Seed = Annotated[int, where(min=0, help="Seed of the random directions.")]
Mean = Annotated[str, where(metavar="M", help="Taken from every point before use: one number, or one per channel.")]
Std = Annotated[str, where(metavar="S", help="Divides every point after that: one number, or one per channel.")]
Color = Annotated[
    ColorName | None,
    draw(
        help="What the cells' colours mean. By default `class` for classifiers; `log-volume`, how much the network "
        "stretches areas, where there are more outputs than inputs or too many for a classifier; else `pattern`, a "
        "colour of its own for each, where cells are few, and `norm` where they are many."
    ),
]
Classes = Annotated[
    str | None,
    draw(
        metavar="I,J,...",
        help="Outputs that compete for the decision boundary and the classes, by number or by the names of the "
        "network's classes; all by default.",
    ),
]
ClassNames = Annotated[
    str | None,
    draw(metavar="A,B,...", help="Names of all classes, in order; or a file with one name in each line."),
]
ColorMap = Annotated[
    str | None, draw("--cmap", metavar="NAME", help="Colour map of numbers, one of matplotlib's: magma, cividis, ...")
]
Log = Annotated[
    bool | None,
    draw("--log/--linear", help="Scale of the colours of numbers; by default what the numbers ask for."),
]
Picture = Annotated[bool, draw(help="Draw a picture.")]
Boundary = Annotated[bool, draw(help="Draw the decision boundary.")]
View = Annotated[
    bool, draw("--view", help="Leave `view.html`, too: a page to look around in, which any browser opens from disk.")
]
Format = Annotated[Literal["png", "svg", "pdf"], draw("--format", help="File type of the picture.")]
Verify = Annotated[
    Literal["topology", "values", "proof"],
    how(
        help="What is checked: that the cells fill the polygon; also that the model agrees inside every cell; also "
        "that no fold was missed."
    ),
]
MaxCells = Annotated[int | None, how(metavar="N", min=1, help="Stop refining at so many cells; they are still exact.")]
Memory = Annotated[str | None, how(metavar="SIZE", help="Memory for the values at vertices: 500M, 4G.")]
Device = Annotated[
    str | None,
    how(metavar="NAME", help="Device of torch for large products of layers: cuda, cuda:1."),
]
Store = Annotated[Path | None, how(metavar="DIR", help="Folder for finished parts, for more cells than fit in memory.")]
Out = Annotated[Path, how(metavar="DIR", help="Folder for the results; made if missing.")]
Profiled = Annotated[
    bool,
    how(
        "--profile",
        help="Say where the time goes: by phase, and by node of the network beside a forward pass in float64 "
        "at one point of each cell.",
    ),
]
Force = Annotated[bool, how("--force", help="Overwrite a result that is in the folder already.")]
