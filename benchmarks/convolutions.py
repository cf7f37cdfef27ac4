"""Float64 convolutions: sums of shifted images beside torch's, torch's in float32, and a matrix product.

Processor time on one thread, the least of several calls in turn. Rates count the products of the convolution, not those
with padding.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from benchmarks.common import save
from splinescope.network.ops import Convolution, TransposedConvolution

SHAPES = (
    (64, 3, 16, 32, 3, 1, 1, False),
    (64, 16, 16, 32, 3, 1, 1, False),
    (64, 16, 32, 32, 3, 2, 1, False),
    (64, 32, 32, 16, 3, 1, 1, False),
    (128, 64, 64, 8, 3, 1, 1, False),
    (1, 16, 16, 32, 3, 1, 1, False),
    (1, 64, 64, 56, 3, 1, 1, False),
    (4, 3, 64, 112, 7, 2, 1, False),
    (64, 1, 6, 28, 5, 1, 1, False),
    (64, 32, 64, 16, 1, 1, 1, False),
    (64, 32, 32, 16, 3, 1, 4, False),
    (64, 32, 32, 16, 3, 1, 32, False),
    (8, 512, 512, 7, 3, 1, 1, False),
    (64, 16, 8, 14, 4, 2, 1, True),
)
"""Images, channels in and out, side, kernel, stride, groups, transposed."""


def processor_seconds(functions: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The least processor time of each function, called in turn."""
    least = dict.fromkeys(functions, float("inf"))
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.process_time()
            function()
            least[name] = min(least[name], time.process_time() - start)
    return least


def measure(shape: tuple[int, int, int, int, int, int, int, bool], repeats: int) -> dict[str, object]:
    """Rates of one shape."""
    images, channels, out, side, kernel, stride, groups, transposed = shape
    x = torch.randn(images, channels, side, side, dtype=torch.float64)
    bias, steps, pads = torch.randn(out, dtype=torch.float64), (stride, stride), ((kernel // 2,) * 2,) * 2
    op: Convolution | TransposedConvolution
    if transposed:
        weight = torch.randn(channels, out // groups, kernel, kernel, dtype=torch.float64)
        op = TransposedConvolution(weight, bias, steps, ((1, 1), (1, 1)), (1, 1), groups)
        products = x.numel() * kernel**2 * out // groups
    else:
        weight = torch.randn(out, channels // groups, kernel, kernel, dtype=torch.float64)
        op = Convolution(weight, bias, steps, pads, (1, 1), groups)
        products = op.evaluate(x).numel() * kernel**2 * channels // groups
    followed = torch.nn.Parameter(x)  # autograd follows it, so that torch computes
    call = torch.nn.functional.conv_transpose2d if transposed else torch.nn.functional.conv2d
    single, padding = (x.float(), weight.float(), bias.float()), 1 if transposed else kernel // 2
    square = torch.randn(512, 512, dtype=torch.float64)
    functions: dict[str, Callable[[], object]] = {
        "ours": lambda: op.evaluate(x),
        "torch": lambda: op.evaluate(followed),
        "torch, float32": lambda: call(*single, stride=steps, padding=padding, groups=groups),
        "matrix product": lambda: square @ square,
    }
    seconds = processor_seconds(functions, repeats)
    rates = {name: 2 * products / took / 1e9 for name, took in seconds.items()}
    rates["matrix product"] = 2 * 512**3 / seconds["matrix product"] / 1e9
    return {"shape": shape, "gflops": rates, "ratio": seconds["torch"] / seconds["ours"]}


def main() -> None:
    """Print the table and save it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    print("GFLOP/s of (images, in, out, side, kernel, stride, groups, transposed)")
    rows = []
    for shape in SHAPES:
        row = measure(shape, repeats)
        rows.append(row)
        rates = "  ".join(f"{name} {rate:5.1f}" for name, rate in row["gflops"].items())  # type: ignore[attr-defined]
        print(f"{shape!s:45} {rates}  {row['ratio']:.2f} x", flush=True)
    save("convolutions", rows)


if __name__ == "__main__":
    main()
