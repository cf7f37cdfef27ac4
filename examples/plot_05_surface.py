"""
The exact surface of a network
==============================

A small network learns the signed distance to a torus; its zero level set is a mesh, exactly.
"""

# %%
# Two hidden layers, trained on random points for a few seconds.

import torch

import splinescope
from splinescope import models
from splinescope.plotting import plot_mesh
from splinescope.tessellation.surface import level_set

generator = torch.Generator().manual_seed(1)
net = models.mlp([3, 24, 24, 1], generator=generator)
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
for _ in range(1500):
    x = 2 * torch.rand(1024, 3, generator=generator) - 1
    ring = torch.hypot(x[:, 0], x[:, 1]) - 0.6
    distance = torch.hypot(ring, x[:, 2]) - 0.25
    loss = (net(x)[:, 0] - distance).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"mean error of the distance: {loss:.3f}")

# %%
# The surface where the network is zero: a flat polygon for each cell that it meets.

network = splinescope.from_torch(net, input_shape=(3,))
mesh = level_set(network, splinescope.Box([-1, -1, -1], [1, 1, 1]))
print(mesh)

# %%
# It is watertight, and its Euler characteristic says that it has one hole, as a torus should. At no vertex is the
# network's output farther from zero than rounding.

print(f"genus {1 - mesh.euler_characteristic // 2}, volume {mesh.volume:.4f}, that of the torus is 0.7402")
print(f"largest |f| at a vertex: {mesh.certificate.value_error:.1e}")

# %%
# Each polygon lies in one cell; colours are those of the cells' activation patterns.

plot_mesh(mesh, color="pattern", elevation=35)
