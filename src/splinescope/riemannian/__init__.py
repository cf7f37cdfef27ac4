"""The metric that a network pulls back: tensors at points, distances and shortest paths."""

from splinescope.riemannian.connection import Transport, exponential_map, parallel_transport
from splinescope.riemannian.distance_field import DistanceField, distances
from splinescope.riemannian.geodesic import Geodesic, geodesic
from splinescope.riemannian.metric_tensors import LayerMetrics, Metrics, layer_metrics, metrics
from splinescope.riemannian.smooth import Curves, energy_geodesics
from splinescope.riemannian.space_geodesic import SpaceGeodesic

__all__ = [
    "Curves",
    "DistanceField",
    "Geodesic",
    "LayerMetrics",
    "Metrics",
    "SpaceGeodesic",
    "Transport",
    "distances",
    "energy_geodesics",
    "exponential_map",
    "geodesic",
    "layer_metrics",
    "metrics",
    "parallel_transport",
]
