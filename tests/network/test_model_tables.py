"""The documentation's tables of models are those of the tests and of the last measurement."""

from __future__ import annotations

import json

import pytest

from tests.network import model_tables
from tests.network.natural_models import MODELS
from tests.seeds import every

NAMES = [(kind, name) for kind, names in model_tables.small_models().items() for name in names]


def written() -> str:
    return model_tables.PAGE.read_text(encoding="utf-8")


def test_page_has_all_models() -> None:
    page = written()
    assert page.startswith(model_tables.natural()), "run `python -m tests.network.model_tables`"
    assert set(json.loads(model_tables.MEASURED.read_text(encoding="utf-8"))["results"]) <= set(MODELS)
    rows = page.partition("## As people write them")[2].splitlines()
    assert [tuple(line.split(" | ")[1::-1]) for line in rows if line.startswith("| `")] == [
        (kind, f"| `{name}`") for kind, name in NAMES
    ]


@pytest.mark.parametrize(("kind", "name"), every(11, NAMES))
def test_line_of_a_model_is_true(kind: str, name: str) -> None:
    assert f"| {' | '.join(model_tables.row(kind, name))} |\n" in written()
