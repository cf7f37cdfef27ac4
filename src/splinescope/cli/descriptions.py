"""What is said of a network as plain values: by `info`, and in the summary of every run."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from splinescope.network import Network


def describe_network(network: Network) -> dict[str, Any]:
    """A network's graph and import as plain values for JSON.

    Args:
        network: The network.

    Returns:
        Shapes, units, head, names of classes, deviation from the original, and one entry per node.
    """
    report = network.import_report
    return {
        "piecewise_affine": True,
        "input_shape": list(network.input_shape),
        "output_shape": list(network.output_shape),
        "units": network.num_units,
        "head": None if network.head is None else network.head.name,
        "head_formula": None if network.head is None else network.head.formula,
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
