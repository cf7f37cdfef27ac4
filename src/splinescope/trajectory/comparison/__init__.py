"""Two networks as one: where they differ, by how much, and where their classes do."""
