"""What `cells.save` writes, `splinescope.open` opens: every kind of cells, every op, and no file that is another's."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import splinescope
from splinescope.errors import InvalidInputError, StoreError
from splinescope.network import Network, ops
from splinescope.storage import fingerprint, read_arrays, write_arrays
from splinescope.tessellation import boundary
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.region_graph import region_graph
from splinescope.tessellation.segments import margins, tessellate_segments
from tests.storage.networks import every_op, image, relu, skips

SAVED = Path(__file__).resolve().parent.parent / "fixtures" / "saved"

KINDS = {
    "segment": ("SegmentComplex", 3),
    "segments": ("SegmentBatch", 3),
    "plane": ("PlanarComplex", 3),
    "box of two": ("PlanarComplex", 2),
    "space": ("SpatialComplex", 5),
    "box of three": ("SpatialComplex", 3),
    "four dimensions": ("SpatialComplex", 4),
    "graph": ("RegionGraph", 5),
    "graph in a slice": ("RegionGraph", 4),
    "incomplete graph": ("RegionGraph", 5),
}


def cells_of(kind: str, network: Network) -> Any:
    """Cells of each kind of one network."""
    n = network.input_shape[0]
    points = np.random.default_rng(1).uniform(-1, 1, (6, n))
    if kind == "segments":
        return tessellate_segments(network, points[:3], points[3:], verify="proof")
    if kind == "graph in a slice":
        return region_graph(network, splinescope.Slice.through(*points[:3]))
    if kind == "incomplete graph":
        return region_graph(network, box(n), max_cells=9)
    domain: Domain = box(n)
    if kind == "segment":
        domain = splinescope.Segment(points[0], points[1])
    elif kind in ("plane", "space"):
        domain = splinescope.Slice.through(*points[:3], dimension=2 if kind == "plane" else 3)
    return splinescope.tessellate(network, domain)


def box(n: int) -> splinescope.Box:
    """A cube."""
    return splinescope.Box([-0.4] * n, [0.4] * n)


@cache
def made(kind: str, name: str) -> Any:
    """Cells that several tests look at."""
    return cells_of(kind, {"relu": relu, "skips": skips}[name](KINDS[kind][1]))


def assert_same(one: Any, other: Any, where: str) -> None:
    """All fields agree, in type, kind of numbers and every bit."""
    assert type(one) is type(other), where
    if isinstance(one, np.ndarray | torch.Tensor):
        assert one.dtype == other.dtype, where
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other), err_msg=where)
    elif dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name), f"{where}.{field.name}")
    elif isinstance(one, tuple | list):
        assert len(one) == len(other), where
        for number, parts in enumerate(zip(one, other, strict=True)):
            assert_same(*parts, f"{where}.{number}")
    elif isinstance(one, dict):
        assert list(one) == list(other), where
        for key in one:
            assert_same(one[key], other[key], f"{where}.{key}")
    else:
        assert one == other or (one != one and other != other), where


@pytest.mark.parametrize("name", ["relu", "skips"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_back(kind: str, name: str, tmp_path: Path) -> None:
    cells = made(kind, name)
    assert type(cells).__name__ == KINDS[kind][0]
    again = splinescope.open(cells.save(tmp_path / "cells.npz"))
    assert_same(again, cells, kind)
    assert repr(again) == repr(cells)
    assert [path.name for path in tmp_path.iterdir()] == ["cells.npz"], "a temporary file was left"
    x = np.random.default_rng(2).normal(size=(40, *cells.network.input_shape))
    np.testing.assert_array_equal(again.network(x), cells.network(x))


@pytest.mark.parametrize("kind", KINDS)
def test_queries_go_on(kind: str, tmp_path: Path) -> None:
    cells = made(kind, "skips")
    again = splinescope.open(cells.save(tmp_path / "cells.npz"))
    if kind == "segments":
        np.testing.assert_array_equal(margins(again, 0).minimum, margins(cells, 0).minimum)
        np.testing.assert_array_equal(again[2].patterns, cells[2].patterns)
        return
    points = cells.interior_points
    np.testing.assert_array_equal(again.patterns, cells.patterns)
    np.testing.assert_array_equal(again.locate(points), cells.locate(points))
    np.testing.assert_array_equal(again.affine_maps("input").A, cells.affine_maps("input").A)
    assert again.pattern_nodes == cells.pattern_nodes
    assert (again.adjacency != cells.adjacency).nnz == 0
    if kind == "plane":
        expected = splinescope.decision_boundary(cells).segments
        np.testing.assert_array_equal(splinescope.decision_boundary(again).segments, expected)
        np.testing.assert_array_equal(boundary.class_areas(again), boundary.class_areas(cells))


@pytest.mark.parametrize("kind", KINDS)
def test_without_its_network_it_is_asked_for(kind: str, tmp_path: Path) -> None:
    cells = made(kind, "relu")
    path = cells.save(tmp_path / "cells.npz", with_network=False)
    with pytest.raises(
        InvalidInputError, match=r"^`network`: .*saved without its network; pass the one .*network="
    ) as no:
        splinescope.open(path)
    assert "\n" not in str(no.value)
    again = splinescope.open(path, network=cells.network)
    assert again.network is cells.network
    assert_same(again, cells, kind)
    assert path.stat().st_size < cells.save(tmp_path / "whole.npz").stat().st_size


@pytest.mark.parametrize("with_network", [True, False])
def test_another_network_is_refused(with_network: bool, tmp_path: Path) -> None:
    cells = made("plane", "relu")
    path = cells.save(tmp_path / "cells.npz", with_network=with_network)
    assert splinescope.open(path, relu(3)).network is not cells.network
    weights = [node.op for node in cells.network.nodes if isinstance(node.op, ops.Dense)]
    off = dataclasses.replace(weights[0], bias=weights[0].bias.clone())
    off.bias[0] = np.nextafter(off.bias[0].item(), np.inf)
    nodes = [dataclasses.replace(n, op=off) if n.op is weights[0] else n for n in cells.network.nodes]
    for other in (skips(3), dataclasses.replace(cells.network, nodes=tuple(nodes))):
        with pytest.raises(InvalidInputError, match="`network`: it is not the network that the cells in"):
            splinescope.open(path, network=other)


def test_images_come_back(tmp_path: Path) -> None:
    network = image()
    corners = np.random.default_rng(0).normal(size=(3, 2, 4, 4))
    cells = splinescope.tessellate(network, splinescope.Slice.through(*corners))
    again = splinescope.open(cells.save(tmp_path / "cells.npz"))
    assert_same(again, cells, "image")
    assert again.network.head == network.head
    np.testing.assert_array_equal(again.network(corners), network(corners))


def test_every_op_comes_back(tmp_path: Path) -> None:
    """To the last bit, and with weights in the same order in memory, on which the roundings of products depend."""
    network = every_op()
    kinds = {kind for kind in map(vars(ops).get, ops.__all__) if dataclasses.is_dataclass(kind)}
    assert {type(node.op) for node in network.nodes} == kinds
    ends = np.random.default_rng(0).normal(size=(2, 2, 4, 4))
    cells = splinescope.tessellate(network, splinescope.Segment(*ends))
    again = splinescope.open(cells.save(tmp_path / "cells.npz")).network
    assert_same(again, network, "network")
    dense = [
        (a.op.weight, b.op.weight) for a, b in zip(network.nodes, again.nodes, strict=True) if hasattr(a.op, "weight")
    ]
    assert all(b.stride() == a.stride() for a, b in dense[:-1])
    x = np.random.default_rng(1).normal(size=(300, 2, 4, 4))
    np.testing.assert_allclose(again(x), network(x), rtol=0, atol=1e-14)  # the last weights are no longer strided


def test_numpy_alone_reads_the_arrays(tmp_path: Path) -> None:
    cells = made("plane", "relu")
    with np.load(cells.save(tmp_path / "cells.npz"), allow_pickle=False) as file:
        np.testing.assert_array_equal(file["vertices"], cells.vertices)
        header = json.loads(str(file["record"]), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert (header["splinescope"], header["format"], header["kind"]) == ("cells", 3, "PlanarComplex")


@pytest.mark.parametrize("name", ["plane_1", "graph_2"])
def test_files_of_the_version_before_are_read(name: str) -> None:
    """Planes in format 1, region graphs in format 2, written before all kinds shared one."""
    cells = splinescope.open(SAVED / f"{name}.npz")
    again = splinescope.tessellate(cells.network, cells.domain) if name == "plane_1" else region_graph(
        cells.network, cells.domain
    )  # fmt: skip
    np.testing.assert_array_equal(again.patterns, cells.patterns)
    np.testing.assert_allclose(again.interior_points, cells.interior_points, atol=1e-12)
    assert cells.certificate.level == "values"
    assert splinescope.open(SAVED / f"{name}.npz", network=cells.network).network is cells.network
    with pytest.raises(InvalidInputError, match="`network`: it is not the network"):
        splinescope.open(SAVED / f"{name}.npz", network=relu(3))


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = made("plane", "relu").save(tmp_path / "cells.npz")
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for damaged in (b"", b"not a zip file", whole[: len(whole) // 2], whole[:-10], bytes(flipped)):
        path.write_bytes(damaged)
        with pytest.raises(StoreError, match=r"`path`: .* is not a complete file of cells"):
            splinescope.open(path)


def test_other_files_are_refused_in_one_line(tmp_path: Path) -> None:
    path, cells = tmp_path / "file.npz", made("plane", "relu")
    cells.save(path)
    stored = read_arrays(path)
    missing = {name: array for name, array in stored.arrays.items() if name != "edges"}
    record = stored.record
    cases: list[tuple[dict[str, Any], Any, str]] = [
        ({"vertices": cells.vertices}, None, "is no file of cells; expected one that `cells.save` wrote"),
        ({}, [1], "is no file of cells"),
        ({}, {"format": 3}, "is no file of cells"),
        ({}, {"format": 99, "cells": {}}, "was saved by a newer version, in format 99; .* update splinescope"),
        ({}, {"format": 3, "cells": {"class": "Popen", "fields": {}}}, "holds a Popen; expected one of SegmentComplex"),
        (missing, record, "is damaged: .*'cells.edges' is missing"),
    ]  # fmt: skip
    for arrays, header, message in cases:
        write_arrays(path, arrays, header)
        with pytest.raises(StoreError, match=f"^`path`: .*{message}") as error:
            splinescope.open(path)
        assert "\n" not in str(error.value)
    with pytest.raises(StoreError, match="`path`: there is no file"):
        splinescope.open(tmp_path / "none.npz")
    region_graph(relu(2), box(2), checkpoint=path)
    with pytest.raises(StoreError, match=r"holds a search under way; go on with `region_graph\(\.\.\., resume=path\)`"):
        splinescope.open(path)


def test_nothing_but_listed_classes_is_made(tmp_path: Path) -> None:
    path = made("plane", "relu").save(tmp_path / "cells.npz")
    stored = read_arrays(path)
    stored.record["cells"]["fields"]["domain"] = {"class": "Popen", "fields": {"args": "true"}}
    write_arrays(path, stored.arrays, stored.record)
    with pytest.raises(StoreError, match=r"is damaged: .*'Popen' is missing"):
        splinescope.open(path)


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    class Mine(splinescope.Segment):
        pass

    cells = made("segment", "relu")
    mine = dataclasses.replace(cells, domain=Mine(cells.domain.a, cells.domain.b))
    with pytest.raises(StoreError, match=r"`cells`: a .*Mine cannot be stored"):
        mine.save(tmp_path / "mine.npz")
    with pytest.raises(InvalidInputError, match="`path`: there is no folder"):
        cells.save(tmp_path / "nowhere" / "cells.npz")
    assert not list(tmp_path.iterdir())


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = made("plane", "relu")
    path = cells.save(tmp_path / "cells.npz")
    before = path.read_bytes()

    def fails(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", fails)
    with pytest.raises(StoreError, match="No space left on device"):
        cells.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["cells.npz"]


def test_a_network_has_one_hash_whatever_its_layout() -> None:
    weight = torch.arange(6.0).double().reshape(2, 3)
    one, other = ops.Dense(weight, weight[:, 0]), ops.Dense(weight.T.contiguous().T, weight[:, 0])
    assert fingerprint(one, "op") == fingerprint(other, "op")
    assert fingerprint(one, "op") != fingerprint(ops.SharedDense(weight, weight[:, 0]), "op")
