"""Questionnaires: what is known about each, and how a form becomes a score."""

from alliance_longitudinal.measures.instrument import (
    Cutoff,
    Instrument,
    MissingRule,
    ReliableChange,
)
from alliance_longitudinal.measures.registry import instruments, load_instruments
from alliance_longitudinal.measures.score import Scores, score

__all__ = [
    "Cutoff",
    "Instrument",
    "MissingRule",
    "ReliableChange",
    "Scores",
    "instruments",
    "load_instruments",
    "score",
]
