"""
Along a segment
===============

Between two inputs a network is affine but for its breakpoints. So margins, attributions and lengths are exact.
"""

# %%
# A small network on the handwritten digits of the UCI repository, and the straight line from a three to an eight.

import matplotlib.pyplot as plt
import numpy as np
import torch

import splinescope
from splinescope import datasets, models
from splinescope.plotting import plot_segment
from splinescope.tessellation.segments import (
    class_intervals,
    cross_entropy,
    image_lengths,
    integrated_gradients,
    margins,
    tessellate_segments,
)

digits = datasets.digits()
net = models.mlp([64, 48, 48, 10], generator=torch.Generator().manual_seed(0))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
inputs = digits.inputs.flatten(1)
for _ in range(150):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(net(inputs), digits.labels).backward()
    optimizer.step()
network = splinescope.from_torch(torch.nn.Sequential(torch.nn.Flatten(), net), input_shape=(1, 8, 8))

three, eight = (int(np.flatnonzero(digits.labels == label)[0]) for label in (3, 8))
start, end = digits.inputs[[three, eight]].double().numpy()
cells = splinescope.tessellate(network, splinescope.Segment(start, end), verify="proof")
print(cells)

# %%
# Which class leads, the margin of the three with its exact minimum, and a mark for each unit that flips.

ax = plot_segment(cells, target=3)

# %%
# **Where does the class change?** To round-off, without a search.

found = class_intervals(cells)
for begin, stop, label in zip(found.start, found.stop, found.classes, strict=True):
    print(f"class {label} from t = {begin:.9f} to {stop:.9f}")

# %%
# **How bad does it get?** The largest cross-entropy on the way, and the length of the outputs' path.

loss, lengths = cross_entropy(cells, 3), image_lengths(cells)
print(f"cross-entropy at most {loss.maximum[0]:.3f} nats, at t = {loss.t[0]:.3f}")
print(f"the outputs travel {lengths.images[0]:.2f}, the distance of their ends is {lengths.chords[0]:.2f}")

# %%
# **Which pixels did it?** Integrated gradients of the eight's output, without quadrature: they add up to its change.

attributions = integrated_gradients(cells, 8)
print(f"sum {attributions.attributions.sum():.12f}, off by {attributions.completeness_error[0]:.1e}")
fig, ax = plt.subplots(figsize=(3.2, 2.6), layout="constrained")
largest = np.abs(attributions.attributions).max()
image = ax.imshow(attributions.attributions[0, 0], cmap="PuOr", vmin=-largest, vmax=largest)
ax.set(xticks=[], yticks=[], title="towards the eight")
fig.colorbar(image, label="share of the change")

# %%
# **A thousand segments at once.** How many pairs of digits of one class are joined by a segment within the class?

rng = np.random.default_rng(0)
labels = digits.labels.numpy()
first = rng.integers(0, len(labels), 1000)
second = np.array([rng.choice(np.flatnonzero((labels == labels[i]) & (np.arange(len(labels)) != i))) for i in first])
points = digits.inputs.double().numpy()
batch = tessellate_segments(network, points[first], points[second])
keeps = margins(batch, labels[first]).keeps
print(f"{batch}: {keeps.mean():.1%} keep their class throughout")
