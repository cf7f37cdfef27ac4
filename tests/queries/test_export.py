"""Planar cells for other programs: tables, GeoJSON, well-known binary."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely

from splinescope.tessellation.export import to_table, to_wkb, write_csv, write_geojson, write_wkb
from tests.queries.scenes import SCENES, polygons_of, scene


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
