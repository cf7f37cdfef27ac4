"""Pictures that pages save, read again: areas, lines, numbers and keys are those of the cells."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from matplotlib.path import Path as Polygon
from torch import nn

import splinescope
from splinescope.tessellation.boundary import decision_boundary
from splinescope.viewer import explore, explore_frames

from .reading import in_browser, record_of
from .test_page import network, planar, segment

SAVE = """
    const blobs = [];
    URL.createObjectURL = (blob) => { blobs.push(blob); return "#"; };
    HTMLAnchorElement.prototype.click = () => null;
    HTMLCanvasElement.prototype.toBlob = function (give) { give(this); };
    const press = (name) => {
      [...document.querySelectorAll("#tools button")].find((button) => button.textContent === name).click();
      return blobs.pop();
    };
    const svg = () => press("SVG").text();
    const words = (row) => [...row.cells].map((one) => one.innerText);
    const table = () => [...document.querySelectorAll("#cell tr")].map(words);
"""
"""Presses a button of the page and catches what it saves: a blob, or a canvas."""


def parsed(svg: str) -> tuple[list[tuple[str, np.ndarray]], dict[str, list[tuple[float, float]]], ET.Element]:
    """Filled polygons from the lowest to the uppermost, places of texts, and all of a file."""
    root = ET.fromstring(svg)
    areas, texts = [], {}
    for item in root.iter():
        kind = item.tag.split("}")[1]
        if kind == "path" and item.get("fill", "none") != "none" and "h" not in item.attrib["d"]:
            corners = re.findall(r"(-?[\d.]+),(-?[\d.]+)", item.attrib["d"])
            areas.append((item.attrib["fill"], np.array(corners, float)))
        if kind == "text":
            texts.setdefault(item.text, []).append((float(item.attrib["x"]), float(item.attrib["y"])))
    return areas, texts, root


def css(color: list[int]) -> str:
    """A class's colour as it fills."""
    return "rgb({}, {}, {})".format(*(round(255 - 0.75 * (255 - part) + 1e-9) for part in color))


def filled(areas: list[tuple[str, np.ndarray]], points: np.ndarray) -> np.ndarray:
    """The colour of the uppermost area at each point."""
    found = np.full(len(points), "", dtype=object)
    for color, ring in areas:
        found[Polygon(ring).contains_points(points)] = color
    return found


def test_pictures_show_what_the_page_shows(tmp_path: Path) -> None:
    """Areas of classes are cut at the boundary; numbers along the axes stand where they say; keys name all colours."""
    cells = planar(5, widths=(2, 16, 16, 4))
    names = ["zero", "one <&>", "two", "three"]
    cells = splinescope.tessellate(
        splinescope.load(network((2, 16, 16, 4), 5), input_shape=(2,)).with_classes(names), cells.domain
    )
    script = f"""{SAVE}
        const {{ width, height }} = page.view, text = await svg(), picture = press("PNG");
        const view = {{ width, height, low: page.coordinates(0, height), high: page.coordinates(width, 0) }};
        const context = picture.getContext("2d");
        const colors = (x, y, w, h) => {{
          const found = new Set(), {{ data }} = context.getImageData(x, y, w, h);
          for (let i = 0; i < data.length; i += 4) found.add(`rgb(${{data[i]}}, ${{data[i + 1]}}, ${{data[i + 2]}})`);
          return [...found];
        }};
        return {{ text, view, key: colors(width, 0, picture.width - width, picture.height),
                 foot: colors(0, height - 20, width, 20).length, wide: picture.width }};
    """
    page = explore(cells, color="class")
    answer = in_browser(page.text, script, tmp_path)
    classes, view = record_of(page.text)["classes"], answer["view"]
    areas, texts, _ = parsed(answer["text"])
    assert classes["names"] == names
    low, high = np.array(view["low"]), np.array(view["high"])

    def placed(points: np.ndarray) -> np.ndarray:
        shares = (points - low) / (high - low)
        return np.stack([shares[:, 0] * view["width"], (1 - shares[:, 1]) * view["height"]], axis=1)

    rng = np.random.default_rng(0)
    corners = np.asarray(cells.domain.corners)
    points = corners.min(axis=0) + rng.random((4000, 2)) * np.ptp(corners, axis=0)
    outputs = cells.network(points)
    told = {css(color): label for label, color in zip(classes["present"], classes["colors"], strict=True)}
    assert len(told) > 2
    seen = np.array([told.get(color, -1) for color in filled(areas, placed(points))])
    margin = np.diff(np.sort(outputs, axis=1)[:, -2:], axis=1)[:, 0]
    wrong = seen != outputs.argmax(axis=1)
    assert wrong.mean() < 5e-3  # coordinates of the file have two digits of pixels
    assert not wrong[margin > 0.05].any()
    whole = cells.classes[cells.locate(points)] != outputs.argmax(axis=1)
    assert whole.mean() > 0.01, "classes of whole cells would not do"
    ticks = {text: places for text, places in texts.items() if re.fullmatch(r"-?[\d.]+", text)}
    across = [(float(t), x) for t, places in ticks.items() for x, y in places if y > view["height"] - 12]
    up = [(float(t), y) for t, places in ticks.items() for x, y in places if x == 6]
    assert len(across) > 3
    assert len(up) > 2
    for value, x in across:
        assert abs(placed(np.array([[value, 0]]))[0, 0] - x) < 20
    for value, y in up:
        assert abs(placed(np.array([[0, value]]))[0, 1] + 4 - y) < 0.02
    assert {"t1", "t2", "class", "layer 1", "layer 2", "decision boundary"} <= set(texts)
    assert {names[label] for label in classes["present"]} <= set(texts)
    assert set(told) <= set(answer["key"])
    assert answer["foot"] > 2
    assert answer["wide"] > view["width"]


def test_pictures_have_anchors_and_bars(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    module = nn.Sequential(nn.Flatten(), *network((64, 8, 3)))
    images = rng.random((3, 1, 8, 8))
    cells = splinescope.tessellate(splinescope.load(module, input_shape=(1, 8, 8)), splinescope.Slice.through(*images))
    values = np.linspace(1, 3, len(cells))
    values[0] = np.nan
    script = f"""{SAVE}
        const pictures = [...page.pictures.values()], wait = () => new Promise((go) => setTimeout(go, 20));
        for (let tries = 0; tries < 200 && !pictures.every((picture) => picture.complete); tries++) await wait();
        return svg();
    """
    page = explore(cells, color="score", values={"score": values})
    svg = in_browser(page.text, script, tmp_path)
    areas, texts, root = parsed(svg)
    measure = next(one for one in record_of(page.text)["measures"] if one["key"] == "score")
    numbers = {f"{number:.3g}" for number in np.linspace(measure["low"], measure["high"], 5)}
    assert {"A", "B", "C", "score", "no number", *numbers} <= set(texts)
    pictures = [item for item in root.iter() if item.tag.endswith("}image")]
    assert len(pictures) == 3
    assert all(item.attrib["href"].startswith("data:image/png") for item in pictures)
    assert "rgb(217, 217, 217)" in {color for color, _ in areas}


def test_far_and_deep_views_have_digits(tmp_path: Path) -> None:
    """Ticks differ, neighbouring pixels are told apart, and outputs at the pointer are those of the network."""
    module = network((2, 10, 3), 3)
    offset = 1e9
    module[0].bias.data -= module[0].weight.data.sum(1) * offset
    far = splinescope.tessellate(module, splinescope.Slice.box([offset, offset], [offset + 2, offset + 2]))
    script = f"""{SAVE}
        if (page.record.frame.low[0] < 10) {{
          Object.assign(page.view, {{ x: 0.7, y: 0.3, scale: 7e7 }});
          page.render();
        }}
        const told = [], mine = [];
        for (let x = 300; x < 340; x++) {{
          page.point(x, 411);
          told.push(table().find(([name]) => name === "at")[1]);
          mine.push([page.pointer, page.mapOf(page.hovered).at(page.pointer)]);
        }}
        return {{ told, mine, text: await svg() }};
    """
    for cells in (far, planar()):
        answer = in_browser(explore(cells).text, script, tmp_path)
        places = [text.split(", ") for text in answer["told"]]
        assert len({x for x, _ in places}) == len(places)
        points = np.array([point for point, _ in answer["mine"]])
        np.testing.assert_allclose(np.array(places, float), points, rtol=0, atol=np.ptp(points[:, 0]) / 39)
        outputs, wanted = np.array([values for _, values in answer["mine"]]), cells.network(points)
        np.testing.assert_allclose(outputs, wanted, rtol=0, atol=1e-5 * max(1, np.abs(wanted).max()))
        _, texts, _ = parsed(answer["text"])
        ticks = [text for text, spots in texts.items() if re.fullmatch(r"-?[\d.]+(e[-+]\d+)?", text) for _ in spots]
        assert len(set(ticks)) > 4
        assert max(map(len, ticks)) < 8
        names = [text for text in texts if text.startswith(("t1", "t2"))]
        assert all(re.fullmatch(r"t[12] [−+] \d[\d.]*", name) for name in names)


def test_frames_have_their_own_layers(tmp_path: Path) -> None:
    """Folds of all layers are drawn, and have a box, in frames with more or fewer layers than the first."""
    frames = [planar(widths=widths) for widths in ((2, 6, 3), (2, 6, 6, 6, 3), (2, 6, 6, 3))]
    script = f"""{SAVE}
        const found = [], rows = () => [...document.querySelectorAll("#tools label")];
        const boxes = () => rows().filter((row) => row.textContent.startsWith("layer"));
        for (const frame of [1, 0, 2, 1]) {{
          await timeline.go(frame);
          const text = await svg();
          found.push({{ frame, names: boxes().map((row) => row.textContent), on: [...page.tools.choices.layers], text,
                       widths: page.widths(page.view) }});
          if (frame === 2) boxes()[1].querySelector("input").click();
        }}
        return found;
    """
    answer = in_browser(explore_frames(frames).text, script, tmp_path)
    assert [told["on"][1] for told in answer if len(told["on"]) > 1] == [True, True, True, False]
    for told in answer:
        cells = frames[told["frame"]]
        layers = len(cells.pattern_nodes)
        assert told["names"] == [f"layer {k + 1}" for k in range(layers)]
        assert len(told["widths"]) == layers
        assert all(width > 0 for width in told["widths"])
        strokes = [path for path in re.findall(r"<path [^>]*>", told["text"]) if 'fill="none"' in path]
        shown = sum(told["on"][:layers])
        assert shown == layers - (layers > 1 and not told["on"][1])
        boundary = len(decision_boundary(cells).segments) > 0
        drawn = [path for path in strokes if path.count("M") > 0]
        assert len(drawn) >= shown + 1 + 2 * boundary


def test_a_segment_is_saved_as_lines(tmp_path: Path) -> None:
    cells = segment()
    page = explore(cells)
    _, texts, root = parsed(in_browser(page.text, f"{SAVE} return svg();", tmp_path))
    record = record_of(page.text)
    named = {record["classes"]["names"][label] for label in record["classes"]["present"]}
    assert named <= set(texts)
    assert {"outputs", "layer 1", "layer 2", "0.5", "norm of A", "class"} <= set(texts)
    lines = [item.attrib["d"] for item in root.iter() if item.tag.endswith("}path") and item.get("fill") == "none"]
    longest = max(lines, key=len)
    assert longest.count("L") >= len(cells)


@pytest.mark.parametrize("kind", ["plane", "segment"])
def test_texts_that_xml_cannot_hold(kind: str, tmp_path: Path) -> None:
    names = ['<script>"&\n', "<line\nfeed>\x01\t", "<日本語> \u202e"]
    net = splinescope.load(network((2, 8, 3)), input_shape=(2,)).with_classes(names)
    domain = splinescope.Slice.box([-1, -1], [1, 1]) if kind == "plane" else splinescope.Segment([-2, 1], [2, -1])
    page = explore(splinescope.tessellate(net, domain), color="class")
    svg = in_browser(page.text, f"{SAVE} return svg();", tmp_path)
    assert any(text.startswith("<") for text in parsed(svg)[1])
