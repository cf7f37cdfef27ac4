"""
What is mapped where
====================

A controller of three inputs and four actions: which inputs choose an action, exactly, and with which share.
"""

# %%
# The preimage of a class is a union of polytopes, one for each cell that meets it.

import torch

import splinescope
from splinescope import plotting
from splinescope.preimage import ClassTarget, preimage_of

torch.manual_seed(0)
controller = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4)).double()
box = splinescope.Box([-1.0] * 3, [1.0] * 3)
found = preimage_of(controller, ClassTarget(2), box)
print(f"{len(found)} polytopes, {found.volume / 8:.4f} of the box, complete: {found.complete}")

# %%
plotting.plot_preimage(found)

# %%
# Each point of it is mapped into the class by the network itself.

inside = torch.from_numpy(found.sample(1000))
print((controller(inside).argmax(dim=1) == 2).float().mean().item())
