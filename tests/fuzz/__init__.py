"""Small valid files, changed at random, and what the readers say of them: `python -m tests.fuzz` (`make fuzz`)."""
