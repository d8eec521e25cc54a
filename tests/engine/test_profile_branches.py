"""Profile limits where the likelihood has two branches: the limit is that of the lower one."""

import numpy as np
import pytest
from scipy import optimize

import alliance_longitudinal as al
from engine.designs import three_levels
from inside.engine_linalg import dense

FIXED = "y ~ week * rating + arm + "


def test_another_branch_of_the_profile_is_followed_to_its_end():
    """Where one of its deviations is zero a correlation means nothing: none is less likely than the models without one."""
    frame = three_levels(117, 5, inner=6, rows=7, truth=([1, 0], [1, 0.2]), unit=1 / 12)
    res = al.MixedModel.from_formula(FIXED + "(1 + week | outer/inner)", frame).fit()
    without = [
        al.MixedModel.from_formula(f"{FIXED}({one} | outer) + (1 + week | outer:inner)", frame).fit().deviance
        for one in ("1", "0 + week")
    ]
    rise = min(without) - res.deviance
    assert 3.5 < rise < 3.84
    row = res.conf_int(method="profile", which="cor(Intercept,week)|outer").iloc[0]
    assert (row["lower"], row["upper"]) == (-1, 1)
    said = f"a correlation of 1 is not excluded, the deviance rises by {rise:.2f}, less than 3.84"
    assert row["note"].endswith(said)


def test_a_trial_on_a_worse_branch_does_not_bound_the_search():
    """The deviance at the limit, with the correlation held there, by a general optimiser on dense matrices."""
    frame = three_levels(211, 8, inner=6, rows=7, truth=(0.0, 1))
    res = al.MixedModel.from_formula(FIXED + "(1 + week | outer/inner)", frame).fit()
    row = res.conf_int(method="profile", which="cor(Intercept,week)|inner:outer").iloc[0]
    assert row["note"] == "upper limit: a correlation of 1 is the estimate"
    design = res.fit.design
    terms = [(t.z, design.factors[t.factor].codes) for t in design.terms]

    def deviance(x):
        sd, rest = np.exp(x[:2]), np.array([[x[2], 0.0], [x[3], x[4]]])
        inner = np.outer(sd, sd) * np.where(np.eye(2) > 0, 1.0, row["lower"])
        psi = dict(zip(("inner:outer", "outer"), (inner, rest @ rest.T), strict=True))
        full = [(*term, psi[t.group]) for term, t in zip(terms, design.terms, strict=True)]
        v = dense.marginal_covariance(full, np.exp(x[5]), None, len(frame))
        return dense.deviance(design.y, design.x, v, True)

    starts = ([0.5, -0.7, 2.4, 0.17, 0.1, 1.5], [0.5, -0.7, 1.0, 0.3, 0.3, 1.5])
    least = min(optimize.minimize(deviance, x, method="BFGS").fun for x in starts)
    assert least == pytest.approx(res.deviance + 3.8415, abs=1e-3)
