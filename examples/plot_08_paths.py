"""
Paths inside a class
====================

Are two images of one class joined by a path on which the network never changes its mind? Between breakpoints a network
is affine, so that this is a question about finitely many points, and the answer is a proof.
"""

import numpy as np
import torch
from scipy.special import softmax

import splinescope
from splinescope import datasets, models
from splinescope.paths import nudged_elastic_band, straight
from splinescope.paths.profiles import path_profile, points_along
from splinescope.plotting import plot_loss_profile, plot_path_strip

generator = torch.Generator().manual_seed(0)
digits = datasets.digits()
module = models.mlp([64, 64, 64, 64, 64, 64, 64, 10], generator=generator)
models.train_classifier(module, digits.inputs[:1258], digits.labels[:1258], generator=generator, epochs=60)
network = splinescope.from_torch(module, input_shape=(1, 8, 8))

# %%
# Pairs of a digit and another one that the network takes for the same. Thousands of straight paths are decided at once.

inputs, labels = digits.inputs[1258:].double().numpy(), digits.labels[1258:].numpy()
leading = network(inputs).argmax(axis=1)
pairs = [(i, j) for i in range(0, 539, 5) for j in range(539) if leading[i] == leading[j] == labels[i] != labels[j]]
starts, ends = (inputs[list(side)] for side in zip(*pairs, strict=True))
paths = straight(network, starts, ends, leading[[i for i, _ in pairs]])
print(paths)

# %%
# The worst of them: where another class leads, and by how much.

worst = int(paths.minimum_margin.argmin())
print(paths[worst])

# %%
# A nudged elastic band bends it into the class. It stops when every segment is certified, not when its corners are in
# class.

target = int(paths.targets[worst])
bent = nudged_elastic_band(network, starts[worst], ends[worst], target, box=(0, 1))[0]
print(bent)

# %%
# Images along the straight path, framed where another class leads, with the probability of each class below.

corners = np.stack([starts[worst], ends[worst]])
images = points_along(corners, 9)
_ = plot_path_strip(images, softmax(network(images), axis=1), target)

# %%
# The same along the bent one.

images = points_along(bent.points, 9)
_ = plot_path_strip(images, softmax(network(images), axis=1), target)

# %%
# The loss along both. It is convex between breakpoints: the largest values are exact.

profiles = [path_profile(network, points, target) for points in (corners, bent.points)]
_ = plot_loss_profile(profiles, ["straight", "bent"])
