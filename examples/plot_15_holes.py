"""
Parts and holes of a region
===========================

The set where a network is positive, its parts, and what they enclose: exact, from the cells.
"""

# %%
import torch

import splinescope
from splinescope import plotting
from splinescope.topology import betti_numbers, region_topology


class Ring(torch.nn.Module):
    """Positive where 0.25 < |x| + |y| < 0.75."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, 2] to [N, 1]."""
        return 0.25 - (x.abs().sum(dim=1, keepdim=True) - 0.5).abs()


cells = splinescope.tessellate(Ring(), splinescope.Slice.box([-1, -1], [1, 1]))
print("ring:", betti_numbers(cells, above=0), " outside:", betti_numbers(cells, 0))

# %%
plotting.plot_region(region_topology(cells, 0))
