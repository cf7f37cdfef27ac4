"""The shape of regions and of data: parts, holes and cavities, exactly in domains and over all scales in clouds."""

from splinescope.topology.decision_regions import (
    RegionTopology,
    betti_numbers,
    region_topology,
    surface_betti_numbers,
    topology_of,
)

__all__ = [
    "RegionTopology",
    "betti_numbers",
    "region_topology",
    "surface_betti_numbers",
    "topology_of",
]
