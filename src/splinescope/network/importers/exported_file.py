"""Programs of `torch.export` as files. Reading one may run code that it holds, so that only trusted ones are read.

torch's reader runs code in four ways: it unpickles sample inputs, weights or constants that say so, unpickles opaque
constants, and evaluates texts of expressions for sizes. Source: `torch.export.pt2_archive` and
`torch._export.serde.serialize` of torch 2.13.
"""

from __future__ import annotations

import io
import json
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from splinescope.errors import InvalidInputError
from splinescope.network.importers.module_copy import first_line
from splinescope.storage import check_content

_ADVICE = "reading it may run code that it holds; if you trust it, say `trust=True` or `--trust`"
_DETAILS = (
    "torch unpickles what such a file says is a pickle, and evaluates texts in it, so that whoever made it decides "
    "what runs. Its bytes were looked at, and nothing was run; that nothing was found proves little. ONNX runs no code."
)
_SIGNS = r"[\s\d.()+\-*/%,<>=!&|~]*"
_WORDS = r"Symbol\('[su]\d+'(?:, \w+=True)*\)|\b(?:[su]\d+|Max|Min|Mod|FloorDiv|Pow|Integer|True|False)\b"
_PLAIN = re.compile(f"{_SIGNS}(?:(?:{_WORDS}){_SIGNS})*")
"""Texts of expressions that are sums, products and comparisons of sizes and nothing else."""


def read_exported(path: Path, trust: bool) -> torch.export.ExportedProgram:
    """Read a program of `torch.export`.

    Args:
        path: A `.pt2` file.
        trust: Whether the user trusts it; nothing of an untrusted one is handed to torch, but for pickles that torch
            reads without running them.

    Returns:
        The program.

    Raises:
        InvalidInputError: If it is not trusted, or cannot be read.
    """
    if not trust:
        found = sorted(set(_suspicious(path)))
        what = f"; it holds {' and '.join(found)}" if found else ""
        error = InvalidInputError(f"`model`: {path} is a program of torch.export, and not opened: {_ADVICE}{what}")
        error.add_note(_DETAILS)
        raise error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch warns of what its own files hold
            return torch.export.load(path)
    except Exception as error:  # torch's reader of another's data fails in any way
        raise InvalidInputError(
            f"`model`: {path} cannot be read as a program of torch.export: {first_line(error)}"
        ) from error


def _suspicious(path: Path) -> Iterator[str]:
    """What a file holds that runs when torch reads it, in words; nothing of it is run here."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            check_content(sum(m.file_size for m in members) - path.stat().st_size, f"`model`: the content of {path}")
            for member in members:
                yield from _in_member(member.filename, archive.read(member))
    except InvalidInputError:
        raise
    except (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InvalidInputError(
            f"`model`: {path} cannot be read as a program of torch.export: {first_line(error)}"
        ) from error


def _in_member(name: str, content: bytes) -> Iterator[str]:
    """What one part of the file holds."""
    if "opaque_obj_" in name or "custom_obj_" in name:
        yield f"an object of Python ({_place(name)})"
    elif name.endswith(".json"):
        for key, value in _entries(json.loads(content)):
            if key == "use_pickle" and value is not False:
                yield f"pickled tensors ({_place(name)})"
            elif key == "expr_str" and not (isinstance(value, str) and _PLAIN.fullmatch(value)):
                yield f"an expression that is no plain size ({_place(name)})"
    elif name.endswith(".pt") and content and not _harmless(content):
        yield f"a pickle that may run code ({_place(name)})"


def _place(name: str) -> str:
    return name.partition("/")[2] or name


def _harmless(content: bytes) -> bool:
    """Whether torch reads a file of tensors without running anything, which is how it is tried."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - whatever it says, torch would then unpickle it
        return False
    return True


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """All entries of all objects in JSON, without recursion: it may be nested deeply."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from value.items()
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
