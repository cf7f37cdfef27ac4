"""The networks among the assets: importing one and running its original."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from splinescope.network import Network, from_torch, load
from tests.network.asset_modules import build, has_module

REPOSITORY = Path(__file__).resolve().parents[2]
ASSETS = Path(os.environ.get("SPLINESCOPE_ASSETS", REPOSITORY.parent / "shared" / "assets"))
ABSENT = f"no manifest.json in {ASSETS}; set SPLINESCOPE_ASSETS to the folder of the networks"
_FILES = (".onnx", ".onnx.gz", ".nnet", ".npz", ".pth", ".pt", ".th", ".ckpt", ".model", ".bin")


@dataclass(frozen=True)
class Asset:
    """One entry of the manifest that holds networks.

    Attributes:
        name: Its name.
        piecewise_affine: What the manifest says.
        paths: Its files with networks.
    """

    name: str
    piecewise_affine: bool
    paths: tuple[Path, ...]


def assets() -> tuple[Asset, ...]:
    """All networks of the manifest; none if it is absent."""
    manifest = ASSETS / "manifest.json"
    if not manifest.is_file():
        return ()
    entries: list[dict[str, Any]] = json.loads(manifest.read_text(encoding="utf-8"))["models"]
    return tuple(
        Asset(
            entry["name"],
            entry["piecewise_affine"],
            tuple(ASSETS / file["path"] for file in entry["files"] if file["path"].endswith(_FILES)),
        )
        for entry in entries
        if entry.get("piecewise_affine") is not None
    )


def imported(asset: Asset, path: Path) -> Network:
    """One file of an asset as a network."""
    if has_module(asset.name):
        module, shape = build(asset.name, path)
        return from_torch(module, input_shape=shape)
    return load(path)


def original(asset: Asset, path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """What the original does with float32 inputs of the network's shape, one by one, without any code of ours."""
    if has_module(asset.name):
        module, _ = build(asset.name, path)
        return lambda x: module(torch.from_numpy(x)).detach().numpy()
    if path.suffix == ".nnet":
        return lambda x: _perceptron(_nnet_layers(path), x.astype(np.float64))
    if path.suffix == ".npz":
        with np.load(path) as archive:
            names = sorted(name.removesuffix(".A") for name in archive.files if name.endswith(".A"))
            layers = [(archive[f"{name}.A"].T.astype(np.float64), archive[f"{name}.b"]) for name in names]
        return lambda x: _perceptron(layers, x.astype(np.float64))[:, 0]
    return _session(path)


def _session(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    import onnxruntime

    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    source = session.get_inputs()[0]
    return lambda x: np.concatenate([session.run(None, {source.name: row[None]})[0] for row in x])


def _perceptron(layers: list[tuple[np.ndarray, np.ndarray]], x: np.ndarray) -> np.ndarray:
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight.T + bias, 0.0)
    return x @ layers[-1][0].T + layers[-1][1]


def _nnet_layers(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("//")]
    sizes = [int(word) for word in lines[1].strip(", ").split(",")]
    at, layers = 7, []
    for size in sizes[1:]:
        weight = np.loadtxt([line.rstrip(", ") for line in lines[at : at + size]], delimiter=",", ndmin=2)
        bias = np.loadtxt([line.rstrip(", ") for line in lines[at + size : at + 2 * size]], delimiter=",", ndmin=1)
        layers.append((weight, bias))
        at += 2 * size
    return layers
