"""The page in a real browser, where one is installed, beside the complex that it was made of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from torch import nn

import splinescope
from splinescope.plotting.colors import color_numbers
from splinescope.viewer import explore, explore_frames, explore_linked
from splinescope.viewer.planar import FEW_MAP_NUMBERS
from tests.seeds import thorough

from .reading import in_browser
from .test_page import network, planar, segment


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
        const measure = page.record.measures[0], colors = page.pixels();
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


def test_maps_made_of_weights(tmp_path: Path) -> None:
    """The map of every cell that the page multiplies out is that of `affine_maps`, to 1e-6 of its largest number."""
    cells = planar(widths=(2, 48, 48, 48, 10))
    assert 30 * len(cells) > FEW_MAP_NUMBERS
    script = """
        const numbers = page.found.get("numbers"), some = [];
        for (let cell = 0; cell < page.cells.count; cell += 5) some.push([numbers[cell], page.affineMap(cell)]);
        return { maps: page.record.maps, some };
    """
    answer = in_browser(explore(cells).text, script, tmp_path)
    assert answer["maps"] == "weights"
    numbers = np.array([number for number, _ in answer["some"]])
    maps = cells.affine_maps(which=numbers)
    A, c = (np.array([told[name] for _, told in answer["some"]]) for name in "Ac")
    scale = np.maximum(np.abs(maps.A).max(axis=(1, 2)), np.abs(maps.c).max(axis=1))
    assert (np.abs(A - maps.A).max(axis=(1, 2)) <= 1e-6 * scale).all()
    assert (np.abs(c - maps.c).max(axis=1) <= 1e-6 * scale).all()


def test_a_segment_in_the_browser(tmp_path: Path) -> None:
    cells = segment()
    t = np.linspace(0.001, 0.999, 333)
    script = f"""
        const hovered = () => document.getElementById("cell").textContent, stage = document.getElementById("stage");
        const about = {json.dumps(t.tolist())}.map((t) => page.about(t));
        const said = [page.find("no"), page.find("99999"), page.find("t = 7"), page.find("3")];
        stage.dispatchEvent(new PointerEvent("pointermove", {{ clientX: 300, clientY: 300, pointerId: 1 }}));
        return {{ about, said, text: hovered() }};
    """
    answer = in_browser(explore(cells).text, script, tmp_path)
    about = answer["about"]
    assert [one["cell"] for one in about] == cells.locate(t).tolist()
    outputs = np.array([one["outputs"] for one in about])
    wanted = cells.network(cells.domain.embed(t[:, None]))
    np.testing.assert_allclose(outputs, wanted, atol=1e-5 * np.abs(wanted).max())
    assert [one["label"] for one in about] == np.argmax(wanted, axis=1).tolist()
    target = int(np.argmax(wanted[0]))
    others = np.delete(wanted, target, axis=1).max(axis=1)
    np.testing.assert_allclose([one["margin"] for one in about], wanted[:, target] - others, atol=1e-4)
    counts = [[int(cells.patterns[one["cell"], a:b].sum()) for _, a, b in cells.pattern_nodes] for one in about]
    assert [one["counts"] for one in about] == counts
    assert answer["said"] == [
        "type a cell's number, or a position as t = 0.5", "no such cell", "outside of the segment", "",
    ]  # fmt: skip
    assert "margin of" in answer["text"]


def test_a_solid_in_the_browser(tmp_path: Path) -> None:
    """Points are in the cells that Python says, on the cut as well; maps and counts are those of the cells."""
    cells = splinescope.tessellate(network((3, 7, 7, 2)), splinescope.Box([-1, -2, -1], [1, 2, 3]))
    rng = np.random.default_rng(0)
    points = cells.domain.bounds[0] + rng.random((150, 3)) * np.ptp(cells.domain.bounds, axis=0)
    script = f"""
        page.tools.choices.boundary = false;
        page.render();
        const seen = [];
        for (let x = 150; x < 600; x += 23) for (let y = 80; y < 600; y += 23) {{
          const {{ item, at }} = page.seen(x, y);
          if (item >= 0) seen.push([item, at]);
        }}
        const items = Array.from({{ length: page.record.counts.items }}, (_, item) => page.about(item));
        return {{ seen, items, located: {json.dumps(points.tolist())}.map((point) => page.locate(point)) }};
    """
    answer = in_browser(explore(cells).text, script, tmp_path)
    assert answer["located"] == cells.locate(points).tolist()
    assert len(answer["seen"]) > 50
    middle = cells.domain.bounds.mean(axis=0)
    inside = np.array([at for _, at in answer["seen"]])
    assert (np.abs(inside[:, 1] - middle[1]) < 1e-3).any()
    which = np.array([item for item, _ in answer["seen"]])
    found = cells.locate(inside + 1e-4 * (cells.interior_points[which] - inside))  # off the faces
    assert (found == which).mean() > 0.9  # others are less than a pixel from an edge
    scale = cells.domain.size
    beyond = [
        (cells.halfspaces(item)[:, :-1] @ at + cells.halfspaces(item)[:, -1]).max()
        for item, at in zip(which, inside, strict=True)
    ]
    assert max(beyond) < 0.02 * scale
    maps = cells.affine_maps()
    for item, told in enumerate(answer["items"]):
        np.testing.assert_allclose(told["map"]["A"], maps.A[item], atol=1e-6 * np.abs(maps.A[item]).max())
        assert told["counts"] == [int(cells.patterns[item, a:b].sum()) for _, a, b in cells.pattern_nodes]


def test_linked_views_follow_each_other(tmp_path: Path) -> None:
    """A point of a plane is shown at its place in the box that holds the plane, in the same pattern, and in planes."""
    net = network((3, 7, 7, 2))
    box = splinescope.tessellate(net, splinescope.Box([-1, -1, -1], [1, 1, 1]))
    plane = splinescope.tessellate(net, splinescope.Slice.through([-0.9, 0, -0.9], [0.9, 0, -0.9], [-0.9, 0, 0.9]))
    aside = splinescope.tessellate(net, splinescope.Slice.through([-0.9, 0.5, -0.9], [0.9, 0.5, 0], [-0.9, 0, 0.9]))
    script = """
        const views = [...document.querySelectorAll("iframe")].map((frame) => frame.contentWindow);
        const wait = () => new Promise((go) => setTimeout(go, 200)), [first, second, third] = views;
        await wait();
        const pages = views.map((view) => view.splinescope), stage = first.document.getElementById("stage");
        stage.setPointerCapture = () => {};
        const at = { clientX: 130, clientY: 330, pointerId: 1 };
        for (const kind of ["pointermove", "pointerdown", "pointerup"])
          stage.dispatchEvent(new first.PointerEvent(kind, at));
        await wait();
        const told = { at: pages[0].at, others: pages.slice(1).map((page) => page.elsewhere) };
        told.cells = [pages[0].numberOf(pages[0].hovered), pages[1].hovered];
        told.chosen = pages.map((page) => page.selection.cells.size);
        pages[0].tools.recolor("norm");
        stage.dispatchEvent(new first.PointerEvent("pointerleave", at));
        await wait();
        told.colors = pages.map((page) => page.tools.choices.color);
        told.after = pages.slice(1).map((page) => page.elsewhere);
        return told;
    """
    told = in_browser(explore_linked([plane, box, aside]).text, script, tmp_path)
    point = plane.domain.embed(np.array([told["at"]]))[0]
    solid, beside = told["others"]
    np.testing.assert_allclose(solid["place"], point, atol=1e-12)
    assert solid["near"]
    assert not beside["near"]
    nearest = aside.domain.embed(np.array([beside["place"]]))[0] - point
    np.testing.assert_allclose(np.asarray(aside.domain.basis) @ nearest, 0, atol=1e-12)
    assert told["cells"] == [int(plane.locate([told["at"]])[0]), int(box.locate([point])[0])]
    np.testing.assert_array_equal(plane.patterns[told["cells"][0]], box.patterns[told["cells"][1]])
    assert told["chosen"] == [1, 1, 0]
    assert told["colors"] == ["norm"] * 3
    assert told["after"] == [None, None]


@thorough
def test_cells_that_are_stored_as_they_are(cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("splinescope.viewer.planar.coded_plane", lambda *options: None)
    points = cells.interior_points
    script = f"return {json.dumps(points.tolist())}.map(([x, y]) => page.locate(x, y));"
    assert in_browser(explore(cells).text, script, tmp_path) == list(range(len(cells)))


@thorough
def test_large_frames_in_the_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames that keep what is seen have the same cells, areas and colours to the eye."""
    monkeypatch.setattr("splinescope.viewer.contents.FRAME_CELLS", 20)
    frames = [planar(seed, widths=(2, 24, 24, 3)) for seed in range(2)]
    script = """
        const found = [];
        for (const frame of [1, 0]) {
          await timeline.go(frame);
          page.cells.need("pattern");
          found.push({ areas: Array.from({ length: page.cells.count }, (_, cell) => page.cells.area(cell)),
                       colors: [...page.found.get("pattern")], said: page.find("3") });
        }
        return found;
    """
    for told, cells in zip(in_browser(explore_frames(frames).text, script, tmp_path), frames[::-1], strict=True):
        np.testing.assert_allclose(sorted(told["areas"]), np.sort(cells.measures), atol=1e-5)
        counts = [np.bincount(colors, minlength=13) for colors in (told["colors"], color_numbers(cells.patterns))]
        np.testing.assert_array_equal(*counts)
        assert told["said"] == "cells of these frames have no numbers; type a point as x, y"


@thorough
def test_frames_in_the_browser(tmp_path: Path) -> None:
    frames = [planar(seed) for seed in range(3)]
    script = """
        page.view.zoom(3);
        const scale = page.view.scale, found = [];
        for (const frame of [2, 0, 1, 1]) {
          await timeline.go(frame);
          found.push([timeline.current, page.cells.count, page.locate(0.3, -0.4), page.view.scale === scale]);
        }
        return found;
    """
    answer = in_browser(explore_frames(frames).text, script, tmp_path)
    wanted = [[k, len(frames[k]), int(frames[k].locate([[0.3, -0.4]])[0]), True] for k in (2, 0, 1, 1)]
    assert answer == wanted


@thorough
def test_a_surface_in_the_browser(tmp_path: Path) -> None:
    cells = splinescope.tessellate(network((3, 7, 7, 2)), splinescope.Box([-1, -1, -1], [1, 1, 1]))
    surface = cells.decision_boundary()
    script = """
        const seen = [];
        for (let x = 150; x < 600; x += 11) for (let y = 80; y < 600; y += 11) {
          const { item, at } = page.seen(x, y);
          if (item >= 0) seen.push([item, at]);
        }
        return seen;
    """
    seen = in_browser(explore(surface, color="class").text, script, tmp_path)
    assert len(seen) > 20
    which, points = np.array([item for item, _ in seen]), np.array([at for _, at in seen])
    first = surface.vertices[surface.corners[surface.offsets[which]]]
    off = np.abs(((points - first) * surface.normals[which]).sum(axis=1))
    assert off.max() < 1e-6
    within = cells.locate(points) == surface.cells[which]  # a pixel's middle may be beside the polygon that it shows
    gap = np.abs(np.diff(cells.network(points[within]), axis=1))
    assert within.mean() > 0.8
    assert gap.max() < 1e-4 * np.abs(cells.vertex_outputs).max()
