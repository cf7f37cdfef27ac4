"""Make the pictures of the README and of the front page, by a real run: `make readme-picture`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from splinescope.cli import main

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        if main(["demo", "--out", folder]) == 0:
            shutil.copy(Path(folder) / "picture.png", Path(__file__).parent / "_static" / "digits.png")
