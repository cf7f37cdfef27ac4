"""The bottom of the house: files whole or not at all, JSON, arrays with records."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from splinescope.errors import InvalidInputError, StoreError
from splinescope.storage import (
    decode,
    encode,
    from_json,
    json_text,
    read_arrays,
    replacing,
    write_arrays,
    write_json,
)


def test_files_and_folders_take_the_place_of_others(tmp_path: Path) -> None:
    for text in ("one", "two"):
        with replacing(tmp_path / "file") as temporary:
            temporary.write_text(text)
        with replacing(tmp_path / "folder") as temporary:
            temporary.mkdir()
            (temporary / text).write_text(text)
    assert (tmp_path / "file").read_text() == "two"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["two"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_an_error_leaves_everything_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "kept").write_text("kept")

    def stopped() -> None:
        with replacing(tmp_path / "folder") as temporary:
            temporary.mkdir()
            (temporary / "half").write_text("half")
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        stopped()
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "kept"]


def test_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="`out`: there is no folder"):
        replacing(tmp_path / "nowhere" / "file", "out").__enter__()


def test_numbers_that_are_not_finite_are_null() -> None:
    values = {"a": math.nan, "b": [np.float64(math.inf), 1.5], 3: (np.arange(2), None), "path": Path("x/y")}
    text = json_text(values, indent=None)
    assert json.loads(text) == {"a": None, "b": [None, 1.5], "3": [[0, 1], None], "path": "x/y"}
    assert from_json(text)["a"] is None
    assert math.isnan(from_json(text, null=math.nan)["a"])
    assert json_text({"a": [1.5, "b"]}, indent=1) == json.dumps({"a": [1.5, "b"]}, indent=1)
    with pytest.raises(TypeError):
        json_text({"a": object()})


def test_json_files(tmp_path: Path) -> None:
    path = write_json(tmp_path / "facts.json", {"least": math.inf})
    assert path.read_text() == '{\n  "least": null\n}\n'


class Pair(NamedTuple):
    first: int
    second: np.ndarray


def test_records_come_back_as_they_were() -> None:
    value: dict[str, Any] = {
        "plain": [1, 2.5, None, True, "text"],
        "tuple": (1, (2,)),
        "not finite": (math.inf, -math.inf),
        "numbers as keys": {2: "two", 3: "three"},
        "like a record": {"array": "none", "class": "none", "dict": 1},
        "numpy": np.float64(0.1),
    }
    assert decode(from_json(json_text(encode(value, {}, "value"))), {}, {}) == value
    assert math.isnan(decode(from_json(json_text(encode(math.nan, {}, "value"))), {}, {}))
    arrays: dict[str, np.ndarray] = {}
    record = encode(Pair(1, np.arange(3)), arrays, "pair")
    again = decode(record, arrays, {"Pair": Pair})
    assert type(again) is Pair
    np.testing.assert_array_equal(again.second, np.arange(3))


@pytest.mark.parametrize("layout", ["plain", "transposed", "channels last", "expanded", "every other", "none", "one"])
def test_tensors_keep_their_layout(layout: str, tmp_path: Path) -> None:
    base = torch.arange(240.0, dtype=torch.float64).reshape(2, 3, 5, 8)
    tensor = {
        "plain": base,
        "transposed": base[0, 0].T,
        "channels last": base.to(memory_format=torch.channels_last),
        "expanded": base[:1, :1].expand(4, 6, 5, 8),
        "every other": base[:, :, :, ::2],
        "none": base[:0],
        "one": base[0, 0, 0, 0],
    }[layout]
    arrays: dict[str, np.ndarray] = {}
    record = encode(tensor, arrays, "tensor")
    stored = read_arrays(write_arrays(tmp_path / "file.npz", arrays, record))
    again = decode(stored.record, stored.arrays, {})
    assert torch.equal(again, tensor)
    if layout not in ("expanded", "every other", "none"):
        assert again.stride() == tensor.stride()


def test_records_refuse_what_is_not_data() -> None:
    with pytest.raises(StoreError, match="head: a function cannot be stored"):
        encode(lambda x: x, {}, "head")
    for record in ({"array": "missing"}, {"class": "Popen", "fields": {}}, {"tuple": 3}, {}, {"dict": {"a": {"x": 1}}}):
        with pytest.raises(StoreError, match="does not fit this version"):
            decode(record, {}, {})


@pytest.mark.parametrize("compress", [False, True])
def test_arrays_and_records(compress: bool, tmp_path: Path) -> None:
    arrays = {"a": np.arange(3), "b": np.zeros((0, 2)), "c": np.array("text")}
    path = write_arrays(tmp_path / "file.npz", arrays, {"n": 3}, compress=compress, durable=compress)
    stored = read_arrays(path)
    assert stored.record == {"n": 3}
    assert list(stored.arrays) == ["a", "b", "c"]
    assert all(np.array_equal(stored.arrays[name], arrays[name]) for name in arrays)
    assert read_arrays(write_arrays(path, arrays)).record is None


def test_objects_are_never_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "file.npz", a=np.array([object], dtype=object))
    with pytest.raises(StoreError, match=r"`log`: .* is not a complete log"):
        read_arrays(tmp_path / "file.npz", "log", argument="log")
