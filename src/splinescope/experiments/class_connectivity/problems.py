"""What `class-connectivity` looks at: images, networks trained on them or given, layers, pairs of one class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from splinescope import datasets, models
from splinescope.datasets import Dataset
from splinescope.errors import InvalidInputError
from splinescope.experiments.shared.cifar import cifar10, has_test
from splinescope.experiments.shared.parts import Parts
from splinescope.network import Boundary, Network, boundaries, from_torch, load, split


@dataclass(frozen=True, eq=False)
class Images:
    """Labelled images in two parts.

    Attributes:
        inputs: [N, channels, height, width] values from 0 to 1.
        labels: [N] class of each.
        train: Number of images to train on, the first ones; the others are held out.
        classes: What the classes are called.
        name: What the images are called.
    """

    inputs: Tensor
    labels: Tensor
    train: int
    classes: tuple[str, ...]
    name: str


def read_images(data: str | None, most: int, held_out: float) -> Images:
    """Scikit-learn's digits, or the user's MNIST or CIFAR-10.

    Args:
        data: None for the digits; a folder or file of MNIST's IDX files, or of CIFAR-10.
        most: Number of images to train on, at most.
        held_out: Share of the images that are held out, the last ones, where the data have no test images apart.

    Returns:
        The images.
    """
    if data is not None and _is_mnist(Path(data)):
        return _in_two_parts(datasets.mnist(data, "train"), datasets.mnist(data, "test"), most, "MNIST")
    if data is not None and has_test(data):
        return _in_two_parts(cifar10(data, "train"), cifar10(data, "test"), most, "CIFAR-10")
    everything: Dataset = datasets.digits() if data is None else cifar10(data)
    count = len(everything) - max(1, round(held_out * len(everything)))
    rows = torch.cat([torch.arange(min(most, count)), torch.arange(count, len(everything))])
    return Images(
        everything.inputs[rows], everything.labels[rows], min(most, count), everything.classes, everything.name
    )


def _in_two_parts(train: Dataset, test: Dataset, most: int, name: str) -> Images:
    """Images to train on, the first ones at most, and those that are held out."""
    inputs, labels = (torch.cat([getattr(train, key)[:most], getattr(test, key)]) for key in ("inputs", "labels"))
    return Images(inputs, labels, min(most, len(train)), test.classes, name)


def _is_mnist(path: Path) -> bool:
    folders = (path, path / "raw", path / "MNIST" / "raw")
    return any("idx" in file.name for folder in folders if folder.is_dir() for file in folder.iterdir())


class ResidualNet(nn.Module):
    """A small residual network: a convolution, three blocks of two with a skip, the mean over all places, a layer.

    The second and the third block halve the maps and double the channels. There is no batch-norm; the blocks' last
    convolutions start small instead, so that each block starts near the identity.
    """

    def __init__(self, channels: int, width: int, classes: int, generator: torch.Generator) -> None:
        """Make the layers.

        Args:
            channels: Channels of the images.
            width: Channels of the first block.
            classes: Number of outputs.
            generator: Source of the weights.
        """
        super().__init__()
        self.first = nn.utils.skip_init(nn.Conv2d, channels, width, 3, padding=1)
        self.blocks = nn.Sequential(_Block(width, width), _Block(width, 2 * width), _Block(2 * width, 4 * width))
        self.last = nn.utils.skip_init(nn.Linear, 4 * width, classes)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if parameter.ndim == 1:
                    parameter.zero_()
                    continue
                scale = 0.1 if name.endswith("two.weight") else 1.0
                deviation = scale * math.sqrt(2 / parameter[0].numel())
                parameter.normal_(0.0, deviation, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs before the softmax."""
        x = self.blocks(torch.relu(self.first(x)))
        return self.last(x.mean(dim=(2, 3)))


class _Block(nn.Module):
    """Two convolutions beside a skip, which is a convolution of one pixel where the maps change."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        stride = 1 if before == after else 2
        self.one = nn.utils.skip_init(nn.Conv2d, before, after, 3, stride=stride, padding=1)
        self.two = nn.utils.skip_init(nn.Conv2d, after, after, 3, padding=1)
        self.skip = nn.utils.skip_init(nn.Conv2d, before, after, 1, stride=2) if stride == 2 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.skip(x) + self.two(torch.relu(self.one(x))))


def make_module(images: Images, hidden: tuple[int, ...], generator: torch.Generator) -> nn.Module:
    """An untrained network for images: fully connected for grey ones, residual for those in colour.

    Args:
        images: The images.
        hidden: Units of each hidden layer; the first number is the width of a residual network.
        generator: Source of the weights.

    Returns:
        The module.
    """
    shape, classes = tuple(images.inputs.shape[1:]), len(images.classes)
    if shape[0] == 1:
        return models.mlp([math.prod(shape), *hidden, classes], generator=generator)
    return ResidualNet(shape[0], hidden[0], classes, generator)


@dataclass(frozen=True)
class Training:
    """How networks are trained.

    Attributes:
        hidden: Units of each hidden layer.
        epochs: Epochs.
        learning_rate: Adam's step size.
    """

    hidden: tuple[int, ...]
    epochs: int
    learning_rate: float


def trained_network(parts: Parts, key: str, images: Images, training: Training, seed: int) -> Network:
    """A network trained on the images that are not held out; its weights are a part of the experiment.

    Args:
        parts: Where finished parts are kept.
        key: Name of the part.
        images: The images.
        training: Sizes.
        seed: Seed of weights and batches.

    Returns:
        The network.
    """
    generator = torch.Generator().manual_seed(seed)
    module = make_module(images, training.hidden, generator)

    def train() -> dict[str, np.ndarray]:
        models.train_classifier(
            module,
            images.inputs[: images.train],
            images.labels[: images.train],
            generator=generator,
            epochs=training.epochs,
            learning_rate=training.learning_rate,
        )
        return {"parameters": nn.utils.parameters_to_vector(module.parameters()).detach().numpy()}

    nn.utils.vector_to_parameters(torch.from_numpy(parts.arrays(key, train)["parameters"]), module.parameters())
    return from_torch(module, input_shape=tuple(images.inputs.shape[1:]))


def given_network(path: str, images: Images, trust: bool = False) -> Network:
    """A network from a file, for the images.

    Args:
        path: A file that `splinescope.load` reads.
        images: The images.
        trust: Whether the file may run the code that a `.pt2` holds.

    Returns:
        The network.

    Raises:
        InvalidInputError: If there is no such file, or the images don't fit.
    """
    network = load(Path(path).expanduser(), trust=trust)
    if math.prod(network.input_shape) != images.inputs[0].numel() or math.prod(network.output_shape) < 2:
        raise InvalidInputError(
            f"`model`: {path} takes inputs of shape {network.input_shape} to outputs of shape {network.output_shape}; "
            f"expected a classifier of images of shape {tuple(images.inputs.shape[1:])}"
        )
    return network


def layers_of(network: Network, names: tuple[str, ...]) -> dict[str, Boundary]:
    """Layers by the words of the setting.

    Args:
        network: The network.
        names: "input"; "first", the first layer of activations; "middle", the middle one of these before the last;
            "last", the activations that the last affine map reads; or the name or number of a layer, as
            `splinescope.network.split` takes them.

    Returns:
        The boundary of each word, in the order given.
    """
    places = boundaries(network)
    outputs = math.prod(network.output_shape)
    tail = [b for b in places[:-1] if math.prod(b.shape) != outputs]
    folding = [b for b in places if network.nodes[b.node].units and b.index < tail[-1].index]
    found = {}
    for name in names:
        if name == "input":
            found[name] = places[0]
        elif name == "last":
            found[name] = tail[-1]
        elif name in ("first", "middle") and folding:
            found[name] = folding[0 if name == "first" else (len(folding) - 1) // 2]
        elif name in ("first", "middle"):
            raise InvalidInputError(f"`layers`: got {name!r}; this network has no layer between its input and its last")
        else:
            found[name] = split(network, int(name) if name.lstrip("-").isdigit() else name).boundary
    return found


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of points that the network puts into one class.

    Attributes:
        ends: [S, 2] numbers of images.
        targets: [S] the class.
    """

    ends: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)


def correct_pairs(leading: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator) -> Pairs:
    """Pairs of images of one class that are classified rightly; the classes take turns.

    Args:
        leading: [N] class that leads at each image.
        labels: [N] its true class.
        count: Number of different pairs wanted.
        rng: Source of the choice.

    Returns:
        The pairs, fewer if there are no more.
    """
    rows = [np.flatnonzero((leading == label) & (labels == label)) for label in range(int(labels.max()) + 1)]
    drawn = [_drawn(len(found), rng, count) for found in rows]
    return _taking_turns([found[pairs] for found, pairs in zip(rows, drawn, strict=True)], count)


def mixed_pairs(leading: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator) -> Pairs:
    """Pairs of an image that is classified rightly and one of another class that is taken for its like.

    Args:
        leading: [N] class that leads at each image.
        labels: [N] its true class.
        count: Number of different pairs wanted.
        rng: Source of the choice.

    Returns:
        The pairs, fewer if there are no more.
    """
    found = []
    for label in range(int(labels.max()) + 1):
        right = np.flatnonzero((leading == label) & (labels == label))
        wrong = np.flatnonzero((leading == label) & (labels != label))
        grid = np.stack(np.meshgrid(right, wrong, indexing="ij"), axis=-1).reshape(-1, 2)
        found.append(grid[rng.permutation(len(grid))])
    return _taking_turns(found, count)


def _drawn(points: int, rng: np.random.Generator, count: int) -> np.ndarray:
    """Different pairs of the numbers below `points`, in random order, not more than wanted."""
    total = points * (points - 1) // 2
    chosen = rng.choice(total, min(count, total), replace=False) if total else np.empty(0, np.int64)
    first = np.array([points * i - i * (i + 1) // 2 for i in range(max(1, points))])
    rows = np.searchsorted(first, chosen, side="right") - 1
    return np.column_stack([rows, chosen - first[rows] + rows + 1]).astype(np.int64)


def _taking_turns(pairs: list[np.ndarray], count: int) -> Pairs:
    """Pairs of all classes, one of each after the other."""
    turns = np.concatenate([np.arange(len(part)) for part in pairs])
    classes = np.repeat(np.arange(len(pairs)), [len(part) for part in pairs])
    order = np.lexsort((classes, turns))[:count]
    return Pairs(np.concatenate(pairs).reshape(-1, 2)[order], classes[order])


def in_batches(network: Network, inputs: np.ndarray, size: int = 256) -> np.ndarray:
    """Values of a network at many inputs, in bounded memory."""
    return np.concatenate([network(inputs[low : low + size]) for low in range(0, len(inputs), size)])
