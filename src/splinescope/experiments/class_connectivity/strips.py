"""What lies on the paths of `class-connectivity`: images along them, decoded where they lie in a layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from torch import nn

from splinescope.experiments.class_connectivity.joins import BENT, STRAIGHT, bend
from splinescope.experiments.class_connectivity.problems import in_batches
from splinescope.experiments.class_connectivity.scene import Scene
from splinescope.experiments.class_connectivity.settings import Settings
from splinescope.experiments.shared.parts import Parts
from splinescope.network import Boundary, Network, split
from splinescope.paths.decoders import decoded, decoder_for, train_decoder
from splinescope.paths.pairs import EXACT_UNITS
from splinescope.paths.profiles import path_profile, points_along

_SAMPLES = 801
"""Points of a path at which networks with too many breakpoints are looked at."""


def keep_strips(
    settings: Settings, parts: Parts, scene: Scene, kinds: Sequence[Mapping[str, Mapping[str, Any]]]
) -> dict[str, dict[str, Any]]:
    """Pictures of one pair at each layer: of those that are bent the one whose straight path is worst.

    The part `strip-input`, and so on, has the images along the straight path, and along the bent one where the straight
    one leaves its class, the network's shares at them, and loss and margin along the path.

    Args:
        settings: Sizes of the experiment.
        parts: Where finished parts are kept.
        scene: The images, the network and its layers.
        kinds: How pairs of each kind are joined at each layer; of the first kind that has bent paths one is shown.

    Returns:
        For each layer its name and shape, the class, how the pair is joined, the decoder's root mean square error per
        pixel (None where none is needed), and whether loss and margin are taken at all breakpoints.
    """
    strips = {}
    for name in scene.layers:
        found = [joined[name] for joined in kinds if joined]
        shown = next((entry for entry in found if entry["counts"][BENT]), found[0])
        strips[name] = _keep_strip(settings, parts, scene, name, shown)
    return strips


def _keep_strip(settings: Settings, parts: Parts, scene: Scene, name: str, joined: Mapping[str, Any]) -> dict[str, Any]:
    layer = scene.layers[name]
    halves = split(scene.network, layer.index)
    margins = np.array(joined["minimum_margin"])
    how = np.array(joined["joined"])
    wanted = how == (BENT if (how == BENT).any() else STRAIGHT if (how == STRAIGHT).any() else how[0])
    worst = int(np.where(wanted, margins, np.inf).argmin())
    ends = scene.inputs[joined["ends"][worst]]
    target = int(scene.leading[joined["ends"][worst][0]])

    def paths() -> dict[str, np.ndarray]:
        lines = {"straight": halves.before(ends)}
        if how[worst] == BENT:
            lines["bent"] = bend(scene.network, ends[None], np.array([target]), layer, scene.bending_at(layer))[
                0
            ].points
        return lines

    lines = parts.arrays(f"path-{name}", paths)
    decoder, error = (None, None) if layer.index == 0 else _decoder(settings, parts, scene, name, halves.before)

    def along() -> dict[str, np.ndarray]:
        rows = {kind: _along(settings, scene, halves.after, points, target, decoder) for kind, points in lines.items()}
        return {f"{kind}.{key}": array for kind, row in rows.items() for key, array in row.items()}

    parts.arrays(f"strip-{name}", along)
    facts = {"layer": layer.name, "shape": layer.shape, "target": target, "joined": str(how[worst])}
    return facts | {"decoder_error": error, "exact": _is_exact(halves.after)}


def _is_exact(after: Network) -> bool:
    return after.num_units <= EXACT_UNITS


def _along(
    settings: Settings, scene: Scene, after: Network, points: np.ndarray, target: int, decoder: nn.Module | None
) -> dict[str, np.ndarray]:
    """Images along one path, the network's shares at them, and its profile."""
    values = points_along(points, settings.strip)
    outputs = after(values).reshape(len(values), -1)
    if decoder is None:
        low, high = scene.box
        images = ((values - low) / (high - low)).reshape(-1, *scene.images.inputs.shape[1:])
    else:
        images = decoded(decoder, values)
    profile = path_profile(after, points, target, samples=None if _is_exact(after) else _SAMPLES)
    lines = {key: getattr(profile, key) for key in ("position", "loss", "margin", "pivots")}
    return {"images": images, "shares": softmax(outputs, axis=1)} | lines


def _decoder(settings: Settings, parts: Parts, scene: Scene, name: str, before: Network) -> tuple[nn.Module, float]:
    """The decoder of a layer, trained on images that pairs are not of; its state is a part of the experiment."""
    layer: Boundary = scene.layers[name]
    generator = torch.Generator().manual_seed(settings.seed)
    images = scene.images.inputs[: min(scene.images.train, settings.decoder_images)]
    decoder = decoder_for(layer.shape, tuple(images.shape[1:]), width=settings.decoder_width, generator=generator)

    def train() -> dict[str, np.ndarray]:
        activations = torch.from_numpy(in_batches(before, scene.inputs[: len(images)]))
        training = train_decoder(
            decoder,
            activations,
            images,
            epochs=settings.decoder_epochs,
            batch_size=64,
            generator=generator,
            progress=parts.progress,
        )
        state = {key: value.numpy() for key, value in decoder.state_dict().items()}
        return state | {"error": np.array(training.error)}

    state = dict(parts.arrays(f"decoder-{name}", train))
    error = float(state.pop("error"))
    decoder.load_state_dict({key: torch.from_numpy(np.asarray(value)) for key, value in state.items()})
    return decoder.eval(), error
