"""MLP blocks of a decoder, found by what its tensors do in one short run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from splinescope.complexity.transformers.dataflow import Arrival, Dataflow
from splinescope.complexity.transformers.states import Units
from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.shown import Shown

PROBE = 8
"""Tokens of the run that finds the blocks, unless the caller gives some."""


@dataclass(frozen=True, eq=False)
class MlpBlock(Shown):
    r"""One MLP block, $x \mapsto D\,(\sigma(W x + b) \odot (U x + c))$ or, if plain, $x \mapsto D\,\sigma(W x + b)$.

    Given its input it is a spline with breakpoints on the hyperplanes $w_k \cdot x + b_k = 0$ if $\sigma$ is a ReLU.

    Attributes:
        name: Path of the module that has all of it.
        gate: Path of the module that computes the pre-activations $h = W x + b$.
        up: Path of the module that computes the second factor; None if the block is plain.
        down: Path of the module that takes the product.
        activation: Class of the activation's module, or name of the function.
        rows: Outputs of the gate's module that are pre-activations; not all where projections are fused.
        call: Which of the module's calls within one pass, from 0.
        weight: [width, inputs], a view of the module's parameter.
        bias: [width], likewise; None without one.
    """

    name: str
    gate: str
    up: str | None
    down: str
    activation: str
    rows: range
    call: int
    weight: Shaped[Tensor, "width inputs"]
    bias: Shaped[Tensor, " width"] | None

    @property
    def kind(self) -> str:
        """Return "gated" or "plain"."""
        return "plain" if self.up is None else "gated"

    @property
    def width(self) -> int:
        """Number of units."""
        return len(self.rows)

    @property
    def inputs(self) -> int:
        """Dimension of the block's input."""
        return self.weight.shape[1]


@dataclass(frozen=True)
class SkippedBlock:
    """Something that looks like an MLP block and cannot be measured.

    Attributes:
        name: Path of the module.
        reason: Why.
    """

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class MlpSearch:
    """What a search found.

    Attributes:
        blocks: The MLP blocks, in the order in which they run.
        skipped: What looks like one and cannot be measured.
    """

    blocks: tuple[MlpBlock, ...]
    skipped: tuple[SkippedBlock, ...]


def mlp_blocks(model: nn.Module, example: Any = None) -> tuple[MlpBlock, ...]:
    """Find the MLP blocks of a decoder; refuse it if one of them cannot be measured.

    Args:
        model: As in `find_mlp_blocks`.
        example: As in `find_mlp_blocks`.

    Returns:
        The blocks, in the order in which they run.

    Raises:
        UnsupportedOpError: If some of its blocks cannot be measured; `find_mlp_blocks` has the others.
        InvalidInputError: If there is none, or `example` is not a batch of token ids.

    Cost: that of `find_mlp_blocks`.

    Example:
        >>> import torch
        >>> mlp = torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 10)
        >>> (block,) = mlp_blocks(torch.nn.Sequential(torch.nn.Embedding(10, 4), *mlp))
        >>> block.name, block.width, block.kind
        ('', 8, 'plain')
    """
    found = find_mlp_blocks(model, example)
    if found.skipped:
        first = found.skipped[0]
        more = f" and {len(found.skipped) - 1} more like it" if len(found.skipped) > 1 else ""
        raise UnsupportedOpError(
            f"`model`: the MLP block `{first.name}`{more} cannot be measured: {first.reason}. `find_mlp_blocks` lists "
            "what can and what cannot; pass its `blocks` on to measure the former"
        )
    if not found.blocks:
        raise InvalidInputError(
            f"`model`: got {type(model).__name__} without MLP blocks; expected linear modules whose outputs go through "
            "an activation to a further linear module"
        )
    return found.blocks


def find_mlp_blocks(model: nn.Module, example: Any = None) -> MlpSearch:
    """Find the MLP blocks of a decoder by structure.

    The model runs once on a few tokens. A block is a module that applies a matrix of its own (checked on its input and
    output), whose outputs, all or a regular part of them, go through an operation that acts on each unit alone and is
    not affine, perhaps are multiplied by a second projection, and enter a further projection. Names play no part.

    Args:
        model: A decoder that takes token ids; it is not changed.
        example: Token ids [texts, tokens] for the run; by default the first few ids.

    Returns:
        The blocks, and what looks like one but cannot be measured, with reasons.

    Raises:
        InvalidInputError: If `example` is not a batch of token ids.

    Cost: one forward pass of a few tokens, and as much again to check what is seen.

    Example:
        >>> import torch
        >>> mlp = torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 10)
        >>> search = find_mlp_blocks(torch.nn.Sequential(torch.nn.Embedding(10, 4), *mlp))
        >>> len(search.blocks), len(search.skipped)
        (1, 0)
    """
    ids = _example_ids(model, example)
    flow = Dataflow(model, ids.numel())
    with torch.no_grad(), evaluating(model), ExitStack() as stack:
        flow.watch(stack)
        with flow:
            model(ids)
    blocks, skipped, seen = [], [], set()
    for arrival in flow.arrivals:
        source = arrival.hidden.gate.source
        key = (source.name, source.call, arrival.hidden.gate.rows)
        if key in seen or len(arrival.hidden.gate.rows) < 2:
            continue
        seen.add(key)
        reason = _problem(arrival)
        if reason:
            skipped.append(SkippedBlock(_home(arrival), reason))
        else:
            blocks.append(_block(arrival))
    return MlpSearch(tuple(blocks), (*skipped, *_siblings(model, blocks, skipped)))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, every module's own mode afterwards.

    Args:
        model: The model.
    """
    modes = [(module, module.training) for module in model.modules()]
    try:
        for module, _ in modes:
            module.training = False
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def home_of(model: nn.Module) -> torch.device:
    """Where the inputs of a model belong.

    Args:
        model: The model.

    Returns:
        Device of its first parameter.
    """
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def _example_ids(model: nn.Module, example: Any) -> Tensor:
    """Token ids for the run that finds the blocks."""
    tables = [module.num_embeddings for module in model.modules() if isinstance(module, nn.Embedding)]
    ids = torch.arange(PROBE)[None] % min(tables, default=PROBE) if example is None else torch.as_tensor(example)
    if ids.ndim == 1:
        ids = ids[None]
    if ids.ndim != 2 or ids.is_floating_point() or not ids.numel():
        raise InvalidInputError(
            f"`example`: got shape {tuple(ids.shape)} of {ids.dtype}; expected token ids [texts, tokens]"
        )
    return ids.to(home_of(model))


def _problem(arrival: Arrival) -> str:
    """Why a hidden layer is not a block that can be measured; empty if it is one."""
    hidden = arrival.hidden
    up = hidden.up
    problem = hidden.problem or hidden.gate.source.problem or (up.source.problem if up else "")
    if not problem and up is not None and not _same_input(hidden.gate, up):
        problem = f"its two projections `{hidden.gate.source.name}` and `{up.source.name}` have different inputs"
    return problem


def _same_input(gate: Units, up: Units) -> bool:
    """Whether two projections were applied to the same tensor."""
    one, other = gate.source.inputs, up.source.inputs
    if one is None or other is None:
        return False
    return one is other or (one.data_ptr() == other.data_ptr() and one.numel() == other.numel())


def _block(arrival: Arrival) -> MlpBlock:
    """The block of a hidden layer."""
    hidden = arrival.hidden
    source, rows = hidden.gate.source, hidden.gate.rows
    assert source.module is not None, "a source without a module has a problem"
    own = [parameter.detach() for parameter in source.module.parameters(recurse=False)]
    weight = next(parameter for parameter in own if parameter.ndim == 2)
    bias = next((parameter for parameter in own if parameter.ndim == 1), None)
    taken = slice(rows.start, rows.stop, rows.step)
    return MlpBlock(
        name=_home(arrival),
        gate=source.name,
        up=hidden.up.source.name if hidden.up else None,
        down=arrival.down,
        activation=hidden.activation,
        rows=rows,
        call=source.call,
        weight=(weight.T if source.transposed else weight)[taken],
        bias=None if bias is None else bias[taken],
    )


def _home(arrival: Arrival) -> str:
    """Path of the innermost module that has both ends of a block."""
    ends = [arrival.hidden.gate.source.name.split(".")[:-1], arrival.down.split(".")[:-1]]
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(*ends, strict=False))
    return ".".join(one for one, _ in shared)


def _siblings(model: nn.Module, blocks: list[MlpBlock], skipped: list[SkippedBlock]) -> tuple[SkippedBlock, ...]:
    """Layers of a stack in which nothing was found, although their siblings have blocks."""
    found = [f"{block.gate}." for block in blocks]
    told = [f"{block.name}." for block in skipped]
    missing = []
    for path, stack in model.named_modules():
        if not isinstance(stack, nn.ModuleList | nn.Sequential):
            continue
        layers = {f"{path}.{name}." if path else f"{name}.": layer for name, layer in stack.named_children()}
        have = {start for start in layers if any(name.startswith(start) for name in found)}
        kinds = {type(layers[start]) for start in have if any(True for _ in layers[start].children())}
        missing += [
            SkippedBlock(start.rstrip("."), "no MLP block was recognised in it, although other layers like it have one")
            for start, layer in layers.items()
            if type(layer) in kinds and start not in have and not any(name.startswith(start) for name in told)
        ]
    return tuple(missing)
