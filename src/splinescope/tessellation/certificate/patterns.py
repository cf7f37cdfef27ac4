"""Whether the recorded patterns are patterns at all: their columns in order, and winners that are members."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from splinescope.network.graph import Network
from splinescope.network.ops import Maximum
from splinescope.tessellation.certificate.record import fail
from splinescope.tessellation.codes import Codes

_CELLS = 1 << 12
"""Cells that are looked at together."""


def check_patterns(network: Network, codes: Iterable[Codes], cells: int) -> None:
    """Columns ascend and are the node's; the winner of each group of a maximum is one of its members.

    Args:
        network: The network.
        codes: Patterns of all cells, node by node.
        cells: Number of cells.

    Raises:
        CertificateError: With the cells concerned.
    """
    for code in codes:
        columns, op = code.columns, network.nodes[code.node].op
        if len(columns) and ((np.diff(columns) <= 0).any() or columns[0] < 0 or columns[-1] >= len(code.base)):
            name = network.nodes[code.node].name
            fail("patterns", np.arange(cells), f"columns of the patterns of node {name!r} are not in ascending order")
        if isinstance(op, Maximum):
            _check_winners(code, op, cells)


def _check_winners(code: Codes, op: Maximum, cells: int) -> None:
    """The winners of a maximum are members."""
    present = op.index.numpy() >= 0
    groups, size = present.shape
    digits = op.levels
    if size == 1 << digits and present.all():
        return
    present = np.pad(present, ((0, 0), (0, (1 << digits) - size)))
    everything = np.arange(len(code.base))
    for start in range(0, cells, _CELLS):
        part = code.taken(np.arange(start, min(start + _CELLS, cells)))
        bits = part.unpacked(everything).reshape(-1, digits, groups)
        winners = (bits.astype(np.int64) << np.arange(digits)[:, None]).sum(axis=1)
        wrong = np.flatnonzero(~present[np.arange(groups), winners].all(axis=1))
        if len(wrong):
            fail("patterns", start + wrong, "the winner of a maximum is none of its members")
