"""The command `view`: a page to look around in, of cells that another command left, or of frames of a training run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from splinescope.cli import options as of
from splinescope.errors import InvalidInputError

_PAGES = (".html", ".htm")
"""Files that a new page may take the place of."""

Results = Annotated[
    list[Path],
    typer.Argument(
        metavar="RESULT...",
        help="A file of cells (.npz), the folder that `splinescope slice` left, or a folder of such files; several are "
        "frames in their order.",
    ),
]
Out = Annotated[Path | None, of.how("--out", metavar="FILE", help="The page; without it `view.html` beside the cells.")]
Show = Annotated[bool, of.draw("--open/--no-open", help="Show it in the browser.")]
Color = Annotated[
    str, of.draw("--color", help="What cells are coloured by at first: pattern, class, norm, area, volume or none.")
]

Linked = Annotated[
    bool, of.draw("--linked/--frames", help="Several results side by side, linked, instead of behind a slider.")
]


def view(
    results: Results, out: Out = None, color: Color = "pattern", linked: Linked = False, show: Show = True
) -> None:
    """Make a page of the cells of RESULT that any browser opens from disk, and open it.

    Cells under the pointer say their pattern, class, norm and map; a cell is found by its number or by a point;
    colours, folds of each layer and the decision boundary can be chosen; the view is saved as PNG or SVG. Segments show
    outputs and margin along them; cells of three dimensions are turned and cut; several results get a
    slider, or stand side by side with `--linked`, where pointing at a place in one points at it in all.

    **Examples.**

    `splinescope view slice`

    `splinescope view slice/complex.npz --color class --no-open --out page.html`

    `splinescope view run/frames`

    `splinescope view before/complex.npz after/complex.npz`

    `splinescope view plane solid --linked`
    """
    import webbrowser

    import splinescope
    from splinescope.progress import reporting
    from splinescope.viewer import explore, explore_frames, explore_linked

    files = [file for result in results for file in _files(result)]
    page = out or files[0].with_name("view.html")
    if page.exists() and page.suffix.lower() not in _PAGES:
        raise InvalidInputError(f"`--out`: {page} is there and is no page; expected a name that ends in .html")
    if linked and len(files) == 1:
        raise InvalidInputError("`--linked`: got one result; expected two or more, side by side")
    if len(files) == 1:
        explore(splinescope.open(files[0]), page, color=color)
    elif linked:
        explore_linked(dict(zip(_names(files), files, strict=True)), page, color=color)
    else:
        with reporting(True, unit="frames") as progress:
            explore_frames(dict(zip(_names(files), files, strict=True)), page, color=color, progress=progress)
    typer.echo(str(page))
    if show:
        webbrowser.open(page.resolve().as_uri())


def _files(result: Path) -> list[Path]:
    """The files of cells of a result."""
    if result.is_file():
        return [result]
    if (result / "complex.npz").is_file():
        return [result / "complex.npz"]
    inside = result / "frames" if (result / "frames").is_dir() else result
    found = sorted(inside.glob("*.npz"), key=_in_order) if inside.is_dir() else []
    if not found:
        raise InvalidInputError(
            f"`RESULT`: there are no cells at {result}; expected a file of cells, or a folder with some, as "
            "`splinescope slice` leaves one"
        )
    return found


def _in_order(path: Path) -> list[tuple[int, str]]:
    """What files are sorted by: numbers in their names count as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.stem)]


def _names(files: list[Path]) -> list[str]:
    """What frames are called: by their files, or by their folders where all files have one name."""
    stems = [file.stem for file in files]
    if len(set(stems)) == len(files):
        return stems
    folders = [file.parent.name for file in files]
    return folders if len(set(folders)) == len(files) else [str(file) for file in files]
