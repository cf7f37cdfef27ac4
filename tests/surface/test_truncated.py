"""Surfaces of which parts may be missing, since a budget left out cells or somebody interrupted, say so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import splinescope
from splinescope.cli.app import main
from splinescope.tessellation.surface import decision_surface, level_set
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import mlp
from tests.queries.scenes import gaussian

BOX = splinescope.Box([-2.0] * 3, [2.0] * 3)
FAR = splinescope.Box([-2.0, -2.0, -2.0], [26.0, 3.0, 3.0])
AT = np.array([[0.5, 0.3, 0.4], [12.0, 0.2, 0.1]])


def octahedra() -> torch.nn.Sequential:
    """The least of the distances |x - a| and |x - b|, in the sum norm."""
    first, second, third = (torch.nn.Linear(*sizes, dtype=torch.float64) for sizes in [(3, 12), (12, 2), (2, 1)])
    both = torch.cat([torch.eye(3), -torch.eye(3)]).repeat(2, 1).double()
    sums = torch.block_diag(torch.ones(1, 6), torch.ones(1, 6)).double()
    with torch.no_grad():
        first.weight[:] = both
        first.bias[:] = -(both * torch.from_numpy(AT).repeat_interleave(6, 0)).sum(1)
        second.weight[:] = torch.stack([sums[1], sums[1] - sums[0]])
        second.bias[:] = third.bias[:] = 0.0
        third.weight[:] = torch.tensor([[1.0, -1.0]])
    return torch.nn.Sequential(first, torch.nn.ReLU(), second, torch.nn.ReLU(), third)


@pytest.mark.parametrize("prune", [True, False])
def test_a_part_that_no_cell_was_left_for(prune: bool) -> None:
    """The other octahedron is closed, and nothing else tells that there are two."""
    whole = level_set(octahedra(), FAR, level=0.5, prune=prune)
    assert (whole.num_parts, whole.is_watertight, whole.truncated) == (2, True, False)
    closed = []
    for most in range(2, 60):
        mesh = level_set(octahedra(), FAR, level=0.5, prune=prune, max_cells=most)
        assert mesh.truncated or len(mesh) == len(whole)
        assert "truncated" in repr(mesh) or not mesh.truncated
        if mesh.is_watertight and mesh.num_parts == 1:
            closed.append(most)
            assert mesh.area == pytest.approx(np.sqrt(3), rel=1e-12)
    assert closed


def test_the_command_says_at_least(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    layers = [layer for layer in octahedra() if isinstance(layer, torch.nn.Linear)]
    arrays = {f"W{i}": layer.weight.detach().numpy() for i, layer in enumerate(layers)}
    np.savez("two.npz", **arrays, **{f"b{i}": layer.bias.detach().numpy() for i, layer in enumerate(layers)})
    box = ",".join(map(str, FAR.low.tolist())) + " " + ",".join(map(str, FAR.high.tolist()))
    options = ["surface", "two.npz", "--box", *box.split(), "--level", "0.5", "--no-picture", "--force"]
    assert main([*options, "--max-cells", "8"]) == 0
    assert "at least" in capsys.readouterr().out
    assert json.loads(Path("surface/summary.json").read_text())["truncated"] is True
    options[options.index("0.5")] = "7.0"
    assert main([*options, "--max-cells", "1"]) == 0
    printed = capsys.readouterr().out
    assert "at least" in printed or "none in the cells that were found" in printed
    options[options.index("7.0")] = "-1.0"
    assert main(options) == 0
    assert "the value is not taken" in capsys.readouterr().out


@pytest.mark.parametrize("outputs", [1, 2])
def test_what_was_found_before_an_interruption_is_kept(outputs: int) -> None:
    network = to_network(gaussian(5, (14, 12, 10), outputs, inputs=3))

    def stop(share: float, cells: int) -> None:
        if share > 0.6:
            raise KeyboardInterrupt

    find = level_set if outputs == 1 else decision_surface
    whole, part = find(network, BOX), find(network, BOX, memory_budget=1 << 17, progress=stop)
    assert not whole.truncated
    assert part.truncated
    assert 0 < len(part) < len(whole)
    assert part.certificate.level == "values"
    assert set(map(bytes, part.patterns)) < set(map(bytes, whole.patterns))
    distance = np.abs(part.vertices[:, None] - whole.vertices[None]).max(axis=2).min(axis=1)
    assert distance.max() < 1e-9


def test_nothing_is_kept_before_the_first_part_is_finished() -> None:
    def stop(share: float, cells: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        level_set(to_network(gaussian(5, (14, 12, 10), 1, inputs=3)), BOX, progress=stop)


def test_a_truncated_complex_gives_a_truncated_surface() -> None:
    network = to_network(mlp([np.eye(3), np.ones((1, 3))], [np.zeros(3), [0.0]]))
    cells = splinescope.tessellate(network, BOX, max_cells=2)
    assert cells.truncated
    assert level_set(cells, level=1.0).truncated
    assert not level_set(splinescope.tessellate(network, BOX), level=1.0).truncated
