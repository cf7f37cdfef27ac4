"""Networks and modules cut in two: together they are the whole, and what cannot be cut is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.network import Network, boundaries, split, split_module
from tests.fixtures.engine_networks import to_network
from tests.fixtures.random_nets import random_case
from tests.network.assets import ABSENT, assets, imported
from tests.paths.nets import NETWORKS, Dense, Residual, perceptron, seeded
from tests.seeds import seeds

every_kind = pytest.mark.parametrize("network", NETWORKS, indirect=True)


@pytest.fixture
def network(request: pytest.FixtureRequest) -> Network:
    return NETWORKS[request.param]


def inputs(shape: tuple[int, ...], count: int = 5) -> torch.Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def assert_composes(network: Network, at: int | str, carry: bool = False) -> None:
    """Bit for bit, with all units, and the head behind."""
    x = inputs(network.input_shape)
    parts = split(network, at, carry=carry)
    assert torch.equal(parts.after(parts.before(x)), network(x))
    assert parts.before.output_shape == parts.after.input_shape == parts.boundary.shape
    assert parts.before.num_units + parts.after.num_units == network.num_units
    assert parts.before.input_shape == network.input_shape
    assert parts.before.head is None
    assert parts.after.head == network.head


@every_kind
def test_parts_compose_at_every_boundary(network: Network) -> None:
    places = boundaries(network)
    assert len(places) > 3
    assert [place.index for place in places] == list(range(len(places)))
    for place in places:
        assert_composes(network, place.index)
        assert_composes(network, place.index - len(places))
        assert split(network, place.name).boundary == place


@every_kind
def test_parts_compose_everywhere_with_skips_carried(network: Network) -> None:
    for node in network.nodes:
        assert_composes(network, node.name, carry=True)


def leads_around(network: Network, node: int) -> bool:
    """Whether a path from input to output avoids a node: by walking."""
    reached, waiting = set(), [network.output]
    while waiting:
        index = waiting.pop()
        if index != node and index not in reached:
            reached.add(index)
            waiting.extend(network.nodes[index].inputs)
    return 0 in reached


@pytest.mark.parametrize("seed", seeds(range(0, 25, 3), range(25)))
def test_boundaries_are_the_nodes_that_no_path_avoids(seed: int) -> None:
    network = to_network(random_case(seed).recipe)
    expected = [index for index in range(len(network.nodes)) if not leads_around(network, index)]
    assert [place.node for place in boundaries(network)] == expected
    x = inputs(network.input_shape)
    for place in boundaries(network):
        parts = split(network, place.index)
        assert torch.equal(parts.after(parts.before(x)), network(x))


def test_a_part_has_cells_of_its_own() -> None:
    parts = split(NETWORKS["residual"], "pool")
    z = parts.before(inputs(parts.before.input_shape, 2)).numpy()
    cells = splinescope.tessellate(parts.after, splinescope.Segment(z[0], z[1]), verify="proof")
    assert cells.certificate.vertex_checks > 0


def test_a_module_stands_for_its_last_node() -> None:
    network = NETWORKS["residual"]
    parts = split(network, "layer1")
    module = seeded(Residual())
    x = inputs(network.input_shape)
    expected = module.layer1(torch.relu(module.stem(x)))
    torch.testing.assert_close(parts.before(x), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(parts.after.head(parts.after(expected)), module(x), rtol=1e-12, atol=1e-12)


def test_inside_of_a_block_is_refused_with_the_skip() -> None:
    with pytest.raises(
        InvalidInputError,
        match=r"`layer1.0.conv1` lies inside a block that `relu` -> `layer1.0.add` skips; cut at boundary 2 \(`relu`\) "
        r"or 3 \(`layer1.0.add`\), or carry .*carry=True",
    ):
        split(NETWORKS["residual"], "layer1.0.conv1")
    parts = split(NETWORKS["residual"], "layer1.0.conv1", carry=True)
    assert parts.boundary.index == -1
    assert parts.boundary.shape == (2 * 3 * 6 * 6,)


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ("conv9", "no node or module `conv9`; it can be cut at `input`, `stem`, "),
        (99, r"got 99; expected a boundary from 0 to \d+, or a negative one"),
        (-99, "got -99; expected a boundary"),
    ],
)
def test_places_that_are_not_there(at: int | str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        split(NETWORKS["residual"], at)


@pytest.mark.skipif(not assets(), reason=ABSENT)
def test_a_resnet_is_cut_at_its_blocks() -> None:
    asset = next(asset for asset in assets() if asset.name == "resnet20_cifar10")
    network = imported(asset, asset.paths[0])
    x = inputs(network.input_shape, 2)
    y = network(x)
    for layer, shape in (("layer1", (16, 32, 32)), ("layer2", (32, 16, 16)), ("layer3", (64, 8, 8))):
        parts = split(network, layer)
        assert parts.boundary.shape == shape
        assert torch.equal(parts.after(parts.before(x)), y)
    with pytest.raises(InvalidInputError, match="carry=True"):
        split(network, "layer2.1.conv1")


# -- modules


def smooth() -> nn.Sequential:
    layers = [nn.Linear(4, 6), nn.GELU(), nn.LayerNorm(6), nn.Linear(6, 5), nn.SiLU(), nn.Linear(5, 3), nn.Softmax(1)]
    return seeded(nn.Sequential(*layers))


@pytest.mark.parametrize("place", range(7))
def test_a_smooth_module_is_its_layers_one_after_the_other(place: int) -> None:
    module, x = smooth(), inputs((4,))
    parts = split_module(module, str(place), x)
    z = module[: place + 1](x).detach().requires_grad_(True)
    assert torch.equal(parts.before(x), z)
    assert torch.equal(parts.after(z), module[place + 1 :](z))
    (ours,) = torch.autograd.grad(parts.after(z)[:, 0].sum(), z)
    (expected,) = torch.autograd.grad(module[place + 1 :](z)[:, 0].sum(), z)
    assert torch.equal(ours, expected)


@pytest.mark.parametrize("at", ["stem", "layer1", "layer1.0", "pool", "layer2", "linear"])
def test_a_residual_module_is_cut_between_its_blocks(at: str) -> None:
    module, x = seeded(Residual()), inputs((2, 6, 6))
    parts = split_module(module, at, x)
    more = inputs((2, 6, 6), 9)
    assert torch.equal(parts.after(parts.before(more)), module(more))


def test_the_second_part_takes_batches_of_any_size_from_modules_that_ask_for_it() -> None:
    class Sized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            n = x.shape[0]
            return self.b(self.a(x).tanh().view(n, 6))

    module, x = seeded(Sized()), inputs((4,))
    parts = split_module(module, "a", x)
    more = inputs((4,), 11)
    assert torch.equal(parts.after(parts.before(more)), module(more))


@pytest.mark.parametrize(
    ("module", "shape", "at", "message"),
    [
        (Residual(), (2, 6, 6), "layer1.0.conv1", "what follows 'layer1.0.conv1' needs more than its output"),
        (Dense(), (4,), "first", "what follows 'first' needs more than its output"),
        (Dense(), (4,), "third", "no submodule 'third'; it has 'first', 'second', 'last'"),
        (nn.Sequential(*[nn.Linear(4, 4)] * 2), (4,), "0", "runs its submodule '0' 2 times"),
    ],
)
def test_modules_that_cannot_be_cut(module: nn.Module, shape: tuple[int, ...], at: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        split_module(seeded(module), at, inputs(shape))


def test_the_users_module_stays_as_it_is() -> None:
    module = perceptron(4, 5, 3).double().train()
    calls: list[int] = []
    module[0].register_forward_hook(lambda *_: calls.append(1))
    parts = split_module(module, "1", inputs((4,)))
    parts.after(parts.before(inputs((4,))))
    assert calls == []
    assert module.training
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert len(module[1]._forward_hooks) == 0
