"""Every network among the assets imports and agrees with its original, or is refused for the true reason."""

from __future__ import annotations

import numpy as np
import pytest

from splinescope.errors import UnsupportedOpError
from tests.network.assets import ABSENT, Asset, assets, imported, original

ASSETS = assets()

REFUSALS = {
    "eran_ffnn_sigmoid_6x200_onnx": r"`Sigmoid_\d+` \(Sigmoid\): it is smooth.*not the last op: node `Gemm_\d+`",
    "lsnc_quadrotor2d_state": r"`/Sin` \(Sin\): it is smooth and curved",
    "nn4sys_mscn_128d": r"`Mul_\d+` \(Mul\): it multiplies values that depend on the input with each other",
    "nn4sys_mscn_128d_dual": r"`Mul_\d+` \(Mul\): it multiplies values that depend on the input with each other",
    "vnncomp_gtsrb_bnn_30": r"it takes what a comparison decides: it jumps from -1 to 1 where `",
    "dist_shift_mnist_generator": r"2 inputs \(`input`, `onnx::Concat_1`\)",
    "dist_shift_mnist_concat": r"`Sigmoid_\d+` \(Sigmoid\): it is smooth.*not the last op: node `cls/Gemm_2`",
    "vit_ibp_3_3_8": r"fn\.1/MatMul` \(MatMul\): it multiplies values that depend on the input with each other",
    "stories260K": r"`pow_1` \(aten\.pow\.Tensor_Scalar\): it takes powers of its input",
    "niq_bunny_elu": r"`0001\.elu` \(elu\): it is smooth and curved",
    "carvana_unet_simp_small": r"`Softmax_15` \(Softmax\): it is smooth.*not the last op: node `ArgMax_19` \(ArgMax\)",
}
HEADS = {"vnncomp_cgan_imgsz32_nch_3_upsample": "sigmoid", "csinva_mnist_mlp_generator": "tanh"}
FLOAT32 = 2e-5
"""Deviation, relative to the largest output, that float32 arithmetic may make in networks of this depth."""


@pytest.mark.skipif(not ASSETS, reason=ABSENT)
@pytest.mark.parametrize("asset", ASSETS, ids=lambda asset: asset.name)
def test_network_of_the_assets(asset: Asset) -> None:
    assert asset.paths
    for path in asset.paths:
        if asset.name in REFUSALS:
            assert not asset.piecewise_affine
            with pytest.raises(UnsupportedOpError, match=REFUSALS[asset.name]):
                imported(asset, path)
            continue
        network = imported(asset, path)
        assert (None if network.head is None else network.head.name) == HEADS.get(asset.name)
        assert asset.piecewise_affine == (network.head is None)
        x = np.random.default_rng(0).uniform(-1.0, 1.0, (100, *network.input_shape)).astype(np.float32)
        outputs = network(x)
        assert outputs.dtype == np.float64
        assert outputs.shape == (100, *network.output_shape)
        if network.head is not None:
            import torch

            outputs = network.head(torch.from_numpy(outputs)).numpy()
        expected = original(asset, path)(x).reshape(outputs.shape)
        assert np.abs(outputs - expected).max() <= FLOAT32 * np.abs(expected).max()
        assert network.import_report.deviations
        assert network.import_report.max_relative <= FLOAT32


@pytest.mark.skipif(not ASSETS, reason=ABSENT)
def test_every_network_that_is_not_piecewise_affine_has_an_expectation() -> None:
    assert {a.name for a in ASSETS if not a.piecewise_affine} == {*REFUSALS, *HEADS}
