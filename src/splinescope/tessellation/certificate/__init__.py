"""Certificates: what was verified about a complex, by code that owes nothing to the engine."""

from splinescope.tessellation.certificate.record import LEVELS, MEASURE_TOLERANCE, Certificate, Topology, fail
from splinescope.tessellation.certificate.verbs import certified, certify

__all__ = ["LEVELS", "MEASURE_TOLERANCE", "Certificate", "Topology", "certified", "certify", "fail"]
