"""Both analyses of a study, a second time in R (``early_alliance.json``)."""

import alliance_longitudinal as al
from reference.catalogue import SHARED
from reference.figures import Table, Topic
from reference.replication import STUDY_FILES, beside, replication, sensitivity_beside


def _tables(name: str, known: dict, program: str) -> list[Table]:
    study = al.load_study(STUDY_FILES[name])
    early = al.early_alliance(study)
    shown = beside(early, known["early_alliance"]["estimates"])
    shown += beside(al.variance_partition(study), known["variance_partition"])
    other = sensitivity_beside(early, known["early_alliance"]["sensitivity"])
    return [
        Table(study.title, "Main analysis and shares of variance.", program, tuple(shown)),
        Table(f"{study.title}: sensitivity", "Under twelve windows and adjustments.", program, tuple(other)),
    ]


def topic() -> Topic:
    """The demonstration study, and the real one where its rows are."""
    known = replication()
    versions = known["versions"]
    program = ", ".join(f"{p} {versions[p]}" for p in ("lme4", "lmerTest") if p in versions)
    tables, absent = [], []
    for name, study in known["studies"].items():
        if name == "demo" or SHARED.is_dir():
            tables += _tables(name, study, program)
        else:
            absent.append(name)
    return Topic(
        "Whole analyses, from the raw export to the estimate",
        f"A second time in R {versions['R']} (`early_alliance.R`): reading, scoring, landmark design, models, Satterthwaite "
        "degrees of freedom and their bound, correlations, shares.",
        "1e-5 of a standard error in an estimate, 5e-5 in the end of an interval, 5e-6 of a standard error's value, 2e-5 of "
        "the degrees of freedom, 1e-4 of a p value, 5e-6 in a share.",
        tuple(tables),
        tuple(absent),
    )
