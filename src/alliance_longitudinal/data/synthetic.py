"""A simulated clinic group as a study in memory, as if its clean export had been loaded."""

from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.data.study_file.measure import Measure
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.measures.registry import load_instruments
from alliance_longitudinal.simulation import ClinicTruth, simulate_clinic
from alliance_longitudinal.simulation.course import LAST_EARLY

SIMULATED_NOTE = "Simulated data: no real clinic, therapist or client. Made to show and to check the report."


def simulated_study(
    seed: int, truth: ClinicTruth | None = None, *, items: bool = True, raters: tuple[str, ...] = ()
) -> Study:
    """A simulated clinic group as a study in memory, as if its clean export had been loaded.

    Scores are complete-form sums; used by the calibration, which repeats an analysis over many seeds. Without ``items`` the
    alliance is a total that has no error of items. ``raters`` are those of `simulate_clinic`; their measures are called
    ``alliance_therapist``, ``alliance_observer`` and so on, as if they had filled in the client's form, and ``phq9_clinician``.
    """
    truth = truth or ClinicTruth()
    frame = simulate_clinic(seed, truth, items=items, raters=raters).sessions
    names = [f"wai_{k}" for k in range(1, 13)] if items else ["wai"]
    frame["alliance"] = frame[names].sum(axis=1, min_count=len(names))
    registry = load_instruments()
    measures = {
        "alliance": Measure("alliance", "alliance", "client", registry["wai_sr"], timing="end"),
        "phq9": Measure("phq9", "symptoms", "client", registry["phq_9"], timing="start"),
    }
    for rater in raters:
        construct, base = ("symptoms", "phq9") if rater == "clinician" else ("alliance", "alliance")
        name, instrument = f"{base}_{rater}", measures[base].instrument
        measures[name] = Measure(name, construct, rater, instrument, timing=measures[base].timing)
    frame = frame.rename(columns={f"wai_{rater}": f"alliance_{rater}" for rater in raters})
    ending = {"end": "ending"}
    sessions = frame.drop(columns=[*names, *(name for name in ending if name in frame)])
    people = frame.rename(columns=ending)
    flow = SampleFlow().record(sessions, sessions, "Simulated sessions", "nothing removed")
    return Study(
        title=f"Simulated clinic group, seed {seed}",
        measures=measures,
        early_window=(1, LAST_EARLY),
        covariates=(),
        flow=flow,
        findings=(Finding("simulated", "info", SIMULATED_NOTE),),
        sources=(),
        simulated={"note": SIMULATED_NOTE, "truth": truth.to_dict()},
        _sessions=sessions,
        _clients=people[
            ["client", "therapist", *(c for c in ("arm", "ending") if c in people)]
        ].drop_duplicates(ignore_index=True),
    )
