"""What a page holds, read by a second reader, and what is refused."""

from __future__ import annotations

import hashlib
import itertools
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.cli import main
from splinescope.errors import InvalidInputError
from splinescope.tessellation.boundary import class_regions, decision_boundary
from splinescope.viewer import explore, explore_frames, explore_linked
from splinescope.viewer.packing import hilbert_order
from splinescope.viewer.page_record import mixed
from splinescope.viewer.pieces import LONGEST
from splinescope.viewer.planar import ViewFrame, edge_units
from splinescope.viewer.weights import chain_of
from tests.seeds import seeds

from .reading import arrays_of, plane_in, read, record_of


def network(widths: tuple[int, ...], seed: int = 0, activation: type[nn.Module] = nn.ReLU) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for i, o in itertools.pairwise(widths):
        linear = nn.Linear(i, o).double()
        for parameter in linear.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        layers += [linear, activation()]
    return nn.Sequential(*layers[:-1])


def planar(seed: int = 0, widths: tuple[int, ...] = (2, 12, 12, 3), activation: type[nn.Module] = nn.ReLU):
    domain = splinescope.Slice.box([-1, -2], [3, 1])
    return splinescope.tessellate(network(widths, seed, activation), domain, verify="topology")


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Hardtanh])
def test_the_page_holds_the_cells(activation: type[nn.Module]) -> None:
    cells = planar(activation=activation)
    record, arrays = read(explore(cells).text)
    assert record["counts"] == {"cells": len(cells), "edges": len(cells.edges), "vertices": len(cells.vertices)}
    assert record["coding"]["coded"]
    plane = plane_in(record, arrays)
    low, extent = (np.array(record["frame"][name]) for name in ("low", "extent"))
    points = low + plane.points * extent
    for at, number in enumerate(arrays["numbers"]):
        mine = cells.vertices[cells.cell_vertices[cells.cell_offsets[number] : cells.cell_offsets[number + 1]]]
        ring = points[plane.rings[at]]
        turn = np.argmin(np.abs(mine - ring[0]).sum(axis=1))
        mine = np.roll(mine, -turn, axis=0)
        np.testing.assert_allclose(ring, mine, rtol=0, atol=4 * 2.0**-48 * 4)
    assert sorted(arrays["numbers"].tolist()) == list(range(len(cells)))
    nearest = np.abs(points[:, None] - cells.vertices).sum(axis=2).argmin(axis=1)
    told = {frozenset(int(nearest[end]) for end in ends): unit for ends, unit in plane.units.items()}
    wanted = {frozenset(map(int, ends)): int(unit) for ends, unit in zip(cells.edges, edge_units(cells), strict=True)}
    assert told == wanted


@pytest.mark.parametrize("seed", seeds([0, 1], range(30)))
def test_pieces_are_put_together(seed: int) -> None:
    """Corners of pieces are told by rings, or once: what the page puts together is what was cut."""
    cells = planar(seed)
    record, arrays = read(explore(cells).text)
    plane, shares = plane_in(record, arrays), ViewFrame.around(cells.domain.corners).shares
    fresh = np.stack([arrays["pieces.x"], arrays["pieces.y"]], axis=1)
    owners = np.repeat(arrays["pieces.cells"], arrays["pieces.sizes"])
    codes = np.concatenate([arrays["pieces.codes"], arrays["boundary.codes"]])
    found, known = [], 0
    for at, code in enumerate(codes):
        if 0 < code <= LONGEST:
            found.append(np.rint(plane.points[plane.rings[owners[at]][code - 1]] * (2.0**48 - 1)))
        elif code:
            found.append(fresh[known - (code - LONGEST)])
        else:
            found.append(fresh[known])
            known += 1
    assert known == len(fresh)
    regions, boundary = class_regions(cells), decision_boundary(cells).segments.reshape(-1, 2)
    cut = np.bincount(regions.cells, minlength=len(cells))[regions.cells] > 1
    corners = regions.points[np.repeat(cut, np.diff(regions.offsets))]
    wanted = shares(np.concatenate([corners, boundary]), 48).astype(float)
    np.testing.assert_array_equal(np.array(found).reshape(-1, 2), wanted)


def test_cells_that_are_no_disk_are_stored_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("splinescope.viewer.planar.coded_plane", lambda *options: None)
    cells = planar()
    record, arrays = read(explore(cells).text)
    sizes, codes = arrays["sizes"], arrays["corners"]
    assert not record["coding"]["coded"]
    corners = np.cumsum(codes == 0) - (codes == 0) - codes
    shares = np.stack([arrays["vertices.x"], arrays["vertices.y"]], axis=1) / (2**48 - 1)
    points = record["frame"]["low"] + shares * record["frame"]["extent"]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    for at, number in enumerate(arrays["numbers"]):
        ring = points[corners[starts[at] : starts[at + 1]]]
        np.testing.assert_allclose(ring, cells.cell(number), rtol=0, atol=2.0**-44)


def test_large_frames_keep_what_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("splinescope.viewer.contents.FRAME_CELLS", 20)
    cells = planar()
    text = explore_frames([cells, cells]).text
    whole, shown = explore(cells).text, record_of(text)
    arrays = arrays_of(text, shown["frames"][1]["record"]["arrays"], "arrays-1")
    assert "numbers" not in arrays
    assert shown["maps"] is None
    assert "20 bits, no numbers, no maps" in shown["facts"]
    plane, other = plane_in(shown, arrays), plane_in(*read(whole))
    assert sorted(map(len, plane.rings)) == sorted(map(len, other.rings))
    np.testing.assert_allclose(plane.points, other.points, rtol=0, atol=2.0**-20)
    assert max(plane.values[0]) == 254
    assert min(plane.values[0]) == 0


def test_linked_views_share_scales_and_know_their_places() -> None:
    plane = planar()
    other = splinescope.tessellate(network((2, 12, 12, 3), 1), plane.domain)
    page = explore_linked({"one": plane, "two": other}, color="norm")
    one, two = record_of(page.text)["views"]
    records = [record_of(view["text"]) for view in (one, two)]
    norms = [next(measure for measure in record["measures"] if measure["key"] == "norm") for record in records]
    assert norms[0]["low"] == norms[1]["low"]
    assert norms[0]["high"] == norms[1]["high"]
    assert {record["color"] for record in records} == {"norm"}
    assert one["frame"] == two["frame"]
    t = np.array([0.25, -1.5])
    np.testing.assert_allclose(np.array(one["origin"]) + t @ np.array(one["basis"]), plane.domain.embed(t[None])[0])
    assert page.title == "one, two"


@pytest.mark.parametrize(
    ("views", "options", "message"),
    [
        ([planar], {}, "`views`: got 1; expected 2 to 9"),
        ([planar, lambda: segment()], {}, "`views`: view 2 is a segment"),
        ([planar, planar], {"color": "volume"}, "`color`: no view has 'volume'"),
    ],
)
def test_views_that_are_not_linked(views: list, options: dict, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        explore_linked([make() for make in views], **options)


def test_units_flip_from_the_root_to_every_cell() -> None:
    cells = planar()
    record, arrays = read(explore(cells).text)
    assert record["layers"]["flips"]
    numbers = arrays["numbers"]
    np.testing.assert_array_equal(arrays["root"], cells.patterns[numbers[0]])
    words = np.where(cells.patterns > 0, mixed(np.arange(cells.patterns.shape[1])), 0).astype(np.uint32)
    hashes = np.bitwise_xor.reduce(words, axis=1)
    assert record["layers"]["root_hash"] == hashes[numbers[0]]
    assert len(np.unique(hashes)) == len(cells)


def test_patterns_of_more_than_two_pieces_are_told() -> None:
    cells = planar(activation=nn.Hardtanh)
    record, arrays = read(explore(cells).text)
    assert not record["layers"]["flips"]
    for layer, (_, start, stop) in enumerate(cells.pattern_nodes):
        told = arrays[f"counts.{layer}"]
        np.testing.assert_array_equal(told, (cells.patterns[arrays["numbers"], start:stop] > 0).sum(axis=1))


def test_measures_maps_and_classes() -> None:
    cells = planar()
    mine = np.linspace(-1, 1, len(cells)) ** 3
    record, arrays = read(explore(cells, values={"a score": mine}).text)
    order = arrays["numbers"]
    by_key = {measure["key"]: measure for measure in record["measures"]}
    for key, wanted in (("norm", cells.norms()), ("a score", mine)):
        measure, stored = by_key[key], arrays[f"measure.{key}"]
        value = measure["least"] + stored / 65534 * (measure["most"] - measure["least"])
        value = np.exp(value) if measure["stored_as_logarithms"] else value
        np.testing.assert_allclose(value, wanted[order], rtol=1e-3, atol=1e-4)
    maps = cells.affine_maps()
    np.testing.assert_allclose(arrays["maps.A"].reshape(len(cells), 3, 2), maps.A[order], rtol=1e-6, atol=1e-5)
    np.testing.assert_array_equal(arrays["classes"], cells.classes[order])


def test_numbers_that_are_none_are_kept_apart() -> None:
    cells = planar()
    values = np.arange(len(cells), dtype=float)
    values[3] = np.nan
    _, arrays = read(explore(cells, values={"x": values}).text)
    stored = arrays["measure.x"]
    assert stored[arrays["numbers"] == 3] == 65535
    assert (stored[arrays["numbers"] != 3] < 65535).all()


def test_the_page_asks_for_nothing(tmp_path: Path) -> None:
    page = planar().explore(tmp_path / "cells.html", title="A <title> & more")
    text = (tmp_path / "cells.html").read_text()
    assert text == page.text
    assert not re.search(r"""(src|href)\s*=\s*["']?\s*(https?:)?//""", text)
    assert "A &lt;title&gt; &amp; more" in text
    assert "sandbox" in page._repr_html_()
    assert "MB" in repr(page)


def test_the_scripts_are_those_of_their_source() -> None:
    home = files("splinescope.viewer")
    source = Path(str(home / "source"))
    if not source.is_dir():
        pytest.skip("the source of the script is not part of an installed package")
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(source.glob("*.ts")))).hexdigest()
    for kind in ("planar", "segment", "space", "linked"):
        script = (home / "scripts" / f"{kind}.js").read_text(encoding="utf-8")
        assert script.startswith(f"/* {digest} */"), "run `make viewer`"
        assert len(script.encode()) <= 60_000


def test_neighbours_on_the_curve_are_neighbours() -> None:
    points = np.stack(np.meshgrid(np.arange(32), np.arange(32)), axis=-1).reshape(-1, 2).astype(float)
    steps = np.abs(np.diff(points[hilbert_order(points)], axis=0)).sum(axis=1)
    assert (steps == 1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"color": "red"}, r"`color`: got 'red'; expected one of 'pattern', 'class', 'norm', 'area', 'none'"),
        ({"values": {"x": [1.0]}}, r"`values`: 'x' has the shape \(1,\); expected"),
    ],
)
def test_mistakes(options: dict, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        explore(planar(), **options)


def test_what_has_no_page_is_refused() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    box = splinescope.Box([-1.0] * 4, [1.0] * 4)
    for cells, what in (
        (splinescope.tessellate(net, box), "SpatialComplex of dimension 4"),
        (splinescope.region_graph(net, box), "RegionGraph of dimension 4"),
    ):
        with pytest.raises(InvalidInputError, match=f"got {what}; expected a complex of one to three dimensions"):
            explore(cells)


def segment():
    return splinescope.tessellate(network((2, 12, 12, 3)), splinescope.Segment([-2.0, 1.0], [2.0, -1.0]))


def test_the_page_holds_a_segment() -> None:
    cells = segment()
    record, arrays = read(explore(cells, values={"score": np.arange(len(cells))}).text)
    np.testing.assert_allclose(arrays["t"] / (2**48 - 1), cells.t, rtol=0, atol=2.0**-47)
    outputs = arrays["outputs"].reshape(3, -1)
    order = [int(label["name"]) for label in record["labels"]]
    np.testing.assert_allclose(outputs, cells.vertex_outputs[:, order].T, rtol=1e-6, atol=1e-7)
    assert record["panels"] == ["norm of A", "score"]
    slopes = np.linalg.norm(cells.affine_maps().A[:, :, 0], axis=1)
    np.testing.assert_allclose(arrays["panel.0"], slopes / cells.domain.length, rtol=1e-6)
    flips = np.repeat(np.arange(len(cells.t)), arrays["flips.sizes"])
    for at, unit in zip(flips, arrays["flips.units"], strict=True):
        before, after = cells.patterns[at - 1], cells.patterns[at]
        assert before[unit] != after[unit]
    assert len(flips) == np.count_nonzero(np.diff(cells.patterns.astype(int), axis=0))


def test_the_page_holds_a_solid() -> None:
    cells = splinescope.tessellate(network((3, 6, 6, 2)), splinescope.Box([-1, -2, -1], [1, 2, 3]))
    record, arrays = read(explore(cells).text)
    low, extent = (np.array(record["frame"][name]) for name in ("low", "extent"))
    shares = np.stack([arrays[f"vertices.{letter}"] for letter in "xyz"], axis=1) / (2**32 - 1)
    np.testing.assert_allclose(low + shares * extent, cells.vertices, rtol=0, atol=4 * 2.0**-31)
    loops = cells.face_loops()
    np.testing.assert_array_equal(arrays["vertices.corners"], loops.items)
    np.testing.assert_array_equal(np.stack([arrays["sides.0"], arrays["sides.1"]], axis=1) - 1, cells.facet_cells)
    maps = cells.affine_maps()
    np.testing.assert_allclose(arrays["maps.A"].reshape(len(cells), 2, 3), maps.A, rtol=1e-6, atol=1e-7)
    assert record["surface"] == "decision boundary"


def test_a_batch_is_a_page_of_frames() -> None:
    ends = np.array([[[-1.0, 0.0], [1.0, 0.5]], [[0.0, -1.0], [0.5, 1.0]]])
    batch = splinescope.tessellate_segments(network((2, 6, 3)), ends[:, 0], ends[:, 1])
    record = record_of(explore(batch).text)
    assert [frame["name"] for frame in record["frames"]] == ["segment 0", "segment 1"]
    with pytest.raises(InvalidInputError, match="a batch of segments has none"):
        explore(batch, values={"x": [1.0]})


def test_frames_share_their_scales() -> None:
    cells = [planar(seed) for seed in range(3)]
    text = explore_frames(dict(zip(("first", 10, 200), cells, strict=True)), color="norm").text
    record = record_of(text)
    assert [frame["name"] for frame in record["frames"]] == ["first", "step 10", "step 200"]
    records = [{**record, **frame["record"]} for frame in record["frames"]]
    lows = {measure["low"] for one in records for measure in one["measures"] if measure["key"] == "norm"}
    assert len(lows) == 1
    for number, (one, mine) in enumerate(zip(records, cells, strict=True)):
        arrays = arrays_of(text, one["arrays"], f"arrays-{number}")
        assert sorted(arrays["numbers"].tolist()) == list(range(len(mine)))


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "`frames`: got 0; expected 1 to 1,000 complexes"),
        ([planar, segment], "`frames`: step 1 is of another domain or kind than the first"),
    ],
)
def test_frames_that_do_not_fit(frames: list, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        explore_frames([make() for make in frames])


def test_weights_are_those_of_the_network() -> None:
    """A forward pass by the stages alone is the network's, for chains of any activation."""
    rng = np.random.default_rng(0)
    for act in (nn.ReLU(), nn.Hardtanh(), nn.LeakyReLU(0.1)):
        net = nn.Sequential(
            nn.Linear(5, 4), act, nn.BatchNorm1d(4).eval(), nn.Linear(4, 4), act, nn.Linear(4, 2)
        ).double()
        domain = splinescope.Slice.through(*rng.normal(size=(3, 5)))
        stages = chain_of(splinescope.load(net.eval(), input_shape=(5,)), domain)
        assert stages is not None
        points = rng.normal(size=(7, 2))
        value = points
        for stage in stages:
            value = value @ stage.matrix.T + stage.offset
            if stage.slopes is not None:
                value = act(torch.from_numpy(value)).numpy()
        with torch.no_grad():
            wanted = net(torch.from_numpy(domain.embed(points))).numpy()
        np.testing.assert_allclose(value, wanted, atol=1e-12)


def test_networks_that_are_no_chain_have_no_weights() -> None:
    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.relu(self.layer(x))

    assert chain_of(splinescope.load(Skip(), input_shape=(2,)), splinescope.Slice.box([0, 0], [1, 1])) is None


def test_empty_layers() -> None:
    cells = splinescope.tessellate(nn.Linear(2, 2), splinescope.Slice.box([0, 0], [1, 1]))
    record, arrays = read(explore(cells).text)
    assert record["counts"]["cells"] == 1
    assert list(plane_in(record, arrays).units.values()) == [0, 0, 0, 0]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planar().save(tmp_path / "complex.npz")
    assert main(["view", str(tmp_path), "--no-open", "--color", "class"]) == 0
    assert (tmp_path / "view.html").is_file()
    assert record_of((tmp_path / "view.html").read_text())["color"] == "class"
    assert main(["view", str(tmp_path / "nothing"), "--no-open"]) == 2
    assert "there are no cells at" in capsys.readouterr().err


def test_the_command_makes_a_slider_of_several_results(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for step in (5, 10, 100):
        planar(step).save(tmp_path / "run" / f"step{step}.npz")
    page = tmp_path / "page.html"
    assert main(["view", str(tmp_path / "run"), "--no-open", "--out", str(page)]) == 0
    assert [frame["name"] for frame in record_of(page.read_text())["frames"]] == ["step5", "step10", "step100"]
    both = [str(tmp_path / "run" / f"step{step}.npz") for step in (5, 10)]
    assert main(["view", *both, "--linked", "--no-open", "--out", str(page)]) == 0
    assert [view["name"] for view in record_of(page.read_text())["views"]] == ["step5", "step10"]
    pair = [str(tmp_path / "run" / f"step{step}.npz") for step in (100, 5)]
    assert main(["view", *pair, "--no-open", "--out", str(page)]) == 0
    assert [frame["name"] for frame in record_of(page.read_text())["frames"]] == ["step100", "step5"]


def test_other_commands_leave_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    weights = {
        "W0": rng.normal(size=(6, 3)),
        "b0": rng.normal(size=6),
        "W1": rng.normal(size=(2, 6)),
        "b1": np.zeros(2),
    }
    np.savez("net.npz", **weights)
    for name in "ab":
        np.save(f"{name}.npy", rng.normal(size=3))
    assert main(["segment", "net.npz", "--from", "a.npy", "--to", "b.npy", "--view", "--no-picture"]) == 0
    assert record_of(Path("segment/view.html").read_text())["kind"] == "segment"
    assert main(["surface", "net.npz", "--box", "-1", "1", "--decision", "--page", "--no-picture"]) == 0
    assert record_of(Path("surface/view.html").read_text())["kind"] == "space"


def test_boundaries_that_cut_no_cell() -> None:
    """A boundary that runs along folds has no pieces."""
    relu = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)).double()
    with torch.no_grad():
        for parameter in relu.parameters():
            parameter.zero_()
        relu[0].weight.copy_(torch.eye(2))
        relu[2].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
    _, arrays = read(explore(cells).text)
    assert not len(arrays["pieces.sizes"])
    assert len(arrays["boundary.codes"]) % 2 == 0
