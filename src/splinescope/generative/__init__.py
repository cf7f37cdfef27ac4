"""Generators: the volume that a network gives to its latents, and sampling that knows it."""

from splinescope.generative.conditions import conditioned
from splinescope.generative.draws import ManifoldSamples, draw_from, sample
from splinescope.generative.expectations import Moments, moments
from splinescope.generative.frequencies import Frequencies, frequencies, frequencies_by_rho
from splinescope.generative.latent_law import LatentLaw, latent_law
from splinescope.generative.log_volumes import log_volume, measured_bias, singular_values
from splinescope.generative.manifold import (
    cell_log_volumes,
    entropy,
    expected_log_volume,
    latent_measures,
    law_entropy,
    log_density,
    volume,
)
from splinescope.generative.overlap import Overlap, overlap
from splinescope.generative.priors import Custom, Gaussian, Prior, UniformBall, UniformBox
from splinescope.generative.projection import NearestPoints, approach, project
from splinescope.generative.quality import Quality, quality
from splinescope.generative.sampler import VolumeSampler, from_determinant_power
from splinescope.generative.samples import Drawn
from splinescope.generative.sketches import SketchBias, sketch_bias

__all__ = [
    "Custom",
    "Drawn",
    "Frequencies",
    "Gaussian",
    "LatentLaw",
    "ManifoldSamples",
    "Moments",
    "NearestPoints",
    "Overlap",
    "Prior",
    "Quality",
    "SketchBias",
    "UniformBall",
    "UniformBox",
    "VolumeSampler",
    "approach",
    "cell_log_volumes",
    "conditioned",
    "draw_from",
    "entropy",
    "expected_log_volume",
    "frequencies",
    "frequencies_by_rho",
    "from_determinant_power",
    "latent_law",
    "latent_measures",
    "law_entropy",
    "log_density",
    "log_volume",
    "measured_bias",
    "moments",
    "overlap",
    "project",
    "quality",
    "sample",
    "singular_values",
    "sketch_bias",
    "volume",
]
