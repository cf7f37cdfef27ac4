"""Forward passes of the model that a network was read from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from splinescope.cli.values import shape_of
from splinescope.network import Network


def original_of(
    text: str,
    network: Network,
    input_shape: str | None = None,
    *,
    output: str | None = None,
    fixed: Sequence[str] | None = None,
) -> Callable[[np.ndarray], np.ndarray] | None:
    """How the original of a network is run, by onnxruntime or ONNX's own reference implementation.

    Args:
        text: The argument MODEL.
        network: What was read from it.
        input_shape: The option of this name.
        output: Which output, as in `read_model`.
        fixed: Further inputs, as there.

    Returns:
        A function of inputs [n, *input_shape]; None if MODEL is no ONNX file, no program runs it, or it ends with a
        smooth function, behind which outputs are others.
    """
    if not text.lower().endswith((".onnx", ".onnx.gz")) or network.head is not None:
        return None
    from splinescope.cli.models import fixed_inputs
    from splinescope.network.importers.choice import Choice
    from splinescope.network.importers.onnx_file import part_of, read_model
    from splinescope.network.importers.onnx_runners import runners

    path = Path(text)
    choice = Choice(output, fixed_inputs(fixed or ()))
    part = part_of(read_model(path), choice, shape_of("--input-shape", input_shape))
    source = part.source
    for runner in runners(path, part.model, source):
        try:
            run = runner.start()
            run(source.feeds(np.zeros(source.shape, source.dtype)))
        except Exception:  # noqa: BLE001 - programs raise whatever they like, and the next one is tried
            continue
        return _by_row(run, source)
    return None


def _by_row(run: Callable[[dict[str, np.ndarray]], Any], source: Any) -> Callable[[np.ndarray], np.ndarray]:
    """One input at a time, as some models take no other batch."""

    def function(inputs: np.ndarray) -> np.ndarray:
        rows = [source.feeds(row.astype(source.dtype).reshape(source.shape)) for row in inputs]
        return np.stack([np.asarray(run(row), np.float64).ravel() for row in rows])

    return function
