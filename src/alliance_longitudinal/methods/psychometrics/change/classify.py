"""Categories of change from plain scores: the same functions for a study, a script and a test."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Count, Number
from alliance_longitudinal.errors import DataError, StudyError
from alliance_longitudinal.methods.psychometrics.change.categories import (
    CATEGORIES,
    WITHOUT_CUTOFF,
    categorise,
    crossings,
)
from alliance_longitudinal.methods.psychometrics.change.cutoffs import Cut, Functional, cutoff
from alliance_longitudinal.methods.psychometrics.change.indices import (
    TWO_SIDED,
    ChangeIndex,
    Moments,
    change_index,
    difference_reliability,
    points_index,
)
from alliance_longitudinal.methods.psychometrics.change.slopes import Slopes, client_slopes
from alliance_longitudinal.sentences import say

Method = Literal["points", "JT", "GLN", "HLL", "EN", "NK", "HA", "HLM"]
METHODS: tuple[Method, ...] = ("points", "JT", "GLN", "HLL", "EN", "NK", "HA", "HLM")
#: Methods that compare a client with the average change of the sample: "deteriorated" then means "less than average".
RELATIVE = ("HLL", "HA", "HLM")


@dataclass(frozen=True, slots=True)
class Norms:
    """What is known of the instrument, in its points; None: not known; the sample's own value is used where this is sound.

    Attributes
    ----------
    reliability, reliability_post : float or None
    mean, sd : float or None
        Of the clinical population before treatment; None takes the sample's.
    functional : Functional or None
        Mean and SD of people without the disorder.
    points : float or None
        Published points of reliable change; ``points_inclusive``: whether that many points already are reliable.
    cut : {"a", "b", "c"}, Cut or None
        Cut-off; None = no cut-off, and then nobody recovers.
    z : float or None
        Critical value in place of the usual one.
    """

    direction: int
    reliability: float | None = None
    reliability_post: float | None = None
    mean: float | None = None
    sd: float | None = None
    functional: Functional | None = None
    points: float | None = None
    points_inclusive: bool = True
    cut: Literal["a", "b", "c"] | Cut | None = None
    z: float | None = None


@dataclass(frozen=True, slots=True)
class ChangeCategories:
    """Each client's category by one method.

    Attributes
    ----------
    frame : DataFrame
        In the rows of the input: ``pre, post, rci, category``; missing where a score is missing.
    method : str
    index : ChangeIndex or None
        None for HLM, which has no band of points.
    cut : Cut or None
    moments : Moments
    slopes : Slopes or None
        The model of method HLM.
    """

    frame: pd.DataFrame
    method: str
    index: ChangeIndex | None
    cut: Cut | None
    moments: Moments
    slopes: Slopes | None = None

    @property
    def relative(self) -> bool:
        """Whether clients are compared with the average change."""
        return self.method in RELATIVE

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories that this method can give: without a cut-off nobody recovers."""
        return CATEGORIES if self.cut is not None else WITHOUT_CUTOFF

    @property
    def n(self) -> int:
        """Clients with a category."""
        return int(self.frame["category"].notna().sum())

    @property
    def counts(self) -> dict[str, int]:
        """Clients in each category."""
        found = self.frame["category"].value_counts()
        return {name: int(found.get(name, 0)) for name in self.categories}

    @property
    def group_level(self) -> dict[str, float]:
        """For HA: estimated shares of clients who truly changed for the better, and who are truly functional after."""
        if self.method != "HA" or self.cut is None:
            return {}
        return group_level(self.moments, self.cut)


def group_level(m: Moments, cut: Cut) -> dict[str, float]:
    """Group level of Hageman and Arrindell (1999): normal true scores with the estimated mean and variance."""
    from alliance_longitudinal.engine import distributions as stats

    sd_change = float(np.sqrt(m.sd**2 + m.sd_post**2 - 2 * m.sd * m.sd_post * m.correlation))
    true_change = sd_change * float(np.sqrt(difference_reliability(m)))
    true_post = m.sd_post * float(np.sqrt(m.true_reliability(m.sd_post)))
    changed = cut.direction * (m.mean_post - m.mean) / true_change
    functional = cut.direction * (m.mean_post - cut.value) / true_post
    return {"changed": float(stats.norm.cdf(changed)), "functional": float(stats.norm.cdf(functional))}


def classify_change(
    frame: pd.DataFrame,
    method: Method = "JT",
    *,
    pre: str = "pre",
    post: str = "post",
    higher_is_better: bool = False,
    reliability: float | None = None,
    reliability_post: float | None = None,
    mean: float | None = None,
    sd: float | None = None,
    cutoff: Literal["a", "b", "c"] | float | None = None,
    m_functional: float | None = None,
    sd_functional: float | None = None,
    points: float | None = None,
    z: float | None = None,
    client: str = "client",
    time: str = "time",
    score: str = "score",
) -> ChangeCategories:
    """Reliable and clinically significant change of each client, from a frame of scores.

    Parameters
    ----------
    frame : DataFrame
        One row per client with columns ``pre`` and ``post``; for HLM one row per occasion with columns ``client``,
        ``time`` and ``score``. Not changed.
    method : {"points", "JT", "GLN", "HLL", "EN", "NK", "HA", "HLM"}
    higher_is_better : bool
        Whether a higher score is a better one.
    reliability, reliability_post : float, optional
        In [0, 1); ``reliability_post`` for NK only.
    mean, sd : float, optional
        Mean and standard deviation of the clinical population before treatment; by default those of the sample.
    cutoff : {"a", "b", "c"} or float, optional
        Without one, nobody is classified as recovered or harmed.
    m_functional, sd_functional : float, optional
        Mean and standard deviation of people without the disorder, for cut-offs b and c.
    points : float, optional
        For method "points": the number of points that counts as reliable.
    z : float, optional
        Critical value; by default 1.96, for HA 1.645.

    Raises
    ------
    DataError
        If something that the method needs is missing or invalid.

    Examples
    --------
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> scores = pd.DataFrame({"pre": [20.0, 18.0, 15.0, 12.0], "post": [6.0, 17.0, 16.0, 19.0]})
    >>> change = methods.classify_change(scores, "JT", reliability=0.85, sd=5.5, cutoff=10)
    >>> change.frame["category"].tolist()
    ['recovered', 'unchanged', 'unchanged', 'deteriorated']
    """
    direction = 1 if higher_is_better else -1
    cut = Cut(float(cutoff), "given", direction) if isinstance(cutoff, int | float) else cutoff
    both = m_functional is not None and sd_functional is not None
    norms = Norms(
        direction=direction,
        reliability=reliability,
        reliability_post=reliability_post,
        mean=mean,
        sd=sd,
        functional=Functional(float(m_functional), float(sd_functional)) if both else None,  # type: ignore[arg-type]
        points=points,
        cut=cut,
        z=z,
    )
    columns = (
        {"client": client, "time": time, "score": score} if method == "HLM" else {"pre": pre, "post": post}
    )
    missing = [name for name in columns.values() if name not in frame]
    if missing:
        raise DataError(
            f"Method {method} needs the columns {', '.join(columns.values())}; there is no {', '.join(missing)}."
        )
    plain = pd.DataFrame({key: frame[name] for key, name in columns.items()})
    return by_slopes(plain, norms) if method == "HLM" else by_index(plain, method, norms)


def by_index(frame: pd.DataFrame, method: str, norms: Norms) -> ChangeCategories:
    """Categories by one of the six indices, or by published points; ``frame`` has ``pre`` and ``post``."""
    if method not in METHODS:
        raise StudyError(f"There is no method {method!r} of reliable change. Known: {', '.join(METHODS)}.")
    _check(norms)
    whole = frame[["pre", "post"]].astype(float)
    known = whole.notna().all(axis=1).to_numpy()
    pre, post = whole.to_numpy()[known].T
    moments = sample_moments(pre, post, norms)
    index = _index(method, moments, norms)
    cut = _cut(norms, moments, true_scores=method == "HA")
    rci = index.of(pre, post)
    crossed = None if cut is None else crossings(index, pre, post, cut, moments)
    out = whole.assign(rci=np.nan, category=pd.Series(None, index=whole.index, dtype=object))
    out.loc[known, "rci"] = rci
    out.loc[known, "category"] = categorise(rci, index, norms.direction, crossed)
    return ChangeCategories(out, method, index, cut, moments)


def by_slopes(scores: pd.DataFrame, norms: Norms) -> ChangeCategories:
    """Categories by method HLM; ``scores`` has ``client, time, score``. The result has one row a client."""
    slopes = client_slopes(scores)
    pre, post = slopes.frame["pre"].to_numpy(float), slopes.frame["post"].to_numpy(float)
    moments = sample_moments(pre, post, norms)
    cut = _cut(norms, moments, true_scores=False)
    index = ChangeIndex("HLM", 0.0, 1.0, 1.0, norms.z or TWO_SIDED)
    crossed = None if cut is None else crossings(index, pre, post, cut, moments)
    rci = slopes.frame["rci"].to_numpy(float)
    frame = slopes.frame.assign(category=categorise(rci, index, norms.direction, crossed).astype(object))
    return ChangeCategories(frame, "HLM", None, cut, moments, slopes)


def sample_moments(
    pre: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    post: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    norms: Norms,
) -> Moments:
    """Means, standard deviations and correlation of scores of shape (n,); known norms take the place of the sample's."""
    if len(pre) < 3:
        raise DataError(
            say(
                "Only {n:noun} {n:has|have} a score before and after; reliable change needs at least {needed}.",
                n=Count(len(pre), "client"),
                needed=Number(3, "integer"),
            )
        )
    spreads = float(np.std(pre, ddof=1)), float(np.std(post, ddof=1))
    correlation = float(np.corrcoef(pre, post)[0, 1]) if min(spreads) > 0 else 0.0
    return Moments(
        mean=float(np.mean(pre)) if norms.mean is None else norms.mean,
        sd=spreads[0] if norms.sd is None else norms.sd,
        mean_post=float(np.mean(post)),
        sd_post=spreads[1],
        correlation=correlation,
        reliability=norms.reliability,
        reliability_post=norms.reliability_post,
    )


def _index(method: str, moments: Moments, norms: Norms) -> ChangeIndex:
    if method != "points":
        return change_index(method, moments, norms.z)
    if norms.points is None:
        raise DataError("Method 'points' needs the published points of reliable change. Give points=...")
    return points_index(norms.points, norms.points_inclusive)


def _cut(norms: Norms, moments: Moments, true_scores: bool) -> Cut | None:
    if norms.cut is None or isinstance(norms.cut, Cut):
        return norms.cut
    return cutoff(norms.cut, moments, norms.functional, norms.direction, true_scores)


def _check(norms: Norms) -> None:
    shares: Mapping[str, float | None] = {
        "reliability": norms.reliability,
        "reliability_post": norms.reliability_post,
    }
    for name, value in shares.items():
        if value is not None and not 0 <= value < 1:
            raise DataError(f"{name} is {value:g}; it lies between 0 and 1, and below 1.")
    sizes = {"sd": norms.sd, "points": norms.points, "z": norms.z}
    sizes |= {"sd_functional": None if norms.functional is None else norms.functional.sd}
    for name, value in sizes.items():
        if value is not None and not value > 0:
            raise DataError(f"{name} is {value:g}; it has to be above 0.")
