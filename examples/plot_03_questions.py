"""
Asking a complex
================

A complex is arrays: sizes and shapes of cells, neighbours, affine maps, folds.
"""

# %%
# An untrained network in the square.

import matplotlib.pyplot as plt
import numpy as np
import torch

import splinescope
from splinescope import models, plotting
from splinescope.tessellation.affine import extrema, lipschitz
from splinescope.tessellation.folds import folds
from splinescope.tessellation.regions import linear_regions
from splinescope.tessellation.statistics import cell_statistics

net = models.mlp([2, 32, 32, 1], generator=torch.Generator().manual_seed(3), dtype=torch.float64)
network = splinescope.from_torch(net, input_shape=(2,))
cells = splinescope.tessellate(network, splinescope.Slice.box([-1, -1], [1, 1]))
print(cells)

# %%
# **How large are cells?** Areas spread over many orders of magnitude.

statistics = cell_statistics(cells)
fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.hist(statistics.areas, bins=np.geomspace(statistics.areas.min(), statistics.areas.max(), 30))
ax.set(xscale="log", xlabel="area of the cell", ylabel="cells")

# %%
# **Which cells touch?** The dual graph is a sparse matrix; a cell has not quite six neighbours.

neighbours = cells.adjacency.sum(axis=1)
print(f"neighbours: {neighbours.mean():.2f} on average, at most {neighbours.max()}")

# %%
# **Are cells linear regions?** Nearly: neighbours whose affine maps agree are one linear region.

print(f"{len(cells)} cells, {linear_regions(cells).count} linear regions")

# %%
# **Which unit made an edge?** Each interior edge remembers it.

made = folds(cells)
print("the longest edge was made by", made.labels()[int(made.lengths.argmax())])

# %%
# **How steep, how high?** Exact over the whole square, as affine pieces have their extrema at vertices.

reach = extrema(cells)
print(f"Lipschitz constant {lipschitz(cells):.4f}; outputs from {reach.minimum[0]:.4f} to {reach.maximum[0]:.4f}")

# %%
# **What does the network do at a point?** The affine map of its cell, which is the network there.

x = np.array([[0.3, -0.2]])
cell = cells.locate(cells.domain.project(x))[0]
maps = cells.affine_maps(space="input")
print("affine map:", maps.A[cell] @ x[0] + maps.c[cell], "network:", network(x)[0])

# %%
# **The graph itself**: tessellation below, function above.

plotting.plot_surface(cells)
