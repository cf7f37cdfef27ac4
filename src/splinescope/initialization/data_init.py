"""Data-dependent initialisation: biases that place the folds of each layer among the data, without batch-norm."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.initialization.modules import (
    AffineLayer,
    affine_layers,
    batch_of,
    batchnorms,
    hooked,
    private_copy,
    units_last,
)
from splinescope.initialization.rules import Rule, rule_of
from splinescope.network.importers.module_copy import unwrapped


def data_init(
    module: nn.Module,
    batch: Any,
    rule: str | Rule = "batchnorm",
    *,
    scaling: bool = False,
    layers: Collection[str] | None = None,
) -> nn.Module:
    r"""Set the biases of a module, layer by layer, so that its hyperplanes lie among the data as a rule says.

    In the order of the forward pass each layer sees what the layers before it, already set, make of the batch; the rule
    gets its pre-activations without bias and the bias becomes minus the shift. With `scaling` weights and bias are
    divided by the scale. With the rule "batchnorm" the folds of the first layer are those that batch-norm on this batch
    would give, and with `scaling` those of all layers.

    Args:
        module: A module without batch-norm, whose statistics place the folds already.
        batch: [N, *input_shape] inputs.
        rule: "batchnorm", "median", "midrange", "quantile", or a callable: see `splinescope.initialization.rules`.
        scaling: Whether to divide by the rule's scale, too.
        layers: Names of the linear and convolutional layers to set; all but the last one used if None.

    Returns:
        A copy, in the mode of the module and as trainable, without its hooks. Layers without bias get one.

    Raises:
        InvalidInputError: If the module has batch-norm layers, a layer is unknown or used more than once, or a rule
            gives numbers that are not finite or scales that are not positive.
        UnsupportedOpError: If the module has layers that normalise each single input, such as layer-norm.

    Cost: a copy of the module, and one forward pass of the batch.

    Example:
        >>> import torch
        >>> from splinescope import models
        >>> x = torch.rand(100, 2, generator=torch.Generator().manual_seed(0))
        >>> start = data_init(models.mlp([2, 8, 8, 1], generator=torch.Generator().manual_seed(1)), x)
        >>> bool(start[:2](x).mean(dim=0).abs().max() < 1e-6)
        True
    """
    chosen = rule_of(rule)
    copied = private_copy(module)
    if batchnorms(copied):
        raise InvalidInputError(
            f"`module`: its layer {next(iter(batchnorms(copied)))!r} is batch-norm, whose statistics place the folds; "
            "expected a module without, or use `fold_batchnorm`"
        )
    inputs = batch_of(copied, batch)
    names = _used(copied, inputs)
    wanted = names[:-1] if layers is None else [name for name in names if name in layers]
    unknown = set(layers or ()) - set(wanted)
    if unknown:
        raise InvalidInputError(f"`layers`: {sorted(unknown)[0]!r} is not used; expected some of {names}")

    def hook(name: str) -> Any:
        return lambda layer, arguments: _place(name, layer, arguments[0], chosen, scaling)

    found = affine_layers(copied)
    with hooked([found[name].register_forward_pre_hook(hook(name)) for name in wanted]):
        copied(inputs)
    return _as_trainable(copied, unwrapped(module))


def _used(copied: nn.Module, inputs: Tensor) -> list[str]:
    """Names of the linear and convolutional layers in the order in which a forward pass uses them."""
    order: list[str] = []

    def note(name: str) -> Any:
        return lambda layer, arguments: order.append(name)

    with hooked([layer.register_forward_pre_hook(note(name)) for name, layer in affine_layers(copied).items()]):
        copied(inputs)
    repeated = [name for name in order if order.count(name) > 1]
    if repeated:
        raise InvalidInputError(f"`module`: its layer {repeated[0]!r} is used more than once; expected one use of each")
    return order


def _place(name: str, layer: AffineLayer, x: Tensor, rule: Rule, scaling: bool) -> None:
    """Set the bias, and with scaling the weights, of one layer that is about to see `x`."""
    if "weight" not in layer._parameters or (layer.bias is not None and "bias" not in layer._parameters):
        raise InvalidInputError(
            f"`module`: weights of its layer {name!r} are computed from others; expected plain ones"
        )
    units = len(layer.weight)
    if layer.bias is None:
        layer.bias = nn.Parameter(layer.weight.new_zeros(units))
    layer.bias.zero_()
    axis = -1 if isinstance(layer, nn.Linear) else 1
    shift, scale = (_checked(name, part, units) for part in rule(units_last(layer.forward(x), axis).flatten(0, 1)))
    if scaling:
        if bool((scale <= 0).any()):
            raise InvalidInputError(
                f"`rule`: a scale of the layer {name!r} is {float(scale.min())}; expected positive ones"
            )
        rows = scale.reshape(-1, *(1,) * (layer.weight.ndim - 1))
        layer.weight.copy_(layer.weight.double() / rows.to(layer.weight.device))
        shift = shift / scale
    layer.bias.copy_(-shift)


def _checked(name: str, part: Any, units: int) -> Tensor:
    numbers = torch.as_tensor(part).detach().double()
    if numbers.shape != (units,) or not bool(torch.isfinite(numbers).all()):
        raise InvalidInputError(
            f"`rule`: got numbers of shape {tuple(numbers.shape)} for the layer {name!r}; expected {units} finite "
            "shifts and as many scales"
        )
    return numbers


def _as_trainable(copied: nn.Module, module: nn.Module) -> nn.Module:
    """The copy with the modes, and the parameters that want gradients, of the module."""
    for own, theirs in zip(copied.modules(), module.modules(), strict=True):
        own.training = theirs.training
    wanting = {name for name, parameter in module.named_parameters() if parameter.requires_grad}
    known = {name for name, _ in module.named_parameters()}
    for name, parameter in copied.named_parameters():
        parameter.requires_grad_(name in wanting or name not in known)
    return copied
