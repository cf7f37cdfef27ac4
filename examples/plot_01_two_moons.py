"""
A first tessellation
====================

A network of two inputs is its own plane: train one on two interleaved moons, and see every cell of it.
"""

# %%
# A toy network, trained in a second. All randomness comes from one generator.

import torch

import splinescope
from splinescope import datasets, models, plotting

generator = torch.Generator().manual_seed(0)
moons = datasets.two_moons(400, generator=generator)
net = models.mlp([2, 24, 24, 2], generator=generator)
result = models.train_classifier(net, moons.inputs, moons.labels, generator=generator, epochs=60)
print(f"{result.accuracy:.1%} of the training points are classified correctly")

# %%
# Import it, say where to look, tessellate. The certificate says what was checked; "proof" is the highest level: no fold
# was missed.

network = splinescope.from_torch(net, input_shape=(2,))
domain = splinescope.Slice.box([-1.5, -1.5], [1.5, 1.5])
cells = splinescope.tessellate(network, domain, verify="proof")
print(cells)

# %%
# Every polygon is a cell: one activation pattern, one affine map. The red line is the exact decision boundary.

ax = plotting.plot_tessellation(cells)
points = moons.inputs
ax.scatter(*points[moons.labels == 0].T, s=6, c="black")
ax.scatter(*points[moons.labels == 1].T, s=6, c="white", edgecolors="black", linewidths=0.5)

# %%
# The same cells, coloured by how much the outputs change with the input.

plotting.plot_tessellation(cells, "norm")
