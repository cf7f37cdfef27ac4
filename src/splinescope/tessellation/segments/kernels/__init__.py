"""Compiled loops over the points of segments, and the arrays that they work on."""
