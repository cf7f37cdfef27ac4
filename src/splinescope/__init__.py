"""The exact geometry of continuous piecewise affine networks: tessellations, measures and certificates.

The front door. Names are loaded when first used, so that `import splinescope` is quick:

    network = splinescope.load("model.onnx")
    domain = splinescope.Slice.through(x0, x1, x2, margin=0.2)   # or a Segment, or a Box
    cells = splinescope.tessellate(network, domain)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from splinescope import complexity, datasets, errors, initialization, models, observers, paths, plotting
    from splinescope.errors import SplinescopeError
    from splinescope.network import Network, from_onnx, from_torch, load
    from splinescope.numerics import Tolerance
    from splinescope.tessellation.boundary import decision_boundary
    from splinescope.tessellation.complex import PolyhedralComplex
    from splinescope.tessellation.domains import Box, Segment, Slice
    from splinescope.tessellation.engine import tessellate
    from splinescope.tessellation.files import open
    from splinescope.tessellation.region_graph import region_graph
    from splinescope.tessellation.segments import tessellate_segments
    from splinescope.tessellation.surface import level_set

__version__ = "0.1.0"

__all__ = [
    "Box",
    "Network",
    "PolyhedralComplex",
    "Segment",
    "Slice",
    "SplinescopeError",
    "Tolerance",
    "__version__",
    "complexity",
    "datasets",
    "decision_boundary",
    "errors",
    "from_onnx",
    "from_torch",
    "initialization",
    "level_set",
    "load",
    "models",
    "observers",
    "open",
    "paths",
    "plotting",
    "region_graph",
    "tessellate",
    "tessellate_segments",
]

_HOMES = {
    "Box": "splinescope.tessellation.domains",
    "Network": "splinescope.network",
    "PolyhedralComplex": "splinescope.tessellation.complex",
    "Segment": "splinescope.tessellation.domains",
    "Slice": "splinescope.tessellation.domains",
    "SplinescopeError": "splinescope.errors",
    "Tolerance": "splinescope.numerics",
    "decision_boundary": "splinescope.tessellation.boundary",
    "from_onnx": "splinescope.network",
    "from_torch": "splinescope.network",
    "level_set": "splinescope.tessellation.surface",
    "load": "splinescope.network",
    "open": "splinescope.tessellation.files",
    "region_graph": "splinescope.tessellation.region_graph",
    "tessellate": "splinescope.tessellation.engine",
    "tessellate_segments": "splinescope.tessellation.segments",
}
_MODULES = frozenset({"complexity", "datasets", "errors", "initialization", "models", "observers", "paths", "plotting"})


def __getattr__(name: str) -> Any:
    """Load a public name from its home when it is first used."""
    if name in _MODULES:
        return import_module(f"splinescope.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'splinescope' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
