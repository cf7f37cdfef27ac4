"""Toy networks: shapes, initialisation, training, and no touch of global seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope import datasets, models
from splinescope.errors import InvalidInputError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_mlp_is_repeatable_and_leaves_global_seeds() -> None:
    before = torch.random.get_rng_state()
    one, two, three = (models.mlp([3, 5, 4], generator=seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    x = torch.ones(2, 3)
    assert torch.equal(one(x), two(x))
    assert not torch.equal(one(x), three(x))
    assert one(x).shape == (2, 4)
    assert float(one[1].weight.detach().abs().max()) <= 1 / math.sqrt(3)


def test_mlp_flattens_images_and_takes_a_dtype() -> None:
    network = models.mlp([64, 8, 10], generator=seeded(), dtype=torch.float64)
    assert network(torch.zeros(2, 1, 8, 8, dtype=torch.float64)).dtype == torch.float64


def test_strided_convnet_shapes() -> None:
    network = models.strided_convnet((3, 32, 31), 5, (4, 6, 7), (4, 2, 1), generator=seeded())
    assert network(torch.zeros(2, 3, 32, 31)).shape == (2, 5)
    assert network[:2](torch.zeros(1, 3, 32, 31)).shape == (1, 4, 8, 8)
    assert network[:6](torch.zeros(1, 3, 32, 31)).shape == (1, 7, 4, 4)
    with pytest.raises(InvalidInputError, match=r"`channels`, `strides`: got \[4, 6\] and \[2\]"):
        models.strided_convnet((3, 32, 32), 5, (4, 6), (2,), generator=seeded())
    with pytest.raises(InvalidInputError, match="`kernel`: got 4; expected an odd number"):
        models.strided_convnet((3, 32, 32), 5, (4,), (2,), kernel=4, generator=seeded())
    with pytest.raises(InvalidInputError, match=r"`image_shape`: got \(32, 32\)"):
        models.strided_convnet((32, 32), 5, (4,), (2,), generator=seeded())


def test_convnet_shapes() -> None:
    network = models.convnet((3, 9, 8), 5, channels=(4, 6), generator=seeded())
    assert network(torch.zeros(2, 3, 9, 8)).shape == (2, 5)


def test_bad_sizes() -> None:
    with pytest.raises(InvalidInputError, match=r"`widths`: got \[3\]; expected two or more"):
        models.mlp([3], generator=seeded())
    with pytest.raises(InvalidInputError, match=r"`image_shape`: got \(8, 8\)"):
        models.convnet((8, 8), 10, generator=seeded())
    with pytest.raises(InvalidInputError, match=r"`channels`: 3 layers halve 4 x 4 pixels to nothing"):
        models.convnet((1, 4, 4), 10, channels=(2, 2, 2), generator=seeded())


def test_training_learns_two_moons() -> None:
    generator = seeded()
    data = datasets.two_moons(200, generator=generator)
    network = models.mlp([2, 24, 24, 2], generator=generator)
    before = torch.random.get_rng_state()
    result = models.train_classifier(network, data.inputs, data.labels, generator=generator, epochs=60)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert result.accuracy > 0.97
    assert result.losses[-1] < result.losses[0]


def test_training_can_be_watched() -> None:
    network, seen = models.mlp([2, 2], generator=seeded()), []
    inputs, labels = torch.ones(4, 2), torch.tensor([0, 1, 0, 1])
    models.train_classifier(network, inputs, labels, generator=seeded(), epochs=3, after_epoch=seen.append)
    assert seen == [1, 2, 3]


def test_training_needs_a_label_per_input() -> None:
    network = models.mlp([2, 2], generator=seeded())
    with pytest.raises(InvalidInputError, match=r"`labels`: got 3 for 2 inputs"):
        models.train_classifier(network, torch.zeros(2, 2), torch.zeros(3, dtype=torch.int64), generator=seeded())


def tooth(x: np.ndarray) -> np.ndarray:
    """The hat on [0, 1], written without relu."""
    return 1 - np.abs(2 * x - 1)


def teeth(x: np.ndarray, compositions: int) -> np.ndarray:
    for _ in range(compositions):
        x = tooth(x)
    return x


def values_of(module: nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return module(torch.from_numpy(x)[:, None]).numpy()[:, 0]


DYADIC = np.arange(257) / 256


@pytest.mark.parametrize("compositions", [1, 2, 5, 8])
def test_hats_are_exact_at_dyadic_points(compositions: int) -> None:
    for on_line in (False, True):
        network = models.hat(compositions, on_line=on_line)
        assert np.array_equal(values_of(network, DYADIC), teeth(DYADIC, compositions))
    outside = np.array([-3.0, -0.25, 1.25, 7.0])
    assert np.array_equal(values_of(models.hat(compositions, on_line=True), outside), np.zeros(4))
    assert np.array_equal(values_of(models.hat(1), outside[:2]), np.zeros(2))


def test_hats_have_two_or_three_units_per_layer() -> None:
    sizes = [layer.out_features for layer in models.hat(4) if isinstance(layer, nn.Linear)]
    assert sizes == [2, 2, 2, 2, 1]
    sizes = [layer.out_features for layer in models.hat(2, on_line=True) if isinstance(layer, nn.Linear)]
    assert sizes == [3, 3, 1]


def cells_on_segment(module: nn.Module, low: float, high: float) -> int:
    network = splinescope.from_torch(module, input_shape=(1,))
    return len(splinescope.tessellate(network, splinescope.Segment([low], [high]), verify="proof"))


@pytest.mark.parametrize("compositions", [1, 3, 7])
def test_hats_are_counted(compositions: int) -> None:
    """2^s cells on [0, 1]; folds that only touch their hyperplane, at the tips of teeth, cut nothing."""
    assert cells_on_segment(models.hat(compositions), 0.0, 1.0) == 2**compositions
    assert cells_on_segment(models.hat(compositions, on_line=True), 0.0, 1.0) == 2**compositions
    assert cells_on_segment(models.hat(compositions, on_line=True), -1.0, 2.0) == 2**compositions + 2
    assert cells_on_segment(models.square(compositions), 0.0, 1.0) == 2**compositions
    assert cells_on_segment(models.takagi(compositions), 0.0, 1.0) == 2**compositions


@pytest.mark.parametrize("terms", [1, 2, 3, 6])
def test_square_interpolates_and_errs_by_its_law(terms: int) -> None:
    network = models.square(terms)
    knots = np.arange(2**terms + 1) / 2**terms
    assert np.array_equal(values_of(network, knots), knots**2)
    middles = (knots[1:] + knots[:-1]) / 2
    assert np.array_equal(values_of(network, middles) - middles**2, np.full(2**terms, 2.0 ** (-2 * (terms + 1))))


def test_takagi_is_the_sum_of_its_hats() -> None:
    expected = sum(0.5**s * teeth(DYADIC, s) for s in range(1, 8))
    assert np.array_equal(values_of(models.takagi(7), DYADIC), expected)
    third = values_of(models.takagi(20), np.array([1 / 3]))  # the maximum of the limit is 2/3, reached at 1/3
    assert third == pytest.approx(2 / 3, abs=2.0**-20)


def test_self_similar_sums_of_any_sign() -> None:
    coefficients = [0.5, -2.0, 0.25, -0.125]
    network = models.self_similar_sum(coefficients, slope=-0.75)
    expected = -0.75 * DYADIC + sum(a * teeth(DYADIC, s) for s, a in enumerate(coefficients, 1))
    assert np.array_equal(values_of(network, DYADIC), expected)
    assert max(layer.out_features for layer in network if isinstance(layer, nn.Linear)) == 3


def test_self_similar_constructions_take_a_dtype() -> None:
    for module in (models.hat(2, dtype=torch.float32), models.takagi(2, dtype=torch.float32)):
        assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}
    assert {parameter.dtype for parameter in models.square(2).parameters()} == {torch.float64}


def zaslavsky(planes: int, dimension: int) -> int:
    return sum(math.comb(planes, j) for j in range(dimension + 1))


def cells_in_unit_square(module: nn.Module) -> int:
    network = splinescope.from_torch(module, input_shape=(2,))
    return len(splinescope.tessellate(network, splinescope.Slice.box([0, 0], [1, 1]), verify="proof"))


@pytest.mark.parametrize("widths", [[7], [4, 3], [5, 7, 5], [6, 2], [4, 4, 6]])
def test_montufar_network_attains_its_bound(widths: list[int]) -> None:
    bound = math.prod((width // 2) ** 2 for width in widths[:-1]) * zaslavsky(widths[-1], 2)
    assert cells_in_unit_square(models.montufar_network(2, widths)) == bound


@pytest.mark.parametrize("widths", [[6, 3], [7, 4], [10, 6, 3]])
def test_serra_network_attains_its_bound(widths: list[int]) -> None:
    bound = math.prod((width // 2 + 1) ** 2 for width in widths[:-1]) * zaslavsky(widths[-1], 2)
    assert cells_in_unit_square(models.serra_network(2, widths)) == bound


@pytest.mark.parametrize(("inputs", "widths"), [(1, [3, 3, 3]), (3, [9, 9]), (4, [8, 6])])
def test_bounds_are_attained_in_other_dimensions(inputs: int, widths: list[int]) -> None:
    for build, more in ((models.montufar_network, 0), (models.serra_network, 1)):
        if more and widths[0] < 3 * inputs:
            continue  # too narrow for the second; `splinescope reproduce self-similar` has it in four dimensions
        network = splinescope.from_torch(build(inputs, widths), input_shape=(inputs,))
        cells = splinescope.tessellate(network, splinescope.Box([0.0] * inputs, [1.0] * inputs))
        folds = math.prod((width // inputs + more) ** inputs for width in widths[:-1])
        assert len(cells) == folds * zaslavsky(widths[-1], inputs)


@pytest.mark.parametrize(("inputs", "widths"), [(1, [3, 4]), (3, [9, 5]), (4, [12, 6])])
def test_folding_networks_have_the_patterns_of_their_bound(inputs: int, widths: list[int]) -> None:
    """In any dimension: the patterns seen at random points are at most the bound, and nearly all of them."""
    for build, more in ((models.montufar_network, 0), (models.serra_network, 1)):
        module = build(inputs, widths)
        x = torch.rand(200_000, inputs, generator=seeded(), dtype=torch.float64)
        patterns = []
        for layer in module[:-1]:
            x = layer(x).detach()
            if isinstance(layer, nn.ReLU):
                patterns.append(x > 0)
        seen = len(torch.unique(torch.cat(patterns, 1), dim=0))
        bound = (widths[0] // inputs + more) ** inputs * zaslavsky(widths[-1], inputs)
        assert 0.5 * bound < seen <= bound
        if inputs == 1:
            assert seen == bound


def test_folds_map_the_cube_onto_itself() -> None:
    x = torch.rand(500, 3, generator=seeded(), dtype=torch.float64)
    expected = x.numpy()
    for _ in range(5):
        expected = 1 - tooth(expected)
    assert np.allclose(models.coordinate_folding(3, 5)(x).detach().numpy(), expected, rtol=0, atol=1e-13)
    assert cells_in_unit_square(models.coordinate_folding(2, 3)) == 64


def test_gaussian_mlp_has_the_deviations_it_promises() -> None:
    before = torch.random.get_rng_state()
    module = models.gaussian_mlp([100, 400, 1], bias_deviation=0.5, generator=seeded())
    assert torch.equal(torch.random.get_rng_state(), before)
    assert float(module[1].weight.detach().std()) == pytest.approx(math.sqrt(2 / 100), rel=0.02)
    assert float(module[1].bias.detach().std()) == pytest.approx(0.5, rel=0.1)


def test_bad_constructions() -> None:
    with pytest.raises(InvalidInputError, match="`compositions`: got 0; expected at least 1"):
        models.hat(0)
    with pytest.raises(InvalidInputError, match="`terms`: got 0"):
        models.square(0)
    with pytest.raises(InvalidInputError, match="`terms`: got -1"):
        models.takagi(-1)
    with pytest.raises(InvalidInputError, match="`coefficients`: got none"):
        models.self_similar_sum([])
    with pytest.raises(InvalidInputError, match=r"`widths`: got \[3, 4\]; .* at least 6 units in all but the last"):
        models.serra_network(2, [3, 4])
    with pytest.raises(InvalidInputError, match=r"`widths`: got \[\]"):
        models.montufar_network(2, [])
    with pytest.raises(InvalidInputError, match="`inputs`: got 0"):
        models.montufar_network(0, [3])
    with pytest.raises(InvalidInputError, match="`inputs`, `depth`: got 2 and 0"):
        models.coordinate_folding(2, 0)
    with pytest.raises(InvalidInputError, match="`bias_deviation`: got -1"):
        models.gaussian_mlp([2, 3], bias_deviation=-1.0, generator=seeded())


def test_training_side_by_side_is_training_one_by_one() -> None:
    """With whole sets as batches the order does not matter: both ways take the same steps."""
    data = [datasets.two_moons(60, generator=seeded(k)) for k in range(3)]
    x, y = torch.stack([one.inputs for one in data]), torch.stack([one.labels for one in data])
    together = [models.mlp([2, 6, 2], generator=seeded(k)) for k in range(3)]
    alone = [models.mlp([2, 6, 2], generator=seeded(k)) for k in range(3)]
    found = models.train_classifiers(
        together, x, y, generator=seeded(), epochs=30, batch_size=60, learning_rate=0.02, weight_decay=0.1
    )
    for number, (one, other) in enumerate(zip(together, alone, strict=True)):
        expected = models.train_classifier(
            other, x[number], y[number], generator=seeded(), epochs=30, batch_size=60, learning_rate=0.02,
            weight_decay=0.1,
        )  # fmt: skip
        for a, b in zip(one.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(a, b, atol=2e-3, rtol=2e-3)
        assert found[number].losses == pytest.approx(expected.losses, rel=1e-3)
        assert found[number].accuracy == pytest.approx(expected.accuracy)
    with pytest.raises(InvalidInputError, match="for 2 modules; expected"):
        models.train_classifiers(together[:2], x, y, generator=seeded())
