"""Names of classes are part of a network, and of what is made from it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import splinescope
from splinescope import Box, Slice, complexity
from splinescope.errors import InvalidInputError
from splinescope.network import load, split
from splinescope.tessellation.export import load_complex, save_complex, to_table
from splinescope.tessellation.surface import decision_surface

NAMES = ("cat", "dog", "fox")


@pytest.fixture(scope="module")
def network() -> splinescope.Network:
    torch.manual_seed(2)
    return load(nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 3))).with_classes(list(NAMES))


def test_a_new_network(network: splinescope.Network) -> None:
    bare = network.with_classes(None)
    assert (network.classes, bare.classes, network.num_classes) == (NAMES, None, 3)
    assert [network.class_name(2), bare.class_name(2)] == ["fox", "2"]
    assert network.nodes is bare.nodes


def test_one_output_has_two_classes() -> None:
    network = load(nn.Linear(2, 1))
    assert network.num_classes == 2
    assert network.with_classes(["outside", "inside"]).class_name(1) == "inside"


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["cat", "dog"], r"`classes`: got \['cat', 'dog'\]; expected 3 names, one for each class in order"),
        ("cat", r"`classes`: got \['cat'\]; expected 3 names"),
        (["cat", "dog", ""], "expected 3 names"),
        (["cat", "dog", "cat"], "expected 3 different names"),
    ],
)
def test_wrong_names(network: splinescope.Network, names: list[str], what: str) -> None:
    with pytest.raises(InvalidInputError, match=what):
        network.with_classes(names)


def test_what_is_made_of_a_network_keeps_them(network: splinescope.Network, tmp_path: Path) -> None:
    assert complexity.without_unit(network, 2, 0).classes == NAMES
    parts = split(network, 1)
    assert (parts.before.classes, parts.after.classes) == (None, NAMES)
    cells = splinescope.tessellate(network, Slice.box([-1.0, -1.0], [1.0, 1.0], names=("x (m)", "y (m)")))
    save_complex(cells, tmp_path / "cells.npz")
    again = load_complex(tmp_path / "cells.npz")
    assert (again.network.classes, again.domain.names) == (NAMES, ("x (m)", "y (m)"))


def test_tables_have_them(network: splinescope.Network) -> None:
    domain = Slice.box([-1.0, -1.0], [1.0, 1.0])
    table = to_table(splinescope.tessellate(network, domain), maps=False)
    assert table["class_name"].tolist() == [NAMES[label] for label in table["class"]]
    assert "class_name" not in to_table(splinescope.tessellate(network.with_classes(None), domain), maps=False)


@pytest.mark.parametrize("outputs", [1, 3])
def test_surfaces_have_them(outputs: int) -> None:
    torch.manual_seed(0)
    names = NAMES[: max(2, outputs)]
    network = load(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, outputs))).with_classes(names)
    mesh = decision_surface(network, Box([-1.0] * 3, [1.0] * 3))
    assert mesh.class_names == names
    assert mesh.classes is not None
    assert mesh.classes.max(initial=0) < len(names)
