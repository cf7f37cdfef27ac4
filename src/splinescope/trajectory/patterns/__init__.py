"""Activation patterns on data: as an orthogonal function space, as a decision tree, and what they tell."""
