"""Every example in a docstring of the package runs and prints what it says."""

import doctest
import importlib
import pkgutil

import pytest

import alliance_longitudinal as al

MODULES = sorted(
    m.name for m in pkgutil.walk_packages(al.__path__, f"{al.__name__}.") if not m.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    found = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.failed == 0


def test_there_are_examples_of_every_public_function() -> None:
    """A public name has an example of its own, or is an error, a result or a record that others return."""
    without = {
        n
        for n in al.__all__
        if n not in ("__version__", "methods") and ">>>" not in (getattr(al, n).__doc__ or "")
    }
    records = {n for n in without if n.endswith(("Error", "Results", "Result")) or n in RECORDS}
    assert without - records == set()


RECORDS = {"Finding", "Study", "SimulatedClinic", "ClinicTruth", "publish", "Source"}
