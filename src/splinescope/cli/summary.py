"""What is worth knowing of a run or of a network, as plain values for JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

import splinescope
from splinescope.network import Network
from splinescope.tessellation.affine import extrema, lipschitz
from splinescope.tessellation.boundary import DecisionBoundary, class_areas
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.regions import linear_regions
from splinescope.tessellation.statistics import summary

_MOST = 1000
"""Outputs beyond which comparing them all is no classification that a picture could show."""


def compares_outputs(network: Network, classes: Sequence[int] | None) -> bool:
    """Whether a decision boundary makes sense: outputs in a vector of few, or some that the user named."""
    return classes is not None or (len(network.output_shape) <= 1 and math.prod(network.output_shape) <= _MOST)


def summarise(cells: PlanarComplex, classes: Sequence[int] | None, boundary: DecisionBoundary | None) -> dict[str, Any]:
    """What is worth knowing of a run, as plain numbers for JSON.

    Args:
        cells: The complex.
        classes: Outputs that compete; all if None.
        boundary: The decision boundary, if there is one.

    Returns:
        Facts of the cells, of the domain, of the network and of the certificate.
    """
    domain = cells.domain
    facts = summary(cells)
    facts["linear_regions"] = linear_regions(cells).count
    if boundary is not None:
        areas = class_areas(cells, classes)
        facts["boundary"] = {"segments": len(boundary.segments), "length": float(boundary.lengths.sum())}
        facts["class_areas"] = {str(label): float(areas[label]) for label in np.flatnonzero(areas > 0)}
    if not cells.truncated:  # of a part, neither is known
        reach = extrema(cells)
        facts["lipschitz"] = lipschitz(cells)
        facts["outputs"] = {"minimum": reach.minimum.tolist(), "maximum": reach.maximum.tolist()}
    facts["domain"] = {
        "input_shape": list(domain.input_shape),
        "area": float(domain.area),
        "polygon": domain.polygon.tolist(),
        "names": None if domain.names is None else list(domain.names),
        "anchors": None if domain.anchors is None else np.asarray(domain.anchors).tolist(),
    }
    network = describe_network(cells.network)
    del network["nodes"]  # `splinescope info` lists them
    facts["network"] = network
    facts["versions"] = {"splinescope": splinescope.__version__, "torch": torch.__version__, "numpy": np.__version__}
    facts["certificate"] = None if cells.certificate is None else cells.certificate.to_dict()
    return facts


def describe_network(network: Network, model: str | None = None) -> dict[str, Any]:
    """A network's graph and import as plain values for JSON.

    Args:
        network: The network.
        model: What the user called it.

    Returns:
        Shapes, units, head, names of classes, deviation from the original, and one entry per node.
    """
    report = network.import_report
    return ({} if model is None else {"model": model}) | {
        "piecewise_affine": True,
        "input_shape": list(network.input_shape),
        "output_shape": list(network.output_shape),
        "units": network.num_units,
        "head": None if network.head is None else network.head.name,
        "classes": None if network.classes is None else list(network.classes),
        "import": {
            "deviations": [asdict(deviation) for deviation in report.deviations],
            "not_compared": report.not_compared or None,
            "natural_scale": None if math.isnan(report.natural_scale) else report.natural_scale,
            "units_never_woken": None if math.isnan(report.units_never_woken) else report.units_never_woken,
            "notes": list(report.notes),
        },
        "nodes": [asdict(node) for node in network.describe()],
    }
