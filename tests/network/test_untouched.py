"""An import leaves the user's module and torch's own state as they were, bit for bit."""

from __future__ import annotations

import copy
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from splinescope.errors import SplinescopeError
from splinescope.network import from_torch, load


def module_with_everything() -> nn.Module:
    """Training mode, batch-norm buffers, gradients, frozen weights, tied weights, a buffer that is not stored."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module = nn.Sequential(
            nn.Conv2d(1, 3, 3),
            nn.BatchNorm2d(3),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.RReLU(),
            nn.Flatten(),
            nn.Linear(48, 48),
            nn.Linear(48, 48),
            nn.Linear(48, 2),
        )
        module[7].weight = module[6].weight
        module[8].weight.requires_grad_(False)
        module.register_buffer("scratch", torch.arange(3.0), persistent=False)
        module(torch.randn(4, 1, 6, 6)).sum().backward()
    module.train()
    module[1].eval()
    return module


def snapshot(module: nn.Module) -> dict[str, object]:
    """All that an import must not change."""
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {
        "values": {name: tensor.detach().clone() for name, tensor in tensors.items()},
        "identities": {name: (id(tensor), tensor.data_ptr(), tensor._version) for name, tensor in tensors.items()},
        "dtypes": {name: (tensor.dtype, tensor.requires_grad) for name, tensor in tensors.items()},
        "gradients": {
            name: None if p.grad is None else (id(p.grad), p.grad.clone()) for name, p in module.named_parameters()
        },
        "modes": {name: child.training for name, child in module.named_modules()},
        "attributes": {name: sorted(child.__dict__) for name, child in module.named_modules()},
        "hooks": {
            name: (list(c._forward_hooks.items()), list(c._forward_pre_hooks.items()))
            for name, c in module.named_modules()
        },
    }


def assert_same(before: object, after: object) -> None:
    """Equality, also of tensors, bit for bit."""
    if isinstance(before, dict):
        assert isinstance(after, dict)
        assert before.keys() == after.keys()
        for key in before:
            assert_same(before[key], after[key])
    elif isinstance(before, tuple | list):
        assert isinstance(after, tuple | list)
        for one, other in zip(before, after, strict=True):
            assert_same(one, other)
    elif isinstance(before, Tensor):
        assert isinstance(after, Tensor)
        assert torch.equal(before, after)
    else:
        assert before == after


def test_module_stays_as_it_was() -> None:
    module = module_with_everything()
    before = snapshot(module)
    network = from_torch(module, input_shape=(1, 6, 6))
    assert_same(before, snapshot(module))
    assert network.num_units == 96


def test_random_states_and_modes_of_torch_stay_as_they_were() -> None:
    torch.manual_seed(11)
    state = torch.get_rng_state()
    settings = (torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_num_threads())
    from_torch(module_with_everything(), input_shape=(1, 6, 6))
    assert torch.equal(torch.get_rng_state(), state)
    assert (torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_num_threads()) == settings


def test_random_states_of_python_and_numpy_stay_as_they_were() -> None:
    """In a process of its own, since the checks of annotations under pytest draw from Python's generator."""
    program = (
        "import random, numpy, torch, splinescope\n"
        "module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(inplace=True), torch.nn.Linear(4, 1))\n"
        "states = random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist()\n"
        "splinescope.from_torch(module, input_shape=(3,))\n"
        "assert states == (random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist())\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=600)


def test_hooks_are_neither_called_nor_lost() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    seen: list[object] = []
    module.register_forward_hook(lambda *_: seen.append("forward"))
    module[1].register_forward_pre_hook(lambda *_: seen.append("before"))
    module[0].register_full_backward_hook(lambda *_: seen.append("backward"))
    before = snapshot(module)
    network = from_torch(module)
    assert seen == []
    assert_same(before, snapshot(module))
    assert network.import_report.notes == ("2 forward hooks of the module are not part of the network.",)
    module(torch.zeros(1, 3))
    assert seen == ["before", "forward"]


def test_hooks_that_compute_weights_belong_to_the_model() -> None:
    with pytest.warns(FutureWarning):
        layer = nn.utils.weight_norm(nn.Linear(3, 2))
    with torch.no_grad():
        layer.weight_g.mul_(3.0)
    network = from_torch(layer)
    x = torch.eye(3)
    torch.testing.assert_close(network(x), layer(x).detach().double(), rtol=1e-6, atol=1e-6)
    assert network.import_report.notes == ()


def test_network_shares_no_memory_with_the_module() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).double()
    network = from_torch(module)
    x = torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    before = network(x).detach().clone()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    assert torch.equal(network(x), before)


def test_module_that_is_refused_stays_as_it_was() -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.GELU(), nn.Linear(3, 1)).train()
    before, state = snapshot(module), torch.get_rng_state()
    with pytest.raises(SplinescopeError):
        load(module)
    assert_same(before, snapshot(module))
    assert torch.equal(torch.get_rng_state(), state)


def test_module_can_still_be_trained_and_copied() -> None:
    module = module_with_everything()
    from_torch(module, input_shape=(1, 6, 6))
    copy.deepcopy(module)
    torch.optim.SGD((p for p in module.parameters() if p.requires_grad), lr=0.1).step()
    module(torch.ones(2, 1, 6, 6)).sum().backward()
