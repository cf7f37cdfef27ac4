"""The shape of regions and of data: parts, holes and cavities, exactly in domains and over all scales in clouds."""

from splinescope.topology.clouds import CloudTopology, farthest_points, hop_distances, persistence, spanning_tree
from splinescope.topology.curves import curve_crossings
from splinescope.topology.decision_regions import (
    RegionTopology,
    betti_numbers,
    region_topology,
    surface_betti_numbers,
    topology_of,
)
from splinescope.topology.profile import BettiProfile, betti_profile

__all__ = [
    "BettiProfile",
    "CloudTopology",
    "RegionTopology",
    "betti_numbers",
    "betti_profile",
    "curve_crossings",
    "farthest_points",
    "hop_distances",
    "persistence",
    "region_topology",
    "spanning_tree",
    "surface_betti_numbers",
    "topology_of",
]
