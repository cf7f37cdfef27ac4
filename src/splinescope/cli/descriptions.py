"""What is said of networks and certificates: as plain values by `info` and in every summary, and in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
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


def certificate_line(certificate: Mapping[str, Any] | None) -> str:
    """What a certificate of a plane or space says, for people.

    Args:
        certificate: Its facts, or None.

    Returns:
        The level, how well measures add up, and the Euler characteristic.
    """
    if certificate is None:
        return "none"
    level, error = certificate["level"], certificate["measure_error"]
    if certificate["requested"] and certificate["requested"] != level:
        level += f" ({certificate['requested']} was asked for)"
    if certificate["truncated"]:
        return f"{level}; the cells cover {1 - error:.1%} of the domain"
    adds = "exactly" if error == 0 else f"to {error:.0e} of it"
    return f"{level}; the cells fill the domain {adds}, Euler characteristic {certificate['euler_characteristic']}"
