"""Reads ONNX files."""

from __future__ import annotations

from pathlib import Path

from splinescope.network.graph import Network


def from_onnx(path: Path, input_shape: tuple[int, ...] | None = None) -> Network:
    """Import an ONNX file."""
    raise NotImplementedError
