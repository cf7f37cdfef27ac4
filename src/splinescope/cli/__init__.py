"""The command line: parse, call, print."""

from splinescope.cli.app import main

__all__ = ["main"]
