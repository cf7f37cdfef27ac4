"""Reads changed files, one after the other, and says what came of each: `python -m tests.fuzz.child FIRST STEP`.

Each case is announced before and told after, in one line of JSON, so that whoever listens knows which one hangs.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np

SECONDS = 30
"""Time of a processor that a file may take."""

MEMORY = 3 << 30
"""Bytes beyond those of the libraries."""


LONGEST = 500
"""Characters of a refusal, which is one line with one reason."""


class HangError(BaseException):
    """A file takes too long."""


def main(first: int, step: int) -> None:
    """Try the cases `first`, `first + step`, ... until nobody listens."""
    os.environ.setdefault("SPLINESCOPE_CONTENT_LIMIT", str(100 << 20))
    warnings.simplefilter("ignore")
    from tests.fuzz.mutations import mutated
    from tests.fuzz.originals import originals

    signal.signal(signal.SIGPROF, _hang)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        known = originals(folder)
        for original in known:
            _try(original.content, folder / original.name, original.read)  # compiles, and opens libraries
        _limit_memory()
        number = first
        while True:
            original = known[number % len(known)]
            content = mutated(original.content, original.name, np.random.default_rng(number))
            _say({"case": number})
            _say({"case": number, "name": original.name, **_try(content, folder / original.name, original.read)})
            number += step


def _try(content: bytes, path: Path, read: Any) -> dict[str, str]:
    """What came of a file: "read", "refused", or what should not be."""
    from splinescope.errors import SplinescopeError

    path.write_bytes(content)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        read(path)
    except SplinescopeError as error:
        said = str(error).strip()
        return {"outcome": "no reason" if not said else "refused" if len(said) < LONGEST else "a long reason"}
    except (Exception, HangError) as error:  # noqa: BLE001 - these are what is looked for
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if "splinescope" in frame.filename] or frames
        place = f"{Path(own[-1].filename).name}:{own[-1].lineno}"
        return {"outcome": f"{type(error).__name__} at {place}", "said": str(error)[:200]}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return {"outcome": "read"}


def _hang(*_: Any) -> None:
    raise HangError


def _limit_memory() -> None:
    """Let large requests fail, rather than the machine."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))


def _say(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)  # noqa: T201 - to the process that listens


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
