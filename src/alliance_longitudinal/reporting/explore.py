"""``al.explore``: linked controls over a study in JupyterLab. Every state shows the call and the command that reproduce it."""

import base64
import html
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alliance_longitudinal.errors import AllianceError, UsageError
from alliance_longitudinal.reporting.record.inputs import study_argument

if TYPE_CHECKING:
    from alliance_longitudinal.data.study import Study
    from alliance_longitudinal.present.plots.drawn import Drawn

_ALL = "all"
_UNNAMED = "STUDY.yaml"
#: Fewer rows or therapists make no picture of therapists.
_FEWEST_THERAPISTS = 3


@dataclass(frozen=True, slots=True)
class State:
    """What is chosen.

    Attributes
    ----------
    alliance, outcome : str
        Measures; the rater goes with the measure.
    clinic, therapist : str or None
        None: all of them.
    window : tuple of int
        First and last early session.
    """

    alliance: str
    outcome: str
    clinic: str | None
    therapist: str | None
    window: tuple[int, int]

    def call(self, study: str) -> str:
        """The Python call that gives the answer of this state."""
        clinic = "" if self.clinic is None else f", clinic={self.clinic!r}"
        return (
            f"al.early_alliance(al.load_study({study!r}), window={self.window}, alliance={self.alliance!r}, "
            f"outcome={self.outcome!r}{clinic})"
        )

    def command(self, study: str) -> str:
        """The command that makes its report."""
        words = ["alliance", "report", study, "--notebook", "early_alliance"]
        given = {
            "window": f"{self.window[0]},{self.window[1]}",
            "alliance": self.alliance,
            "outcome": self.outcome,
        }
        if self.clinic is not None:
            given["clinic"] = self.clinic
        for name, value in given.items():
            words += ["-p", f"{name}={value}"]
        return shlex.join([*words, "--out", "reports/explored"])


class Explorer:
    """Controls and what they show; the last value of a cell shows it.

    Attributes
    ----------
    controls : mapping of str to widget
        ``alliance``, ``outcome``, ``clinic``, ``therapist``, ``window``, and the button ``answer``.
    panel : widget
        All of it.
    """

    def __init__(self, study: "Study", source: str) -> None:
        import ipywidgets as widgets

        self._study = study
        self._source = source
        self._first = _first_state(study)
        self._sessions = study.sessions
        self.controls: Mapping[str, Any] = _controls(study, self._first)
        self._pictures = {name: widgets.HTML() for name in ("courses", "therapists")}
        self._answer, self._code = widgets.HTML(), widgets.HTML()
        # One answer is kept for each state, so that going back to it costs nothing.
        self._answered = lru_cache(maxsize=32)(self._analysed)
        for name, control in self.controls.items():
            if name != "answer":
                control.observe(self._changed, names="value")
        self.controls["answer"].on_click(self._asked)
        chosen = widgets.HBox([self.controls[n] for n in ("alliance", "outcome", "clinic", "therapist")])
        asked = widgets.HBox([self.controls["window"], self.controls["answer"]])
        self.panel: Any = widgets.VBox(
            [chosen, asked, widgets.HBox(list(self._pictures.values())), self._answer, self._code]
        )
        self._show()

    @property
    def state(self) -> State:
        """What is chosen now."""
        values = {name: c.value for name, c in self.controls.items() if name != "answer"}
        for name in ("clinic", "therapist"):
            values[name] = None if values[name] == _ALL else values[name]
        return replace(self._first, **{**values, "window": tuple(values["window"])})

    @property
    def call(self) -> str:
        """The Python call that reproduces the answer of the present state."""
        return self.state.call(self._source)

    @property
    def command(self) -> str:
        """The command that makes the report of the present state."""
        return self.state.command(self._source)

    def answer(self) -> Any:
        """The analysis of the present state, an `AnalysisResult`."""
        s = self.state
        return self._answered(s.alliance, s.outcome, s.clinic, s.window)

    def _analysed(self, alliance: str, outcome: str, clinic: str | None, window: tuple[int, int]) -> Any:
        import alliance_longitudinal as al

        return al.early_alliance(
            self._study, window=window, alliance=alliance, outcome=outcome, clinic=clinic
        )

    def _changed(self, _: Any) -> None:
        self._answer.value = "<p><i>Press the button for the answer of this choice.</i></p>"
        self._show()

    def _asked(self, _: Any) -> None:
        button = self.controls["answer"]
        button.disabled, button.description = True, "Computing …"
        try:
            result = self.answer()
            said = "".join(f"<p>{html.escape(str(s))}</p>" for s in result.answer)
            words = f"<h4>{html.escape(result.title)}: {html.escape(result.status['label'])}</h4>{said}"
        except AllianceError as error:
            words = f"<p>{html.escape(str(error))}</p>"
        finally:
            button.disabled, button.description = False, "Answer"
        self._answer.value = words

    def _show(self) -> None:
        s = self.state
        rows = self._rows(s)
        self._pictures["courses"].value = _tried(lambda: _courses(self._study, rows, s))
        self._pictures["therapists"].value = _tried(
            lambda: _therapists(self._study, self._rows(replace(s, therapist=None)), s)
        )
        lines = html.escape(f"{self.call}\n\n{self.command}")
        who = "" if s.therapist is None else "<p>The answer is about all therapists of the choice.</p>"
        self._code.value = f"{who}<pre>{lines}</pre>"

    def _rows(self, s: State) -> Any:
        rows = self._sessions
        for name in ("clinic", "therapist"):
            value = getattr(s, name)
            if value is not None:
                rows = rows[rows[name] == value]
        return rows

    def __repr__(self) -> str:
        return f"{self.call}\n{self.command}"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """What JupyterLab shows: the controls."""
        return self.panel._repr_mimebundle_(**options)


def explore(study: "Study | str | Path") -> Explorer:
    """Explore a study with linked controls, in JupyterLab.

    Parameters
    ----------
    study : Study or path
        A loaded study, or its study file (or ``"demo"``). If it is a path, the call and the command name it.

    Returns
    -------
    Explorer
        With controls for measures (and their raters), clinic, therapist and window; the courses of clients, therapists in
        order, and the answer of ``early_alliance`` on request. It always shows the Python call and the command that
        reproduce what is chosen.

    Raises
    ------
    UsageError
        If ipywidgets is not installed, or the study lacks an alliance or a symptom measure.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> explorer = al.explore("demo")
    >>> explorer.controls["window"].value = (1, 3)
    >>> print(explorer.call)
    al.early_alliance(al.load_study('demo'), window=(1, 3), alliance='alliance', outcome='phq9')
    """
    from importlib.util import find_spec

    if find_spec("ipywidgets") is None:
        raise UsageError(
            "Exploring needs ipywidgets. Install it with: pip install 'alliance-longitudinal[lab]'."
        )
    if isinstance(study, str | Path):
        from alliance_longitudinal.data import load_study

        return Explorer(load_study(study), study_argument(study))
    return Explorer(study, _UNNAMED)


def _first_state(study: "Study") -> State:
    found = {
        c: [n for n, m in study.measures.items() if m.instrument.construct == c]
        for c in ("alliance", "symptoms")
    }
    for construct, names in found.items():
        if not names:
            raise UsageError(f"The study has no {construct} measure to explore.")
    return State(found["alliance"][0], found["symptoms"][0], None, None, study.early_window)


def _controls(study: "Study", first: State) -> dict[str, Any]:
    import ipywidgets as widgets

    sessions = study.sessions

    def named(construct: str) -> list[tuple[str, str]]:
        return [(m.label, n) for n, m in study.measures.items() if m.instrument.construct == construct]

    def values(column: str) -> list[str]:
        return [_ALL, *(sorted(sessions[column].dropna().unique()) if column in sessions else [])]

    last = int(sessions["session"].max())
    return {
        "alliance": widgets.Dropdown(options=named("alliance"), value=first.alliance, description="Alliance"),
        "outcome": widgets.Dropdown(options=named("symptoms"), value=first.outcome, description="Outcome"),
        "clinic": widgets.Dropdown(options=values("clinic"), value=_ALL, description="Clinic"),
        "therapist": widgets.Dropdown(options=values("therapist"), value=_ALL, description="Therapist"),
        "window": widgets.IntRangeSlider(
            value=first.window,
            min=0,
            max=max(last, first.window[1]),
            description="Early",
            continuous_update=False,
        ),
        "answer": widgets.Button(description="Answer", tooltip="Run early_alliance for this choice"),
    }


def _courses(study: "Study", rows: Any, s: State) -> "Drawn":
    """Median and quartiles of the chosen clients along the sessions, with the early window."""
    from types import SimpleNamespace

    from alliance_longitudinal.present import plot

    chosen = SimpleNamespace(sessions=rows, measures=study.measures)
    return plot(chosen, "courses", measures=[s.alliance, s.outcome], window=s.window)


def _therapists(study: "Study", rows: Any, s: State) -> "Drawn":
    """Therapists in order of the alliance with their clients in the early window."""
    import alliance_longitudinal as al

    if "therapist" not in rows or rows["therapist"].nunique() < _FEWEST_THERAPISTS:
        raise UsageError("Too few therapists to compare.")
    early = rows[rows["session"].between(*s.window)]
    means = early.groupby(["therapist", "client"], as_index=False)[s.alliance].mean().dropna()
    fit = al.MixedModel.from_formula(f"`{s.alliance}` ~ 1 + (1 | therapist)", means).fit()
    figure = fit.plot("caterpillar", group="therapist")
    figure.alt = f"Therapists in order of their clients' early {study.measures[s.alliance].label}."
    drawn: Drawn = figure
    return drawn


def _tried(draw: Any) -> str:
    """A picture as HTML, or the sentence that says why there is none."""
    try:
        figure = draw()
    except AllianceError as error:
        return f"<p>{html.escape(str(error))}</p>"
    picture, _ = figure._repr_png_()
    data = base64.b64encode(picture).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{html.escape(figure.alt, quote=True)}" style="max-width:100%">'
