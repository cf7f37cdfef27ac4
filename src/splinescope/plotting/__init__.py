"""Pictures: axes in, axes out; nothing is shown, and matplotlib is loaded when the first picture is drawn."""

from __future__ import annotations

from splinescope.plotting.animation import animate
from splinescope.plotting.betti import plot_betti_profile, plot_region
from splinescope.plotting.boundary import plot_decision_boundary
from splinescope.plotting.comparison import plot_comparison
from splinescope.plotting.complexes import plot_cells
from splinescope.plotting.figures import save_figure
from splinescope.plotting.geodesics import plot_distances, plot_geodesic, plot_space_geodesic
from splinescope.plotting.landscape import (
    plot_landscape,
    plot_landscape_surface,
    plot_loss_line,
    plot_loss_plane,
    plot_loss_profiles,
)
from splinescope.plotting.manifold import plot_manifold
from splinescope.plotting.meshes import plot_mesh
from splinescope.plotting.network_graph import plot_network_graph
from splinescope.plotting.numbers import plot_numbers
from splinescope.plotting.outlines import plot_boundary, plot_domain
from splinescope.plotting.paths import plot_loss_profile, plot_path_strip
from splinescope.plotting.preimages import plot_preimage
from splinescope.plotting.region_graphs import plot_region_graph
from splinescope.plotting.results import plot_result
from splinescope.plotting.samples import plot_samples
from splinescope.plotting.segments import plot_segment
from splinescope.plotting.solids import plot_solid
from splinescope.plotting.surface import plot_surface
from splinescope.plotting.tessellation import plot_tessellation

__all__ = [
    "animate",
    "plot_betti_profile",
    "plot_boundary",
    "plot_cells",
    "plot_comparison",
    "plot_decision_boundary",
    "plot_distances",
    "plot_domain",
    "plot_geodesic",
    "plot_landscape",
    "plot_landscape_surface",
    "plot_loss_line",
    "plot_loss_plane",
    "plot_loss_profile",
    "plot_loss_profiles",
    "plot_manifold",
    "plot_mesh",
    "plot_network_graph",
    "plot_numbers",
    "plot_path_strip",
    "plot_preimage",
    "plot_region",
    "plot_region_graph",
    "plot_result",
    "plot_samples",
    "plot_segment",
    "plot_solid",
    "plot_space_geodesic",
    "plot_surface",
    "plot_tessellation",
    "save_figure",
]
