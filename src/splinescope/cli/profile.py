"""What a profile says, as plain values: phases, and nodes of the network beside a forward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splinescope.tessellation.floor import forward_seconds

if TYPE_CHECKING:
    from splinescope.cli.run import Facts
    from splinescope.profiling import TimeProfile
    from splinescope.tessellation.complex import VertexComplex


def facts_of(profile: TimeProfile, cells: VertexComplex) -> Facts:
    """Where the time went, for JSON.

    Args:
        profile: The profile of what has been done so far.
        cells: The cells that were found.

    Returns:
        Seconds of each phase ("phases"); of one forward pass at each cell in all ("forward") and, with those of
        cutting, of each node ("nodes"); and how many times as long everything took ("ratio").
    """
    cutting, forward = profile.of_phase("cutting"), forward_seconds(cells)
    total = sum(forward.values())
    nodes = [
        {"node": node.name, "op": type(node.op).__name__, "cutting": cutting.get(node.name, 0.0), "forward": passed}
        for node, passed in zip(cells.network.nodes, forward.values(), strict=True)
        if node.inputs
    ]
    return {
        "phases": profile.phases,
        "nodes": nodes,
        "forward": total,
        "ratio": profile.total / total if total else None,
    }
