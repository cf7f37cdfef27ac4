"""Networks on the branches of patterns: values and slopes of every node, walls of every unit, and their errors."""
