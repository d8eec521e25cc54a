"""Clients without a therapist beside clients with one: partial nesting (Bauer, Sterba & Hallfors 2008; Baldwin et al. 2011)."""

import re

import pandas as pd

#: In the place of a therapist, for rows of clients who have none. No id of a study begins with a blank.
ALONE = " (no therapist)"
#: 1 for rows of clients with a therapist, and 1 for the others, where models have rows of both.
HAS, LACKS = "has_therapist", "no_therapist"
#: The latter less its mean over clients: with it in the fixed part, the model's mean and course remain those of all clients.
KIND = "without_therapist"
#: Variables of time, whose course clients without a therapist have of their own.
_TIMES = ("weeks", "time")
_TERM = re.compile(r"\(([^|()]+)\|\s*([^()]+)\)")


def together(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with clients without a therapist as one group of their own, so that they are compared with each other.

    Examples
    --------
    >>> import pandas as pd
    >>> together(pd.DataFrame({"therapist": ["T", None]}))["therapist"].tolist()
    ['T', ' (no therapist)']
    """
    if "therapist" not in frame or not frame["therapist"].isna().any():
        return frame
    therapist = frame["therapist"].astype(object)
    return frame.assign(therapist=therapist.where(therapist.notna(), ALONE))


def neutral(frame: pd.DataFrame, ending: str = "_therapist") -> pd.DataFrame:
    """The frame with each part that differs between therapists (columns with this ending) zero for clients who have none.

    Models give such clients a mean of their own, so the value says nothing of the level; with it, they have no say in effects of
    a therapist's mean, nor in what depends on it.
    """
    alone = ~with_one(frame["therapist"])
    if not alone.any() or alone.all():
        return frame
    return frame.assign(**{str(c): frame[c].mask(alone, 0.0) for c in frame if str(c).endswith(ending)})


def spread(frame: pd.DataFrame, column: str) -> float:
    """Standard deviation over rows; of a part that differs between therapists, over the rows that have one (see `neutral`)."""
    if column.endswith("_therapist"):
        frame = frame[with_one(frame["therapist"])]
    return float(frame[column].std())


def with_one(therapist: "pd.Series[str]") -> "pd.Series[bool]":
    """Whether each row's client has a therapist."""
    return therapist.notna() & therapist.ne(ALONE)


def number_of_therapists(therapist: "pd.Series[str]") -> int:
    """How many therapists there are; those without one are none."""
    return int(therapist[with_one(therapist)].nunique())


def usable_therapists(frame: pd.DataFrame, unit: str = "client", at_least: int = 2) -> int:
    """Therapists with so many clients (or cases: ``unit``)."""
    pairs = frame[["therapist", unit]]
    known = pairs[with_one(pairs["therapist"])].dropna().drop_duplicates()
    return int((known["therapist"].value_counts() >= at_least).sum())


def partly(frame: pd.DataFrame) -> bool:
    """Whether some rows have a therapist and some have none."""
    if "therapist" not in frame:
        return False
    has = with_one(frame["therapist"])
    return bool(has.any() and not has.all())


def marked(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the columns that models of partial nesting need; unchanged where all rows, or none, have a therapist."""
    if not partly(frame):
        return together(frame)
    has = with_one(frame["therapist"]).astype(float)
    share = float(has.groupby(frame["client"]).first().mean())
    return together(frame).assign(**{HAS: has, LACKS: 1.0 - has, KIND: share - has})


def each_alone(frame: pd.DataFrame, unit: str = "client") -> pd.DataFrame:
    """The frame with each client (or case: ``unit``) without a therapist as a group of one, for errors by therapist."""
    has = with_one(frame["therapist"])
    if has.all():
        return frame
    return frame.assign(
        therapist=frame["therapist"].astype(object).where(has, f"{unit} " + frame[unit].astype(str))
    )


def own_mean(fixed: str, random: str = "") -> str:
    """A formula's fixed part in which clients without a therapist have a mean, and a course if clients have one, of their own."""
    times = [t for t in _TIMES if re.search(rf"\b{t}\b", fixed) and re.search(rf"\b{t}\b", random)]
    return " + ".join([fixed, KIND, *(f"{KIND}:{t}" for t in times)])


def for_therapists(random: str) -> str:
    """Random terms in which therapists differ in their own clients only, and clients without one vary by as much as they do.

    The level (and change over time) of clients with and without a therapist has variances of their own: with common ones, what
    clients without a therapist differ more or less among themselves would be put down to therapists.

    Examples
    --------
    >>> for_therapists("(1 | therapist/client)")
    '(0 + has_therapist | therapist) + (0 + has_therapist | therapist:client) + (0 + no_therapist | therapist:client)'
    >>> for_therapists("(1 + weeks | therapist)")
    '(0 + has_therapist + has_therapist:weeks | therapist)'
    """
    return _TERM.sub(_limited, random)


def _limited(match: "re.Match[str]") -> str:
    terms, group = [t.strip() for t in match[1].split("+")], match[2].strip()
    upper, _, inner = group.partition("/")
    out = [_of(HAS, terms, "therapist")] if upper == "therapist" else []
    lower = f"therapist:{inner}" if inner else group
    if lower.startswith("therapist:"):
        plain = all(t in ("0", "1", *_TIMES) for t in terms)
        out += (
            [_of(who, terms, lower) for who in (HAS, LACKS)] if plain else [f"({match[1].strip()} | {lower})"]
        )
    return " + ".join(out) or match[0]


def _of(who: str, terms: list[str], group: str) -> str:
    """Random terms of the rows with (or without) a therapist."""
    own = [who if t == "1" else f"{who}:{t}" for t in terms if t != "0"]
    return f"(0 + {' + '.join(own)} | {group})"


def variance_of(varcorr: pd.DataFrame, level: str, term: str) -> float:
    """A model's variance of a term (``Intercept``, a time) between therapists or clients: of those with a therapist where they differ.

    Parameters
    ----------
    varcorr : DataFrame
        Of a model's result.
    level : {"therapist", "client"}

    Returns
    -------
    float
        Missing where the model has none.
    """
    of_client = varcorr["group"].str.contains("client")
    own = varcorr[
        varcorr["term2"].isna() & (of_client if level == "client" else varcorr["group"].eq("therapist"))
    ]
    names = (term, HAS if term == "Intercept" else f"{HAS}:{term}")
    found = own.loc[own["term1"].isin(names), "vcov"]
    return float(found.iloc[0]) if len(found) else float("nan")
