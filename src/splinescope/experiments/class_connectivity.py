"""Paths inside a class, straight or bent, at the input and at layers: how many pairs are joined, with proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.experiments import class_connectivity_claims, class_connectivity_figures, class_joins, class_strips
from splinescope.experiments.base import Config, Findings, Table
from splinescope.experiments.class_joins import Bending
from splinescope.experiments.class_problems import (
    Images,
    Pairs,
    Training,
    correct_pairs,
    given_network,
    in_batches,
    layers_of,
    mixed_pairs,
    read_images,
    trained_network,
)
from splinescope.experiments.parts import Parts
from splinescope.network import Boundary, Network, split
from splinescope.paths.components import proportion
from splinescope.paths.pairs import EXACT_UNITS
from splinescope.paths.proof.refinement import BUDGET

GROUPS = {"correct": correct_pairs, "misclassified": mixed_pairs}
"""Kinds of pairs: both ends classified rightly; one of them an image of another class that is taken for its like."""

_TOGETHER = 5
"""Pairs of a large network that make one part."""


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        pairs: Pairs at each layer, of each kind.
        kinds: Kinds of pairs: "correct", both ends classified rightly; "misclassified", one of them an image of another
            class that is taken for its like.
        twins: Pairs that are looked at under two networks of different seeds; 0 for none.
        layers: At which layers: "input", "first", "middle", "last", or names and numbers of layers.
        samples: Points of the sampled checks.
        pivots: Inner vertices of the bent paths.
        steps: Steps after which a path counts as not bent into the class.
        budget: Forward passes for each segment, where a network has too many breakpoints to list.
        component_points: Images of each class whose components are wanted; 0 for none.
        hidden: Units of each hidden layer; the first one is the width of a residual network for colour images.
        epochs: Epochs of training.
        learning_rate: Adam's step size.
        held_out: Share of the images that are held out; pairs are of these.
        train_images: Number of images to train on, at most.
        model: A file with a network to look at instead of one that is trained; "" for none.
        mean: What is taken from images, per channel, before they go into that network.
        std: What they are divided by after that.
        strip: Images on each path of the pictures.
        decoder_width: Channels of the decoders.
        decoder_epochs: Epochs of their training.
        decoder_images: Images that they are trained on, at most.
        data: Where MNIST or CIFAR-10 is; None for the small digits.
    """

    pairs: int
    kinds: tuple[str, ...]
    twins: int
    layers: tuple[str, ...]
    samples: tuple[int, ...]
    pivots: int
    steps: int
    budget: int
    component_points: int
    hidden: tuple[int, ...]
    epochs: int
    learning_rate: float
    held_out: float
    train_images: int
    model: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    strip: int
    decoder_width: int
    decoder_epochs: int
    decoder_images: int
    data: str | None = None

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """A hundred pairs of the small digits."""
        return replace(cls.paper(seed), pairs=100, twins=60, component_points=8, decoder_width=8, decoder_epochs=5)

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """A thousand pairs; the small digits, or the user's MNIST or CIFAR-10."""
        return cls(
            seed=seed,
            pairs=1000,
            kinds=tuple(GROUPS),
            twins=500,
            layers=("input", "first", "last"),
            samples=(10, 20, 50),
            pivots=9,
            steps=300,
            budget=BUDGET,
            component_points=30,
            hidden=(64,) * 6,
            epochs=60,
            learning_rate=3e-3,
            held_out=0.3,
            train_images=20_000,
            model="",
            mean=(0.0,),
            std=(1.0,),
            strip=7,
            decoder_width=32,
            decoder_epochs=20,
            decoder_images=4000,
        )

    def with_data(self, path: Path) -> Settings:
        """The same on the user's MNIST or CIFAR-10, with fewer epochs for more images; see `Config.with_data`."""
        fewer = replace(self, epochs=15, learning_rate=1e-3, decoder_epochs=5, decoder_width=16)
        return replace(fewer, data=str(path.resolve()))

    def run(self, parts: Parts) -> Findings:
        """Train, pick pairs, join them; see `Config.run`."""
        if not self.kinds or set(self.kinds) - set(GROUPS):
            raise InvalidInputError(f"`kinds`: got {', '.join(self.kinds) or 'none'}; expected {' or '.join(GROUPS)}")
        images = read_images(self.data, self.train_images, self.held_out)
        scene = _scene(self, images, _network(self, parts, images))
        found = {kind: _joined(self, parts, scene, kind) for kind in self.kinds}
        numbers: dict[str, Any] = {
            "network": _about(scene),
            "kinds": found,
            "sampled": {name: _pooled([kind[name] for kind in found.values() if kind]) for name in scene.layers},
            "components": _components(self, parts, scene),
            "twins": _twins(self, parts, scene) if self.twins and not self.model else None,
        }
        strips = class_strips.strips_of(self, parts, scene, list(found.values()))
        numbers["decoders"] = {name: strip.decoder_error for name, strip in strips.items()}
        draw = class_connectivity_figures
        figures = {
            "connectivity": partial(draw.draw_connectivity, numbers),
            "paths": partial(draw.draw_strips, strips, images.classes),
            "losses": partial(draw.draw_losses, strips),
        }
        return Findings(numbers, class_connectivity_claims.claims_of(numbers), figures, _tables(numbers))

    @property
    def bending(self) -> Bending:
        """How paths are bent."""
        return Bending(self.pivots, self.steps, self.budget)


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that questions are asked about.

    Attributes:
        images: The images.
        network: The network.
        inputs: [N, *input_shape] images as the network takes them.
        leading: [N] the class that leads at each that is held out; -1 for the others.
        layers: Boundary of each layer, by the words of the setting.
        box: Least and largest value of an input.
    """

    images: Images
    network: Network
    inputs: np.ndarray
    leading: np.ndarray
    layers: Mapping[str, Boundary]
    box: tuple[np.ndarray, np.ndarray]

    @property
    def held_out(self) -> np.ndarray:
        """Numbers of the images that nothing was trained on."""
        return np.arange(self.images.train, len(self.inputs))

    def pairs(self, kind: str, count: int, seed: int) -> Pairs:
        """Pairs of images that are held out."""
        rows = self.held_out
        labels = self.images.labels.numpy()[rows]
        found = GROUPS[kind](self.leading[rows], labels, count, np.random.default_rng(seed))
        return Pairs(rows[found.ends], found.targets)

    def box_at(self, layer: Boundary) -> tuple[np.ndarray, np.ndarray] | None:
        """The box of the images at the input; none at a layer."""
        return self.box if layer.index == 0 else None


def _network(settings: Settings, parts: Parts, images: Images, seed: int = 0) -> Network:
    if settings.model:
        return given_network(settings.model, images)
    training = Training(settings.hidden, settings.epochs, settings.learning_rate)
    return trained_network(parts, f"weights-{seed}", images, training, settings.seed + seed)


def _scene(settings: Settings, images: Images, network: Network) -> Scene:
    channels = images.inputs.shape[1]
    for name, values in (("mean", settings.mean), ("std", settings.std)):
        if len(values) not in (1, channels):
            raise InvalidInputError(f"`{name}`: got {len(values)} numbers for {channels} channels")
    mean, std = (np.asarray(values).reshape(-1, 1, 1) for values in (settings.mean, settings.std))
    shape = network.input_shape
    inputs = ((images.inputs.numpy().astype(np.float64) - mean) / std).reshape(-1, *shape)
    ones = np.ones(tuple(images.inputs.shape[1:]))
    box = tuple(((value * ones - mean) / std).reshape(shape) for value in (0.0, 1.0))
    leading = np.full(len(inputs), -1)  # of images that were trained on, nothing is asked
    leading[images.train :] = (
        in_batches(network, inputs[images.train :]).reshape(len(inputs) - images.train, -1).argmax(1)
    )
    return Scene(images, network, inputs, leading, layers_of(network, settings.layers), (box[0], box[1]))


def _about(scene: Scene) -> dict[str, Any]:
    """The network, in numbers."""
    right = scene.leading == scene.images.labels.numpy()
    held_out = scene.held_out
    return {
        "images": scene.images.name,
        "image_shape": list(scene.images.inputs.shape[1:]),
        "trained_on": scene.images.train,
        "held_out": len(held_out),
        "accuracy": float(right[held_out].mean()),
        "units": scene.network.num_units,
        "layers": {
            name: {"name": layer.name, "shape": list(layer.shape), "index": layer.index}
            for name, layer in scene.layers.items()
        },
    }


def _joined(settings: Settings, parts: Parts, scene: Scene, kind: str) -> dict[str, Any]:
    """What became of the pairs of one kind, at each layer."""
    pairs = scene.pairs(kind, settings.pairs, settings.seed)
    if not len(pairs):
        return {}
    found = {}
    for name, layer in scene.layers.items():
        # Pairs of a network with too many breakpoints to keep take long: a run that was stopped loses a few of them.
        large = split(scene.network, layer.index).after.num_units > EXACT_UNITS
        groups = np.array_split(np.arange(len(pairs)), -(-len(pairs) // _TOGETHER) if large else 1)
        tasks = {
            f"{kind}-{name}-{rows[0]}-{rows[-1]}": partial(
                class_joins.join_pairs,
                scene.network,
                scene.inputs[pairs.ends[rows]],
                pairs.targets[rows],
                layer,
                replace(settings.bending, box=scene.box_at(layer)),
                settings.samples,
            )
            for rows in groups
        }
        done = parts.each(tasks, "group of pairs")
        found[name] = class_joins.together(list(done.values())) | {"ends": pairs.ends.tolist()}
    return found


def _pooled(found: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Verdicts of sampled checks on pairs of all kinds together."""
    return {
        points: {name: sum(entry["sampled"][points][name] for entry in found) for name in rates}
        for points, rates in found[0]["sampled"].items()
    }


def _components(settings: Settings, parts: Parts, scene: Scene) -> dict[str, Any]:
    """Components of each class at each layer."""
    if not settings.component_points:
        return {}
    labels, rows = scene.images.labels.numpy(), scene.held_out
    chosen = {}
    for label, name in enumerate(scene.images.classes):
        right = rows[(labels[rows] == label) & (scene.leading[rows] == label)][: settings.component_points]
        if len(right) > 1:
            chosen[name] = (label, scene.inputs[right])
    tasks = {
        f"components-{name}": partial(
            class_joins.components_of_classes,
            scene.network,
            chosen,
            layer,
            replace(settings.bending, box=scene.box_at(layer)),
        )
        for name, layer in scene.layers.items()
    }
    done = parts.each(tasks, "layer")
    return {name: done[f"components-{name}"] for name in scene.layers}


def _twins(settings: Settings, parts: Parts, scene: Scene) -> dict[str, Any]:
    """Pairs under two networks that were trained from different seeds."""
    other = _scene(settings, scene.images, _network(settings, parts, scene.images, seed=1))
    right = np.where(scene.leading == other.leading, scene.leading, -1)
    pairs = replace(scene, leading=right).pairs("correct", settings.twins, settings.seed + 1)
    question = partial(
        class_joins.join_under_both,
        (scene.network, other.network),
        scene.inputs[pairs.ends],
        pairs.targets,
        replace(settings.bending, box=scene.box),
    )
    return parts.each({"twins": question}, "network")["twins"]


def _tables(numbers: Mapping[str, Any]) -> dict[str, Table]:
    """Counts with their intervals, and rates of false verdicts."""
    joins, samples = [], []
    for kind, layers in numbers["kinds"].items():
        for layer, found in layers.items():
            for pairs, counts in (("first 25", found["few"]), ("all", found["counts"])):
                total = sum(counts.values())
                for how, count in counts.items():
                    share = proportion(count, total)
                    joins.append((kind, layer, pairs, how, count, total, share.share, share.low, share.high))
    for layer, sampled in numbers["sampled"].items():
        for points, rates in sampled.items():
            for among in ("of_seen", "of_refuted"):
                share = proportion(rates["wrong"], rates[among])
                row = (rates["wrong"], rates[among], share.share, share.low, share.high)
                samples.append((layer, points, among, *row))
    interval = ("share", "Wilson 95 % low", "Wilson 95 % high")
    return {
        "connectivity": Table(("kind", "layer", "pairs", "joined", "count", "of", *interval), tuple(joins)),
        "sampling": Table(("layer", "points", "among", "false", "of", *interval), tuple(samples)),
    }
