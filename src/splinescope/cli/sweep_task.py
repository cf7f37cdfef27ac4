"""One task of the command `sweep`: a model in one plane, or along one segment, as numbers for a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from splinescope.network import Network
    from splinescope.tessellation.planar.complex import PlanarComplex
    from splinescope.tessellation.segments import SegmentBatch


@dataclass(frozen=True)
class Common:
    """What all tasks of a sweep share, as plain values.

    Attributes:
        data: The data set, or None.
        box: Ends of a box, or None.
        segments: Whether to look along segments rather than in planes.
        margin: How far planes reach beyond their points.
        radius: Distance of random points.
        mean: Taken from every point.
        std: Divides it after that.
        verify: Level of the certificate.
        max_cells: Most cells of one task.
        input_shape: Shape of one input.
        output: Which output.
        fixed: Values of further inputs.
        trust: Whether a model may run code that it holds.
        files: By what the models' files are known again.
    """

    data: str | None
    box: tuple[str, str] | None
    segments: bool
    margin: float
    radius: float | None
    mean: str
    std: str
    verify: str
    max_cells: int | None
    input_shape: str | None
    output: str | None
    fixed: tuple[str, ...]
    trust: bool
    files: str


def measured(common: Common, model: str, checkpoint: str | None, points: str | None, seed: int) -> dict[str, Any]:
    """Numbers of one model at one place.

    Args:
        common: What all tasks share.
        model: The model.
        checkpoint: State dict for it, or None.
        points: Which points of the data set, joined by commas, or None.
        seed: Of random directions.

    Returns:
        Numbers by name.
    """
    from splinescope.cli.domains import Where

    where = Where(None, None, common.data, points, common.box, None, common.margin, common.radius, seed)
    where = Where(**{**vars(where), "mean": common.mean, "std": common.std})
    places = where.points(most=3)
    network = _network(common, model, checkpoint, places[0].shape if places else None)
    if common.segments:
        return _along(common, network, places)
    from splinescope.tessellation.planar.engine import tessellate_slice

    plane = where.plane(network.input_shape, places)
    return _in_plane(tessellate_slice(network, plane, verify=common.verify, max_cells=common.max_cells))


@lru_cache(maxsize=2)
def _network(common: Common, model: str, checkpoint: str | None, shape: tuple[int, ...] | None) -> Network:
    """The model, read once for all tasks of it that follow one another."""
    from splinescope.cli.models import read_model

    points: Sequence[np.ndarray] = () if shape is None else (np.zeros(shape),)
    weights = None if checkpoint is None else Path(checkpoint)
    return read_model(
        model, weights, common.input_shape, points, trust=common.trust, output=common.output, fixed=common.fixed
    )


def _in_plane(cells: PlanarComplex) -> dict[str, Any]:
    """What is worth knowing of cells in a plane."""
    from splinescope.cli.plane_result import is_classifier
    from splinescope.tessellation.affine import lipschitz
    from splinescope.tessellation.boundary import decision_boundary
    from splinescope.tessellation.regions import linear_regions
    from splinescope.tessellation.statistics import summary

    facts = summary(cells)
    found = {name: facts[name] for name in ("cells", "vertices", "edges", "area", "truncated")}
    found |= {"median_area": float(np.median(cells.areas)), "linear_regions": linear_regions(cells).count}
    found["lipschitz"] = None if cells.truncated else lipschitz(cells)
    if is_classifier(cells.network):
        found["boundary_length"] = float(decision_boundary(cells).lengths.sum())
    certificate = cells.certificate
    return found | {"certificate": None if certificate is None else certificate.level}


def _along(common: Common, network: Network, places: Sequence[np.ndarray]) -> dict[str, Any]:
    """What is worth knowing of one segment."""
    from splinescope.cli.points import fit_points
    from splinescope.cli.segment import segment_facts
    from splinescope.tessellation.segments import tessellate_segments

    start, end = fit_points(places, network.input_shape)
    cells: SegmentBatch = tessellate_segments(
        network, start[None], end[None], verify=common.verify, max_cells=common.max_cells
    )
    facts = segment_facts(cells, None)
    found = {"cells": facts["cells"], "truncated": facts["truncated"]}
    found["flips"] = sum(row["flips"] for row in facts["flips_per_layer"])
    found |= {"length": facts["lengths"]["segments"][0], "image_length": facts["lengths"]["images"][0]}
    if "margin" in facts:
        margin = facts["margin"]
        found |= {"class": margin["targets"][0], "least_margin": margin["minimum"][0], "at": margin["t"][0]}
        found |= {"rival": margin["rivals"][0], "keeps_class": margin["keeps"][0]}
    certificate = cells.certificate
    return found | {"certificate": None if certificate is None else certificate.level}
