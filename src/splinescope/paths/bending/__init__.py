"""Paths that bend where the straight one leaves the class: bands, strings, and few segments."""
