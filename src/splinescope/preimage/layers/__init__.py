"""Single layers with ReLU: preimages in closed form, circulant layers, nesting and contraction."""
