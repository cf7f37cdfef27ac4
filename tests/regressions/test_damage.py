"""Files that once ended in a traceback, a search without end or lost work, and what is said of them now."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope import Box, Network
from splinescope.errors import InvalidInputError, SplinescopeError, StoreError, StoreWarning
from splinescope.storage import arrays as stored
from splinescope.storage import read_arrays, write_arrays
from splinescope.tessellation.region_graph import region_graph

SQUARE = Box([-1.0, -1.0], [1.0, 1.0])


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return splinescope.load(nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3)))


def rewritten(path: Path, target: Path, arrays: dict[str, Any], record: dict[str, Any]) -> Path:
    """A file with some arrays exchanged, and some entries of its record."""
    file = read_arrays(path)
    return write_arrays(target, file.arrays | arrays, file.record | record)


@pytest.fixture(scope="module")
def checkpoint(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("search") / "search.npz"
    region_graph(network, SQUARE, max_cells=6, checkpoint=path)
    return path


@pytest.mark.parametrize(
    "counters",
    [
        {"level_end": 5}, {"level": 9}, {"explored": 100}, {"explored": -1}, {"sound": 7}, {"level_end": 10**9},
        {"explored": 5}, {"level": 0, "level_end": 0},
    ],
)  # fmt: skip
def test_searches_whose_counters_disagree(
    counters: dict[str, int], checkpoint: Path, network: Network, tmp_path: Path
) -> None:
    before = read_arrays(checkpoint).record["search"]
    assert before | counters != before
    bad = rewritten(checkpoint, tmp_path / "bad.npz", {}, {"search": before | counters})
    with pytest.raises(StoreError, match=r"`resume`: .* is not a complete search: "):
        region_graph(network, SQUARE, resume=bad)


@pytest.mark.parametrize(
    "name", ["seeds_keys", "seeds_origins", "found_facet_counts", "found_facet_keys", "neighbours"]
)
def test_searches_whose_arrays_disagree(name: str, checkpoint: Path, network: Network, tmp_path: Path) -> None:
    array = read_arrays(checkpoint).arrays[name]
    for changed in (array[:-1], array.astype(np.complex128), array[..., None], array + 100):
        if name == "seeds_origins" and changed.shape == array.shape and changed.dtype == array.dtype:
            continue  # other points, which no file could tell
        bad = rewritten(checkpoint, tmp_path / "bad.npz", {name: changed}, {})
        if name.endswith("_keys") and changed.shape == array.shape and changed.dtype == array.dtype:
            continue
        with pytest.raises(StoreError, match=r"`resume`: .* is not a complete search: "):
            region_graph(network, SQUARE, resume=bad)


def test_a_full_disk_does_not_end_a_search(network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any, **named: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(stored.npy, "write_array", full)
    with pytest.warns(StoreWarning, match=r"cannot write '.*search\.npz': No space left on device; the search goes on"):
        graph = region_graph(network, SQUARE, checkpoint=tmp_path / "search.npz")
    assert graph.complete
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InvalidInputError, match="`checkpoint`: there is no folder"):
        region_graph(network, SQUARE, checkpoint=tmp_path / "gone" / "search.npz")


@pytest.mark.parametrize("kind", ["plane", "graph"])
def test_cells_whose_arrays_do_not_fit(kind: str, network: Network, tmp_path: Path) -> None:
    cells = splinescope.tessellate(network, SQUARE) if kind == "plane" else region_graph(network, SQUARE)
    path = cells.save(tmp_path / "cells.npz")
    arrays = read_arrays(path).arrays
    own = [name for name in arrays if "." not in name]
    assert len(own) > 8
    for name in [*own, *(name for name in arrays if name.startswith(("codes.", "domain.", "network.")))]:
        if name.endswith("breakpoints"):
            continue  # shared by all units or not, one axis more may mean the same
        array = arrays[name]
        for changed in (array[..., None], array.astype(np.complex128), np.zeros((0, *array.shape), array.dtype)):
            bad = rewritten(path, tmp_path / "bad.npz", {name: changed}, {})
            with pytest.raises(StoreError, match="is damaged: "):
                splinescope.open(bad)
    for name in ("cell_vertices", "edge_cells", "facet_neighbours", "edge_op", "facet_op", "cell_offsets"):
        if name in arrays:
            bad = rewritten(path, tmp_path / "bad.npz", {name: arrays[name] + 1000}, {})
            with pytest.raises(StoreError, match="is damaged: "):
                splinescope.open(bad)


MODELS: dict[str, dict[str, np.ndarray]] = {
    "no outputs": {"W0": np.zeros((0, 3))},
    "no inputs": {"W0": np.zeros((3, 0))},
    "nothing between": {"W0": np.zeros((0, 3)), "W1": np.zeros((2, 0))},
    "complex": {"W0": np.array([[1j]])},
    "dates": {"W0": np.zeros((2, 2), "datetime64[s]")},
    "texts": {"W0": np.array([["1"]])},
    "half of a layer": {"0000.dense.A": np.ones((2, 2))},
    "no layer": {"0000.relu._": np.zeros(0)},
}


@pytest.mark.parametrize("name", MODELS)
def test_arrays_that_are_no_network(name: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", **MODELS[name])
    with pytest.raises(SplinescopeError, match="`model`: "):
        splinescope.load(tmp_path / "net.npz")


@pytest.mark.parametrize(
    "layer", [nn.ZeroPad1d(10**9), nn.Upsample(scale_factor=10**9)], ids=lambda m: type(m).__name__
)
def test_modules_with_values_that_fit_nowhere(layer: nn.Module) -> None:
    with pytest.raises(InvalidInputError, match=r"`module`: node .*, of shape .*, would take [\d,.]+ GiB"):
        splinescope.load(nn.Sequential(layer), (1, 4))


HEADER = "//\n{sizes}\n0,\n-1,-1\n1,1\n0,0,0\n1,1,1\n"
NNETS = {
    "no layers": HEADER.format(sizes="0,2,2,2,\n2,"),
    "infinite size": HEADER.format(sizes="1,2,2,2,\n2,inf,"),
    "no number": HEADER.format(sizes="1,2,2,2,\n2,nan,"),
    "negative size": HEADER.format(sizes="1,2,2,2,\n2,-1,"),
    "huge size": HEADER.format(sizes="1,2,2,2,\n2,1e300,"),
    "nothing after": HEADER.format(sizes="1,2,2,2,\n2,2,"),
    "ragged": HEADER.format(sizes="1,2,2,2,\n2,2,") + "1,2\n3\n0\n0\n",
    "header alone": "1,2,2,2\n2,2\n",
}


@pytest.mark.parametrize("name", NNETS)
def test_texts_that_are_no_network(name: str, tmp_path: Path) -> None:
    (tmp_path / "net.nnet").write_text(NNETS[name], encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"net\.nnet is not a network in \.nnet format"):
        splinescope.load(tmp_path / "net.nnet")


def test_a_network_that_always_overflows_is_not_compared(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", W0=[[1e300], [-1e300]], b0=np.ones(2), W1=[[1e300, 1e300]])
    assert "overflows at every input" in splinescope.load(tmp_path / "net.npz").import_report.not_compared


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("part", ["breakpoints", "weight"])
def test_networks_of_files_have_finite_numbers(network: Network, tmp_path: Path, part: str, bad: float) -> None:
    region_graph(network, SQUARE, max_cells=6).save(tmp_path / "graph.npz")
    arrays = read_arrays(tmp_path / "graph.npz").arrays
    name = next(name for name in arrays if name.startswith("network.nodes") and name.endswith(part))
    damaged = rewritten(tmp_path / "graph.npz", tmp_path / "bad.npz", {name: np.full_like(arrays[name], bad)}, {})
    with pytest.raises(StoreError, match="a weight of its network is NaN or infinite"):
        splinescope.open(damaged)
