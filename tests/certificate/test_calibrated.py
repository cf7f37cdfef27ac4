"""Errors that were measured, where bounds of float64 say too little: units that sleep have none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.network.ops import Maximum
from splinescope.tessellation.certificate import passes
from splinescope.tessellation.certificate.evaluators import Calibrated, Precise
from splinescope.tessellation.certificate.passes import check_interiors
from splinescope.tessellation.certificate.settlement import Settlement
from splinescope.tessellation.certificate.subjects import subject_of

ALLOWED = 1e-9


def calibrated() -> Calibrated:
    """A pool of rectified units in a plane, all of whose errors are measured as the same."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Unflatten(1, (1, 8)), nn.MaxPool1d(4), nn.Flatten())
    cells = splinescope.tessellate(module, splinescope.Slice.box([-3, -3], [3, 3]))
    subject = subject_of(cells, False)
    nodes = {index: node.inputs[0] for index, node in enumerate(cells.network.nodes) if node.fold is not None}
    sizes = {index: cells.network.nodes[source].size for index, source in nodes.items()}
    measured = {index: np.full((1, size), ALLOWED) for index, size in {**sizes, -1: 2}.items()}
    return Calibrated(subject, measured, Precise(subject, 8), few=0)


def test_sleeping_units_have_no_error_and_others_the_measured_one() -> None:
    evaluator = calibrated()
    points = evaluator.subject.points
    awake = None
    for passed in evaluator.closer(points) or ():
        if passed.index < 0:
            continue
        if isinstance(evaluator.subject.network.nodes[passed.index].op, Maximum):
            assert awake is not None
            assert ((passed.errors > 0) == awake).all()
            assert passed.errors.max() <= ALLOWED
            assert (passed.values[~awake] == 0).all()
        else:
            awake = passed.values >= -ALLOWED
    assert awake is not None
    assert 0 < awake.mean() < 1


def test_ties_of_sleeping_units_are_settled_without_exact_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    """They follow from signs of the units, and are no facts of their own; else bounds at each point tell them."""
    evaluator = calibrated()
    settlement = Settlement(evaluator.subject, evaluator)
    settlement._left = 0.0
    check_interiors(evaluator.subject, evaluator, settlement, None)
    assert settlement.settled.signs == settlement.settled.open == 0
    monkeypatch.setattr(passes, "implied", lambda subject, facts: np.zeros(len(facts), bool))
    settlement = Settlement(evaluator.subject, evaluator)
    settlement._left = 0.0  # no exact arithmetic at all
    check_interiors(evaluator.subject, evaluator, settlement, None)
    assert settlement.settled.signs > 0
    assert settlement.settled.open == 0
