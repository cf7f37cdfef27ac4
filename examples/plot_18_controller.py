"""
A controller, verified
======================

A small network holds a pendulum upright. Where does it push the wrong way, and how hard can its command change? Both
have exact answers, with a certificate.
"""

# %%
# The controller imitates a saturated linear law for the angle and the speed of the pendulum. Yours may be a `.onnx`
# file, a `.pt2` file or any module: `splinescope.load` takes them all.

import torch
from torch import nn

import splinescope
from splinescope.preimage import PolytopeTarget, preimage_of

torch.manual_seed(0)
controller = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 1))
states = torch.rand(4096, 2) * torch.tensor([1.2, 4.0]) - torch.tensor([0.6, 2.0])
law = (-12 * states[:, :1] - 4 * states[:, 1:]).clamp(-5, 5)
optimizer = torch.optim.Adam(controller.parameters(), lr=1e-2)
for _ in range(400):
    optimizer.zero_grad()
    loss = (controller(states) - law).square().mean()
    loss.backward()
    optimizer.step()
print(f"mean squared error {loss.item():.4f}")

# %%
# All that it does for two inputs is one picture: in each cell the command is an affine function of the state.

names = ("angle (rad)", "speed (rad/s)")
domain = splinescope.Slice.box([-0.6, -2.0], [0.6, 2.0], names=names)
cells = splinescope.tessellate(controller, domain)
force = cells.interior_outputs()[:, 0]
cells.plot(color=force, label="command (N m)", colormap="RdBu", title=f"{len(cells)} cells")
print(f"forward passes of the controller agree in {cells.certificate.interior_points} of {len(cells)} cells")

# %%
# How much can the command change with the state? The largest gradient over the cells is the Lipschitz constant; no
# sampling is needed, and none could find more.

print(f"{cells.lipschitz():.2f} N m for one unit of angle and speed; the law itself has {(12**2 + 4**2) ** 0.5:.2f}")

# %%
# A requirement: *a pendulum that leans to the right and falls further is pushed back*, so that no state with an angle
# of at least 0.05 and a speed of at least 0 may get a command of zero or more. The states that break it are a preimage.

leaning = splinescope.Box([0.05, 0.0], [0.6, 2.0], names=names)
pushed_on = PolytopeTarget([[-1.0]], [0.0])  # -command <= 0
broken = preimage_of(controller, pushed_on, leaning)
print("holds" if broken.volume == 0 else f"violated on {broken.volume / 1.1:.2%} of the states", broken.complete)

# %%
# A harder one: *beyond an angle of 0.3 the command is at least 4.9 strong*. Where it breaks is known to the last
# corner, as a list of polygons; a counterexample is any point of them, and the network itself confirms it.

far = splinescope.Box([0.3, -0.5], [0.6, 2.0], names=names)
weak = preimage_of(controller, PolytopeTarget([[-1.0]], [4.9]), far)
print(f"violated on {weak.volume / 0.75:.2%} of the states, in {len(weak)} polygons")
example = torch.from_numpy(weak.sample(1)).float()
print(f"for instance at {example[0].tolist()}: {controller(example).item():.3f} N m")

# %%
weak.plot(title="less than 4.9 N m beyond 0.3 rad")
