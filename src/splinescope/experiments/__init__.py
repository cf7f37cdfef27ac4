"""Experiments: one per figure or table of a paper, each run and compared with its source by one call."""

from splinescope.experiments.base import Claim, Config, Findings, Table, Verdict
from splinescope.experiments.registry import EXPERIMENTS, Entry, entry
from splinescope.experiments.reproduce import Report, reproduce

__all__ = [
    "EXPERIMENTS",
    "Claim",
    "Config",
    "Entry",
    "Findings",
    "Report",
    "Table",
    "Verdict",
    "entry",
    "reproduce",
]
