"""What lies on the paths of `class-connectivity`: images along them, decoded where they lie in a layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.special import softmax
from torch import nn

from splinescope.experiments.class_joins import BENT, STRAIGHT, bend
from splinescope.experiments.class_problems import in_batches
from splinescope.experiments.parts import Parts
from splinescope.network import Boundary, Network, split
from splinescope.paths.decoders import decoded, decoder_for, train_decoder
from splinescope.paths.pairs import EXACT_UNITS
from splinescope.paths.profiles import PathProfile, path_profile, points_along

if TYPE_CHECKING:
    from splinescope.experiments.class_connectivity import Scene, Settings

_SAMPLES = 801
"""Points of a path at which networks with too many breakpoints are looked at."""


@dataclass(frozen=True, eq=False)
class Row:
    """Images along one path.

    Attributes:
        images: [k, channels, height, width] values from 0 to 1.
        shares: [k, classes] softmax of the network at each.
        profile: Loss and margin along the path.
    """

    images: np.ndarray
    shares: np.ndarray
    profile: PathProfile


@dataclass(frozen=True, eq=False)
class Strip:
    """The straight path of a pair, and the bent one where the straight one leaves its class.

    Attributes:
        layer: The layer's name.
        shape: Shape of its values.
        target: The class.
        joined: How the pair is joined.
        straight: Along the straight path.
        bent: Along the bent path; None where the straight path stays in the class.
        decoder_error: Root mean square error of the decoder, per pixel; None where none is needed.
    """

    layer: str
    shape: tuple[int, ...]
    target: int
    joined: str
    straight: Row
    bent: Row | None
    decoder_error: float | None


def strips_of(
    settings: Settings, parts: Parts, scene: Scene, kinds: Sequence[Mapping[str, Mapping[str, Any]]]
) -> dict[str, Strip]:
    """Pictures of one pair at each layer: of those that are bent the one whose straight path is worst.

    Args:
        settings: Sizes of the experiment.
        parts: Where finished parts are kept.
        scene: The images, the network and its layers.
        kinds: How pairs of each kind are joined at each layer; of the first kind that has bent paths one is shown.

    Returns:
        A strip for each layer.
    """
    strips = {}
    for name in scene.layers:
        found = [joined[name] for joined in kinds if joined]
        shown = next((entry for entry in found if entry["counts"][BENT]), found[0])
        strips[name] = _strip(settings, parts, scene, name, shown)
    return strips


def _strip(settings: Settings, parts: Parts, scene: Scene, name: str, joined: Mapping[str, Any]) -> Strip:
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
            bending = replace(settings.bending, box=scene.box_at(layer))
            lines["bent"] = bend(scene.network, ends[None], np.array([target]), layer, bending)[0].points
        return lines

    lines = parts.arrays(f"path-{name}", paths)
    decoder, error = (None, None) if layer.index == 0 else _decoder(settings, parts, scene, name, halves.before)
    rows = {kind: _row(settings, scene, halves.after, points, target, decoder) for kind, points in lines.items()}
    return Strip(layer.name, layer.shape, target, str(how[worst]), rows["straight"], rows.get("bent"), error)


def _row(
    settings: Settings, scene: Scene, after: Network, points: np.ndarray, target: int, decoder: nn.Module | None
) -> Row:
    values = points_along(points, settings.strip)
    outputs = after(values).reshape(len(values), -1)
    if decoder is None:
        low, high = scene.box
        images = ((values - low) / (high - low)).reshape(-1, *scene.images.inputs.shape[1:])
    else:
        images = decoded(decoder, values)
    samples = None if after.num_units <= EXACT_UNITS else _SAMPLES
    return Row(images, softmax(outputs, axis=1), path_profile(after, points, target, samples=samples))


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
