"""``al.explore``: each state draws what is chosen, and its call and command give the same numbers."""

import shlex
from dataclasses import replace
from typing import Any

import pytest

import alliance_longitudinal as al
from alliance_longitudinal.errors import UsageError


@pytest.fixture(scope="module")
def study() -> al.Study:
    return al.load_study("demo")


@pytest.fixture
def explorer(study: al.Study) -> Any:
    return al.explore(study)


def test_a_state_shows_the_call_and_the_command_that_give_its_answer() -> None:
    explorer = al.explore("demo")
    explorer.controls["clinic"].value = "Nord"
    explorer.controls["window"].value = (2, 4)
    assert explorer.call == (
        "al.early_alliance(al.load_study('demo'), window=(2, 4), alliance='alliance', outcome='phq9', clinic='Nord')"
    )
    words = shlex.split(explorer.command)
    assert words[:5] == ["alliance", "report", "demo", "--notebook", "early_alliance"]
    given = dict(w.split("=", 1) for i, w in enumerate(words) if words[i - 1] == "-p")
    assert given == {"window": "2,4", "alliance": "alliance", "outcome": "phq9", "clinic": "Nord"}
    shown = explorer.panel.children[-1].value
    assert "window=(2, 4)" in shown
    assert "-p window=2,4" in shown
    explorer.controls["answer"].click()
    result = eval(explorer.call, {"al": al})
    assert explorer.answer().estimates.equals(result.estimates)
    assert explorer.answer() is explorer.answer()  # kept
    said = explorer.panel.children[-2].value
    assert result.title in said
    explorer.controls["window"].value = (1, 5)
    assert "Press the button" in explorer.panel.children[-2].value


def test_pictures_follow_the_choice_and_say_what_they_show(explorer: Any) -> None:
    courses, therapists = explorer.panel.children[2].children
    before = courses.value, therapists.value
    assert all('<img src="data:image/png;base64,' in text and 'alt="' in text for text in before)
    explorer.controls["clinic"].value = "Nord"
    assert courses.value != before[0]
    assert therapists.value != before[1]
    explorer.controls["therapist"].value = explorer.controls["therapist"].options[1]
    assert "about all therapists of the choice" in explorer.panel.children[-1].value
    assert explorer.state.therapist == explorer.controls["therapist"].options[1]


def test_an_answer_that_cannot_be_given_is_a_sentence(explorer: Any) -> None:
    explorer.controls["window"].value = (0, 0)
    explorer.controls["answer"].click()
    assert "<p>" in explorer.panel.children[-2].value
    assert explorer.controls["answer"].description == "Answer"
    assert not explorer.controls["answer"].disabled


def test_it_is_shown_by_jupyter_and_in_a_terminal(explorer: Any) -> None:
    assert "application/vnd.jupyter.widget-view+json" in explorer._repr_mimebundle_()
    assert repr(explorer) == f"{explorer.call}\n{explorer.command}"
    assert "al.load_study('STUDY.yaml')" in explorer.call


def test_what_is_missing_is_said(study: al.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    measures = {name: m for name, m in study.measures.items() if name != "alliance"}
    with pytest.raises(UsageError, match="The study has no alliance measure to explore"):
        al.explore(replace(study, measures=measures))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"Exploring needs ipywidgets. Install it with"):
        al.explore(study)
