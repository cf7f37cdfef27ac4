"""
A region graph in five dimensions
=================================

Beyond four dimensions cells are known by their half-spaces, and found by walking from neighbour to neighbour.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

import splinescope

module = splinescope.models.mlp([5, 12, 12, 2], generator=torch.Generator().manual_seed(0))
graph = splinescope.region_graph(splinescope.load(module, input_shape=(5,)), splinescope.Box([-0.5] * 5, [0.5] * 5))
print(f"{len(graph):,} cells, complete: {graph.complete}; {graph.mean_degree:.2f} neighbours on average")

# %%
_, ax = plt.subplots(layout="constrained")
ax.bar(*np.unique(graph.degrees, return_counts=True))
ax.set(xlabel="neighbours of a cell", ylabel="cells")
