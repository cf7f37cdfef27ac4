"""
The loss on a plane of weights
==============================

When one layer moves, the loss of a piecewise affine network is one quadratic on each cell of the plane: all of its
minima are known.
"""

# %%
import torch

from splinescope import datasets, models, plotting
from splinescope.landscape import layer_directions, loss_plane

data = datasets.digits()
net = models.mlp([64, 12, 10], generator=torch.Generator().manual_seed(0))
models.train_classifier(net, data.inputs, data.labels, generator=torch.Generator().manual_seed(0), epochs=3)
directions = layer_directions(net, "1", generator=torch.Generator().manual_seed(1))
plane = loss_plane(net, "1", directions, data.inputs[:20], data.labels[:20])
print(f"{len(plane.cells)} cells, {len(plane.minima)} local minima")

# %%
plotting.plot_loss_plane(plane)
