"""Experiments: one per figure or table of a paper, each run and compared with its source by one call.

Each is a folder of its own (see `shared.experiment`), named in `shared.registry`.
"""

from splinescope.experiments.shared.claims import Claim, Verdict
from splinescope.experiments.shared.config import Config
from splinescope.experiments.shared.registry import EXPERIMENTS, Entry, entry
from splinescope.experiments.shared.reproduce import Report, judge, reproduce
from splinescope.experiments.shared.tables import Table

__all__ = [
    "EXPERIMENTS",
    "Claim",
    "Config",
    "Entry",
    "Report",
    "Table",
    "Verdict",
    "entry",
    "judge",
    "reproduce",
]
