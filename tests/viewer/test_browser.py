"""The page in a real browser, where one is installed, beside the complex that it was made of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from splinescope.viewer import explore

from .reading import in_browser
from .test_page import planar


@pytest.fixture(scope="module")
def cells():
    return planar(widths=(2, 24, 24, 3))


def test_browser_and_python_agree(cells, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    low, high = cells.vertices.min(axis=0), cells.vertices.max(axis=0)
    points = low + rng.random((20_000, 2)) * (high - low)
    script = f"""
        const points = {json.dumps(points.round(9).tolist())}, numbers = page.found.get("numbers");
        const tell = (cell) => ({{ number: numbers[cell], map: page.affineMap(cell), area: page.cells.area(cell),
                                   pattern: page.cells.pattern(cell) }});
        return {{ located: points.map(([x, y]) => page.locate(x, y)),
                 cells: Array.from({{ length: page.cells.count }}, (_, cell) => tell(cell)) }};
    """
    answer = in_browser(explore(cells).text, script, tmp_path)
    assert answer["located"] == cells.locate(points.round(9)).tolist()
    maps = cells.affine_maps()
    assert len(answer["cells"]) == len(cells)
    for told in answer["cells"]:
        number = told["number"]
        scale = np.abs(maps.A[number]).max()
        np.testing.assert_allclose(told["map"]["A"], maps.A[number], rtol=0, atol=1e-6 * scale)
        np.testing.assert_allclose(told["area"], cells.measures[number], rtol=1e-6, atol=1e-12)
        pieces = [told["pattern"]["pieces"][str(unit)] for unit in range(48)]
        np.testing.assert_array_equal(pieces, cells.patterns[number])


def test_pieces_that_do_not_flip(tmp_path: Path) -> None:
    cells = planar(activation=nn.Hardtanh)
    script = "return Array.from({ length: page.cells.count }, (_, cell) => page.cells.pattern(cell).counts);"
    counts = in_browser(explore(cells).text, script, tmp_path)
    assert len(counts) == len(cells)


def test_pixels_are_those_of_cells(cells, tmp_path: Path) -> None:
    """Every cell is drawn in its colour at its interior point, deep in the picture as well."""
    script = """
        const seen = [], { cells, view } = page;
        page.tools.choices.layers.fill(false);
        page.tools.choices.boundary = false;
        page.tools.choices.color = "norm";
        page.changed(true);
        const measure = page.record.measures[0], colors = page.pixels(measure);
        for (const zoom of [1, 1e4, 1e7]) {
          for (let cell = 0; cell < cells.count; cell += 7) {
            const [x, y] = cells.middle(cell);
            Object.assign(view, { x, y });
            view.scale = 500 * zoom;
            page.render();
            const gl = page.scene.gl, pixel = new Uint8Array(4);
            const middle = [gl.drawingBufferWidth >> 1, gl.drawingBufferHeight >> 1];
            gl.readPixels(...middle, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
            const drawn = pixel[0] | pixel[1] << 8 | pixel[2] << 16;
            seen.push([zoom, cell, cells.locate(x, y) === cell, drawn === (colors[cell] & 0xffffff)]);
          }
        }
        return seen;
    """
    seen = in_browser(explore(cells).text, script, tmp_path)
    assert len(seen) > 60
    assert all(located for _, _, located, _ in seen)
    deep = [right for zoom, _, _, right in seen if zoom > 1]
    assert all(deep)


def test_search_and_keys(cells, tmp_path: Path) -> None:
    script = """
        const said = ["no", "99999999", "100, 100", "5", "0.5 0.5"].map((text) => page.find(text));
        const before = page.view.scale, stage = document.getElementById("stage");
        stage.dispatchEvent(new KeyboardEvent("keydown", { key: "+" }));
        const zoomed = page.view.scale / before;
        stage.dispatchEvent(new KeyboardEvent("keydown", { key: "0" }));
        stage.dispatchEvent(new KeyboardEvent("keydown", { key: "c" }));
        const cell = document.getElementById("cell").textContent;
        return { said, zoomed, x: page.view.x, color: page.tools.choices.color, cell };
    """
    answer = in_browser(explore(cells).text, script, tmp_path)
    assert answer["said"] == [
        "type a cell's number, or a point as x, y",
        "no such cell",
        "outside of the domain",
        "",
        "",
    ]
    assert answer["zoomed"] == pytest.approx(1.4)
    assert answer["x"] == 0.5
    assert answer["color"] == "class"
    assert "neighbours" in answer["cell"]
