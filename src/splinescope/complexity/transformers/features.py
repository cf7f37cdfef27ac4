"""Spline features of texts, streamed through a decoder that stays as it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from splinescope.complexity.local.neighbourhoods import frame_for
from splinescope.complexity.transformers.blocks import MlpBlock, evaluating, mlp_blocks
from splinescope.complexity.transformers.meters import Meter, Neighbourhood, reading
from splinescope.complexity.transformers.moments import RunningMoments
from splinescope.complexity.transformers.passes import ReadingPlan, Texts, plan_for, read_texts, run_window
from splinescope.complexity.transformers.result import SplineFeatures
from splinescope.errors import InvalidInputError
from splinescope.progress import Advance, counting
from splinescope.tessellation.metric import check_choice


def spline_features(
    model: nn.Module,
    inputs: Any,
    *,
    attention_mask: Any = None,
    blocks: Sequence[MlpBlock] | None = None,
    radius: float | None = None,
    relative: bool = False,
    neighbourhood: str = "cross-polytope",
    frame: Any = 25,
    generator: torch.Generator | None = None,
    window: int | None = None,
    overlap: int = 0,
    chunk: int | None = None,
    keep_tokens: bool = True,
    progress: bool = False,
) -> SplineFeatures:
    r"""Seven spline features for each MLP block of a decoder, and the local complexity, token by token.

    Let $h = W x + b$ be the $m$ pre-activations of a block's gate at a token, where $x$ is the input of the block. The
    *sign rate* is $\frac1m \sum_k 1[h_k > 0]$. The *distance* is $\min_k |h_k| / \|w_k\|$, that of $x$ to the nearest
    hyperplane $h_k = 0$. The features of a text are mean, minimum, maximum and standard deviation of the sign rate and
    minimum, mean and standard deviation of the distance over its tokens. Deviations have the divisor $n - 1$, as in the
    released code of the source; that of a single token is 0. Units with $w_k = 0$ have no hyperplane.

    *Local complexity* is the number of hyperplanes that cut a neighbourhood of $x$ of radius $r$: those with
    $|h_k| \le r \max_p |w_k \cdot v_p|$ for the cross-polytope of orthonormal directions $v_p$, those with
    $|h_k| \le r \|w_k\|$ for the ball. It is exact, as $h$ is affine in $x$.

    With a ReLU the hyperplanes are where the block folds. With SiLU or GELU nothing folds, and the sign of the
    pre-activation is a proxy for the code of a unit.

    Texts that are longer than the window are read in several windows. With `chunk` a window is read in parts that share
    the model's cache: the same numbers with less memory. Pre-activations are reduced as they appear and never kept.

    Args:
        model: A decoder that takes token ids, on any device and of any floating dtype; it is not changed.
        inputs: Token ids [tokens] or [texts, tokens], texts of different lengths, or what a tokenizer returns.
        attention_mask: [texts, tokens], 0 for padding, which does not count; that of the tokenizer by default.
        blocks: The blocks to measure; those of `mlp_blocks` by default.
        radius: Radius of the neighbourhood; no local complexity if None.
        relative: Whether the radius is a multiple of $\|x\|$, token by token.
        neighbourhood: "cross-polytope" or "ball".
        frame: Number of directions of the cross-polytope (at most the dimension), or the directions [P, inputs].
        generator: Source of random directions; by default one with the seed 0.
        window: Tokens that see each other; the context length of the model's configuration by default.
        overlap: Tokens of the window before that a window takes as context and does not count again.
        chunk: Tokens in one pass, for models with a cache; whole windows if None.
        keep_tokens: Whether to keep the numbers of each token.
        progress: Whether to show a bar.

    Returns:
        The features. Cost: one pass of the model and some elementwise work on each pre-activation.

    Raises:
        InvalidInputError: If an argument makes no sense, or the model has no MLP blocks.
        UnsupportedOpError: If some of its blocks cannot be measured and `blocks` is None.

    Source: Balestriero, Cosentino and Shekkizhar, "Characterizing large language model geometry helps solve toxicity
    detection and generation" (ICML 2024).

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(
        ...     torch.nn.Embedding(10, 4), torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 10)
        ... )
        >>> spline_features(model, [[1, 2, 3], [4, 5, 6]]).vectors.shape
        (2, 7)
    """
    check_choice("neighbourhood", neighbourhood, ("cross-polytope", "ball"))
    texts = read_texts(inputs, attention_mask)
    plan = plan_for(model, window, overlap, chunk)
    found = mlp_blocks(model) if blocks is None else tuple(blocks)
    if not found:
        raise InvalidInputError("`blocks`: got none; expected at least one MLP block")
    meters = _meters(found, radius, relative, frame if neighbourhood == "cross-polytope" else None, generator)
    counted = counting(sum(batch.ids.numel() for batch in texts), "tokens", progress)
    with torch.no_grad(), evaluating(model), reading(model, meters), counted as advance:
        tallies = [_run(model, batch, plan, meters, keep_tokens, advance) for batch in texts]
    return _result(found, tallies, keep_tokens, radius is not None)


@dataclass(frozen=True, eq=False)
class _Tally:
    """What was measured of one batch: moments, then tokens as [texts, tokens, layers] with those that count."""

    moments: tuple[RunningMoments, RunningMoments, RunningMoments]
    windows: int
    kept: tuple[list[np.ndarray], ...]


def _meters(
    blocks: Sequence[MlpBlock], radius: float | None, relative: bool, frame: Any, generator: torch.Generator | None
) -> list[Meter]:
    """One meter for each block, with the same directions for inputs of one dimension."""
    if radius is None:
        return [Meter(block, None) for block in blocks]
    if not (math.isfinite(radius) and radius > 0):
        raise InvalidInputError(f"`radius`: got {radius}; expected a positive number, or None")
    sizes = sorted({block.inputs for block in blocks})
    frames = {size: None if frame is None else frame_for((size,), frame, generator) for size in sizes}
    return [Meter(block, Neighbourhood(radius, relative, frames[block.inputs])) for block in blocks]


def _run(
    model: nn.Module, texts: Texts, plan: ReadingPlan, meters: Sequence[Meter], keep_tokens: bool, advance: Advance
) -> _Tally:
    """Read texts of one length, window by window."""
    count, length = texts.ids.shape
    moments = [RunningMoments((count, len(meters))) for _ in range(3)]
    kept: tuple[list[np.ndarray], ...] = ([], [], [], [])
    windows = list(plan.windows(length))
    for window in windows:

        def take(first: int, last: int, begin: int = window[1]) -> None:
            columns = zip(*(meter.readings(count) for meter in meters), strict=True)
            values = [torch.stack(column, dim=2).double().numpy() for column in columns]
            skip = max(0, begin - first)
            counted = texts.counted[:, first + skip : last].numpy()
            for moment, column, store in zip(moments, values, kept, strict=False):
                if column.shape[1] and counted.size:
                    moment.add(column[:, skip:], counted)
                    if keep_tokens:
                        store.append(column[:, skip:])
            if keep_tokens and counted.size:
                kept[3].append(counted)
            advance(counted.size)

        run_window(model, texts, window, plan.chunk, take)
    return _Tally((moments[0], moments[1], moments[2]), len(windows), kept)


def _result(blocks: Sequence[MlpBlock], tallies: Sequence[_Tally], keep_tokens: bool, counted: bool) -> SplineFeatures:
    """Put batches together."""
    signs, distances, counts = zip(*(tally.moments for tally in tallies), strict=True)
    features = [
        np.stack([s.mean, s.least, s.largest, s.deviation, d.least, d.mean, d.deviation], axis=2)
        for s, d in zip(signs, distances, strict=True)
    ]
    tokens = np.concatenate([moment.count[:, 0] for moment in signs])
    tokenwise = [_tokens(tallies, which) if keep_tokens and (which < 2 or counted) else None for which in range(3)]
    return SplineFeatures(
        layers=tuple(block.name for block in blocks),
        values=np.concatenate(features),
        tokens=tokens,
        windows=np.concatenate([np.full(len(t.moments[0].count), t.windows) for t in tallies]),
        offsets=np.concatenate([[0], np.cumsum(tokens)]),
        sign_rates=tokenwise[0],
        distances=tokenwise[1],
        local_complexity=None if tokenwise[2] is None else tokenwise[2].astype(np.int64),
        mean_local_complexity=np.concatenate([moment.mean for moment in counts]) if counted else None,
    )


def _tokens(tallies: Sequence[_Tally], which: int) -> np.ndarray:
    """One number of each token that counts, text after text."""
    batches = []
    for tally in tallies:
        values, counted = np.concatenate(tally.kept[which], axis=1), np.concatenate(tally.kept[3], axis=1)
        batches.append(values[counted])
    return np.concatenate(batches)
