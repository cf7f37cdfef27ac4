"""Permutations of the channels of a torch module: the same symmetry, written into a copy of its weights."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.trajectory.symmetry.matching import Orders
from splinescope.trajectory.symmetry.symmetries import Symmetries
from splinescope.trajectory.symmetry.weights import weights_of

_LAYERS = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
)  # fmt: skip
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def permute_module(module: nn.Module, among: Symmetries, orders: Orders) -> nn.Module:
    """A copy of a module with its channels permuted, batch-norm with its statistics among them.

    Args:
        module: The module, which stays as it is.
        among: The symmetries of its network.
        orders: For each group the old channel at each new place.

    Returns:
        The copy, in the same mode and type; it was compared with the module on random inputs.

    Raises:
        InvalidInputError: If it has weights outside of linear, convolutional, batch-norm and PReLU layers, or does not
            compute the same afterwards, as where layers share weights.
    """
    moved = copy.deepcopy(module)
    nodes = {node.name: index for index, node in enumerate(among.network.nodes)}
    sides = _record(module, among.network.input_shape)
    with torch.no_grad():
        for name, part in moved.named_modules():
            if isinstance(part, _LAYERS) and name in nodes:
                _permute_layer(part, among, nodes[name], orders)
            elif isinstance(part, (*_NORMS, nn.PReLU)):
                _permute_channels(part, name, among, nodes, sides, orders)
            elif any(True for _ in part.parameters(recurse=False)):
                raise InvalidInputError(
                    f"`b`: `{name or 'the module'}`, a {type(part).__name__}, has weights that are not understood; "
                    "pass networks instead of modules: `splinescope.load(module)`"
                )
    _compare(module, moved, among.network.input_shape)
    return moved


def _permute_layer(part: nn.Module, among: Symmetries, index: int, orders: Orders) -> None:
    for weight in weights_of(among.network, index):
        values = getattr(part, weight.field)
        if values is None:
            continue
        for axis in weight.axes:
            flat = among.layouts.order(axis.node, orders)
            block = max(1, len(flat) // values.shape[axis.axis])
            values.copy_(values.index_select(axis.axis, torch.from_numpy(flat[::block] // block).to(values.device)))


@dataclass
class _Sides:
    """Which module made the input of each, and which read its output."""

    made_by: dict[str, str] = field(default_factory=dict)
    read_by: dict[str, str] = field(default_factory=dict)


def _record(module: nn.Module, shape: tuple[int, ...]) -> _Sides:
    """Run a copy once, and note whose output is whose input."""
    twin = copy.deepcopy(module).eval()
    sides = _Sides()
    makers: dict[int, str] = {}
    kept: list[Tensor] = []  # so that no tensor takes the place of another

    def hook(name: str) -> object:
        def note(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            maker = makers.get(id(inputs[0]))
            if maker is not None:
                sides.made_by[name] = maker
                sides.read_by.setdefault(maker, name)
            makers[id(output)] = name
            kept.extend((inputs[0], output))

        return note

    for name, part in twin.named_modules():
        if isinstance(part, (*_LAYERS, *_NORMS, nn.PReLU)):
            part.register_forward_hook(hook(name))  # type: ignore[arg-type]
    with torch.no_grad():
        twin(_probe(twin, shape, 1))
    return sides


def _permute_channels(
    part: nn.Module, name: str, among: Symmetries, nodes: dict[str, int], sides: _Sides, orders: Orders
) -> None:
    """Reorder what a layer holds for each channel: by its own node, that before it, or what reads it."""
    before, reader = sides.made_by.get(name, ""), sides.read_by.get(name, "")
    if name in nodes:
        index = nodes[name]
    elif before in nodes:
        index = nodes[before]
    elif reader in nodes:
        index = among.network.nodes[nodes[reader]].inputs[0]
    else:
        raise InvalidInputError(f"`b`: which channels `{name}` scales is not known; pass networks instead of modules")
    for values in (*part.parameters(recurse=False), *part.buffers(recurse=False)):
        if values.ndim == 1 and len(values) > 1:
            order = _channels(among.layouts.order(index, orders), len(values))
            values.copy_(values.index_select(0, torch.from_numpy(order).to(values.device)))


def _channels(flat: Int[np.ndarray, " size"], count: int) -> Int[np.ndarray, " count"]:
    block = len(flat) // count
    return flat[::block] // block


def _probe(module: nn.Module, shape: tuple[int, ...], count: int) -> Tensor:
    first = next(module.parameters(), torch.empty(0))
    inputs = torch.randn(count, *shape, generator=torch.Generator().manual_seed(0))
    return inputs.to(first.device, first.dtype)


def _compare(module: nn.Module, moved: nn.Module, shape: tuple[int, ...]) -> None:
    """Refuse a copy that does not compute what the module does."""
    twins = [copy.deepcopy(part).eval() for part in (module, moved)]
    with torch.no_grad():
        inputs = _probe(twins[0], shape, 8)
        one, other = (twin(inputs).double() for twin in twins)
    error = float((one - other).abs().max()) / max(float(one.abs().max()), 1e-30)
    eps = torch.finfo(inputs.dtype).eps
    if not error < 1e3 * eps * len(list(module.modules())):
        raise InvalidInputError(
            f"`b`: its permuted copy differs by {error:.2g} (relative): layers share weights, or weights are used "
            "outside of layers; pass networks instead of modules: `splinescope.load(module)`"
        )
