"""Generators that others trained, from files: perceptrons by their weights, all else as a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.experiments.shared.perceptrons import read_perceptron
from splinescope.generative import conditioned
from splinescope.network import Network, from_torch
from splinescope.network.load import FILES, STATE_DICTS, load
from splinescope.network.splits import split
from splinescope.storage.archives import load_array


def read_generator(path: str, *, layer: str = "", condition: str = "", fixed: str = "") -> Network:
    """A generator before its head, as a network of its latents.

    Args:
        path: A state dict of a perceptron with ReLU, or the file of a network.
        layer: Node at which the generator ends, where more follows; empty for none.
        condition: Numbers of its input that are given, as in "0=0.5", joined by semicolons; empty for none.
        fixed: A further input and the `.npy` file of its value, as in "input=seven.npy"; empty for none.

    Returns:
        The network.

    Raises:
        InvalidInputError: If the file is of something else, or has no such layer, place or input.
    """
    if Path(path).suffix.lower() in STATE_DICTS:
        if layer or condition or fixed:
            raise InvalidInputError(
                f"`set`: got a layer or a condition for {path}, a file of weights; expected a network as {FILES}"
            )
        return from_torch(read_perceptron("data", path))
    network = load(path, fixed=_value(fixed) if fixed else None)
    if layer:
        network = split(network, layer).before
    if condition:
        given = conditioned(network, _numbers(condition))
        assert isinstance(given, Network)
        network = given
    return replace(network, head=None, classes=None)


def _value(text: str) -> dict[str, np.ndarray]:
    """The input that a text fixes."""
    name, _, file = text.partition("=")
    try:
        return {name: load_array(file)}
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"`set`: got {text!r} for 'fixed'; expected NAME=FILE.npy: {error}") from error


def _numbers(text: str) -> dict[int, float]:
    """The numbers that a text gives."""
    try:
        return {int(place): float(value) for place, value in (part.split("=") for part in text.split(";"))}
    except ValueError as error:
        raise InvalidInputError(
            f"`set`: got {text!r} for 'condition'; expected numbers by places, as in 0=0.5"
        ) from error
