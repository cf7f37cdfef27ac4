"""Arguments that are none: one line of this house for each, outside of tests too, where nobody checks annotations."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import numpy as np, splinescope, torch
from splinescope.generative import *

torch.manual_seed(1)
net = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3)).double()
cells = splinescope.tessellate(net, splinescope.Slice.box([-1, -1], [1, 1]))
z, box = np.zeros((6, 2)), UniformBox((-1.0, -1.0), (1.0, 1.0))
sampler = VolumeSampler(net, box, pool=20)
y, masses = sample(cells, 5, generator=0).outputs, np.full(len(cells), 1 / len(cells))
law = latent_law(cells, y)
drawn = lambda **given: VolumeSampler(net, Custom(**given), pool=10).sample(2)
positive, whole, number = [0.0, "3", None, [], float("nan")], [2.5, "3", -1, [], 1e400], ["3", None, [], float("nan")]
numbers, scalar = ["abc", None, {}, object()], [2.5, -1]
table = [
    (sample, {"cells": cells, "number": 3},
     {"cells": [net], "number": whole + [None], "rho": number, "generator": whole}),
    (draw_from, {"cells": cells, "masses": masses, "number": 3},
     {"cells": [net], "masses": numbers + scalar + [masses[1:], 2 * masses], "number": whole, "generator": whole}),
    (law.sample, {"number": 3}, {"number": whole, "generator": whole}),
    (moments, {"cells": cells}, {"rho": number}),
    (expected_log_volume, {"cells": cells, "rho": 0.0}, {"rho": number}),
    (law_entropy, {"cells": cells, "rho": 0.0}, {"rho": number}),
    (log_density, {"cells": cells, "latents": z}, {"latents": numbers + scalar, "rho": number}),
    (latent_measures, {"cells": cells}, {"cells": [net, 3]}),
    (latent_law, {"cells": cells, "data": y}, {"data": numbers + scalar}),
    (project, {"cells": cells, "points": y}, {"points": numbers + scalar}),
    (frequencies, {"labels": [0, 1], "classes": 2},
     {"labels": ["ab", 3, None], "classes": whole + [10**30], "log_weights": ["abc", {}, 1.0], "confidence": number}),
    (frequencies_by_rho, {"sampler": sampler, "classify": lambda y: y[:, 0] > 0, "rhos": [0.0], "classes": 2},
     {"sampler": [net, 3], "classify": [3, "a"], "rhos": [None, "ab", ["a"]], "classes": whole}),
    (frequencies([0, 1], 2).imbalance, {}, {"wanted": ["ab", 3.0, [1.0]]}),
    (log_volume, {"generator": net, "latents": z},
     {"latents": numbers + [[[1.0], [1.0, 2.0]]], "method": ["x", 3, z], "top": whole, "condition": [2.5, "a"]}),
    (log_volume, {"generator": net, "latents": z, "method": "sketch"}, {"sketch": whole, "seed": whole}),
    (measured_bias, {"generator": net, "latents": z, "sketch": 2}, {"sketch": whole, "seed": whole}),
    (singular_values, {"generator": net, "latents": z}, {"latents": numbers, "top": whole, "condition": [2.5]}),
    (sketch_bias, {"outputs": 10, "sketch": 5, "latents": 2},
     {"outputs": whole + [None], "sketch": whole + [None], "latents": whole + [None]}),
    (UniformBox, {"low": (0.0,), "high": (1.0,)}, {"low": numbers + scalar, "high": numbers + scalar + [("a",)]}),
    (UniformBall, {"dimension": 2}, {"dimension": whole, "radius": positive}),
    (Gaussian, {"dimension": 2}, {"dimension": whole, "deviation": positive, "radius": [0.0, "3", []]}),
    (drawn, {"dimension": 2, "sampler": lambda n, g: g.random((n, 2)), "density": lambda z: z[:, 0]},
     {"dimension": whole, "sampler": [3], "density": [3]}),
    (approach, {"generator": net, "points": y, "prior": box, "pool": 5, "steps": 1},
     {"points": scalar, "prior": [net], "starts": whole, "pool": whole, "steps": whole, "seed": whole,
      "latent_shape": [3, "a", (3,), (-1, -2)], "radius": [0.0, "3", []]}),
    (VolumeSampler, {"generator": net, "prior": box},
     {"prior": [3], "rho": number, "base": ["x", z], "pool": whole + [10**30], "latent_shape": [3, "a", (2.5,)],
      "condition": [3], "method": ["x", z], "seed": whole, "store": [2.5], "executor": [3]}),
    (sampler.sample, {"number": 2}, {"number": whole + [10**30], "seed": whole}),
    (sampler.rejection, {"number": 2}, {"number": whole, "seed": whole, "limit": whole}),
    (sampler.metropolis, {"number": 2}, {"number": whole + [10**30], "seed": whole, "burn": whole}),
    (sampler.with_rho, {"rho": 1.0}, {"rho": number, "base": ["x", 3, z]}),
    (lambda **given: next(sampler.batches(**given)), {"size": 2}, {"size": whole, "seed": whole}),
    (lambda **given: next(iter(sampler.dataset(**given))), {"size": 2}, {"size": whole, "seed": whole}),
    (from_determinant_power, {"power": 0.5}, {"power": number}),
    (conditioned, {"generator": net, "numbers": {0: 1.0}, "input_shape": (2,)},
     {"generator": [3], "numbers": [3, None, {0: "x"}, {0.5: 1.0}, {True: 1.0}, {"a": 1.0}],
      "input_shape": [3, "a", (-2,)]}),
]
asked = 0
for function, good, bad in table:
    function(**good)
    for name, values in bad.items():
        for value in values:
            asked += 1
            try:
                function(**good | {name: value})
            except splinescope.errors.SplinescopeError as error:
                if "\\n" in str(error) or "expected" not in str(error):
                    print(function, name, value, "told:", error)
            except Exception as error:
                print(function, name, value, "raised", type(error).__name__, error)
            else:
                print(function, name, value, "was taken")
print(asked)
"""


def test_arguments_that_are_none() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM], capture_output=True, text=True, check=True)
    *wrong, asked = done.stdout.splitlines()
    assert not wrong, "\n".join(wrong)
    assert int(asked) > 300
