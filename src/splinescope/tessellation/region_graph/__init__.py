"""Region graphs: cells of any dimension by half-spaces and neighbours, found by a search over facets."""

from splinescope.tessellation.region_graph.bound import upper_bound
from splinescope.tessellation.region_graph.certificate import RegionCertificate, certify
from splinescope.tessellation.region_graph.engine import region_graph
from splinescope.tessellation.region_graph.graph import Doubts, RegionGraph

__all__ = [
    "Doubts",
    "RegionCertificate",
    "RegionGraph",
    "certify",
    "region_graph",
    "upper_bound",
]
