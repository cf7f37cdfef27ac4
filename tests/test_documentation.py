"""The code in the README and on the first pages runs as it stands."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

import splinescope

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    pytest.param(code, id=f"{page.name}-{number}")
    for page in PAGES
    for number, code in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S))
]


@pytest.mark.parametrize("code", BLOCKS)
def test_code_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "<documentation>", "exec"), {"__name__": "__main__"})
    assert (tmp_path / "cells.png").is_file() or "savefig" not in code


def test_readme_example_is_short() -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    assert len([line for line in code.splitlines() if line.strip()]) <= 8


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert target.startswith("http") or (ROOT / target).exists(), f"{page.name}: {target}"


def test_reference_lists_the_public_names() -> None:
    spec = importlib.util.spec_from_file_location("_documentation_conf", ROOT / "docs" / "conf.py")
    assert spec is not None
    assert spec.loader is not None
    conf = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conf)
    source = [(ROOT / "docs" / "reference" / "front-door.md").read_text(encoding="utf-8")]
    conf._with_front_door(None, "reference/front-door", source)
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| \[.*\]\((.+)\) \|$", source[0], re.M)
    assert [name for name, _, _ in rows] == list(splinescope.PUBLIC)
    for _, line, page in rows:
        assert line.endswith(".")
        assert (ROOT / "docs" / "reference" / page).is_file()
