"""300 small three-level data sets, four units of time, truths at the boundary: every fit certified, none beaten.

Each fit is compared with searches from two random starts. A part of it is a test (tests/engine/test_optimize.py); this is
the whole, by `make calibrate`. Exit status 1 where a fit is not certified or not the best.
"""

import os
import sys
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np

import alliance_longitudinal as al
from alliance_longitudinal.engine.fitting.criterion import Criterion, profiled
from alliance_longitudinal.engine.fitting.optimize import descend
from engine.designs import GROWTH, random_relative, three_levels
from engine.test_optimize import TRUTHS, UNITS

#: Deviance units: far above rounding, far below what matters.
SAME = 1e-7
SETS = 300


def gap_of(seed: int) -> float | None:
    """How far the fit lies above the best of the random starts; infinite without a certificate, None if it is refused."""
    rng = np.random.default_rng(seed)
    outer = int(rng.integers(4, 11))
    frame = three_levels(seed, outer, inner=4, rows=6, truth=TRUTHS[seed % 5], unit=UNITS[seed % 4])
    if 2 * frame["unique"].nunique() >= len(frame):
        return None  # as many random effects as rows
    fit = al.MixedModel.from_formula(GROWTH, frame).fit(require_certificate=False).fit

    def evaluate(relative: list[np.ndarray], order: int) -> Criterion:
        return profiled(fit.blocks, relative, True, order)

    face = fit.record.best.face.full()
    starts = [random_relative(fit.basis, rng), random_relative(fit.basis, rng, zero=True)]
    others = [descend(evaluate, face, start, polish=False).value for start in starts]
    return fit.record.best.value - min(others) if fit.converged else np.inf


def main() -> int:
    """Run all and say what was found."""
    gaps: list[float] = []
    seed = 0
    while len(gaps) < SETS:
        gap = gap_of(seed)
        gaps += [] if gap is None else [gap]
        seed += 1
    bad = sum(gap > SAME for gap in gaps)
    print(
        f"{SETS} small data sets: {bad} not certified or not the best; largest gap {max(gaps):.2g} deviance units"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
