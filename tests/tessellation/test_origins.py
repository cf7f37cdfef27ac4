"""Numbers that are one by name are one, and signs that names tell are not asked of exact arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.network import Network
from splinescope.tessellation.exact import ExactForms, domain_rows
from splinescope.tessellation.origins import CONSTANT, origins
from splinescope.tessellation.planar.judge import PlanarJudge
from splinescope.tessellation.planar.plan import sides_of_polygon
from tests.network.agreement import check_cells

PLANE = splinescope.Slice.box([-1, -1], [1, 1])


class Branches(nn.Module):
    """Two branches behind ReLU, side by side, and pools whose windows overlap, one behind the other."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.one, self.two = nn.Linear(2, 2 * 16), nn.Conv2d(2, 1, 1), nn.Conv2d(2, 2, 3, padding=1)
        self.pool, self.last = nn.MaxPool2d(3, 1, 1), nn.Linear(3 * 16, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x).reshape(-1, 2, 4, 4)
        x = torch.cat([self.one(x).relu(), self.two(x).relu()], 1)
        return self.last(self.pool(self.pool(x)).flatten(1))


def branches(seed: int) -> Network:
    torch.manual_seed(seed)
    return splinescope.load(Branches(), input_shape=(2,))


@pytest.mark.parametrize("seed", range(2))
def test_numbers_with_one_name_have_one_form(seed: int) -> None:
    network = branches(seed)
    cells = splinescope.tessellate(network, PLANE, max_cells=20)
    forms = ExactForms(network, domain_rows(PLANE.origin, PLANE.basis), sides_of_polygon(PLANE.polygon))
    node = [index for index, fold in network.folds.items() if not fold.elementwise][-1]
    units = np.arange(network.nodes[node].size)
    moved = 0
    for cell in range(0, len(cells), 5):
        pieces = pieces_at(network, cells.interior_points[cell])
        nodes, numbers = origins(network, pieces, node, units)
        values = forms.values(pieces, node, units)
        for unit, (source, number) in enumerate(zip(nodes.tolist(), numbers.tolist(), strict=True)):
            if source == CONSTANT:
                assert (number, values.rows[unit]) == (0.0, [0, 0, 0])
                continue
            first = forms.values(pieces, source, np.array([int(number)]))
            scale = values.exponent - first.exponent
            assert [x << max(scale, 0) for x in values.rows[unit]] == [x << max(-scale, 0) for x in first.rows[0]]
            moved += source != node
    assert moved > 0


def pieces_at(network: Network, point: np.ndarray) -> dict[int, np.ndarray]:
    """The pattern at a point."""
    from splinescope.network.evaluate import walk

    values, found = {}, {}
    for index, value in walk(network, torch.from_numpy(PLANE.embed(point[None]))):
        values[index] = value
        if (fold := network.nodes[index].fold) is not None:
            found[index] = fold.pieces(values[network.nodes[index].inputs[0]]).reshape(-1).numpy().astype(np.uint8)
    return found


def test_pools_that_overlap_ask_exact_arithmetic_no_more_than_with_other_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All doubts about members that are equal by name are gone, and the cells are those that exact signs give."""
    network = branches(0)
    cells = splinescope.tessellate(network, PLANE, verify="proof")
    assert cells.certificate.level == "proof"
    check_cells(network, PLANE)
    settled: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(
            PlanarJudge, "_without_named", lambda self, doubts, layer: settled.append(len(doubts.vertices)) or doubts
        )
        patch.setattr(PlanarJudge, "names", lambda self, edge, columns: np.arange(len(columns)))
        plain = splinescope.tessellate(network, PLANE, verify="proof")
    assert sum(settled) > 1000
    assert len(plain) == len(cells)
    np.testing.assert_allclose(np.sort(plain.areas), np.sort(cells.areas), rtol=1e-9, atol=1e-15)
    left: list[int] = []
    settle = PlanarJudge._without_named
    with monkeypatch.context() as patch:
        patch.setattr(
            PlanarJudge, "_without_named", lambda *a: left.append(len((found := settle(*a)).vertices)) or found
        )
        splinescope.tessellate(network, PLANE)
    assert sum(left) < sum(settled) / 50
