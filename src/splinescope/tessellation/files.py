"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from splinescope.errors import InvalidInputError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary file beside `path`, which takes its place if the block ends well.

    Args:
        path: File to write.

    Yields:
        The temporary file's path, with the ending of `path`.

    Raises:
        InvalidInputError: If the folder does not exist or cannot be written to.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise InvalidInputError(f"`path`: there is no folder {str(target.parent)!r}; make it first")
    try:
        folder = tempfile.mkdtemp(dir=target.parent, prefix=".splinescope-")
    except OSError as error:
        raise InvalidInputError(f"`path`: cannot write to {str(target.parent)!r}: {error.strerror}") from error
    # A file in a new folder, not one of `mkstemp`, so that it gets the permissions that any new file gets.
    temporary = Path(folder) / target.name
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
        Path(folder).rmdir()
