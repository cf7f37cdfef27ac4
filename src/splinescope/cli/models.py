"""Models that the command line is given: files, or Python code that builds a module."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from splinescope.cli.values import first_line, shape_of
from splinescope.errors import InvalidInputError, SplinescopeError
from splinescope.network import Network, load

if TYPE_CHECKING:
    from types import ModuleType

MODEL_SUFFIXES = (".onnx", ".onnx.gz", ".pt2", ".npz", ".nnet")


def read_model(
    text: str,
    weights: Path | None,
    input_shape: str | None,
    points: Sequence[np.ndarray] = (),
    *,
    trust: bool = False,
) -> Network:
    """The network that the argument MODEL means.

    Args:
        text: A file, `file.py:name`, or `package.module:name`.
        weights: File of a state dict for a module made by Python code.
        input_shape: Sizes of one input without batch, where the model itself does not tell.
        points: Points whose shape a module is taken to expect if `input_shape` is None.
        trust: Whether a file may run code that it holds.

    Returns:
        The imported network.

    Raises:
        InvalidInputError: If there is no such model, it is damaged, or the weights don't fit.
    """
    found = read_module(text, weights, input_shape, trust=trust)
    if isinstance(found, Network):
        return found
    shape = shape_of("--input-shape", input_shape)
    return load(found, input_shape=shape or (points[0].shape if points else None))


def read_module(
    text: str, weights: Path | None, input_shape: str | None, *, trust: bool = False
) -> nn.Module | Network:
    """What the argument MODEL means: a module made by Python code as it is, smooth ones too, and else a network.

    Args:
        text: A file, `file.py:name`, or `package.module:name`.
        weights: File of a state dict for a module made by Python code.
        input_shape: Sizes of one input without batch, where a file itself does not tell.
        trust: Whether a file may run code that it holds.

    Returns:
        The module in eval mode, or the network.

    Raises:
        InvalidInputError: If there is no such model, it is damaged, or the weights don't fit.
    """
    shape = shape_of("--input-shape", input_shape)
    if Path(text).is_file() and text.lower().endswith(MODEL_SUFFIXES):
        if weights is not None:
            raise InvalidInputError(f"`--weights`: {text} brings its own weights; expected MODEL as file.py:name")
        return load(text, input_shape=shape, trust=trust)
    place, colon, name = text.rpartition(":")
    if not colon or not name.isidentifier():
        raise InvalidInputError(_no_model(text))
    module = _module_of(text, _code(place), name)
    if isinstance(module, Network):
        if weights is not None:
            raise InvalidInputError(f"`--weights`: {text} is a network with its weights; expected a torch.nn.Module")
        return module
    if weights is not None:
        _load_weights(module, weights)
    return module.eval()


def _no_model(text: str) -> str:
    path = Path(text)
    if path.suffix in (".pt", ".pth", ".bin", ".ckpt") and path.is_file():
        return (
            f"`MODEL`: {text} holds weights without the network; give the code that builds it and then the weights: "
            f"`splinescope slice net.py:Net --weights {text}`"
        )
    if path.exists():
        return f"`MODEL`: {text} is no model file; expected one of {', '.join(MODEL_SUFFIXES)}, or file.py:name"
    return f"`MODEL`: {text} does not exist; expected a file, or Python code as file.py:name or package.module:name"


def _code(place: str) -> ModuleType:
    """Import a Python file or an importable module, which is the user's code and may fail in any way."""
    try:
        if not place.endswith(".py"):
            sys.path.insert(0, str(Path.cwd()))
            try:
                return importlib.import_module(place)
            finally:
                sys.path.pop(0)
        path = Path(place).resolve()
        return _run_once(path, path.stat().st_mtime_ns)
    except SplinescopeError:
        raise
    except Exception as error:
        raise InvalidInputError(f"`MODEL`: {place} cannot be imported: {type(error).__name__}: {error}") from error


@lru_cache
def _run_once(path: Path, changed: int) -> ModuleType:
    """Run a Python file, once however many models of it are asked for: they may share what it makes at random."""
    spec = importlib.util.spec_from_file_location(f"_model_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InvalidInputError(f"`MODEL`: {path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _module_of(text: str, code: ModuleType, name: str) -> nn.Module | Network:
    """The module or network behind a name: itself, or what the function or class gives without arguments."""
    if not hasattr(code, name):
        raise InvalidInputError(f"`MODEL`: {text}: there is no {name!r} in it")
    value: Any = getattr(code, name)
    if not isinstance(value, nn.Module | Network) and callable(value):
        try:
            value = value()
        except Exception as error:
            raise InvalidInputError(f"`MODEL`: {text}() failed: {type(error).__name__}: {error}") from error
    if not isinstance(value, nn.Module | Network):
        raise InvalidInputError(
            f"`MODEL`: {text} is of type {type(value).__name__}; expected a torch.nn.Module, a splinescope Network, or "
            "a function without arguments that returns one"
        )
    return value


def _load_weights(module: nn.Module, path: Path) -> None:
    """Load a state dict, also one kept under `state_dict` or `model`; never runs code from the file."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch reads old formats as pickle opcodes, which fail in any way
        raise InvalidInputError(f"`--weights`: {path} cannot be read as a state dict: {first_line(error)}") from error
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    try:
        module.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise InvalidInputError(f"`--weights`: {path} does not fit the model: {error}") from error
