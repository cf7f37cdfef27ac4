"""What all tests share: annotations are checked while they run, pictures need no screen, nothing is left to chance."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import jaxtyping

SOURCE = Path(__file__).resolve().parent.parent / "src"
EXACT = ("flint", "fractions")
"""Modules that work with numbers of these call small functions millions of times; mypy alone checks their types."""


def checked_modules() -> list[str]:
    """The modules whose annotations beartype checks: all but those with compiled kernels, which numba itself types."""
    names = []
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        exact = any(f"from {module} import" in text for module in EXACT)
        if path.name != "__init__.py" and "njit" not in text and not exact:
            names.append(".".join(path.relative_to(SOURCE).with_suffix("").parts))
    return names


os.environ.setdefault("MPLBACKEND", "Agg")
jaxtyping.install_import_hook(checked_modules(), "beartype.beartype")

hypothesis.settings.register_profile("splinescope", deadline=None, derandomize=True, max_examples=25)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "splinescope"))
