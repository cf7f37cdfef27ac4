"""Modules whose values leave torch, that keep a state, or that know when they are traced: "the import is wrong"."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from splinescope.cli import main
from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.network import from_torch

ENDING = """
import torch
class net(torch.nn.Module):
    def forward(self, x):
        raise SystemExit(7)
"""


class Body(nn.Module):
    """Two layers, and a function of the module and its input that a test gives."""

    def __init__(self, function: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 2)
        self.function = function
        self.kept: dict[Any, Any] = {}
        self.steps = 0

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def plain(m: Any, x: Tensor) -> Tensor:
    """What the two layers compute."""
    return m.b(torch.relu(m.a(x)))


def doubled_after_a_hundred(m: Any, x: Tensor) -> Tensor:
    m.steps += 1
    return plain(m, x) * (1 if m.steps < 3 else 2)


def by_identity(m: Any, x: Tensor) -> Tensor:
    key = "first" if not m.kept else "later"
    m.kept.setdefault(key, plain(m, x))
    return m.kept[key]


def differentiated(m: Any, x: Tensor) -> Tensor:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return torch.autograd.grad(plain(m, x).sum(), x)[0]


LEAVES = {
    "numpy": (lambda m, x: m.b(torch.from_numpy(np.maximum(m.a(x).detach().numpy(), 0))), r"by \.numpy\(\) \(test_esc"),
    "beside torch": (lambda m, x: plain(m, x) + torch.from_numpy(m.b(m.a(x)).detach().numpy()), r"by \.numpy\(\)"),
    "asarray": (lambda m, x: m.b(torch.as_tensor(np.maximum(np.asarray(m.a(x)), 0))), r"by NumPy \(test_escapes"),
    "item": (lambda m, x: plain(m, x) * x[0, 0].item(), r"by \.item\(\) \(test_escapes.py, line \d+\)"),
    "float": (lambda m, x: plain(m, x) * float(x.max()), r"by float\(\)"),
    "tolist": (lambda m, x: m.b(torch.tensor(m.a(x).relu().tolist(), dtype=x.dtype)), r"by \.tolist\(\)"),
    "far condition": (lambda m, x: plain(m, x) if x.max() < 1e6 else m.b(m.a(x)), "by a condition .* to decide"),
    "condition in NumPy": (lambda m, x: plain(m, x) if x.numpy().max() < 1e6 else m.b(m.a(x)), r"by \.numpy\(\)"),
    "loop": (lambda m, x: next(y for k in range(99) if (y := plain(m, x) / 2**k).abs().max() < 1), "by a condition"),
    "gradient": (differentiated, r"takes a gradient inside, by torch\.autograd\.grad"),
    "array": (lambda m, x: plain(m, x).numpy(), "returns 0 tensors, but a ndarray"),
    "counts": (doubled_after_a_hundred, "another output for the same input|given before|those before"),
    "remembers": (by_identity, "another output for the same input|given before|those before"),
    "knows": (
        lambda m, x: m.b(m.a(x)) if torch.compiler.is_exporting() else plain(m, x),
        "computes something else while torch traces it",
    ),
    "asks for the type": (
        lambda m, x: plain(m, x) if x.dtype == torch.float32 else m.b(m.a(x)),
        "computes something else in float32 than in float64",
    ),
    "complex": (lambda m, x: m.b(torch.complex(m.a(x), m.a(x)).real.relu()), "makes complex numbers"),
    "complex weights": (lambda m, x: m.a(x).to(torch.complex64).real, "makes complex numbers"),
}


@pytest.mark.parametrize(("function", "reason"), LEAVES.values(), ids=LEAVES)
def test_it_is_refused_for_what_it_does(function: Callable[[Any, Tensor], Any], reason: str) -> None:
    with pytest.raises(UnsupportedOpError, match=reason) as caught:
        from_torch(Body(function), (3,))
    assert "\n" not in str(caught.value)
    assert "report" not in str(caught.value)


def keeps_a_copy(m: Any, x: Tensor) -> Tensor:
    hidden = torch.relu(m.a(x))
    m.kept["last"] = hidden.detach().numpy()
    return m.b(hidden)


def counts_the_awake(m: Any, x: Tensor) -> Tensor:
    hidden = torch.relu(m.a(x))
    m.kept["share"] = 0.9 * m.kept.get("share", 0.0) + 0.1 * (hidden > 0).float().mean().item()
    return m.b(hidden)


def checks_its_range(m: Any, x: Tensor) -> Tensor:
    assert (x.abs() < 1e9).all(), "out of range"
    return plain(m, x)


def checks_for_infinities(m: Any, x: Tensor) -> Tensor:
    if not np.isfinite(x.numpy()).all():
        raise ValueError("expected finite inputs")
    return plain(m, x)


def takes_small_inputs(m: Any, x: Tensor) -> Tensor:
    if x.abs().max() > 1:
        raise ValueError("expected inputs between -1 and 1")
    return plain(m, x)


HARMLESS = {
    "keeps a copy": keeps_a_copy,
    "counts the awake": counts_the_awake,
    "prints": lambda m, x: (f"{x.mean():.2f}", plain(m, x))[1],
    "checks its range": checks_its_range,
    "checks for infinities": checks_for_infinities,
    "takes small inputs": takes_small_inputs,
    "constants in NumPy": lambda m, x: plain(m, x) * float(m.b.bias.detach().numpy().max()),
}


@pytest.mark.parametrize("function", HARMLESS.values(), ids=HARMLESS)
def test_what_is_only_kept_or_checked_is_no_hindrance(function: Callable[[Any, Tensor], Any]) -> None:
    module = Body(function)
    network = from_torch(module, (3,))
    assert network.num_units == 4
    assert network.import_report is not None
    assert len(network.import_report.deviations) == 2
    x = 2 * torch.rand(20, 3, generator=torch.Generator().manual_seed(0)) - 1
    with torch.no_grad():
        torch.testing.assert_close(network(x), module(x).double(), rtol=1e-5, atol=1e-6)


def test_inputs_that_a_module_refuses_are_told() -> None:
    report = from_torch(Body(takes_small_inputs), (3,)).import_report
    assert report is not None
    assert "fails (ValueError: expected inputs between -1 and 1)" in " ".join(report.notes)


class Stubborn(nn.Module):
    """Has no attribute but its own, and says so in an exception of another kind."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"there is no {name}")

    def forward(self, x: Tensor) -> Tensor:
        return x.relu()


def test_attributes_that_raise_anything_are_told() -> None:
    with pytest.raises(InvalidInputError, match="cannot be copied"):
        from_torch(Stubborn(), (3,))


@pytest.mark.parametrize(
    "text", ["raise SystemExit(7)", "def net():\n    raise SystemExit(7)", ENDING], ids=["file", "function", "forward"]
)
def test_code_that_ends_the_program_is_told(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The status was the code's own, and nothing was said."""
    (tmp_path / "ending.py").write_text(text)
    assert main(["info", f"{tmp_path / 'ending.py'}:net", "--input-shape", "2"]) == 2
    assert "SystemExit: 7" in capsys.readouterr().err
