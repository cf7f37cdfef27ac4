"""Models of `timm`, an optional job: `pip install timm`, then `pytest --thorough tests/network/test_timm.py`."""

from __future__ import annotations

import re

import pytest
import torch

from splinescope.errors import UnsupportedOpError
from splinescope.network import from_torch
from tests.seeds import thorough

timm = pytest.importorskip("timm", reason="timm is not installed: `pip install timm` makes this job run")

pytestmark = [thorough, pytest.mark.filterwarnings("ignore")]

IMPORTED = (
    "resnet18", "resnet50d", "resnext50_32x4d", "wide_resnet50_2", "res2net50_26w_4s", "vgg11_bn", "densenet121",
    "mobilenetv2_050", "tf_efficientnet_lite0", "regnetx_002", "repvgg_a0", "darknet53", "dla34", "hrnet_w18_small",
    "selecsls42b", "dpn48b", "inception_v3",
)  # fmt: skip
REFUSED = {
    "mobilenetv3_small_050": "it is quadratic|it multiplies values",
    "efficientnet_b0": "it is smooth",
    "vit_tiny_patch16_224": "it normalises by statistics of its own input",
    "convnext_atto": "it normalises by statistics of its own input",
    "seresnet18": "it multiplies values|it is smooth",
    "mixer_s32_224": "it normalises by statistics of its own input",
}


def made(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    module = timm.create_model(name, pretrained=False).eval()
    assert isinstance(module, torch.nn.Module)
    return module


@pytest.mark.parametrize("name", IMPORTED)
def test_a_model_agrees_with_the_original(name: str) -> None:
    module, size = made(name), 299 if name == "inception_v3" else 64
    network = from_torch(module, (3, size, size))
    assert network.import_report.reference == "module float64, module float32"
    for scale in (0.1, 1.0, 10.0):
        x = scale * torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            y = module(x).double()
        torch.testing.assert_close(network(x.double()), y, rtol=1e-4, atol=1e-4 * float(y.abs().max()))


@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_is_not_piecewise_affine_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(UnsupportedOpError) as caught:
        from_torch(made(name), (3, 224, 224))
    assert "\n" not in str(caught.value)
    assert re.search(REFUSED[name], str(caught.value))
