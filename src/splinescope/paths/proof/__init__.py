"""Whether a class leads on segments and polylines: by all breakpoints, or by bounds on ever smaller pieces."""
