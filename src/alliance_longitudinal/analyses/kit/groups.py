"""Groups of clients that an analysis compares, such as the arms of a trial."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TypeVar

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.result import Difference, Estimate
from alliance_longitudinal.present import FigureSpec, Table

_Shown = TypeVar("_Shown", Table, FigureSpec)
_FILE_NAME = re.compile("[a-z0-9][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of clients.

    Attributes
    ----------
    name : str
        What they differ in: ``arm``, or the name of a covariate.
    names : tuple of str
        The groups that have clients; the first is the one that the others are compared with.
    of : Series
        Group of each client, indexed by client.
    """

    name: str
    names: tuple[str, ...]
    of: "pd.Series[str]" = field(repr=False)

    def column(self, frame: pd.DataFrame) -> "pd.Series[str]":
        """Group of each row of a frame with a column ``client``, with the frame's index."""
        return pd.Series(self.of.reindex(frame["client"]).to_numpy(), index=frame.index, dtype=object)

    def split(self, frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
        """The rows of each group, in the groups' order."""
        group = self.column(frame)
        return [(name, frame.loc[group.eq(name).to_numpy()]) for name in self.names]


def slug(text: str) -> str:
    """A text as a part of an id.

    Examples
    --------
    >>> slug("CBT, group")
    'CBT_group'
    """
    return re.sub("[^A-Za-z0-9]+", "_", text).strip("_") or "group"


def slugs(texts: Iterable[str]) -> dict[str, str]:
    """Several texts as parts of ids, no two of them the same, not even in small letters.

    Examples
    --------
    >>> slugs(["CBT", "CBT+", "TAU"])
    {'CBT': 'CBT', 'CBT+': 'CBT_2', 'TAU': 'TAU'}
    """
    out: dict[str, str] = {}
    for text in texts:
        plain, taken = slug(text), {s.lower() for s in out.values()}
        free = (f"{plain}_{n}" if n > 1 else plain for n in count(1))
        out[text] = next(name for name in free if name.lower() not in taken)
    return out


def with_file_names(items: Sequence[_Shown]) -> tuple[_Shown, ...]:
    """Tables or figures whose names are made of small letters, digits and ``_``, as their files are called.

    Names that hold a covariate's, such as ``effect_Age``, may not be.
    """
    taken = {item.name for item in items if _FILE_NAME.fullmatch(item.name)}
    out = []
    for item in items:
        name = item.name
        if not _FILE_NAME.fullmatch(name):
            plain = slug(name).lower()[:60]
            free = (f"{plain}_{n}" if n > 1 else plain for n in count(1))
            name = next(one for one in free if one not in taken)
            taken.add(name)
        out.append(item if name == item.name else replace(item, name=name))
    return tuple(out)


def difference(
    one: Estimate, other: Estimate, identity: str, label: str, correlation: float = 0.0
) -> Difference:
    """``one`` less ``other`` with an interval made of their two intervals.

    MOVER (Zou & Donner 2008, doi 10.1002/sim.3095; with a correlation Zou 2008, doi 10.1093/aje/kwn104): for shares with
    Wilson's intervals it is Newcombe's. It needs no standard errors, keeps the intervals' asymmetry, and is exact for
    estimates with symmetric normal intervals.

    Parameters
    ----------
    one, other : Estimate
        With 95 % limits.
    identity, label : str
        Of the difference.
    correlation : float
        Of the two estimates; 0 for groups that share nobody and no therapist.
    """
    size = one.estimate - other.estimate
    down, up = one.estimate - one.ci_low, one.ci_high - one.estimate
    other_down, other_up = other.estimate - other.ci_low, other.ci_high - other.estimate
    low = size - np.sqrt(max(down**2 + other_up**2 - 2 * correlation * down * other_up, 0.0))
    high = size + np.sqrt(max(up**2 + other_down**2 - 2 * correlation * up * other_down, 0.0))
    of_people = one.unit.startswith("share of ")
    unit = (
        "difference of shares" if of_people else one.unit.replace("share", "difference of shares of variance")
    )
    n = min(one.n, other.n)
    return Difference(
        identity,
        label,
        size,
        ci_low=float(low),
        ci_high=float(high),
        n=n,
        level=one.level,
        unit=unit,
        of=(one.id, other.id),
    )


def compared(
    by_group: Mapping[str, Sequence[Estimate]],
    name: str,
    correlations: Mapping[tuple[str, str], float] | None = None,
) -> list[Estimate]:
    """Estimates of each group, and for each the difference from the first group's.

    Parameters
    ----------
    by_group : mapping of str to sequence of Estimate
        The same ids in each group, where they can be estimated; the first group is the reference.
    name : str
        What the groups differ in.
    correlations : mapping, optional
        (id, group) -> correlation of the group's estimate with the reference's.

    Returns
    -------
    list of Estimate
        Ids ``<id>_<group>`` and ``<id>_<group>_difference``.
    """
    codes = slugs(by_group)
    named = {
        group: {
            e.id: replace(e, id=f"{e.id}_{codes[group]}", label=f"{e.label}; {name} {group}")
            for e in estimates
        }
        for group, estimates in by_group.items()
    }
    reference, *others = by_group
    plain = {group: {e.id: e.label for e in estimates} for group, estimates in by_group.items()}
    words = {identity: label for own in plain.values() for identity, label in own.items()}
    out: list[Estimate] = []
    for identity, label in words.items():
        out += [own[identity] for own in named.values() if identity in own]
        for group in others:
            pair = named[group].get(identity), named[reference].get(identity)
            if pair[0] is None or pair[1] is None:
                continue
            r = (correlations or {}).get((identity, group), 0.0)
            less = f"{label}; {group} less {reference}"
            own, first = plain[group][identity], plain[reference][identity]
            if own != first:  # a group without therapists has the same effect by another name
                less = f"{own}, {group}, less {first[0].lower()}{first[1:]}, {reference}"
            out.append(difference(pair[0], pair[1], f"{pair[0].id}_difference", less, r))
    return out
