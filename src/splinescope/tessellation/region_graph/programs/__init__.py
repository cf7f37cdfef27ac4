"""Linear programs of one cell: in float64 by the simplex method, by HiGHS, in rational arithmetic."""
