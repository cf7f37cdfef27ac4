"""Work of several threads at once, which torch's forward mode once mixed up: it counts its levels for all together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from splinescope.generative import log_volume


class Wave(nn.Module):
    """No chain of layers."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.cat([torch.sin(z), z.square().sum(dim=1, keepdim=True)], dim=1)


@pytest.mark.parametrize("module", [nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 3)), Wave()])
def test_threads_take_jacobians_at_once(module: nn.Module) -> None:
    z = torch.randn(200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    module = module.double()
    alone = log_volume(module, z)
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(lambda _: log_volume(module, z), range(60)):
            np.testing.assert_allclose(found, alone, rtol=1e-12)
