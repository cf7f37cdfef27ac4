"""Modules for the checkpoints among the assets, written from their published architectures."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

Shape = tuple[int, ...]


def mlp(*widths: int) -> nn.Sequential:
    """Flatten, then linear layers with ReLU between them."""
    layers: list[nn.Module] = [nn.Flatten()]
    for fan_in, fan_out in itertools.pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def convnet(channels: list[int], kernel: int, padding: int, widths: list[int]) -> nn.Sequential:
    """Convolutions of stride 2, then linear layers, with ReLU between them."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(channels):
        layers += [nn.Conv2d(before, after, kernel, stride=2, padding=padding), nn.ReLU()]
    layers.append(nn.Flatten())
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class LeNet(nn.Module):
    """The convolutional net of the PyTorch tutorial."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)
        self.pool, self.relu = nn.MaxPool2d(2, 2), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.conv1(x)))
        x = self.pool(self.relu(self.conv2(x)))
        x = self.relu(self.fc1(x.view(-1, 400)))
        return self.fc3(self.relu(self.fc2(x)))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; with batch-norm, the shortcut is a slice padded with zero channels."""

    def __init__(self, before: int, after: int, stride: int, norm: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=not norm)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=not norm)
        self.bn1, self.bn2 = (nn.BatchNorm2d(after) if norm else nn.Identity() for _ in range(2))
        self.pad = (after - before) // 2 if norm and stride != 1 else None
        self.shortcut = nn.Sequential()
        if not norm and stride != 1:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self.pad is None:
            return functional.relu(y + self.shortcut(x))
        return functional.relu(y + functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad), "constant", 0))


class CifarResNet(nn.Module):
    """ResNet of He et al. for CIFAR-10, with 6 n + 2 layers."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1, self.layer2, self.layer3 = (
            nn.Sequential(
                *(BasicBlock(before if i == 0 else after, after, stride if i == 0 else 1, True) for i in range(blocks))
            )
            for before, after, stride in ((16, 16, 1), (16, 32, 2), (32, 64, 2))
        )
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(functional.avg_pool2d(x, x.size()[3]).view(x.size(0), -1))


class ResNet2b(nn.Module):
    """Residual net of two blocks without batch-norm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 2, 1)
        self.layer1 = nn.Sequential(BasicBlock(8, 16, 2, False), BasicBlock(16, 16, 1, False))
        self.linear1, self.linear2 = nn.Linear(1024, 100), nn.Linear(100, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.flatten(self.layer1(functional.relu(self.conv1(x))), 1)
        return self.linear2(functional.relu(self.linear1(x)))


class NamedMlp(nn.Module):
    """Linear layers under names of their own, with ReLU between them."""

    def __init__(self, names: str, *widths: int) -> None:
        super().__init__()
        for i, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
            self.add_module(names.format(i + 1), nn.Linear(fan_in, fan_out))

    def forward(self, x: Tensor) -> Tensor:
        layers = list(self.children())
        for layer in layers[:-1]:
            x = torch.relu(layer(x))
        return layers[-1](x)


class LayerList(nn.Module):
    """Linear layers in a list, with ReLU between them."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.fcs = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.fcs[:-1]:
            x = torch.relu(layer(x))
        return self.fcs[-1](x)


class AirfoilGenerator(nn.Module):
    """A ReLU perceptron whose output is a list of points of the plane."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(*list(mlp(128, 256, 512, 128))[1:])

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z).view(-1, 64, 2)


class TinyLlama(nn.Module):
    """The feed-forward half of a block of a language model, on embeddings: RMS norm and SwiGLU."""

    def __init__(self, weights: np.ndarray, w1: np.ndarray, w2: np.ndarray, w3: np.ndarray) -> None:
        super().__init__()
        self.norm, self.w1, self.w2, self.w3 = (nn.Parameter(torch.from_numpy(w.copy())) for w in (weights, w1, w2, w3))

    def forward(self, x: Tensor) -> Tensor:
        y = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.norm
        return x + (functional.silu(y @ self.w1.T) * (y @ self.w3.T)) @ self.w2.T


def _llama(path: Path) -> TinyLlama:
    """Read the first block's feed-forward weights of a file of llama2.c."""
    content = path.read_bytes()
    dim, hidden, layers, heads, kv_heads, vocabulary, _ = np.frombuffer(content, np.int32, 7)
    numbers = np.frombuffer(content, np.float32, offset=28)
    keys = dim * kv_heads // heads
    at = abs(vocabulary) * dim + layers * (dim + 2 * dim * dim + 2 * dim * keys)
    sizes = [(layers, dim), (layers, hidden, dim), (layers, dim, hidden), (layers, hidden, dim)]
    arrays = []
    for shape in sizes:
        arrays.append(numbers[at : at + int(np.prod(shape))].reshape(shape)[0])
        at += int(np.prod(shape))
    return TinyLlama(*arrays)


_MODULES: dict[str, tuple[Any, Shape]] = {
    "eran_mnist_6_100_pth": (lambda: mlp(784, 100, 100, 100, 100, 100, 10), (1, 28, 28)),
    "eran_mnist_9_100_pth": (lambda: mlp(784, *[100] * 8, 10), (1, 28, 28)),
    "eran_mnist_conv_small_pth": (lambda: convnet([1, 16, 32], 4, 0, [800, 100, 10]), (1, 28, 28)),
    "wk17_mnist": (lambda: convnet([1, 16, 32], 4, 1, [1568, 100, 10]), (1, 28, 28)),
    "wk17_fashion_mnist": (lambda: convnet([1, 16, 32], 4, 1, [1568, 100, 10]), (1, 28, 28)),
    "abcrown_madry_no_maxpool_tiny": (lambda: convnet([1, 4, 8], 5, 2, [392, 128, 10]), (1, 28, 28)),
    "marabou_cifar10_small": (lambda: convnet([3, 8, 16], 4, 0, [576, 128, 64, 10]), (3, 32, 32)),
    "marabou_cifar10_large": (lambda: convnet([3, 32, 64], 4, 0, [2304, 128, 64, 10]), (3, 32, 32)),
    "eran_cifar_conv_small_pgd": (lambda: convnet([3, 16, 32], 4, 0, [1152, 100, 10]), (3, 32, 32)),
    "sdp_cifar_cnn_a_adv": (lambda: convnet([3, 16, 32], 4, 1, [2048, 100, 10]), (3, 32, 32)),
    "captum_cifar_lenet": (LeNet, (3, 32, 32)),
    "vnncomp_resnet_2b": (ResNet2b, (3, 32, 32)),
    "resnet20_cifar10": (lambda: CifarResNet(3), (3, 32, 32)),
    "resnet44_cifar10": (lambda: CifarResNet(7), (3, 32, 32)),
    "captum_california": (lambda: NamedMlp("lin{}", 8, 100, 50, 10, 1), (8,)),
    "csinva_mnist_mlp_generator": (lambda: nn.Sequential(*list(mlp(64, 256, 256, 784))[1:], nn.Tanh()), (64,)),
    "foilnet_wgan_generator": (AirfoilGenerator, (128,)),
    "res_bunny_3d_3x16": (lambda: LayerList(3, 16, 16, 16, 1), (3,)),
    "res_bunny_2d_2x50": (lambda: LayerList(2, 50, 50, 1), (2,)),
}


def has_module(name: str) -> bool:
    """Whether an asset needs a module."""
    return name in _MODULES or name == "stories260K"


def build(name: str, path: Path) -> tuple[nn.Module, Shape]:
    """The module of an asset with the weights of its file, in eval mode, and its input's shape."""
    if name == "stories260K":
        return _llama(path), (4, 64)
    make, shape = _MODULES[name]
    module = make()
    content = torch.load(path, map_location="cpu", weights_only=True)
    module.load_state_dict(_state_dict(content), strict=True)
    return module.eval(), shape


def _state_dict(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights in a checkpoint, however they are wrapped; counters of batches are left out in old ones."""
    state = content.get("state_dict", content)
    state = state[0] if isinstance(state, list) else state
    state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    counters = {
        f"{name.removesuffix('running_var')}num_batches_tracked": torch.tensor(0)
        for name in state
        if name.endswith("running_var")
    }
    return {**counters, **state}
