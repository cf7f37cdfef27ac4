"""
A plane through three digits
============================

Images have many inputs; three of them span a plane. The picture shows how a convolutional network with max-pooling cuts
that plane, and where it changes its mind.
"""

# %%
# Scikit-learn's digits and a small convolutional network.

import numpy as np
import torch

import splinescope
from splinescope import datasets, models, plotting

generator = torch.Generator().manual_seed(1)
digits = datasets.digits()
net = models.convnet((1, 8, 8), 10, channels=(6, 8), generator=generator)
result = models.train_classifier(net, digits.inputs, digits.labels, generator=generator, epochs=10)
print(f"{result.accuracy:.1%} of the training images are classified correctly")

# %%
# The plane through a three, a seven and an eight. The basis of the slice is orthonormal: areas in the plane are areas
# in the space of images.

network = splinescope.from_torch(net, input_shape=(1, 8, 8))
domain = splinescope.Slice.through(*digits.take([3, 7, 8]))
cells = splinescope.tessellate(network, domain)
print(cells)

# %%
# Colours are the predicted classes, exactly: a cell that the boundary crosses is cut.

plotting.plot_tessellation(cells, "class")

# %%
# Which class has how much of the plane, and how long is the boundary?

from splinescope.tessellation.boundary import class_areas

for label in np.flatnonzero(class_areas(cells)):
    print(f"class {label}: {class_areas(cells)[label] / domain.area:6.1%}")
print(f"length of the boundary: {splinescope.decision_boundary(cells).lengths.sum():.3f}")
