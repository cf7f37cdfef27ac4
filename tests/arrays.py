"""Arrays of files, in tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def arrays_of(path: str | Path) -> dict[str, np.ndarray]:
    """All arrays of an archive, which is closed again: what is left open is an error of whichever test comes next."""
    with np.load(path) as archive:
        return dict(archive)
