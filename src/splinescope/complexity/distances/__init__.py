"""How far points are from folds and decision boundaries."""
