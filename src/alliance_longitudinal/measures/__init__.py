"""Questionnaires: what is known about each, and how a form becomes a score."""

from alliance_longitudinal.measures.describe import check_instrument_file, describe_instrument
from alliance_longitudinal.measures.instrument import (
    Cutoff,
    Instrument,
    MissingRule,
    ReliableChange,
)
from alliance_longitudinal.measures.registry import find_instrument, instruments, load_instruments
from alliance_longitudinal.measures.score import Scores, score

__all__ = [
    "Cutoff",
    "Instrument",
    "MissingRule",
    "ReliableChange",
    "Scores",
    "check_instrument_file",
    "describe_instrument",
    "find_instrument",
    "instruments",
    "load_instruments",
    "score",
]
