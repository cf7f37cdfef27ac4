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

from splinescope.cli.files import MODEL_SUFFIXES, WEIGHT_SUFFIXES, no_such_model
from splinescope.cli.points import read_array
from splinescope.cli.values import first_line, numbers, shape_of
from splinescope.errors import InvalidInputError, SplinescopeError
from splinescope.network import Network, load
from splinescope.network.importers.choice import Choice, Door
from splinescope.network.importers.from_sklearn import Estimator, is_estimator
from splinescope.network.load import is_script, script_advice

if TYPE_CHECKING:
    from types import ModuleType


def read_model(
    text: str,
    weights: Path | None,
    input_shape: str | None,
    points: Sequence[np.ndarray] = (),
    *,
    trust: bool = False,
    output: str | None = None,
    fixed: Sequence[str] | None = None,
) -> Network:
    """The network that the argument MODEL means.

    Args:
        text: A file, `file.py:name`, or `package.module:name`.
        weights: File of a state dict for a module made by Python code.
        input_shape: Sizes of one input without batch, where the model itself does not tell.
        points: Points whose shape a module is taken to expect if `input_shape` is None; where it does not take them,
            and tells the shape of its input itself, that one.
        trust: Whether a file may run code that it holds.
        output: Which output, by name or index, where there are several.
        fixed: For each further input its name and value.

    Returns:
        The imported network.

    Raises:
        InvalidInputError: If there is no such model, it is damaged, or the weights don't fit.
    """
    shape = shape_of("--input-shape", input_shape)
    values = fixed_inputs(fixed or ())
    if Path(text).is_file() and text.lower().endswith(MODEL_SUFFIXES):
        if weights is not None:
            raise InvalidInputError(f"`--weights`: {text} brings its own weights; expected MODEL as file.py:name")
        return load(text, input_shape=shape, trust=trust, output=output, fixed=values)
    model = _from_code(text, weights)
    if isinstance(model, Network):
        return model
    model = model.eval() if isinstance(model, nn.Module) else model
    if shape is not None or not points:
        return load(model, shape, output=output, fixed=values)
    try:
        return load(model, points[0].shape, output=output, fixed=values)
    except InvalidInputError:
        try:
            return load(model, None, output=output, fixed=values)  # images may come to a module of flat inputs
        except InvalidInputError:
            pass
        raise


def read_module(text: str, weights: Path | None) -> nn.Module:
    """The module that the argument MODEL means, in eval mode.

    Args:
        text: `file.py:name` or `package.module:name`.
        weights: File of a state dict for it.

    Returns:
        The module.

    Raises:
        InvalidInputError: If there is none, or the weights don't fit.
    """
    if Path(text).is_file():
        raise InvalidInputError(
            f"`MODEL`: {text} is a file, whose parameters have no names; expected Python code as file.py:name that "
            "gives a torch.nn.Module"
        )
    module = _from_code(text, weights)
    if not isinstance(module, nn.Module):
        raise InvalidInputError(f"`MODEL`: {text} is a {type(module).__name__}; expected a torch.nn.Module")
    return module.eval()


def read_generator(
    text: str,
    weights: Path | None,
    input_shape: str | None,
    *,
    trust: bool,
    output: str | None = None,
    fixed: Sequence[str] | None = None,
) -> nn.Module | Network:
    """What the argument MODEL means where smooth modules will do: a module made by Python code, else a network.

    Args:
        text: A file, `file.py:name`, or `package.module:name`.
        weights: File of a state dict for a module made by Python code.
        input_shape: Sizes of one input without batch, where a file itself does not tell.
        trust: Whether a file may run code that it holds.
        output: Which output, by name or index, where there are several.
        fixed: For each further input its name and value.

    Returns:
        The module in eval mode, or the network.

    Raises:
        InvalidInputError: If there is no such model, it is damaged, or the weights don't fit.
    """
    if Path(text).is_file() and text.lower().endswith(MODEL_SUFFIXES):
        return read_model(text, weights, input_shape, trust=trust, output=output, fixed=fixed)
    model = _from_code(text, weights)
    if isinstance(model, nn.Module):
        chosen = Choice(output, fixed_inputs(fixed or ()))
        return (Door(model, chosen) if output is not None or chosen.fixed else model).eval()
    return model if isinstance(model, Network) else load(model, shape_of("--input-shape", input_shape))


def _from_code(text: str, weights: Path | None) -> nn.Module | Network | Estimator:
    """What Python code gives, with its weights."""
    place, colon, name = text.rpartition(":")
    if not colon or not name.isidentifier():
        raise InvalidInputError(_no_model(text))
    module = _module_of(text, _code(place), name)
    if weights is not None:
        if isinstance(module, Network):
            raise InvalidInputError(f"`--weights`: {text} is a network with its weights; expected a torch.nn.Module")
        if not isinstance(module, nn.Module):
            raise InvalidInputError(f"`--weights`: {text} brings its own weights; expected a torch.nn.Module")
        _load_weights(module, weights)
    return module


def fixed_inputs(words: Sequence[str]) -> dict[str, Any]:
    """Values of further inputs.

    Args:
        words: For each its name and value: a file of numbers, numbers joined by commas, true or false.

    Returns:
        Values by name: arrays, or a number or flag alone.

    Raises:
        InvalidInputError: If one is not of this form.
    """
    values: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name or not text:
            raise InvalidInputError(f"`--fixed`: got {word!r}; expected NAME=VALUE, as in goal=0.5,-1 or goal=goal.npy")
        if text in ("true", "false"):
            values[name] = text == "true"
        elif Path(text).suffix in (".npy", ".npz", ".csv", ".png"):
            values[name] = read_array("--fixed", Path(text))
        else:
            given = numbers("--fixed", text)
            values[name] = np.array(given) if "," in text else given[0]
    return values


def _no_model(text: str) -> str:
    path = Path(text)
    if path.suffix.lower() in WEIGHT_SUFFIXES and path.is_file():
        if is_script(path):
            return f"`MODEL`: {script_advice(path)}, as a function in a Python file: `splinescope info net.py:policy`"
        return (
            f"`MODEL`: {text} holds weights without the network; give the code that builds it and then the weights: "
            f"`splinescope slice net.py:Net --weights {text}`"
        )
    if path.exists():
        return f"`MODEL`: {text} is no model file; expected one of {', '.join(MODEL_SUFFIXES)}, or file.py:name"
    return no_such_model(text)


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
    except (Exception, SystemExit) as error:
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


def _module_of(text: str, code: ModuleType, name: str) -> nn.Module | Network | Estimator:
    """The module, network or estimator behind a name: itself, or what the function or class gives without arguments."""
    if not hasattr(code, name):
        raise InvalidInputError(f"`MODEL`: {text}: there is no {name!r} in it")
    value: Any = getattr(code, name)
    if not isinstance(value, nn.Module | Network) and not is_estimator(value) and callable(value):
        try:
            value = value()
        except (Exception, SystemExit) as error:
            raise InvalidInputError(f"`MODEL`: {text}() failed: {type(error).__name__}: {error}") from error
    if isinstance(value, nn.Module | Network):
        return value
    if isinstance(value, Estimator) and is_estimator(value):
        return value
    raise InvalidInputError(
        f"`MODEL`: {text} is of type {type(value).__name__}; expected a torch.nn.Module, a splinescope Network, or "
        "a function without arguments that returns one"
    )


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
