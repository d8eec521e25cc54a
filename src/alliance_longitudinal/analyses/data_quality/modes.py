"""Forms filled in one way at first and another way later: paper, tablet, another version."""

import numpy as np

from alliance_longitudinal.analyses.data_quality.check import Check, not_checked
from alliance_longitudinal.analyses.data_quality.records import Records
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.labels import number
from alliance_longitudinal.methods.basics.inference import p_of_no_shift

_TITLE = "Change of mode or version during treatment"


def mode_checks(records: Records) -> list[Check]:
    """Who changed, and whether the scores of each measure step with it."""
    if "mode" not in records.sessions:
        why = "The study names no column that says how forms were filled in."
        return [not_checked("mode", _TITLE, "", why, "If there is one, name it under 'columns: mode'.")]
    modes = records.sessions[["client", "mode"]].dropna()
    several = modes.groupby("client")["mode"].nunique() > 1
    known = records.sessions["mode"].to_numpy(dtype=object)
    changed = records.same_client & (known != np.r_[known[:1], known[:-1]])
    both_known = records.sessions["mode"].notna().to_numpy()
    changed &= both_known & np.r_[False, both_known[:-1]]
    found = int(several.sum())
    overall = Check(
        "mode",
        _TITLE,
        "",
        "client",
        len(several),
        found,
        "look" if found else "fine",
        "Look at any. A change of mode within a treatment can look like a change of the client.",
        "Keep the old mode until treatments end, or include the mode in the models.",
        rows=records.rows[changed],
    )
    return [overall, *(c for m in records.measures if (c := _step(records, m, changed)) is not None)]


def _step(records: Records, measure: Measure, changed: np.ndarray) -> Check | None:
    """Whether scores step at the change more than between other neighbouring forms; ten clients at least."""
    scores = records.sessions[measure.name].to_numpy(dtype=float)
    step = np.r_[np.nan, np.diff(scores)]
    known = records.same_client & ~np.isnan(step)
    at, others = step[known & changed], step[known & ~changed]
    if len(at) < 10 or len(others) < 10:
        return None
    mode = records.sessions["mode"].to_numpy(dtype=object)
    first = sorted({str(m) for m in mode if isinstance(m, str)})[0]
    towards = np.where(mode[known & changed] == first, -1.0, 1.0)
    moved = towards * at - float(np.mean(others)) * towards
    spread = float(np.std(others))
    size = abs(float(np.mean(moved))) / spread if spread else 0.0
    p = p_of_no_shift(moved)
    verdict = "problem" if p < 0.01 and size > 0.5 else "look" if p < 0.01 else "fine"
    return Check(
        "mode_step",
        "Change of the scores where the mode changes",
        measure.name,
        "change",
        len(at),
        len(at) if verdict != "fine" else 0,
        verdict,  # type: ignore[arg-type]
        "The mean change of the score where the mode changes (from the first mode in the alphabet "
        "to another), compared with that between other consecutive forms. Look if p < .01, problem "
        "if it is also more than half a standard deviation of the other changes.",
        "Do not compare scores before and after the change of mode. Analyse each mode separately, "
        "or include the mode in the models.",
        f"The mean change is {number(float(np.mean(moved)))} points." if verdict != "fine" else "",
    )
