"""Latents that somebody drew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from splinescope.shown import Shown


@dataclass(frozen=True, eq=False, kw_only=True)
class LatentSamples(Shown):
    """Latents that were drawn, with what became of them; `numpy.asarray` gives the latents.

    Attributes:
        latents: In the coordinates of the domain or of the prior.
        outputs: Outputs of the generator.
        log_volumes: Logarithm of what volumes at each are stretched by.
    """

    latents: Float[np.ndarray, "n d"]
    outputs: Float[np.ndarray, "n ..."]
    log_volumes: Float[np.ndarray, " n"]

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.latents)

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        """The latents."""
        return np.array(self.latents, dtype=dtype) if copy else np.asarray(self.latents, dtype=dtype)


@dataclass(frozen=True, eq=False, kw_only=True)
class Drawn(LatentSamples):
    """Latents that a sampler drew; outputs are behind the generator's head if it has one.

    Attributes:
        effective_sample_size: How many independent draws the weights are worth, of the pool or chain behind them.
        replacement: Whether one latent can occur twice.
        accepted: Share of proposals that were taken, of rejection and Metropolis-Hastings; None of a pool.
    """

    effective_sample_size: float
    replacement: bool
    accepted: float | None = None
