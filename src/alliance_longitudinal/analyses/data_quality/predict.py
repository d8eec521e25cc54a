"""What predicts that the next form is missing, and that a client leaves: mixed models of yes and no."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.data_quality.check import Check, not_checked
from alliance_longitudinal.analyses.data_quality.records import Filled, Records
from alliance_longitudinal.analyses.kit import Estimate
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.labels import listing, number
from alliance_longitudinal.sentences import say, told

if TYPE_CHECKING:
    from alliance_longitudinal.engine.results.generalised import GeneralisedResults

#: Events, and rows without one, that a model needs: about ten for each of its coefficients (Peduzzi et al. 1996).
ENOUGH_EVENTS, ENOUGH_THERAPISTS = 50, 5
#: Days before the last date of the file within which a client may simply not have come again yet.
STILL_THERE = 42
#: Below this p the missing forms are called predictable.
CLEAR = 0.01
_REFERENCE = ("peduzzi1996",)


@dataclass(frozen=True, slots=True)
class Question:
    """One model: what happens or not, by what is known before.

    Attributes
    ----------
    id, title, about : str
    unit : str
        What a row is.
    frame : DataFrame
        ``event`` (0 or 1), ``therapist``, ``client``, ``session`` and the predictors, standardised.
    predictors : mapping of str to str
        Column to words.
    random : str
        The random part of the formula.
    """

    id: str
    title: str
    about: str
    unit: str
    frame: pd.DataFrame = field(repr=False)
    predictors: dict[str, str]
    random: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A question with its model, if it could be fitted, and what became of it."""

    question: Question
    check: Check
    formula: str = ""
    result: "GeneralisedResults | None" = None
    estimates: tuple[Estimate, ...] = ()


def predictions(records: Records, filled: list[Filled]) -> list[Answered]:
    """Every model of missing forms (one a measure) and of leaving treatment."""
    known = _known_before(records)
    questions = [_missing_form(records, f, known) for f in filled]
    return [_answer(q) for q in [*questions, _leaving(records, known)]]


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a client by a session: columns aligned with the sessions, and their words."""

    before: pd.DataFrame
    by_now: pd.DataFrame
    words: dict[str, str]


def _known_before(records: Records) -> _Known:
    """Last scores before, or up to, each session; the first symptom score; in standard deviations."""
    client = records.sessions["client"].to_numpy()
    before, by_now, words = {}, {}, {}
    for construct, column in (("symptoms", "symptoms"), ("alliance", "alliance")):
        measure = _first(records, construct)
        if measure is None:
            continue
        scores = records.sessions[measure.name].astype(float)
        last = scores.groupby(client).ffill()
        before[column] = _standard(last.groupby(client).shift())
        by_now[column] = _standard(last)
        words[column] = f"last {measure.instrument.label}"
        if construct == "symptoms":
            first = _standard(scores.groupby(client).transform("first"))
            before["intake"] = by_now["intake"] = first
            words["intake"] = f"first {measure.instrument.label}"
    return _Known(pd.DataFrame(before), pd.DataFrame(by_now), words)


def _first(records: Records, construct: str) -> Measure | None:
    return next((m for m in records.measures if m.construct == construct), None)


def _standard(values: "pd.Series[float]") -> "pd.Series[float]":
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > 0 else values * np.nan


def _usable(frame: pd.DataFrame, words: dict[str, str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Rows and predictors that a model can use; a predictor that most rows lack, or that is always the same, is left out."""
    kept = {k: w for k, w in words.items() if frame[k].notna().mean() > 0.5}
    rows = frame.dropna(subset=list(kept)).reset_index(drop=True)
    return rows, {k: w for k, w in kept.items() if len(rows) and rows[k].std() > 1e-9}


def _missing_form(records: Records, filled: Filled, known: _Known) -> Question:
    sessions = records.sessions
    frame = known.before.assign(
        event=filled.missing.astype(int),
        therapist=sessions["therapist"].astype(object),
        client=sessions["client"].astype(object),
        session=_standard(sessions["session"].astype(float)),
    )
    rows, words = _usable(frame[filled.expected], known.words)
    label = filled.measure.label
    return Question(
        "predict_missing",
        f"What predicts a missing {label}",
        filled.measure.name,
        "form",
        rows,
        {**words, "session": "session number"},
        "(1 | therapist/client)",
    )


def _leaving(records: Records, known: _Known) -> Question:
    """Each session after which the client may not have come again (person-period data); leaving = it was the last one.

    Session numbers at which nobody or everybody leaves say nothing and are left out.
    """
    sessions = records.sessions
    last = ~np.r_[records.same_client[1:], False]
    rows = np.ones(len(sessions), dtype=bool)
    title = "What predicts that a client ends treatment"
    if "ending" in records.study.clients:
        ending = sessions["client"].map(records.study.clients.set_index("client")["ending"])
        last = last & (ending == "dropout").to_numpy()
        rows = ending.notna().to_numpy(copy=True)
        title = "What predicts dropout"
    if "date" in sessions and sessions["date"].notna().any():
        late = sessions["date"] > sessions["date"].max() - pd.Timedelta(days=STILL_THERE)
        rows &= ~(late.to_numpy() & ~np.r_[records.same_client[1:], False])
    frame = known.by_now.assign(
        event=last.astype(int),
        therapist=sessions["therapist"].astype(object),
        client=sessions["client"].astype(object),
        session=sessions["session"].astype(int),
    )[rows]
    frame, words = _usable(frame, known.words)
    events, n = (frame.groupby("session")["event"].transform(how) for how in ("sum", "size"))
    frame = frame[(events >= 5) & (n - events >= 5)].reset_index(drop=True)
    return Question("predict_leaving", title, "", "session", frame, words, "(1 | therapist)")


def _answer(question: Question) -> Answered:
    from alliance_longitudinal.engine.generalised_model import GeneralisedModel

    frame, n = question.frame, len(question.frame)
    events = int(frame["event"].sum()) if n else 0
    need = 10 * (len(question.predictors) + 1)
    if min(events, n - events) < max(need, ENOUGH_EVENTS) or not question.predictors:
        few = "happens" if events < n - events else "fails to happen"
        why = f"It {few} in too few rows. A model needs {max(need, ENOUGH_EVENTS)}."
        return Answered(question, not_checked(question.id, question.title, question.about, why))
    terms = list(question.predictors)
    if question.id == "predict_leaving" and frame["session"].max() > frame["session"].min():
        terms.append("C(session)")
    some_without = frame["therapist"].isna().any()  # a therapist level would drop their rows
    random = question.random if frame["therapist"].nunique() >= ENOUGH_THERAPISTS and not some_without else ""
    formula = " + ".join(["event ~ 1", *terms, random or "(1 | client)"])
    try:
        result = GeneralisedModel.from_formula(formula, frame, family="binomial").fit()
    except FitError as error:
        why = say("The model could not be fitted: {why}", why=told(error))
        return Answered(question, not_checked(question.id, question.title, question.about, why), formula)
    return Answered(
        question, _check(question, result, n, events), formula, result, _ratios(question, result, n)
    )


def _check(question: Question, result: "GeneralisedResults", n: int, events: int) -> Check:
    clear = [k for k in question.predictors if result.pvalues[k] < CLEAR]
    if clear:
        said = [
            f"{question.predictors[k]} (odds ratio {number(float(np.exp(result.params[k])))} per SD)"
            for k in clear
        ]
        means = f"It depends on {listing(said)}, so it does not happen by chance alone."
    else:
        means = "No predictor has a clear effect. This does not prove that chance alone decides."
    return Check(
        question.id,
        question.title,
        question.about,
        question.unit,
        n,
        events,
        "look" if clear else "fine",
        f"Logistic mixed model of {listing(list(question.predictors.values()))}, with random "
        f"effects of therapists. Look if any has p < {CLEAR:g}.".replace("0.01", ".01"),
        "Use likelihood-based mixed models that include these predictors. Analyses of complete "
        "cases and of last scores are biased."
        if clear
        else "Nothing. Report which predictors were tested.",
        means,
        _REFERENCE,
    )


def _ratios(question: Question, result: "GeneralisedResults", n: int) -> tuple[Estimate, ...]:
    interval = result.conf_int()
    return tuple(
        Estimate(
            id=f"{question.id.removeprefix('predict_')}_{question.about or 'treatment'}_{k}",
            label=f"{question.title}: {words}",
            estimate=float(np.exp(result.params[k])),
            ci_low=float(np.exp(interval.loc[k, "lower"])),
            ci_high=float(np.exp(interval.loc[k, "upper"])),
            p=float(result.pvalues[k]),
            n=n,
            level="session",
            unit="odds ratio per SD",
        )
        for k, words in question.predictors.items()
    )
