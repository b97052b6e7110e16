"""Looks at the data of a config before anything is trained on it."""

from .check import CheckOptions, DatasetCheck
from .findings import Findings
from .media import LEVELS
from .page import write_report
from .problem import ERRORS, WARNINGS, Problem
from .sources import SPLITS
from .summary import print_summary, summary, write_skip_list

__all__ = [
    "ERRORS",
    "LEVELS",
    "SPLITS",
    "WARNINGS",
    "CheckOptions",
    "DatasetCheck",
    "Findings",
    "Problem",
    "print_summary",
    "summary",
    "write_report",
    "write_skip_list",
]
