"""Paths inside a class: segments on which a network provably never changes its mind, or the place where it does."""

from splinescope.paths.band import Band, minimise_band
from splinescope.paths.bent import BentPath, BentPaths
from splinescope.paths.certify import PolylineCertificate, certify_polyline
from splinescope.paths.components import (
    Components,
    FalseVerdicts,
    Proportion,
    false_verdicts,
    join_components,
    proportion,
)
from splinescope.paths.decoders import (
    DecoderTraining,
    decoded,
    decoder_for,
    flat_decoder,
    map_decoder,
    train_decoder,
)
from splinescope.paths.elastic import nudged_elastic_band, string_method
from splinescope.paths.energy import ClassEnergy, Energy, FunctionEnergy
from splinescope.paths.insertion import insert_highest
from splinescope.paths.profiles import PathProfile, path_profile
from splinescope.paths.refinement import Refinement, refine
from splinescope.paths.results import StraightPath, StraightPaths
from splinescope.paths.straight import straight

__all__ = [
    "Band",
    "BentPath",
    "BentPaths",
    "ClassEnergy",
    "Components",
    "DecoderTraining",
    "Energy",
    "FalseVerdicts",
    "FunctionEnergy",
    "PathProfile",
    "PolylineCertificate",
    "Proportion",
    "Refinement",
    "StraightPath",
    "StraightPaths",
    "certify_polyline",
    "decoded",
    "decoder_for",
    "false_verdicts",
    "flat_decoder",
    "insert_highest",
    "join_components",
    "map_decoder",
    "minimise_band",
    "nudged_elastic_band",
    "path_profile",
    "proportion",
    "refine",
    "straight",
    "string_method",
    "train_decoder",
]
