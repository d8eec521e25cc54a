"""Reads and scores what a clinic exports; knows instruments but no models."""

from alliance_longitudinal.data.describe import describe_study
from alliance_longitudinal.data.flow import FlowStep, SampleFlow
from alliance_longitudinal.data.inputs import table_hashes
from alliance_longitudinal.data.load import load_study
from alliance_longitudinal.data.readers.source import Source
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.data.study_file.measure import Measure

__all__ = [
    "FlowStep",
    "Measure",
    "SampleFlow",
    "Source",
    "Study",
    "describe_study",
    "load_study",
    "table_hashes",
]
