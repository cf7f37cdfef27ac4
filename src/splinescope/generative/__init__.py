"""Generators: the volume that a network gives to its latents, and sampling that knows it."""

from splinescope.generative.expectations import Moments, moments
from splinescope.generative.log_volumes import (
    SketchBias,
    log_volume,
    measured_bias,
    singular_values,
    sketch_bias,
)
from splinescope.generative.manifold import (
    ManifoldSamples,
    cell_log_volumes,
    entropy,
    expected_log_volume,
    latent_measures,
    law_entropy,
    log_density,
    sample,
    volume,
)
from splinescope.generative.overlap import Overlap, overlap
from splinescope.generative.priors import Custom, Gaussian, Prior, UniformBall, UniformBox
from splinescope.generative.sampler import Drawn, VolumeSampler, from_determinant_power

__all__ = [
    "Custom",
    "Drawn",
    "Gaussian",
    "ManifoldSamples",
    "Moments",
    "Overlap",
    "Prior",
    "SketchBias",
    "UniformBall",
    "UniformBox",
    "VolumeSampler",
    "cell_log_volumes",
    "entropy",
    "expected_log_volume",
    "from_determinant_power",
    "latent_measures",
    "law_entropy",
    "log_density",
    "log_volume",
    "measured_bias",
    "moments",
    "overlap",
    "sample",
    "singular_values",
    "sketch_bias",
    "volume",
]
