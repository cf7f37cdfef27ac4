"""A viewer in the browser: one self-contained page for cells, opened from disk."""

from splinescope.viewer.explore import explore as explore
from splinescope.viewer.frames import explore_frames as explore_frames
from splinescope.viewer.linked import explore_linked as explore_linked
from splinescope.viewer.page import Page as Page

__all__ = ["Page", "explore", "explore_frames", "explore_linked"]
