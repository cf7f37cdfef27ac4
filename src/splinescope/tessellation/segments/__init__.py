"""Segments: the exact cells of a network along straight lines between inputs, and what they answer."""

from splinescope.tessellation.segments.batch import SegmentBatch, Segments
from splinescope.tessellation.segments.certificate import certify_segments
from splinescope.tessellation.segments.complex import SegmentComplex
from splinescope.tessellation.segments.engine import tessellate_segment, tessellate_segments
from splinescope.tessellation.segments.queries.attribution import IntegratedGradients, integrated_gradients
from splinescope.tessellation.segments.queries.breakpoints import Breakpoints, breakpoints
from splinescope.tessellation.segments.queries.classes import ClassIntervals, class_intervals, misclassified
from splinescope.tessellation.segments.queries.export import competes, save_segments
from splinescope.tessellation.segments.queries.extrema import SegmentExtrema, extrema
from splinescope.tessellation.segments.queries.lengths import ImageLengths, image_lengths
from splinescope.tessellation.segments.queries.maps import affine_maps
from splinescope.tessellation.segments.queries.margins import CrossEntropy, Margins, cross_entropy, margins

__all__ = [
    "Breakpoints",
    "ClassIntervals",
    "CrossEntropy",
    "ImageLengths",
    "IntegratedGradients",
    "Margins",
    "SegmentBatch",
    "SegmentComplex",
    "SegmentExtrema",
    "Segments",
    "affine_maps",
    "breakpoints",
    "certify_segments",
    "class_intervals",
    "competes",
    "cross_entropy",
    "extrema",
    "image_lengths",
    "integrated_gradients",
    "margins",
    "misclassified",
    "save_segments",
    "tessellate_segment",
    "tessellate_segments",
]
