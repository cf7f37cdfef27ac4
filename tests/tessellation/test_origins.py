"""Numbers that are one by name are one, and signs that names tell are not asked of exact arithmetic."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.geometry.planar.doubts import OpenSigns
from splinescope.geometry.planar.edge_cuts import Layer
from splinescope.network import Network
from splinescope.tessellation.exact import ExactForms, domain_rows
from splinescope.tessellation.origins import CONSTANT, origins
from splinescope.tessellation.planar.judge import PlanarJudge
from splinescope.tessellation.planar.plan import sides_of_polygon
from splinescope.tessellation.predicates import sign_at

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


@cache
def branches() -> Network:
    torch.manual_seed(0)
    return splinescope.load(Branches(), input_shape=(2,))


def test_numbers_with_one_name_have_one_form() -> None:
    network = branches()
    cells = splinescope.tessellate(network, PLANE, max_cells=8)
    forms = ExactForms(network, domain_rows(PLANE.origin, PLANE.basis), sides_of_polygon(PLANE.polygon))
    node = [index for index, fold in network.folds.items() if not fold.elementwise][-1]
    units = np.arange(network.nodes[node].size)
    moved = 0
    for cell in range(0, len(cells), 4):
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


def test_doubts_about_members_with_one_name_are_settled_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Next to none are left for exact arithmetic, and the cells are those that its signs give."""
    network, plane = branches(), splinescope.Slice.box([-0.25, -0.25], [0.25, 0.25])
    asked: list[int] = []
    left: list[int] = []
    settle = PlanarJudge._without_named

    def named(judge: PlanarJudge, doubts: OpenSigns, layer: Layer) -> OpenSigns:
        found = settle(judge, doubts, layer)
        asked.append(len(doubts.vertices))
        left.append(len(found.vertices))
        return found

    monkeypatch.setattr(PlanarJudge, "_without_named", named)
    cells = splinescope.tessellate(network, plane, verify="proof", max_cells=40)
    assert cells.certificate.level == "proof"
    assert sum(asked) > 100
    assert sum(left) < sum(asked) / 20
    monkeypatch.setattr(PlanarJudge, "_without_named", lambda judge, doubts, layer: doubts)
    monkeypatch.setattr(PlanarJudge, "names", lambda judge, edge, columns: np.arange(len(columns)))
    plain = splinescope.tessellate(network, plane, max_cells=40)
    np.testing.assert_allclose(np.sort(plain.areas), np.sort(cells.areas), rtol=1e-9, atol=1e-15)


class Normalised(nn.Module):
    """Layers that normalise the channels before them, each in its own way, and put theirs beside them."""

    def __init__(self, factors: list[tuple[float, float]]) -> None:
        super().__init__()
        self.first, self.factors = nn.Linear(2, 6), factors
        self.blocks = nn.ModuleList([nn.Linear(6 + 3 * number, 3) for number in range(len(factors))])
        self.last = nn.Linear(6 + 3 * len(factors), 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        for (scale, shift), block in zip(self.factors, self.blocks, strict=True):
            x = torch.cat([x, block(nn.functional.leaky_relu(scale * x + shift, 0.125))], 1)
        return self.last(x)


NORMALS = {
    "one place": [(1.0, 0.0), (3.0, 0.0), (-0.7, 0.0), (0.1, 0.0)],
    "next to it": [(1.0, -0.25), (3.0, -0.75), (0.1, -0.025), (-0.3, 0.075), (1e3, -250.0)],
}
"""Where the second kind folds differs by the rounding of 0.1 and 0.3: by 1e-17."""


@pytest.mark.parametrize("kind", NORMALS)
def test_signs_of_channels_that_layers_normalise_are_told_by_name(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    network = splinescope.load(Normalised(NORMALS[kind]), input_shape=(2,))
    named = np.zeros(2, np.int64)
    settle, told = PlanarJudge._without_named, []

    def checked(judge: PlanarJudge, doubts: OpenSigns, layer: Layer) -> OpenSigns:
        left = settle(judge, doubts, layer)
        named[:] += len(doubts.vertices), len(doubts.vertices) - len(left.vertices)
        pairs = set(zip(left.vertices.tolist(), left.columns.tolist(), strict=True))
        for vertex, column in zip(doubts.vertices.tolist(), doubts.columns.tolist(), strict=True):
            if (vertex, column) not in pairs:
                (form,) = judge._folds(judge._place(vertex), np.array([column]))
                word, bit = column >> 6, column & 63
                above, below = (int(bits[vertex, word]) >> bit & 1 for bits in (layer.positive, layer.negative))
                told.append((above - below) == sign_at(form, judge._points[vertex]))
        return left

    monkeypatch.setattr(PlanarJudge, "_without_named", checked)
    cells = splinescope.tessellate(network, PLANE, verify="proof")
    assert cells.certificate.level == "proof"
    assert named[1] > 50
    assert named[1] > 0.9 * named[0]
    assert all(told)
