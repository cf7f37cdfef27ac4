"""Annotations are checked while tests run: types and named shapes, of arguments and of what is returned.

A check costs more than most functions do. It is made on the first calls of each function in a process and on fewer and
fewer of those that follow, and built when it is first made; `--thorough` checks all calls.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jaxtyping

SOURCE = Path(__file__).resolve().parent.parent / "src"
EXACT = ("flint", "fractions")
"""Modules that work with numbers of these call small functions millions of times; mypy alone checks their types."""
FIRST = 16
"""So many first calls of each function are checked; of the rest those whose numbers are powers of two."""

_CHECK = jaxtyping.jaxtyped
_NOBODYS = "<@jaxtyped>"
"""File of the code that checks, named as beartype names its own: messages about the user's code pass it over."""
_all_calls = False


def checked_modules() -> list[str]:
    """The modules whose annotations are checked: all but those with compiled kernels, which numba itself types."""
    names = []
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        exact = any(f"from {module} import" in text for module in EXACT)
        if path.name != "__init__.py" and "njit" not in text and not exact:
            names.append(".".join(path.relative_to(SOURCE).with_suffix("").parts))
    return names


def install() -> None:
    """Check the annotations of all modules of the package that are imported from now on."""
    jaxtyping.jaxtyped = checked_at_times
    jaxtyping.install_import_hook(checked_modules(), "beartype.beartype")


def check_all_calls() -> None:
    """Check every call from now on."""
    global _all_calls
    _all_calls = True


def checked_at_times(function: Any = None, *, typechecker: Callable[..., Any] | None = None) -> Any:
    """`jaxtyping.jaxtyped`, of which the import hook makes use, that checks the first calls and some later ones.

    Args:
        function: A function, class or static method, property, or class; None returns the decorator.
        typechecker: What checks annotations, for jaxtyping; without one this is jaxtyping's own.
    """
    if typechecker is None:
        return _CHECK(function)
    decorate = functools.partial(checked_at_times, typechecker=typechecker)
    if function is None:
        return decorate
    if inspect.isclass(function):
        if dataclasses.is_dataclass(function) and "__init__" in vars(function):
            function.__init__ = decorate(function.__init__)
        return function
    if isinstance(function, classmethod | staticmethod):
        return type(function)(decorate(function.__func__))
    if isinstance(function, property):
        accessors = (function.fget, function.fset, function.fdel)
        return property(*(None if accessor is None else decorate(accessor) for accessor in accessors))

    calls = 0
    checked: Any = None

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls, checked
        calls += 1
        if calls > FIRST and calls & (calls - 1) and not _all_calls:
            return function(*args, **kwargs)
        if checked is None:
            checked = _CHECK(function, typechecker=typechecker)
        return checked(*args, **kwargs)

    call.__code__ = call.__code__.replace(co_filename=_NOBODYS)
    return call
