"""Passes of a decoder over texts of any length: windows as long as its context, and parts of them with its cache."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from splinescope.complexity.transformers.blocks import home_of
from splinescope.errors import InvalidInputError

_CACHES = ("past_key_values", "cache")
"""What decoders call their cache; transformers 5.24 and later use the second name."""


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts of one length, padding included.

    Attributes:
        ids: Token ids [texts, tokens].
        counted: Which tokens are not padding [texts, tokens].
    """

    ids: Tensor
    counted: Tensor

    @property
    def padded(self) -> bool:
        """Whether some tokens are padding."""
        return not bool(self.counted.all())


@dataclass(frozen=True)
class ReadingPlan:
    """How a long text is cut.

    Attributes:
        window: Tokens that see each other; None for all of a text.
        overlap: Tokens at the start of a window that the window before has counted already.
        chunk: Tokens in one pass; the passes of a window share a cache. None for whole windows.
    """

    window: int | None
    overlap: int
    chunk: int | None

    def windows(self, tokens: int) -> Iterator[tuple[int, int, int]]:
        """Start, first token that counts, and end of each window.

        Args:
            tokens: Length of the text.
        """
        size = tokens if self.window is None else self.window
        start = counted = 0
        while counted < tokens:
            stop = min(start + size, tokens)
            yield start, counted, stop
            start, counted = stop - self.overlap, stop


def plan_for(model: nn.Module, window: int | None, overlap: int, chunk: int | None) -> ReadingPlan:
    """Check how a user wants long texts to be cut.

    Args:
        model: The decoder.
        window: Tokens that see each other; by default the context length of the model's configuration.
        overlap: Tokens of context that a window takes from the one before.
        chunk: Tokens in one pass.

    Returns:
        The plan.

    Raises:
        InvalidInputError: If one of the numbers makes no sense, or the model has no cache for `chunk`.
    """
    for name, value in (("window", window), ("chunk", chunk)):
        if value is not None and value < 1:
            raise InvalidInputError(f"`{name}`: got {value}; expected a positive number of tokens, or None")
    if window is None:
        context = getattr(getattr(model, "config", None), "max_position_embeddings", None)
        window = context if isinstance(context, int) and context > 0 else None
    if not 0 <= overlap < (overlap + 1 if window is None else window):
        raise InvalidInputError(f"`overlap`: got {overlap}; expected a number from 0 to less than `window`, {window}")
    if chunk is not None and ("use_cache" not in _parameters(model) or _cache_name(_parameters(model)) is None):
        raise InvalidInputError(
            f"`chunk`: got {chunk}; expected None, as {type(model).__name__} has no cache (`past_key_values` or "
            "`cache`, and `use_cache`) that would join the parts exactly; use `window` and `overlap`"
        )
    return ReadingPlan(window, overlap, chunk)


def run_window(
    model: nn.Module,
    texts: Texts,
    window: tuple[int, int, int],
    chunk: int | None,
    after: Callable[[int, int], None],
) -> None:
    """Run a decoder on one window of texts.

    Args:
        model: The decoder.
        texts: The texts.
        window: Start, first token that counts, and end.
        chunk: Tokens in one pass.
        after: Called with the range of tokens after each pass.

    Raises:
        InvalidInputError: If the model returns no cache although it is asked to.
    """
    start, _, end = window
    known = _parameters(model)
    device = home_of(model)
    name, cache = _cache_name(known), None
    for first in range(start, end, chunk or end - start):
        last = min(first + (chunk or end - start), end)
        keywords: dict[str, Any] = {"use_cache": chunk is not None} if "use_cache" in known else {}
        if name is not None and cache is not None:
            keywords[name] = cache
        if "logits_to_keep" in known:
            keywords["logits_to_keep"] = 1  # those of a long text would take more memory than all the rest
        if texts.padded:
            keywords |= _padding(model, known, texts.counted[:, start:last], last - first)
        result = model(texts.ids[:, first:last].to(device), **keywords)
        after(first, last)
        returned = (getattr(result, kind, None) for kind in _CACHES)
        cache = next((found for found in returned if found is not None), None) if chunk is not None else None
        if cache is None and last < end:
            raise InvalidInputError(
                f"`chunk`: got {chunk}; expected None, as {type(model).__name__} returned no `past_key_values`"
            )


def read_texts(inputs: Any, attention_mask: Any) -> list[Texts]:
    """Token ids in one of the forms that people have.

    Args:
        inputs: Ids [tokens] or [texts, tokens]; sequences of ids of different lengths; a tokenizer's mapping.
        attention_mask: Which tokens of a batch are not padding; None for all.

    Returns:
        Batches of texts.

    Raises:
        InvalidInputError: If the ids or the mask make no sense, or a text has no token.
    """
    if isinstance(inputs, Mapping):
        attention_mask = inputs.get("attention_mask") if attention_mask is None else attention_mask
        inputs = inputs.get("input_ids")
    if inputs is None:
        raise InvalidInputError("`inputs`: got a mapping without `input_ids`; expected token ids")
    ragged = isinstance(inputs, Sequence) and len(inputs) > 0 and not isinstance(inputs[0], int)
    if ragged and len({len(text) for text in inputs}) > 1:
        if attention_mask is not None:
            raise InvalidInputError("`attention_mask`: got one for texts of different lengths; expected None")
        return [batch for text in inputs for batch in read_texts(torch.as_tensor(text), None)]
    ids = torch.stack([torch.as_tensor(text) for text in inputs]) if ragged else torch.as_tensor(inputs)
    ids = ids[None] if ids.ndim == 1 else ids
    if ids.ndim != 2 or ids.is_floating_point() or ids.is_complex() or not ids.numel():
        raise InvalidInputError(
            f"`inputs`: got shape {tuple(ids.shape)} of {ids.dtype}; expected token ids [texts, tokens], not empty"
        )
    counted = torch.ones(ids.shape, dtype=torch.bool) if attention_mask is None else torch.as_tensor(attention_mask)
    counted = (counted[None] if counted.ndim == 1 else counted).bool().cpu()
    if counted.shape != ids.shape:
        raise InvalidInputError(f"`attention_mask`: got shape {tuple(counted.shape)}; expected {tuple(ids.shape)}")
    if not counted.any(dim=1).all():
        raise InvalidInputError("`attention_mask`: a text has no token that counts; expected at least one in each")
    return [Texts(ids.long().cpu(), counted)]


def _padding(model: nn.Module, known: set[str], counted: Tensor, tokens: int) -> dict[str, Tensor]:
    """What a decoder has to know about padding."""
    if "attention_mask" not in known:
        raise InvalidInputError(
            f"`attention_mask`: got padding; expected none, as {type(model).__name__} takes no `attention_mask`"
        )
    device = home_of(model)
    keywords = {"attention_mask": counted.long().to(device)}
    if "position_ids" in known:  # so that padding on the left moves nothing
        positions = (counted.long().cumsum(dim=1) - 1).clamp_min(0)
        keywords["position_ids"] = positions[:, counted.shape[1] - tokens :].to(device)
    return keywords


def _cache_name(known: set[str]) -> str | None:
    """What a model calls the cache that it takes."""
    return next((name for name in _CACHES if name in known), None)


def _parameters(model: nn.Module) -> set[str]:
    """Names of what a model's forward function takes."""
    return set(inspect.signature(model.forward).parameters)
