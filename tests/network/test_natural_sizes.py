"""The convolutional networks that people use are imported: small in every run, at 224 pixels in bounded memory else."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

from splinescope.network import from_torch
from tests.network.natural_models import INPUT, MODELS, seeded
from tests.seeds import every, thorough

CHILD = """
import json, resource, sys, torch
from splinescope.network import from_torch
from tests.network.natural_models import INPUT, seeded
torch.set_num_threads(1)
module = seeded(sys.argv[1])
network = from_torch(module, INPUT, output="fine" if sys.argv[1] == "YOLO-like" else None)
print(json.dumps({
    "parameters": sum(weight.numel() for weight in module.parameters()),
    "widest": max(node.size for node in network.nodes),
    "deviation": network.import_report.max_relative,
    "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
}))
"""


@pytest.mark.parametrize("name", every(4, [name for name in MODELS if name not in ("AlexNet", "VGG-16")]))
def test_small_images(name: str) -> None:
    """The same layers at 32 x 32."""
    module = seeded(name)
    network = from_torch(module, (3, 32, 32), output="fine" if name == "YOLO-like" else None)
    assert network.import_report.reference == "module float64, module float32"
    assert network.import_report.max_relative < 1e-5
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        y = module(x)
    y = y["fine"] if isinstance(y, dict) else y
    torch.testing.assert_close(network(x.double()).float(), y, rtol=1e-4, atol=1e-4 * float(y.abs().max()))


@thorough
@pytest.mark.parametrize("name", MODELS)
def test_natural_size_in_bounded_memory(name: str) -> None:
    """At 224 x 224 the process holds a few copies of the weights and of the widest layer's values for some inputs."""
    assert INPUT == (3, 224, 224)
    done = subprocess.run([sys.executable, "-c", CHILD, name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["deviation"] < 1e-5
    assert found["bytes"] < 0.6e9 + 36 * found["parameters"] + 8 * 120 * found["widest"]
