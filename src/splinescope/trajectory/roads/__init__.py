"""The road of inputs through the layers of a network."""
