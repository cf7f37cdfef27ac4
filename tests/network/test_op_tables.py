"""The documentation's tables of ops are those of the importers, and every line of them says something."""

from __future__ import annotations

import onnx
import pytest

from splinescope.network.importers import onnx_ops, torch_ops
from tests.network import op_tables


@pytest.mark.skipif(onnx.defs.onnx_opset_version() < op_tables.NEWEST, reason="this onnx knows fewer operator sets")
def test_page_is_up_to_date() -> None:
    written = op_tables.PAGE.read_text(encoding="utf-8")
    assert written == op_tables.page(), "run `python -m tests.network.op_tables`"


@pytest.mark.parametrize("table", [torch_ops.described(), onnx_ops.described()], ids=["torch", "onnx"])
def test_every_op_has_a_line(table: dict[str, str]) -> None:
    assert len(table) > 70
    assert all(line.endswith(".") for line in table.values())
