"""Therapists who may be nobody: ids such as ``none``, and arms whose clients all have one therapist, or each their own."""

import re

import pandas as pd

from alliance_longitudinal.counts import Count, Private
from alliance_longitudinal.data.cleaning.matching import bare
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import say

#: Clients of an arm from which one therapist for all of them, or one for each, is remarkable.
ENOUGH_CLIENTS = 10
#: What people write where nobody treated the client, without blanks and signs.
_NOBODY = re.compile(
    r"|none|nobody|no|na|null|nan|nil|unknown|missing|(no|without|ohne|kein\w*)(therapist|therapeut)\w*|"
    r"(un|not)assigned|usualcare|treatmentasusual|tau|wait(ing)?list\w*|warteliste\w*|selfhelp|kein\w*|unbekannt"
)


def nobody_findings(clients: pd.DataFrame) -> tuple[Finding, ...]:
    """Therapists that may stand for having none; ``clients`` has one row per client.

    An invented therapist looks like a therapist with many clients, or like many with one. Both change the
    differences between therapists.
    """
    if "therapist" not in clients:
        return ()
    of_words = clients[clients["therapist"].map(_reads_like_nobody, na_action="ignore").eq(True)]
    findings = [_by_word(str(name), len(rows)) for name, rows in of_words.groupby("therapist", observed=True)]
    if "arm" in clients:
        findings += _by_arm(clients[~clients.index.isin(of_words.index)])
    return tuple(findings)


def _reads_like_nobody(name: object) -> bool:
    return _NOBODY.fullmatch(re.sub(r"[\W_]", "", bare(str(name)))) is not None


def _by_word(name: str, clients: int) -> Finding:
    message = say(
        "{n:noun} {n:has|have} the therapist {name}, which counts as a therapist. If it means that nobody "
        "treated them, leave the cells empty.",
        n=Count(clients, "client"),
        name=Private(repr(name), "with an id that reads like none"),
    )
    return Finding("therapist_may_be_nobody", "caution", message, "therapist")


def _by_arm(clients: pd.DataFrame) -> list[Finding]:
    found = clients.dropna(subset=["arm", "therapist"])
    arms = found.groupby("arm", observed=True)["therapist"].agg(["size", "nunique"])
    shared = (arms["nunique"] > 1) & (
        arms["nunique"] < arms["size"]
    )  # arms in which therapists share the clients
    findings = []
    for arm, (n, therapists) in arms[~shared & (arms["size"] >= ENOUGH_CLIENTS)].iterrows():
        if not shared.drop(arm).any():
            continue
        what = "all have the same therapist" if therapists == 1 else "each have a therapist of their own"
        message = say(
            "The {n:noun} of the arm {arm} " + what + ", unlike the clients of other arms. If nobody treated "
            "them, leave their therapist empty; otherwise they change the differences between therapists.",
            n=Count(int(n), "client"),
            arm=repr(str(arm)),
        )
        findings.append(Finding("therapist_may_be_nobody", "caution", message, "therapist"))
    return findings
