"""A program that trains twice with all that may be disturbed, with a recorder and without, and says what came of it."""

from __future__ import annotations

import hashlib
import json
import random
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

from splinescope.observers import Recorder
from tests.observers.runs import all_measures, quadrants, rude


def digest(*tensors: torch.Tensor) -> str:
    """A digest of tensors, bit for bit."""
    state = hashlib.sha256()
    for tensor in tensors:
        state.update(
            str(tensor.dtype).encode() + tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        )
    return state.hexdigest()


def run(folder: Path, recorded: bool) -> list[object]:
    """Everything that can be seen of the run, step by step."""
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - what is to be disturbed
    model = nn.Sequential(
        nn.utils.weight_norm(nn.Linear(2, 16)),
        nn.BatchNorm1d(16),
        nn.ReLU(inplace=True),
        nn.Dropout(0.3),
        nn.utils.parametrizations.weight_norm(nn.Linear(16, 16)),
        nn.ReLU(),
        nn.Linear(16, 2),
    )
    model[1].eval()
    model[6].bias.requires_grad_(False)
    calls: list[int] = []
    model[0].register_forward_hook(lambda *_: calls.append(1))
    model[6].weight.register_hook(lambda gradient: gradient * 0.5)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    x, y = quadrants()
    recorder = None
    if recorded:
        measures = {**all_measures(folder), "rude": rude}
        recorder = Recorder(measures, lambda step: step % 5 == 0, folder / "run.jsonl")
    seen: list[object] = []
    for step in range(21):
        grads = [id(p.grad) for p in model.parameters()]
        addresses = [(id(t), t.data_ptr(), t._version) for t in model.state_dict(keep_vars=True).values()]
        with torch.autocast("cpu", torch.bfloat16, enabled=step % 2 == 0), torch.set_grad_enabled(step % 3 > 0):
            modes = torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), torch.get_default_dtype()
            calls_before = len(calls)
            if recorder is not None:
                assert (recorder.record(model, step) is None) == (step % 5 > 0)
            assert modes == (torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), torch.get_default_dtype())
            assert len(calls) == calls_before
        assert addresses == [(id(t), t.data_ptr(), t._version) for t in model.state_dict(keep_vars=True).values()]
        assert grads == [id(p.grad) for p in model.parameters()]
        seen += [[child.training for child in model.modules()], [p.requires_grad for p in model.parameters()]]
        rows = random.sample(range(len(x)), 16)
        noise = torch.from_numpy(np.random.normal(size=(16, 2)).astype(np.float32)) * 0.01  # noqa: NPY002
        if step % 2:  # every other gradient is added to the one before
            optimizer.zero_grad(set_to_none=step % 4 == 1)
        loss = nn.functional.cross_entropy(model(x[rows] + noise), y[rows])
        loss.backward()
        optimizer.step()
        states = [t for s in optimizer.state.values() for t in s.values()]
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        seen.append(digest(loss, *model.state_dict().values(), *states, *gradients, torch.get_rng_state()))
    seen.append(repr((random.getstate(), np.random.get_state()[1].tolist(), len(calls))))  # noqa: NPY002
    return seen


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        sys.stdout.write(json.dumps([run(Path(name), recorded) for recorded in (False, True)]))
