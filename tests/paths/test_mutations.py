"""Straight paths whose margins are wrong in one way each; forward passes at all breakpoints must say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import splinescope
from splinescope.errors import CertificateError
from splinescope.paths import straight
from splinescope.paths.proof import exact
from splinescope.tessellation.segments import Margins, SegmentBatch, margins
from splinescope.tessellation.segments.certificate import certify_segments
from tests.paths.nets import perceptron, seeded
from tests.paths.test_straight import notch, pairs


def with_least(found: Margins, batch: SegmentBatch, kept: np.ndarray) -> Margins:
    """The least margins among some of the vertices."""
    at = np.where(kept, found.at_vertices, np.inf)
    least = np.minimum.reduceat(at, batch.offsets[:-1])
    first = [int(np.flatnonzero((at == m) & (batch.vertex_segments == s))[0]) for s, m in enumerate(least)]
    return replace(found, minimum=least, t=batch.t[first])


def ends_only(found: Margins, batch: SegmentBatch) -> Margins:
    """What the issue found: margins are looked at in the ends only."""
    kept = np.zeros(len(batch.t), bool)
    kept[batch.offsets[:-1]] = kept[batch.offsets[1:] - 1] = True
    return with_least(found, batch, kept)


def worst_skipped(found: Margins, batch: SegmentBatch) -> Margins:
    least = found.at_vertices == found.minimum[batch.vertex_segments]
    return with_least(found, batch, ~least)


def too_large(found: Margins, batch: SegmentBatch) -> Margins:
    return replace(found, minimum=found.minimum + 1e-9)


def too_small(found: Margins, batch: SegmentBatch) -> Margins:
    return replace(found, minimum=found.minimum - 1e-9)


def other_class(found: Margins, batch: SegmentBatch) -> Margins:
    return margins(batch, 1 - found.targets if batch.vertex_outputs.shape[1] <= 2 else (found.targets + 1) % 3)


MUTATIONS = [ends_only, worst_skipped, too_large, too_small, other_class]


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_margins(monkeypatch: pytest.MonkeyPatch, mutation: Callable[[Margins, SegmentBatch], Margins]) -> None:
    network = splinescope.load(seeded(perceptron(4, 12, 12, 3)), input_shape=(4,))
    x, y, targets = pairs(network, 40)
    paths = straight(network, x, y, targets, method="exact")
    assert paths.proved is not None
    assert paths.proved.all()
    monkeypatch.setattr(exact, "margins", lambda batch, wanted: mutation(margins(batch, wanted), batch))
    with pytest.raises(CertificateError, match="`margins` failed"):
        straight(network, x, y, targets, method="exact")


@pytest.mark.parametrize("half_width", [0.25, 1e-3, 1e-9])
def test_a_notch_looked_at_in_the_ends_only(monkeypatch: pytest.MonkeyPatch, half_width: float) -> None:
    monkeypatch.setattr(exact, "margins", lambda batch, wanted: ends_only(margins(batch, wanted), batch))
    with pytest.raises(CertificateError, match="`margins` failed"):
        straight(notch(0.3141592653589793, half_width), [0.0], [1.0], 1, method="exact")


def test_outputs_at_breakpoints_that_are_not_the_network_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's outputs at one breakpoint are those at its neighbour; its own certificate is not asked."""
    tessellate = exact.tessellate_segments

    def wrong(*arguments: object, **options: object) -> SegmentBatch:
        batch = tessellate(*arguments, **options)
        outputs = batch.vertex_outputs.copy()
        worst = int(margins(batch, 1).at_vertices.argmin())
        outputs[worst] = outputs[worst + 1]
        return replace(batch, vertex_outputs=outputs)

    monkeypatch.setattr(exact, "tessellate_segments", wrong)
    with pytest.raises(CertificateError, match="`margins` failed"):
        straight(notch(0.3141592653589793, 1e-3), [0.0], [1.0], 1, method="exact")


def test_a_breakpoint_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """That none is missing is what the certificate of the segments says; it is asked again here for the wrong cells."""
    tessellate = exact.tessellate_segments

    def wrong(*arguments: object, **options: object) -> SegmentBatch:
        batch = tessellate(*arguments, **options)
        worst = int(margins(batch, 1).at_vertices.argmin())
        kept = np.arange(len(batch.t)) != worst
        counts = np.diff(batch.flip_offsets)[kept]
        flips = np.repeat(kept, np.diff(batch.flip_offsets))
        shorter = replace(
            batch,
            t=batch.t[kept],
            vertex_outputs=batch.vertex_outputs[kept],
            offsets=np.where(batch.offsets > worst, batch.offsets - 1, batch.offsets),
            flip_offsets=np.concatenate([[0], np.cumsum(counts)]),
            flip_op=batch.flip_op[flips],
            flip_unit=batch.flip_unit[flips],
        )
        return replace(shorter, certificate=certify_segments(shorter, "values"))

    monkeypatch.setattr(exact, "tessellate_segments", wrong)
    with pytest.raises(CertificateError):
        straight(notch(0.3141592653589793, 1e-3), [0.0], [1.0], 1, method="exact")
