"""
Sampling a generator by its volumes
===================================

A generator stretches some cells of its latent space more than others, and makes little of what they hold. Here one of
two latents is trained to draw digits; then it is sampled as it is, uniformly on its manifold, and at its modes.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

import splinescope
from splinescope import datasets, models
from splinescope.generative import entropy, expected_log_volume, sample, volume
from splinescope.plotting import plot_samples, plot_tessellation

generator = torch.Generator().manual_seed(0)
images = datasets.digits().inputs.flatten(1)

# %%
# An autoencoder, whose decoder is the generator of one's own.

encoder = models.mlp([64, 64, 2], generator=generator)
decoder = models.mlp([2, 24, 24, 64], generator=generator)
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=3e-3)
for _ in range(60):
    for batch in torch.randperm(len(images), generator=generator).split(64):
        optimizer.zero_grad()
        nn.functional.mse_loss(decoder(encoder(images[batch]).tanh()), images[batch]).backward()
        optimizer.step()

# %%
# Its cells in the square of latents, by the logarithm of what they are stretched by: exact, so that the area of the
# manifold and the entropy of the output are exact, too.

cells = splinescope.tessellate(decoder, splinescope.Slice.box([-1, -1], [1, 1]))
print(f"area {volume(cells):.4f}, entropy {entropy(cells):.4f} nats")
_ = plot_tessellation(cells, "log-volume", boundary=False)

# %%
# Uniform latents, uniform on the manifold, and modes. The mean log volume never decreases with the exponent.

figure, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="compressed")
for ax, rho in zip(axes, (-4.0, 0.0, 1.0), strict=True):
    drawn = sample(cells, 49, rho, generator=0)
    mean = expected_log_volume(cells, rho)
    plot_samples(np.clip(drawn.outputs, 0, 1), ax, title=rf"$\rho$ = {rho:g}: mean log volume {mean:.2f}")
