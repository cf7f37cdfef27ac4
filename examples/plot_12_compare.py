"""
A network and its rounded copy
==============================

How far a network with weights of four bits is from the original, in a plane through three digits, and where it decides
otherwise.
"""

# %%
import copy

import torch

import splinescope
from splinescope import datasets, models, plotting
from splinescope.trajectory import compare

data = datasets.digits()
net = models.mlp([64, 16, 16, 10], generator=torch.Generator().manual_seed(0))
models.train_classifier(net, data.inputs, data.labels, generator=torch.Generator().manual_seed(0), epochs=10)
rounded = copy.deepcopy(net)
for parameter in rounded.parameters():
    step = parameter.abs().max() / 7
    parameter.data = (parameter / step).round() * step

x = data.inputs.reshape(-1, 64).numpy()
found = compare(net, rounded, splinescope.Slice.through(x[0], x[1], x[2], margin=0.2))
print(f"largest deviation {found.largest_deviation:.3f}; another class on {found.changed_share:.1%} of the plane")

# %%
plotting.plot_comparison(found, names=("float32", "4 bits"))
