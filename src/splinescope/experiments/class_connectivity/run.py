"""Measures of `class-connectivity`: pairs are picked and joined, with proof."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from splinescope.experiments.class_connectivity import joins, strips
from splinescope.experiments.class_connectivity.problems import (
    Images,
    Training,
    given_network,
    read_images,
    trained_network,
)
from splinescope.experiments.class_connectivity.scene import Scene, scene_of
from splinescope.experiments.class_connectivity.settings import Settings
from splinescope.experiments.shared.parts import Parts
from splinescope.network import Network, split
from splinescope.paths.pairs import EXACT_UNITS

_TOGETHER = 5
"""Pairs of a large network that make one part."""


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Train, pick pairs, join them; the parts `strip-input`, ... are what lies on some of the paths."""
    images = read_images(settings.data, settings.train_images, settings.held_out)
    scene = scene_of(settings, images, _network(settings, parts, images))
    found = {kind: _joined(settings, parts, scene, kind) for kind in settings.kinds}
    return {
        "network": _about(scene),
        "kinds": found,
        "sampled": {name: _pooled([kind[name] for kind in found.values() if kind]) for name in scene.layers},
        "components": _components(settings, parts, scene),
        "twins": _twins(settings, parts, scene) if settings.twins and not settings.model else None,
        "strips": strips.keep_strips(settings, parts, scene, list(found.values())),
    }


def _network(settings: Settings, parts: Parts, images: Images, seed: int = 0) -> Network:
    if settings.model:
        return given_network(settings.model, images, settings.trust)
    training = Training(settings.hidden, settings.epochs, settings.learning_rate)
    return trained_network(parts, f"weights-{seed}", images, training, settings.seed + seed)


def _about(scene: Scene) -> dict[str, Any]:
    """The network, in numbers."""
    right = scene.leading == scene.images.labels.numpy()
    held_out = scene.held_out
    return {
        "images": scene.images.name,
        "classes": scene.images.classes,
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
                joins.join_pairs,
                scene.network,
                scene.inputs[pairs.ends[rows]],
                pairs.targets[rows],
                layer,
                scene.bending_at(layer),
                settings.samples,
            )
            for rows in groups
        }
        done = parts.each(tasks, "group of pairs")
        found[name] = joins.together(list(done.values())) | {"ends": pairs.ends.tolist()}
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
            joins.components_of_classes,
            scene.network,
            chosen,
            layer,
            scene.bending_at(layer),
        )
        for name, layer in scene.layers.items()
    }
    done = parts.each(tasks, "layer")
    return {name: done[f"components-{name}"] for name in scene.layers}


def _twins(settings: Settings, parts: Parts, scene: Scene) -> dict[str, Any]:
    """Pairs under two networks that were trained from different seeds."""
    other = scene_of(settings, scene.images, _network(settings, parts, scene.images, seed=1))
    right = np.where(scene.leading == other.leading, scene.leading, -1)
    pairs = replace(scene, leading=right).pairs("correct", settings.twins, settings.seed + 1)
    question = partial(
        joins.join_under_both,
        (scene.network, other.network),
        scene.inputs[pairs.ends],
        pairs.targets,
        replace(scene.bending, box=scene.box),
    )
    return parts.each({"twins": question}, "network")["twins"]
