"""The command `topology`: parts and holes of the regions of classes, or of data from layer to layer."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from splinescope.cli import options as of
from splinescope.cli.classes import class_name
from splinescope.cli.run import Facts, Files, Run, drawing, title_of
from splinescope.errors import InvalidInputError

if TYPE_CHECKING:
    from splinescope.cli.domains import Where
    from splinescope.network import Network
    from splinescope.topology import BettiProfile, RegionTopology

DataFile = Annotated[
    str | None,
    of.where(
        "--data",
        metavar="SOURCE",
        help="`digits`, `mnist:PATH`, or a .npy, .npz or .csv file with one point per row: their topology from layer "
        "to layer, class by class. Without it, that of the regions of the classes.",
    ),
]
Labels = Annotated[
    Path | None,
    of.where(
        metavar="FILE", help="Classes of the points of a file of `--data`; one class without it.", callback=of.present
    ),
]
Count = Annotated[int, of.where(metavar="N", min=2, help="How many points of `--data`, the first ones.")]
Space = Annotated[bool, of.where("--space", help="Look at three dimensions instead of a plane.")]
Above = Annotated[
    float | None, of.ask(metavar="C", help="Instead of classes, the region where an output is above this level.")
]
Output = Annotated[int, of.ask(metavar="K", min=0, help="The output that `--above` is about.")]
Closed = Annotated[
    bool, of.ask("--closed", help="Take regions with their borders: parts that touch in a point are then one.")
]
Degree = Annotated[int, of.ask(metavar="K", min=0, help="Degree of homology of data; above 0 it needs `ripser`.")]


def topology(
    model: of.Model,
    data: DataFile = None,
    labels: Labels = None,
    count: Count = 1000,
    through: of.Through = None,
    point: of.Point = None,
    box: of.Box = None,
    space: Space = False,
    margin: of.Margin = 0.2,
    radius: of.Radius = None,
    seed: of.Seed = 0,
    mean: of.Mean = "0",
    std: of.Std = "1",
    above: Above = None,
    output: Output = 0,
    closed: Closed = False,
    degree: Degree = 0,
    picture_format: of.Format = "png",
    max_cells: of.MaxCells = None,
    out: of.Out = Path("topology"),
    weights: of.Weights = None,
    trust: of.Trust = False,
    input_shape: of.InputShape = None,
    force: of.Force = False,
    as_json: of.Json = False,
) -> None:
    """Count parts and holes: of MODEL's regions of classes in a plane or in space, exactly; or of data, layer by layer.

    Betti numbers are parts, holes (in space tunnels), and in space cavities. Regions are counted from the faces of the
    tessellation; data by a minimum spanning tree, which has its components at every scale. Ctrl-C leaves the classes
    or layers that are counted.

    **What it leaves.** In the folder of `--out`: a picture and `summary.json`.

    **Examples.**

    `splinescope topology net.onnx --box -1 1`

    `splinescope topology net.npz --space --above 0 --closed`

    `splinescope topology net.onnx --data mnist:~/mnist --count 2000`
    """
    from splinescope.cli.domains import Where
    from splinescope.cli.models import read_model
    from splinescope.topology import betti_profile

    run = Run(out, model, as_json, force)
    if data is not None:
        if above is not None:
            raise InvalidInputError("`--above`: is about regions; expected none with `--data`")
        points, own = _labelled(data, labels, count, mean, std)
        network = read_model(model, weights, input_shape, [points[0]], trust=trust)
        points = _inputs(points, network)
        with run.computing() as progress:
            profile = betti_profile(network, points, own, degree=degree, progress=progress)
        picture = _profile_picture(profile, model, picture_format)
        run.leave(network, None, _data_facts(profile), picture, _data_lines, profile.finished)
        return
    where = Where(through, point, None, None, box, None, margin, radius, seed, mean, std)
    starts = where.points(most=4 if space else 3)
    network = read_model(model, weights, input_shape, starts, trust=trust)
    with run.computing() as progress:
        regions = _regions(network, where, starts, space, above, output, closed, max_cells, progress)
    files: Files = {} if space else _region_picture(regions, network, model, picture_format)
    asked = network.num_classes if above is None else 1
    certificate = next(iter(regions.values())).cells.certificate
    run.leave(network, certificate, _facts(regions, above, asked), files, _lines, len(regions) == asked)


def _labelled(data: str, labels: Path | None, count: int, mean: str, std: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Points and their classes."""
    from splinescope import datasets
    from splinescope.cli.points import normalise, read_array

    if data == "digits" or data.startswith("mnist:"):
        if labels is not None:
            raise InvalidInputError(f"`--labels`: {data} has its own; expected none")
        found = datasets.digits() if data == "digits" else datasets.mnist(Path(data[6:]).expanduser())
        points, own = found.inputs[:count].numpy(), found.labels[:count].numpy()
        return np.stack(normalise(list(points), mean, std)), own
    points = np.atleast_2d(read_array("--data", Path(data)))[:count]
    classes = None if labels is None else read_array("--labels", labels).ravel()[:count].astype(np.int64)
    return np.stack(normalise(list(points), mean, std)), classes


def _inputs(points: np.ndarray, network: Network) -> np.ndarray:
    """Points in the shape of the network's inputs."""
    if points[0].size != math.prod(network.input_shape):
        raise InvalidInputError(
            f"`--data`: got points of {points[0].size} numbers; the model's input has the shape {network.input_shape}"
        )
    return points.reshape(len(points), *network.input_shape)


def _regions(
    network: Network,
    where: Where,
    points: list[np.ndarray],
    space: bool,
    above: float | None,
    output: int,
    closed: bool,
    max_cells: int | None,
    progress: Any,
) -> dict[str, RegionTopology]:
    """The regions by their names; if somebody interrupts, those that are counted, if there are any."""
    from splinescope.progress import each
    from splinescope.tessellation.engine import tessellate
    from splinescope.tessellation.planar.complex import PlanarComplex
    from splinescope.topology import region_topology

    domain = where.space(network.input_shape, points) if space else where.plane(network.input_shape, points)
    cells = tessellate(network, domain, max_cells=max_cells, progress=progress)
    if cells.truncated and max_cells is None and isinstance(cells, PlanarComplex):  # else memory is short
        raise KeyboardInterrupt
    if above is not None:
        return {f"above {above:g}": region_topology(cells, above=above, output=output, closed=closed)}
    found: dict[str, RegionTopology] = {}
    try:
        for label in each(range(network.num_classes), "class", progress):
            found[str(label)] = region_topology(cells, label, closed=closed)
    except KeyboardInterrupt:
        if not found:
            raise
    return found


def _facts(regions: dict[str, RegionTopology], above: float | None, asked: int) -> Facts:
    """What is worth knowing of regions, as plain values for JSON."""
    return {
        "kind": "classes" if above is None else "level",
        "asked": asked,
        "closed": next(iter(regions.values())).closed,
        "regions": {
            name: {
                "betti": list(one.betti),
                "euler_characteristic": one.euler_characteristic,
                "measures": one.measures[: one.betti[0]].tolist(),
                "depths": one.depths[: one.betti[0]].tolist(),
            }
            for name, one in regions.items()
        },
    }


def _data_facts(profile: BettiProfile) -> Facts:
    """What is worth knowing of data, as plain values for JSON."""
    return {
        "layers": list(profile.layers),
        "classes": list(profile.classes),
        "betti": [[list(numbers) for numbers in row] for row in profile.betti()],
        "units": [[cloud.unit for cloud in row] for row in profile.clouds],
        "largest_scales": [[float(cloud.scales.max(initial=0.0)) for cloud in row] for row in profile.clouds],
        "largest_stretches": profile.largest_stretches.tolist(),
        "asked": profile.asked,
    }


def _region_picture(regions: dict[str, RegionTopology], network: Network, model: str, kind: str) -> Files:
    from splinescope.plotting import plot_region

    name, region = max(regions.items(), key=lambda item: (sum(item[1].betti), item[1].measures[0]))
    called = name if name.startswith("above") else f"class {network.class_name(int(name))}"
    numbers = ", ".join(f"$b_{k}$ = {b}" for k, b in enumerate(region.betti))
    title = f"{title_of(model)}, {called}: {numbers}"
    return {"picture": (f"picture.{kind}", drawing(lambda: plot_region(region, title=title)))}


def _profile_picture(profile: BettiProfile, model: str, kind: str) -> Files:
    from splinescope.plotting import plot_betti_profile

    return {"picture": (f"picture.{kind}", drawing(lambda: plot_betti_profile(profile, title=title_of(model))))}


def _lines(facts: Facts) -> dict[str, str]:
    """The main facts of regions, for people."""
    lines = {}
    for name, one in facts["regions"].items():
        label = f"class {class_name(facts, name)}" if facts["kind"] == "classes" else f"output {name}"
        lines[label] = f"Betti numbers {', '.join(map(str, one['betti']))}; {_sizes(one['measures'])}"
    lines["regions are"] = "closed" if facts["closed"] else "open"
    if not facts["finished"]:
        lines["interrupted"] = f"{len(facts['regions'])} of {facts['asked']} regions are counted"
    return lines


def _sizes(measures: list[float]) -> str:
    shown = ", ".join(f"{size:.4g}" for size in sorted(measures, reverse=True)[:5])
    return f"sizes {shown}{', ...' if len(measures) > 5 else ''}" if measures else "empty"


def _data_lines(facts: Facts) -> dict[str, str]:
    """The main facts of data, for people."""
    lines = {}
    for name, row, stretch in zip(facts["layers"], facts["betti"], facts["largest_stretches"], strict=True):
        numbers = "  ".join("/".join(map(str, betti)) for betti in row)
        lines[name] = f"{numbers}; largest stretch {max(stretch):.3g}"
    if not facts["finished"]:
        lines["interrupted"] = f"{len(facts['layers'])} of {facts['asked']} layers are looked at"
    return lines
