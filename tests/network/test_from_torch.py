"""Torch modules of all supported kinds agree with themselves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from splinescope.errors import InvalidInputError
from splinescope.network import from_torch, load
from splinescope.network.ops import Activation, Convolution, Dense, Maximum, PiecewiseAffine, Reshape, Select
from tests.network.agreement import check_module


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """A module with fixed random weights, also in its buffers."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = make()
        for child in module.modules():
            if isinstance(child, nn.modules.batchnorm._BatchNorm) and child.running_mean is not None:
                child.running_mean.normal_()
                child.running_var.uniform_(0.5, 2.0)
    return module


LAYERS: list[tuple[str, Callable[[], nn.Module], tuple[int, ...]]] = [
    ("linear", lambda: nn.Linear(5, 3), (5,)),
    ("linear without bias", lambda: nn.Linear(5, 3, bias=False), (5,)),
    ("linear on the last axis", lambda: nn.Linear(5, 3), (4, 5)),
    ("conv1d", lambda: nn.Conv1d(2, 4, 3, stride=2, padding=1, dilation=2), (2, 11)),
    ("conv2d groups", lambda: nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), groups=2), (4, 7, 6)),
    ("conv2d same, even kernel", lambda: nn.Conv2d(1, 2, 4, padding="same"), (1, 6, 6)),
    ("conv2d valid", lambda: nn.Conv2d(1, 2, 3, padding="valid"), (1, 6, 6)),
    ("conv2d reflect", lambda: nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"), (1, 6, 6)),
    ("conv2d circular", lambda: nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular"), (1, 6, 6)),
    ("conv2d replicate", lambda: nn.Conv2d(1, 2, 3, padding=1, padding_mode="replicate"), (1, 6, 6)),
    ("conv3d", lambda: nn.Conv3d(1, 2, 2, stride=2), (1, 4, 4, 6)),
    ("transposed 1d", lambda: nn.ConvTranspose1d(2, 3, 4, stride=3, padding=1, output_padding=2), (2, 5)),
    ("transposed 2d", lambda: nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1, groups=2), (4, 3, 4)),
    ("transposed 2d dilated", lambda: nn.ConvTranspose2d(2, 3, 3, dilation=2, bias=False), (2, 4, 4)),
    ("transposed 3d", lambda: nn.ConvTranspose3d(1, 2, 2, stride=2), (1, 2, 3, 2)),
    ("batch-norm 1d", lambda: nn.BatchNorm1d(5), (5,)),
    ("batch-norm 2d", lambda: nn.BatchNorm2d(3), (3, 4, 4)),
    ("batch-norm not affine", lambda: nn.BatchNorm2d(3, affine=False), (3, 4, 4)),
    ("conv and batch-norm", lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU()), (2, 5, 5)),
    (
        "transposed and batch-norm",
        lambda: nn.Sequential(nn.ConvTranspose2d(4, 6, 3, groups=2), nn.BatchNorm2d(6)),
        (4, 3, 3),
    ),
    ("linear and batch-norm", lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU()), (4,)),
    ("instance-norm with statistics", lambda: nn.InstanceNorm2d(3, affine=True, track_running_stats=True), (3, 4, 4)),
    ("average pool 1d", lambda: nn.AvgPool1d(3, 2, 1), (2, 9)),
    ("average pool ceil", lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True), (2, 6, 8)),
    ("average pool uncounted", lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), (2, 6, 8)),
    ("average pool divisor", lambda: nn.AvgPool2d(2, divisor_override=3), (2, 6, 8)),
    ("average pool 3d", lambda: nn.AvgPool3d(2), (1, 4, 4, 4)),
    ("adaptive average", lambda: nn.AdaptiveAvgPool2d((3, None)), (2, 7, 5)),
    ("max pool 1d", lambda: nn.MaxPool1d(3, 2, 1), (2, 9)),
    ("max pool dilated", lambda: nn.MaxPool2d(2, 1, dilation=2), (2, 6, 7)),
    ("max pool ceil", lambda: nn.MaxPool2d(3, 2, 1, ceil_mode=True), (2, 6, 7)),
    ("max pool 3d", lambda: nn.MaxPool3d(2), (1, 4, 4, 4)),
    ("adaptive max", lambda: nn.AdaptiveMaxPool2d((2, 3)), (2, 7, 5)),
    ("relu", lambda: nn.ReLU(), (6,)),
    ("leaky relu", lambda: nn.LeakyReLU(0.1), (6,)),
    ("leaky relu, slope above one", lambda: nn.LeakyReLU(1.5), (6,)),
    ("prelu", lambda: nn.PReLU(), (3, 2)),
    ("prelu by channel", lambda: nn.PReLU(3), (3, 4, 4)),
    ("rrelu", lambda: nn.RReLU(0.1, 0.3), (6,)),
    ("relu6", lambda: nn.ReLU6(), (6,)),
    ("hardtanh", lambda: nn.Hardtanh(-0.5, 2.0), (6,)),
    ("hardsigmoid", lambda: nn.Hardsigmoid(), (6,)),
    ("softshrink", lambda: nn.Softshrink(0.3), (6,)),
    ("threshold", lambda: nn.Threshold(0.3, 0.3), (6,)),
    ("dropout", lambda: nn.Sequential(nn.Dropout(), nn.Dropout2d(), nn.AlphaDropout(), nn.Identity()), (2, 3, 4)),
    ("flatten", lambda: nn.Sequential(nn.Flatten(), nn.Unflatten(1, (3, 8)), nn.ReLU()), (2, 3, 4)),
    ("zero pad", lambda: nn.ZeroPad2d((1, 2, 0, 1)), (2, 3, 4)),
    ("constant pad", lambda: nn.ConstantPad1d((1, 2), 3.5), (2, 4)),
    ("upsample nearest", lambda: nn.Upsample(scale_factor=2), (2, 3, 4)),
    ("upsample nearest size", lambda: nn.Upsample(size=(5, 7)), (2, 3, 4)),
    ("upsample bilinear", lambda: nn.Upsample(scale_factor=2, mode="bilinear"), (2, 3, 4)),
    ("upsample bilinear factor", lambda: nn.Upsample(scale_factor=1.7, mode="bilinear"), (2, 3, 4)),
    ("upsample corners", lambda: nn.Upsample(size=(5, 9), mode="bilinear", align_corners=True), (2, 3, 4)),
    ("upsample linear", lambda: nn.Upsample(scale_factor=3, mode="linear"), (2, 4)),
    ("upsample bicubic", lambda: nn.Upsample(scale_factor=2, mode="bicubic"), (1, 5, 4)),
    ("pixel shuffle", lambda: nn.PixelShuffle(2), (8, 2, 3)),
    ("channel shuffle", lambda: nn.ChannelShuffle(2), (4, 2, 3)),
    ("weight norm", lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)), (4,)),
    ("spectral norm", lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3)), (4,)),
    ("softmax", lambda: nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=-1)), (4,)),
    ("log-softmax of channels", lambda: nn.Sequential(nn.Conv2d(1, 3, 3), nn.LogSoftmax(dim=1)), (1, 5, 5)),
    ("sigmoid and flatten", lambda: nn.Sequential(nn.Linear(4, 1), nn.Sigmoid(), nn.Flatten(0)), (4,)),
    ("tanh and unflatten", lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Unflatten(1, (2, 3))), (4,)),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("make", "shape"), [case[1:] for case in LAYERS], ids=[case[0] for case in LAYERS])
def test_layer(make: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    check_module(seeded(make), shape)


W = torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(3, 4)
MASK = torch.tensor([True, False, True, True])


def assigned(x: Tensor) -> Tensor:
    """Values written into a buffer."""
    y = torch.zeros(x.shape[0], 3, 4, dtype=x.dtype)
    y[:, 1] = x[:, 0]
    y[:, 2, :2] = x[:, 1, 2:]
    return y


def in_place(x: Tensor) -> Tensor:
    """Writing through a view, which a later reader sees."""
    y = 2 * x
    v = y.view(-1)
    v.relu_()
    return y + x


def rectified_residual(x: Tensor) -> Tensor:
    """An in-place ReLU whose argument is read again."""
    y = x @ W
    z = torch.relu_(y)
    return y + z


FUNCTIONS: list[tuple[str, Callable[[Tensor], Tensor], tuple[int, ...]]] = [
    ("arithmetic", lambda x: (3 - 2 * x) / 4 + x - x / W + (-x), (3, 4)),
    ("rsub and alpha", lambda x: torch.rsub(x, W, alpha=2) + torch.sub(x, x, alpha=3), (3, 4)),
    ("broadcast", lambda x: x[:, :, :1] + x + torch.ones(4, dtype=x.dtype), (3, 4)),
    ("constant wider", lambda x: x + torch.arange(12.0, dtype=torch.float64).reshape(1, 3, 4), (4,)),
    ("matmul vector", lambda x: x @ W[0], (3, 4)),
    ("matmul left", lambda x: W @ x, (4, 2)),
    ("matmul batch", lambda x: torch.matmul(x.unsqueeze(1), torch.stack([W.T, -W.T])), (3, 4)),
    ("addmm", lambda x: torch.addmm(W[:, 0], x, W.T, beta=2, alpha=-1), (4,)),
    ("einsum", lambda x: torch.einsum("bij,kj->bki", x, W), (3, 4)),
    ("einsum transposes", lambda x: torch.einsum("bij->bji", x).relu(), (3, 4)),
    ("abs", lambda x: x.abs().sum(-1), (3, 4)),
    ("clamp", lambda x: torch.clamp(x, -0.5, 0.7) + x.clamp(min=0.2) + torch.clip(x, max=0.1), (3, 4)),
    ("clamp by tensors", lambda x: torch.clamp(x, W - 1, W), (3, 4)),
    ("clamp crossed", lambda x: torch.clamp(x, 1.0, -1.0) + x, (3, 4)),
    ("clamp by variables", lambda x: torch.clamp(x[:, 0], x[:, 1], x[:, 2]), (3, 4)),
    ("maximum", lambda x: torch.maximum(x[:, 0], x[:, 1]) - torch.minimum(x[:, 1], x[:, 2]), (3, 4)),
    ("maximum with constants", lambda x: torch.maximum(x, W) + torch.minimum(W, x), (3, 4)),
    ("fmax and max of two", lambda x: torch.fmax(x, 2 * x) + torch.max(x, -x), (3, 4)),
    ("max over an axis", lambda x: x.max(dim=1)[0] + x.min(dim=1).values, (3, 4)),
    ("amax", lambda x: x.amax((1, 2)) + x.amin((1, 2)), (3, 4)),
    ("maximum of sums", lambda x: functional.max_pool1d(functional.pad(x, (1, 1), value=-0.3), 2), (3, 4)),
    (
        "maximum padded by infinity",
        lambda x: functional.max_pool1d(functional.pad(x, (1, 1), value=-torch.inf), 2),
        (3, 4),
    ),
    ("mean", lambda x: x.mean(1) + x.mean(dim=(1, 2), keepdim=True).squeeze(1), (3, 4)),
    ("sum", lambda x: x.sum((1, 2), keepdim=True) + x.sum(2, keepdim=True), (3, 4)),
    ("cat and stack", lambda x: torch.cat([x, torch.stack([x[:, 0], x[:, 2]], 1), W[None]], 1), (3, 4)),
    ("cat of branches", lambda x: torch.cat([x.relu(), -x, x[:, :1]], dim=1).flatten(1), (3, 4)),
    ("split and chunk", lambda x: torch.split(x, [1, 3], 2)[1] + torch.chunk(x, 4, 2)[0], (3, 4)),
    ("unbind", lambda x: x.unbind(1)[0] - x.unbind(1)[2], (3, 4)),
    ("slices", lambda x: x[:, ::2, 1:] + x[:, -1:, :-1], (3, 4)),
    ("index", lambda x: x[:, [2, 0]][..., MASK].relu(), (3, 4)),
    ("gather", lambda x: torch.gather(x, 1, torch.tensor([[[0, 1, 2, 0]]])), (3, 4)),
    ("permute", lambda x: x.permute(0, 2, 1).relu() @ W, (3, 4)),
    ("squeeze", lambda x: x.unsqueeze(1).squeeze().relu().reshape(1, -1), (3, 4)),
    ("leaves the batch out", lambda x: x.view(-1).relu() @ torch.ones(12, 2, dtype=x.dtype), (3, 4)),
    ("expand", lambda x: x[:, :1].expand(-1, 3, -1) + x.repeat(1, 1, 1), (3, 4)),
    ("flip and roll", lambda x: x.flip(1) + x.roll(1, 2), (3, 4)),
    ("triangles", lambda x: x.tril() - x.triu(1), (3, 4)),
    ("unfold", lambda x: x.unfold(2, 2, 1).amax(-1), (3, 4)),
    ("masks", lambda x: x.masked_fill(MASK, 2.0) + torch.where(MASK, x, 0.5) + torch.where(MASK, 0.0, x), (3, 4)),
    ("assignment", assigned, (3, 4)),
    ("in place through a view", in_place, (3, 4)),
    ("in place and read again", rectified_residual, (3,)),
    ("shape arithmetic", lambda x: x.view(x.size(0), x.shape[1] * x.shape[2]) * x[0].numel(), (3, 4)),
    ("no grad inside", lambda x: _without_grad(x), (3, 4)),
    ("casts", lambda x: x.double().to(torch.float64).contiguous().detach().clone() + 0, (3, 4)),
    ("zeros like", lambda x: torch.maximum(x, torch.zeros_like(x)) + torch.ones_like(x), (3, 4)),
    ("image fold", lambda x: functional.unfold(x, 2, padding=1).sum(1), (2, 3, 4)),
    ("sigmoid of a permutation", lambda x: torch.sigmoid(x @ W.T).transpose(1, 2), (3, 4)),
    ("softmax of a permutation", lambda x: torch.softmax(x @ W.T, 2).permute(0, 2, 1), (3, 4)),
]


def _without_grad(x: Tensor) -> Tensor:
    with torch.no_grad():
        y = x.relu()
    return y + x


@pytest.mark.parametrize(("function", "shape"), [case[1:] for case in FUNCTIONS], ids=[case[0] for case in FUNCTIONS])
def test_function(function: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> None:
    check_module(Function(function), shape)


def kinds(module: nn.Module, shape: tuple[int, ...]) -> list[type]:
    """The ops of a module's network."""
    return [type(node.op) for node in check_module(module, shape).nodes[1:]]


def test_activation_that_does_not_fold_is_none() -> None:
    assert kinds(nn.LeakyReLU(1.0), (3,)) == []
    assert kinds(Function(lambda x: torch.clamp(x, -torch.inf, torch.inf)), (3,)) == []
    prelu = nn.PReLU(2)
    nn.init.ones_(prelu.weight)
    assert check_module(prelu, (2,)).num_units == 0


def test_breakpoints_are_counted_as_they_are() -> None:
    for module, count in (
        (nn.ReLU(), 1),
        (nn.ReLU6(), 2),
        (nn.Hardsigmoid(), 2),
        (nn.Softshrink(), 2),
        (nn.PReLU(), 1),
    ):
        op = check_module(module, (3,)).nodes[-1].op
        assert isinstance(op, Activation)
        assert len(op.breakpoints) == count


def test_prelu_of_one_slope_one_keeps_its_other_units() -> None:
    prelu = nn.PReLU(2)
    with torch.no_grad():
        prelu.weight.copy_(torch.tensor([1.0, 0.25]))
    op = check_module(prelu, (2,)).nodes[-1].op
    assert isinstance(op, Activation)
    assert op.slopes.tolist() == [[1.0, 0.25], [1.0, 1.0]]


def test_what_can_be_folded_is_folded() -> None:
    blocks = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(18, 2))
    assert kinds(seeded(lambda: blocks), (1, 5, 5)) == [Convolution, PiecewiseAffine, Dense]
    assert kinds(Function(lambda x: (x - 3) / 2 @ W.T + 1), (4,)) == [Dense]
    assert kinds(Function(lambda x: x.permute(0, 2, 1).flatten(1) @ torch.ones(12, 2, dtype=x.dtype)), (3, 4)) == [
        Dense
    ]
    assert kinds(Function(lambda x: x.permute(0, 2, 1).permute(0, 2, 1)), (3, 4)) == []
    assert kinds(Function(lambda x: x.permute(0, 2, 1)[:, 1:]), (3, 4)) == [Select]
    assert kinds(Function(lambda x: functional.max_pool1d(x.flip(2), 2)), (3, 4)) == [Maximum]
    assert kinds(Function(lambda x: x.relu().flatten(1)), (3, 4)) == [PiecewiseAffine, Reshape]


def test_reused_module_and_names() -> None:
    class Reused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.act = nn.Linear(3, 3), nn.ReLU(inplace=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.act(self.layer(self.act(self.layer(x)))) + x

    network = check_module(seeded(Reused), (3,))
    names = [node.name for node in network.nodes]
    assert names == ["input", "layer", "act", "layer:2", "act:2", "add"]
    assert network.num_units == 6
    assert [row.units for row in network.describe()] == [0, 0, 3, 0, 3, 0]


def test_float32_inside_a_float64_module() -> None:
    class Casting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x.float()).relu()

    network = from_torch(seeded(Casting), input_shape=(3,))
    assert network.import_report.reference == "module float32"
    assert network.import_report.max_relative < 1e-6
    assert any("does not run in torch.float64" in note for note in network.import_report.notes)


def test_batch_of_one_may_be_written_into_the_module() -> None:
    check_module(Function(lambda x: x.reshape(1, 12).relu()), (3, 4))
    with pytest.raises(
        InvalidInputError, match=r"fails on one input of shape \(3, 4\).*a module that takes a batch of 1"
    ):
        from_torch(Function(lambda x: x.reshape(7, 12)), input_shape=(3, 4))


def test_report_says_what_was_compared() -> None:
    report = from_torch(seeded(lambda: nn.Linear(3, 2)), input_shape=(3,)).import_report
    assert report.reference == "module float64, module float32"
    assert report.samples == 32
    assert report.deviations[0].max_relative < 1e-15 < report.deviations[1].max_relative < 1e-6


def test_network_takes_arrays_and_tensors() -> None:
    network = load(seeded(lambda: nn.Sequential(nn.Linear(3, 2), nn.ReLU())))
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    assert network(x).dtype == torch.float64
    assert (network(x.numpy()) == network(x).detach().numpy()).all()
    assert network(x[:0]).shape == (0, 2)
    with pytest.raises(InvalidInputError, match=r"`x`: got the shape \(5, 2\); expected .* \[N, 3\]"):
        network(x[:, :2])


def test_input_shape_is_inferred_or_asked_for() -> None:
    assert load(nn.Sequential(nn.Flatten(), nn.Linear(6, 2))).input_shape == (6,)
    with pytest.raises(InvalidInputError, match=r"`input_shape`: the module does not tell"):
        load(nn.Conv2d(1, 2, 3))
    with pytest.raises(InvalidInputError, match=r"`input_shape`: got \(0,\)"):
        load(nn.Linear(3, 2), input_shape=(0,))
    with pytest.raises(InvalidInputError, match=r"`module`: it fails on a batch of shape \(1, 4\)"):
        load(nn.Linear(3, 2), input_shape=(4,))


def test_rounding_inside_the_module_is_allowed_for() -> None:
    class Rounding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.second(torch.relu(self.first(x)).to(torch.bfloat16).to(x.dtype))

    report = from_torch(seeded(Rounding), input_shape=(3,)).import_report
    assert 1e-5 < report.max_relative < 1e-1


def test_overflow_of_the_original_is_noted() -> None:
    module = nn.Sequential(*(nn.Linear(2, 2, bias=False) for _ in range(4)))
    with torch.no_grad():
        for layer in module:
            layer.weight.fill_(1e12)
    report = from_torch(module).import_report
    assert report.reference == "module float64"
    assert report.notes == ("The module overflows in torch.float32, so that it was not compared in it.",)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_wrappers_are_taken_off() -> None:
    module = seeded(lambda: nn.Sequential(nn.Linear(2, 3), nn.ReLU()))
    x = torch.eye(2)
    expected = load(module)(x)
    for wrapper in (nn.DataParallel(module), torch.compile(module)):
        assert torch.equal(load(wrapper)(x), expected)


class DenseSkips(nn.Module):
    """A small U-net: skips that are concatenated, of several resolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.deep = nn.Sequential(
            nn.MaxPool2d(2), nn.Conv2d(4, 8, 3, padding=1, groups=4), nn.LeakyReLU(0.2, inplace=True)
        )
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.last = nn.Conv2d(9, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        skip = self.down(x)
        return torch.sigmoid(self.last(torch.cat([self.up(self.deep(skip)), skip, x], dim=1)))


def test_u_net() -> None:
    network = check_module(seeded(DenseSkips), (1, 8, 8))
    assert network.output_shape == (2, 8, 8)
    assert network.head is not None
    assert not any(isinstance(node.op, Select) for node in network.nodes)


def test_bias_that_depends_on_the_input() -> None:
    check_module(Function(lambda x: functional.linear(x, W, x[..., :3])), (3, 4))
    check_module(Function(lambda x: torch.addmm(x[:, :3], x, W.T)), (4,))


def test_layers_keep_nodes_of_their_own_where_nothing_is_fused() -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.ReLU()).double().eval()
    net[1].running_var.fill_(4.0)
    fused, plain = (from_torch(net, (1, 5, 5), fused=fused) for fused in (True, False))
    assert [node.name for node in fused.nodes] == ["input", "0", "2"]
    assert [node.name for node in plain.nodes] == ["input", "0", "1", "2"]
    assert torch.equal(plain.nodes[1].op.weight, net[0].weight)
    x = torch.randn(4, 1, 5, 5).double()
    assert torch.allclose(fused(x), plain(x), atol=1e-12)
