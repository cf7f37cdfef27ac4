"""What is imported is what a forward pass would compute now, whatever tensors a module happens to hold."""

from __future__ import annotations

import collections
import functools
import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.nn.utils import parametrize, prune

from splinescope.errors import InvalidInputError, SplinescopeError
from splinescope.network import Network, from_torch, split_module
from splinescope.network.importers.module_copy import copy_module, duplicate
from tests.network.test_untouched import assert_same, snapshot


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))


class EqualizedRate:
    """A hook of the kind that generative networks have: the weight is a scaled parameter."""

    def __init__(self, name: str = "weight") -> None:
        self.name = name

    def __call__(self, module: nn.Module, inputs: Any) -> None:
        setattr(module, self.name, getattr(module, f"{self.name}_orig") * 0.7)

    @staticmethod
    def apply(layer: nn.Module) -> nn.Module:
        weight = layer._parameters.pop("weight")
        assert weight is not None
        layer.register_parameter("weight_orig", nn.Parameter(weight.data))
        layer.register_forward_pre_hook(EqualizedRate())
        return layer


class Halving(prune.BasePruningMethod):
    """A pruning method of the user's."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        mask = default_mask.clone()
        mask.view(-1)[::2] = 0
        return mask


class Doubled(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return 2.0 * weight


def unstructured() -> nn.Module:
    module = net()
    prune.l1_unstructured(module[0], "weight", 0.5)
    return module


def repeatedly() -> nn.Module:
    module = unstructured()
    prune.random_unstructured(module[0], "weight", 0.3)
    prune.l1_unstructured(module[0], "bias", 2)
    prune.ln_structured(module[2], "weight", 0.5, 2, 0)
    return module


def everywhere() -> nn.Module:
    module = net()
    prune.global_unstructured(
        [(module[0], "weight"), (module[2], "weight")], pruning_method=prune.L1Unstructured, amount=0.4
    )
    return module


def own_method() -> nn.Module:
    module = net()
    Halving.apply(module[0], "weight")
    return module


def equalized() -> nn.Module:
    module = net()
    EqualizedRate.apply(module[0])
    return module


def parametrized() -> nn.Module:
    module = net()
    parametrize.register_parametrization(module[0], "weight", Doubled())
    prune.l1_unstructured(module[2], "weight", 0.5)
    return module


def normed(norm: Callable[..., nn.Module]) -> nn.Module:
    module = net()
    norm(module[0])
    return module


KINDS: dict[str, Callable[[], nn.Module]] = {
    "unstructured": unstructured,
    "repeatedly": repeatedly,
    "everywhere": everywhere,
    "identity": lambda: nn.Sequential(prune.identity(nn.Linear(3, 4), "weight"), nn.ReLU()),
    "custom mask": lambda: nn.Sequential(prune.custom_from_mask(nn.Linear(3, 4), "weight", torch.eye(4, 3)), nn.ReLU()),
    "root": lambda: prune.l1_unstructured(nn.Linear(3, 4), "weight", 0.5),
    "own method": own_method,
    "equalized": equalized,
    "parametrized": parametrized,
    "weight norm": lambda: normed(nn.utils.parametrizations.weight_norm),
    "spectral norm": lambda: normed(nn.utils.parametrizations.spectral_norm),
    "old weight norm": lambda: normed(nn.utils.weight_norm),
    "old spectral norm": lambda: normed(nn.utils.spectral_norm),
}


def loaded(module: nn.Module) -> None:
    """Other weights, masks and directions as they are."""
    generator = torch.Generator().manual_seed(5)
    kept = ("mask", "_u", "_v")
    state = {
        name: value if name.endswith(kept) else torch.randn(value.shape, generator=generator)
        for name, value in module.state_dict().items()
    }
    module.load_state_dict(state)


def stepped(module: nn.Module) -> None:
    optimiser = torch.optim.SGD(module.parameters(), lr=0.5)
    for _ in range(2):
        module(torch.ones(4, 3)).pow(2).sum().backward()
        optimiser.step()
        optimiser.zero_grad()


def in_place(module: nn.Module) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3)


def assert_agrees(network: Network, module: nn.Module) -> None:
    """The network is what the module computes in eval mode, on a copy by the user's own means: running it."""
    modes = {child: child.training for child in module.modules()}
    module.eval()
    x = torch.randn(16, 3, generator=torch.Generator().manual_seed(2))
    expected = module(x).detach().double()
    for child, mode in modes.items():
        child.training = mode
    torch.testing.assert_close(network(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("change", [loaded, stepped, in_place, lambda module: None])
@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_are_computed_are_up_to_date(kind: str, change: Callable[[nn.Module], None]) -> None:
    module = seeded(KINDS[kind]).train(change is loaded)
    module(torch.ones(2, 3))
    change(module)
    before, state = snapshot(module), torch.get_rng_state()
    network = from_torch(module, input_shape=(3,))
    assert_same(before, snapshot(module))
    assert torch.equal(state, torch.get_rng_state())
    assert network.import_report.reference == "module float64, module float32"
    assert network.import_report.notes == ()
    assert_agrees(network, module)


@pytest.mark.parametrize("kind", ["repeatedly", "equalized"])
def test_copies_for_other_studies_are_up_to_date(kind: str) -> None:
    module = seeded(KINDS[kind])
    module(torch.ones(2, 3))
    loaded(module)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
    stale = module[0].weight.detach().clone()
    first, second = duplicate(module)(x), split_module(module, "1", x)
    assert torch.equal(stale, module[0].weight)
    whole = second.after(second.before(x))
    expected = module(x)
    assert torch.equal(first, expected)
    assert torch.equal(whole, expected)
    assert not torch.equal(stale, module[0].weight)


def test_weight_that_was_never_computed() -> None:
    module = seeded(equalized)
    assert not hasattr(module[0], "weight")
    network = from_torch(module, input_shape=(3,))
    assert not hasattr(module[0], "weight")
    assert_agrees(network, module)


def test_cache_of_parametrizations_is_left_alone() -> None:
    module = seeded(parametrized)
    with parametrize.cached():
        module(torch.ones(1, 3))
        cache = dict(parametrize._cache)
        network = from_torch(module, input_shape=(3,))
        assert parametrize._cache_enabled == 1
        assert parametrize._cache.keys() == cache.keys()
        assert all(parametrize._cache[key] is value for key, value in cache.items())
    assert_agrees(network, module)


HOOKS: list[Callable[[nn.Module], Any]] = [
    lambda m: m.register_forward_pre_hook(lambda module, x: ((x[0] - 1.0) / 3.0,)),
    lambda m: m.register_forward_pre_hook(lambda module, x: x[0] * 2.0),
    lambda m: m[0].register_forward_hook(lambda module, x, y: y + x[0].sum(-1, keepdim=True)),
    lambda m: m[2].register_forward_hook(lambda module, x, y: y[:, :1]),
    lambda m: m.register_forward_pre_hook(lambda module, x, words: ((x[0] + 0.1,), words), with_kwargs=True),
    lambda m: m[1].register_forward_hook(lambda module, x, words, y: 0.5 * y, with_kwargs=True),
    lambda m: m[1].register_forward_hook(functools.partial(lambda scale, module, x, y: scale * y, 3.0)),
]


@pytest.mark.parametrize("number", range(len(HOOKS)))
def test_hooks_that_change_the_output_are_part_of_the_network(number: int) -> None:
    module = seeded(net)
    HOOKS[number](module)
    network = from_torch(module, input_shape=(3,))
    assert_agrees(network, module)
    assert network.import_report.notes == (
        "The 1 forward hooks of the module change its output, and are part of the network.",
    )


def test_hook_that_is_not_piecewise_affine_is_refused() -> None:
    module = seeded(net)
    module[1].register_forward_hook(lambda module, x, y: y * y)
    with pytest.raises(SplinescopeError, match="multiplies values that depend on the input"):
        from_torch(module, input_shape=(3,))


SEEN: list[Any] = []
COUNTS: dict[str, int] = {}
CALLS = 0


def into_globals(*_: Any) -> None:
    global CALLS
    CALLS += 1
    SEEN.append(1)
    COUNTS["calls"] = COUNTS.get("calls", 0) + 1


class Recorder:
    def __init__(self) -> None:
        self.outputs: dict[str, list[Tensor]] = collections.defaultdict(list)
        self.calls = 0

    def keep(self, name: str, module: nn.Module, x: Any, y: Tensor) -> None:
        self.outputs[name].append(y)
        self.calls += 1


def test_records_of_hooks_are_not_written() -> None:
    module = seeded(net)
    recorder, kept, total = Recorder(), [], torch.zeros(2)

    def sum_up(_: nn.Module, x: Any, y: Tensor) -> None:
        nonlocal kept
        kept = [*kept, y]
        total.add_(y.detach().sum(0))

    module.register_forward_hook(into_globals)
    module.register_forward_hook(sum_up)
    module[0].register_forward_hook(functools.partial(recorder.keep, "first"))
    module(torch.ones(2, 3))  # the records now hold tensors with a history
    before = snapshot(module), (len(SEEN), dict(COUNTS), CALLS, recorder.calls, len(kept), total.clone())
    network = from_torch(module, input_shape=(3,))
    assert_same(before, (snapshot(module), (len(SEEN), dict(COUNTS), CALLS, recorder.calls, len(kept), total)))
    assert network.import_report.notes == ("3 forward hooks of the module are not part of the network.",)
    module(torch.ones(2, 3))
    assert (recorder.calls, len(kept)) == (2, 2)
    assert len(recorder.outputs["first"]) == 2


def test_hook_that_cannot_be_copied_is_named() -> None:
    class Fixed:
        def __init__(self) -> None:
            self.view, self.calls = memoryview(b""), 0

        def __call__(self, *_: Any) -> None:
            self.calls += 1

    module, hook = seeded(net), Fixed()
    module.register_forward_hook(hook)
    report = from_torch(module, input_shape=(3,)).import_report
    assert hook.calls == 0
    assert report.reference == "module without its hooks float64, module without its hooks float32"
    assert str(report).startswith("Agrees with module without its hooks float64")
    assert report.notes[0].startswith("1 forward hooks are neither part of the network nor compared: ")


def test_hooks_on_all_modules_are_not_called() -> None:
    calls: list[int] = []
    handle = register_module_forward_hook(lambda *_: calls.append(1))
    try:
        report = from_torch(seeded(net), input_shape=(3,)).import_report
        assert calls == []
        assert "1 hooks on all modules are neither part of the network nor compared." in report.notes
        nn.Identity()(torch.zeros(1))
        assert calls == [1]
    finally:
        handle.remove()


@pytest.mark.parametrize("factor", [1.0 + 1e-3, 0.0])
@pytest.mark.parametrize("depth", [1, 12, 40])
def test_stale_copy_is_found_out(depth: int, factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison is with the original: a copy that is exported with other weights does not pass, however deep."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(16, 16), nn.ReLU()]
    module = seeded(lambda: nn.Sequential(*layers, nn.Linear(16, 2)))
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        for layer in layers[::2]:
            layer.weight.copy_(torch.randn(16, 16, generator=generator) * (2 / 16) ** 0.5)

    def stale(original: nn.Module, dtype: torch.dtype | None) -> nn.Module:
        twin = copy_module(original, dtype)
        with torch.no_grad():
            twin[0].weight.mul_(factor)
        return twin

    from_torch(module, input_shape=(16,))
    home = importlib.import_module("splinescope.network.importers.from_torch")
    monkeypatch.setattr(home, "copy_module", stale)
    with pytest.raises(SplinescopeError, match="the import is wrong: its outputs differ from module float64"):
        from_torch(module, input_shape=(16,))


def test_module_that_copies_itself_otherwise_is_refused() -> None:
    class Stubborn(nn.Linear):
        def __deepcopy__(self, memo: Any) -> Stubborn:
            return self

    class Forgetful(nn.Linear):
        scale = 1.0

        def __deepcopy__(self, memo: Any) -> Forgetful:
            return Forgetful(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.scale * super().forward(x)

    module = nn.Sequential(Stubborn(3, 2)).train()
    before = snapshot(module)
    with pytest.raises(InvalidInputError, match=r"`module`: it, or a submodule, returns itself when it is copied"):
        from_torch(module, input_shape=(3,))
    assert_same(before, snapshot(module))
    with pytest.raises(InvalidInputError, match=r"`module`: a deep copy of it differs from it in `0\.weight`"):
        from_torch(nn.Sequential(Forgetful(3, 2)), input_shape=(3,))
    scaled = Forgetful(3, 2)
    scaled.scale = 2.0
    with torch.no_grad():
        for parameter in scaled.parameters():
            parameter.zero_()
    with pytest.raises(InvalidInputError, match="a deep copy of it differs from it"):
        from_torch(scaled, input_shape=(3,))
