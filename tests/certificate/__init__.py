"""Certificates: mutants are caught, deep networks are looked at closely enough."""
