"""Renderers for the figures of experiments: axes in, axes changed; sizes and type of a printed page."""
