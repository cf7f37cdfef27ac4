"""The command `view`: a page to look around in, of cells that another command left."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from splinescope.cli import options as of
from splinescope.errors import InvalidInputError

Result = Annotated[
    Path, typer.Argument(metavar="RESULT", help="A file of cells (.npz), or the folder that `splinescope slice` left.")
]
Out = Annotated[Path | None, of.how("--out", metavar="FILE", help="The page; without it `view.html` beside the cells.")]
Show = Annotated[bool, of.draw("--open/--no-open", help="Show it in the browser.")]
Color = Annotated[
    str, of.draw("--color", help="What cells are coloured by at first: pattern, class, norm, area or none.")
]


def view(result: Result, out: Out = None, color: Color = "pattern", show: Show = True) -> None:
    """Make a page of the cells of RESULT that any browser opens from disk, and open it.

    Cells under the pointer say their pattern, class, norm and map; a cell is found by its number or by a point;
    colours, folds of each layer and the decision boundary can be chosen; the view is saved as PNG or SVG.

    **Examples.**

    `splinescope view slice`

    `splinescope view slice/complex.npz --color class --no-open --out page.html`
    """
    import webbrowser

    import splinescope
    from splinescope.viewer import explore

    file = result / "complex.npz" if result.is_dir() else result
    if not file.is_file():
        raise InvalidInputError(f"`RESULT`: there is no {file}; expected cells that `splinescope slice` left")
    page = out or file.with_name("view.html")
    explore(splinescope.open(file), page, color=color)
    typer.echo(str(page))
    if show:
        webbrowser.open(page.resolve().as_uri())
