"""Paths inside a class: segments on which a network provably never changes its mind, or the place where it does."""

from splinescope.paths.band import Band, minimise_band
from splinescope.paths.bent import BentPath, BentPaths
from splinescope.paths.certify import PolylineCertificate, certify_polyline
from splinescope.paths.elastic import nudged_elastic_band, string_method
from splinescope.paths.energy import ClassEnergy, Energy, FunctionEnergy
from splinescope.paths.insertion import insert_highest
from splinescope.paths.refinement import Refinement, refine
from splinescope.paths.results import StraightPath, StraightPaths
from splinescope.paths.straight import straight

__all__ = [
    "Band",
    "BentPath",
    "BentPaths",
    "ClassEnergy",
    "Energy",
    "FunctionEnergy",
    "PolylineCertificate",
    "Refinement",
    "StraightPath",
    "StraightPaths",
    "certify_polyline",
    "insert_highest",
    "minimise_band",
    "nudged_elastic_band",
    "refine",
    "straight",
    "string_method",
]
