"""Parameters are checked once, for notebooks, command line and scripts alike."""

import ast
import inspect

import nbformat
import pytest

import alliance_longitudinal as al
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.resources import shipped
from inside.analyses_registry import REGISTRY

PARAMS = REGISTRY["early_alliance"].params


def parameters_cell(name: str) -> dict[str, object]:
    notebook = nbformat.read(shipped("notebooks") / f"{name}.ipynb", as_version=4)
    cells = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    assert len(cells) == 1
    body = ast.parse(cells[0].source).body
    return {a.targets[0].id: ast.literal_eval(a.value) for a in body}  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_notebook_cell_signature_and_params_say_the_same(name: str) -> None:
    params = REGISTRY[name].params
    defaults = params().to_dict()
    cell = parameters_cell(name)
    assert cell == {"study": "demo"} | defaults
    signature = inspect.signature(getattr(al, name))
    own = {k: p.default for k, p in signature.parameters.items() if k != "study"}
    assert {k: list(v) if isinstance(v, tuple) else v for k, v in own.items()} == defaults
    assert list(cell) == ["study", *defaults]


def test_every_notebook_has_an_analysis_and_every_analysis_a_notebook() -> None:
    assert {p.stem for p in shipped("notebooks").glob("*.ipynb")} == set(REGISTRY)


def test_text_of_the_command_line_becomes_values() -> None:
    text = {"window": "2-4", "min_rated": "2", "clinic": "007", "adjust_intake": "no", "outcome": "none"}
    params = PARAMS.from_mapping(text)
    assert params == PARAMS(window=(2, 4), min_rated=2, clinic="007", adjust_intake=False)


def test_a_misspelt_parameter_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(
        StudyError, match=r"There is no parameter 'windw'\. Did you mean 'window'\? Known: window, min_rated"
    ):
        PARAMS.from_mapping({"windw": "1,5"})


def test_all_problems_come_at_once() -> None:
    with pytest.raises(StudyError) as error:
        PARAMS.from_mapping({"n_boot": "3", "min_rated": "many", "colour": 1})
    text = str(error.value)
    assert "There is no parameter 'colour'." in text
    assert (
        "Parameter 'n_boot': give 0 for the profile likelihood; a bootstrap needs at least 50 samples; got '3'."
        in text
    )
    assert "Parameter 'min_rated': input should be a valid integer" in text


@pytest.mark.parametrize(
    ("name", "parameter", "last", "beyond", "words"),
    [
        ("planning", "sessions", 3, 2, "greater than or equal to 3; got 2"),
        ("planning", "sessions", 60, 61, "less than or equal to 60; got 61"),
        ("therapist_development", "horizon", 520, 521, "less than or equal to 520; got 521"),
        ("early_alliance", "seed", 0, -1, "greater than or equal to 0; got -1"),
        ("early_alliance", "n_boot", 10_000, 10_001, "less than or equal to 10000; got 10001"),
        ("variance_partition", "n_boot", 0, -1, "greater than or equal to 0; got -1"),
    ],
)
def test_bounds_are_those_that_are_documented(
    name: str, parameter: str, last: float, beyond: float, words: str
) -> None:
    """The last value is allowed, and the next one is refused."""
    params = REGISTRY[name].params
    assert getattr(params.from_mapping({parameter: last}), parameter) == last
    with pytest.raises(StudyError, match=f"Parameter '{parameter}': input should be {words}"):
        params.from_mapping({parameter: beyond})


def test_a_window_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(StudyError, match="The early window 'early' cannot be read"):
        PARAMS.from_mapping({"window": "early"})


def test_a_clinic_called_none_is_a_clinic() -> None:
    """It must never become all clinics."""
    assert PARAMS.from_mapping({"clinic": "None"}).clinic == "None"
    assert PARAMS.from_mapping({"clinic": "none"}).clinic is None
