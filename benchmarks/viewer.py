"""The viewer's page of the largest reference net in headless Chromium: size, writing, ready, colours, hover, redraw."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

import splinescope
from benchmarks.common import mlp_weights, reference_weights, save, to_module
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.viewer import explore, explore_frames
from splinescope.viewer.measures import measure_of
from splinescope.viewer.planar import SHOWN, ViewFrame, edge_units
from splinescope.viewer.plane_coding import coded_plane

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
POINTS = 100_000
MAPS = 4000
FRAMES = 8
REDRAWS = 7

TOOLS = """
const median = (list) => list.slice().sort((a, b) => a - b)[list.length >> 1];
const share = (list, part) => list.slice().sort((a, b) => a - b)[Math.floor(part * (list.length - 1))];
const timed = (act) => { const start = performance.now(); act(); return performance.now() - start; };
const mark = async (name) => { console.log("MARK " + name + " TRAP"); await new Promise((go) => setTimeout(go, 300)); };
const many = (count, act) => Array.from({ length: count }, (_, i) => timed(() => act(i)));
"""

PLANE = """
const { scene, view, tools } = page, gl = scene.gl, pixel = new Uint8Array(4);
const finish = () => gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
const redraw = () => { page.render(); finish(); };
tools.choices.color = "norm";
page.changed(true);
finish();
const out = { "ready, ms": Number(document.documentElement.dataset.ready) };
out.requests = performance.getEntriesByType("resource").length;
out["recolour, ms"] = median(many(15, () => { scene.recolor(page.fill, page.pixels()); finish(); }));
await mark("redraw");
out["redraw, ms"] = median(many(REDRAWS, redraw));
await mark("redrawn");
out["moving the picture, ms"] = median(many(200, (i) => { view.move(i % 2 ? 5 : -5, 0); page.slide(); }));
const hovers = many(2000, () => page.point(150 + Math.random() * 900, 60 + Math.random() * 650));
out["hover, ms (median)"] = median(hovers);
out["hover, ms (95 %)"] = share(hovers, 0.95);
out["heap, MB"] = performance.memory ? performance.memory.usedJSHeapSize / 1e6 : null;
const found = [];
for (let i = 0; i < points.length; i += 2) found.push(page.locate(points[i], points[i + 1]));
const numbers = page.found.get("numbers"), maps = [], step = Math.ceil(page.cells.count / MAPS);
if (page.record.maps)
  for (let cell = 0; cell < page.cells.count; cell += step) maps.push([numbers[cell], page.affineMap(cell)]);
return { times: out, found, maps, kind: page.record.maps, cells: page.cells.count };
"""

SLIDER = """
const times = [];
for (const frame of [1, 2, 3, 4, 5, 6, 7, 6, 5, 4]) {
  const start = performance.now();
  await timeline.go(frame);
  times.push(performance.now() - start);
  await new Promise((go) => setTimeout(go, 1500));
}
return times;
"""


def browser() -> str:
    """The browser's path."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        sys.exit(f"no browser is installed (tried {', '.join(BROWSERS)})")
    return found


def processor_seconds(group: int) -> float:
    """Processor time of all processes of a group that are alive, with that of their children that ended."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parts = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(parts[2]) == group:
            ticks += sum(map(int, parts[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_memory(group: int) -> float:
    """Megabytes of the processes of a group, shared pages counted by their share."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[2]) != group:
                continue
            lines = (stat.parent / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1e3


def in_browser(file: Path, script: str, seconds: float = 400) -> dict[str, Any]:
    """What a script answers in a page, in real time; and processor time and memory of the browser when it was ready."""
    run = (
        "<script>(async () => { const root = document.documentElement; "
        "const fault = () => document.getElementById('error')?.textContent; let answer; "
        "while (!root.dataset.ready && !fault()) await new Promise((go) => setTimeout(go, 20)); console.log('READY'); "
        f"const page = window.splinescope; {TOOLS} "
        "try { if (fault()) throw new Error(fault()); "
        f"answer = await (async () => {{ {script} }})(); }} catch (error) {{ answer = String(error.stack); }} "
        "const text = JSON.stringify(answer); for (let i = 0; i < text.length; i += 900) "
        "console.log('PART' + text.slice(i, i + 900) + 'TRAP'); console.log('DONE'); })();</script></body>"
    )
    shown = file.with_name("shown.html")
    shown.write_text(file.read_text(encoding="utf-8").replace("</body>", run), encoding="utf-8")
    command = [
        browser(), "--headless", "--no-sandbox", "--disable-gpu", "--use-gl=angle", "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader", "--no-first-run", "--disable-background-networking", "--window-size=1200,800",
        "--enable-precise-memory-info", f"--user-data-dir={file.with_name('profile')}", "--enable-logging=stderr",
        "--remote-debugging-port=0", shown.as_uri(),
    ]  # fmt: skip
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
                               start_new_session=True)  # fmt: skip
    watch = threading.Timer(seconds, os.killpg, (started.pid, signal.SIGKILL))
    watch.start()
    parts: list[str] = []
    ready: dict[str, float] = {}
    marks: dict[str, float] = {}
    try:
        assert started.stderr is not None
        for line in started.stderr:
            if '"READY"' in line:
                ready = {"processor seconds": processor_seconds(started.pid), "MB": peak_memory(started.pid)}
            elif '"MARK' in line:
                marks[line.split("MARK ")[1].split()[0]] = processor_seconds(started.pid)
            elif '"PART' in line:
                parts.append(line[line.index('"PART') + 5 : line.rindex("TRAP")])
            elif '"DONE"' in line:
                break
    finally:
        watch.cancel()
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()
    if not parts:
        sys.exit("the browser gave no answer in time")
    answer = json.loads("".join(parts))
    if isinstance(answer, str):
        sys.exit(answer)
    return {"answer": answer, "ready": ready, "marks": marks}


def plane(cells: PlanarComplex, folder: Path) -> dict[str, Any]:
    """All figures of one page, and whether the page agrees with Python."""
    file = folder / "cells.html"
    before, begun = time.process_time(), time.perf_counter()
    explore(cells, file)
    row: dict[str, Any] = {
        "cells": len(cells), "page, MB": file.stat().st_size / 1e6,
        "writing, s": time.perf_counter() - begun, "writing, processor s": time.process_time() - before,
    }  # fmt: skip
    rng = np.random.default_rng(0)
    low, high = cells.vertices.min(axis=0), cells.vertices.max(axis=0)
    points = (low + rng.random((POINTS, 2)) * (high - low)).round(9)
    script = f"const REDRAWS = {REDRAWS}, MAPS = {MAPS}, points = {json.dumps(points.ravel().tolist())};" + PLANE
    told = in_browser(file, script)
    answer = told["answer"]
    blank = folder / "blank.html"
    blank.write_text("<html data-ready='1'><body></body></html>")
    base = in_browser(blank, "return 1;")["ready"]
    row |= answer["times"]
    row["ready, processor s above a blank page's"] = told["ready"]["processor seconds"] - base["processor seconds"]
    marks = told["marks"]
    row["redraw, processor s"] = (marks["redrawn"] - marks["redraw"]) / REDRAWS
    row["memory when ready, MB"] = told["ready"]["MB"]
    row["memory of a blank page, MB"] = base["MB"]
    row["points in the same cell as in Python"] = int((np.array(answer["found"]) == cells.locate(points)).sum())
    row["of points"] = POINTS
    row["maps"] = answer["kind"]
    if answer["maps"]:
        numbers = np.array([number for number, _ in answer["maps"]])
        maps = cells.affine_maps(which=numbers)
        A, c = (np.array([map_[name] for _, map_ in answer["maps"]]) for name in "Ac")
        scale = np.maximum(np.abs(maps.A).max(axis=(1, 2)), np.abs(maps.c).max(axis=1))
        errors = np.maximum(np.abs(A - maps.A).max(axis=(1, 2)), np.abs(c - maps.c).max(axis=1)) / scale
        row["largest error of a map, relative"] = float(errors.max())
        row["maps compared"] = len(errors)
    return row


def slider(folder: Path) -> dict[str, Any]:
    """Frames of networks between two random ones of the size of the largest reference net."""
    first, second = reference_weights("N2", (2, 256, 256, 256, 10)), None
    rng = np.random.default_rng(1)
    second = [(weight + 0.02 * rng.normal(size=weight.shape) * weight.std(), bias) for weight, bias in first]
    frames = {}
    for step, share in enumerate(np.linspace(0, 1, FRAMES)):
        pairs = zip(first, second, strict=True)
        mixed = [((1 - share) * a + share * b, (1 - share) * c + share * d) for (a, c), (b, d) in pairs]
        network = splinescope.load(to_module(mixed), input_shape=(2,))
        frames[step] = splinescope.tessellate(network, splinescope.Slice.box([-1, -1], [1, 1]), verify="topology")
    file = folder / "frames.html"
    begun = time.perf_counter()
    explore_frames(frames, file)
    row = {"frames": FRAMES, "page, MB": file.stat().st_size / 1e6, "writing, s": time.perf_counter() - begun}
    times = in_browser(file, SLIDER)["answer"]
    row["first time a frame is shown, ms (the next one is inflated ahead)"] = float(np.median(times[:7]))
    row["a kept frame is shown again, ms"] = float(np.median(times[7:]))
    row["MB for 200 such frames"] = 200 * row["page, MB"] / FRAMES
    cells = next(iter(frames.values()))
    row["cells of a frame"] = len(cells)
    row["bits for each cell"] = {bits: bits_of_parts(cells, bits) for bits in (16, 20, 24, 32, 48)}
    return row


def bits_of_parts(cells: PlanarComplex, bits: int) -> dict[str, float]:
    """Bits that each part of a coded plane takes for each cell, with coordinates of so many bits and a measure in 8."""
    shares = ViewFrame.around(cells.domain.corners).shares(cells.vertices, bits)
    stops = [stop for _, _, stop in cells.pattern_nodes]
    norms, _ = measure_of("norm", cells.norms(), "norm", cells.measures, SHOWN.levels)
    coded = coded_plane(cells, shares, bits, edge_units(cells), stops, [norms])
    assert coded is not None
    return {part: 8 * size / len(cells) for part, size in coded.parts.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--larger", type=float, help="half the side of a larger plane of the same net")
    parser.add_argument("--wider", type=int, help="units in each of three layers of one more net; 768: a million cells")
    parser.add_argument("--no-frames", action="store_true")
    options = parser.parse_args()
    pages = {"N2 [-1, 1]": (reference_weights("N2", (2, 256, 256, 256, 10)), 1.0)}
    if options.larger:
        pages[f"N2 [-{options.larger:g}, {options.larger:g}]"] = (pages["N2 [-1, 1]"][0], options.larger)
    if options.wider:
        widths = (2, *[options.wider] * 3, 10)
        pages["-".join(map(str, widths))] = (mlp_weights(widths), 1.0)
    rows = {}
    with tempfile.TemporaryDirectory() as place:
        for name, (weights, half) in pages.items():
            network = splinescope.load(to_module(weights), input_shape=(2,))
            domain = splinescope.Slice.box([-half, -half], [half, half])
            cells = splinescope.tessellate(network, domain, verify="topology")
            rows[name] = {"half side": half, **plane(cells, Path(place))}
            sys.stdout.write(json.dumps(rows[name], indent=1) + "\n")
            del cells
        if not options.no_frames:
            rows["frames"] = slider(Path(place))
            sys.stdout.write(json.dumps(rows["frames"], indent=1) + "\n")
    rows["load"] = os.getloadavg()[0]
    save("viewer", rows)


if __name__ == "__main__":
    main()
