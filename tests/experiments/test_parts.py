"""Parts of an experiment: each is computed once, whatever happens in between."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import splinescope
from splinescope.errors import InvalidInputError, StoreError
from splinescope.experiments import reproduce
from splinescope.experiments.regions_vs_depth_width import run as regions
from splinescope.experiments.shared.parts import Kept, Parts
from splinescope.experiments.shared.planes import cells_of, square
from splinescope.experiments.shared.reproduce import measure
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.segments.complex import SegmentComplex


def test_parts_are_kept_as_they_read(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "parts", {"seed": 0, "sizes": (1, 2)})
    tasks = {"one": lambda: {"value": np.float64(0.1), "list": (1, np.int64(2)), "lost": float("nan")}}
    first = parts.each(tasks)
    assert first == {"one": {"value": 0.1, "list": [1, 2], "lost": None}}
    again = Parts(tmp_path / "parts", {"seed": 0, "sizes": [1, 2]})
    assert again.each({"one": lambda: pytest.fail("computed twice")}) == first
    assert (parts.computed, parts.reused, again.computed, again.reused) == (1, 0, 0, 1)


def test_parts_of_another_configuration_do_not_count(tmp_path: Path) -> None:
    Parts(tmp_path, {"seed": 0}).each({"one": lambda: {"value": 0}})
    other = Parts(tmp_path, {"seed": 1})
    assert other.each({"one": lambda: {"value": 1}}) == {"one": {"value": 1}}
    assert other.computed == 1


@pytest.mark.parametrize("content", ["", "{", "[]", '{"result": {"value": 7}}', "\xff"])
def test_damaged_parts_are_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / "one.json").write_bytes(content.encode("latin-1"))
    parts = Parts(tmp_path, {"seed": 0})
    assert parts.each({"one": lambda: {"value": 1}}) == {"one": {"value": 1}}
    assert json.loads((tmp_path / "one.json").read_text())["config"] == {"seed": 0}


def test_parts_of_arrays(tmp_path: Path) -> None:
    parts, weights = Parts(tmp_path, {"seed": 0}), np.arange(3.0)
    assert np.array_equal(parts.arrays("weights", lambda: {"w": weights})["w"], weights)
    found = parts.arrays("weights", lambda: pytest.fail("computed twice"))
    assert list(found) == ["w"]
    assert np.array_equal(found["w"], weights)
    (tmp_path / "weights.npz").write_bytes(b"PK\x03\x04 cut off")
    assert np.array_equal(parts.arrays("weights", lambda: {"w": -weights})["w"], -weights)
    other = Parts(tmp_path, {"seed": 1})
    assert np.array_equal(other.arrays("weights", lambda: {"w": 2 * weights})["w"], 2 * weights)
    assert (parts.computed, parts.reused, other.computed) == (2, 0, 1)
    later = Parts(tmp_path, {"seed": 1})
    later.arrays("weights", lambda: pytest.fail("computed twice"))
    assert (later.computed, later.reused) == (0, 1)


def test_parts_of_cells(tmp_path: Path) -> None:
    """A file that anyone opens, the same in every run, of this configuration and kind or not at all."""
    parts, module = Parts(tmp_path, {"seed": 0}), torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.ReLU())
    cells = cells_of(module, square(1.0))
    first = parts.cells("plane", PlanarComplex, lambda: cells)
    again = parts.cells("plane", PlanarComplex, lambda: pytest.fail("computed twice"))
    for found in (first, again, splinescope.open(tmp_path / "plane.npz")):
        assert np.array_equal(found.vertices, cells.vertices)
        assert np.array_equal(found.patterns, cells.patterns)
    assert (parts.computed, parts.reused) == (1, 0)  # what this run made is of no earlier one
    with pytest.raises(StoreError, match=r"`parts`: .*plane\.npz' is missing, damaged or of other settings"):
        parts.kept.cells("plane", SegmentComplex)
    with pytest.raises(StoreError, match=r"of other settings"):
        Kept(tmp_path, {"seed": 1}).cells("plane", PlanarComplex)


def test_kept_parts_are_read_and_nothing_else(tmp_path: Path) -> None:
    parts = Parts(tmp_path, {"sizes": (1, 2)})
    parts.each({"one": lambda: {"value": 1}})
    parts.arrays("two", lambda: {"w": np.arange(3)})
    parts.folder("three")
    kept = Kept(tmp_path, {"sizes": [1, 2]})
    assert kept.values("one") == {"value": 1}
    assert np.array_equal(kept.arrays("two")["w"], np.arange(3))
    assert kept.folder("three") == tmp_path / "three"
    other = Kept(tmp_path, {"sizes": [1]})
    for read in (kept.values, kept.arrays, kept.folder):
        with pytest.raises(StoreError, match="missing, damaged or of other settings"):
            read("nothing")
    for read, key in ((other.values, "one"), (other.arrays, "two"), (other.folder, "three")):
        with pytest.raises(StoreError, match="missing, damaged or of other settings"):
            read(key)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.json", "three", "two.npz"]


def test_names_of_parts_stay_in_the_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"`tasks`: got the name '\.\./one'; expected letters"):
        Parts(tmp_path, {}).each({"../one": dict})


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInputError, match=r"`out`: .* cannot be made a folder"):
        reproduce("tessellation-toy", out=tmp_path / "file")


@pytest.mark.slow
def test_run_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted within the third network, a run leaves two parts, and the next one computes all but these."""
    computed: Counter[str] = Counter()
    count = regions._count_random

    def stopping(settings: Any, widths: tuple[int, ...], number: int) -> dict[str, Any]:
        if not resumed and computed.total() == 2:
            raise KeyboardInterrupt
        computed[f"{widths}, {number}"] += 1
        return count(settings, widths, number)

    monkeypatch.setattr(regions, "_count_random", stopping)
    resumed = False
    small = {"shapes": ((6,), (3, 3)), "sizes": (6,), "depths": (1, 2), "epochs": (0,), "window": 2.0}
    with pytest.raises(KeyboardInterrupt):
        measure("regions-vs-depth-width", out=tmp_path, settings=small)
    assert len(list((tmp_path / "parts").glob("*.json"))) == 2
    assert not (tmp_path / "numbers.json").exists()
    resumed = True
    parts = measure("regions-vs-depth-width", out=tmp_path, settings=small)
    assert set(computed.values()) == {1}
    assert parts.reused >= 2
    assert (tmp_path / "numbers.json").exists()
    assert not list(tmp_path.rglob(".splinescope-*"))


def test_cells_of_an_interrupted_cut_are_no_part(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))

    def some() -> PlanarComplex:
        return splinescope.tessellate(module, square(1.0), max_cells=3)

    parts = Parts(tmp_path, {})
    with pytest.raises(KeyboardInterrupt):
        parts.cells("plane", PlanarComplex, some)
    assert not list(tmp_path.glob("plane*"))
    assert parts.cells("plane", PlanarComplex, some, limited=True).truncated
