"""Bits of codes, however these are stored."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.tessellation.codes import NodeCodes, compress, pack


@pytest.mark.parametrize("columns", [5, 64, 200])
@pytest.mark.parametrize("same", [0.0, 0.7, 1.0])
def test_bits_at_pairs_are_those_that_were_packed(columns: int, same: float) -> None:
    rng = np.random.default_rng(columns)
    bits = rng.integers(0, 2, (30, columns), np.uint8)
    constant = rng.random(columns) < same
    bits[:, constant] = rng.integers(0, 2, columns, np.uint8)[constant]
    codes = compress(1, pack(bits), columns)
    assert isinstance(codes, NodeCodes)
    cells, chosen = rng.integers(0, 30, 400), rng.integers(0, columns, 400)
    assert (codes.at(cells, chosen) == bits[cells, chosen]).all()
    assert not len(codes.at(cells[:0], chosen[:0]))


def test_bits_at_pairs_of_a_segment_are_those_of_its_words() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 70), nn.ReLU(), nn.Linear(70, 70), nn.ReLU(), nn.Linear(70, 1)).double()
    cells = splinescope.tessellate(module, splinescope.Segment([-2.0, 1.0, 0.0], [2.0, -1.0, 1.0]))
    rng = np.random.default_rng(0)
    for codes in cells.codes:
        which, columns = rng.integers(0, len(cells), 300), rng.integers(0, 70, 300)
        bits = codes.unpacked(np.arange(70))
        assert 0 < bits.mean() < 1
        assert (codes.at(which, columns) == bits[which, columns]).all()
        assert not len(codes.at(which[:0], columns[:0]))
