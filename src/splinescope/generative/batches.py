"""Batches of samples as a data set for loaders."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor


class SampledBatches(torch.utils.data.IterableDataset):
    """Batches of a sampler, other ones for each worker."""

    def __init__(self, batches: Callable[..., Iterator[Tensor]], size: int, seed: int) -> None:
        self.batches, self.size, self.seed = batches, size, seed

    def __iter__(self) -> Iterator[Tensor]:
        worker = torch.utils.data.get_worker_info()
        return self.batches(self.size, seed=self.seed + (0 if worker is None else 1_000_003 * worker.id))
