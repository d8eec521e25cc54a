"""Fits the fullest model that the design allows, by a rule that is stated beforehand.

The rule looks at the design (how many therapists, how many scores a client), never at the estimates: a variance
that comes out as zero stays in the model, so that uncertainty about therapists is not thrown away. The next
simpler structure is taken only when the design does not allow one, or when the engine cannot certify its optimum.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit.nesting import (
    HAS,
    KIND,
    LACKS,
    for_therapists,
    marked,
    own_mean,
    partly,
    usable_therapists,
    with_one,
)
from alliance_longitudinal.counts import Number, Share
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.inference import t_inference
from alliance_longitudinal.sentences import Sentence, joined, say, told

#: Fewest therapists with at least two clients for a therapist level: three variance parameters need more levels.
MIN_THERAPISTS = 5
#: Fewest therapists with three or more clients for an effect that differs between therapists. Without it, 95 % intervals
#: of an effect that does differ cover too rarely (84 % with 30 therapists; docs/calibration/early_alliance.md).
MIN_FOR_OWN_EFFECT, CLIENTS_FOR_OWN_EFFECT = 20, 3
#: What is said of clients without a therapist, beside that they have a mean of their own.
_OWN_VARIANCES = " and variances of their own"
#: A correlation this close to one is at its boundary.
PERFECT = 1e-6
#: Fewest share of clients with three or more scores for slopes that differ between clients.
MIN_SHARE_WITH_SLOPE = 0.5


@dataclass(frozen=True, slots=True)
class Structure:
    """The random part of a model as a formula and in words; ``own_effect`` names the effect that may differ between therapists, if there is one."""

    terms: str
    words: str
    therapist: bool
    client_slope: bool
    own_effect: str = ""


GROWTH = (
    Structure(
        "(1 + weeks | therapist/client)",
        "level and rate of change differ between therapists and between clients",
        True,
        True,
    ),
    Structure(
        "(1 | therapist) + (1 + weeks | therapist:client)",
        "level differs between therapists; level and rate of change differ between clients",
        True,
        True,
    ),
    Structure("(1 | therapist/client)", "level differs between therapists and between clients", True, False),
    Structure(
        "(1 + weeks | client)",
        "level and rate of change differ between clients; no therapist level",
        False,
        True,
    ),
    Structure("(1 | client)", "level differs between clients; no therapist level", False, False),
)
#: The same over ``time``, whatever its unit.
COURSE = tuple(replace(s, terms=s.terms.replace("weeks", "time")) for s in GROWTH)
LEVEL = (
    Structure("(1 | therapist/client)", "level differs between therapists and between clients", True, False),
    Structure("(1 | client)", "level differs between clients; no therapist level", False, False),
)
ENDPOINT = (
    Structure("(1 | therapist)", "level differs between therapists", True, False),
    Structure("", "no therapist level", False, False),
)


def with_own_effect(structures: tuple[Structure, ...], term: str, effect: str) -> tuple[Structure, ...]:
    """The structures, and before them the fullest one with an effect that differs between therapists.

    The effect's variance is independent of the other variances: its predictor is centred on the therapist's mean, and one
    more variance is what a few dozen therapists can inform.

    Parameters
    ----------
    term : str
        The effect's term in the formula, such as ``"weeks:early_client"``.
    effect : str
        What it is in words, such as ``"the effect of early alliance"``.
    """
    full = structures[0]
    words = f"{full.words}; {effect} differs between therapists"
    own = Structure(f"{full.terms} + (0 + {term} | therapist)", words, True, full.client_slope, effect)
    return (own, *structures)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted model, and why fuller ones were not used.

    Attributes
    ----------
    name, title : str
    formula : str
    structure : Structure
    result : MixedModelResults, or statsmodels' OLS results where no level is left
    skipped : tuple of str
        Why each fuller structure was not used, in words.
    findings : tuple of Finding
    robust : Fitted or None
        The same with errors that allow effects to differ between therapists, where the model does not; see `robust_of`.
    """

    name: str
    title: str
    formula: str
    structure: Structure
    result: Any
    skipped: tuple[str, ...]
    findings: tuple[Finding, ...]
    robust: "Fitted | None" = None

    @property
    def judged(self) -> "Fitted":
        """The one whose errors hold for effects within therapists, whether they differ between therapists or not."""
        return self.robust or self

    @property
    def mixed(self) -> bool:
        """Whether it has random effects."""
        return bool(self.structure.terms)

    def combination(self, weights: Mapping[str, float], max_df: float = np.inf) -> dict[str, float]:
        """A weighted sum of coefficients with its standard error, df, t, p and 95 % interval.

        Parameters
        ----------
        weights : mapping of term to weight
        max_df : float
            Upper bound for the degrees of freedom; see ``therapist_df``.
        """
        names = self.result.fit.design.names if self.mixed else list(self.result.params.index)
        vector = np.array([weights.get(str(n), 0.0) for n in names])
        if self.mixed:  # the numbers of `contrast`, without a table for each
            inference = self.result.inference
            estimate = float(vector @ self.result.fit.beta)
            se, df = float(np.sqrt(vector @ inference.cov @ vector)), float(inference.df(vector[None, :])[0])
        else:
            estimate = float(vector @ self.result.params.to_numpy())
            se = float(np.sqrt(vector @ self.result.cov_params().to_numpy() @ vector))
            df = float(self.result.df_resid)
        return t_inference(estimate, se, min(df, max_df))


def therapist_df(n_therapists: int, n_predictors: int) -> float:
    """Upper bound for the df of a therapist-level coefficient: therapists - 1 - therapist-level predictors.

    Satterthwaite's df grow to the number of clients when the therapist variance is estimated as zero, as if
    therapists were known not to differ. A between-therapist coefficient never rests on more observations than
    there are therapists (the between-within rule: Schluchter & Elashoff 1990, Journal of Statistical Computation and Simulation 37).
    """
    return float(max(n_therapists - 1 - n_predictors, 1))


def too_few_for(structure: Structure, frame: pd.DataFrame) -> Sentence:
    """Why the design does not allow ``structure``; empty if it does.

    Parameters
    ----------
    frame : DataFrame
        The model's rows, with ``client`` and ``therapist``.
    """
    if structure.therapist:
        usable = usable_therapists(frame)
        if usable < MIN_THERAPISTS:
            return say(
                "only {n:noun} {n:has|have} two or more clients in the analysis, and a therapist "
                "level needs {needed}",
                n=Number(usable, "integer", "therapist"),
                needed=Number(MIN_THERAPISTS, "integer"),
            )
    if structure.own_effect:
        carrying = usable_therapists(frame, at_least=CLIENTS_FOR_OWN_EFFECT)
        if carrying < MIN_FOR_OWN_EFFECT:
            return say(
                "{effect} is taken to be the same for all therapists: {n:noun} {n:has|have} at least {clients} clients in the "
                "analysis, and {needed} are needed to estimate how it differs",
                effect=structure.own_effect[0].upper() + structure.own_effect[1:],
                n=Number(carrying, "integer", "therapist"),
                clients=Number(CLIENTS_FOR_OWN_EFFECT, "integer"),
                needed=Number(MIN_FOR_OWN_EFFECT, "integer"),
            )
    if structure.client_slope:
        scores = frame.groupby("client").size()
        enough = int((scores >= 3).sum())
        if enough < MIN_SHARE_WITH_SLOPE * len(scores):
            return say(
                "only {share} of the clients have three or more scores, and rates of change for "
                "each client need at least half",
                share=Share(enough, len(scores)),
            )
    return Sentence("")


def fit_first(
    name: str,
    title: str,
    fixed: str,
    frame: pd.DataFrame,
    structures: tuple[Structure, ...],
    *,
    reml: bool = True,
) -> Fitted:
    """Fit ``fixed`` with the first of ``structures`` that the design allows and whose optimum is verified.

    Rows without a therapist stay beside rows with one. They have a mean (and a course) and variances of their own, and no part in
    the differences between therapists.

    Raises
    ------
    FitError
        If none can be fitted.
    """
    skipped: list[str] = []
    nobody = "therapist" in frame and not with_one(frame["therapist"]).any()
    for structure in structures:
        if nobody and structure.therapist:
            continue  # therapists are nothing that the design lacks
        reason = too_few_for(structure, frame)
        if not reason:
            try:
                return _fit(name, title, fixed, frame, structure, tuple(skipped), reml)
            except FitError as error:
                reason = "this model could not be fitted (" + Sentence("") + told(error) + ")"
        elif structure.own_effect:
            if reason != too_few_for(replace(structure, own_effect=""), frame):
                skipped.append(reason + ".")
            continue  # what the structure without the effect lacks is said by the next one
        skipped.append(f"{structure.words[0].upper()}{structure.words[1:]}: " + reason + ".")
    raise FitError(Sentence(f"No version of the model '{title}' can be fitted. ") + joined(skipped))


def _fit(
    name: str,
    title: str,
    fixed: str,
    frame: pd.DataFrame,
    structure: Structure,
    skipped: tuple[str, ...],
    reml: bool,
) -> Fitted:
    some = partly(frame)
    fixed, structure, frame = with_those_without(fixed, structure, frame)
    if structure.terms:
        from alliance_longitudinal.engine import MixedModel, VarIdent

        formula = f"{fixed} + {structure.terms}"
        residual = None
        if some and structure.therapist:
            # With one row per client the residual is the variance between clients; see `for_therapists`.
            residual = VarIdent(LACKS) if "client" not in structure.terms else None
            words = structure.words.removesuffix(_OWN_VARIANCES) + _OWN_VARIANCES
            structure = replace(structure, words=words)
        result = MixedModel.from_formula(formula, frame, residual=residual).fit(reml=reml)
        findings = _with_words_for_own_effect(structure, result)
    else:
        import statsmodels.formula.api as smf

        formula, findings = fixed, ()
        model = smf.ols(fixed, frame)
        if np.ptp(model.endog) == 0:
            raise FitError(
                f"The response has the same value, {model.endog[0]:g}, in all {len(model.endog)} rows; there is nothing to model."
            )
        result = model.fit()
    step = [Finding("simpler_model", "caution", "A simpler model was used. " + s, title) for s in skipped]
    return Fitted(name, title, formula, structure, result, skipped, (*findings, *step))


def with_those_without(
    fixed: str, structure: Structure, frame: pd.DataFrame
) -> tuple[str, Structure, pd.DataFrame]:
    """Fixed part, random part and rows of a model in which some clients may have no therapist; unchanged if all have one."""
    some, frame = partly(frame), marked(frame)
    if not some:
        return fixed, structure, frame
    fixed = _with_own_mean(fixed, structure, frame)
    if not structure.therapist or HAS in structure.terms:  # the structure of a model that was fitted before
        return fixed, structure, frame
    words = f"{structure.words}; clients without a therapist have a mean of their own"
    return fixed, replace(structure, terms=for_therapists(structure.terms), words=words), frame


def _with_own_mean(fixed: str, structure: Structure, frame: pd.DataFrame) -> str:
    """The fixed part with the mean of clients without a therapist, unless other terms, such as the arm, already give it."""
    own = own_mean(fixed, structure.terms)
    if structure.terms:
        from alliance_longitudinal.engine import MixedModel

        known = KIND in MixedModel.from_formula(f"{own} + {structure.terms}", frame).design.dropped
    else:
        import statsmodels.formula.api as smf

        columns = smf.ols(own, frame).exog
        known = bool(np.linalg.matrix_rank(columns) < columns.shape[1])
    return fixed if known else own


def _with_words_for_own_effect(structure: Structure, result: Any) -> tuple[Finding, ...]:
    """The model's findings; where only the own effect's variance is zero, that is good news and is said as such."""
    if not (structure.own_effect and result.singular):
        return tuple(result.findings)
    table = result.varcorr[result.varcorr["group"] != "Residual"]
    is_variance = table["term2"].isna()
    at_edge = np.where(is_variance, table["vcov"] <= 0, table["sdcor"].abs() >= 1 - PERFECT)
    own = structure.terms.rpartition("(0 + ")[2].partition(" |")[0]
    edges = table.loc[at_edge, ["group", "term1"]].to_numpy().tolist()
    if edges != [["therapist", own]]:  # a variance of the same effect between clients may be zero, too
        return tuple(result.findings)
    alike = Finding(
        "own_effect_zero",
        "info",
        say(
            "The data show no difference between therapists in {effect}: its variance between therapists is estimated as zero. A "
            "small difference may still exist.",
            effect=structure.own_effect,
        ),
    )
    return (*(f for f in result.findings if f.code != "singular"), alike)
