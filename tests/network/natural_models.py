"""The convolutional networks that people use, at their natural sizes, written anew from their papers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

INPUT = (3, 224, 224)


def conv(n: int, m: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: str = "relu") -> nn.Sequential:
    """Convolution, batch-norm and activation."""
    layers = [nn.Conv2d(n, m, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(m)]
    acts = {"relu": nn.ReLU(inplace=True), "relu6": nn.ReLU6(), "leaky": nn.LeakyReLU(0.1)}
    return nn.Sequential(*layers, *([acts[act]] if act in acts else []))


class Residual(nn.Module):
    """A residual block: two convolutions, or a bottleneck of three."""

    def __init__(self, n: int, width: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        m = 4 * width if bottleneck else width
        if bottleneck:
            self.body = nn.Sequential(conv(n, width, 1), conv(width, width, 3, stride), conv(width, m, 1, act="none"))
        else:
            self.body = nn.Sequential(conv(n, width, 3, stride), conv(width, m, act="none"))
        self.skip = nn.Identity() if n == m and stride == 1 else conv(n, m, 1, stride, act="none")

    def forward(self, x: Tensor) -> Tensor:
        return (self.body(x) + self.skip(x)).relu()


def resnet(counts: tuple[int, ...], bottleneck: bool) -> nn.Module:
    """He et al. 2016."""
    layers: list[nn.Module] = [conv(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    n = 64
    for stage, count in enumerate(counts):
        for block in range(count):
            width = 64 << stage
            layers.append(Residual(n, width, 2 if stage and not block else 1, bottleneck))
            n = 4 * width if bottleneck else width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n, 1000))


def vgg16() -> nn.Module:
    """Simonyan and Zisserman 2015."""
    layers: list[nn.Module] = []
    n = 3
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            layers += [nn.Conv2d(n, width, 3, padding=1), nn.ReLU(inplace=True)]
            n = width
        layers.append(nn.MaxPool2d(2))
    head = [nn.Flatten(), nn.Linear(512 * 49, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU()]
    return nn.Sequential(*layers, *head, nn.Dropout(), nn.Linear(4096, 1000))


def alexnet() -> nn.Module:
    """Krizhevsky 2014."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2), nn.AdaptiveAvgPool2d(6),
        nn.Flatten(), nn.Dropout(), nn.Linear(256 * 36, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096),
        nn.ReLU(), nn.Linear(4096, 1000),
    )  # fmt: skip


class Dense(nn.Module):
    """A layer whose output is put beside its input."""

    def __init__(self, n: int, growth: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(n), nn.ReLU(), nn.Conv2d(n, 4 * growth, 1, bias=False),
            nn.BatchNorm2d(4 * growth), nn.ReLU(), nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.body(x)], 1)


def densenet121() -> nn.Module:
    """Huang et al. 2017."""
    layers: list[nn.Module] = [conv(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    n = 64
    for stage, count in enumerate((6, 12, 24, 16)):
        layers += [Dense(n + 32 * i, 32) for i in range(count)]
        n += 32 * count
        if stage < 3:
            layers += [nn.BatchNorm2d(n), nn.ReLU(), nn.Conv2d(n, n // 2, 1, bias=False), nn.AvgPool2d(2)]
            n //= 2
    return nn.Sequential(
        *layers, nn.BatchNorm2d(n), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n, 1000)
    )


class Inverted(nn.Module):
    """An inverted residual block."""

    def __init__(self, n: int, m: int, stride: int, expand: int) -> None:
        super().__init__()
        wide = n * expand
        first = [] if expand == 1 else [conv(n, wide, 1, act="relu6")]
        self.body = nn.Sequential(*first, conv(wide, wide, 3, stride, wide, act="relu6"), conv(wide, m, 1, act="none"))
        self.skip = stride == 1 and n == m

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.skip else self.body(x)


def mobilenet_v2() -> nn.Module:
    """Sandler et al. 2018."""
    layers: list[nn.Module] = [conv(3, 32, 3, 2, act="relu6")]
    n = 32
    for expand, m, count, stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)
    ):  # fmt: skip
        for block in range(count):
            layers.append(Inverted(n, m, 1 if block else stride, expand))
            n = m
    return nn.Sequential(
        *layers, conv(n, 1280, 1, act="relu6"), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000)
    )


class Shuffle(nn.Module):
    """Two branches whose channels are shuffled."""

    def __init__(self, n: int, m: int, stride: int) -> None:
        super().__init__()
        half, inner = m // 2, n if stride > 1 else n // 2
        self.split = stride == 1
        self.left = (
            nn.Identity() if self.split else nn.Sequential(conv(n, n, 3, stride, n, act="none"), conv(n, half, 1))
        )
        self.right = nn.Sequential(
            conv(inner, half, 1), conv(half, half, 3, stride, half, act="none"), conv(half, half, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, 1) if self.split else (x, x)
        y = torch.cat([self.left(a), self.right(b)], 1)
        n, c, h, w = y.shape
        return y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def shufflenet_v2() -> nn.Module:
    """Ma et al. 2018."""
    layers: list[nn.Module] = [conv(3, 24, 3, 2), nn.MaxPool2d(3, 2, 1)]
    n = 24
    for m, count in ((116, 4), (232, 8), (464, 4)):
        for block in range(count):
            layers.append(Shuffle(n, m, 1 if block else 2))
            n = m
    return nn.Sequential(*layers, conv(n, 1024, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, 1000))


class Inception(nn.Module):
    """Four branches side by side."""

    def __init__(self, n: int, a: int, b: tuple[int, int], c: tuple[int, int], d: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList([
            conv(n, a, 1), nn.Sequential(conv(n, b[0], 1), conv(b[0], b[1])),
            nn.Sequential(conv(n, c[0], 1), conv(c[0], c[1], 5)), nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(n, d, 1)),
        ])  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def inception() -> nn.Module:
    """Szegedy et al. 2015."""
    blocks: list[nn.Module] = []
    n = 192
    for a, b, c, d in (
        (64, (96, 128), (16, 32), 32), (128, (128, 192), (32, 96), 64), (192, (96, 208), (16, 48), 64),
        (160, (112, 224), (24, 64), 64), (128, (128, 256), (24, 64), 64), (112, (144, 288), (32, 64), 64),
        (256, (160, 320), (32, 128), 128), (256, (160, 320), (32, 128), 128), (384, (192, 384), (48, 128), 128),
    ):  # fmt: skip
        blocks.append(Inception(n, a, b, c, d))
        n = a + b[1] + c[1] + d
        if len(blocks) in (2, 8):
            blocks.append(nn.MaxPool2d(3, 2, 1))
    stem = [conv(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1), conv(64, 64, 1), conv(64, 192), nn.MaxPool2d(3, 2, 1)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n, 1000))


class UNet(nn.Module):
    """Ronneberger et al. 2015, with padding and an eighth of the channels."""

    def __init__(self, widths: tuple[int, ...] = (8, 16, 32, 64, 128)) -> None:
        super().__init__()
        pairs = list(zip((3, *widths[:-1]), widths, strict=True))
        self.down = nn.ModuleList([nn.Sequential(conv(n, m), conv(m, m)) for n, m in pairs])
        steps = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList([nn.ConvTranspose2d(n, m, 2, 2) for n, m in steps])
        self.join = nn.ModuleList([nn.Sequential(conv(2 * m, m), conv(m, m)) for _, m in steps])
        self.last = nn.Conv2d(widths[0], 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for number, block in enumerate(self.down):
            x = block(x if not number else nn.functional.max_pool2d(x, 2))
            kept.append(x)
        for up, join, skip in zip(self.up, self.join, kept[-2::-1], strict=True):
            x = join(torch.cat([up(x), skip], 1))
        return self.last(x)


class Detector(nn.Module):
    """A body of two scales in the manner of YOLOv3-tiny."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n, m in ((3, 16), (16, 32), (32, 64), (64, 128)):
            layers += [conv(n, m, act="leaky"), nn.MaxPool2d(2)]
        self.body, self.pool = nn.Sequential(*layers, conv(128, 256, act="leaky")), nn.MaxPool2d(2)
        self.deep = nn.Sequential(conv(256, 512, act="leaky"), conv(512, 128, 1, act="leaky"))
        self.coarse = nn.Conv2d(128, 255, 1)
        self.up = nn.Sequential(conv(128, 64, 1, act="leaky"), nn.Upsample(scale_factor=2))
        self.fine = nn.Sequential(conv(320, 128, act="leaky"), nn.Conv2d(128, 255, 1))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        shallow = self.body(x)
        deep = self.deep(self.pool(shallow))
        fine = self.fine(torch.cat([self.up(deep), shallow], 1))
        return {"coarse": self.coarse(deep), "fine": fine}


MODELS: dict[str, Callable[[], nn.Module]] = {
    "AlexNet": alexnet,
    "VGG-16": vgg16,
    "ResNet-18": lambda: resnet((2, 2, 2, 2), False),
    "ResNet-50": lambda: resnet((3, 4, 6, 3), True),
    "DenseNet-121": densenet121,
    "MobileNetV2": mobilenet_v2,
    "ShuffleNetV2": shufflenet_v2,
    "Inception": inception,
    "U-Net": UNet,
    "YOLO-like": Detector,
}


def seeded(name: str) -> nn.Module:
    """A model with fixed random weights, and running statistics of its own first inputs."""
    torch.manual_seed(0)
    module = MODELS[name]()
    if any(isinstance(child, nn.BatchNorm2d) for child in module.modules()):
        with torch.no_grad():
            module.train()(torch.randn(2, *INPUT))
    return module.eval()
