"""Face lattices of polyhedral complexes in three and more dimensions."""
