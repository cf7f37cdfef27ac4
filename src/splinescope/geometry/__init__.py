"""Convex geometry in the plane and signs as bits; nothing here has heard of a network."""
