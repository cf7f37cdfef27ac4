"""Shortest paths on surfaces made of flat triangles, exactly, by windows that rays from sources light on edges."""
