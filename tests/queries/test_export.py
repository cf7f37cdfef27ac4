"""Complexes in files: what comes back, what other programs read, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
import torch
from torch import nn

import splinescope
from splinescope.errors import InvalidInputError, StoreError
from splinescope.tessellation.affine import affine_maps
from splinescope.tessellation.boundary import class_areas, decision_boundary
from splinescope.tessellation.export import (
    load_complex,
    save_complex,
    to_table,
    to_wkb,
    write_csv,
    write_geojson,
    write_wkb,
)
from splinescope.tessellation.records import decode, encode
from tests.queries.scenes import SCENES, polygons_of, scene

ARRAYS = (
    "vertices",
    "cell_vertices",
    "cell_offsets",
    "edges",
    "edge_cells",
    "edge_op",
    "edge_unit",
    "vertex_outputs",
    "interior_points",
    "measures",
    "patterns",
    "packed_patterns",
)


@pytest.mark.parametrize("name", SCENES)
def test_everything_comes_back(name: str, tmp_path: Path) -> None:
    _, cells = scene(name)
    path = save_complex(cells, tmp_path / "cells.npz")
    back = load_complex(path)
    for array in ARRAYS:
        np.testing.assert_array_equal(getattr(back, array), getattr(cells, array), err_msg=array)
        assert getattr(back, array).dtype == getattr(cells, array).dtype
    for part in ("origin", "basis", "polygon"):
        np.testing.assert_array_equal(getattr(back.domain, part), getattr(cells.domain, part))
    assert back.pattern_nodes == cells.pattern_nodes
    assert back.certificate.to_dict() == cells.certificate.to_dict()
    assert back.tolerance == cells.tolerance
    assert back.truncated is cells.truncated
    np.testing.assert_array_equal(affine_maps(back, "input").A, affine_maps(cells, "input").A)
    np.testing.assert_array_equal(class_areas(back), class_areas(cells))
    x = np.random.default_rng(0).normal(size=(5, *cells.network.input_shape))
    np.testing.assert_array_equal(back.network(x), cells.network(x))
    assert [p.name for p in tmp_path.iterdir()] == ["cells.npz"], "a temporary file was left"


def test_a_convolutional_network_with_a_head_comes_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    convolution = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2))
    module = nn.Sequential(convolution, nn.Flatten(), nn.Linear(18, 3), nn.Softmax(dim=1)).eval()
    network = splinescope.from_torch(module, input_shape=(1, 6, 6))
    corners = np.random.default_rng(0).normal(size=(3, 1, 6, 6))
    cells = splinescope.tessellate(network, splinescope.Slice.through(*corners))
    back = load_complex(save_complex(cells, tmp_path / "cells.npz"))
    np.testing.assert_array_equal(back.patterns, cells.patterns)
    np.testing.assert_array_equal(back.network(corners), network(corners))
    np.testing.assert_array_equal(back.domain.anchors, cells.domain.anchors)
    assert back.network.head == network.head
    np.testing.assert_array_equal(decision_boundary(back).segments, decision_boundary(cells).segments)


def test_numpy_alone_reads_the_arrays(tmp_path: Path) -> None:
    _, cells = scene("plane")
    path = save_complex(cells, tmp_path / "cells.npz")
    with np.load(path, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["vertices"], cells.vertices)
        assert json.loads(str(file["record"]))["format"] == 1


def test_another_network_can_be_attached(tmp_path: Path) -> None:
    _, cells = scene("plane")
    path = save_complex(cells, tmp_path / "cells.npz")
    assert load_complex(path, network=cells.network).network is cells.network


def test_missing_and_damaged_files_are_refused(tmp_path: Path) -> None:
    _, cells = scene("plane")
    with pytest.raises(StoreError, match="there is no file"):
        load_complex(tmp_path / "none.npz")
    path = save_complex(cells, tmp_path / "cells.npz")
    whole = path.read_bytes()
    for damaged in (b"", b"not a zip file", whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(StoreError, match="is not a complete complex"):
            load_complex(path)
    np.savez(path, vertices=cells.vertices)
    with pytest.raises(StoreError, match="is not a complete complex"):
        load_complex(path)
    np.savez(path, record=np.array(json.dumps({"format": 99})))
    with pytest.raises(StoreError, match="has another format"):
        load_complex(path)
    np.savez(path, record=np.array(json.dumps({"format": 1, "complex": {"class": "Popen", "fields": {}}})))
    with pytest.raises(StoreError, match="does not fit this version"):
        load_complex(path)


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, cells = scene("plane")
    path = save_complex(cells, tmp_path / "cells.npz")
    before = path.read_bytes()

    def fails(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fails)
    with pytest.raises(StoreError, match="No space left on device"):
        save_complex(cells, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["cells.npz"]


def test_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="`path`: there is no folder"):
        save_complex(scene("plane")[1], tmp_path / "nowhere" / "cells.npz")


def test_records_refuse_what_is_not_data() -> None:
    with pytest.raises(StoreError, match="head: a function cannot be stored"):
        encode(lambda x: x, {}, "head")
    with pytest.raises(StoreError, match="does not fit this version"):
        decode({"array": "missing"}, {}, {})
    value = {"a": [1, 2.5, None], "b": (True, "text")}
    assert decode(json.loads(json.dumps(encode(value, {}, "value"))), {}, {}) == value


@pytest.mark.parametrize("name", SCENES)
def test_shapely_reads_well_known_binary(name: str, tmp_path: Path) -> None:
    _, cells = scene(name)
    polygons = shapely.from_wkb(to_wkb(cells))
    assert shapely.equals_exact(polygons, polygons_of(cells), tolerance=0.0).all()
    together = shapely.from_wkb(write_wkb(cells, tmp_path / "cells.wkb").read_bytes())
    assert len(together.geoms) == len(cells)
    assert together.area == pytest.approx(cells.domain.area, rel=1e-12)


def test_geojson_is_read_by_shapely(tmp_path: Path) -> None:
    _, cells = scene("one output")
    text = write_geojson(cells, tmp_path / "cells.geojson").read_text()
    collection = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert collection["type"] == "FeatureCollection"
    polygons = [shapely.from_geojson(json.dumps(feature["geometry"])) for feature in collection["features"]]
    assert shapely.equals_exact(np.array(polygons), polygons_of(cells), tolerance=0.0).all()
    properties = collection["features"][3]["properties"]
    assert properties["cell"] == 3
    assert properties["area"] == pytest.approx(cells.measures[3], rel=1e-9)
    assert properties["class"] in (0, 1)


def test_table_is_a_data_frame() -> None:
    _, cells = scene("plane")
    frame = pd.DataFrame(to_table(cells))
    assert len(frame) == len(cells)
    assert frame["pattern"].is_unique
    assert frame["area"].sum() == pytest.approx(4.0, rel=1e-12)
    assert (frame["neighbours"].to_numpy() == cells.adjacency.toarray().sum(axis=1)).all()
    point = cells.interior_points
    second = frame["A_1_1"] * point[:, 0] + frame["A_1_2"] * point[:, 1] + frame["c_1"]
    np.testing.assert_allclose(second, cells.network(point)[:, 1], atol=1e-10)
    assert "A_0_1" not in to_table(cells, maps=False)


def test_csv_keeps_all_digits_and_geometries(tmp_path: Path) -> None:
    _, cells = scene("plane")
    frame = pd.read_csv(write_csv(cells, tmp_path / "cells.csv"), dtype={"pattern": str})
    expected = pd.DataFrame(to_table(cells))
    pd.testing.assert_frame_equal(frame.drop(columns="geometry"), expected, check_exact=True, check_dtype=False)
    assert shapely.equals_exact(shapely.from_wkt(frame["geometry"]), polygons_of(cells), tolerance=0.0).all()
