"""Comparison of a complex along a segment with the rational twin, cell by cell."""

from __future__ import annotations

import numpy as np

from splinescope.tessellation.segments import SegmentComplex
from tests.reference.rational_segment import ExactInterval, at


def assert_agrees(cells: SegmentComplex, exact: list[ExactInterval]) -> None:
    """Same breakpoints to 1e-12; patterns, outputs and flips are those of the exact cells."""
    points = np.array([float(cell.start) for cell in exact] + [1.0])
    assert len(cells) == len(exact), (len(cells), len(exact))
    np.testing.assert_allclose(cells.t, points, rtol=0, atol=1e-12)
    np.testing.assert_allclose(cells.measures, np.diff(points), rtol=1e-6, atol=1e-12)
    assert_patterns(cells, exact)
    assert_outputs(cells, exact)
    assert_flips(cells, exact)


def assert_patterns(cells: SegmentComplex, exact: list[ExactInterval]) -> None:
    """Each unit is in an admissible piece."""
    patterns = cells.patterns
    assert patterns.shape == (len(exact), len(exact[0].pattern))
    wrong = [
        (cell, unit, int(patterns[cell, unit]), sorted(choices))
        for cell, interval in enumerate(exact)
        for unit, choices in enumerate(interval.pattern)
        if int(patterns[cell, unit]) not in choices
    ]
    assert not wrong, f"(cell, unit, piece, admissible pieces): {wrong[:5]}"


def assert_outputs(cells: SegmentComplex, exact: list[ExactInterval]) -> None:
    """Outputs at both ends of each cell are those of its exact lines."""
    found = np.stack([cells.vertex_outputs[:-1], cells.vertex_outputs[1:]], axis=1)
    expected = np.array(
        [[[float(at(line, t)) for line in cell.output] for t in (cell.start, cell.stop)] for cell in exact]
    )
    size = np.abs(expected).max(initial=0.0)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11 * size + 1e-13)


def assert_flips(cells: SegmentComplex, exact: list[ExactInterval]) -> None:
    """Units that must flip at a breakpoint are listed there, and no unit that can't."""
    columns = {}
    for node, start, _ in cells.pattern_nodes:
        columns[node] = start
    for number in range(1, len(exact)):
        here = slice(cells.flip_offsets[number], cells.flip_offsets[number + 1])
        listed = {columns[op] + unit for op, unit in zip(cells.flip_op[here], cells.flip_unit[here], strict=True)}
        pairs = list(zip(exact[number - 1].pattern, exact[number].pattern, strict=True))
        must = {unit for unit, (left, right) in enumerate(pairs) if not left & right}
        may = {unit for unit, (left, right) in enumerate(pairs) if left != right or len(left) > 1}
        assert must <= listed <= may, (number, must, listed, may)
        assert listed
