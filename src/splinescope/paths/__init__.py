"""Paths inside a class: segments on which a network provably never changes its mind, or the place where it does."""

from splinescope.paths.bending.band import Band, minimise_band
from splinescope.paths.bending.bent import BentPath, BentPaths
from splinescope.paths.bending.elastic import nudged_elastic_band, string_method
from splinescope.paths.bending.insertion import insert_highest
from splinescope.paths.bending.search import SearchOptions
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
from splinescope.paths.energy import ClassEnergy, Energy, FunctionEnergy
from splinescope.paths.profiles import PathProfile, path_profile
from splinescope.paths.proof.certify import PolylineCertificate, certify_polyline
from splinescope.paths.proof.refinement import Refinement, refine
from splinescope.paths.proof.results import StraightPath, StraightPaths
from splinescope.paths.proof.straight import straight

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
    "SearchOptions",
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
