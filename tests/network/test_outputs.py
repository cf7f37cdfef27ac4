"""Modules that return their tensor inside something else are compared with their original like any other."""

from __future__ import annotations

import collections
import dataclasses
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from splinescope.errors import SplinescopeError, UnsupportedOpError
from splinescope.network import from_torch, load
from splinescope.network.importers.module_copy import copy_module
from splinescope.network.importers.outputs import named_tensors
from tests.network.test_computed_weights import assert_agrees, seeded

Pair = collections.namedtuple("Pair", ["logits"])


@dataclasses.dataclass
class Answer:
    """An output of the user's own, unknown to torch."""

    logits: Tensor
    extra: Any = None


def model_output(y: Tensor) -> Any:
    outputs = pytest.importorskip("transformers.modeling_outputs")
    return outputs.ImageClassifierOutput(loss=None, logits=y)


WRAPPERS: dict[str, Callable[[Tensor], Any]] = {
    "dict": lambda y: {"logits": y},
    "ordered dict": lambda y: collections.OrderedDict(out=y),
    "list": lambda y: [y],
    "1-tuple": lambda y: (y,),
    "named tuple": Pair,
    "nested": lambda y: {"outputs": [(y,)], "rest": []},
    "with none": lambda y: (y, None),
    "with constants": lambda y: {"logits": y, "names": ("a", "b"), "epoch": 3},
    "dataclass": Answer,
    "model output": model_output,
}


class Wrapped(nn.Module):
    """A network whose output is wrapped."""

    def __init__(self, wrap: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.layers, self.wrap = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2)), wrap

    def forward(self, x: Tensor) -> Any:
        return self.wrap(self.layers(x))


@pytest.mark.parametrize("kind", WRAPPERS)
def test_wrapped_output_is_imported_and_compared(kind: str) -> None:
    module = seeded(lambda: Wrapped(WRAPPERS[kind]))
    network = from_torch(module, input_shape=(3,))
    report = network.import_report
    assert (report.reference, report.notes, report.not_compared) == ("module float64, module float32", (), "")
    assert_agrees(network, module.layers)
    assert [node.name for node in network.nodes] == ["input", "layers.0", "layers.1", "layers.2"]


@pytest.mark.parametrize("kind", WRAPPERS)
def test_wrong_import_of_a_wrapped_output_is_found_out(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = seeded(lambda: Wrapped(WRAPPERS[kind]))

    def stale(original: nn.Module, dtype: torch.dtype | None) -> nn.Module:
        twin = copy_module(original, dtype)
        with torch.no_grad():
            twin.layers[2].bias.add_(1e-3)
        return twin

    monkeypatch.setattr(importlib.import_module("splinescope.network.importers.from_torch"), "copy_module", stale)
    with pytest.raises(SplinescopeError, match="the import is wrong"):
        from_torch(module, input_shape=(3,))


@pytest.mark.parametrize(
    ("wrap", "count"),
    [
        (lambda y: (y, y), 2),
        (lambda y: {"a": y, "b": [y, y]}, 3),
        (lambda y: Answer(y, extra={"hidden": y}), 2),
        (lambda y: {"a": None}, 0),
        (lambda y: [], 0),
    ],
)
def test_other_numbers_of_tensors_are_refused(wrap: Callable[[Tensor], Any], count: int) -> None:
    with pytest.raises(UnsupportedOpError, match=f"the module (has {count} outputs|returns {count} tensors)"):
        from_torch(seeded(lambda: Wrapped(wrap)), input_shape=(3,))


def test_head_and_input_inside_wrapped_outputs() -> None:
    network = from_torch(seeded(lambda: Wrapped(lambda y: {"p": y.softmax(-1)})), input_shape=(3,))
    assert network.head is not None
    assert network.import_report.deviations
    identity = from_torch(Wrapped(lambda y: [y.relu()]), input_shape=(3,))
    assert identity.num_units == 10


def test_hooks_see_the_output_as_the_module_returns_it() -> None:
    module = seeded(lambda: Wrapped(lambda y: {"logits": y}))
    module.register_forward_hook(lambda m, x, output: {"logits": 2.0 * output["logits"]})
    network = from_torch(module, input_shape=(3,))
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(x), module.eval()(x)["logits"].detach().double(), rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_program_with_wrapped_output_is_compared(tmp_path: Path) -> None:
    module = seeded(lambda: Wrapped(lambda y: {"logits": y + torch.tensor([1.0, 2.0])})).eval()
    torch.export.save(torch.export.export(module, (torch.zeros(1, 3),)), tmp_path / "model.pt2")
    report = load(tmp_path / "model.pt2", trust=True).import_report
    assert report.reference == "module float64, module float32"


def test_names_lead_to_tensors_in_order() -> None:
    a, b, c = torch.zeros(1), torch.ones(1), torch.ones(2)
    found = named_tensors({"x": [a, (b,)], "y": Answer(c), "z": None, "w": "text"})
    assert list(found) == ["x.0", "x.1.0", "y.logits"]
    assert [id(tensor) for tensor in found.values()] == [id(a), id(b), id(c)]
    assert (named_tensors(3), list(named_tensors(a)), list(named_tensors(Pair(a)))) == ({}, ["output"], ["logits"])


def test_module_that_cannot_be_compared_says_so_first() -> None:
    class Once(nn.Linear):
        """Runs in the tracer only."""

        def forward(self, x: Tensor) -> Tensor:
            if not torch.compiler.is_exporting():
                raise RuntimeError("no")
            return super().forward(x).relu()

    network = from_torch(seeded(lambda: Once(3, 2)), input_shape=(3,))
    report = network.import_report
    assert str(report).startswith("Not compared with the original: The module does not run in torch.float64: Runtime")
    assert report.notes[0].startswith("The module does not run in torch.float64")
    assert repr(network).endswith(", not compared with the original)")
    assert "not compared" not in repr(from_torch(nn.Linear(3, 2)))
