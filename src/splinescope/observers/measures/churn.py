"""How many units change their piece from one recorded step to the next."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from splinescope.observers.snapshot import Snapshot
from splinescope.tessellation.branches.walk import chunk_length, pieces_at


@dataclass(frozen=True, eq=False)
class CodeChurn:
    """How much the activation patterns of points changed since the recorded step before; NaN at the first.

    `units` is the share of pairs of a point and a unit whose piece (for a maximum: which entry wins) is another one,
    `points` the share of points with at least one such unit, which now lie in a cell of another code.

    Attributes:
        points: [n, *input_shape] inputs.
    """

    points: Any

    def observe(self, snapshot: Snapshot) -> dict[str, np.ndarray]:
        """See `Comparison.observe`; here the codes of the points."""
        inputs = snapshot.inputs(self.points)
        network = snapshot.network(tuple(inputs.shape[1:]))
        codes = np.empty((len(inputs), network.num_units), np.uint8)
        length = chunk_length(network)
        for start in range(0, len(inputs) if network.num_units else 0, length):
            pieces = pieces_at(network, inputs[start : start + length])
            codes[start : start + length] = np.hstack([pieces[node].numpy() for node in sorted(pieces)])
        return {"codes": codes}

    def compare(self, before: Mapping[str, np.ndarray] | None, now: Mapping[str, np.ndarray]) -> dict[str, float]:
        """See `Comparison.compare`."""
        if before is None:
            return {"units": math.nan, "points": math.nan}
        changed = before["codes"] != now["codes"]
        return {"units": float(changed.mean()) if changed.size else 0.0, "points": float(changed.any(axis=1).mean())}
