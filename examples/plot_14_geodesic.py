"""
The shortest path of a decoder
==============================

The image of a latent plane is a flat polyhedral surface: shortest paths are straight once unfolded, and bend where they
cross a fold. Nothing is shorter, which a bound from below proves.
"""

# %%
import torch

import splinescope
from splinescope import plotting
from splinescope.riemannian import distances, geodesic

torch.manual_seed(1)
decoder = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.ReLU(), torch.nn.Linear(16, 50)).double()
cells = splinescope.tessellate(decoder, splinescope.Slice.box([-2, -2], [2, 2]))
path = geodesic(cells, [-1.5, -1.5], [1.5, 1.5])
print(
    f"length {path.length:.6f}, nothing is shorter than {path.lower_bound:.6f}; "
    f"the straight line {path.straight_length:.6f}"
)

# %%
plotting.plot_geodesic(path)

# %%
# Distances from one latent to all others.

plotting.plot_distances(distances(cells, [-1.5, -1.5]))
