"""Where a network is looked at: segments, polygons and polytopes in affine slices, and boxes of the input space."""

from splinescope.tessellation.domains.base import Domain
from splinescope.tessellation.domains.box import Box
from splinescope.tessellation.domains.segment import Segment
from splinescope.tessellation.domains.slice import Slice, as_slice

__all__ = ["Box", "Domain", "Segment", "Slice", "as_slice"]
