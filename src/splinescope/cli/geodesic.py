"""The command `geodesic`: the shortest path between two latents, as a decoder measures lengths."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from splinescope.cli import options as of
from splinescope.cli.run import Facts, Files, Run, drawing, title_of
from splinescope.errors import InvalidInputError
from splinescope.storage import write_arrays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splinescope.cli.values import Shape
    from splinescope.geometry.geodesics.potential import LengthProof
    from splinescope.network import Network
    from splinescope.riemannian import Geodesic, SpaceGeodesic
    from splinescope.tessellation.domains import Domain, Slice

Plane = Annotated[
    Path | None,
    of.where(
        "--plane",
        metavar="C",
        help="File with a third point, for latents of more than two dimensions: the path stays in the plane through "
        "the three. Without it the plane's second direction is random.",
        callback=of.present,
    ),
]
Space = Annotated[
    bool,
    of.where(
        "--space",
        help="Look in all directions of a decoder of three latents: a short path between bounds from both sides, since "
        "there is no exact algorithm.",
    ),
]
Images = Annotated[int, of.draw(metavar="N", min=2, help="Outputs to draw along the paths, if they are images.")]
Distances = Annotated[
    bool, of.draw("--distances", help="Also draw distances from the start, with circles and the cut locus.")
]
Bound = Annotated[bool, of.ask("--bound/--no-bound", help="Prove a lower bound, too.")]


def geodesic(
    model: of.Model,
    start: of.From = None,
    end: of.To = None,
    data: of.Data = None,
    indices: of.PairIndices = None,
    plane: Plane = None,
    space: Space = False,
    box: of.Box = None,
    margin: of.Margin = 0.2,
    seed: of.Seed = 0,
    mean: of.Mean = "0",
    std: of.Std = "1",
    bound: Bound = True,
    distances: Distances = False,
    images: Images = 9,
    picture_format: of.Format = "png",
    verify: of.Verify = "values",
    max_cells: of.MaxCells = None,
    out: of.Out = Path("geodesic"),
    weights: of.Weights = None,
    trust: of.Trust = False,
    input_shape: of.InputShape = None,
    force: of.Force = False,
    as_json: of.Json = False,
) -> None:
    """Find the shortest path between two latents of a decoder, as it measures lengths in its outputs; exactly.

    MODEL is any piecewise affine network; of more than two inputs, a plane through both points is looked at. The path
    is the shortest of all within the square, with a proof: its length by the network, and a bound from below. With
    `--space` it is a short one, and the bounds say how short. Lengths are those of the outputs before a smooth function
    at the end, such as a sigmoid, which is named. Ctrl-C during the proof leaves what is proved so far.

    **What it leaves.** In the folder of `--out`: `picture.png` (over what the network stretches areas by), `images.png`
    where outputs are images, `geodesic.npz` (corners of the path, the latents, the outputs) and `summary.json`.

    **Examples.**

    `splinescope geodesic decoder.onnx --from a.npy --to b.npy`

    `splinescope geodesic nets.py:decoder --input-shape 32 --from a.npy --to b.npy --plane c.npy --distances`

    `splinescope geodesic decoder3.onnx --space --from a.npy --to b.npy`
    """
    from splinescope.cli.geodesic_pictures import draw_images, image_shape_of
    from splinescope.cli.models import read_model
    from splinescope.cli.points import fit_pairs, normalise, read_array, read_pairs
    from splinescope.plotting import plot_distances, plot_geodesic
    from splinescope.riemannian import distances as distances_from
    from splinescope.riemannian import geodesic as shortest
    from splinescope.tessellation.planar.engine import tessellate_slice
    from splinescope.tessellation.spatial.engine import tessellate_polytope

    run = Run(out, model, as_json, force)
    sides = read_pairs(start, end, data, indices)
    third = [] if plane is None else normalise([read_array("--plane", plane)], mean, std)
    network = read_model(model, weights, input_shape, sides[0], trust=trust)
    starts, ends = fit_pairs(sides, network.input_shape, mean, std)
    if len(starts) != 1:
        raise InvalidInputError(f"`--from`: got {len(starts)} points; expected one, and one for `--to`")
    name = title_of(model)
    if space:
        if third or distances:
            raise InvalidInputError("`--space`: it goes neither with `--plane` nor with `--distances`")
        inside = _space(network.input_shape, starts[0], ends[0], box)
        with run.computing() as progress:
            solid = tessellate_polytope(network, inside, verify=verify, max_cells=max_cells, progress=progress)
            short = shortest(solid, starts[0].ravel(), ends[0].ravel(), progress=progress)
            proof = short.prove(progress=progress) if bound and short.finished else None
        _leave_space(run, network, short, proof, name, picture_format)
        return
    domain, one, two = _plane(network.input_shape, starts[0], ends[0], third, box, margin, seed)
    with run.computing() as progress:
        cells = tessellate_slice(network, domain, verify=verify, max_cells=max_cells, progress=progress)
        path = shortest(cells, one, two, progress=progress)
        proof = path.prove(progress=progress) if bound else None
        field = None
        if distances and (proof is None or proof.finished):
            field = distances_from(cells, one, progress=progress)
    title = f"{name}: length {path.length:.6g}, straight line {path.straight_length:.6g}"
    files: Files = {"picture": (f"picture.{picture_format}", drawing(lambda: plot_geodesic(path, title=title)))}
    if field is not None:
        files["distances"] = (f"distances.{picture_format}", drawing(lambda: plot_distances(field, title=name)))
    if image_shape_of(network) is not None:
        files["images"] = (f"images.{picture_format}", lambda file: draw_images(path, images, file))
    files["arrays"] = ("geodesic.npz", lambda file: write_arrays(file, _arrays(path), compress=True))
    finished = proof is None or proof.finished
    run.leave(network, cells.certificate, _head(network) | _facts(path, proof), files, _lines, finished)


def _plane(
    shape: Shape,
    start: np.ndarray,
    end: np.ndarray,
    third: Sequence[np.ndarray],
    box: tuple[str, str] | None,
    margin: float,
    seed: int,
) -> tuple[Slice, np.ndarray, np.ndarray]:
    """The plane, and the points in its coordinates."""
    from splinescope.cli.domains import Where
    from splinescope.cli.points import fit_points
    from splinescope.tessellation.domains import Slice

    if not (np.isfinite(margin) and margin >= 0):
        raise InvalidInputError(f"`margin`: got {margin!r}; expected a number of at least 0")
    if int(np.prod(shape)) == 2:
        if third:
            raise InvalidInputError("`--plane`: the model has two inputs, which are a plane; expected none")
        if box is not None:
            return Where(box=box).plane(shape, []), start.ravel(), end.ravel()
        both = np.stack([start.ravel(), end.ravel(), -np.ones(2), np.ones(2)])
        return Slice.box(both.min(axis=0), both.max(axis=0)), start.ravel(), end.ravel()
    if box is not None:
        raise InvalidInputError(
            f"`--box`: it is for two inputs, and the model has the shape {tuple(shape)}; expected none"
        )
    points = [*fit_points(list(third), shape), None][:1]
    plane = Slice.through(start, end, points[0], margin, generator=np.random.default_rng(seed))
    anchors = np.asarray(plane.anchors)
    return plane, anchors[0], anchors[1]


def _space(shape: Shape, start: np.ndarray, end: np.ndarray, box: tuple[str, str] | None) -> Domain:
    """The box in which a path of three latents is sought."""
    from splinescope.cli.domains import Where
    from splinescope.tessellation.domains import Box

    if int(np.prod(shape)) != 3:
        raise InvalidInputError(f"`--space`: the model's input has the shape {tuple(shape)}; expected three numbers")
    if box is not None:
        return Where(box=box).space(shape, [])
    both = np.stack([start.ravel(), end.ravel(), -np.ones(3), np.ones(3)])
    return Box(both.min(axis=0).reshape(shape), both.max(axis=0).reshape(shape))


def _leave_space(
    run: Run, network: Network, path: SpaceGeodesic, proof: LengthProof | None, name: str, kind: str
) -> None:
    """Leave a path of three latents."""
    from splinescope.plotting import plot_space_geodesic

    facts = _head(network) | {
        "cells": len(path.cells_of_space),
        "length": path.length,
        "lower_bound": path.chord if proof is None else proof.bound,
        "network_length": path.network_length,
        "straight_length": path.straight_length,
        "chord": path.chord,
        "pieces": len(path.cells),
        "points": path.points.tolist(),
    }
    title = f"{name}: length {path.length:.6g}, straight line {path.straight_length:.6g}"
    arrays = {"points": path.points, "cells": path.cells, "lengths": path.lengths}
    files: Files = {
        "picture": (f"picture.{kind}", drawing(lambda: plot_space_geodesic(path, title=title))),
        "arrays": ("geodesic.npz", lambda file: write_arrays(file, arrays, compress=True)),
    }
    finished = path.finished and (proof is None or proof.finished)
    run.leave(network, path.cells_of_space.certificate, facts, files, _space_lines, finished)


def _space_lines(facts: Facts) -> dict[str, str]:
    """The main facts of a path of three latents, for people."""
    length, straight, lower = facts["length"], facts["straight_length"], facts["lower_bound"]
    shorter = f", {1 - length / straight:.1%} shorter" if straight > 0 else ""
    open_ = f"; {1 - lower / length:.2%} are not known" if length > 0 else ""
    return {
        "cells": f"{facts['cells']:,}, in {facts['seconds']:.2f} s",
        "length": f"{length:.9g} in {facts['pieces']:,} straight pieces{_before(facts)}; by the network "
        f"{facts['network_length']:.9g}",
        "straight line": f"{straight:.9g}{shorter}",
        "nothing is shorter than": f"{lower:.9g}{open_}{'' if facts['finished'] else _PLAINER}",
    }


_PLAINER = "; interrupted, and more may be provable"


def _head(network: Network) -> Facts:
    """What the outputs whose lengths are measured still go through."""
    return {"head": network.head.name if network.head else None}


def _before(facts: Facts) -> str:
    """That lengths are not those of the model's outputs, where a head follows."""
    return f", before its {facts['head']}" if facts["head"] else ""


def _facts(path: Geodesic, proof: LengthProof | None) -> Facts:
    """What is worth knowing, as plain values for JSON."""
    refraction = np.abs(path.refraction[~np.isnan(path.refraction)])
    return {
        "cells": len(path.cells_of_plane),
        "length": path.length,
        "exact": path.exact,
        "lower_bound": None if proof is None else proof.bound,
        "network_length": path.network_length,
        "straight_length": path.straight_length,
        "chord": path.chord,
        "pieces": len(path.cells),
        "largest_refraction_error": float(refraction.max(initial=0.0)),
        "windows": path.num_windows,
        "points": path.points.tolist(),
    }


def _arrays(path: Geodesic) -> dict[str, np.ndarray]:
    domain = path.cells_of_plane.domain
    return {
        "points": path.points,
        "latents": np.asarray(domain.embed(path.points)).reshape(len(path.points), -1),
        "outputs": path.outputs,
        "cells": path.cells,
        "lengths": path.lengths,
    }


def _lines(facts: Facts) -> dict[str, str]:
    """The main facts, for people."""
    length, straight = facts["length"], facts["straight_length"]
    shorter = f", {1 - length / straight:.1%} shorter" if straight > 0 else ""
    lines = {
        "cells": f"{facts['cells']:,}, {facts['windows']:,} windows, in {facts['seconds']:.2f} s",
        "length": f"{length:.9g} in {facts['pieces']:,} straight pieces{_before(facts)}",
        "straight line": f"{straight:.9g}{shorter}",
        "certificate": f"{facts['network_length']:.9g} by the network; Snell's law to "
        f"{facts['largest_refraction_error']:.1g}"
        f"{'' if facts['exact'] else '; not known to be the shortest'}",
    }
    if facts["lower_bound"] is not None:
        lines["nothing is shorter than"] = f"{facts['lower_bound']:.9g}{'' if facts['finished'] else _PLAINER}"
    return lines
