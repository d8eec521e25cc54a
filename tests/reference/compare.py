"""Writes ``docs/validation.md``: each figure of the engine beside its reference. Run by ``make parity``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import alliance_longitudinal as al
from reference.catalogue import DATA, ROOT, SHARED, Figure, at_hand, exact, figures, reference
from reference.replication import STUDY_FILES, beside, replication, sensitivity_beside

PAGE = ROOT / "docs" / "validation.md"
INTRODUCTION = """\
# Validation

Written by `make parity`; do not edit. Each figure of `MixedModel` stands beside that of another program, fitted to
the same rows. Reference: lme4 {lme4} and lmerTest {lmerTest} on R {R}, each optimum polished by several optimisers
(`tests/reference/make_reference.R`). `exact` is the criterion of an independent Newton search, where there is one.

The criterion is -2 log-likelihood, restricted under REML. Figures agree when they differ by less than what the
reference itself is uncertain about: {criterion:g} in the criterion, {se:g} of a standard error in an estimate,
{rse:g} of a standard error's value, {variance:g} of a variance, {df:g} of the degrees of freedom (lmerTest
differentiates numerically). At a boundary, df are not compared.

**{agree} of {total} figures agree: {models} models, and both analyses of {studies}.**{missing}
"""


def _number(value: float) -> str:
    return f"{value:.8g}" if abs(value) >= 1e-9 else "0"


def _certificate(result: al.MixedModelResults) -> str:
    """What kind of optimum, without the numbers of the search, which differ between machines."""
    return result.convergence.partition(" (")[0] + "."


def _section(model: dict, found: list[Figure], result: al.MixedModelResults) -> str:
    lines = [
        f"## {model['name']}",
        "",
        f"`{model['formula']}`, {'REML' if model['reml'] else 'ML'}, {model['nobs']} rows. {_certificate(result)}",
        "",
        "| figure | reference | ours | agrees |",
        "|---|---:|---:|---|",
    ]
    for f in found:
        verdict = "yes" if f.agrees else f"**no**, by {f.ours - f.reference:.1e}"
        lines.append(f"| {f.quantity} | {_number(f.reference)} | {_number(f.ours)} | {verdict} |")
    if model["name"] in exact():
        lines.append(f"| criterion, exact | {exact()[model['name']]!r} | {result.deviance:.10g} | |")
    return "\n".join(lines)


def _analyses(name: str, known: dict) -> tuple[str, list[Figure]]:
    """Both analyses of one study; of other windows and adjustments only how many figures agree."""
    study = al.load_study(STUDY_FILES[name])
    early = al.early_alliance(study, n_boot=50)
    shown = beside(early, known["early_alliance"]["estimates"])
    shown += beside(al.variance_partition(study, n_boot=50), known["variance_partition"])
    other = sensitivity_beside(early, known["early_alliance"]["sensitivity"])
    lines = [
        f"## Both analyses of the study '{study.title}'",
        "",
        "From the raw export to the reported estimates, a second time in R (`tests/reference/early_alliance.R`): reading, "
        "scoring, landmark design, models, Satterthwaite degrees of freedom and their bound, correlations, shares. "
        f"Under twelve windows and adjustments {sum(f.agrees for f in other)} of {len(other)} figures agree.",
        "",
        "| figure | R | ours | agrees |",
        "|---|---:|---:|---|",
    ]
    for f in shown:
        verdict = "yes" if f.agrees else f"**no**, by {f.ours - f.reference:.1e}"
        lines.append(f"| {f.quantity} | {_number(f.reference)} | {_number(f.ours)} | {verdict} |")
    return "\n".join(lines), shown + other


def main() -> int:
    """Fit everything that is at hand, write the page, and return 1 if something does not agree."""
    known = reference()
    sections, every, absent = [], [], []
    for model in known["models"]:
        if not at_hand(model["data"]):
            absent.append(model["name"])
            continue
        result = al.MixedModel.from_formula(model["formula"], DATA[model["data"]]()).fit(reml=model["reml"])
        found = figures(model, result)
        sections.append(_section(model, found, result))
        every += found
    models, studies = len(sections), 0
    for name, known_study in replication()["studies"].items():
        if name == "demo" or SHARED.is_dir():
            text, found = _analyses(name, known_study)
            sections.append(text)
            every += found
            studies += 1
    wrong = [f for f in every if not f.agrees]
    PAGE.write_text(
        _introduction(known, every, absent, models, studies) + "\n" + "\n\n".join(sections) + "\n",
        encoding="utf-8",
    )
    print(f"{len(every) - len(wrong)} of {len(every)} figures agree; written to {PAGE.relative_to(ROOT)}")
    return 1 if wrong else 0


def _introduction(known: dict, every: list[Figure], absent: list[str], models: int, studies: int) -> str:
    from reference import catalogue as c

    missing = (
        f"\n\nNot compared, because the rows are not on this machine: {', '.join(absent)}." if absent else ""
    )
    return INTRODUCTION.format(
        **known["versions"],
        criterion=c.CRITERION,
        se=c.OF_A_STANDARD_ERROR,
        rse=c.RELATIVE_SE,
        variance=c.RELATIVE_VARIANCE,
        df=c.RELATIVE_DF,
        agree=sum(f.agrees for f in every),
        total=len(every),
        models=models,
        studies="one study" if studies == 1 else f"{studies} studies",
        missing=missing,
    )


if __name__ == "__main__":
    sys.exit(main())
