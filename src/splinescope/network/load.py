"""The front door: a network from whatever a user has."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import nn

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.network.importers.choice import OutputName
from splinescope.network.importers.exported_file import read_exported
from splinescope.network.importers.from_onnx import from_onnx
from splinescope.network.importers.from_sklearn import Estimator, from_sklearn, is_estimator
from splinescope.network.importers.from_torch import from_exported, from_torch
from splinescope.network.importers.layer_files import from_nnet, from_npz
from splinescope.network.importers.module_copy import first_line

STATE_DICTS = (".pt", ".pth", ".th", ".ckpt", ".bin", ".model")
FILES = ".onnx, .onnx.gz, .pt2, .nnet or .npz"

ModelLike: TypeAlias = Network | nn.Module | str | PathLike[str]
"""What functions take as a network: one, or what `load` makes one of."""


def load(
    model: nn.Module | Estimator | str | PathLike[str],
    input_shape: tuple[int, ...] | None = None,
    *,
    output: OutputName = None,
    fixed: Mapping[str, Any] | None = None,
    trust: bool = False,
) -> Network:
    """Import a network.

    Args:
        model: A `torch.nn.Module`, or a network of scikit-learn; or the path of a file: `.onnx` or `.onnx.gz`; `.pt2`
            of `torch.export.save`; `.nnet`; `.npz` with the arrays W0 [out, in], b0, W1, b1, ... of a ReLU network.
        input_shape: Shape of one input, without the batch, where the model does not tell.
        output: Which output is meant, by name or index, where the model has several.
        fixed: Values of further inputs by name, without the batch, where the model has several.
        trust: Whether a `.pt2` file may run the code that it holds, which torch does when it reads one; without it,
            such files are refused. No file of another kind ever runs code.

    Returns:
        The network, in float64.

    Raises:
        InvalidInputError: If there is no such file, it is damaged or not trusted, or its weights are not finite.
        UnsupportedOpError: If an op is not continuous piecewise affine, or unknown; the message names it. Also if the
            model has several outputs or inputs, and none is chosen.

    Cost: that of `from_torch` or `from_onnx`; the weights in float64, and a few forward passes.

    Example:
        >>> import torch
        >>> load(torch.nn.Linear(3, 2)).output_shape
        (2,)
    """
    if isinstance(model, nn.Module):
        return from_torch(model, input_shape, output=output, fixed=fixed)
    if isinstance(model, Estimator) and is_estimator(model):
        return from_sklearn(model)
    if not isinstance(model, str | PathLike):
        raise InvalidInputError(
            f"`model`: got {type(model).__name__}; expected a torch.nn.Module or the path of a file ({FILES})"
        )
    path = Path(model)
    if not path.is_file():
        raise InvalidInputError(f"`model`: there is no file {path}; expected a path of type {FILES}")
    name = path.name.lower()
    if name.endswith((".onnx", ".onnx.gz")):
        return from_onnx(path, input_shape, output=output, fixed=fixed)
    if name.endswith((".npz", ".nnet")) and (fixed or output not in (None, 0)):
        raise InvalidInputError(f"`output`, `fixed`: {path} has one input and one output; leave them out")
    if name.endswith(".npz"):
        return from_npz(path)
    if name.endswith(".nnet"):
        return from_nnet(path)
    if name.endswith(".pt2"):
        return from_exported(read_exported(path, trust), output=output, fixed=fixed)
    if name.endswith(STATE_DICTS):
        raise _state_dict_refusal(path)
    raise InvalidInputError(f"`model`: {path} has an unknown type; expected {FILES}")


def as_network(
    model: object, input_shape: tuple[int, ...] | None = None, name: str = "network", other: str = ""
) -> Network:
    """The network that a user means: the door of every public function that takes one.

    A network is returned as it is. A module is imported for inputs of the given shape; where it does not take these, of
    the shape that it tells itself, so that points may come flat. A file that tells its shape keeps it.

    Args:
        model: A network, a `torch.nn.Module`, or the path of a file.
        input_shape: Shape of one input, as the points or the domain have it; None if there are none.
        name: The argument, for the error.
        other: What else the argument may be, for the error: "a complex".

    Returns:
        The network. Cost: nothing for a network, else that of `load`: import it once to look at it often.

    Raises:
        InvalidInputError: If it is none of these, or no network of inputs of that shape.
        UnsupportedOpError: If an op is not continuous piecewise affine, or unknown.

    Example:
        >>> import torch
        >>> as_network(torch.nn.Flatten(), (2, 3)).output_shape
        (6,)
    """
    if isinstance(model, Network):
        return model
    if isinstance(model, nn.Module):
        return _of_module(model, input_shape, name)
    if isinstance(model, str | PathLike):
        return _of_file(model, input_shape)
    if isinstance(model, Estimator) and is_estimator(model):
        return from_sklearn(model)
    wanted = f"{other}, a Network" if other else "a Network"
    raise InvalidInputError(
        f"`{name}`: got {_what(model)}; expected {wanted}, a torch.nn.Module or the path of a file ({FILES})"
    )


def _of_module(module: nn.Module, shape: tuple[int, ...] | None, name: str) -> Network:
    """A module with inputs of a shape, or of the one that it tells itself."""
    try:
        return from_torch(module, shape)
    except InvalidInputError as error:
        if shape is None:
            raise
        try:
            return from_torch(module)
        except InvalidInputError:
            raise InvalidInputError(f"`{name}`: with inputs of shape {shape}, that of the points: {error}") from error


def _of_file(path: str | PathLike[str], shape: tuple[int, ...] | None) -> Network:
    """A file's network; the shape is for those that do not tell."""
    try:
        return load(path)
    except InvalidInputError:
        if shape is None or not str(path).lower().endswith((".onnx", ".onnx.gz")):
            raise
        return load(path, shape)


def _what(model: object) -> str:
    """What came instead of a network, in words."""
    if isinstance(model, type):
        return f"the class {model.__name__}, not an instance of it"
    if isinstance(model, dict):
        return "a dict, and weights without the code that uses them are no network"
    return f"{'None' if model is None else type(model).__name__}"


def is_script(path: Path) -> bool:
    """Whether a file is a script of `torch.jit`, by the names of its parts; nothing in it is run.

    Args:
        path: The file.

    Returns:
        Whether it is one.

    Cost: reading the list of its parts.

    Example:
        >>> is_script(Path("missing.pt"))
        False
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in f"/{name}" for name in archive.namelist())
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile):  # of bad names, too, and of unknown versions
        return False


def script_advice(path: Path) -> str:
    """What to do with a script of `torch.jit`.

    Args:
        path: Its file.

    Returns:
        The advice, to follow after the name of the argument.

    Cost: none.

    Example:
        >>> script_advice(Path("policy.pt")).split(";")[0]
        'policy.pt is a script of torch.jit, which holds code'
    """
    return (
        f"{path} is a script of torch.jit, which holds code; to run it, pass `torch.jit.load({path.name!r})` with "
        "`input_shape=`"
    )


def _state_dict_refusal(path: Path) -> InvalidInputError:
    """What to do with a file of weights, after a look into it that never runs code from it."""
    if is_script(path):
        return InvalidInputError(f"`model`: {script_advice(path)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old files make torch.load warn
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        what = "is a pickle that may run code, and is not opened; if it holds weights, load them into the module"
    except Exception as error:  # noqa: BLE001 - torch reads old formats as opcodes, which fail in any way
        return InvalidInputError(f"`model`: {path} cannot be read: {first_line(error)}; expected a network as {FILES}")
    else:
        held = f"weights ({len(content)} entries)" if isinstance(content, dict) else "no network"
        what = f"holds {held}, without the code that uses them; load them into the module"
    refusal = InvalidInputError(f"`model`: {path} {what}, and pass the module")
    refusal.add_note(
        f"Build the module in Python, `module.load_state_dict(torch.load({path.name!r}, weights_only=True))`, and pass "
        "it: `splinescope.load(module, input_shape=...)`."
    )
    return refusal
