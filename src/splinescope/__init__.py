"""The exact geometry of continuous piecewise affine networks: tessellations, measures and certificates.

The front door. Names are loaded when first used, so that `import splinescope` is quick:

    network = splinescope.load("model.onnx").with_classes(["cat", "dog"])   # or a torch module, as it is
    domain = splinescope.Slice.through(x0, x1, x2, margin=0.2)              # or a Segment, or a Box
    cells = splinescope.tessellate(network, domain)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

PUBLIC = {
    "Box": "splinescope.tessellation.domains",
    "Network": "splinescope.network",
    "PolyhedralComplex": "splinescope.tessellation.complex",
    "Segment": "splinescope.tessellation.domains",
    "Slice": "splinescope.tessellation.domains",
    "SplinescopeError": "splinescope.errors",
    "Tolerance": "splinescope.numerics",
    "complexity": "splinescope",
    "datasets": "splinescope",
    "decision_boundary": "splinescope.tessellation.boundary",
    "errors": "splinescope",
    "from_onnx": "splinescope.network",
    "from_sklearn": "splinescope.network",
    "from_torch": "splinescope.network",
    "initialization": "splinescope",
    "landscape": "splinescope",
    "level_set": "splinescope.tessellation.surface",
    "load": "splinescope.network",
    "models": "splinescope",
    "observers": "splinescope",
    "open": "splinescope.tessellation.files",
    "paths": "splinescope",
    "plotting": "splinescope",
    "products_on": "splinescope.network.ops.devices",
    "region_graph": "splinescope.tessellation.region_graph",
    "sweeps": "splinescope",
    "tessellate": "splinescope.tessellation.engine",
    "tessellate_segments": "splinescope.tessellation.segments",
    "tessellate_slices": "splinescope.tessellation.planar",
    "trajectory": "splinescope",
}
"""Each public name, and the module that it is loaded from; modules are at home in the package itself. The only list:
`__all__`, what loads the names, `dir`, and the reference page follow it, and tests hold the imports for type checkers
below to it."""

__all__ = ["__version__", *PUBLIC]

if TYPE_CHECKING:
    from splinescope import complexity as complexity
    from splinescope import datasets as datasets
    from splinescope import errors as errors
    from splinescope import initialization as initialization
    from splinescope import landscape as landscape
    from splinescope import models as models
    from splinescope import observers as observers
    from splinescope import paths as paths
    from splinescope import plotting as plotting
    from splinescope import sweeps as sweeps
    from splinescope import trajectory as trajectory
    from splinescope.errors import SplinescopeError as SplinescopeError
    from splinescope.network import Network as Network
    from splinescope.network import from_onnx as from_onnx
    from splinescope.network import from_sklearn as from_sklearn
    from splinescope.network import from_torch as from_torch
    from splinescope.network import load as load
    from splinescope.network.ops.devices import products_on as products_on
    from splinescope.numerics import Tolerance as Tolerance
    from splinescope.tessellation.boundary import decision_boundary as decision_boundary
    from splinescope.tessellation.complex import PolyhedralComplex as PolyhedralComplex
    from splinescope.tessellation.domains import Box as Box
    from splinescope.tessellation.domains import Segment as Segment
    from splinescope.tessellation.domains import Slice as Slice
    from splinescope.tessellation.engine import tessellate as tessellate
    from splinescope.tessellation.files import open as open
    from splinescope.tessellation.planar import tessellate_slices as tessellate_slices
    from splinescope.tessellation.region_graph import region_graph as region_graph
    from splinescope.tessellation.segments import tessellate_segments as tessellate_segments
    from splinescope.tessellation.surface import level_set as level_set


def __getattr__(name: str) -> Any:
    """Load a public name from its home when it is first used."""
    home = PUBLIC.get(name)
    if home is None:
        raise AttributeError(f"module 'splinescope' has no attribute {name!r}; it has {', '.join(__all__)}")
    if home == __name__:
        return import_module(f"{home}.{name}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
