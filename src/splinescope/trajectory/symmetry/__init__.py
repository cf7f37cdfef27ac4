"""Symmetries of networks: which there are, how they are applied and undone, and alignment of two networks by them."""
