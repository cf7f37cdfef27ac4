"""Sizes of `two-phases`."""

from __future__ import annotations

from dataclasses import dataclass

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        hidden: Hidden widths of the digits network.
        trainings: How many, from different seeds.
        steps: Steps of each.
        every: Steps between checkpoints.
        batch: Images of a step.
        learning_rate: Adam's.
        probes: Images at which codes are looked at.
        kernel_probes: Images at which the tangent kernel is taken.
        line_samples: Images whose loss is followed exactly from checkpoint to checkpoint.
        reach: Checkpoints from the start of a segment to its end.
        resamples: Resamples for the uncertainty of change points.
    """

    hidden: tuple[int, ...]
    trainings: int
    steps: int
    every: int
    batch: int
    learning_rate: float
    probes: int
    kernel_probes: int
    line_samples: int
    reach: int
    resamples: int

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Three trainings of 240 steps."""
        return cls(
            seed=seed,
            hidden=(12, 12),
            trainings=3,
            steps=240,
            every=12,
            batch=64,
            learning_rate=3e-3,
            probes=200,
            kernel_probes=20,
            line_samples=60,
            reach=1,
            resamples=100,
        )

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Three trainings of 1,500 steps."""
        return cls(
            seed=seed,
            hidden=(32, 32),
            trainings=3,
            steps=1500,
            every=25,
            batch=64,
            learning_rate=2e-3,
            probes=1000,
            kernel_probes=40,
            line_samples=300,
            reach=1,
            resamples=400,
        )
