"""What all tests share: annotations are checked while they run, pictures need no screen, nothing is left to chance."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import jaxtyping

SOURCE = Path(__file__).resolve().parent.parent / "src"


def checked_modules() -> list[str]:
    """The modules whose annotations beartype checks: all but those with compiled kernels, which numba itself types."""
    names = []
    for path in sorted(SOURCE.rglob("*.py")):
        if path.name != "__init__.py" and "njit" not in path.read_text(encoding="utf-8"):
            names.append(".".join(path.relative_to(SOURCE).with_suffix("").parts))
    return names


os.environ.setdefault("MPLBACKEND", "Agg")
jaxtyping.install_import_hook(checked_modules(), "beartype.beartype")

hypothesis.settings.register_profile("splinescope", deadline=None, derandomize=True, max_examples=25)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "splinescope"))
