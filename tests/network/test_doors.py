"""Every public function that takes a network also takes a module or a file."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope import Box, Segment, Slice, complexity, initialization, paths
from splinescope.errors import InvalidInputError
from splinescope.network import Network, as_network, boundaries, load, split
from splinescope.numerics import Tolerance
from splinescope.paths.proof.rounding import margin_rounding
from splinescope.tessellation.surface import decision_surface

PLANE = Slice.box([-1.0, -1.0], [1.0, 1.0])
POINTS = np.random.default_rng(0).uniform(-1.0, 1.0, size=(3, 2))
CUBE = Box([-1.0] * 3, [1.0] * 3)


def mlp(*widths: int) -> nn.Sequential:
    """A small module."""
    torch.manual_seed(1)
    layers = [layer for n, m in itertools.pairwise(widths[:-1]) for layer in (nn.Linear(n, m), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(*widths[-2:]))


def _refine(network: Any) -> np.ndarray:
    ends, target = POINTS + 0.125, np.zeros(3, np.int64)
    rounding = margin_rounding(as_network(network), POINTS, ends, target, Tolerance())
    return paths.refine(network, POINTS, ends, target, rounding=rounding).verdicts


DOORS: dict[str, Callable[[Any], Any]] = {
    "tessellate": lambda network: splinescope.tessellate(network, PLANE).vertices,
    "tessellate on a segment": lambda network: splinescope.tessellate(network, Segment(*POINTS[:2])).t,
    "tessellate_segments": lambda network: splinescope.tessellate_segments(network, POINTS[:2], POINTS[1:]).t,
    "region_graph": lambda network: len(splinescope.region_graph(network, Box([-1.0, -1.0], [1.0, 1.0]))),
    "local_distances": lambda network: complexity.local_distances(network, POINTS).layers,
    "local_distances on a domain": lambda network: complexity.local_distances(network, POINTS, PLANE).layers,
    "unit_distances": lambda network: complexity.unit_distances(network, POINTS, 2, 0),
    "nearest_boundary": lambda network: complexity.nearest_boundary(network, POINTS[0]).upper,
    "nearest_fold": lambda network: complexity.nearest_fold(network, POINTS[0], 2).upper,
    "architecture": lambda network: complexity.architecture(network).widths,
    "region_bounds": lambda network: complexity.region_bounds(network).row("Serra 2018").value,
    "without_unit": lambda network: complexity.without_unit(network, 2, 0).num_units,
    "local_complexity": lambda network: complexity.local_complexity(network, POINTS, 0.25, mode="exact").total,
    "total_least_squares": lambda network: initialization.total_least_squares(network, POINTS)[0].best,
    "local_fold_density": lambda network: initialization.local_fold_density(network, POINTS, 0.25).counts,
    "straight": lambda network: paths.straight(network, POINTS[:2], POINTS[1:], 0).minimum_margin,
    "nudged_elastic_band": lambda network: paths.nudged_elastic_band(network, POINTS[0], POINTS[1], 0).verdicts,
    "string_method": lambda network: paths.string_method(network, POINTS[:1], POINTS[1:2], 0).verdicts,
    "insert_highest": lambda network: paths.insert_highest(network, POINTS[:1], POINTS[1:2], 0).verdicts,
    "certify_polyline": lambda network: paths.certify_polyline(network, POINTS, 0).margins,
    "path_profile": lambda network: paths.path_profile(network, POINTS, 0).loss,
    "refine": _refine,
    "split": lambda network: split(network, 1).before.output_shape,
    "boundaries": lambda network: len(boundaries(network)),
}  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a network."""
    module = mlp(2, 6, 5, 2)
    arrays = {}
    for number, layer in enumerate(layer for layer in module if isinstance(layer, nn.Linear)):
        arrays |= {f"W{number}": layer.weight.detach().numpy(), f"b{number}": layer.bias.detach().numpy()}
    path = tmp_path_factory.mktemp("doors") / "net.npz"
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("name", DOORS)
def test_modules_and_files_are_networks(name: str, file: Path) -> None:
    ask = DOORS[name]
    network = load(mlp(2, 6, 5, 2))
    expected = ask(network)
    np.testing.assert_array_equal(ask(mlp(2, 6, 5, 2)), expected)
    np.testing.assert_array_equal(ask(str(file)), expected)
    np.testing.assert_array_equal(ask(file), expected)


def test_surfaces() -> None:
    module = mlp(3, 4, 1)
    for ask in (splinescope.level_set, decision_surface):
        assert len(ask(module, CUBE)) == len(ask(load(module), CUBE))


def test_onnx_file(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    nodes = [onnx.helper.make_node("Relu", ["x"], ["y"])]
    kinds = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", 2]) for name in ("x", "y")]
    model = onnx.helper.make_model(onnx.helper.make_graph(nodes, "relu", kinds[:1], kinds[1:]), ir_version=8)
    onnx.save(model, tmp_path / "model.onnx")
    assert len(splinescope.tessellate(str(tmp_path / "model.onnx"), PLANE)) == 4


class TestShapes:
    """The input shape comes from the domain or the points, or is asked for."""

    convolution = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    images = np.random.default_rng(3).normal(size=(3, 1, 4, 4))

    def test_of_the_domain(self) -> None:
        cells = splinescope.tessellate(self.convolution, Slice.through(*self.images))
        assert cells.network.input_shape == cells.domain.input_shape == (1, 4, 4)

    def test_flat_domain_for_a_network_of_images(self) -> None:
        network = load(self.convolution, input_shape=(1, 4, 4))
        flat = splinescope.tessellate(network, Slice.through(*self.images.reshape(3, 16)))
        shaped = splinescope.tessellate(network, Slice.through(*self.images))
        assert flat.domain.input_shape == (1, 4, 4)
        np.testing.assert_array_equal(flat.vertices, shaped.vertices)
        points = self.images.reshape(3, 16)
        batch = splinescope.tessellate_segments(network, points[:2], points[1:])
        np.testing.assert_array_equal(
            batch.t, splinescope.tessellate_segments(network, self.images[:2], self.images[1:]).t
        )

    def test_images_for_a_module_of_flat_inputs(self) -> None:
        cells = splinescope.tessellate(mlp(16, 4, 2), Slice.through(*self.images))
        assert cells.network.input_shape == cells.domain.input_shape == (16,)

    def test_box_in_another_shape(self) -> None:
        network = load(self.convolution, input_shape=(1, 4, 4))
        high = np.r_[np.ones(3), np.zeros(13)]
        graph = splinescope.region_graph(network, Box(-high, high))
        assert graph.domain.input_shape == (1, 4, 4)

    def test_wrong_domain(self) -> None:
        with pytest.raises(InvalidInputError, match=r"`domain`: its points have shape \(2,\); the network's input"):
            splinescope.tessellate(load(mlp(3, 4, 1)), PLANE)
        with pytest.raises(InvalidInputError, match=r"`domain`: its points have shape \(4, 4\); the network's input"):
            splinescope.tessellate(load(self.convolution, (1, 4, 4)), Slice.through(*self.images[:, 0]))

    def test_module_that_fails_on_the_domain(self) -> None:
        with pytest.raises(
            InvalidInputError, match=r"`network`: with inputs of shape \(2,\), that of the points: .*fails"
        ):
            splinescope.tessellate(self.convolution, PLANE)

    def test_module_without_points(self) -> None:
        with pytest.raises(InvalidInputError, match=r"as in `splinescope.load\(module, input_shape=\(1, 28, 28\)\)`"):
            complexity.region_bounds(self.convolution)


@pytest.mark.parametrize(
    ("model", "what"),
    [
        ([1.0], "`network`: got list; expected a Network, a torch.nn.Module or the path of a file"),
        (None, "`network`: got None; expected a Network"),
        (nn.ReLU, "`network`: got the class ReLU, not an instance of it; expected"),
        (
            nn.Linear(2, 2).state_dict(),
            "`network`: got OrderedDict|`network`: got a dict, and weights without the code",
        ),
        (torch.relu, "`network`: got builtin_function_or_method; expected"),
        ("no.onnx", "there is no file no.onnx"),
    ],
)
def test_what_is_no_network(model: object, what: str) -> None:
    with pytest.raises(InvalidInputError, match=what) as caught:
        as_network(model, (2,))
    assert "\n" not in str(caught.value)


def test_a_network_stays_itself() -> None:
    network = load(mlp(2, 3, 1))
    assert as_network(network, (7,)) is network
    assert isinstance(as_network(nn.Flatten(), (2, 3)), Network)
