"""Batches of samples as a data set for loaders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Batched(Protocol):
    """What gives batches without end."""

    def batches(self, size: int, *, seed: int | None = None) -> Iterator[Tensor]:
        """Outputs in batches.

        Args:
            size: Outputs of one batch.
            seed: Of the draws.

        Yields:
            [size, *shape] tensors.
        """


class SampledBatches(torch.utils.data.IterableDataset):
    """Batches of a sampler, other ones for each worker."""

    def __init__(self, sampler: Batched, size: int, seed: int) -> None:
        self.sampler, self.size, self.seed = sampler, size, seed

    def __iter__(self) -> Iterator[Tensor]:
        worker = torch.utils.data.get_worker_info()
        return self.sampler.batches(self.size, seed=self.seed + (0 if worker is None else 1_000_003 * worker.id))
