"""The examples in the docstrings of data, measures and simulation give what they say."""

import doctest
import importlib

import pytest

#: Module -> the public names whose examples it has to have.
MODULES = {
    "data.load": ["load_study"],
    "data.study": ["Study"],
    "data.describe": ["describe_study"],
    "data.flow": ["SampleFlow"],
    "data.schedule": ["planned_assessments"],
    "measures.registry": ["instruments"],
    "measures.score": ["score"],
    "simulation.clinic": ["simulate_clinic", "SimulatedClinic"],
    "simulation.truth": ["ClinicTruth"],
}


@pytest.mark.parametrize("name", MODULES)
def test_examples_run_as_they_are_printed(name):
    module = importlib.import_module(f"alliance_longitudinal.{name}")
    tests = {t.name.rpartition(".")[2]: t for t in doctest.DocTestFinder().find(module) if t.examples}
    assert set(MODULES[name]) <= set(tests)
    assert doctest.testmod(module).failed == 0
