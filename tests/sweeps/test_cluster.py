"""The page "from a laptop to a cluster": its programs run, on a pool and on two workers of Dask, with one result."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas
import pytest

from splinescope import sweeps
from tests.seeds import thorough
from tests.workers.test_pool import ROOT

PAGE = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```py\n(.*?)^```", PAGE, re.M | re.S)


def run(program: str, folder: Path) -> str:
    """What a program prints that is run as a file."""
    (folder / "study.py").write_text(program, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "study.py"], cwd=folder, env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@thorough
def test_the_programs_of_the_page(tmp_path: Path) -> None:
    pytest.importorskip("dask.distributed", reason="Dask is not installed")
    laptop, cluster = PROGRAMS
    assert "width\n4" in run(laptop, tmp_path)
    assert re.search(r"^\d+ True$", run(cluster, tmp_path), re.M)
    one, other = sweeps.read(tmp_path / "cells"), sweeps.read(tmp_path / "cells-dask")
    assert one.complete
    assert one.failed == ()
    pandas.testing.assert_frame_equal(one.table(), other.table(), check_exact=True)
    for task in range(6):
        assert one.arrays(task)["areas"].tobytes() == other.arrays(task)["areas"].tobytes()
