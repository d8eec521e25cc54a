"""Pattern mixture: one model for people who stayed and people who left, and the average over both."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Number
from alliance_longitudinal.engine import MixedModel, MixedModelResults
from alliance_longitudinal.engine.design.formula import ParsedFormula, parse
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.estimates import Estimates
from alliance_longitudinal.methods.basics.frames import Floats, check_columns, groups, numbers
from alliance_longitudinal.methods.missing.impute import same_within
from alliance_longitudinal.sentences import say

#: With fewer people in a pattern its own estimate is hardly known.
FEW = 10


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class PatternMixture(Estimates):
    """One coefficient by pattern, and averaged over patterns.

    Attributes
    ----------
    params : Series
        ``completers`` (pattern 0), ``difference`` (pattern 1 less pattern 0) and ``average``.
    term : str
    pattern : str
        Column of the pattern.
    share : float
        Share of people with pattern 1.
    n_persons : int
    model : MixedModelResults
        The model with both patterns.
    """

    term: str
    pattern: str
    share: float
    n_persons: int
    model: MixedModelResults

    def of(self, term: str) -> "PatternMixture":
        """Another coefficient of the same fit, without fitting again.

        Raises
        ------
        DataError
            If the term is not in the model.
        """
        return _averaged(self.model, term, self.pattern, self.share, self.n_persons, self.findings)

    def _title(self) -> str:
        return f"Pattern mixture: {self.term}"

    def _facts(self) -> list[str]:
        return [
            f"Formula: {self.model.formula}",
            f"People: {self.n_persons}, {100 * self.share:.1f} % with pattern 1",
        ]


def pattern_mixture(
    formula: str,
    frame: pd.DataFrame,
    pattern: str,
    term: str,
    person: str,
    reml: bool = False,
    cov_groups: str | None = None,
) -> PatternMixture:
    """Estimate a coefficient in people who stayed and in people who left, and average it over both.

    All fixed terms interact with the pattern. ``b0`` is the coefficient where the pattern is 0, ``b1`` is the
    difference, and ``p`` is the share with pattern 1 among ``n`` people. The average is ``b0 + p b1``, with
    variance ``g'Vg + b1^2 p (1 - p) / n`` (Little 1993, doi 10.2307/2290705; Hedeker & Gibbons 1997, doi
    10.1037/1082-989X.2.1.64). It is valid if courses after leaving are those of the person's own pattern. It is
    not valid if leaving is at random given the scores.

    Parameters
    ----------
    formula : str
        Formula without the pattern and with an intercept: ``y ~ week * arm + (1 + week | client)``.
    frame : DataFrame
        Not changed.
    pattern : str
        Column with 0 (stayed) or 1 (left), the same in all rows of a person.
    term : str
        Coefficient in the formula, such as ``week:arm``.
    person : str
        Column of people. The share is of those with a row in the model.
    reml : bool
        Whether to use restricted instead of full maximum likelihood.
    cov_groups : str, optional
        Column of clusters, such as therapists, for cluster-robust (CR2) errors instead of the model's.

    Raises
    ------
    DataError
        If the pattern is not 0 or 1, is the same for everyone, differs within a person, or is already in the
        formula, or if the term is not in the model.
    FitError
        If the model cannot be fitted, or has no cluster-robust errors.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> rng = np.random.default_rng(1)
    >>> data = pd.DataFrame({"client": np.repeat(range(40), 4), "week": np.tile(range(4), 40)})
    >>> data["left"] = (data["client"] % 4 == 0).astype(int)
    >>> data["y"] = 18 - 2 * data["week"] + 1.5 * data["week"] * data["left"] + rng.normal(0, 1, 160)
    >>> data = data[(data["left"] == 0) | (data["week"] < 3)]
    >>> found = methods.pattern_mixture("y ~ week + (1 | client)", data, "left", "week", "client")
    >>> found.params.round(2).to_dict()
    {'completers': -2.02, 'difference': 1.33, 'average': -1.69}
    """
    check_columns(frame, [pattern, person])
    codes, ids = groups(frame, person)
    values = numbers(frame, pattern, missing=False)
    if not np.isin(values, (0, 1)).all():
        raise DataError(
            f"Column {pattern!r} holds {values[~np.isin(values, (0, 1))][0]:g}. A pattern is 0 or 1."
        )
    same_within(frame[pattern], codes, ids, person, pattern)
    if len(set(values)) == 1:
        raise DataError(f"Column {pattern!r} is {values[0]:g} for everybody; there is only one pattern.")
    data = frame.assign(**{pattern: values})
    if "Intercept" not in MixedModel.from_formula(formula, data).design.names:
        raise DataError(
            "The formula has no intercept. Leave out 0 or - 1, so that patterns can differ in it."
        )
    result = MixedModel.from_formula(_with_pattern(parse(formula), pattern), data).fit(
        reml=reml, cov_type="model" if cov_groups is None else "CR2", cov_groups=cov_groups
    )
    used = result.fit.design.kept
    of_person = values[used][np.unique(codes[used], return_index=True)[1]]
    found = (*result.findings, *_few(of_person))
    return _averaged(result, term, pattern, float(of_person.mean()), len(of_person), found)


def _averaged(
    result: MixedModelResults, term: str, pattern: str, share: float, n: int, findings: tuple[Finding, ...]
) -> PatternMixture:
    """The coefficient in both patterns and its average, with the share of ``n`` people estimated."""
    weights = _weights(result, term, pattern, share)
    table = result.contrast(weights)
    covariance = weights @ np.asarray(result.cov_params()) @ weights.T
    estimate = table["estimate"].to_numpy(dtype=float)
    covariance[2, 2] += estimate[1] ** 2 * share * (1 - share) / n
    return PatternMixture(
        params=pd.Series(estimate, index=["completers", "difference", "average"]),
        covariance=covariance,
        dof=table["df"].to_numpy(dtype=float),
        findings=findings,
        term=term,
        pattern=pattern,
        share=share,
        n_persons=n,
        model=result,
    )


def _with_pattern(parsed: ParsedFormula, pattern: str) -> str:
    """The formula with the pattern in all its fixed terms."""
    name = pattern if pattern.isidentifier() else f"`{pattern}`"
    random = []
    for part in parsed.random:
        bars = "/".join(":".join(_quoted(c) for c in factor) for factor in part.factors)
        random.append(f"({part.effects} {'|' if part.correlated else '||'} {bars})")
    return f"{parsed.response} ~ ({parsed.fixed.strip()}) * {name} + {' + '.join(random)}"


def _quoted(column: str) -> str:
    return column if column.isidentifier() else f"`{column}`"


def _weights(result: MixedModelResults, term: str, pattern: str, share: float) -> Floats:
    """Contrasts of the three estimates, shape (3, p)."""
    names = [str(name) for name in result.params.index]
    own = [name for name in names if pattern not in name.split(":")]
    if "Intercept" not in names:
        raise DataError(
            "The formula has no intercept. Leave out 0 or - 1, so that patterns can differ in it."
        )
    first = next((name for name in own if set(name.split(":")) == set(term.split(":"))), None)
    if first is None:
        raise DataError(f"The model has no coefficient {term!r}. There are: {', '.join(own)}.")
    parts = {pattern} if first == "Intercept" else {*first.split(":"), pattern}
    second = next((name for name in names if set(name.split(":")) == parts), None)
    if second is None:
        raise DataError(
            f"In people with pattern 1 the data say nothing of {term!r}, so that it has no difference."
        )
    out = np.zeros((3, len(names)))
    out[0, names.index(first)] = out[1, names.index(second)] = 1.0
    out[2] = out[0] + share * out[1]
    return out


def _few(of_person: Floats) -> tuple[Finding, ...]:
    smaller = int(min(of_person.sum(), len(of_person) - of_person.sum()))
    if smaller >= FEW:
        return ()
    return (
        Finding(
            "few_in_pattern",
            "caution",
            say(
                "One of the patterns has only {n:noun}; what is estimated for it alone is uncertain.",
                n=Number(smaller, "integer", "person", "people", n=smaller),
            ),
        ),
    )
