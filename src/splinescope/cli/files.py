"""Files that options name are there: said while words are read, before anything large is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from splinescope.errors import InvalidInputError

MODEL_SUFFIXES = (".onnx", ".onnx.gz", ".pt2", ".npz", ".nnet")

WEIGHT_SUFFIXES = (".pt", ".pth", ".th", ".tar", ".bin", ".ckpt", ".model")
"""Names under which people keep weights without the network."""

TABLES = (".npy", ".npz", ".csv")


def present(context: Any, parameter: Any, value: Any) -> Any:
    """The value of an option, if the files that it names exist.

    Args:
        context: Where the words are read.
        parameter: The option.
        value: A path, several, or None.

    Returns:
        The value.

    Raises:
        InvalidInputError: If a file does not exist.
    """
    files: Iterable[Any] = () if value is None else value if isinstance(value, list | tuple) else (value,)
    for file in files:
        if not Path(file).expanduser().exists():
            raise InvalidInputError(f"`{parameter.opts[0]}`: {file} does not exist")
    return value


def present_data(context: Any, parameter: Any, value: str | None) -> str | None:
    """The name of a data set, if the file or folder that it means exists.

    Args:
        context: Where the words are read.
        parameter: The option.
        value: The name, or None.

    Returns:
        The name.

    Raises:
        InvalidInputError: If the file does not exist.
    """
    if value is not None and value.startswith("mnist:"):
        folder = value.removeprefix("mnist:")
        if not Path(folder).expanduser().exists():
            raise InvalidInputError(f"`{parameter.opts[0]} {value}`: {folder} does not exist")
    elif value is not None and Path(value).suffix in TABLES:
        present(context, parameter, value)
    return value


def present_model(text: str | None) -> str | None:
    """The name of a model, if the file that it means exists.

    Args:
        text: A file, `file.py:name`, or `package.module:name`.

    Returns:
        The name.

    Raises:
        InvalidInputError: If the file does not exist.
    """
    if text is None:
        return None
    place, colon, name = text.rpartition(":")
    code = bool(colon) and name.isidentifier()
    if code and place.endswith(".py") and not Path(place).is_file():
        raise InvalidInputError(f"`MODEL`: {place} does not exist; expected Python code as file.py:name")
    if not code and not Path(text).exists():
        raise InvalidInputError(no_such_model(text))
    return text


def no_such_model(text: str) -> str:
    """What is said of a model that is not there.

    Args:
        text: What the user called it.

    Returns:
        The message.
    """
    return f"`MODEL`: {text} does not exist; expected a file, or Python code as file.py:name or package.module:name"
