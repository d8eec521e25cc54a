"""The models of both directions, and their estimates with one kind of id."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import (
    LEVEL,
    Draft,
    Estimate,
    each_alone,
)
from alliance_longitudinal.analyses.lagged_effects.processes import Direction, Names, directions, paths
from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import Sentence, say, told

if TYPE_CHECKING:
    from alliance_longitudinal.methods.panel.dynamic_panel import DynamicPanel
    from alliance_longitudinal.methods.panel.riclpm import CrossLagged

Estimator = Literal["riclpm", "mldpm", "gmm", "mlm"]


def made(identity: str, label: str, value: float, se: float, n: int, unit: str = "") -> Estimate:
    """An estimate with a normal interval; without an error it has none."""
    from alliance_longitudinal.engine import distributions

    half = 1.959963984540054 * se
    p = float(2 * distributions.norm.sf(abs(value / se))) if se > 0 else float("nan")
    return Estimate(
        identity, label, value, se, float("inf"), value - half, value + half, p, n, "session", unit
    )


def check_panel(rows: pd.DataFrame, names: Names) -> None:
    """Stop, by a DataError, where no session has both scores or one of them is the same for all."""
    from alliance_longitudinal.methods.panel.waves import check_variation, waves

    columns = [name for name in (names.a, names.y, names.z) if name is not None]
    check_variation(waves(each_alone(rows), columns, "client", "session"))


def cross_lagged(
    rows: pd.DataFrame,
    names: Names,
    cluster: str | None,
    *,
    trend: bool = False,
    equal_lags: bool = True,
    random_intercepts: bool = True,
) -> "CrossLagged":
    """The random-intercept cross-lagged panel model of the rows."""
    from alliance_longitudinal.methods.panel.riclpm import riclpm

    return riclpm(
        each_alone(rows),
        names.a,
        names.y,
        "client",
        "session",
        random_intercepts=random_intercepts,
        random_slopes=trend,
        equal_lags=equal_lags,
        z=names.z,
        cluster=cluster,
        covariates=names.held,
    )


def of_cross_lagged(
    found: "CrossLagged", names: Names, key: str, title: str, *, full: bool = False
) -> list[Estimate]:
    """Effects of both directions; ``full`` adds carry-over, a third measure's effects, long run and the same session.

    Of a model with effects of its own at each step, the effects are their means, and there is no long run.
    """
    out = []
    free = "ar_x" not in found.params.index
    mean = ", mean over steps" if free else ""
    for d in directions(names):
        value, se = effect_of(found, d.effect)
        out.append(made(f"{key}_{d.key}", f"{d.said(title)}{mean}", value, se, found.nobs, d.unit))
    if not full:
        return out
    for path in paths(names):
        if path.key not in {d.key for d in directions(names)}:
            value, se = effect_of(found, path.effect)
            unit = f"{path.follow} points per {path.lead} point"
            out.append(made(f"{key}_{path.key}", f"{path.words}{mean}", value, se, found.nobs, unit))
    for d in () if free else directions(names):
        value, se = found.long_run(d.effect, d.own)
        ending = "longrun" if d.key == "a_to_y" else "longrun_y_to_a"
        words = f"Long-run effect of {_label(names, d.lead)} on {_label(names, d.follow)}"
        out.append(made(f"{key}_{ending}", words, value, se, found.nobs, d.unit))
    out.append(_same_session(found, key))
    return out


def effect_of(found: "CrossLagged", name: str) -> tuple[float, float]:
    """An effect and its standard error; the mean of the steps where each has its own."""
    index = [str(n) for n in found.params.index]
    which = [n for n in index if n == name or (n.startswith(f"{name}_") and n[len(name) + 1 :].isdigit())]
    covariance = found.cov_params().loc[which, which].to_numpy()
    return float(found.params[which].mean()), float(covariance.mean() ** 0.5)


def _label(names: Names, column: str) -> str:
    return names.a_label if column == names.a else names.y_label


def _same_session(found: "CrossLagged", key: str) -> Estimate:
    """Mean correlation of what is new in both at one session, by the delta method."""
    index = [str(name) for name in found.all_params.index]
    pair = (
        "cov_innovation_x_y" if any(n.startswith("cov_innovation_x_y") for n in index) else "cov_innovation"
    )
    suffixes = [n.removeprefix(pair) for n in index if n.startswith(pair) and n[len(pair) + 1 :].isdigit()]

    def value(free: np.ndarray) -> float:
        at = dict(zip(index, map(float, free), strict=True))
        return float(
            np.mean(
                [
                    at[pair + s] / abs(at["var_innovation_x" + s] * at["var_innovation_y" + s]) ** 0.5
                    for s in suffixes
                ]
            )
        )

    free = found.all_params.to_numpy(dtype=float)
    slopes = np.zeros(len(free))
    for k in range(len(free)):
        step = np.zeros(len(free))
        step[k] = 1e-5 * max(abs(free[k]), 1e-3)
        slopes[k] = (value(free + step) - value(free - step)) / (2 * step[k])
    variance = float(slopes @ found.all_covariance @ slopes)
    se = max(variance, 0.0) ** 0.5
    words = "Correlation of new deviations in both at the same session"
    return made(f"{key}_contemporaneous", words, value(free), se, found.nobs, "correlation")


def equal_lags_p(found: "CrossLagged", free: "CrossLagged") -> float:
    """Likelihood-ratio test that the effects are the same from each session to the next."""
    from alliance_longitudinal.engine import distributions

    return float(distributions.chi2.sf(2 * (free.llf - found.llf), found.df - free.df))


def others(
    draft: Draft, rows: pd.DataFrame, names: Names, asked: Sequence[Estimator], cluster: str | None
) -> list[Estimate]:
    """The other estimators, beside the main one; what fails is a finding."""
    out: list[Estimate] = []
    calls: list[tuple[Estimator, str, str, dict[str, object]]] = [
        (
            "mldpm",
            "mldpm",
            "Dynamic panel, likelihood",
            {"contemporaneous": True, "cluster": cluster, "constant": names.held},
        ),
        ("gmm", "gmm_difference", "Dynamic panel, GMM differences", {"method": "difference-gmm", **_GMM}),
        ("gmm", "gmm_system", "Dynamic panel, GMM system", {"method": "system-gmm", **_GMM}),
        (
            "gmm",
            "anderson_hsiao",
            "Anderson-Hsiao (weak instruments)",
            {"method": "anderson-hsiao", "time_effects": True},
        ),
    ]
    for estimator, key, title, options in calls:
        if estimator in asked:
            for d in directions(names):
                found = _panel(draft, rows, d, title, options)
                if found is not None:
                    out += _of_panel(found, d, key, title)
                    draft.models[f"{key}_{d.key}"] = found
    if "gmm" in asked:
        out += _bracket(draft, rows, directions(names)[0])
    if "mlm" in asked:
        out += [e for d in directions(names) if (e := _centred(draft, rows, d, names.held)) is not None]
    return out


#: The method's own sentence names columns; the numbers are in the table of the other estimators.
_BRACKET = Sentence(
    "The carry-over from one session to the next lies outside the range between least squares and the estimate within clients. The "
    "truth usually lies in this range, so the instruments are weak or the model does not hold. Do not use this estimate."
)
_GMM: dict[str, object] = {"steps": 2, "collapse": True, "time_effects": True}


def _panel(
    draft: Draft, rows: pd.DataFrame, d: Direction, title: str, options: dict[str, object]
) -> "DynamicPanel | None":
    from alliance_longitudinal.methods.panel.dynamic_panel import dynamic_panel

    try:
        rows = each_alone(rows)
        found = dynamic_panel(rows, d.follow, "client", "session", predetermined=d.lead, **options)  # type: ignore[arg-type]
    except AllianceError as error:
        draft.find(
            "estimator_failed",
            "caution",
            "{title} could not be computed: {why}",
            title,
            title=title,
            why=told(error),
        )
        return None
    hidden = {"without_values", "few_persons", "uneven_occasions"}
    kept = [f for f in found.findings if f.code not in hidden]
    for f in kept:
        message = _BRACKET if f.code == "outside_bracket" else f.message
        draft.findings.append(Finding(f.code, f.severity, message, f"{title}, {d.follow_label}"))
    return found


def _of_panel(found: "DynamicPanel", d: Direction, key: str, title: str) -> list[Estimate]:
    n = found.n_persons
    effect, own = f"{d.lead}_lag", f"{d.follow}_lag"
    effects, errors = found.params, found.bse
    out = [made(f"{key}_{d.key}", d.said(title), float(effects[effect]), float(errors[effect]), n, d.unit)]
    words = f"{title}: carry-over of {d.follow_label}"
    out.append(made(f"{key}_{d.own_key}", words, float(effects[own]), float(errors[own]), n, d.own_unit))
    return out


def _bracket(draft: Draft, rows: pd.DataFrame, d: Direction) -> list[Estimate]:
    """The biased estimates of carry-over between which the truth lies as a rule."""
    out = []
    for method, key, words in (
        ("ols", "bracket_ols", f"Carry-over of {d.follow_label} by least squares (too high)"),
        ("within", "bracket_fe", f"Carry-over of {d.follow_label} within clients (too low)"),
    ):
        found = _panel(draft, rows, d, words, {"method": method, "time_effects": True})
        if found is not None:
            own = f"{d.follow}_lag"
            value, se = float(found.params[own]), float(found.bse[own])
            out.append(made(key, words, value, se, found.n_persons, d.own_unit))
    return out


def _centred(draft: Draft, rows: pd.DataFrame, d: Direction, held: tuple[str, ...]) -> Estimate | None:
    """The usual multilevel model: last session's value less the client's mean, common time."""
    from alliance_longitudinal.methods.panel.decompose import decompose
    from alliance_longitudinal.methods.panel.lag import lag

    title = "Centred mixed model (biased)"
    lagged = lag(rows[["client", "therapist", "session", d.lead, d.follow, *held]], d.lead)
    lagged = lagged.dropna(subset=[f"{d.lead}_lag", d.follow])
    split = decompose(lagged, f"{d.lead}_lag", by="client")
    data = pd.DataFrame(
        {
            "y": split[d.follow],
            "before": split[f"{d.lead}_lag_within"],
            "usual": split[f"{d.lead}_lag_client"] - split[f"{d.lead}_lag_client"].mean(),
            "time": split["session"].astype(str).radd("s"),
            "client": split["client"],
            "therapist": split["therapist"],
            **{name: split[name] for name in held},
        }
    )
    try:
        model = draft.fit(
            f"mlm_{d.key}",
            f"{title}: {d.follow_label}",
            " + ".join(["y ~ time + before + usual", *held]),
            data,
            LEVEL,
        )
    except AllianceError as error:
        message = say("{title} could not be fitted: {why}", title=title, why=told(error))
        draft.findings.append(Finding("estimator_failed", "caution", message, title))
        return None
    row = model.combination({"before": 1.0})
    numbers = {k: row[k] for k in ("estimate", "se", "df", "ci_low", "ci_high", "p")}
    return Estimate(f"mlm_{d.key}", d.said(title), n=len(data), level="session", unit=d.unit, **numbers)
