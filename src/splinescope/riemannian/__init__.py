"""The metric that a network pulls back: tensors at points, distances and shortest paths."""

from splinescope.riemannian.distance_field import DistanceField, distances
from splinescope.riemannian.geodesic import Geodesic, geodesic
from splinescope.riemannian.metric_tensors import LayerMetrics, Metrics, layer_metrics, metrics
from splinescope.riemannian.space_geodesic import SpaceGeodesic

__all__ = [
    "DistanceField",
    "Geodesic",
    "LayerMetrics",
    "Metrics",
    "SpaceGeodesic",
    "distances",
    "geodesic",
    "layer_metrics",
    "metrics",
]
