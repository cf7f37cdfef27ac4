"""
Looking around in a browser
===========================

One file shows what is under the pointer, in planes, along segments and in space; results show themselves in notebooks.
"""

# %%
# A classifier of two moons while it trains. The page below is the file that `page.save("training.html")` writes: drag
# to move, turn the wheel to zoom, click to choose a cell, and move the slider over the steps of the training.

import torch

import splinescope
from splinescope import datasets, models
from splinescope.viewer import explore_frames

moons = datasets.two_moons(300, noise=0.15, generator=torch.Generator().manual_seed(0))
net = models.mlp([2, 12, 12, 2], generator=torch.Generator().manual_seed(1))
optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
plane = splinescope.Slice.box([-1.5, -1.0], [2.5, 1.5], names=["x1", "x2"])
frames = {}
for step in range(121):
    if step in (0, 20, 60, 120):
        frames[step] = splinescope.tessellate(net, plane)
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(net(moons.inputs), moons.labels).backward()
    optimizer.step()
page = explore_frames(frames, color="class", title="two moons")
page

# %%
# Along a segment: who leads, the outputs, the margin of the class that leads at the start, the norm of the linear part
# and the units that flip.

segment = splinescope.tessellate(net, splinescope.Segment([-1.4, 0.9], [2.4, -0.9]))
segment.explore(title="from one corner to another")

# %%
# In space: turn it, and move the plane that cuts it.

space = models.mlp([3, 8, 8, 2], generator=torch.Generator().manual_seed(2))
solid = splinescope.tessellate(space, splinescope.Box([-1, -1, -1], [1, 1, 1]))
solid.explore(color="norm", title="three dimensions")

# %%
# Any result is drawn by `.plot()`, and shows itself at the end of a cell of a notebook.

solid.plot(color="volume")

# %%

solid.affine_maps()
