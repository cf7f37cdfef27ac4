"""Finished parts of an experiment, kept on disk, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from splinescope.errors import InvalidInputError, StoreError
from splinescope.progress import each
from splinescope.storage import from_json, json_text, read_arrays, replacing, write_arrays, write_json

_CONFIG = "__config__"
"""Name of the configuration among the arrays of a part."""

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Parts:
    """A folder of finished parts, one file each, that belong to one configuration.

    A part of another configuration, or one that is damaged, counts as missing and is replaced. Files appear whole or
    not at all.

    Attributes:
        reused: Number of parts that were found.
        computed: Number of parts that were computed.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], progress: bool = False) -> None:
        """Open the folder, made if missing.

        Args:
            folder: The folder.
            config: What the parts depend on, as plain values.
            progress: Whether to show a bar on long work.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInputError(f"`out`: {folder} cannot be made a folder: {error.strerror}") from error
        self.reused = 0
        self.computed = 0
        self._folder = folder
        self._config = from_json(json_text(config))
        self._progress = progress

    def each(self, tasks: Mapping[str, Callable[[], Mapping[str, Any]]], what: str = "part") -> dict[str, Any]:
        """Results of some parts, each computed unless it is there.

        Args:
            tasks: For each part's name (letters, digits, `.`, `_`, `-`) a function that gives plain values.
            what: What one part is, for the bar.

        Returns:
            The results by name, as they read from JSON, whether computed now or before.
        """
        results = {}
        for key, compute in each(tasks.items(), what, self._progress):
            path = self._path(key, ".json")
            found = self._read(path)
            self._count(computed=found is None)
            if found is None:
                found = from_json(json_text(compute()))
                write_json(path, {"config": self._config, "result": found}, indent=1)
            results[key] = found
        return results

    def arrays(self, key: str, compute: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """One part made of arrays, such as trained weights, computed unless it is there.

        Args:
            key: The part's name.
            compute: Gives the arrays by name.

        Returns:
            The arrays.
        """
        path = self._path(key, ".npz")
        found = self._read_arrays(path)
        self._count(computed=found is None)
        if found is not None:
            return found
        arrays = {name: np.asarray(array) for name, array in compute().items()}
        write_arrays(path, {_CONFIG: np.array(json_text(self._config, indent=1))} | arrays)
        return arrays

    def folder(self, key: str) -> Path:
        """A folder for a part that keeps files of its own while it is computed, such as checkpoints.

        Args:
            key: The part's name.

        Returns:
            The folder, which is there; it is emptied if it belongs to another configuration.
        """
        path = self._path(key, "")
        note = path / "config.json"
        if self._read(note) is None:
            with replacing(path) as temporary:
                temporary.mkdir()
                write_json(temporary / note.name, {"config": self._config, "result": key}, indent=1)
        return path

    @property
    def progress(self) -> bool:
        """Whether long work shows a bar."""
        return self._progress

    def _path(self, key: str, suffix: str) -> Path:
        if not _SAFE.fullmatch(key):
            raise InvalidInputError(f"`tasks`: got the name {key!r}; expected letters, digits, `.`, `_` and `-`")
        return self._folder / f"{key}{suffix}"

    def _count(self, computed: bool) -> None:
        self.computed += computed
        self.reused += not computed

    def _read(self, path: Path) -> Any:
        try:
            part = from_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        same = isinstance(part, dict) and part.get("config") == self._config
        return part.get("result") if same else None

    def _read_arrays(self, path: Path) -> dict[str, np.ndarray] | None:
        try:
            arrays = read_arrays(path, "part").arrays
            config = from_json(str(arrays.pop(_CONFIG)))
        except (StoreError, KeyError, ValueError):
            return None
        return arrays if config == self._config else None
