"""The command `regions`: count the cells of a network in a domain of any dimension, and leave their graph."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from splinescope.cli import options as of
from splinescope.cli.values import Shape, numbers, shape_of, whole_numbers
from splinescope.errors import InvalidInputError
from splinescope.storage import json_text, write_json

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import numpy as np

    from splinescope.tessellation.domains import Domain
    from splinescope.tessellation.region_graph import RegionGraph

_WHERE, _HOW = "Where to look", "How to compute, and where to leave it"

Box = Annotated[
    tuple[str, str] | None,
    typer.Option(
        metavar="LOW HIGH",
        help="Lower and upper ends of a box of inputs, one number for all inputs or one for each. Inputs with equal "
        "ends are fixed. Without any other choice it is -1 1.",
        rich_help_panel=_WHERE,
    ),
]
Point = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="A file with one point. One point with `--radius` and no `--dimension`: the box of all inputs within that "
        "distance in every coordinate. Else a slice through one to four points.",
        rich_help_panel=_WHERE,
    ),
]
Dimension = Annotated[
    int | None,
    typer.Option(
        metavar="D",
        min=2,
        help="Dimension of the slice; random directions make up for missing points.",
        rich_help_panel=_WHERE,
    ),
]
Start = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="A file with inputs of the domain to start from, one or one per row; else its centre.",
        rich_help_panel=_WHERE,
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Stop after so long; what was found is exact.", rich_help_panel=_HOW),
]
MaxCells = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Stop after so many cells; they are exact.", rich_help_panel=_HOW),
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Save the search there, now and then and at the end (.npz).", rich_help_panel=_HOW
    ),
]
Resume = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Go on from such a file, with the same model and domain.", rich_help_panel=_HOW),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="Processes that share the work; else threads of this one.", rich_help_panel=_HOW
    ),
]


@dataclass(frozen=True)
class _Where:
    """The options that say where to look, as the user gave them."""

    box: tuple[str, str] | None
    files: tuple[tuple[str, Path], ...]
    data: str | None
    indices: str | None
    dimension: int | None
    margin: float
    radius: float | None
    seed: int
    mean: str
    std: str

    def points(self) -> list[np.ndarray]:
        """The points given, in their own shapes."""
        from splinescope.cli.points import normalise, read_array, read_data

        kinds = [name for name in ("--through", "--point") if any(name == option for option, _ in self.files)]
        given = [*kinds, *(["--data"] if self.data else []), *(["--box"] if self.box else [])]
        if len(given) > 1:
            raise InvalidInputError(f"`{given[0]}`, `{given[1]}`: both were given; expected one of them")
        if (self.data is None) != (self.indices is None):
            raise InvalidInputError("`--data`, `--indices`: only one was given; expected both, as in digits and 3,7,11")
        if self.data is not None and self.indices is not None:
            points = read_data(self.data, whole_numbers("--indices", self.indices))
        else:
            points = [read_array(option, file) for option, file in self.files]
        if len(points) > 4:
            raise InvalidInputError(f"`{given[0]}`: got {len(points)} points; expected one to four")
        return normalise(points, self.mean, self.std)

    def domain(self, shape: Shape, points: Sequence[np.ndarray]) -> Domain:
        """The domain in a network's input space."""
        import numpy as np

        from splinescope.cli.points import fit_points
        from splinescope.tessellation.domains import Box, Slice

        if self.radius is not None and not 0 < self.radius < math.inf:
            raise InvalidInputError(f"`--radius`: got {self.radius}; expected a positive number")
        if not points:
            if self.dimension is not None:
                raise InvalidInputError(
                    "`--dimension`: it goes with points; expected `--point`, `--through` or `--data`"
                )
            low, high = (_ends(text, shape) for text in self.box or ("-1", "1"))
            return Box(low, high)
        fitted = fit_points(points, shape)
        if len(fitted) == 1 and self.dimension is None:
            if self.radius is None:
                raise InvalidInputError(
                    "`--radius`: one point needs one, for the box around it; or `--dimension`, for a slice through it"
                )
            return Box(fitted[0] - self.radius, fitted[0] + self.radius)
        x = [*fitted, None, None, None][:4]
        generator = np.random.default_rng(self.seed)
        dimension = self.dimension or max(2, len(fitted) - 1)
        return Slice.through(
            x[0], x[1], x[2], self.margin, x3=x[3], dimension=dimension, radius=self.radius, generator=generator
        )


def _ends(text: str, shape: Shape) -> np.ndarray:
    import numpy as np

    ends, size = numbers("--box", text), math.prod(shape)
    if len(ends) not in (1, size):
        raise InvalidInputError(f"`--box`: got {len(ends)} numbers; expected one, or one for each of {size} inputs")
    return np.broadcast_to(np.array(ends), size).reshape(shape)


def regions(
    model: of.Model,
    box: Box = None,
    through: of.Through = None,
    point: Point = None,
    data: of.Data = None,
    indices: of.Indices = None,
    dimension: Dimension = None,
    margin: of.Margin = 0.2,
    radius: of.Radius = None,
    seed: of.Seed = 0,
    mean: of.Mean = "0",
    std: of.Std = "1",
    start: Start = None,
    verify: of.Verify = "values",
    max_cells: MaxCells = None,
    time_limit: TimeLimit = None,
    checkpoint: Checkpoint = None,
    resume: Resume = None,
    workers: Workers = None,
    out: of.Out = Path("regions"),
    weights: of.Weights = None,
    input_shape: of.InputShape = None,
    as_json: of.Json = False,
) -> None:
    """Count MODEL's cells in a box or slice of any dimension, and leave the graph of their neighbours.

    The search starts at the centre of the domain, or at inputs of yours, finds the facets of each cell by linear
    programs and crosses them. If it ends by itself, all cells have been found. With a limit, or when interrupted, it
    leaves what it found and says between which bounds the number of cells lies.

    **What it leaves.** In the folder of `--out`: `graph.npz` (half-spaces, neighbours, interior points and patterns,
    read by `splinescope.open`) and `summary.json`.

    **Examples.**

    `splinescope regions controller.onnx --box -0.1 0.1`

    `splinescope regions net.onnx --point digit.npy --radius 1 --dimension 3 --time-limit 60 --checkpoint search.npz`

    `splinescope regions net.onnx --point digit.npy --radius 1 --dimension 3 --resume search.npz --workers 8`
    """
    from splinescope.cli.models import read_model
    from splinescope.cli.results import Wanted

    Wanted(out=out).make_folder()
    files = [("--through", file) for file in through or ()] + [("--point", file) for file in point or ()]
    where = _Where(box, tuple(files), data, indices, dimension, margin, radius, seed, mean, std)
    points = where.points()
    network = read_model(model, weights, shape_of("--input-shape", input_shape), points)
    domain = where.domain(network.input_shape, points)
    options: dict[str, Any] = {
        "starts": _starts(start, network.input_shape, mean, std),
        "max_cells": max_cells,
        "time_limit": time_limit,
        "checkpoint": checkpoint,
        "resume": resume,
        "verify": verify,
        "progress": not as_json and sys.stderr.isatty(),
    }
    started = time.perf_counter()
    with _announced(as_json), _pool(workers) as executor:
        graph = _searched(network, domain, executor, options)
    facts = {"model": model, "seconds": round(time.perf_counter() - started, 3)} | _facts_of(graph)
    _leave(graph, out, facts)
    if as_json:
        typer.echo(json_text(facts))
    else:
        _show(Console(), facts, out)


def _searched(network: Any, domain: Domain, executor: Executor | None, options: dict[str, Any]) -> RegionGraph:
    from splinescope.tessellation.region_graph import region_graph

    return region_graph(network, domain, executor=executor, **options)


@contextmanager
def _announced(quiet: bool) -> Iterator[None]:
    from splinescope.cli.terminal import compilation_announced

    with compilation_announced(Console(stderr=True, quiet=quiet)):
        yield


@contextmanager
def _pool(workers: int | None) -> Iterator[Executor | None]:
    """A pool of fresh processes: copies of one that already has threads could wait for each other for ever."""
    if workers is None:
        yield None
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield pool


def _starts(files: Sequence[Path] | None, shape: Shape, mean: str, std: str) -> np.ndarray | None:
    """Inputs to start from, of all files."""
    if not files:
        return None
    import numpy as np

    from splinescope.cli.points import fit_points, normalise, read_array

    found: list[np.ndarray] = []
    for file in files:
        array = read_array("--start", file)
        single = array.size == math.prod(shape)
        found += normalise(fit_points([array] if single else list(array), shape), mean, std)
    return np.stack(found)


def _facts_of(graph: RegionGraph) -> dict[str, Any]:
    """What is worth knowing of a graph, as plain numbers for JSON."""
    import numpy as np

    import splinescope
    from splinescope.cli.summary import describe_network

    degrees, counts = np.unique(graph.degrees, return_counts=True)
    radii = graph.chebyshev_radii
    network = describe_network(graph.network)
    del network["nodes"]  # `splinescope info` lists them
    return {
        "cells": len(graph),
        "complete": graph.complete,
        "lower_bound": graph.lower_bound,
        "upper_bound": graph.upper_bound,
        "dimension": graph.dimension,
        "facets": int((graph.facet_neighbours >= 0).sum()) // 2,
        "mean_degree": graph.mean_degree,
        "degrees": {str(degree): int(count) for degree, count in zip(degrees, counts, strict=True)},
        "radii": {"min": float(radii.min()), "median": float(np.median(radii)), "max": float(radii.max())},
        "doubts": asdict(graph.doubts),
        "domain": {
            "kind": type(graph.domain).__name__,
            "input_shape": list(graph.domain.input_shape),
            "size": graph.domain.size,
            "centre": graph.domain.centre.tolist(),
        },
        "network": network,
        "versions": {"splinescope": splinescope.__version__, "numpy": np.__version__},
        "certificate": None if graph.certificate is None else graph.certificate.to_dict(),
    }


def _leave(graph: RegionGraph, out: Path, facts: dict[str, Any]) -> None:
    """Write the graph and the summary."""
    graph.save(out / "graph.npz")
    facts["files"] = {"graph": "graph.npz", "summary": "summary.json"}
    write_json(out / "summary.json", facts)


def _show(console: Console, facts: dict[str, Any], out: Path) -> None:
    """Print the main facts."""
    from splinescope.cli.terminal import show_facts

    found = f"{facts['cells']:,} in {facts['dimension']} dimensions in {facts['seconds']:.2f} s"
    if facts["complete"]:
        found += "; that is all of them"
    else:
        found += f" (incomplete); there are at most {_round(facts['upper_bound'])}"
    certificate = facts["certificate"]
    doubts = {name: count for name, count in facts["doubts"].items() if count}
    lines = {
        "cells": found,
        "neighbours": f"{facts['mean_degree']:.2f} on average, {facts['facets']:,} common facets",
        "degrees": ", ".join(f"{degree}: {count:,}" for degree, count in facts["degrees"].items()),
        "largest ball": f"median radius {facts['radii']['median']:.3g}, smallest {facts['radii']['min']:.3g}",
        "certificate": f"{certificate['level']}; {certificate['sampled_points']:,} random points looked up"
        if certificate["sampled_points"]
        else certificate["level"],
        "left in": f"{out}: {', '.join(facts['files'].values())}",
    }
    if doubts:
        lines["not told apart"] = ", ".join(f"{name.replace('_', ' ')}: {count:,}" for name, count in doubts.items())
    show_facts(console, lines)


def _round(count: int) -> str:
    """A number that may have hundreds of digits."""
    return f"{count:,}" if count < 10**9 else f"10^{math.log10(count):.1f}"
