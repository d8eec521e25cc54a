"""Writes ``docs/gallery.md`` and its pictures: the main figure of every analysis (`make gallery`)."""

from dataclasses import replace
from pathlib import Path

import alliance_longitudinal as al
from alliance_longitudinal.analyses.registry import REGISTRY
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.present.figure import FigureSpec

DOCS = Path(__file__).resolve().parents[1] / "docs"
HEAD = """# Gallery

The main figure of every analysis, drawn from the demonstration study, or from a simulated clinic where that lacks what the
analysis needs. The data are simulated: a picture says nothing about real clients. `make gallery` writes this page.
"""


def complete_couples(seed: int) -> al.Study:
    """Simulated couples of whom both members have all scores."""
    study = simulated_study(seed, al.ClinicTruth(family_size=2, family_alliance_sd=3))
    sessions = study.sessions
    by = sessions.assign(after=sessions["session"].gt(5) & sessions["phq9"].notna()).groupby(
        ["family", "client"]
    )
    whole = (by["alliance"].count().gt(0) & by["after"].any()).groupby("family").agg(["all", "size"])
    kept = whole.index[whole["all"] & whole["size"].eq(2)]
    return replace(study, _sessions=sessions[sessions["family"].isin(kept)].reset_index(drop=True))


def with_empathy(seed: int) -> al.Study:
    """A simulated clinic that knows the empathy of its therapists, who have better alliances and outcomes with more of it."""
    truth = al.ClinicTruth(therapists=60, clients=900, empathy=2.5, between=-0.06)
    people = al.simulate_clinic(seed, truth).therapists[["therapist", "empathy"]]
    return replace(simulated_study(seed, truth), therapist_covariates=("empathy",), _therapists=people)


#: Analyses that need more than the demonstration study has, and the study that is drawn instead.
OTHER = {
    "dyads": lambda: complete_couples(2026),
    "mechanisms": lambda: with_empathy(2026),
    "raters": lambda: simulated_study(2026, raters=("therapist", "clinician")),
}


def entry(name: str, spec: FigureSpec) -> str:
    """One analysis: its title, question, notebook and picture."""
    analysis = REGISTRY[name]
    return (
        f"## {analysis.title}\n\n{analysis.question} Notebook: [{name}](../notebooks/{name}.ipynb)\n\n"
        f"![{spec.alt}](gallery/{name}.png)\n"
    )


def main(docs: Path = DOCS) -> None:
    """Run every analysis, write its picture and the page, and remove pictures whose analysis is gone."""
    folder = docs / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.png"):
        if path.stem not in REGISTRY:
            path.unlink()
    study = al.load_study("demo", forms=True)
    entries = []
    for name, analysis in REGISTRY.items():
        spec = analysis.function(OTHER[name]() if name in OTHER else study).figure_specs[0]
        spec.figure().savefig(
            folder / f"{name}.png", dpi=80, bbox_inches="tight", metadata={"Software": None}
        )
        entries.append(entry(name, spec))
    (docs / "gallery.md").write_text("\n".join([HEAD, *entries]), encoding="utf-8")


if __name__ == "__main__":
    main()
