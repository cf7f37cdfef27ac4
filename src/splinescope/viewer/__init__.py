"""A viewer in the browser: one self-contained page for a complex, opened from disk."""

from splinescope.viewer.page import explore as explore

__all__ = ["explore"]
